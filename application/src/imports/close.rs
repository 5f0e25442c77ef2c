//! Ends an import that nobody carries on, so that the owners of what was stored still learn of it.

use chrono::{DateTime, Utc};
use domain::batch::BatchError;
use domain::{Actor, BatchId, CommandId, Metadata};

use super::run::{ImportRefusal, end};
use crate::bus::{CommandBus, CommandContext, ExecuteError};

/// Who ends abandoned imports.
const ACTOR: &str = "imports";

/// Ends an import. Nothing happens when it is over: two processes may try at once.
pub async fn close<B: CommandBus>(
    bus: &B,
    batch: BatchId,
    at: DateTime<Utc>,
) -> Result<(), ExecuteError<ImportRefusal>> {
    let metadata = Metadata {
        command: CommandId::from_key(&batch.to_string(), "close"),
        correlation: batch.to_string(),
        causation: None,
        actor: Actor::System(ACTOR.to_owned()),
    };
    let context = CommandContext { metadata, at, fingerprint: None };
    match end(bus, &context, batch, at).await {
        Ok(_) | Err(ExecuteError::Refused(ImportRefusal::Batch(BatchError::Done))) => Ok(()),
        Err(error) => Err(error),
    }
}
