//! Use cases of a reader: mark some, mark all up to one.

use domain::Aggregate;
use domain::inbox::{Inbox, InboxCommand, InboxError};
use serde::{Deserialize, Serialize};

use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};

/// What is remembered of a reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadReceipt {
    /// Notices that the request turned from unread to read.
    pub count: u64,
}

/// Marks notices as read. `count` is how many of them the inbox showed as unread when the request came.
pub async fn mark<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    reader: domain::StaffId,
    count: u64,
    command: InboxCommand,
) -> Result<Executed<ReadReceipt>, ExecuteError<InboxError>> {
    execute(bus, context, async || {
        let stream = Inbox::stream(reader);
        let found = bus.load::<Inbox>(&stream).await?;
        let events = found.state.decide(command.clone()).map_err(ExecuteError::Refused)?;
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: ReadReceipt { count },
        })
    })
    .await
}
