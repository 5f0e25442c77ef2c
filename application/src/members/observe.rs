//! A row was seen: the one use case of every capture, whether a trigger, a poll, a file or a signed message brought it.

use chrono::{DateTime, Utc};
use domain::member::{Member, MemberCommand, Observation, SourceKey};
use domain::{Actor, CommandId, MemberId, Metadata, StreamId};
use serde::{Deserialize, Serialize};

use super::guards::{self, Contested, Left};
use super::staff::plan;
use super::{MemberReceipt, MemberRefusal, MemberResult};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, execute};

/// The part of the system that members are captured by.
pub const INTAKE: &str = "intake";

/// What is remembered of an observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedReceipt {
    /// The member, its version, and whether the row said anything new.
    #[serde(flatten)]
    pub member: MemberReceipt,
    /// Values of the row that another member holds, and keeps.
    #[serde(default, skip_serializing_if = "Contested::is_empty")]
    pub contested: Contested,
}

/// How an observation ends.
pub type Observed = MemberResult<ObservedReceipt>;

/// Who asks and why, for one capture of a row. The same capture is the same command: read again after a crash, it has
/// no second effect, whatever the row says by then (member-intake.md section 2). A retry of a capture that was parked
/// is another look and needs another `capture`, such as `42/2` for the second look of capture 42.
pub fn observation_context(
    key: &SourceKey,
    capture: &str,
    correlation: String,
    at: DateTime<Utc>,
) -> CommandContext {
    let command = CommandId::of_capture(key, capture);
    let actor = Actor::System(INTAKE.to_owned());
    CommandContext {
        metadata: Metadata { command, correlation, causation: None, actor },
        at,
        fingerprint: Some(command.to_string()),
    }
}

/// Takes note of a row: the member is registered, changed, activated, upgraded, revoked or deleted, or nothing happened.
///
/// A row is never refused for a number, phone or WeChat id that another member has: the table it stands in is not ours
/// to rule, and whoever registered must be told of. What is held stays with whom it is, and the first look at the row
/// after it was given up takes it, whether the row changed or not.
///
/// What came of it stands in the events: a row that says nothing new has `member.changed == false`. The same context is
/// the same capture; whoever wants a row looked at once more, as after a parked capture, gives the look a capture of its
/// own ([`observation_context`]).
pub async fn observe<B: CommandBus>(bus: &B, context: &CommandContext, row: Observation) -> Observed {
    let mut contested = Contested::new();
    loop {
        let ended = execute(bus, context, async || attempt(bus, context, &row, &contested).await).await;
        match ended.as_ref().err().and_then(guards::taken) {
            Some(kind) if contested.insert(kind) => {}
            _ => return ended,
        }
    }
}

async fn attempt<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    row: &Observation,
    contested: &Contested,
) -> Result<Plan<ObservedReceipt>, ExecuteError<MemberRefusal>> {
    let id = MemberId::of_row(&row.key);
    let found = bus.load::<Member>(&StreamId::from(id)).await?;
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let command = MemberCommand::Observe { row: Box::new(row.clone()), by, at };
    let Plan { streams, guards, result } = plan(id, &found, command, &Left::Any(contested))?;
    let result = ObservedReceipt { member: result, contested: contested.clone() };
    Ok(Plan { streams, guards, result })
}
