//! From a page of events to what follows from each: reads what the policy must know, set-wise, and asks it.

use std::collections::HashSet;
use std::sync::Arc;

use application::bus::StreamAppend;
use application::channels::ChannelSettings;
use application::policies::{
    Fact, FirstOwner, Hasten, Outgoing, PolicyEvent, Reaction, Who, changes_wishes, hastened, loss, react,
    row,
};
use chrono::{DateTime, Utc};
use domain::batch::BatchEvent;
use domain::customer::{Customer, CustomerEvent};
use domain::member::{Member, MemberEvent};
use domain::member_notices::MemberNoticesEvent;
use domain::notice_order::NoticeOrderEvent;
use domain::notification::NotificationEvent;
use domain::preferences::PreferencesEvent;
use domain::recycle_rule::run::RecycleRunEvent;
use domain::staff::StaffEvent;
use domain::transfer_rule::run::TransferRunEvent;
use domain::{
    BatchId, CustomerId, EventId, MemberId, NotificationId, Position, RecycleRunId, StaffId, StoredEvent,
    StreamId, TransferRunId,
};
use infrastructure::bus::Bus;
use infrastructure::db::DbError;
use infrastructure::event_log::{EventLog, RecordedRaw};
use infrastructure::outbox::Gained;
use infrastructure::upcasters::Upcasters;

use super::backdrop::Backdrop;
use super::recall::Lost;
use super::states::States;

/// Most people told of one event; beyond that something is wrong, and a person should look at it.
const PEOPLE_PER_EVENT_MAX: usize = 2000;

/// Events of one command looked at to learn who owns a lead right after its creation.
const COMMAND_EVENTS_MAX: usize = 8;

/// Why a later event of a parked stream waits.
const BEHIND: &str = "an earlier event of this stream is parked";

/// What follows from one event.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) event: EventId,
    pub(super) position: Position,
    pub(super) stream: StreamId,
    pub(super) event_type: String,
    /// The notices and decisions, or why the event is parked.
    pub(super) outcome: Result<Vec<Told>, String>,
    /// The lead somebody lost with it: what was not sent yet is taken back. Not while the event is parked.
    pub(super) lost: Option<Lost>,
    /// What is held for wishes that somebody no longer has: it is due earlier now. Not while the event is parked.
    pub(super) hastened: Vec<Hasten>,
}

impl Answer {
    /// `backdrop`, and the customer if it is the event of one, are as the event left them.
    pub(super) fn of(
        event: &RecordedRaw,
        outcome: Result<Vec<Told>, String>,
        fact: Option<&Fact>,
        backdrop: &Backdrop,
        after: Option<&Customer>,
    ) -> Self {
        let fact = fact.filter(|_| outcome.is_ok());
        let lost = fact.and_then(|fact| loss(fact, after)).map(|loss| Lost::of(event, loss));
        let hastened = fact.filter(|fact| changes_wishes(fact)).map(|fact| {
            let happened = PolicyEvent { id: event.event_id, fact: fact.clone(), at: event.recorded_at };
            hastened(&happened, &backdrop.staff, &backdrop.preferences)
        });
        Self {
            event: event.event_id,
            position: event.position,
            stream: event.stream.clone(),
            event_type: event.event_type.clone(),
            outcome,
            lost,
            hastened: hastened.unwrap_or_default(),
        }
    }
}

/// One person's part in it.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) reaction: Reaction,
    /// The notice to request, when the person is told.
    pub(super) notice: Option<NewNotice>,
}

/// A notice, ready for the log and the outbox.
#[derive(Debug)]
pub(super) struct NewNotice {
    pub(super) id: NotificationId,
    pub(super) recipient: StaffId,
    /// When the event happened of which it tells.
    pub(super) happened_at: DateTime<Utc>,
    pub(super) append: StreamAppend,
    pub(super) outgoing: Vec<Outgoing>,
    /// The one customer it is about.
    pub(super) subject: Option<CustomerId>,
    /// The kind of notice it is.
    pub(super) scene: &'static str,
    /// The lead it tells the recipient to have gained, or to act on.
    pub(super) gained: Option<Gained>,
}

/// An event as the policy reads it.
pub(super) enum Known {
    Fact(Fact),
    Unreadable(String),
}

impl Known {
    /// What happened, when it can be read.
    pub(super) fn fact(&self) -> Option<&Fact> {
        match self {
            Self::Fact(fact) => Some(fact),
            Self::Unreadable(_) => None,
        }
    }
}

/// What an event happened to, right after it, when its answer needs that.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Concerned<'c> {
    pub(super) customer: Option<&'c Customer>,
    /// The customer's owner once the whole command was through.
    pub(super) owner_after_command: Option<FirstOwner>,
    pub(super) member: Option<&'c Member>,
}

/// Asks the policy, with the memory it needs between pages: the backdrop, and the customers met lately.
#[derive(Debug)]
pub(super) struct Planner {
    bus: Bus,
    channels: Arc<ChannelSettings>,
    backdrop: Backdrop,
    customers: States<Customer>,
    members: States<Member>,
}

impl Planner {
    pub(super) fn new(bus: Bus, channels: Arc<ChannelSettings>) -> Self {
        Self {
            bus,
            channels,
            backdrop: Backdrop::default(),
            customers: States::default(),
            members: States::default(),
        }
    }

    pub(super) fn log(&self) -> &EventLog {
        self.bus.log()
    }

    /// Everything up to `position` was answered and committed.
    pub(super) fn reached(&mut self, position: Position) {
        self.backdrop.reached(position);
    }

    /// Answers a page. Nothing that concerns the policy lies between `after` and the page. Events of `blocked` streams
    /// wait behind the one that is parked.
    pub(super) async fn answer(
        &mut self,
        page: &[RecordedRaw],
        after: Position,
        mut blocked: HashSet<StreamId>,
    ) -> Result<Vec<Answer>, DbError> {
        let Some(first) = page.first() else { return Ok(Vec::new()) };
        let known: Vec<Known> = page.iter().map(|event| read(self.bus.upcasters(), event)).collect();
        self.backdrop.before(&self.bus, (after, first.position), &known).await?;
        let positions = page.iter().map(|event| event.position);
        self.backdrop.name(&self.bus, positions.zip(&known)).await?;
        let unreadable = self.customers.load(&self.bus, page, &known).await?;
        blocked.extend(unreadable);
        if self.backdrop.tells_of_members(&known) {
            blocked.extend(self.members.load(&self.bus, page, &known).await?);
        }
        let last_owner = self.owner_behind(page, &known).await?;

        let mut answers = Vec::new();
        for (at, (event, known_event)) in page.iter().zip(&known).enumerate() {
            self.take_in(event, known_event);
            let behind = last_owner.filter(|_| at + 1 == page.len());
            let owner = || owner_after_command(&page[at..], &known[at..]).or(behind);
            let outcome = match known_event {
                Known::Unreadable(reason) => Err(reason.clone()),
                Known::Fact(fact) if !concerns_somebody(fact) => continue,
                Known::Fact(_) if blocked.contains(&event.stream) => Err(BEHIND.to_owned()),
                Known::Fact(fact) => self.ask(event, fact, owner()),
            };
            if outcome.is_err() {
                blocked.insert(event.stream.clone());
            }
            let fact = known_event.fact();
            let told = outcome.iter().flatten().map(|told: &Told| &told.reaction);
            self.backdrop.answered(told, event.recorded_at);
            let after = self.customers.get(&event.stream, event.sequence);
            answers.push(Answer::of(event, outcome, fact, &self.backdrop, after));
        }
        Ok(answers)
    }

    /// Folds an event into what the next one is answered with.
    fn take_in(&mut self, event: &RecordedRaw, known: &Known) {
        if let Known::Fact(Fact::Customer(_, change)) = known {
            self.customers.evolve(&event.stream, event.sequence, change);
        }
        if let Known::Fact(Fact::Member(_, change)) = known {
            self.members.evolve(&event.stream, event.sequence, change);
        }
        self.backdrop.take_in(event.position, known);
    }

    fn ask(
        &self,
        event: &RecordedRaw,
        fact: &Fact,
        owner_after_command: Option<FirstOwner>,
    ) -> Result<Vec<Told>, String> {
        let customer = self.customers.get(&event.stream, event.sequence);
        let member = self.members.get(&event.stream, event.sequence);
        let concerned = Concerned { customer, owner_after_command, member };
        answer_one(event, fact, concerned, &self.backdrop, &self.channels)
    }

    /// A page may end between a creation and the assignment that belongs to it.
    async fn owner_behind(
        &self,
        page: &[RecordedRaw],
        known: &[Known],
    ) -> Result<Option<FirstOwner>, DbError> {
        match (page.last(), known.last()) {
            (Some(last), Some(Known::Fact(Fact::Customer(_, change))))
                if matches!(**change, CustomerEvent::Created(_)) =>
            {
                owner_in_log(&self.bus, last).await
            }
            _ => Ok(None),
        }
    }
}

/// Asks the policy about one event and makes its notices ready.
pub(super) fn answer_one(
    event: &RecordedRaw,
    fact: &Fact,
    concerned: Concerned<'_>,
    backdrop: &Backdrop,
    channels: &ChannelSettings,
) -> Result<Vec<Told>, String> {
    let cause = PolicyEvent { id: event.event_id, fact: fact.clone(), at: event.recorded_at };
    let view = backdrop.view(concerned, event.recorded_at, channels);
    let reactions = react(&cause, &view).map_err(|error| error.to_string())?;
    if reactions.len() > PEOPLE_PER_EVENT_MAX {
        return Err(format!("it concerns {} people, more than {PEOPLE_PER_EVENT_MAX}", reactions.len()));
    }
    let told = |reaction: Reaction| -> Result<Told, String> {
        let Some(request) = reaction.request(&cause) else { return Ok(Told { reaction, notice: None }) };
        let id = request.notification;
        let requested: NotificationEvent = request.into();
        let append = StreamAppend::of(id, 0, &[requested])
            .map_err(|error| format!("a notice cannot be written: {error}"))?
            .because(event.event_id, event.metadata.correlation.clone());
        let outgoing = reaction.outgoing(&cause, &view).map_err(|error| error.to_string())?;
        let (recipient, cause) = (reaction.recipient, event.position);
        let gained = reaction.gained().map(|lead| Gained { lead, owner: recipient, cause });
        let subject = match reaction.customers.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let (happened_at, scene) = (event.recorded_at, reaction.scene);
        let notice = NewNotice { id, recipient, happened_at, append, outgoing, subject, scene, gained };
        Ok(Told { reaction, notice: Some(notice) })
    };
    reactions.into_iter().map(told).collect()
}

fn concerns_somebody(fact: &Fact) -> bool {
    // A type without a row is asked about, and so parked and seen. A loss takes something back, and another wish lets
    // something go, even if they tell nobody.
    let is_told = !matches!(row(fact.event_type()), Some(Who::Nobody(_)));
    is_told || fact.needs_customer() || loss(fact, None).is_some() || changes_wishes(fact)
}

pub(super) fn payload<E: StoredEvent>(upcasters: &Upcasters, event: &RecordedRaw) -> Result<E, String> {
    let read = upcasters.payload(&event.event_type, event.schema_version, &event.payload);
    read.map_err(|error| error.to_string())
}

/// Reads an event of the types the policy asks for.
pub(super) fn read(upcasters: &Upcasters, event: &RecordedRaw) -> Known {
    let Some(id) = event.stream.uuid() else {
        return Known::Unreadable("the stream's name has no id".to_owned());
    };
    let declares = |types: &[(&str, i32)]| types.iter().any(|(name, _)| *name == event.event_type);
    let known = if declares(CustomerEvent::TYPES) {
        payload(upcasters, event).map(|change| Known::Fact(Fact::Customer(CustomerId(id), Box::new(change))))
    } else if declares(BatchEvent::TYPES) {
        payload(upcasters, event).map(|change| Known::Fact(Fact::Batch(BatchId(id), change)))
    } else if declares(TransferRunEvent::TYPES) {
        payload(upcasters, event)
            .map(|change| Known::Fact(Fact::TransferRun(TransferRunId(id), Box::new(change))))
    } else if declares(RecycleRunEvent::TYPES) {
        payload(upcasters, event)
            .map(|change| Known::Fact(Fact::RecycleRun(RecycleRunId(id), Box::new(change))))
    } else if declares(MemberEvent::TYPES) {
        payload(upcasters, event).map(|change| Known::Fact(Fact::Member(MemberId(id), Box::new(change))))
    } else if declares(MemberNoticesEvent::TYPES) {
        payload(upcasters, event).map(|change| Known::Fact(Fact::MemberNotices(Box::new(change))))
    } else if declares(StaffEvent::TYPES) {
        payload(upcasters, event).map(|change| Known::Fact(Fact::Staff(StaffId(id), Box::new(change))))
    } else if declares(PreferencesEvent::TYPES) {
        payload(upcasters, event).map(|change| Known::Fact(Fact::Preferences(Box::new(change))))
    } else if declares(NoticeOrderEvent::TYPES) {
        payload(upcasters, event).map(|order| Known::Fact(Fact::Order(Box::new(order))))
    } else {
        payload(upcasters, event).map(|change| Known::Fact(Fact::Template(Box::new(change))))
    };
    known.unwrap_or_else(Known::Unreadable)
}

/// The owner that the command of the first event left behind, as far as the page shows it.
fn owner_after_command(page: &[RecordedRaw], known: &[Known]) -> Option<FirstOwner> {
    let (first, rest) = page.split_first()?;
    let own = |event: &RecordedRaw| event.metadata.command == first.metadata.command;
    let mine = rest.iter().zip(&known[1..]).take_while(|(event, _)| own(event));
    let mine = mine.filter(|(event, _)| event.stream == first.stream);
    mine.filter_map(|(event, known)| new_owner(event, known)).last()
}

/// The same, read from the log.
pub(super) async fn owner_in_log(bus: &Bus, first: &RecordedRaw) -> Result<Option<FirstOwner>, DbError> {
    let rest = bus.log().stream(&first.stream, first.sequence, COMMAND_EVENTS_MAX).await?;
    let mine = rest.iter().take_while(|event| event.metadata.command == first.metadata.command);
    Ok(mine.filter_map(|event| new_owner(event, &read(bus.upcasters(), event))).last())
}

fn new_owner(event: &RecordedRaw, known: &Known) -> Option<FirstOwner> {
    let Known::Fact(Fact::Customer(_, change)) = known else { return None };
    let CustomerEvent::Assigned(assigned) = &**change else { return None };
    Some(FirstOwner { owner: assigned.to, event: event.event_id })
}
