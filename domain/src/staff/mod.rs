//! A member of staff 员工: role, whether the account is active, and where notices reach the person.
//!
//! Passwords are not events (domain.md section 1); they live in a table of their own.

mod command;
mod events;
mod patch;
mod role;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use command::StaffCommand;
pub use events::{
    StaffActivated, StaffEvent, StaffRegistered, StaffRoleChanged, StaffSuspended, StaffUpdated,
    StaffWechatBound, StaffWechatUnbound, StaffWecomBound, StaffWecomUnbound,
};
pub use patch::StaffPatch;
pub use role::Role;

use crate::Aggregate;
use crate::contact::{OpenId, Phone, WecomUserId};

/// Most characters of a user name.
pub const USERNAME_CHARS_MAX: usize = 64;

/// A member of staff as the events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Staff {
    /// Who the person is; `None` before the account exists.
    pub account: Option<Account>,
    /// Whether the account is cut off.
    pub suspended: bool,
    /// Openid by app.
    pub openids: BTreeMap<String, OpenId>,
    /// WeCom userid by corporation.
    #[serde(default)]
    pub wecom: BTreeMap<String, WecomUserId>,
    /// When anything last changed.
    pub updated_at: Option<DateTime<Utc>>,
}

/// The facts of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Login name.
    pub username: String,
    /// Name on screens.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Department.
    pub department: Option<String>,
    /// Phone.
    pub phone: Option<Phone>,
    /// E-mail.
    pub email: Option<String>,
    /// Yuan a month the person is to bring in 月度任务.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_task: Option<u32>,
    /// When the account was made.
    pub created_at: DateTime<Utc>,
}

/// Why an account refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StaffError {
    /// There is no such account.
    #[error("用户不存在")]
    NotFound,
    /// It exists already.
    #[error("用户已存在")]
    AlreadyExists,
    /// The user name is blank, too long, or holds a blank.
    #[error("用户名须为1到{USERNAME_CHARS_MAX}个字符且不含空格")]
    InvalidUsername,
    /// The name is blank.
    #[error("姓名不能为空")]
    MissingName,
}

impl Staff {
    /// Whether the account exists and is not cut off.
    pub fn is_active(&self) -> bool {
        self.account.is_some() && !self.suspended
    }
}

/// The form in which user names are compared and kept.
pub fn normalise_username(text: &str) -> Result<String, StaffError> {
    let username = text.trim().to_lowercase();
    let fits = (1..=USERNAME_CHARS_MAX).contains(&username.chars().count());
    if fits && !username.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Ok(username)
    } else {
        Err(StaffError::InvalidUsername)
    }
}

impl Aggregate for Staff {
    const TYPE: &'static str = "staff";
    type Command = StaffCommand;
    type Event = StaffEvent;
    type Error = StaffError;

    fn decide(&self, command: StaffCommand) -> Result<Vec<StaffEvent>, StaffError> {
        let exists = self.account.is_some();
        match command {
            StaffCommand::Register { .. } if exists => Err(StaffError::AlreadyExists),
            StaffCommand::Register { name, .. } if name.trim().is_empty() => Err(StaffError::MissingName),
            StaffCommand::Register { username, name, role, department, phone, email, by, at } => {
                let username = normalise_username(&username)?;
                let name = name.trim().to_owned();
                Ok(vec![StaffRegistered { username, name, role, department, phone, email, by, at }.into()])
            }
            _ if !exists => Err(StaffError::NotFound),
            StaffCommand::Update { changes, .. } if changes.blanks_the_name() => Err(StaffError::MissingName),
            StaffCommand::Update { changes, by, at } => {
                let changes = self.account.as_ref().map_or_else(StaffPatch::default, |a| changes.against(a));
                let updated = || StaffUpdated { changes: changes.clone(), by, at }.into();
                Ok(if changes.is_empty() { vec![] } else { vec![updated()] })
            }
            StaffCommand::ChangeRole { role: to, by, at } => {
                let from = self.account.as_ref().map(|account| account.role).filter(|from| *from != to);
                Ok(from.map(|from| StaffRoleChanged { from, to, by, at }.into()).into_iter().collect())
            }
            StaffCommand::Suspend { .. } if self.suspended => Ok(vec![]),
            StaffCommand::Suspend { by, at } => Ok(vec![StaffSuspended { by, at }.into()]),
            StaffCommand::Activate { .. } if !self.suspended => Ok(vec![]),
            StaffCommand::Activate { by, at } => Ok(vec![StaffActivated { by, at }.into()]),
            StaffCommand::BindWechat { app, openid, .. } if self.openids.get(&app) == Some(&openid) => {
                Ok(vec![])
            }
            StaffCommand::BindWechat { app, openid, by, at } => {
                Ok(vec![StaffWechatBound { app, openid, by, at }.into()])
            }
            StaffCommand::UnbindWechat { app, .. } if !self.openids.contains_key(&app) => Ok(vec![]),
            StaffCommand::UnbindWechat { app, reason, by, at } => {
                Ok(vec![StaffWechatUnbound { app, reason, by, at }.into()])
            }
            StaffCommand::BindWecom { corp, user, .. } if self.wecom.get(&corp) == Some(&user) => Ok(vec![]),
            StaffCommand::BindWecom { corp, user, by, at } => {
                Ok(vec![StaffWecomBound { corp, user, by, at }.into()])
            }
            StaffCommand::UnbindWecom { corp, .. } if !self.wecom.contains_key(&corp) => Ok(vec![]),
            StaffCommand::UnbindWecom { corp, reason, by, at } => {
                Ok(vec![StaffWecomUnbound { corp, reason, by, at }.into()])
            }
        }
    }

    fn evolve(&mut self, event: &StaffEvent) {
        let at = match event {
            StaffEvent::Registered(e) => {
                self.account = Some(Account {
                    username: e.username.clone(),
                    name: e.name.clone(),
                    role: e.role,
                    department: e.department.clone(),
                    phone: e.phone.clone(),
                    email: e.email.clone(),
                    monthly_task: None,
                    created_at: e.at,
                });
                e.at
            }
            StaffEvent::Suspended(e) => {
                self.suspended = true;
                e.at
            }
            StaffEvent::Activated(e) => {
                self.suspended = false;
                e.at
            }
            StaffEvent::WechatBound(e) => {
                self.openids.insert(e.app.clone(), e.openid.clone());
                e.at
            }
            StaffEvent::WechatUnbound(e) => {
                self.openids.remove(&e.app);
                e.at
            }
            StaffEvent::WecomBound(e) => {
                self.wecom.insert(e.corp.clone(), e.user.clone());
                e.at
            }
            StaffEvent::WecomUnbound(e) => {
                self.wecom.remove(&e.corp);
                e.at
            }
            StaffEvent::Updated(e) => {
                if let Some(account) = &mut self.account {
                    e.changes.apply(account);
                }
                e.at
            }
            StaffEvent::RoleChanged(e) => {
                if let Some(account) = &mut self.account {
                    account.role = e.to;
                }
                e.at
            }
        };
        self.updated_at = Some(at);
    }
}

crate::adapt_to_cqrs_es!(Staff);
