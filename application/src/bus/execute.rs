//! Carrying out one command: answer a replay, plan, append, and plan again when somebody else was faster.

use chrono::{DateTime, Utc};
use domain::{Metadata, Position};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    AppendError, Appended, CommandBus, Draft, GuardChange, GuardKind, LoadError, Receipt, StreamAppend,
};

/// How often a command is decided again after somebody else wrote to its streams in between. Of n commands on one
/// stream at once the last one waits for n - 1 others, so this is how many may edit one lead at the same moment.
pub const CONFLICT_RETRIES_MAX: usize = 64;

/// Who asks, why and when: the same for every attempt of one command.
#[derive(Debug, Clone)]
pub struct CommandContext {
    /// Command, correlation, causation, actor.
    pub metadata: Metadata,
    /// When the request arrived.
    pub at: DateTime<Utc>,
    /// Fingerprint of the request when the caller sent an idempotency key.
    pub fingerprint: Option<String>,
}

/// What a use case wants committed, and the result to remember.
#[derive(Debug)]
pub struct Plan<T> {
    /// Events by stream.
    pub streams: Vec<StreamAppend>,
    /// Unique values taken and given back, counts changed.
    pub guards: Vec<GuardChange>,
    /// Ids and sequences from which the answer is computed.
    pub result: T,
}

/// A command that was carried out, now or earlier.
#[derive(Debug, Clone, PartialEq)]
pub struct Executed<T> {
    /// Ids and sequences from which the answer is computed.
    pub result: T,
    /// Position of the last event written, or of the first answer when replayed.
    pub position: Position,
    /// Whether this is the first answer again.
    pub replayed: bool,
}

/// Why a command was not carried out: the use case's refusal `R`, or the store's.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError<R: std::error::Error> {
    /// The rules say no.
    #[error(transparent)]
    Refused(R),
    /// The store says no.
    #[error(transparent)]
    Append(AppendError),
    /// The aggregates could not be loaded.
    #[error(transparent)]
    Load(LoadError),
    /// An event could not be written as JSON.
    #[error("an event could not be encoded: {0}")]
    Encode(String),
}

impl<R: std::error::Error> From<LoadError> for ExecuteError<R> {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl<R: std::error::Error> From<serde_json::Error> for ExecuteError<R> {
    fn from(error: serde_json::Error) -> Self {
        Self::Encode(error.to_string())
    }
}

/// Carries out one command: answers a replay, plans, appends, and plans again when somebody else was faster.
///
/// `plan` loads, decides and may refuse; it is called afresh for every attempt. A refusal of a keyed command is
/// checked against the receipts once more, because the twin of this request may have committed meanwhile and
/// made its own repetition impossible.
pub async fn execute<B, T, R, F, Fut>(
    bus: &B,
    context: &CommandContext,
    plan: F,
) -> Result<Executed<T>, ExecuteError<R>>
where
    B: CommandBus,
    T: Serialize + DeserializeOwned,
    R: std::error::Error,
    F: Fn() -> Fut,
    Fut: Future<Output = Result<Plan<T>, ExecuteError<R>>>,
{
    if let Some(first) = replay(bus, context).await? {
        return Ok(first);
    }
    let mut attempt = 0;
    loop {
        let planned = match plan().await {
            Ok(planned) => planned,
            Err(refused @ ExecuteError::Refused(_)) => {
                return replay(bus, context).await?.ok_or(refused);
            }
            Err(other) => return Err(other),
        };
        let remembered = serde_json::to_value(&planned.result)?;
        let draft = Draft {
            metadata: context.metadata.clone(),
            recorded_at: context.at,
            streams: planned.streams,
            guards: planned.guards,
            receipt: context.fingerprint.clone().map(|fingerprint| (fingerprint, remembered)),
        };
        match bus.append(draft).await {
            Ok(Appended::Committed { last }) => {
                return Ok(Executed { result: planned.result, position: last, replayed: false });
            }
            Ok(Appended::Replayed(receipt)) => return first_answer(receipt),
            Err(error) if attempt < CONFLICT_RETRIES_MAX && may_pass_next_time(&error) => attempt += 1,
            Err(
                taken @ (AppendError::Taken { .. }
                | AppendError::LimitReached { .. }
                | AppendError::TooSoon { .. }),
            ) => {
                return replay(bus, context).await?.ok_or(ExecuteError::Append(taken));
            }
            Err(error) => return Err(ExecuteError::Append(error)),
        }
    }
}

/// Whether another plan may do better: somebody else wrote to the stream or used up the room meanwhile, and the next
/// plan sees what is so now; or the customer's number was given out before a restore, and the next plan draws another.
fn may_pass_next_time(error: &AppendError) -> bool {
    let number_taken = matches!(error, AppendError::Taken { kind: GuardKind::CustomerNumber, .. });
    number_taken || matches!(error, AppendError::Conflict { .. } | AppendError::LimitReached { .. })
}

async fn replay<B, T, R>(bus: &B, context: &CommandContext) -> Result<Option<Executed<T>>, ExecuteError<R>>
where
    B: CommandBus,
    T: DeserializeOwned,
    R: std::error::Error,
{
    let Some(fingerprint) = &context.fingerprint else { return Ok(None) };
    let Some(receipt) = bus.receipt(context.metadata.command).await? else { return Ok(None) };
    if receipt.fingerprint != *fingerprint {
        return Err(ExecuteError::Append(AppendError::KeyReused));
    }
    first_answer(receipt).map(Some)
}

fn first_answer<T, R>(receipt: Receipt) -> Result<Executed<T>, ExecuteError<R>>
where
    T: DeserializeOwned,
    R: std::error::Error,
{
    let result = serde_json::from_value(receipt.result)?;
    Ok(Executed { result, position: receipt.position, replayed: true })
}
