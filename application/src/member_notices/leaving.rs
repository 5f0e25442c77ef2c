//! Whether a message to the audience may leave at this moment, and to whom (docs/adr/0031). It was written when something
//! happened; since then messages may have been switched off, and others may have been chosen to hear of members.

use chrono::{DateTime, Utc};
use domain::member_notices::MemberNoticesText;

use super::{OFF_HELD_MAX, receivers};
use crate::channels::wecom_app::{readdressed, receivers_of};

/// A message that waits for its turn.
#[derive(Clone, Copy)]
pub struct Waiting<'m> {
    /// The request as it is stored.
    pub body: &'m str,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// Whether it may have arrived, and nobody has asked for it once more since.
    pub repeats: bool,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// It leaves as it is.
    AsItIs,
    /// It leaves with this request: others are chosen now than were when it was written.
    As(String),
    /// It waits until then, unless it is switched on before.
    Held {
        /// As long as it may wait.
        until: DateTime<Utc>,
    },
    /// It never leaves by itself, for this reason.
    Never(&'static str),
}

const SWITCHED_OFF: &str = "messages about members were switched off for too long";
const NOBODY: &str = "nobody is chosen to hear of members any more";
const TAKEN_OFF: &str = "somebody who may have been told already is not chosen any more";
const UNREADABLE: &str = "the stored request names no receivers";

/// Judges a message by the settings of now.
///
/// A repetition of what may have arrived is no new message: it leaves with the very bytes that the provider recognises,
/// also while messages are switched off. Only where it would reach somebody who was taken off since it does not: the
/// others would be told twice by other bytes, so whoever decides about doubts decides.
pub fn leaving(text: &MemberNoticesText, message: Waiting<'_>, now: DateTime<Utc>) -> Leaving {
    let Some(written_for) = receivers_of(message.body) else { return Leaving::Never(UNREADABLE) };
    let chosen = receivers(&text.audience);
    if message.repeats {
        return if chosen.include(&written_for) { Leaving::AsItIs } else { Leaving::Never(TAKEN_OFF) };
    }
    if !text.enabled {
        let until = message.created_at + OFF_HELD_MAX;
        return if until <= now { Leaving::Never(SWITCHED_OFF) } else { Leaving::Held { until } };
    }
    if chosen.is_nobody() {
        return Leaving::Never(NOBODY);
    }
    if chosen == written_for { Leaving::AsItIs } else { Leaving::As(readdressed(message.body, &chosen)) }
}
