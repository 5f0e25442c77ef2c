//! What somebody who watches the dispatchers may want to know: nothing here names a person.

use std::time::Duration;

use application::delivery::Outcome;
use chrono::{DateTime, Utc};
use domain::notification::{Channel, FailureClass};

/// Watches dispatchers; counts, in the end. Called between the steps of an attempt, so it must not wait.
pub trait Observer: Send + Sync {
    /// An attempt begins; the message was due since so long.
    fn started(&self, _channel: Channel, _waited: Duration) {}
    /// The provider answered, or did not.
    fn ended(&self, _channel: Channel, _outcome: &Outcome, _took: Duration) {}
    /// The channel rests until then.
    fn rested(&self, _channel: Channel, _class: FailureClass, _until: DateTime<Utc>) {}
    /// The channel works again.
    fn recovered(&self, _channel: Channel) {}
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Observer for Unwatched {}
