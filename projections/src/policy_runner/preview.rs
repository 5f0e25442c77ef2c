//! What somebody would have read of an event, had other words been published by then. Nothing is written.

use application::bus::LoadError;
use application::channels::ChannelSettings;
use application::policies::{Fact, PolicyEvent, PreferenceBook, ReactError, View, react};
use application::texts::{Language, MissingVariable, Template, TemplateBook};
use domain::customer::{Customer, CustomerEvent};
use domain::member::Member;
use domain::notification::Message;
use domain::template::{NoticeTemplate, Signed, Wording};
use domain::{Actor, EventId};
use infrastructure::bus::Bus;
use infrastructure::db::DbError;
use infrastructure::event_log::{RecordedRaw, Until};

use super::backdrop::Backdrop;
use super::planner::{Concerned, Known, owner_in_log, read};

/// Why an event shows nothing.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// There is no such event.
    #[error("there is no such event")]
    NoEvent,
    /// Nobody is told of the event with this template.
    #[error("nobody is told of this event with this template")]
    NotTold,
    /// The words ask for something the template is not given.
    #[error(transparent)]
    Text(MissingVariable),
    /// The event's customer cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The message that the first person told of `event` with `template` would have read in `language`, with `wording` as
/// the words. Names, roles and the customer are as they were when the event happened.
pub async fn preview_of_event(
    bus: &Bus,
    (template, wording, language): (&Template, &Wording, Language),
    event: EventId,
) -> Result<Message, PreviewError> {
    let event = bus.log().event(event).await?.ok_or(PreviewError::NoEvent)?;
    let Known::Fact(fact) = read(bus.upcasters(), &event) else { return Err(PreviewError::NotTold) };
    let owner = match &fact {
        Fact::Customer(_, change) if matches!(**change, CustomerEvent::Created(_)) => {
            owner_in_log(bus, &event).await?
        }
        _ => None,
    };
    let customer = customer(bus, &event, &fact).await?;
    let member = member(bus, &event, &fact).await?;
    let backdrop = Backdrop::load(bus, event.position, &Known::Fact(fact.clone())).await?;
    // The inbox tells everybody who is told at all: neither channels nor anybody's wishes matter.
    let (channels, preferences) = (ChannelSettings::default(), PreferenceBook::default());
    let templates = book(template, wording, language, &event);
    let concerned =
        Concerned { customer: customer.as_ref(), owner_after_command: owner, member: member.as_ref() };
    let view = backdrop.view(concerned, event.recorded_at, &channels);
    let view = View { templates: &templates, preferences: &preferences, ..view };
    let cause = PolicyEvent { id: event.event_id, fact, at: event.recorded_at };
    let reactions = react(&cause, &view).map_err(|error| match error {
        ReactError::Text(missing) => PreviewError::Text(missing),
        _ => PreviewError::NotTold,
    })?;
    let notices = reactions.into_iter().filter_map(|reaction| reaction.notice);
    let told = notices.into_iter().find(|notice| notice.template == template.key);
    told.map(|notice| notice.message).ok_or(PreviewError::NotTold)
}

async fn customer(bus: &Bus, event: &RecordedRaw, fact: &Fact) -> Result<Option<Customer>, LoadError> {
    if !fact.needs_customer() {
        return Ok(None);
    }
    let found = bus.load_until::<Customer>(&event.stream, Until::Sequence(event.sequence)).await?;
    Ok(Some(found.state))
}

async fn member(bus: &Bus, event: &RecordedRaw, fact: &Fact) -> Result<Option<Member>, LoadError> {
    if !fact.needs_member() {
        return Ok(None);
    }
    let found = bus.load_until::<Member>(&event.stream, Until::Sequence(event.sequence)).await?;
    Ok(Some(found.state))
}

/// A book in which these words are what everybody reads, whatever language a person prefers.
fn book(template: &Template, wording: &Wording, language: Language, event: &RecordedRaw) -> TemplateBook {
    const SHOWN: i64 = 1;
    let words = || wording.words(language).clone();
    let signed = Signed {
        wording: Wording { zh_cn: words(), en: words() },
        by: Actor::System("preview".to_owned()),
        at: event.recorded_at,
    };
    let state = NoticeTemplate {
        versions: [(SHOWN, signed)].into(),
        current: Some(SHOWN),
        ..NoticeTemplate::default()
    };
    let mut book = TemplateBook::default();
    book.insert(template.key, state);
    book
}
