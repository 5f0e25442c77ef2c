//! How this process finds the channel, for screens of other processes. Overwritten, not a history.

use chrono::{DateTime, Utc};
use domain::notification::Failure;

use super::attempt::Engine;
use super::gate::Standing;
use crate::db::{Db, DbError};
use crate::outbox::lease::Tenant;
use crate::with_tx;

pub(super) const PUBLISH: &str = "
INSERT INTO channel_health (channel, app, owner, state, until, failure_class, failure_code, detail, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (channel, app, owner) DO UPDATE SET state = excluded.state, until = excluded.until,
       failure_class = excluded.failure_class, failure_code = excluded.failure_code, detail = excluded.detail,
       updated_at = excluded.updated_at";

impl Engine {
    /// Lets other processes see how this one finds the channel.
    pub(super) async fn publish(&self) {
        let trouble = self.lock_trouble().clone();
        let (db, standing) = (self.bus.log().db(), self.gate.standing());
        if let Err(error) = publish(db, &self.tenant, standing, trouble.as_ref(), self.now()).await {
            tracing::warn!(%error, channel = %self.tenant.channel, "the channel's state cannot be shown");
        }
    }
}

/// Writes the row of this dispatcher. `failure` is why it rests.
async fn publish(
    db: &Db,
    tenant: &Tenant,
    standing: Standing,
    failure: Option<&Failure>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let (state, until) = match standing {
        Standing::Open => ("open", None),
        Standing::Resting(until) if until > now => ("resting", Some(until)),
        Standing::Resting(until) => ("probing", Some(until)),
    };
    let failure = failure.filter(|_| until.is_some());
    let mut tx = db.begin_write().await?;
    with_tx!(&mut tx, conn => sqlx::query(PUBLISH)
        .bind(tenant.channel.as_str())
        .bind(&tenant.app)
        .bind(tenant.owner)
        .bind(state)
        .bind(until)
        .bind(failure.map(|failure| failure.class.as_str()))
        .bind(failure.and_then(|failure| failure.code))
        .bind(failure.map(|failure| failure.detail.as_str()))
        .bind(now)
        .execute(conn)
        .await
        .map(drop))?;
    tx.commit().await
}
