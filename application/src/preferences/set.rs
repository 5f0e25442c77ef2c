//! The use case: a person or an administrator replaces a document.

use domain::preferences::{
    Document, Preferences, PreferencesCommand, PreferencesError, PreferencesSet, Whose,
};
use domain::{Aggregate, Sequence};
use serde::{Deserialize, Serialize};

use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};

/// What is remembered of a change to a document or a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingReceipt {
    /// Number of the stream's last event afterwards; the answer shows the state there.
    pub sequence: Sequence,
}

/// Why a document is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesRefusal {
    /// The document breaks rules.
    #[error(transparent)]
    Rule(#[from] PreferencesError),
    /// Somebody else has changed it since the caller saw it.
    #[error("设置已被其他人修改，请刷新后重试")]
    Stale {
        /// Where it is now.
        sequence: Sequence,
    },
}

/// Replaces the document. `expected` is the version the caller saw, when it said one.
pub async fn set<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    whose: Whose,
    document: &Document,
    expected: Option<Sequence>,
) -> Result<Executed<SettingReceipt>, ExecuteError<PreferencesRefusal>> {
    execute(bus, context, async || {
        let stream = whose.stream();
        let found = bus.load::<Preferences>(&stream).await?;
        if expected.is_some_and(|expected| expected != found.sequence) {
            return Err(ExecuteError::Refused(PreferencesRefusal::Stale { sequence: found.sequence }));
        }
        let (by, at) = (context.metadata.actor.clone(), context.at);
        let command = PreferencesCommand::Set(PreferencesSet { whose, document: document.clone(), by, at });
        let events = found.state.decide(command).map_err(|error| ExecuteError::Refused(error.into()))?;
        let sequence = found.sequence + i64::try_from(events.len()).unwrap_or_default();
        Ok(Plan {
            streams: vec![StreamAppend::of(stream, found.sequence, &events)?],
            guards: vec![],
            result: SettingReceipt { sequence },
        })
    })
    .await
}
