//! Who must have been told of what: the rows of the decision table (notifications.md section 2) that a run meets,
//! written down a second time, from the specification and not from the program.

use std::collections::BTreeSet;

use domain::notification::Channel;
use domain::{EventId, StaffId};

use super::history::{Creation, Handover, History};
use super::seats::Seats;

/// One person learns one thing of one event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Telling {
    /// The event.
    pub cause: EventId,
    /// Who.
    pub recipient: StaffId,
    /// The notification type.
    pub scene: &'static str,
    /// Through which channels; none when the person did it and knows.
    pub channels: BTreeSet<Channel>,
}

/// All of it.
pub fn tellings(history: &History, seats: &Seats) -> Vec<Telling> {
    let created = history.creations.iter().flat_map(|creation| of_creation(creation, seats));
    let handed_over = history.handovers.iter().flat_map(|handover| of_handover(handover, seats));
    created.chain(handed_over).collect()
}

/// Each supervisor but the creator and the owner, who is told of the assignment. Not on the phone: nobody has to act.
fn of_creation(creation: &Creation, seats: &Seats) -> Vec<Telling> {
    let knows = [creation.by, creation.first_owner];
    let told = seats.supervisors().filter(|person| !knows.contains(&Some(*person)));
    let telling = |recipient| Telling {
        cause: creation.event,
        recipient,
        scene: "CUSTOMER_CREATED",
        channels: [Channel::InApp].into(),
    };
    told.map(telling).collect()
}

fn of_handover(handover: &Handover, seats: &Seats) -> Vec<Telling> {
    let Handover { event, from, to, by, .. } = handover;
    let telling = |recipient: StaffId, scene, channels| Telling { cause: *event, recipient, scene, channels };
    let gained = inbox_and_phone(*to, seats);
    let Some(from) = from else {
        // Also when they created it themselves.
        return vec![telling(*to, "CUSTOMER_ASSIGNED", gained)];
    };
    let unless_actor =
        |person: StaffId, channels| if *by == Some(person) { BTreeSet::new() } else { channels };
    vec![
        telling(*to, "CUSTOMER_TRANSFERRED", unless_actor(*to, gained)),
        telling(*from, "CUSTOMER_TRANSFERRED_OUT", unless_actor(*from, [Channel::InApp].into())),
    ]
}

fn inbox_and_phone(person: StaffId, seats: &Seats) -> BTreeSet<Channel> {
    let phone = seats.openid(person).map(|_| Channel::WechatSubscribe);
    phone.into_iter().chain([Channel::InApp]).collect()
}
