//! Which delivery a report is about: the one with the provider's id, the cloud function's too if it passes on the id of
//! what it sent; else, because sends to one person are never at the
//! same time, the one whose answer never came (wechat-apis.md section 8.2).

use std::time::Duration;

use application::callbacks::effects::Report;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, DeliveryState};
use domain::{DeliveryId, NotificationId, StreamId};
use infrastructure::db::DbError;
use infrastructure::with_pool;
use uuid::Uuid;

use super::CallbackWorker;
use super::effect::Trouble;
use crate::read_models::ReadModel;

/// How long to wait for the read model of deliveries to be as far as the log.
const READ_MODEL_PATIENCE: Duration = Duration::from_secs(2);

/// How much earlier than the attempt a report of it may seem to be: two clocks, one of them in whole seconds.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(60);

/// How much later than the attempt a report of it may be made. Somebody else may send from the same app to the same
/// person: the cloud function does.
const REPORT_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// Attempts without an answer that are looked at; two are too many already.
const CANDIDATES_MAX: i64 = 3;

const BY_MESSAGE_ID: &str = "
SELECT id, notification FROM deliveries WHERE channel = $1 AND provider_message_id = $2
 ORDER BY requested_position DESC LIMIT 1";

const BY_LEDGER: &str = "
SELECT delivery_id, notification_id, state FROM outbox
 WHERE ledger = $1 AND ledger IS NOT NULL AND state IN ('in_flight', 'unknown', 'pending', 'retry')
   AND (state IN ('in_flight', 'unknown') OR maybe_arrived)
 ORDER BY position DESC LIMIT $2";

const LAST_ATTEMPT: &str = "SELECT max(started_at) FROM delivery_attempts WHERE delivery = $1";

/// Calls of the cloud function for the person of a delivery: the function sends from the same app, and its answer need not
/// say under which id.
const CLOUD_CALLS: &str = "
SELECT count(*) FROM deliveries d
  JOIN deliveries c ON c.recipient = d.recipient AND c.channel = 'wechat_cloud'
  JOIN delivery_attempts a ON a.delivery = c.id
 WHERE d.id = $1 AND a.started_at >= $2 AND a.started_at <= $3";

/// Every statement of this module, for the test that prepares them on both databases.
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[BY_MESSAGE_ID, BY_LEDGER, LAST_ATTEMPT, CLOUD_CALLS];

/// What a report is about.
pub(super) enum Found {
    /// This delivery.
    One(DeliveryId, NotificationId),
    /// Nothing that is known yet.
    TooEarly(&'static str),
}

impl CallbackWorker {
    pub(super) async fn find(
        &self,
        channels: &[Channel],
        report: &Report,
        ledger: Option<&StreamId>,
    ) -> Result<Found, Trouble> {
        if let Some(found) = self.by_message_id(channels, &report.message_id).await? {
            return Ok(found);
        }
        // What is under way, before it is looked up again: whatever ended until then is in the read model below.
        let candidates = match ledger {
            Some(ledger) => self.without_answer(ledger).await?,
            None => vec![],
        };
        if candidates.iter().any(|(_, _, state)| state == DeliveryState::InFlight.as_str()) {
            return Ok(Found::TooEarly("a request to this person is still under way"));
        }
        let head = self.bus.log().head().await?;
        let model = ReadModel::Deliveries.name();
        if !self.progress.wait_for(model, head, READ_MODEL_PATIENCE).await {
            return Ok(Found::TooEarly("the list of deliveries is behind the log"));
        }
        if let Some(found) = self.by_message_id(channels, &report.message_id).await? {
            return Ok(found);
        }
        let mut fitting = vec![];
        for (delivery, notification, _) in candidates {
            if self.is_in_time(delivery, report.at).await? {
                fitting.push((delivery, notification));
            }
        }
        Ok(match fitting.as_slice() {
            [(delivery, _)] if self.cloud_called(*delivery, report.at).await? => {
                Found::TooEarly("the cloud function may have sent this message")
            }
            [(delivery, notification)] => Found::One(DeliveryId(*delivery), NotificationId(*notification)),
            [] => Found::TooEarly("no delivery has the id of this message"),
            _ => Found::TooEarly("more than one delivery without an answer may be meant"),
        })
    }

    async fn by_message_id(&self, channels: &[Channel], id: &str) -> Result<Option<Found>, DbError> {
        for channel in channels {
            let row: Option<(Uuid, Uuid)> = with_pool!(self.bus.log().db(), pool => sqlx::query_as(BY_MESSAGE_ID)
                .bind(channel.as_str())
                .bind(id)
                .fetch_optional(pool)
                .await)?;
            if let Some((delivery, notification)) = row {
                return Ok(Some(Found::One(DeliveryId(delivery), NotificationId(notification))));
            }
        }
        Ok(None)
    }

    async fn without_answer(&self, ledger: &StreamId) -> Result<Vec<(Uuid, Uuid, String)>, DbError> {
        Ok(with_pool!(self.bus.log().db(), pool => sqlx::query_as(BY_LEDGER)
            .bind(ledger.as_str())
            .bind(CANDIDATES_MAX)
            .fetch_all(pool)
            .await)?)
    }

    async fn is_in_time(&self, delivery: Uuid, at: DateTime<Utc>) -> Result<bool, DbError> {
        let started: Option<DateTime<Utc>> = with_pool!(self.bus.log().db(), pool => {
            sqlx::query_scalar(LAST_ATTEMPT).bind(delivery).fetch_one(pool).await
        })?;
        Ok(started.is_some_and(|started| at >= started - CLOCKS_APART && at <= started + REPORT_WITHIN))
    }

    /// Whether the cloud function may be the sender: then a proof of its message would silence the lead that the person
    /// was not told of.
    async fn cloud_called(&self, delivery: Uuid, at: DateTime<Utc>) -> Result<bool, DbError> {
        let calls: i64 = with_pool!(self.bus.log().db(), pool => sqlx::query_scalar(CLOUD_CALLS)
            .bind(delivery)
            .bind(at - REPORT_WITHIN)
            .bind(at + CLOCKS_APART)
            .fetch_one(pool)
            .await)?;
        Ok(calls > 0)
    }
}
