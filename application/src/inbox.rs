//! Use cases of a reader: mark some, mark all up to one, put aside, put off, take back.

use domain::inbox::{Inbox, InboxCommand, InboxError, InboxEvent, Reading, UndoToken};
use domain::{Aggregate, Sequence, StaffId};
use serde::{Deserialize, Serialize};

use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};

/// What is remembered of a reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReadReceipt {
    /// Notices that the request turned.
    pub count: u64,
    /// Number of the event it became in the reader's stream; `None` when nothing happened.
    #[serde(default)]
    pub sequence: Option<Sequence>,
}

/// Carries out what a reader wants. `count` is how many notices it turns as the inbox showed them when the request came.
pub async fn mark<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    reader: StaffId,
    count: u64,
    command: InboxCommand,
) -> Result<Executed<ReadReceipt>, ExecuteError<InboxError>> {
    execute(bus, context, async || {
        let stream = Inbox::stream(reader);
        let found = bus.load::<Inbox>(&stream).await?;
        let events = found.state.decide(command.clone()).map_err(ExecuteError::Refused)?;
        let sequence = (!events.is_empty()).then_some(found.sequence + 1);
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: ReadReceipt { count, sequence },
        })
    })
    .await
}

/// What is remembered of a taking back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UndoReceipt {
    /// What was taken back.
    pub reading: Option<Reading>,
}

/// Takes back what the token names.
pub async fn undo<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    reader: StaffId,
    token: UndoToken,
) -> Result<Executed<UndoReceipt>, ExecuteError<InboxError>> {
    execute(bus, context, async || {
        let stream = Inbox::stream(reader);
        let found = bus.load::<Inbox>(&stream).await?;
        let command = InboxCommand::Undo { reader, token, at: context.at };
        let events = found.state.decide(command).map_err(ExecuteError::Refused)?;
        let reading = events.iter().find_map(|event| match event {
            InboxEvent::Undone(undone) => Some(undone.reading),
            _ => None,
        });
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: UndoReceipt { reading },
        })
    })
    .await
}
