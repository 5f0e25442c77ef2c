//! Work that commits together with a command's events: a checkpoint, decisions, outbox rows, a closed lease.

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use super::RecordedRaw;
use crate::db::{DbError, Tx};

/// Whether the attachment's owner may still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The lease holds: go on.
    Apply,
    /// Somebody else owns this now: the whole request is refused, its neighbours go on.
    Fenced,
}

/// How an attachment's fence may be asked.
#[derive(Debug)]
pub enum Fence {
    /// It has none: it always applies, and writes nothing before its events are placed.
    None,
    /// By itself.
    Alone,
    /// Together with others of its kind.
    Joint(Joint),
}

/// One row of a fence that is asked for many attachments at once, on PostgreSQL.
#[derive(Debug)]
pub struct Joint {
    /// Takes a JSON array of rows as text, applies those that pass as [`Attachment::fence`] would, and gives back their
    /// keys. Who is not among them is asked alone, which tells why.
    pub statement: &'static str,
    /// What the row is known by; no two attachments of a batch have the same.
    pub key: Uuid,
    /// The row.
    pub row: Value,
}

/// Work inside the batch's transaction, in two steps, because positions are given out in between and a request
/// refused after that would leave a hole.
///
/// Both steps may run twice: a batch that met a database error is tried once more from the beginning. A database
/// error here fails the whole batch, so keep constraint violations out of reach (`ON CONFLICT DO NOTHING`).
#[async_trait]
pub trait Attachment: Send + Sync {
    /// How the fence may be asked.
    fn kind(&self) -> Fence {
        Fence::Alone
    }

    /// Checks the fence, usually as a conditional `UPDATE` whose row count tells. Must not have written anything
    /// when it answers [`Verdict::Fenced`].
    async fn fence(&mut self, tx: &mut Tx<'_>) -> Result<Verdict, DbError>;

    /// Writes what belongs to these events, which have their final positions and are inserted right after.
    async fn write(&mut self, tx: &mut Tx<'_>, recorded: &[RecordedRaw]) -> Result<(), DbError>;
}
