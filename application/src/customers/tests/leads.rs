//! Leads as the rules that move them find them, for the tests of those rules: commands that are decided and written as a
//! use case would.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use domain::contact::Phone;
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerCommand, CustomerNumber, FollowUpKind, LeadLevel, LeadSource,
    Placement, Profile,
};
use domain::{Actor, Aggregate, CommandId, FollowUpId, Metadata, StaffId, StreamId};
use uuid::Uuid;

use super::memory::{Memory, ready};
use crate::bus::{CommandBus, CommandContext, Draft, GuardChange, StreamAppend};

/// A command of its own without a key.
pub(crate) fn context(by: Actor, at: DateTime<Utc>) -> CommandContext {
    static COMMANDS: AtomicU64 = AtomicU64::new(1);
    let n = u128::from(COMMANDS.fetch_add(1, Ordering::Relaxed));
    let command = CommandId(Uuid::from_u128(1 << 64 | n));
    let metadata = Metadata { command, correlation: "test".into(), causation: None, actor: by };
    CommandContext { metadata, at, fingerprint: None }
}

/// Decides and writes.
pub(crate) fn write<A: Aggregate>(
    bus: &Memory,
    stream: impl Into<StreamId>,
    command: A::Command,
    guards: Vec<GuardChange>,
    at: DateTime<Utc>,
) {
    let stream = stream.into();
    let found = ready(bus.load::<A>(&stream)).unwrap();
    let events = found.state.decide(command).unwrap();
    let CommandContext { metadata, at, .. } = context(Actor::System("test".into()), at);
    let streams = vec![StreamAppend::of(stream, found.sequence, &events).unwrap()];
    ready(bus.append(Draft { metadata, recorded_at: at, streams, guards, receipt: None })).unwrap();
}

/// The n-th lead comes to its owner.
pub(crate) fn created(n: u128, owner: StaffId, source: LeadSource, at: DateTime<Utc>) -> CustomerCommand {
    let profile = Profile {
        name: format!("客户{n}"),
        lead_source: Some(source),
        phone: Some(Phone::parse(&format!("138{n:08}")).unwrap()),
        ..Profile::default()
    };
    CustomerCommand::Create {
        number: CustomerNumber::nth(u64::try_from(n).unwrap()),
        profile: Box::new(profile),
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        placement: Placement::Owner(owner, "测试".into()),
        import: None,
        by: Actor::Staff(owner),
        at,
    }
}

/// Somebody calls, and says when to call next.
pub(crate) fn called(
    n: u128,
    by: StaffId,
    at: DateTime<Utc>,
    next_follow_up_at: Option<DateTime<Utc>>,
) -> CustomerCommand {
    CustomerCommand::RecordFollowUp {
        id: FollowUpId(Uuid::from_u128(n)),
        kind: FollowUpKind::Phone,
        content: "客户下周回复".into(),
        next_follow_up_at,
        by: Actor::Staff(by),
        at,
    }
}

/// Somebody gives it to somebody by hand.
pub(crate) fn given(to: StaffId, by: StaffId, at: DateTime<Utc>) -> CustomerCommand {
    CustomerCommand::Assign { to, reason: None, source: AssignmentSource::Manual, by: Actor::Staff(by), at }
}
