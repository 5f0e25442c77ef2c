//! Use cases of a member 会员 of system S: typed in by the staff, sent by the person, or seen in a row.
//!
//! [`register`] and [`act`] are what the staff does, [`register_publicly`] is the public form, [`observe`] is the one way
//! of every capture. Who may ask is [`crate::access`]; what may happen is [`domain::member`].

mod guards;
mod observe;
mod public;
mod row;
mod staff;
#[cfg(test)]
mod tests;

use domain::member::MemberError;
use domain::{MemberId, Sequence};
use serde::{Deserialize, Serialize};

pub use guards::Contested;
pub use observe::{INTAKE, Observed, ObservedReceipt, observation_context, observe};
pub use public::{PUBLIC_FORM, PublicRegistration, Registered, register_publicly};
pub use row::{ColumnFault, ColumnRule, ReadRow, read_moment, read_observation};
pub use staff::{Act, Action, Register, act, register};

use crate::bus::{AppendError, ExecuteError, Executed, GuardKind};

/// What is remembered of a command on one member: the answer is the member at `sequence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReceipt {
    /// The member.
    pub member: MemberId,
    /// Its version after the command.
    pub sequence: Sequence,
    /// Whether the command changed anything.
    pub changed: bool,
}

/// How a member command ends.
pub type MemberResult<T> = Result<Executed<T>, ExecuteError<MemberRefusal>>;

/// Why a member command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberRefusal {
    /// The aggregate refuses.
    #[error(transparent)]
    Rule(#[from] MemberError),
    /// The role may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Another member has the number.
    #[error("该会员编号已存在")]
    DuplicateNumber,
    /// Another member has the phone.
    #[error("该手机号已被其他会员使用")]
    DuplicatePhone,
    /// Another member has the WeChat id.
    #[error("该微信号已被其他会员使用")]
    DuplicateWechat,
    /// The caller's version is old, or somebody else was faster.
    #[error("会员已被其他人修改，请刷新后重试")]
    Stale {
        /// Its version now.
        sequence: Sequence,
    },
}

/// Says in the caller's words what a guard found.
fn taken_as_refusal(error: ExecuteError<MemberRefusal>) -> ExecuteError<MemberRefusal> {
    let ExecuteError::Append(AppendError::Taken { kind, .. }) = &error else { return error };
    let refusal = match kind {
        GuardKind::MemberNumber => MemberRefusal::DuplicateNumber,
        GuardKind::MemberPhone => MemberRefusal::DuplicatePhone,
        GuardKind::MemberWechat => MemberRefusal::DuplicateWechat,
        _ => return error,
    };
    ExecuteError::Refused(refusal)
}
