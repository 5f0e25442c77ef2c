//! Notices and decisions: each that must exist does, once, and no other.

use std::collections::{BTreeMap, BTreeSet};

use domain::notification::{Channel, Decision, NotificationRequested};
use domain::{EventId, StaffId};

use super::{Check, Seen};
use crate::crash::expected::{self, Telling};
use crate::crash::history::{Decided, History};
use crate::crash::seats::Seats;

/// An event, a person and a type: what one notice is about, for ever (product.md G6).
type Key = (EventId, StaffId, String);

pub(super) fn checks(history: &History, seen: &Seen, seats: &Seats) -> Vec<Check> {
    let tellings = expected::tellings(history, seats);
    vec![
        once(history, &tellings, seats),
        through_the_right_channels(history, &tellings, seats),
        decisions(&tellings, &seen.decided, seats),
        nothing_parked(seen),
        inboxes(history, seen, seats),
    ]
}

fn key(telling: &Telling) -> Key {
    (telling.cause, telling.recipient, telling.scene.to_owned())
}

fn show((cause, recipient, scene): &Key, seats: &Seats) -> String {
    format!("{scene} to {} because of event {cause}", seats.name(*recipient))
}

fn once(history: &History, tellings: &[Telling], seats: &Seats) -> Check {
    let told = tellings.iter().filter(|telling| !telling.channels.is_empty());
    let mut counts: BTreeMap<Key, usize> = told.map(|telling| (key(telling), 0)).collect();
    let mut violations = Vec::new();
    for notice in &history.notices {
        let key = (notice.cause, notice.recipient, notice.scene.clone());
        match counts.get_mut(&key) {
            Some(count) => *count += 1,
            None => violations.push(format!("not asked for: {}", show(&key, seats))),
        }
    }
    let wrong = counts.iter().filter(|(_, count)| **count != 1);
    violations.extend(wrong.map(|(key, count)| format!("{count} times: {}", show(key, seats))));
    Check {
        name: "every notice of the decision table exists once",
        found: format!("{} notices", history.notices.len()),
        violations,
    }
}

fn through_the_right_channels(history: &History, tellings: &[Telling], seats: &Seats) -> Check {
    let wanted: BTreeMap<Key, &Telling> = tellings.iter().map(|telling| (key(telling), telling)).collect();
    let mut violations = Vec::new();
    for notice in &history.notices {
        let key = (notice.cause, notice.recipient, notice.scene.clone());
        let found: BTreeSet<Channel> = delivered_through(notice);
        if let Some(telling) = wanted.get(&key)
            && telling.channels != found
        {
            violations.push(format!("{found:?} and not {:?}: {}", telling.channels, show(&key, seats)));
        }
    }
    Check {
        name: "each goes through the right channels",
        found: format!("{} deliveries", history.deliveries.len()),
        violations,
    }
}

fn delivered_through(notice: &NotificationRequested) -> BTreeSet<Channel> {
    let deliver = notice.deliveries.iter().filter(|planned| matches!(planned.decision, Decision::Deliver));
    deliver.map(|planned| planned.channel).collect()
}

/// Every event × recipient × channel has exactly one recorded decision, also those not to tell (product.md G9).
fn decisions(tellings: &[Telling], decided: &[Decided], seats: &Seats) -> Check {
    let mut found: BTreeMap<(Key, &str), Vec<&str>> = BTreeMap::new();
    for decision in decided {
        let key = (decision.cause, decision.recipient, decision.scene.clone());
        found.entry((key, &decision.channel)).or_default().push(&decision.decision);
    }
    let mut violations = Vec::new();
    for telling in tellings {
        for channel in Channel::ALL {
            let wanted = match channel {
                channel if telling.channels.contains(channel) => "deliver",
                channel if telling.standby.contains(channel) => "standby",
                _ => telling.otherwise,
            };
            let found = found.remove(&(key(telling), channel.as_str())).unwrap_or_default();
            if found != [wanted] {
                violations
                    .push(format!("{found:?} on {channel}, not {wanted}: {}", show(&key(telling), seats)));
            }
        }
    }
    let unasked = found.iter();
    violations.extend(
        unasked
            .map(|((key, channel), found)| format!("{found:?} on {channel}, unasked: {}", show(key, seats))),
    );
    Check {
        name: "every decision is recorded once",
        found: format!("{} decisions", decided.len()),
        violations,
    }
}

fn nothing_parked(seen: &Seen) -> Check {
    Check {
        name: "no event waits unanswered",
        found: format!("{} parked events", seen.parked.len()),
        violations: seen.parked.clone(),
    }
}

fn inboxes(history: &History, seen: &Seen, seats: &Seats) -> Check {
    let mut requested: BTreeMap<StaffId, u64> = seats.everybody().map(|person| (person.id, 0)).collect();
    for notice in &history.notices {
        if delivered_through(notice).contains(&Channel::InApp) {
            *requested.entry(notice.recipient).or_default() += 1;
        }
    }
    let violations = requested.iter().filter(|(person, count)| seen.inboxes.get(*person) != Some(*count));
    Check {
        name: "every inbox lists them",
        found: format!("{} inboxes", seen.inboxes.len()),
        violations: violations
            .map(|(person, count)| {
                format!("{} has {:?} notices, not {count}", seats.name(*person), seen.inboxes.get(person))
            })
            .collect(),
    }
}
