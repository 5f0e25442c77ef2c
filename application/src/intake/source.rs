//! The port to a database that somebody else writes.

use async_trait::async_trait;

use super::capture::{Backlog, CaptureStatus, Claim, ClaimOrder, Parked};
use super::check::CheckReport;
use super::mapping::MappingError;
use super::row::{MalformedRow, SourceRow};
use super::sweep::{PollPosition, Polled};

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// Its name for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mysql => "MySQL/MariaDB",
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// How changes become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Triggers write them down.
    Triggers,
    /// The table is read by (`updated_at`, key).
    Poll,
}

/// What to do with captured rows that nobody finished when the capture table goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfinished {
    /// Refuse to remove it.
    Keep,
    /// They are lost.
    Discard,
}

/// One table of one source. Every method may be called again after any failure.
#[async_trait]
pub trait Source: Send + Sync {
    /// Which database it is.
    fn engine(&self) -> Engine;

    /// The exact statements [`install`](Self::install) would run now; none when all is as it should be.
    async fn plan_install(&self) -> Result<Vec<String>, SourceError>;

    /// The exact statements [`uninstall`](Self::uninstall) would run now.
    async fn plan_uninstall(&self) -> Result<Vec<String>, SourceError>;

    /// Makes the capture table and the triggers. The statements that were run.
    async fn install(&self) -> Result<Vec<String>, SourceError>;

    /// Removes what `install` made, and nothing else. The capture table stays while another table's triggers use it.
    async fn uninstall(&self, unfinished: Unfinished) -> Result<Vec<String>, SourceError>;

    /// Looks at privileges, capture table, triggers, and whether a probe arrives. Leaves nothing behind.
    async fn check(&self, mode: Mode) -> Result<CheckReport, SourceError>;

    /// Leases up to `batch` rows to `owner`: of every member the oldest unfinished one, unless somebody works on that
    /// member or it waits for its next attempt.
    async fn claim(
        &self,
        owner: &str,
        batch: u32,
        lease_seconds: u32,
        order: ClaimOrder,
    ) -> Result<Vec<Claim>, SourceError>;

    /// Finishes rows of one or several claims. How many of them were still ours.
    async fn done(&self, claims: &[Claim]) -> Result<u64, SourceError>;

    /// Puts a row aside with the reason. Fails with [`SourceError::LeaseLost`] when it is no longer ours.
    async fn park(&self, claim: &Claim, reason: &str) -> Result<(), SourceError>;

    /// Gives a row back, to be claimed again after so many seconds. After none, it was not tried: the claim is no
    /// attempt. Fails like [`park`](Self::park).
    async fn release(&self, claim: &Claim, after_seconds: u32, reason: &str) -> Result<(), SourceError>;

    /// The rows put aside with a number above `after`, in order.
    async fn parked(&self, after: i64, limit: u32) -> Result<Vec<Parked>, SourceError>;

    /// Lets rows that were put aside be claimed again: these, or all without a list. How many there were.
    async fn retry(&self, numbers: Option<&[i64]>) -> Result<u64, SourceError>;

    /// What is left to do. Asked after every run: it looks at no finished row.
    async fn backlog(&self) -> Result<Backlog, SourceError>;

    /// How far it is altogether, finished rows counted.
    async fn status(&self) -> Result<CaptureStatus, SourceError>;

    /// Takes up to `limit` rows away that were finished longer than so many seconds ago. How many went.
    async fn purge(&self, older_than_seconds: u64, limit: u32) -> Result<u64, SourceError>;

    /// The row with this key, as it is now; `None` when there is none.
    async fn read(&self, key: &str) -> Result<Option<SourceRow>, SourceError>;

    /// A page of the table in the order (`updated_at`, key).
    async fn poll(&self, from: Option<&PollPosition>, limit: u32) -> Result<Polled, SourceError>;

    /// A page of the table in the order of its key, to compare it with what is stored. Rows that cannot be read are
    /// among them; the next page begins after the last one's key.
    async fn list(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Result<SourceRow, MalformedRow>>, SourceError>;
}

/// What can go wrong with a source. Never holds a password or a row's values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The address is none that we know.
    #[error("{0}")]
    Address(String),
    /// The mapping cannot be used.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The table is not what the mapping says, or cannot be captured.
    #[error("table `{table}`: {rule}")]
    Unsuitable {
        /// The table.
        table: String,
        /// What is wrong.
        rule: String,
    },
    /// The table of captured rows is missing: nothing is installed, or somebody dropped it.
    #[error("there is no table `leadwire_capture`; run `leadwire intake install`")]
    NotInstalled,
    /// Something with our name is not ours.
    #[error("{0} exists and was not made by Leadwire; rename or remove it first")]
    Foreign(String),
    /// Captured rows would be lost.
    #[error(
        "{0} captured rows are not finished; let the worker drain them first, or discard them explicitly"
    )]
    Unfinished(u64),
    /// The user may not do this.
    #[error("the source refuses it to this user ({0}); grant it, or use --mode poll")]
    Denied(String),
    /// A row was claimed by somebody else meanwhile.
    #[error("the lease on captured row {0} ended; somebody else has it now")]
    LeaseLost(i64),
    /// One row cannot be read.
    #[error(transparent)]
    Malformed(#[from] MalformedRow),
    /// The source does not answer, or somebody holds a lock for too long. Later it may work.
    #[error("the source does not answer: {0}")]
    Unreachable(String),
    /// The source says something that we did not expect.
    #[error("the source refused a statement: {0}")]
    Database(String),
}
