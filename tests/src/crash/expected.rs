//! Who must have been told of what: the rows of the decision table (notifications.md section 2) that a run meets,
//! written down a second time, from the specification and not from the program.

use std::collections::BTreeSet;

use domain::notification::Channel;
use domain::{EventId, StaffId};

use super::history::{Creation, Handover, History};
use super::seats::{ROUTE, Seats};

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
    /// Which channels stand by behind them.
    pub standby: BTreeSet<Channel>,
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
    let standby = BTreeSet::new();
    Telling { cause, recipient, scene: "ACCOUNT_SECURITY", channels, standby, otherwise: SUPPRESS }
}

/// Each supervisor; the creator knows, and the owner is told of the assignment. Not on the phone: nobody has to act.
fn of_creation(creation: &Creation, seats: &Seats) -> Vec<Telling> {
    let telling = |recipient| {
        let (channels, otherwise) = match recipient {
            owner if creation.first_owner == Some(owner) => (BTreeSet::new(), MERGE),
            creator if creation.by == Some(creator) => (BTreeSet::new(), SUPPRESS),
            _ => ([Channel::InApp].into(), SUPPRESS),
        };
        let (cause, standby) = (creation.event, BTreeSet::new());
        Telling { cause, recipient, scene: "CUSTOMER_CREATED", channels, standby, otherwise }
    };
    seats.supervisors().map(telling).collect()
}

fn of_handover(handover: &Handover, seats: &Seats) -> Vec<Telling> {
    let Handover { event, from, to, by, .. } = handover;
    let telling = |recipient: StaffId, scene, route: &[Channel]| {
        let mut usable =
            route.iter().copied().filter(|channel| seats.receiver(recipient, *channel).is_some());
        let channels = usable.next().into_iter().chain([Channel::InApp]).collect();
        let standby = usable.collect();
        Telling { cause: *event, recipient, scene, channels, standby, otherwise: SUPPRESS }
    };
    let Some(from) = from else {
        // Also when they created it themselves.
        return vec![telling(*to, "CUSTOMER_ASSIGNED", &ROUTE)];
    };
    let unless_actor = |telling: Telling| {
        if *by == Some(telling.recipient) {
            Telling { channels: BTreeSet::new(), standby: BTreeSet::new(), ..telling }
        } else {
            telling
        }
    };
    vec![
        unless_actor(telling(*to, "CUSTOMER_TRANSFERRED", &[Channel::WechatSubscribe])),
        unless_actor(telling(*from, "CUSTOMER_TRANSFERRED_OUT", &[])),
    ]
}
