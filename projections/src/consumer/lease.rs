//! The table `consumers`: who owns a consumer, and how far it is.
//!
//! Nobody compares clocks to find out who lives (docs/adr/0022). Every sign of life writes another `lease_expires_at`;
//! others only look whether it moves, and take the owner for dead when it stood still for [`LEASE_SECONDS`] of their own
//! stopwatch. An owner that was merely slow loses one rolled-back page and never doubles an effect, because the fence is
//! owner and epoch.

mod sign;
mod sql;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::Position;
use domain::codes::UnknownCode;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::signs::Signs;
use infrastructure::{with_pool, with_tx};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use sign::{Ends, Sign};
use sql::{
    ACQUIRE, ADVANCE, CREATE, END_ALL_OTHERS, FAIL, HALT, REGISTER, RELEASE, REMOVE, RENEW, RESUME, SIGN,
    SIGNS, STATUS,
};

pub(crate) use sql::POSITION;
pub use sql::STATEMENTS;

/// How long a lease holds without a sign of life, as somebody else measures it. With twice `ACQUIRE_PERIOD_MS`, the look
/// that saw the last sign and the one that finds it unchanged, another process goes on 14 s after a kill at most.
pub const LEASE_SECONDS: i64 = 10;

/// How often an owner gives a sign of life while it has nothing to write.
pub const RENEW_SECONDS: u64 = 3;

/// Longest time to find out who lives, for whoever works once and leaves.
const LOOK_AROUND: Duration = Duration::from_secs(LEASE_SECONDS.unsigned_abs() + 2);

/// How often to look meanwhile.
const LOOK_PERIOD: Duration = Duration::from_millis(500);

/// Most characters kept of an error's text.
const ERROR_CHARS_MAX: usize = 1000;

/// Creates the table when it is missing. Part of [`crate::migrate`].
pub async fn create_table(tx: &mut Tx<'_>) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(CREATE).execute(conn).await.map(drop))?;
    Ok(())
}

/// Makes a consumer known as part of a transaction; see [`Consumers::register`]. `false`: it is known already.
pub(crate) async fn register(
    tx: &mut Tx<'_>,
    consumer: &str,
    start: Position,
    now: DateTime<Utc>,
) -> Result<bool, DbError> {
    let rows = with_tx!(tx, conn => sqlx::query(REGISTER).bind(consumer).bind(start).bind(now)
        .execute(conn).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// One statement in a transaction of its own; how many rows it changed.
macro_rules! committed {
    ($consumers:expr, $sql:expr $(, $value:expr)+) => {{
        let mut tx = $consumers.db.begin_write().await?;
        let rows = execute!(&mut tx, $sql $(, $value)+);
        tx.commit().await?;
        rows
    }};
}

/// One statement; how many rows it changed.
macro_rules! execute {
    ($tx:expr, $sql:expr $(, $value:expr)+) => {
        with_tx!($tx, conn => sqlx::query($sql)$(.bind($value))+.execute(conn).await.map(|done| done.rows_affected()))?
    };
}

domain::code_table! {
    /// What a consumer is doing.
    ConsumerState {
        /// Registered, never worked.
        New = "new",
        /// Behind the log, catching up.
        Booting = "booting",
        /// At the log's end.
        Active = "active",
        /// Stopped by an operator.
        Paused = "paused",
        /// A rebuild fills its tables.
        Rebuilding = "rebuilding",
        /// Stopped by an event it cannot take in; an operator resumes it.
        Error = "error",
        /// Out of use.
        Detached = "detached",
    }
}

/// One consumer as `projections list` and `/health` show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// Generation of its tables.
    pub version: i64,
    /// Position of the last event taken in.
    pub position: Position,
    /// Events of the log after that position; not all of them concern it.
    pub lag: i64,
    /// What it is doing.
    pub state: ConsumerState,
    /// The process that owns it. One that died is named until another one takes over.
    pub owner: Option<Uuid>,
    /// Why it stopped.
    pub error: Option<String>,
    /// When its row last changed.
    pub updated_at: DateTime<Utc>,
}

/// The right to move a consumer's checkpoint, until somebody takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The consumer.
    pub consumer: String,
    /// Generation of its tables.
    pub version: i64,
    /// The checkpoint as this owner left it.
    pub position: Position,
    owner: Uuid,
    epoch: i64,
}

/// The consumers of a database, as one process sees them.
#[derive(Clone)]
pub struct Consumers {
    db: Db,
    clock: Arc<dyn Clock>,
    owner: Uuid,
    ends: Ends,
    /// The leases of others, by consumer.
    signs: Signs<String, Sign>,
}

impl fmt::Debug for Consumers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumers").field("owner", &self.owner).finish_non_exhaustive()
    }
}

/// Somebody's lease as [`Consumers::enter`] sees it.
#[derive(sqlx::FromRow)]
struct Named {
    name: String,
    #[sqlx(flatten)]
    sign: Sign,
}

impl Consumers {
    /// `owner` is this process: a fresh id for every start.
    pub fn new(db: Db, clock: Arc<dyn Clock>, owner: Uuid) -> Self {
        Self { db, clock, owner, ends: Ends::default(), signs: Signs::default() }
    }

    /// What a process does once before it works on any consumer: it looks at everybody's lease, so that its stopwatch
    /// runs from now on. On SQLite there is one process only, and what others left is free.
    pub async fn enter(&self) -> Result<(), DbError> {
        if matches!(self.db, Db::Sqlite(_)) {
            committed!(self, END_ALL_OTHERS, self.owner, self.now());
            return Ok(());
        }
        for Named { name, sign } in self.leases().await? {
            self.is_dead(&name, sign);
        }
        Ok(())
    }

    /// What a process does that works once and leaves: it waits until every lease of somebody else has moved, or has stood
    /// still for long enough. Seconds where a service runs or was killed, no time where nobody has a lease.
    pub async fn look_around(&self) -> Result<(), DbError> {
        self.enter().await?;
        let began = Instant::now();
        let first: HashMap<String, Sign> =
            self.leases().await?.into_iter().map(|Named { name, sign }| (name, sign)).collect();
        while began.elapsed() < LOOK_AROUND {
            let unsure = self.leases().await?.into_iter().any(|Named { name, sign }| {
                let is_own = sign.owner == Some(self.owner);
                !is_own && first.get(&name) == Some(&sign) && !self.is_dead(&name, sign)
            });
            if !unsure {
                break;
            }
            sleep(LOOK_PERIOD).await;
        }
        Ok(())
    }

    async fn leases(&self) -> Result<Vec<Named>, DbError> {
        Ok(with_pool!(&self.db, pool => sqlx::query_as(SIGNS).fetch_all(pool).await)?)
    }

    /// The same consumers under another owner's name, derived from this one and a number.
    pub(crate) fn of_rebuild(&self, nth: u64) -> Self {
        Self { owner: Uuid::new_v5(&self.owner, &nth.to_be_bytes()), ..self.clone() }
    }

    /// The database underneath.
    pub fn db(&self) -> &Db {
        &self.db
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The end of a lease that is taken or renewed now.
    fn expiry(&self) -> DateTime<Utc> {
        self.ends.next(self.now() + TimeDelta::seconds(LEASE_SECONDS))
    }

    /// Looks at the lease of somebody else: whether its owner gave no sign of life for too long.
    fn is_dead(&self, consumer: &str, sign: Sign) -> bool {
        let still = self.signs.still_for(consumer.to_owned(), sign, self.clock.stopwatch());
        still >= TimeDelta::seconds(LEASE_SECONDS)
    }

    /// Makes a consumer known; it begins after `start`. Nothing happens when it is known already.
    pub async fn register(&self, consumer: &str, start: Position) -> Result<(), DbError> {
        let mut tx = self.db.begin_write().await?;
        self.register_within(&mut tx, consumer, start).await?;
        tx.commit().await
    }

    /// The same as part of a transaction. `false`: it is known already.
    pub(crate) async fn register_within(
        &self,
        tx: &mut Tx<'_>,
        consumer: &str,
        start: Position,
    ) -> Result<bool, DbError> {
        register(tx, consumer, start, self.now()).await
    }

    /// Looks once, and takes the lease when it is free or ours or its owner is dead, and the consumer may work.
    pub async fn acquire(&self, consumer: &str) -> Result<Option<Lease>, DbError> {
        let sign: Option<Sign> =
            with_pool!(&self.db, pool => sqlx::query_as(SIGN).bind(consumer).fetch_optional(pool).await)?;
        let Some(sign) = sign else { return Ok(None) };
        let is_free = sign.owner.is_none_or(|owner| owner == self.owner) || self.is_dead(consumer, sign);
        if !is_free {
            return Ok(None);
        }
        let mut tx = self.db.begin_write().await?;
        let row: Option<(i64, i64, i64)> = with_tx!(&mut tx, conn => sqlx::query_as(ACQUIRE)
            .bind(consumer).bind(self.owner).bind(self.expiry()).bind(self.now())
            .bind(sign.epoch).bind(sign.expires_at)
            .fetch_optional(conn).await)?;
        tx.commit().await?;
        Ok(row.map(|(version, position, epoch)| Lease {
            consumer: consumer.to_owned(),
            version,
            position,
            owner: self.owner,
            epoch,
        }))
    }

    /// A sign of life. `false`: the lease is lost.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, DbError> {
        let (expiry, now) = (self.expiry(), self.now());
        Ok(committed!(self, RENEW, &lease.consumer, lease.owner, lease.epoch, expiry, now) > 0)
    }

    /// Gives the lease back, so that another process need not watch it first.
    pub async fn release(&self, lease: &Lease) -> Result<(), DbError> {
        let now = self.now();
        committed!(self, RELEASE, &lease.consumer, lease.owner, lease.epoch, now);
        Ok(())
    }

    /// Moves the checkpoint from `lease.position` to `to` inside the transaction that writes the page, **as its
    /// first statement**: the row lock it takes keeps a rebuild's switch out until the page is done, and comes
    /// before every lock on a read model's table. `false`: the lease is lost; roll back.
    ///
    /// `lease` itself is not changed: set `lease.position` after the commit.
    pub async fn advance(
        &self,
        tx: &mut Tx<'_>,
        lease: &Lease,
        to: Position,
        state: ConsumerState,
    ) -> Result<bool, DbError> {
        let (expiry, now) = (self.expiry(), self.now());
        let (name, state) = (&lease.consumer, state.as_str());
        let rows =
            execute!(tx, ADVANCE, name, lease.owner, lease.epoch, lease.position, to, expiry, now, state);
        Ok(rows == 1)
    }

    /// Moves the checkpoint alone, past events that do not concern the consumer; a power cut may take it back, which
    /// costs another look at them. `false`: the lease is lost.
    pub async fn checkpoint(
        &self,
        lease: &mut Lease,
        to: Position,
        state: ConsumerState,
    ) -> Result<bool, DbError> {
        let mut tx = self.db.begin_derived().await?;
        if !self.advance(&mut tx, lease, to, state).await? {
            tx.rollback().await?;
            return Ok(false);
        }
        tx.commit().await?;
        lease.position = to;
        Ok(true)
    }

    /// Removes a consumer that is done for good. `false`: the lease is lost.
    pub(crate) async fn remove(&self, tx: &mut Tx<'_>, lease: &Lease) -> Result<bool, DbError> {
        Ok(execute!(tx, REMOVE, &lease.consumer, lease.owner, lease.epoch) == 1)
    }

    /// Stops the consumer with an error, which an operator reads and resumes after. The text must not hold personal
    /// data.
    pub async fn fail(&self, lease: &Lease, error: &str) -> Result<(), DbError> {
        let now = self.now();
        let text: String = error.chars().take(ERROR_CHARS_MAX).collect();
        committed!(self, FAIL, &lease.consumer, lease.owner, lease.epoch, &text, now);
        Ok(())
    }

    /// Stops a consumer until it is resumed; a page being written at this moment is rolled back. `false`: there is no
    /// such consumer.
    pub async fn pause(&self, consumer: &str) -> Result<bool, DbError> {
        let now = self.now();
        Ok(committed!(self, HALT, consumer, ConsumerState::Paused.as_str(), now) > 0)
    }

    /// Lets a paused or failed consumer go on from its checkpoint. `false`: it was not stopped.
    pub async fn resume(&self, consumer: &str) -> Result<bool, DbError> {
        let now = self.now();
        Ok(committed!(self, RESUME, consumer, now) > 0)
    }

    /// The checkpoint; `None` when the consumer is not known.
    pub async fn position(&self, consumer: &str) -> Result<Option<Position>, DbError> {
        Ok(
            with_pool!(&self.db, pool => sqlx::query_scalar(POSITION).bind(consumer).fetch_optional(pool).await)?,
        )
    }

    /// Every consumer, by name. `head` is the log's last position.
    pub async fn status(&self, head: Position) -> Result<Vec<ConsumerStatus>, DbError> {
        type Row = (String, i64, i64, String, Option<Uuid>, Option<String>, DateTime<Utc>);
        let rows: Vec<Row> = with_pool!(&self.db, pool => sqlx::query_as(STATUS).fetch_all(pool).await)?;
        rows.into_iter()
            .map(|(name, version, position, state, owner, error, updated_at)| {
                let state = state.parse().map_err(|UnknownCode| DbError::Corrupt {
                    table: "consumers",
                    at: name.clone(),
                    reason: "unknown state".to_owned(),
                })?;
                let lag = (head - position).max(0);
                Ok(ConsumerStatus { name, version, position, lag, state, owner, error, updated_at })
            })
            .collect()
    }
}
