//! A batch assignment 批量分配: one command, one fact, one summary for each person it concerns.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::ids::{CustomerId, StaffId};
use crate::stored_events;

/// Most customers of one batch (http-api.md section 2).
pub const BATCH_CUSTOMERS_MAX: usize = 1000;

stored_events! {
    /// A fact about one batch.
    BatchEvent {
        /// It was carried out.
        Completed(BatchAssignmentCompleted) = 1,
    }
}

/// A batch was carried out 批量分配完成. Names only the leads that changed hands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchAssignmentCompleted {
    /// The person who gained them.
    pub to: StaffId,
    /// Each lead and who had it before.
    pub moved: Vec<MovedCustomer>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// One lead of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedCustomer {
    /// The lead.
    pub customer: CustomerId,
    /// Its owner before; `None` when nobody had it.
    pub from: Option<StaffId>,
}

/// A batch: it happens once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Whether it was carried out.
    pub completed: bool,
}

/// The batch was carried out before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the batch was carried out before")]
pub struct BatchDone;

impl Aggregate for Batch {
    const TYPE: &'static str = "batch";
    type Command = BatchAssignmentCompleted;
    type Event = BatchEvent;
    type Error = BatchDone;

    fn decide(&self, completed: BatchAssignmentCompleted) -> Result<Vec<BatchEvent>, BatchDone> {
        if self.completed {
            return Err(BatchDone);
        }
        if completed.moved.is_empty() {
            return Ok(vec![]); // nobody's lead moved: there is nothing to tell
        }
        Ok(vec![completed.into()])
    }

    fn evolve(&mut self, BatchEvent::Completed(_): &BatchEvent) {
        self.completed = true;
    }
}

crate::adapt_to_cqrs_es!(Batch);
