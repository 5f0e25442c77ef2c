//! A change to what is known about a person: absent leaves, `null` clears, a value sets.

use serde::{Deserialize, Deserializer, Serialize};

use super::Account;
use crate::contact::Phone;

/// Some new values of an account. Login name and role are no part of it: the one never changes, the other is a fact
/// of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StaffPatch {
    /// Name on screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Department 部门.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub department: Option<Option<String>>,
    /// Phone.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub phone: Option<Option<Phone>>,
    /// E-mail.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub email: Option<Option<String>>,
    /// Yuan a month the person is to bring in 月度任务.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub monthly_task: Option<Option<u32>>,
}

/// A member that is there, also when it is `null`.
fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl StaffPatch {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the name would be taken away.
    pub(super) fn blanks_the_name(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.trim().is_empty())
    }

    /// Only what differs from the account.
    #[must_use]
    pub(super) fn against(self, account: &Account) -> Self {
        let name = self.name.map(|name| name.trim().to_owned());
        Self {
            name: name.filter(|new| *new != account.name),
            department: self.department.filter(|new| *new != account.department),
            phone: self.phone.filter(|new| *new != account.phone),
            email: self.email.filter(|new| *new != account.email),
            monthly_task: self.monthly_task.filter(|new| *new != account.monthly_task),
        }
    }

    /// Puts the new values into the account.
    pub(super) fn apply(&self, account: &mut Account) {
        set(&mut account.name, self.name.as_ref());
        set(&mut account.department, self.department.as_ref());
        set(&mut account.phone, self.phone.as_ref());
        set(&mut account.email, self.email.as_ref());
        set(&mut account.monthly_task, self.monthly_task.as_ref());
    }
}

fn set<T: Clone>(field: &mut T, new: Option<&T>) {
    if let Some(new) = new {
        field.clone_from(new);
    }
}
