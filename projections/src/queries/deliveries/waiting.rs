//! Why a delivery has not left: what its row in the outbox, the channel's pause and the channel's health say together.

use chrono::{DateTime, Utc};
use domain::DeliveryId;
use domain::notification::{Channel, DeliveryState, FailureClass};
use infrastructure::db::{Db, DbError};
use infrastructure::with_pool;
use serde::Serialize;
use sqlx::FromRow;

use super::DeliveryRow;

pub(super) const ROW: &str =
    "SELECT state, held_for, due_at, fallback_at, settle_at FROM outbox WHERE delivery_id = $1";
pub(super) const PAUSE: &str = "SELECT reason, paused_at FROM channel_pauses WHERE channel = $1";
/// Any process for which the channel works will do.
pub(super) const HEALTH: &str = "
SELECT state, until, failure_class FROM channel_health WHERE channel = $1 AND updated_at >= $2
 ORDER BY CASE state WHEN 'open' THEN 0 WHEN 'probing' THEN 1 ELSE 2 END, until LIMIT 1";

/// Why a delivery waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Waiting {
    /// An operator paused the channel.
    Paused {
        /// Why.
        reason: String,
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The channel is left alone for a while.
    Resting {
        /// What kind of failure it was.
        class: Option<String>,
        /// Until when.
        until: Option<DateTime<Utc>>,
    },
    /// Quiet hours, a digest; or the dispatcher put it off because of quiet hours.
    Held {
        /// Which.
        reason: String,
        /// Until when.
        until: DateTime<Utc>,
    },
    /// The channel before it may tell the person.
    Standby {
        /// That channel.
        after: Option<Channel>,
    },
    /// A limit or a quota has no room.
    Limited {
        /// When there is room again.
        until: DateTime<Utc>,
    },
    /// The last attempt failed.
    Retry {
        /// When the next one is due.
        until: DateTime<Utc>,
    },
    /// An attempt is under way.
    UnderWay,
    /// It is due and nobody has taken it yet.
    Queued {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Its arrival is unknown, and the channel's policy decides later.
    Proof {
        /// When.
        until: DateTime<Utc>,
    },
    /// It should be sent, and there is no work for it: `reconcile --repair` heals that.
    Lost,
}

/// When else something happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waits {
    /// Why it has not left.
    pub why: Waiting,
    /// When the next channel of its route speaks, if it has not told the person by then.
    pub fallback_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Work {
    state: String,
    held_for: Option<String>,
    due_at: DateTime<Utc>,
    fallback_at: Option<DateTime<Utc>>,
    settle_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct Health {
    state: String,
    until: Option<DateTime<Utc>>,
    failure_class: Option<String>,
}

/// Why `delivery` waits; `None` when nothing more happens by itself. What processes said of the channel before `since`
/// is too old to tell.
pub async fn why(
    db: &Db,
    delivery: &DeliveryRow,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Waits>, DbError> {
    let waits_for_proof = delivery.state == DeliveryState::Unknown && delivery.settlement.is_none();
    if delivery.channel == Channel::InApp || (delivery.state.is_final() && !waits_for_proof) {
        return Ok(None);
    }
    let Some(work) = work(db, delivery.id).await? else {
        return Ok(Some(Waits { why: Waiting::Lost, fallback_at: None }));
    };
    let fallback_at = work.fallback_at;
    let why = match work.state.parse() {
        Ok(DeliveryState::InFlight) => Waiting::UnderWay,
        Ok(DeliveryState::Held) => held(&work, delivery),
        Ok(DeliveryState::Unknown) => match work.settle_at {
            Some(until) => Waiting::Proof { until },
            None => return Ok(None),
        },
        Ok(DeliveryState::Pending | DeliveryState::Retry) => channel_rests(db, delivery.channel, since, now)
            .await?
            .unwrap_or_else(|| due(&work, delivery, now)),
        _ => return Ok(None), // it has just ended
    };
    Ok(Some(Waits { why, fallback_at }))
}

async fn work(db: &Db, delivery: DeliveryId) -> Result<Option<Work>, DbError> {
    Ok(with_pool!(db, pool => sqlx::query_as(ROW).bind(delivery.0).fetch_optional(pool).await)?)
}

fn held(work: &Work, delivery: &DeliveryRow) -> Waiting {
    match work.held_for.as_deref() {
        Some("standby") | None => Waiting::Standby { after: delivery.after },
        Some(reason) => Waiting::Held { reason: reason.to_owned(), until: work.due_at },
    }
}

/// What keeps the whole channel.
async fn channel_rests(
    db: &Db,
    channel: Channel,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<Waiting>, DbError> {
    let pause: Option<(String, DateTime<Utc>)> =
        with_pool!(db, pool => sqlx::query_as(PAUSE).bind(channel.as_str()).fetch_optional(pool).await)?;
    if let Some((reason, since)) = pause {
        return Ok(Some(Waiting::Paused { reason, since }));
    }
    let health: Option<Health> = with_pool!(db, pool => sqlx::query_as(HEALTH)
        .bind(channel.as_str())
        .bind(since)
        .fetch_optional(pool)
        .await)?;
    let resting =
        health.filter(|health| health.state != "open" && health.until.is_some_and(|until| until > now));
    Ok(resting.map(|health| Waiting::Resting { class: health.failure_class, until: health.until }))
}

fn due(work: &Work, delivery: &DeliveryRow, now: DateTime<Utc>) -> Waiting {
    let until = work.due_at;
    if let Some(reason) = work.held_for.clone().filter(|_| until > now) {
        return Waiting::Held { reason, until };
    }
    let quota = delivery.failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Quota);
    match delivery.state {
        _ if until <= now => Waiting::Queued { since: until },
        DeliveryState::Retry if !quota => Waiting::Retry { until },
        _ => Waiting::Limited { until },
    }
}
