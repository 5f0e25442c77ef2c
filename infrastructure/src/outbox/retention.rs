//! How long the outbox remembers what is over. The events stay; a row is work, and finished work is kept only as long as
//! somebody may want to look at it or to send it once more.
//!
//! What nobody decided on (an unknown arrival before its settlement) stays for ever, and so does everything that waits.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::DeliveryState;

use super::budget::BUCKET_SECONDS;
use crate::db::{Db, DbError};
use crate::with_tx;

const DAY: Duration = Duration::from_hours(24);
/// Until then a refused, dead, unknown or dismissed message can be sent once more; its text names people.
const BODIES_KEPT: Duration = Duration::from_hours(24 * 7);
/// How long a row of something that arrived is kept.
const ARRIVED: Duration = Duration::from_hours(24 * 90);
/// How long a row of something that did not arrive, or perhaps not, is kept.
const FAILED: Duration = Duration::from_hours(24 * 180);
/// How long a row of something that was not needed is kept.
const DISMISSED: Duration = Duration::from_hours(24 * 30);
/// How long the counts behind the limits of the providers are kept; the longest of those limits is an hour's, the day is
/// for the people who look at them.
const COUNTS: Duration = Duration::from_hours(25);
/// How long a process that is gone is shown with its channels.
const HEALTH_KEPT: Duration = DAY;
/// Rows changed in one transaction.
const PAGE: i64 = 500;
/// Pages of one run; what is left waits for the next one.
const PAGES_MAX: usize = 400;

// The conditions repeat the words of the partial indexes, because SQLite uses such an index only then.

/// Rows that ended without a date, before there was one or by a recall: their time begins now. An unknown arrival is not
/// among them, because nobody decided on it.
pub(super) const DATE: &str = "
UPDATE outbox SET settled_at = $1 WHERE delivery_id IN (
  SELECT delivery_id FROM outbox
   WHERE settled_at IS NULL AND state IN ('accepted', 'rejected', 'delivered', 'dead', 'merged', 'cancelled')
   LIMIT $2)";

pub(super) const BODIES: &str = "
UPDATE outbox SET request_body = NULL WHERE delivery_id IN (
  SELECT delivery_id FROM outbox
   WHERE settled_at IS NOT NULL AND request_body IS NOT NULL AND settled_at <= $1 AND settle_at IS NULL
     AND state NOT IN ('pending', 'retry', 'in_flight', 'held')
   ORDER BY settled_at
   LIMIT $2)";

pub(super) const ROWS: &str = "
DELETE FROM outbox WHERE delivery_id IN (
  SELECT delivery_id FROM outbox
   WHERE state = $3 AND settled_at IS NOT NULL AND settled_at <= $1 AND settle_at IS NULL
   ORDER BY settled_at
   LIMIT $2)";

pub(super) const BUCKETS: &str = "
DELETE FROM send_buckets WHERE (send_key, bucket) IN (
  SELECT send_key, bucket FROM send_buckets WHERE bucket < $1 LIMIT $2)";

pub(super) const HEALTH: &str = "DELETE FROM channel_health WHERE updated_at <= $1";

/// How long what is kept, each from the moment it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The text of a message that did not arrive, or perhaps not; until then it can be sent once more.
    pub bodies: Duration,
    /// Rows in `accepted` and `delivered`.
    pub arrived: Duration,
    /// Rows in `rejected`, `dead` and, once somebody decided on them, `unknown`.
    pub failed: Duration,
    /// Rows in `cancelled` and `merged`.
    pub dismissed: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self { bodies: BODIES_KEPT, arrived: ARRIVED, failed: FAILED, dismissed: DISMISSED }
    }
}

impl Retention {
    /// How long rows in this state are kept; `None`: for ever.
    pub fn of(&self, state: DeliveryState) -> Option<Duration> {
        use DeliveryState::{
            Accepted, Cancelled, Dead, Delivered, Held, InFlight, Merged, Pending, Rejected, Retry,
            Suppressed, Unknown,
        };
        match state {
            Accepted | Delivered => Some(self.arrived),
            Rejected | Dead | Unknown => Some(self.failed),
            Cancelled | Merged => Some(self.dismissed),
            // No row is ever suppressed: nothing was to be sent.
            Pending | InFlight | Retry | Held | Suppressed => None,
        }
    }
}

/// What one run took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Texts.
    pub bodies: u64,
    /// Rows of the outbox.
    pub rows: u64,
    /// Counts of sends.
    pub counts: u64,
    /// Reports of processes that are gone.
    pub reports: u64,
    /// Whether something is left for the next run.
    pub more: bool,
}

/// Takes away what is older than its retention, page by page. Dying in the middle costs nothing.
pub async fn prune(db: &Db, now: DateTime<Utc>, retention: &Retention) -> Result<Pruned, DbError> {
    let mut pruned = Pruned::default();
    let mut pages = PAGES_MAX;
    paged(db, DATE, Before::Instant(now), None, &mut pages).await?;
    pruned.bodies = paged(db, BODIES, Before::Instant(ago(now, retention.bodies)), None, &mut pages).await?;
    for state in DeliveryState::ALL {
        let Some(kept) = retention.of(*state) else { continue };
        pruned.rows += paged(db, ROWS, Before::Instant(ago(now, kept)), Some(*state), &mut pages).await?;
    }
    let bucket = ago(now, COUNTS).timestamp().div_euclid(BUCKET_SECONDS);
    pruned.counts = paged(db, BUCKETS, Before::Bucket(bucket), None, &mut pages).await?;
    let mut tx = db.begin_write().await?;
    pruned.reports = with_tx!(&mut tx, conn => sqlx::query(HEALTH)
        .bind(ago(now, HEALTH_KEPT))
        .execute(conn)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await?;
    pruned.more = pages == 0;
    Ok(pruned)
}

/// Up to where it goes.
#[derive(Clone, Copy)]
enum Before {
    Instant(DateTime<Utc>),
    Bucket(i64),
}

/// Repeats a statement until nothing is left or the pages of this run are used up; how many rows it changed.
async fn paged(
    db: &Db,
    sql: &'static str,
    before: Before,
    state: Option<DeliveryState>,
    pages: &mut usize,
) -> Result<u64, DbError> {
    /// The bindings of either kind.
    macro_rules! changed {
        ($tx:expr, $before:expr) => {
            with_tx!($tx, conn => {
                let query = sqlx::query(sql).bind($before).bind(PAGE);
                let query = match state {
                    Some(state) => query.bind(state.as_str()),
                    None => query,
                };
                query.execute(conn).await.map(|done| done.rows_affected())
            })?
        };
    }
    let mut changed = 0;
    while *pages > 0 {
        *pages -= 1;
        let mut tx = db.begin_write().await?;
        let page = match before {
            Before::Instant(at) => changed!(&mut tx, at),
            Before::Bucket(bucket) => changed!(&mut tx, bucket),
        };
        tx.commit().await?;
        changed += page;
        if i64::try_from(page).is_ok_and(|page| page < PAGE) {
            break;
        }
        // Whoever waits for the one writer of SQLite goes first.
        tokio::task::yield_now().await;
    }
    Ok(changed)
}

fn ago(now: DateTime<Utc>, kept: Duration) -> DateTime<Utc> {
    let kept = TimeDelta::from_std(kept).unwrap_or(TimeDelta::MAX);
    now.checked_sub_signed(kept).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
