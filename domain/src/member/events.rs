//! What can have happened to a member. An event that followed from a row names the row's fingerprint.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::codes::{Code, MemberKind, MemberStatus};
use super::fields::{FieldChange, MemberFields};
use super::source::{MemberSource, RowFingerprint};
use crate::envelope::Actor;
use crate::stored_events;

stored_events! {
    /// A fact about one member.
    MemberEvent {
        /// The member is known.
        Registered(MemberRegistered) = 1,
        /// Columns changed.
        Updated(MemberUpdated) = 1,
        /// The member takes part from now on.
        Activated(MemberActivated) = 1,
        /// The member paid for more.
        Upgraded(MemberUpgraded) = 1,
        /// The membership was taken back.
        Revoked(MemberRevoked) = 1,
        /// The member was deleted.
        Deleted(MemberDeleted) = 1,
        /// Its row says by now what was known already: nothing happened to the member.
        RowSeen(MemberRowSeen) = 1,
    }
}

/// A member was registered 会员登记, by whichever way. Whether it takes part already is in its status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRegistered {
    /// By which way.
    pub source: MemberSource,
    /// What is known.
    pub fields: Box<MemberFields>,
    /// The row, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowFingerprint>,
    /// When the person registered, as the source says; `None`: it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<DateTime<Utc>>,
    /// Who did it.
    pub by: Actor,
    /// When Leadwire learnt of it.
    pub at: DateTime<Utc>,
}

/// Columns of a member changed 会员资料更新; only those that did are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberUpdated {
    /// Which, from what, to what.
    pub changed: Vec<FieldChange>,
    /// The row, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowFingerprint>,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A member that did not take part does now 会员激活.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberActivated {
    /// The status before; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Code<MemberStatus>>,
    /// The row, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowFingerprint>,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A member paid for more 会员升级.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberUpgraded {
    /// The type before 原类型; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Code<MemberKind>>,
    /// The type now 新类型.
    pub to: MemberKind,
    /// Matches that are left from now on 匹配次数; absent when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_matches: Option<i64>,
    /// When it was paid 支付时间.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<DateTime<Utc>>,
    /// Until when it holds 到期时间.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// What was written with it 备注.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The row, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowFingerprint>,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A membership was taken back 会员撤销.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRevoked {
    /// The status before; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Code<MemberStatus>>,
    /// Why 撤销原因; a row does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The row, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowFingerprint>,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A member was deleted 会员删除; nothing is removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberDeleted {
    /// The row, when it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<RowFingerprint>,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A row says by now what is known already: the staff was faster, or both meant the same. Nothing happened to the member
/// and nobody is told; without it the row's next change could not be told from this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberRowSeen {
    /// Which columns the row changed since it was last seen, from what, to what.
    pub agreed: Vec<FieldChange>,
    /// The row.
    pub row: RowFingerprint,
    /// The part of the system that saw it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}
