//! Every route of customers, and what the access table asks of whoever calls it. Who may pass is computed from
//! [`application::access`] and the row as the log has it; nothing here says "manager".

use application::access::{Action, Caller, FieldView, allows, detail_scope, field_view, update_scope};
use domain::customer::Customer;
use reqwest::Method;
use serde_json::{Value, json};

/// A version that no row ever has. Whoever may do something with a row is told that it has changed (409): the test
/// learns who may, and the row stays as it is.
pub(super) const NO_VERSION: i64 = 1_000_000;

/// A customer that nobody knows, for batches: whoever may do it is told that there is no such customer (404).
pub(super) const NOBODY: &str = "0190a1b2-0000-7000-8000-000000000000";

/// What a route asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asks {
    /// Nothing but an account.
    Account,
    /// A role.
    Role(Action),
    /// A row that one may see.
    Row,
    /// A row that one may see, then a role.
    RowThenRole(Action),
    /// A role, then a row that one may see.
    RoleThenRow(Action),
    /// A row that one may change.
    Update,
    /// A row that one may give up: the own one, or anybody's.
    Release,
    /// A row of which one sees every field.
    EveryField,
}

/// What comes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passes,
    Forbidden,
    NotFound,
}

impl Asks {
    pub(super) fn of(self, caller: &Caller, row: &Customer) -> Verdict {
        let role = |action| if allows(caller.role, action) { Verdict::Passes } else { Verdict::Forbidden };
        let seen = detail_scope(caller).contains(row);
        match self {
            Self::Account => Verdict::Passes,
            Self::Role(action) => role(action),
            Self::RoleThenRow(action) if !allows(caller.role, action) => Verdict::Forbidden,
            // That it is in the pool already may be known to everybody.
            Self::Release if row.in_pool() => Verdict::Passes,
            _ if !seen => Verdict::NotFound,
            Self::Row | Self::RoleThenRow(_) => Verdict::Passes,
            Self::RowThenRole(action) => role(action),
            Self::Update if update_scope(caller).contains(row) => role(Action::UpdateCustomer),
            Self::Update => Verdict::Forbidden,
            Self::Release if row.owner() == Some(caller.id) && allows(caller.role, Action::ReleaseOwn) => {
                Verdict::Passes
            }
            Self::Release => role(Action::ReleaseOthers),
            Self::EveryField if field_view(caller, row) == FieldView::Full => Verdict::Passes,
            Self::EveryField => Verdict::NotFound,
        }
    }
}

/// A route.
pub(super) struct Door {
    pub(super) method: Method,
    /// As the document writes it.
    pub(super) path: &'static str,
    pub(super) body: Option<Value>,
    pub(super) asks: Asks,
    /// The status of whoever passes.
    pub(super) passed: u16,
}

fn read(path: &'static str, asks: Asks) -> Door {
    Door { method: Method::GET, path, body: None, asks, passed: 200 }
}

/// A command on one customer, with a version that it never has.
fn command(method: Method, path: &'static str, body: Value, asks: Asks) -> Door {
    Door { method, path, body: Some(body), asks, passed: 409 }
}

/// A command on many customers, of which none exists.
fn batch(path: &'static str, body: Value, asks: Asks) -> Door {
    Door { method: Method::POST, path, body: Some(body), asks, passed: 404 }
}

/// Routes that everybody may call, with or without an account, and those that look at what they are sent before they
/// look at who sends it: `bad_input`, `imports` and the stories beside this one play them; `machines` plays those that
/// machines call.
pub(super) const ELSEWHERE: [(&str, &str); 9] = [
    ("get", "/api/customers/enums"),
    ("get", "/api/customers/import-template"),
    ("get", "/api/miniprogram/customers/baobei/detail"),
    ("get", "/api/miniprogram/customers/baobei/list"),
    ("post", "/api/customers"),
    ("post", "/api/customers/batch-release-to-pool"),
    ("post", "/api/customers/import-excel"),
    ("post", "/api/customers/miniprogram/create"),
    ("post", "/api/customers/website-lead"),
];

/// Whose answer is a customer.
pub(super) const DOCUMENTS: [&str; 3] =
    ["/api/customers/{id}", "/api/customers/miniprogram/{id}", "/api/customers/customer-id/{customerId}"];

pub(super) fn doors(to: &str) -> Vec<Door> {
    let mut doors = reads();
    doors.extend(commands(to));
    doors
}

fn reads() -> Vec<Door> {
    use Asks::{Account, EveryField, Role, RoleThenRow, Row};
    let (see, pool, counts) = (Action::ViewCustomers, Action::ViewPool, Action::ViewPoolStatistics);
    vec![
        read("/api/customers", Role(see)),
        read("/api/customers/search", Role(see)),
        read("/api/customers/statistics", Role(see)),
        read("/api/customers/my-customer-count", Account),
        read("/api/customers/baobei/list", Role(see)),
        read("/api/customers/assignable-users", Role(Action::PickAssignee)),
        read("/api/customers/public-pool", Role(pool)),
        read("/api/customers/public-pool/statistics", Role(counts)),
        read("/api/customers/public-pool/logs", Role(counts)),
        read("/api/customers/miniprogram/list", Role(see)),
        read("/api/customers/miniprogram/statistics", Role(see)),
        read("/api/customers/miniprogram/today-todo-stats", Account),
        read("/api/customers/miniprogram/performance-progress", Account),
        read("/api/customers/miniprogram/contract-stats", Account),
        read("/api/customers/miniprogram/employees/list", Account),
        read("/api/customers/{id}", Row),
        read("/api/customers/customer-id/{customerId}", Row),
        read("/api/customers/address-by-phone/{phone}", EveryField),
        read("/api/customers/{id}/follow-ups", Row),
        read("/api/customers/{id}/follow-up-status", Row),
        read("/api/customers/{id}/assignment-logs", Row),
        read("/api/customers/{id}/public-pool-logs", Row),
        read("/api/customers/{id}/history", Row),
        read("/api/customers/{id}/operation-logs", RoleThenRow(Action::ViewOperationLogs)),
        read("/api/customers/miniprogram/{id}", Row),
        read("/api/customers/miniprogram/{id}/follow-ups", Row),
        read("/api/customers/miniprogram/{id}/assignment-logs", Row),
    ]
}

fn commands(to: &str) -> Vec<Door> {
    use Asks::{Release, Role, RowThenRole, Update};
    let change = json!({ "remarks": "改一改" });
    let assign = json!({ "assignedTo": to });
    let release = json!({ "reason": "客户不需要了" });
    let follow_up = json!({ "type": "phone", "content": "打了电话" });
    let ids = json!([NOBODY]);
    let (assigns, frozen) = (Role(Action::AssignCustomer), RowThenRole(Action::FreezeCustomer));
    let told = RowThenRole(Action::RecordFollowUp);
    let on = |path, body, asks| command(Method::PATCH, path, body, asks);
    let post = |path, body, asks| command(Method::POST, path, body, asks);
    vec![
        on("/api/customers/{id}", change.clone(), Update),
        on("/api/customers/miniprogram/{id}", change, Update),
        on("/api/customers/{id}/assign", assign.clone(), assigns),
        on("/api/customers/miniprogram/{id}/assign", assign, assigns),
        on("/api/customers/{id}/freeze", json!({}), frozen),
        on("/api/customers/{id}/unfreeze", json!({}), frozen),
        on(
            "/api/customers/{id}/auto-transfer",
            json!({ "enabled": false }),
            RowThenRole(Action::SetAutoTransfer),
        ),
        on("/api/customers/{id}/sync-lead-level-o", json!({}), RowThenRole(Action::SetLevelO)),
        post("/api/customers/{id}/release-to-pool", release.clone(), Release),
        post("/api/customers/miniprogram/{id}/release-to-pool", release, Release),
        post("/api/customers/{id}/follow-ups", follow_up.clone(), told),
        post("/api/customers/miniprogram/{id}/follow-ups", follow_up, told),
        command(Method::DELETE, "/api/customers/{id}", Value::Null, RowThenRole(Action::DeleteCustomer)),
        batch("/api/customers/batch-assign", json!({ "customerIds": ids, "assignedTo": to }), assigns),
        batch(
            "/api/customers/public-pool/assign",
            json!({ "customerIds": ids, "assignedTo": to }),
            Role(Action::AssignFromPool),
        ),
        batch("/api/customers/public-pool/claim", json!({ "customerIds": ids }), Role(Action::ClaimCustomer)),
    ]
}
