//! The nightly check: what should have been decided, requested and queued against what was (product.md G9). One process
//! of all does it; what it finds is kept for screens and probes, and said loudly when something is wrong.

use std::time::Duration;

use chrono::{NaiveDate, Timelike as _};
use infrastructure::db::DbError;
use infrastructure::self_check;
use projections::policy_runner::{Reconciliation, reconcile};
use tokio::time::sleep;

use crate::app::App;
use crate::http::deliveries::policy;

/// The hour, in `limits.zone`, from which on the night's check is due.
const HOUR: u32 = 3;
/// The hour from which on it is too late: the day's work goes first, and the next night checks everything again.
const TOO_LATE: u32 = 6;
/// How often the clock is looked at.
const PERIOD: Duration = Duration::from_mins(1);

/// Looks at the clock until the service stops.
pub async fn watch(app: &App) {
    let mut done = None;
    loop {
        if let Some(day) = due(app).filter(|day| done != Some(*day)) {
            match check(app, day).await {
                Ok(_) => done = Some(day),
                Err(error) => tracing::error!(error = %error, "the nightly check was not done"),
            }
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = sleep(PERIOD) => {}
        }
    }
}

/// The night that is to be checked now.
pub fn due(app: &App) -> Option<NaiveDate> {
    let local = app.clock.now().with_timezone(&app.limits().zone);
    (HOUR..TOO_LATE).contains(&local.hour()).then(|| local.date_naive())
}

/// Checks, unless another process did or does; what it found.
pub async fn check(app: &App, day: NaiveDate) -> Result<Option<Reconciliation>, DbError> {
    if !self_check::claim(&app.db, day, app.clock.now()).await? {
        return Ok(None);
    }
    let found = reconcile(&policy(app), 0).await?;
    let clean = found.is_clean();
    let result = serde_json::to_string(&found).unwrap_or_default();
    self_check::end(&app.db, day, clean, &result, app.clock.now()).await?;
    if clean {
        tracing::info!(self_check.day = %day, events = found.events, "the nightly check found nothing");
    } else {
        tracing::error!(
            self_check.day = %day, missing = found.missing, notices_missing = found.notices_missing,
            "the nightly check found differences; run `leadwire deliveries reconcile --repair`"
        );
    }
    Ok(Some(found))
}
