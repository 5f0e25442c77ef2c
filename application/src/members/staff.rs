//! What the staff does with members: register, change, activate, upgrade, revoke, delete.

use domain::member::{
    Gender, Member, MemberCommand, MemberError, MemberFields, MemberKind, MemberPatch, MemberSource,
    MemberStatus, Upgrade,
};
use domain::{Aggregate, MemberId, Sequence, StreamId};

use super::guards::{self, Contested, Left};
use super::{MemberReceipt, MemberRefusal, MemberResult, taken_as_refusal};
use crate::access::{self, Caller};
use crate::bus::{CommandBus, CommandContext, ExecuteError, Plan, StreamAppend, Versioned, execute};
use crate::customers::after;

/// What to register.
#[derive(Debug, Clone)]
pub struct Register {
    /// Id of the new member; a replay answers with the first one.
    pub id: MemberId,
    /// What is known; has a number, a WeChat id and a phone.
    pub fields: MemberFields,
}

/// What to do with one member.
#[derive(Debug, Clone)]
pub struct Act {
    /// The member.
    pub member: MemberId,
    /// Version the caller saw.
    pub expected: Option<Sequence>,
    /// What.
    pub action: Action,
}

/// What may be done with one member.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Change fields.
    Update(Box<MemberPatch>),
    /// Let it take part.
    Activate,
    /// Write down that it paid for more.
    Upgrade(Upgrade),
    /// Take the membership back.
    Revoke {
        /// Why.
        reason: Option<String>,
    },
    /// Take it off every list; its number, phone and WeChat id are free again.
    Delete,
}

impl Action {
    fn needs(&self) -> access::Action {
        match self {
            Self::Update(_) => access::Action::UpdateMember,
            Self::Activate | Self::Upgrade(_) | Self::Revoke { .. } => access::Action::MoveMember,
            Self::Delete => access::Action::DeleteMember,
        }
    }

    /// What is said to somebody who may not.
    fn refusal(&self) -> &'static str {
        match self {
            Self::Update(_) => "无权限修改会员",
            Self::Activate | Self::Upgrade(_) | Self::Revoke { .. } => {
                "只有管理员、经理或运营可以变更会员状态"
            }
            Self::Delete => "只有管理员或经理可以删除会员",
        }
    }

    fn command(&self, context: &CommandContext) -> MemberCommand {
        let (by, at) = (context.metadata.actor.clone(), context.at);
        match self.clone() {
            Self::Update(changes) => MemberCommand::Update { changes, by, at },
            Self::Activate => MemberCommand::Activate { by, at },
            Self::Upgrade(upgrade) => MemberCommand::Upgrade { upgrade, by, at },
            Self::Revoke { reason } => MemberCommand::Revoke { reason, by, at },
            Self::Delete => MemberCommand::Delete { by, at },
        }
    }
}

/// Registers a member that somebody of the staff typed in.
pub async fn register<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: Register,
) -> MemberResult<MemberReceipt> {
    let done = execute(bus, context, async || {
        if !access::allows(caller.role, access::Action::RegisterMember) {
            return Err(ExecuteError::Refused(MemberRefusal::Forbidden("无权限登记会员")));
        }
        registration(request.id, MemberSource::Staff, completed(request.fields.clone()), context)
    });
    done.await.map_err(taken_as_refusal)
}

/// Does one thing with one member that is there. A number, phone or WeChat id that it shares with another member since it
/// was captured stands in the way of nothing but of taking it anew.
pub async fn act<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: Act,
) -> MemberResult<MemberReceipt> {
    let mut contested = Contested::new();
    loop {
        let ended =
            execute(bus, context, async || attempt(bus, caller, context, &request, &contested).await).await;
        match ended.as_ref().err().and_then(guards::taken) {
            Some(kind) if contested.insert(kind) => {}
            _ => return ended.map_err(taken_as_refusal),
        }
    }
}

async fn attempt<B: CommandBus>(
    bus: &B,
    caller: &Caller,
    context: &CommandContext,
    request: &Act,
    contested: &Contested,
) -> Result<Plan<MemberReceipt>, ExecuteError<MemberRefusal>> {
    if !access::allows(caller.role, request.action.needs()) {
        return Err(ExecuteError::Refused(MemberRefusal::Forbidden(request.action.refusal())));
    }
    let found = bus.load::<Member>(&StreamId::from(request.member)).await?;
    if !found.state.exists() {
        return Err(ExecuteError::Refused(MemberError::NotFound.into()));
    }
    if request.expected.is_some_and(|expected| expected != found.sequence) {
        return Err(ExecuteError::Refused(MemberRefusal::Stale { sequence: found.sequence }));
    }
    plan(request.member, &found, request.action.command(context), &Left::Kept(contested))
}

/// What a registration that Leadwire takes in itself means where the form says nothing (existing-systems.md section
/// 7.1): an active, normal member; one match for women, none for others.
pub(super) fn completed(mut fields: MemberFields) -> MemberFields {
    let female = fields.gender.as_ref().and_then(domain::member::Code::known) == Some(Gender::Female);
    fields.kind.get_or_insert_with(|| MemberKind::Normal.into());
    fields.status.get_or_insert_with(|| MemberStatus::Active.into());
    fields.remaining_matches.get_or_insert(i64::from(female));
    fields.is_success.get_or_insert(false);
    fields
}

/// The plan of a registration.
pub(super) fn registration(
    id: MemberId,
    source: MemberSource,
    fields: MemberFields,
    context: &CommandContext,
) -> Result<Plan<MemberReceipt>, ExecuteError<MemberRefusal>> {
    let (by, at) = (context.metadata.actor.clone(), context.at);
    let command = MemberCommand::Register { source, fields: Box::new(fields), by, at };
    plan(id, &Versioned { state: Member::default(), sequence: 0 }, command, &Left::Kept(&Contested::new()))
}

/// Decides and puts the plan together.
pub(super) fn plan(
    id: MemberId,
    found: &Versioned<Member>,
    command: MemberCommand,
    left: &Left<'_>,
) -> Result<Plan<MemberReceipt>, ExecuteError<MemberRefusal>> {
    let events = found.state.decide(command).map_err(|refused| ExecuteError::Refused(refused.into()))?;
    let now = after(&found.state, &events);
    let stream = StreamAppend::of(id, found.sequence, &events)?;
    let written = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let result = MemberReceipt { member: id, sequence: found.sequence + written, changed: written > 0 };
    Ok(Plan { streams: vec![stream], guards: guards::moved(id, &found.state, &now, left), result })
}
