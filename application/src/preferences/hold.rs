//! Until when a message is held: for a digest, for quiet hours.

use chrono::{DateTime, Utc};
use domain::notification::Channel;
use domain::preferences::{Digest, Document, Mode};

use super::{Resolved, is_critical, quiet_hours};

/// Why a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldReason {
    /// The person is not to be disturbed now.
    QuietHours,
    /// It is part of the digest of the day.
    DigestDaily,
    /// One went out a moment ago; this one waits for those that follow.
    DigestBurst,
    /// Messages about members are switched off.
    MemberNoticesOff,
    /// So many members came at once that the others are told together.
    MemberDigest,
}

impl HoldReason {
    /// The reason as a decision records it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QuietHours => "quiet_hours",
            Self::DigestDaily => "digest_daily",
            Self::DigestBurst => "digest_burst",
            Self::MemberNoticesOff => "member_notices_off",
            Self::MemberDigest => "member_digest",
        }
    }
}

/// A message that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// Until when.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: HoldReason,
}

/// Until when a message that is [`Resolved`] to be told waits; `None`: it leaves at once.
///
/// `last_sent` is when something of this kind last left for the person through this channel; what is held does not
/// count, so that the rest of a burst waits for the same moment. A digest that falls into quiet hours waits for their
/// end and keeps its reason.
pub fn decide_hold(
    own: &Document,
    role: &Document,
    (scene, channel): (&str, Channel),
    resolved: &Resolved<'_>,
    now: DateTime<Utc>,
    last_sent: Option<DateTime<Utc>>,
) -> Option<Hold> {
    if channel == Channel::InApp || is_critical(scene) {
        return None;
    }
    let collected =
        (resolved.mode == Mode::Digest).then(|| digest_until(own, role, now, last_sent)).flatten();
    let leaves = collected.map_or(now, |hold| hold.until);
    match (collected, quiet_until(own, role, leaves)) {
        (Some(hold), Some(until)) => Some(Hold { until, ..hold }),
        (Some(hold), None) => Some(hold),
        (None, Some(until)) => Some(Hold { until, reason: HoldReason::QuietHours }),
        (None, None) => None,
    }
}

/// When the quiet stretch of `at` is over; `None` when the person may be disturbed then.
pub fn quiet_until(own: &Document, role: &Document, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    quiet_hours(own, role)?.until(at)
}

fn digest_until(
    own: &Document,
    role: &Document,
    now: DateTime<Utc>,
    last_sent: Option<DateTime<Utc>>,
) -> Option<Hold> {
    let digest = own.digest.or(role.digest).unwrap_or_default();
    let zone = quiet_hours(own, role).map(|quiet| quiet.zone).unwrap_or_default();
    let reason = match digest {
        Digest::Daily { .. } => HoldReason::DigestDaily,
        Digest::Burst { .. } => HoldReason::DigestBurst,
    };
    digest.until(now, zone, last_sent).map(|until| Hold { until, reason })
}
