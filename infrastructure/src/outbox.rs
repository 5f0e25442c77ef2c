//! The outbox: one row per delivery that needs a provider, from its request until it is settled.
//!
//! The row is work, not truth: the notice's events say what happened. Both change in one transaction, through
//! attachments of the event log, so a row that says `in_flight` and a notice that says otherwise cannot exist.
//! Rows are leased by any process ([`lease`]); what a process writes about a row is fenced by the token of its lease
//! ([`fences`]); every other event of the notice moves rows through [`follow`]; an operator's or the channel policy's
//! word is put to the notice through [`decide`]; what a later event made untrue before it left is taken back through
//! [`recall`].

pub mod budget;
pub mod decide;
pub mod fences;
pub mod follow;
pub mod hold;
mod joint_sql;
pub mod lease;
mod lease_sql;
mod leased;
pub mod recall;
pub mod requeue;
pub mod restore;
pub mod retention;
pub mod unknown;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use domain::notification::{Channel, DeliveryState};
use domain::{CustomerId, DeliveryId, NotificationId, Position, StaffId, StreamId};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};

/// Rows written by one statement.
const INSERT_MAX: usize = 1000;

/// Why a standby is held.
pub const STANDBY: &str = "standby";

/// A row begins never attempted, without a lease.
macro_rules! insert {
    ($rows:literal) => {
        concat!(
            "
INSERT INTO outbox (delivery_id, notification_id, position, correlation, causation, channel, app, recipient_key,
                    ledger, request_body, due_at, created_at, lead, lead_owner, cause_position,
                    state, held_for, recipient, fallback_seconds, fallback_at, subject, attempt, busy_answers, maybe_arrived)
SELECT ",
            $rows,
            "
ON CONFLICT (delivery_id) DO NOTHING"
        )
    };
}

const INSERT_POSTGRES: &str = insert!(
    "w.*, 0, 0, false
  FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[],
              $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::uuid[], $14::uuid[],
              $15::bigint[], $16::text[], $17::text[], $18::uuid[], $19::bigint[], $20::timestamptz[], $21::uuid[]) AS w WHERE true"
);

const INSERT_SQLITE: &str = insert!(
    "unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5, value ->> 6,
       value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, unhex(value ->> 12), unhex(value ->> 13),
       value ->> 14, value ->> 15, value ->> 16, unhex(value ->> 17), value ->> 18, value ->> 19, unhex(value ->> 20), 0, 0,
       false
  FROM json_each($1) WHERE true"
);

/// Every statement about the outbox for PostgreSQL, for the test that prepares them.
pub const POSTGRES_STATEMENTS: &[&str] = &[
    INSERT_POSTGRES,
    joint_sql::START_JOINTLY,
    joint_sql::CLOSE_JOINTLY,
    lease_sql::LOCK_LEASES,
    lease_sql::LEASE_POSTGRES,
    lease_sql::TAKE_OVER_POSTGRES,
    lease_sql::RENEW_POSTGRES,
    lease_sql::RELEASE,
    lease_sql::EXTEND,
    lease_sql::END_ALL_OTHERS,
    lease_sql::NEXT_DUE,
    fences::START,
    fences::CLOSE,
    fences::REOPEN,
    lease_sql::LATE_POSTGRES,
    lease_sql::DEFER,
    lease_sql::DEFER_RECEIVER,
    lease_sql::PUT_OFF,
    budget::SENT,
    budget::COUNT,
    decide::LEDGER_OF,
    decide::NOTIFICATION_OF,
    follow::HELD,
    follow::RELEASE_HELD,
    follow::DISMISS,
    follow::END,
    follow::SETTLED,
    recall::WAITING_POSTGRES,
    recall::STILL_WAITING_POSTGRES,
    recall::CANCEL_POSTGRES,
    recall::CLOSE_POSTGRES,
    restore::PRESENT_POSTGRES,
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
    hold::STILL_WAIT_POSTGRES,
    hold::MARK_POSTGRES,
    hold::MERGE_POSTGRES,
    hold::HASTEN_POSTGRES,
    hold::HASTEN_PUT_OFF_POSTGRES,
];

/// Every statement about the outbox for SQLite, for the test that prepares them.
pub const SQLITE_STATEMENTS: &[&str] = &[
    INSERT_SQLITE,
    lease_sql::LEASE_SQLITE,
    lease_sql::TAKE_OVER_SQLITE,
    lease_sql::RENEW_SQLITE,
    lease_sql::RELEASE,
    lease_sql::EXTEND,
    lease_sql::END_ALL_OTHERS,
    lease_sql::NEXT_DUE,
    fences::START,
    fences::CLOSE,
    fences::REOPEN,
    lease_sql::LATE_SQLITE,
    lease_sql::DEFER,
    lease_sql::DEFER_RECEIVER,
    lease_sql::PUT_OFF,
    budget::SENT,
    budget::COUNT,
    decide::LEDGER_OF,
    decide::NOTIFICATION_OF,
    follow::HELD,
    follow::RELEASE_HELD,
    follow::DISMISS,
    follow::END,
    follow::SETTLED,
    recall::WAITING_SQLITE,
    recall::STILL_WAITING_SQLITE,
    recall::CANCEL_SQLITE,
    recall::CLOSE_SQLITE,
    restore::PRESENT_SQLITE,
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
    hold::STILL_WAIT_SQLITE,
    hold::MARK_SQLITE,
    hold::MERGE_SQLITE,
    hold::HASTEN_SQLITE,
    hold::HASTEN_PUT_OFF_SQLITE,
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

/// Inserts work in the transaction that appends the requests. A delivery that is there already is left as it is, so
/// a repeated request changes nothing.
#[derive(Debug)]
pub struct OutboxInsert(pub Vec<NewWork>);

#[async_trait]
impl Attachment for OutboxInsert {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, recorded: &[RecordedRaw]) -> Result<(), DbError> {
        // A request is the first event of its notice's stream.
        let requests: HashMap<&StreamId, &RecordedRaw> =
            recorded.iter().rev().map(|event| (&event.stream, event)).collect();
        for page in self.0.chunks(INSERT_MAX) {
            let rows: Vec<Inserted<'_>> = page.iter().map(|work| Inserted::of(work, &requests)).collect();
            insert(tx, &rows).await?;
        }
        Ok(())
    }
}

/// A row with what it owes to its request's event.
struct Inserted<'a> {
    work: &'a NewWork,
    request: Option<&'a RecordedRaw>,
}

impl<'a> Inserted<'a> {
    fn of(work: &'a NewWork, requests: &HashMap<&StreamId, &'a RecordedRaw>) -> Self {
        Self { work, request: requests.get(&StreamId::from(work.notification)).copied() }
    }

    fn position(&self) -> i64 {
        self.request.map_or(0, |event| event.position)
    }

    fn correlation(&self) -> &str {
        self.request.map_or("", |event| &event.metadata.correlation)
    }

    fn causation(&self) -> Option<uuid::Uuid> {
        self.request.map(|event| event.event_id.0)
    }
}

async fn insert(tx: &mut Tx<'_>, rows: &[Inserted<'_>]) -> Result<(), DbError> {
    match tx {
        Tx::Postgres(tx) => {
            let column = |of: fn(&NewWork) -> &str| rows.iter().map(|r| of(r.work)).collect::<Vec<_>>();
            sqlx::query(INSERT_POSTGRES)
                .bind(rows.iter().map(|r| r.work.delivery.0).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.notification.0).collect::<Vec<_>>())
                .bind(rows.iter().map(Inserted::position).collect::<Vec<_>>())
                .bind(rows.iter().map(Inserted::correlation).collect::<Vec<_>>())
                .bind(rows.iter().map(Inserted::causation).collect::<Vec<_>>())
                .bind(column(|work| work.channel.as_str()))
                .bind(column(|work| &work.app))
                .bind(column(|work| &work.recipient_key))
                .bind(rows.iter().map(|r| r.work.ledger.as_ref().map(StreamId::as_str)).collect::<Vec<_>>())
                .bind(column(|work| &work.request_body))
                .bind(rows.iter().map(|r| r.work.due_at).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.created_at).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.gained.map(|g| g.lead.0)).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.gained.map(|g| g.owner.0)).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.gained.map(|g| g.cause)).collect::<Vec<_>>())
                .bind(column(|work| work.state().as_str()))
                .bind(rows.iter().map(|r| r.work.held_for.as_deref()).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.recipient.0).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.fallback_seconds()).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.fallback_at()).collect::<Vec<_>>())
                .bind(rows.iter().map(|r| r.work.subject.map(|id| id.0)).collect::<Vec<_>>())
                .execute(&mut **tx)
                .await?;
        }
        Tx::Sqlite(tx) => {
            // The same digits sqlx writes, so that instants compare as texts.
            let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, false);
            let rows = rows.iter().map(|r| {
                json!([
                    r.work.delivery.0.simple().to_string(),
                    r.work.notification.0.simple().to_string(),
                    r.position(),
                    r.correlation(),
                    r.causation().map(|id| id.simple().to_string()),
                    r.work.channel.as_str(),
                    r.work.app,
                    r.work.recipient_key,
                    r.work.ledger.as_ref().map(StreamId::as_str),
                    r.work.request_body,
                    instant(r.work.due_at),
                    instant(r.work.created_at),
                    r.work.gained.map(|g| g.lead.0.simple().to_string()),
                    r.work.gained.map(|g| g.owner.0.simple().to_string()),
                    r.work.gained.map(|g| g.cause),
                    r.work.state().as_str(),
                    r.work.held_for,
                    r.work.recipient.0.simple().to_string(),
                    r.work.fallback_seconds(),
                    r.work.fallback_at().map(instant),
                    r.work.subject.map(|id| id.0.simple().to_string()),
                ])
            });
            let rows = serde_json::Value::Array(rows.collect()).to_string();
            sqlx::query(INSERT_SQLITE).bind(rows).execute(&mut **tx).await?;
        }
    }
    Ok(())
}
