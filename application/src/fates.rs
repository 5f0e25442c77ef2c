//! The fate of a planned lead: a run did with it what was planned, or it stayed, and why.
//!
//! It is decided once. The command of run and lead leaves a receipt, also where nothing is done; whoever goes on with
//! the run meets it, in whatever process. So the end of a run never says of a lead that it stayed which did not.
//!
//! A lead that this program cannot read stays, and keeps no other from its fate, nor the run from its end.

use chrono::{DateTime, Utc};
use domain::{Aggregate, Metadata, StreamId};
use serde::{Deserialize, Serialize};

use crate::bus::{Appended, CommandBus, Draft, ExecuteError, LoadError, Receipt, Versioned};

/// Why a lead stayed that cannot be read.
pub const UNREADABLE: &str = "unreadable";

/// What was decided about a planned lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was done what was planned.
    Done,
    /// It stayed, for the reason with this code.
    Stayed(String),
}

/// What the receipt of a lead that stayed holds; whatever else one holds says that the lead did not.
#[derive(Serialize, Deserialize)]
struct Kept {
    skipped: String,
}

impl Fate {
    /// What was decided before, by whoever it was.
    pub(crate) fn of(receipt: Receipt) -> Self {
        let kept = serde_json::from_value(receipt.result);
        kept.map_or(Self::Done, |Kept { skipped }| Self::Stayed(skipped))
    }
}

/// Writes down that a lead stays, unless its fate was decided before. `metadata` is that of the command that would have
/// done what was planned, `fingerprint` its fingerprint.
pub(crate) async fn keep<B: CommandBus, R: std::error::Error>(
    bus: &B,
    (metadata, fingerprint): (Metadata, String),
    code: &str,
    at: DateTime<Utc>,
) -> Result<Fate, ExecuteError<R>> {
    let kept = serde_json::to_value(Kept { skipped: code.to_owned() })?;
    let draft = Draft {
        metadata,
        recorded_at: at,
        streams: vec![],
        guards: vec![],
        receipt: Some((fingerprint, kept)),
    };
    match bus.append(draft).await.map_err(ExecuteError::Append)? {
        Appended::Committed { .. } => Ok(Fate::Stayed(code.to_owned())),
        Appended::Replayed(receipt) => Ok(Fate::of(receipt)),
    }
}

/// Loads many streams set-wise, in the order asked; `None` stands for one that cannot be read, which an operator reads
/// of in the log. The others are loaded all the same.
pub async fn load_each<B: CommandBus, A: Aggregate>(
    bus: &B,
    streams: &[StreamId],
) -> Result<Vec<Option<Versioned<A>>>, LoadError> {
    match bus.load_many::<A>(streams).await {
        Ok(found) => return Ok(found.into_iter().map(Some).collect()),
        Err(LoadError::Undecodable { .. }) => {}
        Err(error) => return Err(error),
    }
    // Which ones are broken is asked one by one: it is rare, and a page is short.
    let mut found = Vec::with_capacity(streams.len());
    for stream in streams {
        found.push(load_readable(bus, stream).await?);
    }
    Ok(found)
}

/// Loads one stream; `None` when it cannot be read.
pub(crate) async fn load_readable<B: CommandBus, A: Aggregate>(
    bus: &B,
    stream: &StreamId,
) -> Result<Option<Versioned<A>>, LoadError> {
    match bus.load::<A>(stream).await {
        Ok(found) => Ok(Some(found)),
        Err(LoadError::Undecodable { stream, sequence, reason }) => {
            // The reason has no payload in it (domain::DecodeError).
            tracing::error!(
                stream.id = %stream, stream.sequence = sequence, error = reason,
                "{stream} cannot be read at {sequence}: runs leave it as it is until it can be"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
