//! Rows that wait for a moment and are due earlier, because somebody no longer wishes what they wait for.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{Position, StaffId};
use serde_json::json;

use super::hold::waits;
use crate::db::{DbError, Tx};
use crate::event_log::{Attachment, RecordedRaw, Verdict};

/// Of what was decided because of earlier events than $4, if that is given.
macro_rules! hasten {
    ($reasons:literal, $before:literal) => {
        concat!(
            "UPDATE outbox SET due_at = $1 WHERE ",
            waits!(),
            " AND recipient = $2 AND due_at > $1 AND held_for ",
            $reasons,
            " AND (",
            $before,
            " IS NULL OR EXISTS (SELECT 1 FROM decisions AS d
                WHERE d.notification_id = outbox.notification_id AND d.position < ",
            $before,
            "))"
        )
    };
}

pub(super) const HELD_POSTGRES: &str = hasten!("= ANY($3::text[])", "$4::bigint");
pub(super) const HELD_SQLITE: &str = hasten!("IN (SELECT value FROM json_each($3))", "$4");

/// What a dispatcher put off is judged anew when it is leased, so it may be due too early but never too late. The time
/// until the next channel speaks begins with it.
macro_rules! hasten_put_off {
    ($reasons:literal, $fallback:literal) => {
        concat!(
            "UPDATE outbox SET due_at = $1, fallback_at = CASE WHEN fallback_at IS NOT NULL THEN ",
            $fallback,
            " END
 WHERE held_for IS NOT NULL AND state IN ('pending', 'retry') AND recipient = $2 AND due_at > $1 AND held_for ",
            $reasons
        )
    };
}

pub(super) const PUT_OFF_POSTGRES: &str =
    hasten_put_off!("= ANY($3::text[])", "$1 + fallback_seconds * interval '1 second'");
pub(super) const PUT_OFF_SQLITE: &str = hasten_put_off!(
    "IN (SELECT value FROM json_each($3))",
    "strftime('%Y-%m-%dT%H:%M:%f+00:00', $1, fallback_seconds || ' seconds')"
);

/// With `PreferencesSet`: what a person no longer wants to wait for is due at once, so nothing is left behind when
/// digests or quiet hours are turned off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HastenRows {
    /// The person.
    pub recipient: StaffId,
    /// What it waits for: `quiet_hours`, `digest_daily`, `digest_burst`.
    pub reasons: Vec<String>,
    /// From now on due.
    pub at: DateTime<Utc>,
}

impl HastenRows {
    /// Does it in a transaction of the caller's; how many rows are due earlier now.
    pub async fn hasten(&self, tx: &mut Tx<'_>) -> Result<u64, DbError> {
        self.hasten_before(tx, None).await
    }

    /// The same for what was decided because of events before a position: a policy that catches up, or looks at
    /// everything again, has rows of later wishes there already.
    pub async fn hasten_before(&self, tx: &mut Tx<'_>, before: Option<Position>) -> Result<u64, DbError> {
        Ok(match tx {
            Tx::Postgres(tx) => {
                let query = sqlx::query(HELD_POSTGRES).bind(self.at).bind(self.recipient.0);
                let held = query.bind(&self.reasons).bind(before).execute(&mut **tx).await?;
                let query = sqlx::query(PUT_OFF_POSTGRES).bind(self.at).bind(self.recipient.0);
                let put_off = query.bind(&self.reasons).execute(&mut **tx).await?;
                held.rows_affected() + put_off.rows_affected()
            }
            Tx::Sqlite(tx) => {
                let reasons = json!(self.reasons).to_string();
                let query = sqlx::query(HELD_SQLITE).bind(self.at).bind(self.recipient.0);
                let held = query.bind(&reasons).bind(before).execute(&mut **tx).await?;
                let query = sqlx::query(PUT_OFF_SQLITE).bind(self.at).bind(self.recipient.0);
                let put_off = query.bind(&reasons).execute(&mut **tx).await?;
                held.rows_affected() + put_off.rows_affected()
            }
        })
    }
}

#[async_trait]
impl Attachment for HastenRows {
    async fn fence(&mut self, _: &mut Tx<'_>) -> Result<Verdict, DbError> {
        Ok(Verdict::Apply)
    }

    async fn write(&mut self, tx: &mut Tx<'_>, _: &[RecordedRaw]) -> Result<(), DbError> {
        self.hasten(tx).await.map(drop)
    }
}
