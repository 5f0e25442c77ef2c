//! Messages on phones: what the simulator's hidden ledger says against what the log says.

use std::collections::{BTreeMap, BTreeSet};

use application::delivery::Contract;
use domain::DeliveryId;
use domain::notification::{Channel, DeliveryState};

use super::{Check, Seen};
use crate::crash::history::{Delivery, Handover, History};
use crate::crash::seats::Seats;
use crate::kit::road;

/// What the name of every lead of a run begins with, and how many digits follow.
const NAME: &str = "客户";
const NAME_DIGITS: usize = 5;

/// Who received a message about which lead through which channel. Nobody is given the same lead twice, so this is one
/// message.
type Key = (Channel, String, String);

/// A delivery to a phone, with the messages that arrived for it.
struct Sent {
    delivery: DeliveryId,
    state: DeliveryState,
    attempts: u32,
    key: Key,
    arrived: usize,
    /// Whether the recipient lost the lead later on.
    lost: bool,
    /// Whether another channel told the same, so that this one need not speak.
    told_otherwise: bool,
}

pub(super) fn checks(history: &History, seen: &Seen, seats: &Seats) -> Vec<Check> {
    let mut arrived: BTreeMap<Key, usize> = BTreeMap::new();
    for received in &seen.ledger {
        let name = received.data.values().find_map(|words| name_in(words)).unwrap_or_default();
        let key = (road(received.channel), received.openid.clone(), name.to_owned());
        *arrived.entry(key).or_default() += 1;
    }
    let names = history.names();
    let mut sent = Vec::new();
    for (delivery, found) in &history.deliveries {
        let Delivery { notice, channel, state, attempts, told_otherwise, .. } = *found;
        if channel == Channel::InApp || matches!(state, DeliveryState::Suppressed | DeliveryState::Merged) {
            continue;
        }
        let notice = &history.notices[notice];
        let receiver = seats.receiver(notice.recipient, channel).unwrap_or_default().to_owned();
        let name = notice.customers.first().and_then(|id| names.get(id)).copied().unwrap_or_default();
        let key = (channel, receiver, name.to_owned());
        let arrived = arrived.get(&key).copied().unwrap_or(0);
        let moved = |handover: &Handover| {
            handover.from == Some(notice.recipient) && notice.customers == [handover.customer]
        };
        let lost = history.handovers.iter().any(moved);
        sent.push(Sent { delivery: *delivery, state, attempts, key, arrived, lost, told_otherwise });
    }
    vec![
        settled(&sent),
        accepted(&sent),
        cancelled(&sent),
        unknown(&sent, seen),
        doubles(&arrived),
        strays(&sent, &arrived),
        attempts(history),
        recognised(&sent),
        twice(history),
    ]
}

/// The lead's name in a text.
fn name_in(words: &str) -> Option<&str> {
    words.match_indices(NAME).find_map(|(at, _)| {
        let name = words.get(at..at + NAME.len() + NAME_DIGITS)?;
        name[NAME.len()..].bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
    })
}

fn show(sent: &Sent) -> String {
    let Sent { delivery, state, key: (channel, receiver, name), arrived, .. } = sent;
    format!("{name} to {receiver} by {channel} is {state} and arrived {arrived} times (delivery {delivery})")
}

fn settled(sent: &[Sent]) -> Check {
    let mut counts: BTreeMap<DeliveryState, usize> = BTreeMap::new();
    for one in sent {
        *counts.entry(one.state).or_default() += 1;
    }
    let found: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    // Nothing in a run gives WeChat a reason to refuse, and nothing keeps a message from leaving.
    let over = [DeliveryState::Accepted, DeliveryState::Unknown, DeliveryState::Cancelled];
    Check {
        name: "every message is accepted, unknown or taken back",
        found: found.join(", "),
        violations: sent.iter().filter(|one| !over.contains(&one.state)).map(show).collect(),
    }
}

/// A message is taken back before it left, because the lead moved on or another channel told it; not for anything else.
/// Between two attempts of a channel that recognises repetitions the first one may have arrived.
fn cancelled(sent: &[Sent]) -> Check {
    let cancelled = || sent.iter().filter(|one| one.state == DeliveryState::Cancelled);
    Check {
        name: "what was taken back never arrived and was no longer true",
        found: format!("{} taken back", cancelled().count()),
        violations: cancelled()
            .filter(|one| {
                let unasked = one.arrived > 0 && one.attempts == 0;
                unasked || one.arrived > 1 || !(one.lost || one.told_otherwise)
            })
            .map(show)
            .collect(),
    }
}

fn accepted(sent: &[Sent]) -> Check {
    let accepted = || sent.iter().filter(|one| one.state == DeliveryState::Accepted);
    Check {
        name: "every accepted message arrived once",
        found: format!("{} accepted", accepted().count()),
        violations: accepted().filter(|one| one.arrived != 1).map(show).collect(),
    }
}

fn unknown(sent: &[Sent], seen: &Seen) -> Check {
    let unknown: Vec<&Sent> = sent.iter().filter(|one| one.state == DeliveryState::Unknown).collect();
    let arrived = unknown.iter().filter(|one| one.arrived > 0).count();
    let ids: BTreeSet<DeliveryId> = unknown.iter().map(|one| one.delivery).collect();
    let unlisted = unknown.iter().filter(|one| !seen.unknown.contains(&one.delivery));
    let unlisted = unlisted.map(|one| format!("not listed: {}", show(one)));
    let invented = seen.unknown.difference(&ids).map(|id| format!("listed and not unknown: delivery {id}"));
    Check {
        name: "unknown messages are listed as such",
        found: format!("{} unknown, {arrived} of them arrived", unknown.len()),
        violations: unlisted.chain(invented).collect(),
    }
}

fn doubles(arrived: &BTreeMap<Key, usize>) -> Check {
    let doubled = arrived.iter().filter(|(_, count)| **count > 1);
    Check {
        name: "nobody received a message twice",
        found: format!("{} messages received", arrived.values().sum::<usize>()),
        violations: doubled
            .map(|((channel, receiver, name), count)| {
                format!("{receiver} received {count} messages about {name} by {channel}")
            })
            .collect(),
    }
}

fn strays(sent: &[Sent], arrived: &BTreeMap<Key, usize>) -> Check {
    let wanted: BTreeSet<&Key> = sent.iter().map(|one| &one.key).collect();
    let strays = arrived.keys().filter(|key| !wanted.contains(key));
    Check {
        name: "nobody received what was not meant for them",
        found: format!("{} receivers", arrived.keys().map(|(_, to, _)| to).collect::<BTreeSet<_>>().len()),
        violations: strays
            .map(|(channel, receiver, name)| {
                format!("{receiver} received a message about {name} by {channel}")
            })
            .collect(),
    }
}

/// An uncertain send is never repeated blindly: WeChat has no key to recognise the second one by.
fn attempts(history: &History) -> Check {
    let unknown = || {
        let all = history.deliveries.iter();
        all.filter(|(_, delivery)| delivery.state == DeliveryState::Unknown)
    };
    let started: u32 = history.deliveries.values().map(|delivery| delivery.attempts).sum();
    let repeated = unknown().filter(|(_, delivery)| delivery.attempts != 1);
    Check {
        name: "no unknown message was sent again",
        found: format!("{started} attempts in all"),
        violations: repeated
            .map(|(id, delivery)| format!("delivery {id} is unknown after {} attempts", delivery.attempts))
            .collect(),
    }
}

/// A channel whose provider recognises repetitions ends as accepted: a message is unknown only where repeating is not safe.
fn recognised(sent: &[Sent]) -> Check {
    let recognises = |channel| Contract::of(channel).dedupe.is_some();
    let all = || sent.iter().filter(|one| recognises(one.key.0));
    let repeated = all().filter(|one| one.attempts > 1).count();
    Check {
        name: "what may be repeated safely is never left unknown",
        found: format!("{repeated} messages took more than one attempt"),
        violations: all().filter(|one| one.state == DeliveryState::Unknown).map(show).collect(),
    }
}

/// Two channels tell the same only when nobody can know of the first, and the second one says so.
fn twice(history: &History) -> Check {
    let mut told: BTreeMap<usize, Vec<&Delivery>> = BTreeMap::new();
    for delivery in history.deliveries.values() {
        let went_out = matches!(
            delivery.state,
            DeliveryState::Accepted | DeliveryState::Delivered | DeliveryState::Unknown
        );
        if went_out && delivery.channel != Channel::InApp {
            told.entry(delivery.notice).or_default().push(delivery);
        }
    }
    let several = told.values().filter(|deliveries| deliveries.len() > 1);
    let unmarked = several
        .clone()
        .filter(|deliveries| deliveries.iter().filter(|delivery| !delivery.possibly_repeated).count() > 1);
    Check {
        name: "whoever may be told twice is told so",
        found: format!("{} told by a second channel", several.clone().count()),
        violations: unmarked
            .map(|deliveries| {
                let channels: Vec<_> = deliveries.iter().map(|one| one.channel.as_str()).collect();
                format!("{} told the same", channels.join(" and "))
            })
            .collect(),
    }
}
