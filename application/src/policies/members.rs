//! Notices about members 会员 of system S: one message to the configured people of the corporation, and the inbox of the
//! configured roles (notifications.md section 2, existing-systems.md sections 7.6 and 7.7).
//!
//! Only a member that takes part is announced: one that registers without taking part says nothing until it is activated
//! (fault S-10). Before somebody chose an audience nobody is told, and nothing is made up for later.

use chrono::{DateTime, Utc};
use domain::member::{
    Code, FieldChange, Member, MemberActivated, MemberCode, MemberEvent, MemberField, MemberFields,
    MemberRevoked, MemberStatus, MemberUpgraded,
};
use domain::member_notices::{MemberNoticeTested, MemberNoticesEvent, MemberNoticesText};
use domain::notification::{Channel, Decision, Message, Priority};
use domain::{Actor, MemberId, StaffId};
use serde_json::{Map, json};

use super::about::{About, instant, not_told, typed};
use super::customers::{Reactions, wrong_row};
use super::routing::{everywhere, suppress};
use super::{Fact, Notice, PolicyEvent, ReactError, Reaction, View, reasons};
use crate::channels::wecom_app::{Receivers, Sheet, plain, render_sheet};
use crate::channels::{Rendered, stamp};
use crate::member_notices::{
    AUDIENCE_RECEIVER, DIGEST_WINDOW, NO_NUMBER, OFF_HELD_MAX, Subject, activated as say_activated, audience,
    change, form, known, receivers, registered as say_registered, revoked as say_revoked,
    tested as say_tested, tested_person, told_changes, updated as say_updated, upgraded as say_upgraded,
};
use crate::preferences::HoldReason;
use crate::texts::{self, Language, NOT_GIVEN, Template, kinds};

/// Stands for a template where the words are those of the message's own form.
const SHEET: &str = "MEMBER_SHEET";

/// Goes up when the words of a sheet change.
const SHEET_VERSION: i64 = 1;

/// The member is known: announced if it takes part.
pub(super) fn registered(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let Fact::Member(id, happened) = &event.fact else { return wrong_row(event) };
    let MemberEvent::Registered(registered) = &**happened else { return wrong_row(event) };
    let status = registered.fields.status.as_ref().and_then(Code::known);
    if status != Some(MemberStatus::Active) {
        return Ok(Vec::new());
    }
    let about = |about: About<'static>| about.word("brief", brief(&registered.fields));
    tell(event, view, &registered.by, &texts::MEMBER_REGISTERED, (*id, &registered.fields), about)
}

/// The member takes part from now on.
pub(super) fn activated(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, MemberEvent::Activated(MemberActivated { by, .. })) = of_member(event)? else {
        return wrong_row(event);
    };
    let Some(member) = member(event, view)? else { return Ok(Vec::new()) };
    let about = |about: About<'static>| about.word("brief", brief(&member.fields));
    tell(event, view, by, &texts::MEMBER_ACTIVATED, (id, &member.fields), about)
}

/// Columns changed, of a member that takes part. What is nobody's business is not told.
pub(super) fn updated(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, MemberEvent::Updated(updated)) = of_member(event)? else { return wrong_row(event) };
    let Some(member) = member(event, view)?.filter(|member| member.is_active()) else {
        return Ok(Vec::new());
    };
    let changes = told_changes(&updated.changed);
    if changes.is_empty() {
        return Ok(nobodys_business(view));
    }
    let names: Vec<&str> = changes.iter().map(|one| one.field.as_str()).collect();
    let listed = listed(&changes);
    let about = |about: About<'static>| {
        about.word("changes", listed.clone()).facts(json!({ "changedFields": names.clone() }))
    };
    tell(event, view, &updated.by, &texts::MEMBER_UPDATED, (id, &member.fields), about)
}

/// The member paid for more.
pub(super) fn upgraded(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, MemberEvent::Upgraded(upgraded)) = of_member(event)? else { return wrong_row(event) };
    let Some(member) = member(event, view)? else { return Ok(Vec::new()) };
    let MemberUpgraded { from, to, remaining_matches, by, .. } = upgraded;
    let old = from.as_ref().map_or(NOT_GIVEN, Code::label).to_owned();
    let matches = remaining_matches.map_or(NOT_GIVEN.to_owned(), |matches| matches.to_string());
    let about = |about: About<'static>| {
        let about = about.word("oldType", old.clone()).word("newType", to.label());
        about.word("matches", matches.clone())
    };
    tell(event, view, by, &texts::MEMBER_UPGRADED, (id, &member.fields), about)
}

/// The membership was taken back.
pub(super) fn revoked(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, MemberEvent::Revoked(revoked)) = of_member(event)? else { return wrong_row(event) };
    let Some(member) = member(event, view)? else { return Ok(Vec::new()) };
    let reason = revoked.reason.as_deref().map_or(NOT_GIVEN.to_owned(), typed);
    let operator = view.staff.actor_name(&revoked.by).to_owned();
    let about =
        |about: About<'static>| about.word("reason", reason.clone()).word("operatorName", operator.clone());
    tell(event, view, &revoked.by, &texts::MEMBER_REVOKED, (id, &member.fields), about)
}

/// Somebody wants to see one message. It leaves also while the switch is off: it is what the switch is tried with.
pub(super) fn tested(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let Fact::MemberNotices(happened) = &event.fact else { return wrong_row(event) };
    let MemberNoticesEvent::Tested(test) = &**happened else { return wrong_row(event) };
    let recipient = tested_person(&test.to);
    let decision = configured(view).unwrap_or(Decision::Deliver);
    Ok(said(event, view, recipient, kinds::MEMBER_NOTICE_TEST, decision).into_iter().collect())
}

fn of_member(event: &PolicyEvent) -> Result<(MemberId, &MemberEvent), ReactError> {
    match &event.fact {
        Fact::Member(id, happened) => Ok((*id, happened)),
        _ => Err(ReactError::WrongRow(event.fact.event_type())),
    }
}

/// The member right after the event; `None` when nobody would be told, and so nobody read it.
fn member<'v>(event: &PolicyEvent, view: &View<'v>) -> Result<Option<&'v Member>, ReactError> {
    if !view.member_notices.text.has_audience() {
        return Ok(None);
    }
    view.member.map(Some).ok_or(ReactError::NoMember(event.fact.event_type()))
}

/// The audience, then everybody active of the configured roles who did not do it, in the order of their ids.
fn tell<'a>(
    event: &PolicyEvent,
    view: &View<'_>,
    by: &Actor,
    template: &Template,
    (id, fields): (MemberId, &MemberFields),
    worded: impl Fn(About<'a>) -> About<'a>,
) -> Reactions {
    let MemberNoticesText { audience: people, roles, .. } = &view.member_notices.text;
    let mut reactions = Vec::new();
    if !people.is_empty() {
        reactions.extend(said(event, view, audience(), template.kind, leaves(view)));
    }
    let mut readers: Vec<StaffId> = roles.iter().flat_map(|role| view.staff.with_role(*role)).collect();
    readers.retain(|person| view.staff.is_active(*person));
    readers.sort_unstable();
    readers.dedup();
    let (knowing, readers): (Vec<_>, Vec<_>) =
        readers.into_iter().partition(|person| by.staff() == Some(*person));
    let number = fields.member_no.as_ref().map(|number| number.as_str().to_owned());
    let name = known(fields, MemberField::Nickname);
    let about = About::bare()
        .word("memberId", id.to_string())
        .word("memberNo", number.clone().unwrap_or_else(|| NO_NUMBER.to_owned()))
        .word("memberName", name.clone().unwrap_or_else(|| NOT_GIVEN.to_owned()))
        .facts(json!({
            "memberId": id.to_string(),
            "memberNumber": number,
            "memberName": name,
            "happenedAt": instant(event.at),
        }));
    reactions.extend(worded(about).tell(template, readers, view)?);
    let knows = suppress(reasons::ACTOR_IS_RECIPIENT);
    reactions.extend(knowing.into_iter().map(|person| not_told(template, person, vec![], &knows)));
    Ok(reactions)
}

/// Only sensitive columns changed: the decision says so.
fn nobodys_business(view: &View<'_>) -> Vec<Reaction> {
    let decision = suppress(reasons::SENSITIVE_FIELDS_ONLY);
    let told = !view.member_notices.text.audience.is_empty();
    told.then(|| not_told(&texts::MEMBER_UPDATED, audience(), vec![], &decision)).into_iter().collect()
}

/// When a message to the audience leaves.
fn leaves(view: &View<'_>) -> Decision {
    if let Some(suppressed) = configured(view) {
        return suppressed;
    }
    let text = &view.member_notices.text;
    let hold = |until, reason: HoldReason| Decision::Hold { until, reason: reason.as_str().to_owned() };
    if !text.enabled {
        return hold(view.at + OFF_HELD_MAX, HoldReason::MemberNoticesOff);
    }
    match view.recent.crowded_until(text.digest_from, DIGEST_WINDOW, view.at) {
        Some(until) => hold(until, HoldReason::MemberDigest),
        None => Decision::Deliver,
    }
}

fn configured(view: &View<'_>) -> Option<Decision> {
    view.channels.wecom_app.is_none().then(|| suppress(reasons::CHANNEL_NOT_CONFIGURED))
}

/// One message by `WeCom` and by nothing else.
fn said(
    event: &PolicyEvent,
    view: &View<'_>,
    recipient: StaffId,
    scene: &'static str,
    decision: Decision,
) -> Option<Reaction> {
    let sheet = sheet(event, view)?;
    let told = !matches!(decision, Decision::Suppress { .. });
    let mut decisions = everywhere(&suppress(reasons::AUDIENCE_BY_WECOM));
    if let Some((_, place)) = decisions.iter_mut().find(|(channel, _)| *channel == Channel::WecomApp) {
        *place = decision;
    }
    let notice = told.then(|| Notice {
        priority: Priority::Medium,
        message: Message {
            title: sheet.title.to_owned(),
            content: plain(&sheet),
            icon: "TeamOutlined".to_owned(),
            color: "#1890ff".to_owned(),
            action_url: sheet.path.clone(),
            action_text: sheet.button.to_owned(),
            data: Map::new(),
        },
        template: SHEET.to_owned(),
        template_version: SHEET_VERSION,
        language: Language::ZhCn,
    });
    Some(Reaction { recipient, scene, customers: Vec::new(), decisions, notice })
}

/// What is said of the event, before it has a form; `None` for an event that says nothing.
fn sheet(event: &PolicyEvent, view: &View<'_>) -> Option<Sheet> {
    let (zone, own) = (view.channels.zone, view.member_notices.text.template.as_deref());
    let (id, happened) = match &event.fact {
        Fact::MemberNotices(_) => return Some(say_tested(zone, event.at, own)),
        Fact::Member(id, happened) => (*id, happened),
        _ => return None,
    };
    let subject = || Subject::of(id, view.member?, zone, own);
    Some(match &**happened {
        MemberEvent::Registered(e) => {
            let registered_at = e.registered_at.unwrap_or(e.at);
            say_registered(&Subject { id, fields: &e.fields, registered_at, zone, own })
        }
        MemberEvent::Activated(e) => say_activated(&subject()?, e.at),
        MemberEvent::Updated(e) => say_updated(&subject()?, &told_changes(&e.changed), e.at),
        MemberEvent::Upgraded(e) => say_upgraded(&subject()?, e),
        MemberEvent::Revoked(e) => {
            let MemberRevoked { by, .. } = e;
            say_revoked(&subject()?, e, view.staff.actor_name(by))
        }
        _ => return None,
    })
}

/// Whom a message to people of the corporation is for, in the outbox and at `WeCom`; `None` for any other reaction.
pub(super) fn addressed(
    reaction: &Reaction,
    cause: &PolicyEvent,
    view: &View<'_>,
) -> Option<(String, Receivers)> {
    match &cause.fact {
        Fact::MemberNotices(happened) => match &**happened {
            MemberNoticesEvent::Tested(MemberNoticeTested { to, .. }) => {
                let users = to.as_str().to_owned();
                Some((users.clone(), Receivers { users, ..Receivers::default() }))
            }
            MemberNoticesEvent::Set(_) | MemberNoticesEvent::SecretSet(_) => None,
        },
        Fact::Member(..) if reaction.recipient == audience() => {
            Some((AUDIENCE_RECEIVER.to_owned(), receivers(&view.member_notices.text.audience)))
        }
        _ => None,
    }
}

/// The request of such a message.
pub(super) fn request(
    reaction: &Reaction,
    cause: &PolicyEvent,
    view: &View<'_>,
    (receiver, receivers): (String, Receivers),
) -> Option<Rendered> {
    let settings = view.channels.wecom_app.as_ref()?;
    let stamp = stamp(cause.at, reaction.notification(cause.id));
    let body = render_sheet(
        settings,
        form(settings, &view.member_notices.text),
        &receivers,
        &stamp,
        &sheet(cause, view)?,
    );
    Some(Rendered { app: settings.app(), receiver, template: None, body })
}

/// What one reads of a new member at a glance.
fn brief(fields: &MemberFields) -> String {
    let place: Vec<String> = [MemberField::Province, MemberField::City, MemberField::District]
        .into_iter()
        .filter_map(|field| known(fields, field))
        .collect();
    let year = known(fields, MemberField::BirthYear).map(|year| format!("{year}年"));
    let place = (!place.is_empty()).then(|| place.join(" "));
    let parts = [known(fields, MemberField::Gender), year, known(fields, MemberField::Education), place];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { NOT_GIVEN.to_owned() } else { parts.join("，") }
}

/// Every change with old and new.
fn listed(changes: &[&FieldChange]) -> String {
    let said: Vec<String> =
        changes.iter().map(|one| format!("{}：{}", one.field.label(), change(one))).collect();
    said.join("；")
}

/// What becomes due earlier with new settings: what the switch held, and what waits for a digest that there is no more.
pub(super) fn hastened(event: &MemberNoticesEvent, at: DateTime<Utc>) -> Vec<super::Hasten> {
    let MemberNoticesEvent::Set(set) = event else { return Vec::new() };
    let due = |reason| super::Hasten { recipient: audience(), reason, due_at: at };
    let on = set.text.enabled.then(|| due(HoldReason::MemberNoticesOff));
    let alone = (set.text.digest_from == 0).then(|| due(HoldReason::MemberDigest));
    on.into_iter().chain(alone).collect()
}
