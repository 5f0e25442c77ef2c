//! The outbox: one row per delivery that needs a provider, from its request until it is settled.
//!
//! The row is work, not truth: the notice's events say what happened. Both change in one transaction, through
//! attachments of the event log, so a row that says `in_flight` and a notice that says otherwise cannot exist.
//! Rows are leased by any process ([`lease`]); what a process writes about a row is fenced by the token of its lease
//! ([`fences`]); every other event of the notice moves rows through [`follow`]; an operator's or the channel policy's
//! word is put to the notice through [`decide`]; what a later event made untrue before it left is taken back through
//! [`recall`].

pub mod address;
pub mod budget;
pub mod decide;
pub mod fences;
pub mod follow;
pub mod haste;
pub mod hold;
mod insert;
mod joint_sql;
pub mod lease;
mod lease_sql;
mod leased;
pub mod put_off;
pub mod recall;
pub mod requeue;
pub mod restore;
pub mod retention;
pub mod unknown;

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, DeliveryState};
use domain::{CustomerId, DeliveryId, NotificationId, Position, StaffId, StreamId};
use sha2::{Digest, Sha256};

pub use insert::OutboxInsert;

/// Why a standby is held.
pub const STANDBY: &str = "standby";

/// Every statement about the outbox that both databases understand, for the test that prepares them.
pub const STATEMENTS: &[&str] = &[
    lease_sql::RELEASE,
    lease_sql::EXTEND,
    lease_sql::END_ALL_OTHERS,
    lease_sql::OTHERS,
    lease_sql::HELD,
    lease_sql::END_HELD,
    lease_sql::NEXT_DUE,
    fences::START,
    fences::CLOSE,
    fences::REOPEN,
    lease_sql::DEFER,
    lease_sql::DEFER_RECEIVER,
    put_off::SEQUENCE,
    put_off::PUT_OFF,
    address::ADDRESS,
    budget::SENT,
    budget::COUNT,
    decide::LEDGER_OF,
    decide::NOTIFICATION_OF,
    follow::HELD,
    follow::RELEASE_HELD,
    follow::DISMISS,
    follow::END,
    follow::SETTLED,
    restore::RESTORE,
    hold::NEXT,
    hold::GROUPS,
    hold::MEMBERS,
    hold::MERGING,
    unknown::NEXT,
    unknown::DUE,
    unknown::POSTPONE,
    retention::DATE,
    retention::BODIES,
    retention::ROWS,
    retention::BUCKETS,
    retention::HEALTH,
];

/// Those of PostgreSQL alone.
pub const POSTGRES_STATEMENTS: &[&str] = &[
    insert::INSERT_POSTGRES,
    joint_sql::START_JOINTLY,
    joint_sql::CLOSE_JOINTLY,
    lease_sql::LOCK_LEASES,
    lease_sql::LEASE_POSTGRES,
    lease_sql::TAKE_OVER_POSTGRES,
    lease_sql::RENEW_POSTGRES,
    lease_sql::END_DEAD_POSTGRES,
    lease_sql::LATE_POSTGRES,
    recall::WAITING_POSTGRES,
    recall::STILL_WAITING_POSTGRES,
    recall::CANCEL_POSTGRES,
    recall::CLOSE_POSTGRES,
    restore::PRESENT_POSTGRES,
    hold::STILL_WAIT_POSTGRES,
    hold::MARK_POSTGRES,
    hold::MERGE_POSTGRES,
    haste::HELD_POSTGRES,
    haste::PUT_OFF_POSTGRES,
];

/// Those of SQLite alone.
pub const SQLITE_STATEMENTS: &[&str] = &[
    insert::INSERT_SQLITE,
    lease_sql::LEASE_SQLITE,
    lease_sql::TAKE_OVER_SQLITE,
    lease_sql::RENEW_SQLITE,
    lease_sql::END_DEAD_SQLITE,
    lease_sql::LATE_SQLITE,
    recall::WAITING_SQLITE,
    recall::STILL_WAITING_SQLITE,
    recall::CANCEL_SQLITE,
    recall::CLOSE_SQLITE,
    restore::PRESENT_SQLITE,
    hold::STILL_WAIT_SQLITE,
    hold::MARK_SQLITE,
    hold::MERGE_SQLITE,
    haste::HELD_SQLITE,
    haste::PUT_OFF_SQLITE,
];

/// The lead that a delivery tells its recipient to have gained: what it can be found by when the lead moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gained {
    /// The lead.
    pub lead: CustomerId,
    /// Who gained it: the recipient.
    pub owner: StaffId,
    /// Position of the event by which it was gained.
    pub cause: Position,
}

/// A delivery to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewWork {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The notice it belongs to.
    pub notification: NotificationId,
    /// The channel.
    pub channel: Channel,
    /// The provider's app: only a process that is configured for it touches the row.
    pub app: String,
    /// The person.
    pub recipient: StaffId,
    /// Equal for everything that must not be in flight at the same time.
    pub recipient_key: String,
    /// Stream of the recipient's credits, where the channel needs one.
    pub ledger: Option<StreamId>,
    /// The exact bytes every attempt sends.
    pub request_body: String,
    /// Earliest moment of the first attempt.
    pub due_at: DateTime<Utc>,
    /// When it was requested.
    pub created_at: DateTime<Utc>,
    /// The one lead it is about, when it says that the recipient gained it.
    pub gained: Option<Gained>,
    /// Why it does not leave yet: [`STANDBY`], or a reason that ends at `due_at`.
    pub held_for: Option<String>,
    /// The one customer it is about: messages about one customer reach a person in order.
    pub subject: Option<CustomerId>,
    /// How long it has before the next channel of its route speaks; `None` when none stands by behind it.
    pub fallback: Option<Duration>,
}

impl std::fmt::Debug for NewWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The body names a person.
        f.debug_struct("NewWork").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

impl NewWork {
    /// The same delivery, to be taken back when the recipient loses the lead before it left.
    #[must_use]
    pub fn about(self, gained: Option<Gained>) -> Self {
        Self { gained, ..self }
    }

    /// The state its row begins in.
    fn state(&self) -> DeliveryState {
        if self.held_for.is_some() { DeliveryState::Held } else { DeliveryState::Pending }
    }

    fn fallback_seconds(&self) -> Option<i64> {
        self.fallback.map(|wait| i64::try_from(wait.as_secs()).unwrap_or(i64::MAX))
    }

    /// When the next channel speaks; what is held has no such time yet.
    fn fallback_at(&self) -> Option<DateTime<Utc>> {
        let wait = self.fallback.filter(|_| self.held_for.is_none())?;
        self.due_at.checked_add_signed(TimeDelta::from_std(wait).ok()?)
    }
}

/// One recipient of one app, without showing who it is. `receiver` is the person's id within the app.
pub fn recipient_key(app: &str, receiver: &str) -> String {
    let digest = Sha256::digest(format!("{app}\u{1f}{receiver}"));
    digest.iter().fold(String::with_capacity(2 * digest.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // a String takes everything
        hex
    })
}
