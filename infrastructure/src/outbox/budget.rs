//! How much may be sent: limits of an app and of each of its receivers, kept by all processes together
//! (wechat-apis.md sections 5.2 and 6). What a provider would drop in silence never leaves.
//!
//! Sends are counted in buckets of ten seconds, and a stretch of time is covered by its full buckets and the two it
//! begins and ends in: the real rate is never above the limit, and at times a little below it.

use std::time::Duration;

use application::delivery::{Contract, Limit};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::db::{DbError, Tx};
use crate::with_tx;

/// Length of a bucket of `send_buckets`, in seconds.
pub const BUCKET_SECONDS: i64 = 10;

/// Counts a send unless one of two limits is reached: one statement, because it stands in the log's batch.
pub(super) const COUNT: &str = "
INSERT INTO send_buckets (send_key, bucket, sends)
SELECT $1, $2, 1
 WHERE (SELECT coalesce(sum(sends), 0) FROM send_buckets WHERE send_key = $1 AND bucket >= $3) < $4
   AND (SELECT coalesce(sum(sends), 0) FROM send_buckets WHERE send_key = $1 AND bucket >= $5) < $6
ON CONFLICT (send_key, bucket) DO UPDATE SET sends = send_buckets.sends + 1";

pub(super) const SENT: &str = "
SELECT CAST(coalesce(sum(sends), 0) AS BIGINT), min(bucket)
  FROM send_buckets WHERE send_key = $1 AND bucket >= $2";

/// The limits one send is held to.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    scope: Scope,
    name: String,
    limits: Vec<Limit>,
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every send of the app waits.
    App,
    /// Only those to this receiver wait.
    Receiver,
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// Whose.
    pub scope: Scope,
    /// When there is room again.
    pub until: DateTime<Utc>,
}

impl Budget {
    /// What `contract` says of an app and of one of its receivers.
    pub fn of(contract: &Contract, app: &str, recipient_key: &str) -> Self {
        let keys = [
            Key { scope: Scope::App, name: app.to_owned(), limits: contract.per_app.clone() },
            Key {
                scope: Scope::Receiver,
                name: recipient_key.to_owned(),
                limits: contract.per_receiver.clone(),
            },
        ];
        Self { keys: keys.into_iter().filter(|key| !key.limits.is_empty()).collect() }
    }

    /// Each limit with its stretch in buckets, as the joint fence takes them.
    pub(super) fn rows(&self) -> Value {
        let row = |key: &Key, limit: &Limit| json!({"key": key.name, "stretch": buckets(limit.per), "most": limit.max});
        self.keys.iter().flat_map(|key| key.limits.iter().map(|limit| row(key, limit))).collect()
    }

    /// Counts one send, or says which limit is reached. A send counted for one key and refused by the next stays
    /// counted: the limits err on the careful side.
    pub async fn spend(&self, tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<Option<Exhausted>, DbError> {
        for key in &self.keys {
            for pair in key.limits.chunks(2) {
                let (Some(first), Some(second)) = (pair.first(), pair.last()) else { continue };
                let rows = with_tx!(tx, conn => sqlx::query(COUNT)
                    .bind(&key.name)
                    .bind(bucket(now))
                    .bind(bucket(now) - buckets(first.per))
                    .bind(i64::from(first.max))
                    .bind(bucket(now) - buckets(second.per))
                    .bind(i64::from(second.max))
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected()))?;
                if rows == 0 {
                    return Ok(Some(key.exhausted(tx, now).await?));
                }
            }
        }
        Ok(None)
    }
}

impl Key {
    async fn exhausted(&self, tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<Exhausted, DbError> {
        let mut until = now;
        for limit in &self.limits {
            let stretch = buckets(limit.per);
            let (sent, oldest): (i64, Option<i64>) = with_tx!(tx, conn => sqlx::query_as(SENT)
                .bind(&self.name)
                .bind(bucket(now) - stretch)
                .fetch_one(conn)
                .await)?;
            if sent >= i64::from(limit.max) {
                let frees = oldest.unwrap_or_else(|| bucket(now)) + stretch + 1;
                until = until.max(DateTime::from_timestamp(frees * BUCKET_SECONDS, 0).unwrap_or(now));
            }
        }
        Ok(Exhausted { scope: self.scope, until })
    }
}

pub(super) fn bucket(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(BUCKET_SECONDS)
}

fn buckets(per: Duration) -> i64 {
    i64::try_from(per.as_secs()).unwrap_or(i64::MAX / 2) / BUCKET_SECONDS
}
