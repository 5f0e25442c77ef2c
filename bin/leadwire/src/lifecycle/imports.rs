//! Ends imports that nobody carries on: the process that stored their rows died on the way, and their owners have not
//! been told.

use std::time::Duration;

use application::imports::{self, ABANDONED_AFTER};
use infrastructure::db::DbError;
use projections::queries;
use tokio::time::sleep;

use crate::app::App;

/// How often abandoned imports are looked for. One indexed question, mostly without an answer.
const PERIOD: Duration = Duration::from_secs(5);

/// Ends what is abandoned now; how many imports that were. Harmless in several processes at once, because an import
/// ends once.
pub async fn close_abandoned(app: &App) -> Result<usize, DbError> {
    let now = app.clock.now();
    let found = queries::imports::abandoned(&app.db, now - ABANDONED_AFTER).await?;
    let mut closed = 0;
    for batch in found {
        match imports::close(&app.bus, batch, now).await {
            Ok(()) => {
                tracing::warn!(import.id = %batch, "an abandoned import was ended");
                closed += 1;
            }
            Err(error) => {
                tracing::error!(import.id = %batch, error = %error, "an abandoned import was not ended");
            }
        }
    }
    Ok(closed)
}

/// Looks for abandoned imports until the service stops.
pub async fn watch(app: &App) {
    loop {
        if let Err(error) = close_abandoned(app).await {
            tracing::warn!(error = %error, "abandoned imports were not looked for");
        }
        tokio::select! {
            () = app.stop.cancelled() => return,
            () = sleep(PERIOD) => {}
        }
    }
}
