//! An operator's decision to send a delivery once more.

use application::ports::{Clock, Ids};
use domain::notification::NotificationCommand;
use domain::{Actor, CommandId, DeliveryId, Metadata, Position};

use super::decide::{DecideError, decide};
use crate::bus::Bus;

/// Puts a delivery that ended without arriving (dead, unknown, rejected) back to the first attempt, due at once.
/// Answers with the position of the recorded decision.
pub async fn requeue(
    bus: &Bus,
    (clock, ids): (&dyn Clock, &dyn Ids),
    delivery: DeliveryId,
    by: Actor,
    reason: &str,
) -> Result<Position, DecideError> {
    let at = clock.now();
    let metadata = Metadata {
        command: CommandId(ids.next()),
        correlation: format!("requeue-{delivery}"),
        causation: None,
        actor: by.clone(),
    };
    let command = NotificationCommand::Requeue { delivery, by, reason: reason.to_owned(), at };
    Ok(decide(bus, delivery, command, metadata, at).await?.unwrap_or_default())
}
