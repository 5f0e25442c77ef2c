//! How much may be sent: limits of an app and of each of its receivers, kept by all processes together
//! (wechat-apis.md sections 5.2 and 6). What a provider would drop in silence never leaves.
//!
//! Sends are counted in buckets of ten seconds, and a stretch of time is covered by its full buckets and the two it
//! begins and ends in: the real rate is never above the limit, and at times a little below it.

use std::time::Duration;

use application::delivery::{Contract, Limit};
use chrono::{DateTime, Utc};

use crate::db::{DbError, Tx};
use crate::with_tx;

/// Length of a bucket, in seconds.
const BUCKET_SECONDS: i64 = 10;

pub(super) const SENT: &str = "
SELECT CAST(coalesce(sum(sends), 0) AS BIGINT), min(bucket) FROM send_buckets WHERE send_key = $1 AND bucket >= $2";

pub(super) const COUNT: &str = "
INSERT INTO send_buckets (send_key, bucket, sends) VALUES ($1, $2, 1)
ON CONFLICT (send_key, bucket) DO UPDATE SET sends = send_buckets.sends + 1";

/// The limits one send is held to.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    keys: Vec<(Scope, String, Vec<Limit>)>,
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
            (Scope::App, app.to_owned(), contract.per_app.clone()),
            (Scope::Receiver, recipient_key.to_owned(), contract.per_receiver.clone()),
        ];
        Self { keys: keys.into_iter().filter(|(_, _, limits)| !limits.is_empty()).collect() }
    }

    /// What is reached already. Writes nothing.
    pub async fn exhausted(&self, tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<Option<Exhausted>, DbError> {
        for (scope, key, limits) in &self.keys {
            for limit in limits {
                let stretch = buckets(limit.per);
                let (sent, oldest): (i64, Option<i64>) = with_tx!(tx, conn => sqlx::query_as(SENT)
                    .bind(key)
                    .bind(bucket(now) - stretch)
                    .fetch_one(conn)
                    .await)?;
                if sent >= i64::from(limit.max) {
                    let frees = oldest.unwrap_or_else(|| bucket(now)) + stretch + 1;
                    let until = DateTime::from_timestamp(frees * BUCKET_SECONDS, 0).unwrap_or(now);
                    return Ok(Some(Exhausted { scope: *scope, until }));
                }
            }
        }
        Ok(None)
    }

    /// Counts one send.
    pub async fn count(&self, tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<(), DbError> {
        for (_, key, _) in &self.keys {
            with_tx!(tx, conn => sqlx::query(COUNT)
                .bind(key)
                .bind(bucket(now))
                .execute(conn)
                .await
                .map(drop))?;
        }
        Ok(())
    }
}

fn bucket(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(BUCKET_SECONDS)
}

fn buckets(per: Duration) -> i64 {
    i64::try_from(per.as_secs()).unwrap_or(i64::MAX / 2) / BUCKET_SECONDS
}
