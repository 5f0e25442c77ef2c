//! A person as system A's clients know it, with the permission codes they compute with.

use application::access::{Action, allows};
use domain::StaffId;
use domain::staff::{Account, Role};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::time::Millis;

/// System A's permission codes, and what each stands for in the one permission table.
const CODES: [(&str, Action); 5] = [
    ("customer:view", Action::ViewCustomers),
    ("customer:create", Action::CreateCustomer),
    ("customer:edit", Action::UpdateCustomer),
    ("customer:delete", Action::DeleteCustomer),
    ("user:view", Action::PickAssignee),
];

/// What system A calls having every `customer:` code.
const ALL_CUSTOMER_CODES: &str = "customer:all";

/// A person as system A's clients know it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Id.
    #[schema(value_type = uuid::Uuid)]
    id: StaffId,
    /// Login name.
    username: String,
    /// Name on screens.
    name: String,
    /// Phone.
    phone: Option<String>,
    /// E-mail.
    email: Option<String>,
    /// Picture; none is kept.
    avatar: Option<String>,
    /// Role.
    #[schema(value_type = String)]
    role: Role,
    /// Department.
    department: Option<String>,
    /// System A's permission codes.
    permissions: Vec<&'static str>,
    /// When the account was made.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
}

impl User {
    pub(in crate::http) fn of(id: StaffId, account: Account) -> Self {
        Self {
            id,
            username: account.username,
            name: account.name,
            phone: account.phone.map(|phone| phone.as_str().to_owned()),
            email: account.email,
            avatar: None,
            role: account.role,
            department: account.department,
            permissions: permissions(account.role),
            created_at: Millis(account.created_at),
        }
    }
}

/// The permission codes of a role, as system A's clients compute with them.
pub(in crate::http) fn permissions(role: Role) -> Vec<&'static str> {
    if role == Role::Admin {
        return vec!["*"];
    }
    let mut codes: Vec<_> =
        CODES.iter().filter(|(_, action)| allows(role, *action)).map(|(code, _)| *code).collect();
    let customer = |code: &&str| code.starts_with("customer:");
    if codes.iter().filter(|code| customer(code)).count()
        == CODES.iter().filter(|(code, _)| customer(code)).count()
    {
        codes.push(ALL_CUSTOMER_CODES);
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_come_from_the_one_table() {
        for (role, expected) in [
            (Role::Admin, vec!["*"]),
            (
                Role::Manager,
                vec![
                    "customer:view",
                    "customer:create",
                    "customer:edit",
                    "customer:delete",
                    "user:view",
                    "customer:all",
                ],
            ),
            (Role::Operator, vec!["customer:view", "customer:create", "customer:edit", "user:view"]),
            (Role::Dispatch, vec!["customer:view", "customer:create", "customer:edit", "user:view"]),
            (Role::Admissions, vec!["customer:view", "customer:create", "customer:edit", "user:view"]),
            (Role::Employee, vec!["customer:view", "customer:create", "customer:edit"]),
        ] {
            assert_eq!(permissions(role), expected, "{role}");
        }
    }
}
