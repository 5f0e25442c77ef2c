//! How each channel does at this moment: what waits in it, whether it is paused or rests, how much left today.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::StaffId;
use domain::notification::{Channel, DeliveryState};
use infrastructure::db::{Db, DbError};
use infrastructure::outbox::budget::BUCKET_SECONDS;
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::queries::corrupt;

/// How long what a process says of a channel counts: it says so every few seconds, and is gone after that.
pub const HEALTH_SECONDS: i64 = 60;

/// A delivery that was accepted today was asked for at most so many days ago; narrows the search.
const SENT_DAYS: TimeDelta = TimeDelta::days(7);

/// What a dispatcher put off because of quiet hours is held as well.
pub(super) const DEPTH: &str = "
SELECT channel, CASE WHEN held_for IS NULL THEN state ELSE 'held' END, count(*), min(created_at) FROM outbox
 WHERE state IN ('pending', 'retry', 'in_flight', 'held') AND (held_for IS NULL OR held_for <> 'standby')
 GROUP BY 1, 2 ORDER BY 1, 2";
pub(super) const PAUSES: &str = "SELECT channel, reason, paused_at FROM channel_pauses";
pub(super) const HEALTH: &str = "
SELECT channel, app, owner, state, until, failure_class, failure_code, detail, updated_at FROM channel_health
 WHERE updated_at >= $1 ORDER BY channel, app, owner";
pub(super) const TOKENS: &str =
    "SELECT provider, app, expires_at, refused_until, version FROM provider_tokens ORDER BY provider, app";
pub(super) const SENT: &str = "
SELECT channel, count(*) FROM deliveries WHERE created_at >= $1 AND accepted_at >= $2 GROUP BY channel";
pub(super) const UNDELIVERED: &str = "
SELECT recipient, count(*) FROM deliveries WHERE state IN ('pending', 'in_flight', 'retry', 'dead')
 GROUP BY recipient";
pub(super) const BUDGET: &str =
    "SELECT coalesce(CAST(sum(sends) AS BIGINT), 0) FROM send_buckets WHERE send_key = $1 AND bucket >= $2";

pub(super) const BUSIEST: &str = "
SELECT coalesce(CAST(max(busy.sends) AS BIGINT), 0)
  FROM (SELECT sum(b.sends) AS sends FROM send_buckets b
         WHERE b.bucket >= $2
           AND b.send_key IN (SELECT recipient_key FROM outbox WHERE channel = $1)
         GROUP BY b.send_key) busy";

/// Work of one channel in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct Depth {
    /// The channel.
    pub channel: Channel,
    /// The state.
    pub state: DeliveryState,
    /// How much; standbys are not counted.
    pub count: i64,
    /// When the oldest of it was asked for.
    pub oldest: Option<DateTime<Utc>>,
}

/// An operator's pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// How one process finds a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct HealthRow {
    /// The channel.
    #[serde(skip)]
    pub channel: String,
    /// The provider's app.
    pub app: String,
    /// The dispatcher of that process.
    pub owner: Uuid,
    /// `open`, `resting` or `probing`.
    pub state: String,
    /// End of a rest.
    pub until: Option<DateTime<Utc>>,
    /// Why it rests.
    pub failure_class: Option<String>,
    /// The provider's code.
    pub failure_code: Option<i64>,
    /// What to know about it.
    pub detail: Option<String>,
    /// When it said so.
    pub updated_at: DateTime<Utc>,
}

/// An access token, without the token.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct TokenRow {
    /// Whose: `wechat`, `wecom`.
    pub provider: String,
    /// The app.
    pub app: String,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// The provider refused it: nobody tries before this.
    pub refused_until: Option<DateTime<Utc>>,
    /// How many of them there have been.
    pub version: i64,
}

impl TokenRow {
    /// `valid`, `expired` or `refused`.
    pub fn state(&self, now: DateTime<Utc>) -> &'static str {
        match self.refused_until {
            Some(until) if until > now => "refused",
            _ if self.expires_at <= now => "expired",
            _ => "valid",
        }
    }
}

/// The work that waits, by channel and state.
pub async fn depth(db: &Db) -> Result<Vec<Depth>, DbError> {
    type Row = (String, String, i64, Option<DateTime<Utc>>);
    let rows: Vec<Row> = with_pool!(db, pool => sqlx::query_as(DEPTH).fetch_all(pool).await)?;
    rows.into_iter()
        .map(|(channel, state, count, oldest)| {
            let unknown = |_| corrupt("outbox", &channel, "unknown code");
            let (state, channel) = (state.parse().map_err(unknown)?, channel.parse().map_err(unknown)?);
            Ok(Depth { channel, state, count, oldest })
        })
        .collect()
}

/// The channels that are paused.
pub async fn pauses(db: &Db) -> Result<HashMap<Channel, Pause>, DbError> {
    let rows: Vec<(String, String, DateTime<Utc>)> =
        with_pool!(db, pool => sqlx::query_as(PAUSES).fetch_all(pool).await)?;
    rows.into_iter()
        .map(|(channel, reason, since)| {
            let channel = channel.parse().map_err(|_| corrupt("channel_pauses", &channel, "unknown code"))?;
            Ok((channel, Pause { reason, since }))
        })
        .collect()
}

/// How the processes that are alive find their channels.
pub async fn health(db: &Db, now: DateTime<Utc>) -> Result<Vec<HealthRow>, DbError> {
    let since = now - TimeDelta::seconds(HEALTH_SECONDS);
    Ok(with_pool!(db, pool => sqlx::query_as(HEALTH).bind(since).fetch_all(pool).await)?)
}

/// The access tokens.
pub async fn tokens(db: &Db) -> Result<Vec<TokenRow>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(TOKENS).fetch_all(pool).await)?)
}

/// How many messages each channel's provider, or the inbox, took since then.
pub async fn accepted_since(db: &Db, since: DateTime<Utc>) -> Result<HashMap<Channel, i64>, DbError> {
    let rows: Vec<(String, i64)> = with_pool!(db, pool => sqlx::query_as(SENT)
        .bind(since - SENT_DAYS)
        .bind(since)
        .fetch_all(pool)
        .await)?;
    rows.into_iter()
        .map(|(channel, count)| {
            let channel = channel.parse().map_err(|_| corrupt("deliveries", &channel, "unknown code"))?;
            Ok((channel, count))
        })
        .collect()
}

/// How many messages have not reached each person: waiting, under way, or given up.
pub async fn undelivered(db: &Db) -> Result<HashMap<StaffId, i64>, DbError> {
    let rows: Vec<(Uuid, i64)> = with_pool!(db, pool => sqlx::query_as(UNDELIVERED).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(recipient, count)| (StaffId(recipient), count)).collect())
}

/// How much of an app's budget was used in the last `seconds`.
pub async fn used(db: &Db, app: &str, seconds: i64, now: DateTime<Utc>) -> Result<i64, DbError> {
    let since = (now.timestamp() - seconds).div_euclid(BUCKET_SECONDS);
    Ok(with_pool!(db, pool => sqlx::query_scalar(BUDGET).bind(app).bind(since).fetch_one(pool).await)?)
}

/// How much the busiest receiver of a channel was sent in the last `seconds`. Receivers are counted by a digest of who they
/// are, so nobody is named here.
pub async fn used_by_busiest(
    db: &Db,
    channel: Channel,
    seconds: i64,
    now: DateTime<Utc>,
) -> Result<i64, DbError> {
    let since = (now.timestamp() - seconds).div_euclid(BUCKET_SECONDS);
    Ok(with_pool!(db, pool => sqlx::query_scalar(BUSIEST)
        .bind(channel.as_str())
        .bind(since)
        .fetch_one(pool)
        .await)?)
}
