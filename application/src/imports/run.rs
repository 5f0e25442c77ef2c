//! Stores the good rows of a file: begin, chunk by chunk, end.
//!
//! The key of the request, when there is one, names the beginning; the commands of the chunks and of the end derive
//! from the batch. A repeated upload therefore meets the receipts of what was done, and does the rest.

use chrono::{DateTime, Utc};
use domain::batch::{Batch, BatchCommand, BatchError, ImportStarted};
use domain::customer::CustomerError;
use domain::{Aggregate, BatchId, CommandId, CustomerId, Position, StaffId, StreamId};
use serde::{Deserialize, Serialize};

use super::chunk::{self, ChunkReceipt};
use super::{CHUNK_ROWS, RowError, RowRefusal, StoreRefusal, UniqueValues};
use crate::access::{self, Action, Caller};
use crate::bus::{
    AppendError, CommandBus, CommandContext, ExecuteError, Executed, GuardKind, Plan, StreamAppend, execute,
};
use crate::forms::CreateCustomer;
use crate::ports::{CustomerNumbers, Ids};

/// How often a chunk is planned again because somebody took one of its phones after it had looked.
const TAKEN_RETRIES_MAX: usize = 16;

/// Refusal of somebody whose role may not import.
const MAY_NOT_IMPORT: &str = "无权限导入客户";

/// A good row, and who gets it.
#[derive(Debug)]
pub struct PlacedRow {
    /// Its number in the sheet.
    pub number: u32,
    /// What it says.
    pub form: CreateCustomer,
    /// The owner, or why the one it names cannot be.
    pub owner: Result<StaffId, StoreRefusal>,
    /// Whether the row names the owner.
    pub named: bool,
}

/// What an import works with.
pub struct Stores<'s, B> {
    /// Loads and appends.
    pub bus: &'s B,
    /// Which phones and WeChat ids are taken.
    pub unique: &'s dyn UniqueValues,
    /// Customer numbers.
    pub numbers: &'s dyn CustomerNumbers,
    /// Ids of new customers.
    pub ids: &'s dyn Ids,
}

/// What to import.
#[derive(Debug)]
pub struct Import {
    /// Id of the batch: the command's own.
    pub batch: BatchId,
    /// The good rows of the file, all of them and in its order: which chunk a row is in follows from that.
    pub rows: Vec<PlacedRow>,
}

/// How an import went.
#[derive(Debug, PartialEq)]
pub struct Imported {
    /// Customers it created, by this upload or by its first try.
    pub created: usize,
    /// Good rows that were not stored, in the order of the file.
    pub refused: Vec<RowError>,
    /// Position of its last event.
    pub position: Position,
    /// Whether all of this had happened before.
    pub replayed: bool,
}

/// Why an import or one of its steps is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportRefusal {
    /// The role may not import.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The batch refuses: the import is over.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A row that the form took is refused by the aggregate: a fault of this program.
    #[error(transparent)]
    Customer(#[from] CustomerError),
}

/// How a step of an import ends.
pub(super) type Step<T> = Result<Executed<T>, ExecuteError<ImportRefusal>>;

/// What is remembered of the beginning and of the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Mark {
    batch: BatchId,
}

/// Whether somebody may import at all; asked before the file is read.
pub fn may_import(caller: &Caller) -> Result<(), ImportRefusal> {
    let may = access::allows(caller.role, Action::ImportCustomers)
        && access::allows(caller.role, Action::CreateCustomer);
    if may { Ok(()) } else { Err(ImportRefusal::Forbidden(MAY_NOT_IMPORT)) }
}

/// Stores the rows. A failure of the store on the way leaves what was stored; the same command carries on.
pub async fn run<B: CommandBus>(
    stores: &Stores<'_, B>,
    caller: &Caller,
    context: &CommandContext,
    import: &Import,
) -> Result<Imported, ExecuteError<ImportRefusal>> {
    may_import(caller).map_err(ExecuteError::Refused)?;
    begin(stores.bus, context, import).await?;
    let mut imported = Imported { created: 0, refused: Vec::new(), position: 0, replayed: false };
    for (n, rows) in import.rows.chunks(CHUNK_ROWS).enumerate() {
        match store(stores, context, import.batch, n, rows).await {
            Ok(chunk) => imported.take(chunk.result),
            // Whoever ended it was told that nobody carries it on; a row that is not in is told to the uploader.
            Err(ExecuteError::Refused(ImportRefusal::Batch(_))) => imported.interrupted(rows),
            Err(error) => return Err(error),
        }
    }
    let ended = end(stores.bus, &step(context, import.batch, "complete"), import.batch, context.at).await?;
    Ok(Imported { position: ended.position, replayed: ended.replayed, ..imported })
}

impl Imported {
    fn take(&mut self, chunk: ChunkReceipt) {
        self.created += chunk.created.len();
        let refused = chunk.refused.into_iter();
        self.refused.extend(refused.map(|(row, why)| RowError { row, refusal: RowRefusal::Stored(why) }));
    }

    fn interrupted(&mut self, rows: &[PlacedRow]) {
        let refusal = || RowRefusal::Stored(StoreRefusal::Interrupted);
        self.refused.extend(rows.iter().map(|row| RowError { row: row.number, refusal: refusal() }));
    }
}

/// The context of one step: a command of its own, the same whenever the import is repeated.
fn step(context: &CommandContext, batch: BatchId, name: &str) -> CommandContext {
    let mut step = context.clone();
    step.metadata.command = CommandId::from_key(&batch.to_string(), name);
    step
}

/// Claims the request's key and writes down that the import begins.
async fn begin<B: CommandBus>(bus: &B, context: &CommandContext, import: &Import) -> Step<Mark> {
    let rows = i64::try_from(import.rows.len()).unwrap_or(i64::MAX);
    let started = || ImportStarted { rows, by: context.metadata.actor.clone(), at: context.at };
    execute(bus, context, async || {
        let found = bus.load::<Batch>(&StreamId::from(import.batch)).await?;
        let events = found.state.decide(BatchCommand::StartImport(started())).map_err(refused)?;
        let streams = vec![StreamAppend::of(import.batch, found.sequence, &events)?];
        Ok(Plan { streams, guards: vec![], result: Mark { batch: import.batch } })
    })
    .await
}

/// Stores one chunk; plans it again when somebody takes one of its phones meanwhile.
async fn store<B: CommandBus>(
    stores: &Stores<'_, B>,
    context: &CommandContext,
    batch: BatchId,
    n: usize,
    rows: &[PlacedRow],
) -> Step<ChunkReceipt> {
    let context = step(context, batch, &format!("chunk {n}"));
    // One id a row for all tries.
    let ids: Vec<_> = rows.iter().map(|_| CustomerId(stores.ids.next())).collect();
    let mut attempt = 0;
    loop {
        let outcome =
            execute(stores.bus, &context, async || chunk::plan(stores, &context, batch, rows, &ids).await)
                .await;
        match outcome {
            Err(ExecuteError::Append(AppendError::Taken {
                kind: GuardKind::CustomerPhone | GuardKind::CustomerWechat,
                ..
            })) if attempt < TAKEN_RETRIES_MAX => attempt += 1,
            other => return other,
        }
    }
}

/// Writes down that no more rows will follow; nothing when somebody did before.
pub(super) async fn end<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    batch: BatchId,
    at: DateTime<Utc>,
) -> Step<Mark> {
    execute(bus, context, async || {
        let found = bus.load::<Batch>(&StreamId::from(batch)).await?;
        let events = found.state.decide(BatchCommand::CompleteImport { at }).map_err(refused)?;
        let streams = vec![StreamAppend::of(batch, found.sequence, &events)?];
        Ok(Plan { streams, guards: vec![], result: Mark { batch } })
    })
    .await
}

pub(super) fn refused(refusal: impl Into<ImportRefusal>) -> ExecuteError<ImportRefusal> {
    ExecuteError::Refused(refusal.into())
}
