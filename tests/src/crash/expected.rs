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
    /// Through which channels; none when the person knows.
    pub channels: BTreeSet<Channel>,
    /// What is decided for the others.
    pub otherwise: &'static str,
}

const SUPPRESS: &str = "suppress";
/// Told as part of another notice.
const MERGE: &str = "merge";

/// All of it.
pub fn tellings(history: &History, seats: &Seats) -> Vec<Telling> {
    let created = history.creations.iter().flat_map(|creation| of_creation(creation, seats));
    let handed_over = history.handovers.iter().flat_map(|handover| of_handover(handover, seats));
    let bound = history.bindings.iter().map(|(event, person)| of_binding(*event, *person));
    created.chain(handed_over).chain(bound).collect()
}

/// The person, also of what they did themselves: it may have been somebody else.
fn of_binding(cause: EventId, recipient: StaffId) -> Telling {
    let channels = [Channel::InApp].into();
    Telling { cause, recipient, scene: "ACCOUNT_SECURITY", channels, otherwise: SUPPRESS }
}

/// Each supervisor; the creator knows, and the owner is told of the assignment. Not on the phone: nobody has to act.
fn of_creation(creation: &Creation, seats: &Seats) -> Vec<Telling> {
    let telling = |recipient| {
        let (channels, otherwise) = match recipient {
            owner if creation.first_owner == Some(owner) => (BTreeSet::new(), MERGE),
            creator if creation.by == Some(creator) => (BTreeSet::new(), SUPPRESS),
            _ => ([Channel::InApp].into(), SUPPRESS),
        };
        Telling { cause: creation.event, recipient, scene: "CUSTOMER_CREATED", channels, otherwise }
    };
    seats.supervisors().map(telling).collect()
}

fn of_handover(handover: &Handover, seats: &Seats) -> Vec<Telling> {
    let Handover { event, from, to, by, .. } = handover;
    let telling = |recipient: StaffId, scene, channels| Telling {
        cause: *event,
        recipient,
        scene,
        channels,
        otherwise: SUPPRESS,
    };
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
