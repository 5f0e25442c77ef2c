//! Notices about what rules do: a lead goes back into the pool, or will; a follow-up is due; a transfer rule ran.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use domain::customer::{CustomerEvent, CustomerRecycled, FollowUpDue, RecycleWarned};
use domain::recycle_rule::RecycleKind;
use domain::recycle_rule::run::{RecycleRunCompleted, RecycleRunEvent};
use domain::transfer_rule::run::{Moved, TransferRunCompleted, TransferRunEvent};
use domain::{CustomerId, RecycleRuleId, StaffId, StreamId, TransferRunId};
use serde_json::json;

use super::about::{About, Said, instant, typed};
use super::batches::by_person;
use super::customers::{Reactions, customer, customer_event, in_summary, wrong_row};
use super::{Fact, PolicyEvent, View};
use crate::texts::{self, Template};

/// Most leads that a summary names. A run may move thousands to one person, who finds them all in the records.
const NAMED_MAX: usize = 100;

/// Most rules that a summary names; the others it counts.
const RULES_NAMED_MAX: usize = 3;

/// The former owner: a rule is never the one who is told. What fell in a run is told by its end.
pub(super) fn recycled(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::Recycled(recycled)) = customer_event(event)? else { return wrong_row(event) };
    let CustomerRecycled { from, rule, reason, run, at } = recycled;
    if let Some(run) = run {
        return Ok(vec![in_summary(&texts::RECLAIMED, *from, id, &StreamId::from(*run))]);
    }
    let mut why = Said::alike(typed(reason));
    why.en = RecycleKind::reason_in_english(reason).unwrap_or(why.en);
    let about = About::customer(id, customer(event, view)?).said("reason", why).facts(json!({
        "oldOwner": view.staff.name(*from),
        "ruleId": rule.to_string(),
        "releasedAt": instant(*at),
    }));
    Ok(about.tell(&texts::RECLAIMED, [*from], view)?)
}

/// The leads of those who lost just one in the run: each of them reads its name.
pub(super) fn named(event: &RecycleRunEvent) -> Vec<CustomerId> {
    let RecycleRunEvent::Completed(completed) = event else { return Vec::new() };
    let people = by_person(completed.fallen.iter().map(|one| (one.from, one.customer)));
    people.into_values().filter(|lost| lost.len() == 1).flatten().collect()
}

/// One notice to everybody who lost leads, in the order of their ids: of one lead with its name, of several a summary. A
/// run in which nothing fell tells nobody.
pub(super) fn recycle_completed(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let Fact::RecycleRun(run, run_event) = &event.fact else { return wrong_row(event) };
    let RecycleRunEvent::Completed(completed) = &**run_event else { return wrong_row(event) };
    let by: BTreeSet<_> = completed.fallen.iter().map(|one| (one.from, one.rule)).collect();
    let mut reactions = Vec::new();
    for (loser, lost) in by_person(completed.fallen.iter().map(|one| (one.from, one.customer))) {
        let reason = reason(completed, |rule| by.contains(&(loser, rule)));
        let only = match lost.as_slice() {
            [only] => view.named.get(only).filter(|customer| customer.exists()).map(|lead| (*only, lead)),
            _ => None,
        };
        let (about, template) = match only {
            Some((id, lead)) => (About::customer(id, lead), &texts::RECLAIMED),
            None => (About::many(lost, NAMED_MAX), &texts::RECLAIMED_SUMMARY),
        };
        let about = about.said("reason", reason).facts(json!({
            "oldOwner": view.staff.name(loser),
            "runId": run.to_string(),
            "releasedAt": instant(completed.at),
        }));
        reactions.extend(about.tell(template, [loser], view)?);
    }
    Ok(reactions)
}

/// By which rules leads fell, in the words of those who wrote them.
fn reason(completed: &RecycleRunCompleted, counts: impl Fn(RecycleRuleId) -> bool) -> Said {
    let names = completed.rules.iter().filter(|one| counts(one.rule)).map(|one| typed(&one.name));
    let names: Vec<String> = names.collect();
    match names.get(..RULES_NAMED_MAX).filter(|_| names.len() > RULES_NAMED_MAX) {
        Some(first) => Said {
            zh: format!("{}等{}条规则，自动回收", first.join("、"), names.len()),
            en: format!("rules {} and {} more", first.join(", "), names.len() - first.len()),
        },
        None => Said {
            zh: format!("{}，自动回收", names.join("、")),
            en: format!("{} {}", if names.len() > 1 { "rules" } else { "rule" }, names.join(", ")),
        },
    }
}

/// The owner, while there is still time.
pub(super) fn recycle_warned(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::RecycleWarned(warned)) = customer_event(event)? else { return wrong_row(event) };
    let RecycleWarned { to, rule, due_at, offset_hours, .. } = warned;
    let about = About::customer(id, customer(event, view)?).word("time", shown(*due_at, view)).facts(json!({
        "ruleId": rule.to_string(),
        "poolDueAt": instant(*due_at),
        "hoursBefore": offset_hours,
    }));
    Ok(about.tell(&texts::RECYCLE_WARNING, [*to], view)?)
}

/// The owner, with the days since anybody followed up.
pub(super) fn follow_up_due(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let (id, CustomerEvent::FollowUpDue(due)) = customer_event(event)? else { return wrong_row(event) };
    let FollowUpDue { to, due, at } = due;
    let customer = customer(event, view)?;
    let last = customer.last_follow_up.as_ref().map(|last| last.at).or_else(|| customer.assigned_at());
    let days = last.map_or(0, |last| days_between((last, *at), view.channels.zone));
    let about = About::customer(id, customer).word("days", days.to_string()).facts(json!({
        "nextFollowUpAt": instant(*due),
        "days": days,
    }));
    Ok(about.tell(&texts::FOLLOW_UP_DUE, [*to], view)?)
}

/// Whose lead it was or is, and what this person is told.
type Side = (fn(&Moved) -> StaffId, &'static Template);

/// One summary to everybody who lost leads, then one to everybody who gained some, in the order of their ids. A run
/// that moved nothing tells nobody.
pub(super) fn run_completed(event: &PolicyEvent, view: &View<'_>) -> Reactions {
    let Fact::TransferRun(run, run_event) = &event.fact else { return wrong_row(event) };
    let TransferRunEvent::Completed(completed) = &**run_event else { return wrong_row(event) };
    let sides: [Side; 2] =
        [(|one| one.from, &texts::AUTO_TRANSFER_OUT), (|one| one.to, &texts::AUTO_TRANSFER_IN)];
    let mut reactions = Vec::new();
    for (whose, template) in sides {
        for (person, leads) in by_person(completed.moved.iter().map(|one| (whose(one), one.customer))) {
            reactions.extend(about_run(*run, completed, leads, view).tell(template, [person], view)?);
        }
    }
    Ok(reactions)
}

fn about_run<'a>(
    run: TransferRunId,
    completed: &TransferRunCompleted,
    leads: Vec<CustomerId>,
    view: &View<'_>,
) -> About<'a> {
    let rule_name = typed(&completed.rule_name);
    About::many(leads, NAMED_MAX)
        .word("time", shown(completed.at, view))
        .word("ruleName", rule_name.clone())
        .facts(json!({
            "runId": run.to_string(),
            "ruleId": completed.rule.to_string(),
            "ruleName": rule_name,
            "transferredAt": instant(completed.at),
        }))
}

/// A moment on the wall clock of the installation, in the form system A wrote: `2026/1/15 09:30:00`.
fn shown(at: DateTime<Utc>, view: &View<'_>) -> String {
    at.with_timezone(&view.channels.zone).format("%Y/%-m/%-d %H:%M:%S").to_string()
}

/// Midnights between two moments.
fn days_between((earlier, later): (DateTime<Utc>, DateTime<Utc>), zone: Tz) -> i64 {
    let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
    day(later).signed_duration_since(day(earlier)).num_days().max(0)
}
