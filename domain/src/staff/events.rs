//! What can happen to an account.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Role, StaffPatch};
use crate::contact::{OpenId, Phone, WecomUserId};
use crate::envelope::Actor;
use crate::stored_events;

stored_events! {
    /// A fact about one member of staff.
    StaffEvent {
        /// The account exists.
        Registered(StaffRegistered) = 1,
        /// The account is cut off.
        Suspended(StaffSuspended) = 1,
        /// The account works again.
        Activated(StaffActivated) = 1,
        /// Notices can reach the person through a WeChat app.
        WechatBound(StaffWechatBound) = 1,
        /// They no longer can.
        WechatUnbound(StaffWechatUnbound) = 1,
        /// Something about the person changed.
        Updated(StaffUpdated) = 1,
        /// The person is something else now.
        RoleChanged(StaffRoleChanged) = 1,
        /// Notices can reach the person through WeCom.
        WecomBound(StaffWecomBound) = 1,
        /// They no longer can.
        WecomUnbound(StaffWecomUnbound) = 1,
    }
}

/// An account was made 员工注册.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffRegistered {
    /// Login name, unique, lower case.
    pub username: String,
    /// Name on screens and in notices.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Department 部门.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// E-mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who made it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// An account was cut off 员工停用.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffSuspended {
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// An account works again 员工启用.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffActivated {
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// An openid was bound 微信绑定: one per app, because openids differ between apps (fault A-16).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffWechatBound {
    /// The app's id.
    pub app: String,
    /// Who the person is to that app.
    pub openid: OpenId,
    /// Who bound it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// An openid was taken off 微信解绑.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffWechatUnbound {
    /// The app's id.
    pub app: String,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Something about the person changed 员工资料修改; only what changed is named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffUpdated {
    /// The new values.
    pub changes: StaffPatch,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// The person is something else now 员工角色变更.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffRoleChanged {
    /// Before.
    pub from: Role,
    /// From now on.
    pub to: Role,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A WeCom userid was bound 企业微信绑定: one per corporation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffWecomBound {
    /// The corporation's id.
    pub corp: String,
    /// Who the person is to that corporation.
    pub user: WecomUserId,
    /// Who bound it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A WeCom userid was taken off 企业微信解绑.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaffWecomUnbound {
    /// The corporation's id.
    pub corp: String,
    /// Why.
    pub reason: String,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}
