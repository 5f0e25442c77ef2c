//! Whose commands the steps of a run are: the rules', never those of the people who gain (fault A-28).

use chrono::{DateTime, Utc};
use domain::customer::TRANSFER_RULE;
use domain::{Actor, CommandId, CustomerId, Metadata, TransferRunId};

use crate::bus::CommandContext;

/// A step of the run itself: the same command whoever takes it.
pub(super) fn step(run: TransferRunId, name: &str, at: DateTime<Utc>) -> CommandContext {
    let command = CommandId::from_key(&run.to_string(), name);
    CommandContext { metadata: metadata(run, command), at, fingerprint: None }
}

/// The move of one lead.
pub(super) fn move_of(run: TransferRunId, customer: CustomerId) -> Metadata {
    metadata(run, CommandId::of_move(run, customer))
}

fn metadata(run: TransferRunId, command: CommandId) -> Metadata {
    Metadata {
        command,
        correlation: run.to_string(),
        causation: None,
        actor: Actor::System(TRANSFER_RULE.to_owned()),
    }
}
