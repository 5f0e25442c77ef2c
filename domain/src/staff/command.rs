//! What may be asked of an account.

use chrono::{DateTime, Utc};

use super::{Role, StaffPatch};
use crate::contact::{OpenId, Phone, WecomUserId};
use crate::envelope::Actor;

/// What may be asked of a member of staff's account.
#[derive(Debug, Clone, PartialEq)]
pub enum StaffCommand {
    /// Make it.
    Register {
        /// Login name; trimmed and lower-cased here.
        username: String,
        /// Name on screens.
        name: String,
        /// What the person is.
        role: Role,
        /// Department.
        department: Option<String>,
        /// Phone.
        phone: Option<Phone>,
        /// E-mail.
        email: Option<String>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Change what is known about the person.
    Update {
        /// The new values; what is the same already changes nothing.
        changes: StaffPatch,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Make the person something else.
    ChangeRole {
        /// What the person is from now on.
        role: Role,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Cut it off.
    Suspend {
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let it work again.
    Activate {
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let notices reach the person through a WeChat app.
    BindWechat {
        /// The app.
        app: String,
        /// The openid.
        openid: OpenId,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Stop that.
    UnbindWechat {
        /// The app.
        app: String,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let notices reach the person through WeCom.
    BindWecom {
        /// The corporation's id.
        corp: String,
        /// The userid.
        user: WecomUserId,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Stop that.
    UnbindWecom {
        /// The corporation's id.
        corp: String,
        /// Why.
        reason: String,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
}
