//! What an answer of a provider means for a delivery, for its next attempt and for the recipient's credit.
//!
//! The outcome of an attempt is a value, not an error (notifications.md section 4). Each channel turns what its
//! provider said into an [`Outcome`]; [`settle()`] turns that into what the notice records and what happens to the
//! credit; [`RetrySchedule`] knows when to try again and when to stop. Nothing here sends, sleeps or throws dice.

mod contract;
pub mod digest;
mod schedule;
mod settle;
mod spread;
mod windows;

use std::time::Duration;

use domain::notification::{Failure, FailureClass};

pub use contract::{Contract, Limit, UnknownPolicy};
pub use schedule::{InvalidSchedule, RetrySchedule};
pub use settle::{CreditAction, History, Rules, Settled, settle};
pub use spread::spread;
pub use windows::{until_next_minute, until_tomorrow};

/// How one attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took the message.
    Accepted {
        /// The provider's id of the message, when it gave one.
        provider_message_id: Option<String>,
    },
    /// A definite no; sending the same thing again is useless.
    Rejected(Failure),
    /// A definite no for now.
    Retry {
        /// Why.
        failure: Failure,
        /// Earliest moment of the next attempt, from now; it can only delay what the schedule says.
        after: Option<Duration>,
        /// Whether the attempt counts against the schedule; waits for a quota or a token do not.
        counted: bool,
    },
    /// The message may or may not have been taken.
    Unknown(Failure),
}

impl Outcome {
    /// How long the whole channel should rest: a failure that does not count is not about this message, so every
    /// other one would meet it too.
    pub fn rests_channel(&self) -> Option<Duration> {
        match self {
            Self::Retry { after, counted: false, .. } => *after,
            _ => None,
        }
    }

    /// A failure that is the channel's own rather than this message's: enough of them in a row, and it is left alone.
    pub fn blames_channel(&self) -> Option<&Failure> {
        match self {
            Self::Unknown(failure) => Some(failure),
            Self::Retry { failure, .. } => matches!(
                failure.class,
                FailureClass::Busy | FailureClass::Unreachable | FailureClass::Uncertain
            )
            .then_some(failure),
            Self::Accepted { .. } | Self::Rejected(_) => None,
        }
    }

    /// Whether the provider said "busy" to this message.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Retry { failure, counted: true, .. } if failure.class == FailureClass::Busy)
    }
}

/// What came back from a provider, before anybody judged it. Carries no token, openid or body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The provider's own answer.
    Code {
        /// `errcode`; 0 is success.
        code: i64,
        /// `errmsg`, made safe to store.
        message: String,
        /// The provider's id of the message.
        message_id: Option<String>,
    },
    /// The request never left: name not found, connection refused, TLS refused.
    NotSent(String),
    /// Something between us and the provider refused the request (HTTP 3xx or 4xx, not the provider's form).
    Gateway(String),
    /// Bytes may have left and no definite answer came: timeout, reset, HTTP 5xx, HTML, half a JSON text.
    NoAnswer(String),
}
