//! What the platforms push to an app's server: events and members' messages (wechat-apis.md §7). What is pushed
//! waits in a queue; the courier of `push` carries it out.

pub(crate) mod crypto;
pub(crate) mod event;
pub(crate) mod push;
mod target;

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::world::World;
pub(crate) use event::Event;
pub use target::{CallbackFormat, CallbackMode, CallbackTarget};
pub(crate) use target::{Destination, Package};

/// How long a platform leaves a server alone that failed too often.
const MARK_FAIL: TimeDelta = TimeDelta::minutes(1);

/// The order of the day: what happens to everything that is pushed from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent mishap with a name on the wire")]
pub struct CallbackDay {
    /// Nothing leaves.
    pub lost: bool,
    /// How often each leaves, byte for byte the same; 1 is usual, 3 is real.
    pub copies: u8,
    /// Nothing leaves until it is released, in order or in reverse.
    pub held: bool,
    /// What a send causes is pushed, and answered, before the send is.
    pub before_answer: bool,
    /// The signatures are wrong.
    pub wrong_signature: bool,
}

impl Default for CallbackDay {
    fn default() -> Self {
        Self { lost: false, copies: 1, held: false, before_answer: false, wrong_signature: false }
    }
}

/// In which order what was held leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseOrder {
    /// As it happened.
    #[default]
    Queued,
    /// The last one first.
    Reversed,
}

/// What became of one attempt to push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PushOutcome {
    /// The server answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// What it said, decrypted if need be; at most a thousand characters.
        body: String,
    },
    /// No answer in time, or no connection.
    NoAnswer,
    /// Lost by order of the day.
    Lost,
    /// Lost because the server had failed too often a moment before.
    MarkedFailed,
}

/// One attempt to push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The app: an appid, or `corpid/agentid`.
    pub app: String,
    /// The event, `text` for a member's message.
    pub event: String,
    /// The person it is about.
    pub person: String,
    /// 1 for the first, more for retries.
    pub attempt: u8,
    /// What became of it.
    pub outcome: PushOutcome,
}

#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) app: String,
    pub(crate) event: &'static str,
    pub(crate) person: String,
    pub(crate) package: Package,
}

impl Parcel {
    fn pushed(&self, attempt: u8, outcome: PushOutcome) -> Pushed {
        let (app, event, person) = (self.app.clone(), self.event.to_owned(), self.person.clone());
        Pushed { app, event, person, attempt, outcome }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    pub(crate) destinations: BTreeMap<String, Destination>,
    pub(crate) day: CallbackDay,
    queue: VecDeque<Parcel>,
    /// The courier has one in hand.
    under_way: bool,
    held: Vec<Parcel>,
    /// Everything that left, for a replay.
    left: Vec<Parcel>,
    log: Vec<Pushed>,
    failures: BTreeMap<String, u64>,
    marked_until: BTreeMap<String, DateTime<Utc>>,
}

impl Callbacks {
    /// What is waiting to leave or on its way; what is held does not count.
    pub(crate) fn pending(&self) -> usize {
        self.queue.len() + usize::from(self.under_way)
    }

    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn log(&self) -> &[Pushed] {
        &self.log
    }

    pub(crate) fn clear_log(&mut self) {
        self.log.clear();
    }

    fn accept(&mut self, parcel: &Parcel) {
        if self.day.lost {
            self.log.push(parcel.pushed(1, PushOutcome::Lost));
            return;
        }
        for _ in 0..self.day.copies {
            if self.day.held {
                self.held.push(parcel.clone());
            } else {
                self.queue.push_back(parcel.clone());
            }
        }
    }

    /// Lets go what was held.
    pub(crate) fn release(&mut self, order: ReleaseOrder) {
        if order == ReleaseOrder::Reversed {
            self.held.reverse();
        }
        self.queue.extend(self.held.drain(..));
    }

    /// Everything that ever left leaves again, byte for byte, signatures and times as they were.
    pub(crate) fn replay(&mut self) {
        self.queue.extend(self.left.drain(..));
    }

    /// The next parcel for the courier, unless its server is being left alone.
    pub(crate) fn next(&mut self, now: DateTime<Utc>) -> Option<Parcel> {
        while let Some(parcel) = self.queue.pop_front() {
            if self.marked_until.get(&parcel.app).is_some_and(|until| now < *until) {
                self.log.push(parcel.pushed(1, PushOutcome::MarkedFailed));
                continue;
            }
            self.under_way = true;
            self.left.push(parcel.clone());
            return Some(parcel);
        }
        None
    }

    pub(crate) fn tried(&mut self, parcel: &Parcel, attempt: u8, outcome: PushOutcome) {
        self.log.push(parcel.pushed(attempt, outcome));
    }

    /// A parcel is done with; a server that fails so often in a row is left alone for a minute.
    pub(crate) fn finished(
        &mut self,
        parcel: &Parcel,
        taken: bool,
        mark_fail_after: u64,
        now: DateTime<Utc>,
    ) {
        self.under_way = false;
        let failures = self.failures.entry(parcel.app.clone()).or_default();
        *failures = if taken { 0 } else { *failures + 1 };
        if *failures >= mark_fail_after {
            *failures = 0;
            self.marked_until.insert(parcel.app.clone(), now + MARK_FAIL);
        }
    }
}

impl World {
    /// Tells an app's server, if it has one.
    pub(crate) fn tell(&mut self, app: &str, event: &Event) {
        let now = self.now();
        let Some(destination) = self.callbacks.destinations.get(app) else { return };
        let package = destination.package(event, now, &self.switches, &mut self.rng);
        let package = if self.callbacks.day.wrong_signature { package.forged() } else { package };
        let (event, person) = (event.name(), event.person().to_owned());
        self.callbacks.accept(&Parcel { app: app.to_owned(), event, person, package });
    }
}
