//! Who works on which row, and for how long.
//!
//! A lease is a token and an end. Leases are given out one process after the other (a lock for the few milliseconds
//! of the statement), because "nobody is sending to this recipient" is a statement about other rows than the one
//! taken. A row whose lease ended is free again unless bytes may have left: then only [`take_over`] may have it.
//!
//! Nobody looks at the clock to find out whether another owner lives (docs/adr/0022). Its leases are renewed while it does,
//! so the latest end of them moves; whoever sees it stand still for longer than a lease ends them all ([`end_dead`]), and
//! only then bytes that may have left are taken over. A waiting row is less: a clock that is ahead may take it from the
//! living, who then cannot start it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::DeliveryId;
use domain::notification::{Channel, DeliveryState};
use uuid::Uuid;

use super::lease_sql::{
    BEGIN_LEASES, DEFER, DEFER_RECEIVER, END_ALL_OTHERS, END_DEAD_POSTGRES, END_DEAD_SQLITE, END_HELD,
    EXTEND, HELD, LATE_POSTGRES, LATE_SQLITE, LEASE_POSTGRES, LEASE_SQLITE, NEXT_DUE, OTHERS, RELEASE,
    RENEW_POSTGRES, RENEW_SQLITE, TAKE_OVER_POSTGRES, TAKE_OVER_SQLITE,
};
use super::leased::{Row, in_order};
use crate::db::{Db, DbError, Tx};
use crate::{with_pool, with_tx};

pub use super::leased::Leased;

/// The end of a lease that somebody else ended: before every moment that a clock shows.
const ENDED: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// Rows looked at for each row that is wanted, and at least.
const CANDIDATES_PER_ROW: i64 = 8;
const CANDIDATES_MIN: i64 = 128;

/// Abandoned rows taken over at once.
const TAKE_OVER_MAX: i64 = 100;

/// Who leases, for which rows, and how long a lease lasts.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// The process, or rather its dispatcher; a new id with every start.
    pub owner: Uuid,
    /// The channel it serves.
    pub channel: Channel,
    /// The app it serves.
    pub app: String,
    /// How long a lease lasts.
    pub lease: Duration,
}

impl Tenant {
    /// End of a lease that begins now.
    pub fn lease_end(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let lease = TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::MAX);
        now.checked_add_signed(lease).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// What to lease.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// `Pending` or `Retry`.
    pub state: DeliveryState,
    /// Rows at most.
    pub limit: usize,
    /// Recipients this process is sending to.
    pub busy: &'a [String],
}

/// Leases due rows, the longest due first.
pub async fn lease(
    db: &Db,
    tenant: &Tenant,
    wanted: Wanted<'_>,
    token: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Leased>, DbError> {
    /// The bindings both databases share.
    macro_rules! lease {
        ($sql:expr, $busy:expr, $conn:expr) => {
            sqlx::query_as($sql)
                .bind(tenant.owner)
                .bind(token)
                .bind(tenant.lease_end(now))
                .bind(tenant.channel.as_str())
                .bind(&tenant.app)
                .bind(wanted.state.as_str())
                .bind(now)
                .bind(i64::try_from(wanted.limit).unwrap_or(i64::MAX))
                .bind($busy)
                .bind(
                    i64::try_from(wanted.limit)
                        .unwrap_or(i64::MAX)
                        .saturating_mul(CANDIDATES_PER_ROW)
                        .max(CANDIDATES_MIN),
                )
                .fetch_all($conn)
                .await?
        };
    }
    let mut tx = locked(db).await?;
    let rows: Vec<Row> = match &mut tx {
        Tx::Postgres(tx) => lease!(LEASE_POSTGRES, wanted.busy, &mut **tx),
        Tx::Sqlite(tx) => lease!(LEASE_SQLITE, serde_json::json!(wanted.busy).to_string(), &mut **tx),
    };
    tx.commit().await?;
    in_order(rows)
}

/// The bindings of what is taken without being asked for.
macro_rules! take {
    ($sql:expr, $tenant:expr, $token:expr, $now:expr, $until:expr) => {
        sqlx::query_as($sql)
            .bind($tenant.owner)
            .bind($token)
            .bind($tenant.lease_end($now))
            .bind($tenant.channel.as_str())
            .bind($until)
            .bind(TAKE_OVER_MAX)
    };
}

/// Takes rows whose process died while bytes may have left, of any app of the channel. This process lives: what it sends
/// to `busy` recipients is its own, whoever ended its leases.
pub async fn take_over(
    db: &Db,
    tenant: &Tenant,
    busy: &[String],
    token: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Leased>, DbError> {
    let mut tx = locked(db).await?;
    let rows: Vec<Row> = match &mut tx {
        Tx::Postgres(tx) => {
            take!(TAKE_OVER_POSTGRES, tenant, token, now, ENDED).bind(busy).fetch_all(&mut **tx).await?
        }
        Tx::Sqlite(tx) => {
            let busy = serde_json::json!(busy).to_string();
            take!(TAKE_OVER_SQLITE, tenant, token, now, ENDED).bind(busy).fetch_all(&mut **tx).await?
        }
    };
    tx.commit().await?;
    in_order(rows)
}

/// Takes waiting rows whose time is over, of any app of the channel.
pub async fn take_late(
    db: &Db,
    tenant: &Tenant,
    token: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Leased>, DbError> {
    let mut tx = locked(db).await?;
    let sql = if matches!(tx, Tx::Postgres(_)) { LATE_POSTGRES } else { LATE_SQLITE };
    let rows: Vec<Row> =
        with_tx!(&mut tx, conn => take!(sql, tenant, token, now, now).fetch_all(conn).await)?;
    tx.commit().await?;
    in_order(rows)
}

async fn locked(db: &Db) -> Result<Tx<'static>, DbError> {
    Ok(match db {
        Db::Postgres(pool) => Tx::Postgres(pool.begin_with(BEGIN_LEASES).await?),
        Db::Sqlite(_) => db.begin_derived().await?,
    })
}

/// Renews what `tenant` still holds.
pub async fn renew(db: &Db, tenant: &Tenant, now: DateTime<Utc>) -> Result<(), DbError> {
    let mut tx = db.begin_derived().await?;
    let sql = if matches!(tx, Tx::Postgres(_)) { RENEW_POSTGRES } else { RENEW_SQLITE };
    with_tx!(&mut tx, conn => sqlx::query(sql)
        .bind(tenant.lease_end(now))
        .bind(tenant.owner)
        .bind(ENDED)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// Gives a row back that was not started; nothing happens when the lease is lost.
pub async fn release(db: &Db, row: &Leased) -> Result<(), DbError> {
    let mut tx = db.begin_derived().await?;
    with_tx!(&mut tx, conn => sqlx::query(RELEASE)
        .bind(row.delivery.0)
        .bind(row.token)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// Gives a row back that may not be sent before `until`, with everything else that waits for its receiver.
pub async fn defer(db: &Db, tenant: &Tenant, row: &Leased, until: DateTime<Utc>) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(DEFER)
        .bind(row.delivery.0)
        .bind(row.token)
        .bind(until)
        .execute(conn)
        .await
        .map(drop))?;
    with_tx!(&mut tx, conn => sqlx::query(DEFER_RECEIVER)
        .bind(tenant.channel.as_str())
        .bind(&row.recipient_key)
        .bind(until)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// Makes the lease of a started row end at `until`; `false` when the lease is lost.
pub async fn extend(db: &Db, row: &Leased, attempt: i64, until: DateTime<Utc>) -> Result<bool, DbError> {
    let mut tx = db.begin_write().await?;
    let rows = with_tx!(&mut tx, conn => sqlx::query(EXTEND)
        .bind(row.delivery.0)
        .bind(row.token)
        .bind(until)
        .bind(attempt)
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    Ok(rows == 1)
}

/// Ends the leases of every other owner. Only for the one process of a SQLite file, at its start.
pub async fn end_all_others(db: &Db, tenant: &Tenant) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(END_ALL_OTHERS)
        .bind(ENDED)
        .bind(tenant.channel.as_str())
        .bind(tenant.owner)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// Ends the leases under which this process does nothing any more: it could not write down how an attempt ended, or
/// could not give a row back. They would be renewed for ever, and their recipients would hear nothing.
pub async fn end_idle(
    db: &Db,
    tenant: &Tenant,
    under_way: impl Fn(DeliveryId) -> bool,
) -> Result<(), DbError> {
    let held: Vec<(Uuid, Uuid)> = with_pool!(db, pool => sqlx::query_as(HELD)
        .bind(tenant.channel.as_str())
        .bind(tenant.owner)
        .bind(ENDED)
        .fetch_all(pool)
        .await)?;
    for (delivery, token) in held.into_iter().filter(|(delivery, _)| !under_way(DeliveryId(*delivery))) {
        let mut tx = db.begin_write().await?;
        with_tx!(&mut tx, conn => sqlx::query(END_HELD)
            .bind(ENDED)
            .bind(delivery)
            .bind(token)
            .execute(conn)
            .await
            .map(drop))?;
        tx.commit().await?;
    }
    Ok(())
}

/// What shows that somebody else lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Other {
    /// The process.
    #[sqlx(rename = "lease_owner")]
    pub owner: Uuid,
    /// Whether these are the rows that it started, or those that wait.
    pub started: bool,
    /// The latest end of its leases of them.
    pub until: DateTime<Utc>,
}

/// Everybody else who works on rows of the tenant's channel, with the latest end of their leases.
pub async fn others(db: &Db, tenant: &Tenant) -> Result<Vec<Other>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(OTHERS)
        .bind(tenant.channel.as_str())
        .bind(tenant.owner)
        .bind(ENDED)
        .fetch_all(pool)
        .await)?)
}

/// Ends the leases of an owner that is dead; not those that it took or renewed since `until` was the latest end.
pub async fn end_dead(db: &Db, tenant: &Tenant, dead: Other) -> Result<(), DbError> {
    let mut tx = db.begin_write().await?;
    let sql = if matches!(tx, Tx::Postgres(_)) { END_DEAD_POSTGRES } else { END_DEAD_SQLITE };
    with_tx!(&mut tx, conn => sqlx::query(sql)
        .bind(ENDED)
        .bind(tenant.channel.as_str())
        .bind(dead.owner)
        .bind(dead.until)
        .bind(dead.started)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}

/// Moments at which there may be something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct NextDue {
    /// A row that was never attempted falls due.
    pub fresh: Option<DateTime<Utc>>,
    /// A retry falls due.
    pub retry: Option<DateTime<Utc>>,
    /// The lease of a waiting row ends.
    pub waiting_lease: Option<DateTime<Utc>>,
    /// The earliest end of the lease of a started row.
    pub started_lease: Option<DateTime<Utc>>,
    /// The time of a row is over: the next channel of its route speaks.
    pub late: Option<DateTime<Utc>>,
    /// Whether an operator paused the channel: 0 or 1.
    pub pauses: i64,
}

impl NextDue {
    /// Whether an operator paused the channel.
    pub fn is_paused(&self) -> bool {
        self.pauses > 0
    }

    /// Whether the process of a started row is dead.
    pub fn is_abandoned(&self) -> bool {
        self.started_lease.is_some_and(|until| until <= ENDED)
    }

    /// The earliest of the moments.
    pub fn earliest(&self) -> Option<DateTime<Utc>> {
        let moments = [self.fresh, self.retry, self.waiting_lease, self.late];
        moments.into_iter().flatten().min()
    }
}

/// Looks when there may be something to do. Writes nothing, so an idle dispatcher costs one reader.
pub async fn next_due(db: &Db, tenant: &Tenant, now: DateTime<Utc>) -> Result<NextDue, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(NEXT_DUE)
        .bind(tenant.channel.as_str())
        .bind(&tenant.app)
        .bind(now)
        .fetch_one(pool)
        .await)?)
}
