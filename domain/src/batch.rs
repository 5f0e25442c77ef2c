//! A batch 批量操作: many leads assigned, released or imported as one, and one fact from which each person it
//! concerns gets one summary.
//!
//! Assignments and releases are one command and one event. An import is stored in chunks, so its stream tells how far
//! it came: who finds it unfinished can finish it.

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
        /// Leads were given to one person.
        Completed(BatchAssignmentCompleted) = 1,
        /// Leads were put into the public pool.
        Released(BatchReleaseCompleted) = 1,
        /// A file is being imported.
        ImportStarted(ImportStarted) = 1,
        /// Some of its rows are leads now.
        ImportChunkStored(ImportChunkStored) = 1,
        /// No more rows will follow.
        ImportCompleted(ImportCompleted) = 1,
    }
}

/// A batch was assigned 批量分配完成. Names only the leads that changed hands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchAssignmentCompleted {
    /// The person who gained them.
    pub to: StaffId,
    /// Each lead and who had it before.
    pub moved: Vec<MovedCustomer>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether they came out of the public pool.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_pool: bool,
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

/// A batch was put into the public pool 批量释放完成. Names only the leads that went there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReleaseCompleted {
    /// Each lead and who had it.
    pub released: Vec<OwnedCustomer>,
    /// Why.
    pub reason: String,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A lead and its owner: the former one of a release, the first one of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedCustomer {
    /// The lead.
    pub customer: CustomerId,
    /// Its owner.
    pub owner: StaffId,
}

/// A file is being imported 导入开始. Every row was read and checked before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportStarted {
    /// How many rows are good.
    pub rows: i64,
    /// Who brought it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Some rows of a file are leads now; written with them, in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportChunkStored {
    /// The leads of this chunk.
    pub created: Vec<OwnedCustomer>,
    /// When.
    pub at: DateTime<Utc>,
}

/// An import is over 导入完成, whether every row went in or the process died on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportCompleted {
    /// Every lead of every chunk.
    pub created: Vec<OwnedCustomer>,
    /// Who brought the file.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A batch: it happens once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Whether it was carried out.
    pub completed: bool,
    /// The import, when it is one.
    pub import: Option<Import>,
}

/// How far an import came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Import {
    /// Who brought the file.
    pub by: Actor,
    /// The leads stored so far.
    pub created: Vec<OwnedCustomer>,
}

/// What may be asked of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum BatchCommand {
    /// Write down an assignment.
    CompleteAssignment(BatchAssignmentCompleted),
    /// Write down a release.
    CompleteRelease(BatchReleaseCompleted),
    /// Begin an import.
    StartImport(ImportStarted),
    /// Write down a chunk of an import.
    StoreChunk(ImportChunkStored),
    /// End an import.
    CompleteImport {
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a batch refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// It was carried out before.
    #[error("the batch was carried out before")]
    Done,
    /// It is no import that is under way.
    #[error("the batch is not an import that is under way")]
    NoImport,
}

impl Aggregate for Batch {
    const TYPE: &'static str = "batch";
    type Command = BatchCommand;
    type Event = BatchEvent;
    type Error = BatchError;

    fn decide(&self, command: BatchCommand) -> Result<Vec<BatchEvent>, BatchError> {
        use BatchCommand as C;
        let import = self.import.as_ref();
        match command {
            C::CompleteImport { .. } if self.completed && import.is_some() => Ok(vec![]),
            _ if self.completed => Err(BatchError::Done),
            // Nobody's lead moved: there is nothing to tell.
            C::CompleteAssignment(completed) if completed.moved.is_empty() => Ok(vec![]),
            C::CompleteRelease(completed) if completed.released.is_empty() => Ok(vec![]),
            C::CompleteAssignment(completed) => Ok(vec![completed.into()]),
            C::CompleteRelease(completed) => Ok(vec![completed.into()]),
            C::StartImport(_) if import.is_some() => Ok(vec![]),
            C::StartImport(started) => Ok(vec![started.into()]),
            C::StoreChunk(chunk) if import.is_some() => Ok(vec![chunk.into()]),
            C::StoreChunk(_) => Err(BatchError::NoImport),
            C::CompleteImport { at } => {
                let Import { by, created } = import.cloned().ok_or(BatchError::NoImport)?;
                Ok(vec![ImportCompleted { created, by, at }.into()])
            }
        }
    }

    fn evolve(&mut self, event: &BatchEvent) {
        match event {
            BatchEvent::Completed(_) | BatchEvent::Released(_) | BatchEvent::ImportCompleted(_) => {
                self.completed = true;
            }
            BatchEvent::ImportStarted(e) => {
                self.import = Some(Import { by: e.by.clone(), created: Vec::new() });
            }
            BatchEvent::ImportChunkStored(e) => {
                if let Some(import) = &mut self.import {
                    import.created.extend(&e.created);
                }
            }
        }
    }
}

crate::adapt_to_cqrs_es!(Batch);
