//! Messages on phones: what the simulator's hidden ledger says against what the log says.

use std::collections::{BTreeMap, BTreeSet};

use domain::DeliveryId;
use domain::notification::{Channel, DeliveryState};

use super::{Check, Seen};
use crate::crash::history::{Delivery, Handover, History};
use crate::crash::seats::Seats;

/// The template field that shows the lead's name (see the settings of the run).
const NAME_FIELD: &str = "thing1";

/// Who received a message about which lead. Nobody is given the same lead twice, so this is one message.
type Key = (String, String);

/// A delivery to a phone, with the messages that arrived for it.
struct Sent {
    delivery: DeliveryId,
    state: DeliveryState,
    key: Key,
    arrived: usize,
    /// Whether the recipient lost the lead later on.
    lost: bool,
}

pub(super) fn checks(history: &History, seen: &Seen, seats: &Seats) -> Vec<Check> {
    let mut arrived: BTreeMap<Key, usize> = BTreeMap::new();
    for received in &seen.ledger {
        let name = received.data.get(NAME_FIELD).cloned().unwrap_or_default();
        *arrived.entry((received.openid.clone(), name)).or_default() += 1;
    }
    let names = history.names();
    let mut sent = Vec::new();
    for (delivery, found) in &history.deliveries {
        let Delivery { notice, channel: Channel::WechatSubscribe, state, .. } = *found else { continue };
        if state == DeliveryState::Suppressed {
            continue;
        }
        let notice = &history.notices[notice];
        let openid = seats.openid(notice.recipient).unwrap_or_default().to_owned();
        let name = notice.customers.first().and_then(|id| names.get(id)).copied().unwrap_or_default();
        let key = (openid, name.to_owned());
        let arrived = arrived.get(&key).copied().unwrap_or(0);
        let moved = |handover: &Handover| {
            handover.from == Some(notice.recipient) && notice.customers == [handover.customer]
        };
        let lost = history.handovers.iter().any(moved);
        sent.push(Sent { delivery: *delivery, state, key, arrived, lost });
    }
    vec![
        settled(&sent),
        accepted(&sent),
        cancelled(&sent),
        unknown(&sent, seen),
        doubles(&arrived),
        strays(&sent, &arrived),
        attempts(history),
    ]
}

fn show(sent: &Sent) -> String {
    let Sent { delivery, state, key: (openid, name), arrived, .. } = sent;
    format!("{name} to {openid} is {state} and arrived {arrived} times (delivery {delivery})")
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

/// A message is taken back before it left, because the lead moved on; not for anything else.
fn cancelled(sent: &[Sent]) -> Check {
    let cancelled = || sent.iter().filter(|one| one.state == DeliveryState::Cancelled);
    Check {
        name: "what was taken back never arrived and was no longer true",
        found: format!("{} taken back", cancelled().count()),
        violations: cancelled().filter(|one| one.arrived > 0 || !one.lost).map(show).collect(),
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
            .map(|((openid, name), count)| format!("{openid} received {count} messages about {name}"))
            .collect(),
    }
}

fn strays(sent: &[Sent], arrived: &BTreeMap<Key, usize>) -> Check {
    let wanted: BTreeSet<&Key> = sent.iter().map(|one| &one.key).collect();
    let strays = arrived.keys().filter(|key| !wanted.contains(key));
    Check {
        name: "nobody received what was not meant for them",
        found: format!("{} people", arrived.keys().map(|(openid, _)| openid).collect::<BTreeSet<_>>().len()),
        violations: strays
            .map(|(openid, name)| format!("{openid} received a message about {name}"))
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
