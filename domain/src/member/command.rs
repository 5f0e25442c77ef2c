//! What may be asked of a member, and why it may refuse.

use chrono::{DateTime, Utc};

use super::codes::MemberKind;
use super::fields::{MemberField, MemberFields, MemberPatch};
use super::source::{MemberSource, RowFingerprint, SourceKey};
use crate::envelope::Actor;

/// A row as an intake saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Which row.
    pub key: SourceKey,
    /// Its columns.
    pub fields: MemberFields,
    /// Columns of which nothing is known: not told, or not readable. They stay as they were, which a NULL would not.
    pub silent: Vec<MemberField>,
    /// Whether the source marks it as deleted, or has it no longer.
    pub deleted: bool,
    /// A hash of the row; see [`RowFingerprint::of`].
    pub fingerprint: RowFingerprint,
    /// When the person registered, as the source says.
    pub registered_at: Option<DateTime<Utc>>,
}

/// What was paid for.
#[derive(Debug, Clone, PartialEq)]
pub struct Upgrade {
    /// The new type.
    pub to: MemberKind,
    /// Matches from now on; `None`: system S's rule for the type (existing-systems.md section 7.1).
    pub remaining_matches: Option<i64>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// Until when it holds.
    pub expires_at: Option<DateTime<Utc>>,
    /// What is written with it.
    pub notes: Option<String>,
}

/// What may be asked of a member.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberCommand {
    /// Write down a person whom Leadwire itself was told of.
    Register {
        /// By which way.
        source: MemberSource,
        /// What is known; a member number, a WeChat id and a phone must be there (existing-systems.md section 7.1).
        fields: Box<MemberFields>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take note of a row: the one command of every capture. It decides by itself what became of the member.
    Observe {
        /// The row.
        row: Box<Observation>,
        /// The part of the system that saw it.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Change fields; never the type or the status.
    Update {
        /// The fields.
        changes: Box<MemberPatch>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let the member take part.
    Activate {
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Write down that the member paid for more, or for the same once more: until a later day.
    Upgrade {
        /// For what.
        upgrade: Upgrade,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take the membership back.
    Revoke {
        /// Why.
        reason: Option<String>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Take the member off every list.
    Delete {
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a member refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// There is no such member, or not any more.
    #[error("会员不存在")]
    NotFound,
    /// It exists already; a command id was reused with another stream.
    #[error("会员已存在")]
    AlreadyExists,
    /// One of the three that a registration needs is missing.
    #[error("请填写会员编号、微信号和手机号")]
    MissingIdentity,
    /// A change of type or status came as a change of fields.
    #[error("会员类型和状态不能直接修改")]
    NotAField,
    /// The wanted type is no more than what the member has.
    #[error("只能升级到更高的会员类型")]
    NotAnUpgrade,
    /// The wanted type is what the member has, and would end before what was paid for.
    #[error("续费的到期时间不能早于现在的到期时间")]
    NotARenewal,
    /// The membership was taken back.
    #[error("会员已撤销")]
    Revoked,
}
