//! Taking back what has not left: deliveries that tell a person of a lead which they lost meanwhile
//! (docs/adr/0010-recall.md).
//!
//! A row that waits can be taken back even while a process holds its lease: a lease promises work, and only
//! `in_flight` says that bytes may have left. Whoever comes second, the start of the attempt or the recall, meets the
//! other one's event in the notice's stream and its state in the row, and is refused.
//!
//! A standby that was not needed is taken back as well, as long as the provider of the channel that told the person may
//! still take its word back: it would be called then, for a lead that went on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{CustomerId, DeliveryId, NotificationId, Position, StaffId, StreamId};
use serde_json::json;
use uuid::Uuid;

use crate::db::{Db, DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};

/// What waits about leads that were lost after they were gained; `$lost` gives nth, lead, owner, lost_at. The
/// conditions on `lead` and `state` repeat the words of the index: SQLite uses a partial index only then. Of the channels
/// that accept a message and prove it later, only these can refute it; what is proven they cannot.
macro_rules! waiting {
    ($lost:literal, $spared:literal) => {
        concat!(
            "
SELECT w.nth, o.delivery_id, o.notification_id, o.ledger, o.state = 'retry' AND NOT o.maybe_arrived AS returns_credit
  FROM ",
            $lost,
            "
  JOIN outbox o ON o.lead = w.lead AND o.lead_owner = w.owner AND o.cause_position < w.lost_at
 WHERE o.lead IS NOT NULL AND o.state IN ('pending', 'retry', 'held', 'cancelled')
   AND (o.state <> 'cancelled' OR (o.request_body IS NOT NULL AND EXISTS (
         SELECT 1 FROM outbox t
          WHERE t.notification_id = o.notification_id AND t.state IN ('accepted', 'unknown')
            AND t.channel IN ('wechat_subscribe', 'wechat_official'))))
   AND (",
            $spared,
            " IS NULL OR o.lease_expires_at IS NULL OR o.lease_expires_at <= ",
            $spared,
            ")
 ORDER BY w.nth, o.cause_position, o.delivery_id"
        )
    };
}

pub(super) const WAITING_POSTGRES: &str = waiting!(
    "unnest($1::uuid[], $2::uuid[], $3::bigint[]) WITH ORDINALITY AS w(lead, owner, lost_at, nth)",
    "$4::timestamptz"
);
pub(super) const WAITING_SQLITE: &str = waiting!(
    "(SELECT key + 1 AS nth, unhex(value ->> 0) AS lead, unhex(value ->> 1) AS owner, value ->> 2 AS lost_at
          FROM jsonb_each($1)) AS w",
    "$2"
);

pub(super) const STILL_WAITING_POSTGRES: &str = "SELECT count(*) FROM outbox WHERE delivery_id = ANY($1::uuid[]) AND state IN ('pending', 'retry', 'held', 'cancelled')";
pub(super) const STILL_WAITING_SQLITE: &str = "SELECT count(*) FROM outbox
 WHERE delivery_id IN (SELECT unhex(value) FROM json_each($1)) AND state IN ('pending', 'retry', 'held', 'cancelled')";

macro_rules! cancel {
    ($deliveries:literal) => {
        concat!(
            "
UPDATE outbox SET state = 'cancelled', request_body = NULL, held_for = NULL,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE state IN ('pending', 'retry', 'held', 'cancelled') AND delivery_id ",
            $deliveries
        )
    };
}

pub(super) const CANCEL_POSTGRES: &str = cancel!("= ANY($1::uuid[])");
pub(super) const CANCEL_SQLITE: &str = cancel!("IN (SELECT unhex(value) FROM json_each($1))");

/// The policy of the channel decides nothing any more; an operator may, with the body that stays.
macro_rules! close {
    ($deliveries:literal) => {
        concat!(
            "
UPDATE outbox SET state = 'unknown', held_for = NULL, settle_at = NULL, settled_at = $2,
       lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
 WHERE state IN ('pending', 'retry') AND delivery_id ",
            $deliveries
        )
    };
}

pub(super) const CLOSE_POSTGRES: &str = close!("= ANY($1::uuid[])");
pub(super) const CLOSE_SQLITE: &str = close!("IN (SELECT unhex(value) FROM json_each($1))");

/// A lead that somebody lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// The lead.
    pub lead: CustomerId,
    /// Who lost it.
    pub owner: StaffId,
    /// Position of the event by which it was lost: what was gained later stays.
    pub at: Position,
}

/// A delivery that can still be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Index into the losses that were asked for.
    pub loss: usize,
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its notice.
    pub notification: NotificationId,
    /// The ledger to which its credit goes back: a failed attempt may hold one. `None` as well when an earlier attempt
    /// may have arrived and spent it.
    pub credit: Option<StreamId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    nth: i64,
    delivery_id: Uuid,
    notification_id: Uuid,
    ledger: Option<String>,
    returns_credit: bool,
}

/// What waits about these leads for those who lost them, each delivery at most once. With `spare_leased` (the present
/// moment), what a process has leased is left to it.
pub async fn waiting(
    db: &Db,
    losses: &[Lost],
    spare_leased: Option<DateTime<Utc>>,
) -> Result<Vec<Waiting>, DbError> {
    if losses.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = match db {
        Db::Postgres(pool) => {
            sqlx::query_as(WAITING_POSTGRES)
                .bind(losses.iter().map(|lost| lost.lead.0).collect::<Vec<_>>())
                .bind(losses.iter().map(|lost| lost.owner.0).collect::<Vec<_>>())
                .bind(losses.iter().map(|lost| lost.at).collect::<Vec<_>>())
                .bind(spare_leased)
                .fetch_all(pool)
                .await?
        }
        Db::Sqlite(sqlite) => {
            let hex = |id: Uuid| id.simple().to_string();
            let losses: Vec<_> =
                losses.iter().map(|lost| json!([hex(lost.lead.0), hex(lost.owner.0), lost.at])).collect();
            // The digits sqlx writes, so that instants compare as texts.
            let spared = spare_leased.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, false));
            sqlx::query_as(WAITING_SQLITE)
                .bind(json!(losses).to_string())
                .bind(spared)
                .fetch_all(sqlite.reader())
                .await?
        }
    };
    let mut found: Vec<Waiting> = Vec::with_capacity(rows.len());
    let mut seen = std::collections::HashSet::new();
    for row in rows.into_iter().filter(|row| seen.insert(row.delivery_id)) {
        let ledger = row.ledger.filter(|_| row.returns_credit);
        found.push(Waiting {
            loss: usize::try_from(row.nth - 1).unwrap_or(usize::MAX),
            delivery: DeliveryId(row.delivery_id),
            notification: NotificationId(row.notification_id),
            credit: ledger.and_then(|ledger| StreamId::parse(&ledger)),
        });
    }
    Ok(found)
}

/// With `DeliveryCancelled`, or with the events that close what may have arrived: nobody sends these rows any more.
#[derive(Debug)]
pub struct CancelRows {
    /// Rows that waited when they were looked at; one that does not any more refuses the whole request.
    pub waiting: Vec<DeliveryId>,
    /// The same, of what may have arrived with an earlier attempt: they end as unknown.
    pub doubted: Vec<DeliveryId>,
    /// Rows inserted with this very request, by an [`OutboxInsert`](super::OutboxInsert) before this attachment.
    pub new: Vec<DeliveryId>,
    /// Tells this refusal from another attachment's.
    pub left: Arc<AtomicBool>,
    /// When.
    pub at: DateTime<Utc>,
}

#[async_trait]
impl Attachment for CancelRows {
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError> {
        let asked = [self.waiting.as_slice(), self.doubted.as_slice()].concat();
        if asked.is_empty() {
            return Ok(Verdict::Apply);
        }
        let still: i64 = match tx {
            Tx::Postgres(tx) => {
                sqlx::query_scalar(STILL_WAITING_POSTGRES).bind(uuids(&asked)).fetch_one(&mut **tx).await?
            }
            Tx::Sqlite(tx) => {
                sqlx::query_scalar(STILL_WAITING_SQLITE).bind(hexes(&asked)).fetch_one(&mut **tx).await?
            }
        };
        if usize::try_from(still).is_ok_and(|still| still == asked.len()) {
            return Ok(Verdict::Apply);
        }
        self.left.store(true, Ordering::Release);
        Ok(Verdict::Fenced)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        let all = [self.waiting.as_slice(), self.new.as_slice()].concat();
        let (at, doubted) = (self.at, &self.doubted);
        match tx {
            Tx::Postgres(tx) => {
                if !all.is_empty() {
                    sqlx::query(CANCEL_POSTGRES).bind(uuids(&all)).execute(&mut **tx).await?;
                }
                if !doubted.is_empty() {
                    let query = sqlx::query(CLOSE_POSTGRES).bind(uuids(doubted)).bind(at);
                    query.execute(&mut **tx).await?;
                }
            }
            Tx::Sqlite(tx) => {
                if !all.is_empty() {
                    sqlx::query(CANCEL_SQLITE).bind(hexes(&all)).execute(&mut **tx).await?;
                }
                if !doubted.is_empty() {
                    let query = sqlx::query(CLOSE_SQLITE).bind(hexes(doubted)).bind(at);
                    query.execute(&mut **tx).await?;
                }
            }
        }
        Ok(())
    }
}

fn uuids(deliveries: &[DeliveryId]) -> Vec<Uuid> {
    deliveries.iter().map(|delivery| delivery.0).collect()
}

fn hexes(deliveries: &[DeliveryId]) -> String {
    let hexes: Vec<String> = deliveries.iter().map(|delivery| delivery.0.simple().to_string()).collect();
    json!(hexes).to_string()
}
