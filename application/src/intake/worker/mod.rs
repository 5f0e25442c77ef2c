//! The worker: what a source captured becomes what Leadwire knows (member-intake.md section 2).
//!
//! A row is read at least once and has its effect exactly once: `claims` leases captured rows, reads each member as it
//! is now, takes note of it and marks the row done. Whoever dies in between leaves rows whose lease ends; read again, they
//! are the same commands. `look` is the same for rows that nobody captured: pages of a poll (`poll`) and of a
//! comparison with what is known (`reconcile`).
//!
//! Nothing here waits or repeats by itself: an [`Outage`] ends the pass, and whoever called it comes back later.

mod claims;
mod look;
mod poll;
mod reconcile;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::MemberId;
use domain::member::SourceKey;
use serde::{Deserialize, Serialize};

use super::row::SourceRow;
use super::source::{Source, SourceError};
use super::sweep::Sweep;
use crate::bus::{AppendError, ExecuteError, LoadError};
use crate::delivery::RetrySchedule;
use crate::members::{MemberRefusal, ReadRow, read_observation};
use crate::ports::{Clock, Randomness};

pub use claims::claimed;
pub use look::looked;
pub use poll::polled;
pub use reconcile::{Deletions, GONE_ALWAYS_MAX, GONE_PERCENT_MAX, Held, reconciled};

/// Rows of one pass unless somebody sets another number (member-intake.md section 2).
pub const BATCH_DEFAULT: u32 = 500;

/// Members that are worked on at the same time. They are different ones, so their order does not matter, and the log
/// commits what comes together in one go.
pub const AT_ONCE: usize = 8;

/// Seconds for which claimed rows are ours unless somebody sets another number. A pass begins no row after half of it.
pub const LEASE_SECONDS_DEFAULT: u32 = 120;

/// How much older than the first run of a source a row may be and still count as new: the clocks of two systems differ,
/// and a moment without an offset may mean another zone.
pub const CLOCKS_DIFFER: TimeDelta = TimeDelta::hours(24);

/// What a row of a member who is gone is put aside with.
pub const GONE: &str = "会员不存在或已删除 (the member's row is gone)";

/// What an operator may set about one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Rows of one claim and of one page.
    pub batch: u32,
    /// How long claimed rows are ours, in seconds.
    pub lease_seconds: u32,
    /// Waits between the attempts on one row.
    pub schedule: RetrySchedule,
    /// After so many attempts a row is put aside; never more than the schedule has.
    pub attempts_max: u32,
}

impl Default for Rules {
    fn default() -> Self {
        let schedule = RetrySchedule::default();
        let attempts_max = u32::try_from(schedule.attempts_max()).unwrap_or(u32::MAX);
        Self { batch: BATCH_DEFAULT, lease_seconds: LEASE_SECONDS_DEFAULT, schedule, attempts_max }
    }
}

/// One source with everything that is needed to work on it.
pub struct Desk<'d, B> {
    /// Takes note of rows.
    pub bus: &'d B,
    /// The source.
    pub source: &'d dyn Source,
    /// What we keep about it ourselves.
    pub ledger: &'d dyn Ledger,
    /// What the configuration calls it.
    pub name: &'d str,
    /// Its table.
    pub table: &'d str,
    /// What is set about it.
    pub rules: &'d Rules,
    /// The time of day.
    pub clock: &'d dyn Clock,
    /// Jitter of waits.
    pub randomness: &'d dyn Randomness,
    /// What the log calls everything that this run finds.
    pub run: &'d str,
    /// Rows of members who registered before this, and who are not known, are left alone where nobody captured them:
    /// they are no news. Where a row does not say when, its last change counts; and in a poll whoever is active and
    /// changed since is news. `None`: nobody is left alone.
    pub since: Option<DateTime<Utc>>,
}

/// What Leadwire keeps about one table of one source, in its own database.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Where polling stands.
    async fn sweep(&self) -> Result<Sweep, Outage>;

    /// Keeps where polling stands, unless somebody else moved it on since `before`. Whether it was kept.
    async fn keep_sweep(&self, before: &Sweep, now: &Sweep) -> Result<bool, Outage>;

    /// Puts a row aside that no capture table holds.
    async fn set_aside(&self, key: &str, reason: &str) -> Result<(), Outage>;

    /// A row that was put aside was read after all.
    async fn cleared(&self, key: &str) -> Result<(), Outage>;

    /// Which of the rows with these keys are put aside.
    async fn aside(&self, keys: &[&str]) -> Result<HashSet<String>, Outage>;

    /// A page of [`KnownMembers`].
    async fn known(&self, after: Option<MemberId>) -> Result<Vec<(MemberId, SourceKey)>, Outage>;
}

/// Members that came out of rows; implemented by the read side.
#[async_trait]
pub trait KnownMembers: Send + Sync {
    /// Members of this source, of whichever of its tables, that are not deleted, in the order of their ids, those after
    /// `after`; a page of them, empty after the last. It may lag behind the log.
    async fn page(&self, source: &str, after: Option<MemberId>)
    -> Result<Vec<(MemberId, SourceKey)>, Outage>;
}

/// What came of some rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Rows that were looked at.
    pub seen: u64,
    /// Members who were not known.
    pub registered: u64,
    /// Members of whom something changed.
    pub changed: u64,
    /// Rows that said nothing new.
    pub unchanged: u64,
    /// Rows of a page that are as they were last seen.
    pub known: u64,
    /// Rows that nobody captured and that are older than the first run: left alone.
    pub older: u64,
    /// Rows put aside.
    pub parked: u64,
    /// Rows to be tried again later.
    pub put_off: u64,
    /// Rows that somebody else works on by now.
    pub lost: u64,
    /// Rows with a number, phone or WeChat id that another member has.
    pub contested: u64,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            seen: self.seen + other.seen,
            registered: self.registered + other.registered,
            changed: self.changed + other.changed,
            unchanged: self.unchanged + other.unchanged,
            known: self.known + other.known,
            older: self.older + other.older,
            parked: self.parked + other.parked,
            put_off: self.put_off + other.put_off,
            lost: self.lost + other.lost,
            contested: self.contested + other.contested,
        }
    }

    /// What was done since `earlier`, a sum that this one grew out of.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            seen: self.seen.saturating_sub(earlier.seen),
            registered: self.registered.saturating_sub(earlier.registered),
            changed: self.changed.saturating_sub(earlier.changed),
            unchanged: self.unchanged.saturating_sub(earlier.unchanged),
            known: self.known.saturating_sub(earlier.known),
            older: self.older.saturating_sub(earlier.older),
            parked: self.parked.saturating_sub(earlier.parked),
            put_off: self.put_off.saturating_sub(earlier.put_off),
            lost: self.lost.saturating_sub(earlier.lost),
            contested: self.contested.saturating_sub(earlier.contested),
        }
    }

    /// Whether nothing happened that anybody would want to hear of.
    pub fn is_quiet(&self) -> bool {
        self.registered + self.changed + self.parked + self.put_off + self.lost == 0
    }

    /// Whether every row is as it was last seen, or older than the first run: a poll meets the same ones again and again.
    pub fn is_nothing_new(&self) -> bool {
        self.seen == self.known + self.older
    }

    /// Rows that were taken note of.
    pub fn noted(&self) -> u64 {
        self.registered + self.changed + self.unchanged
    }
}

/// Why nothing can be done at this moment, for any row. Holds no value of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Outage {
    /// The source.
    #[error("{0}")]
    Source(#[from] SourceError),
    /// Leadwire's own database.
    #[error("Leadwire's database cannot be used: {0}")]
    Store(String),
}

/// How one row ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ended {
    /// It was taken note of, and is put aside besides if somebody must look at it.
    Noted { effect: Effect, contested: bool, aside: Option<String> },
    /// It is put aside.
    Parked(String),
    /// It is tried again later.
    Later(String),
    /// Nothing works at this moment.
    Out(Outage),
}

/// What a row that was taken note of did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Registered,
    Changed,
    Nothing,
}

impl Ended {
    fn tally(&self) -> Tally {
        let mut tally = Tally { seen: 1, ..Tally::default() };
        match self {
            Self::Noted { effect, contested, aside } => {
                match effect {
                    Effect::Registered => tally.registered = 1,
                    Effect::Changed => tally.changed = 1,
                    Effect::Nothing => tally.unchanged = 1,
                }
                tally.contested = u64::from(*contested);
                tally.parked = u64::from(aside.is_some());
            }
            Self::Parked(_) => tally.parked = 1,
            Self::Later(_) => tally.put_off = 1,
            Self::Out(_) => tally.seen = 0,
        }
        tally
    }
}

/// What a failed note means for its row.
fn failed(error: &ExecuteError<MemberRefusal>) -> Ended {
    match error {
        ExecuteError::Append(AppendError::Unavailable(_) | AppendError::Busy | AppendError::Fenced)
        | ExecuteError::Load(LoadError::Unavailable(_)) => Ended::Out(Outage::Store(error.to_string())),
        ExecuteError::Append(AppendError::Conflict { .. } | AppendError::Taken { .. })
        | ExecuteError::Load(LoadError::Undecodable { .. }) => Ended::Later(error.to_string()),
        ExecuteError::Refused(_) | ExecuteError::Append(_) | ExecuteError::Encode(_) => {
            Ended::Parked(error.to_string())
        }
    }
}

/// What a row that could not be read means.
fn unreadable(error: SourceError) -> Ended {
    match error {
        SourceError::Malformed(row) => Ended::Parked(row.to_string()),
        SourceError::Database(said) => Ended::Later(format!("the source refused a statement: {said}")),
        outage => Ended::Out(Outage::Source(outage)),
    }
}

impl<B> Desk<'_, B> {
    fn key(&self, key: &str) -> SourceKey {
        SourceKey { source: self.name.to_owned(), table: self.table.to_owned(), key: key.to_owned() }
    }

    /// What a row says about its member, and what somebody must look at.
    fn read(&self, row: &SourceRow) -> ReadRow {
        let columns = row.columns.iter().map(|(column, text)| (column.as_str(), text.as_deref()));
        read_observation(self.key(&row.key), columns, row.deleted, Some(row.fingerprint.clone()))
    }

    /// A row that its table does not have any more.
    fn absent(&self, key: &str) -> ReadRow {
        read_observation(self.key(key), [], true, None)
    }
}
