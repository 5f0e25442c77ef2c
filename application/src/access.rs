//! The one permission table (domain.md section 3). Routes, row filters, field masks, the command line and the
//! console's menus read it; nothing else decides who may do what.

use domain::StaffId;
use domain::customer::Customer;
use domain::staff::Role;
use serde::Serialize;

/// Who asks, as the staff directory knows the person at this moment; never taken from the token alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person.
    pub id: StaffId,
    /// Login name.
    pub username: String,
    /// Name on screens.
    pub name: String,
    /// What the person is.
    pub role: Role,
}

/// Something a person may want to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// See customers at all; which rows and fields is [`list_scope`] and [`field_view`].
    ViewCustomers,
    /// Create a customer.
    CreateCustomer,
    /// Change a customer's fields; the row is checked too.
    UpdateCustomer,
    /// Assign one customer or a batch.
    AssignCustomer,
    /// Assign customers out of the public pool.
    AssignFromPool,
    /// Take customers out of the public pool for oneself.
    ClaimCustomer,
    /// Put one's own customers into the public pool.
    ReleaseOwn,
    /// Put anybody's customers into the public pool.
    ReleaseOthers,
    /// Write down a follow-up; the row is checked too.
    RecordFollowUp,
    /// Delete a customer.
    DeleteCustomer,
    /// Freeze and unfreeze a customer.
    FreezeCustomer,
    /// Say whether rules may hand a customer on.
    SetAutoTransfer,
    /// Bring customers in a file.
    ImportCustomers,
    /// See the public pool.
    ViewPool,
    /// See how full the public pool is and what goes in and out.
    ViewPoolStatistics,
    /// See who changed what of a customer.
    ViewOperationLogs,
    /// Pick somebody as the owner, e.g. while creating a customer.
    PickAssignee,
    /// Set the level of a customer to O by hand.
    SetLevelO,
    /// Make, suspend and activate accounts.
    EditStaff,
    /// See deliveries, dead letters and decisions.
    ViewDeliveries,
    /// Send again, discard, settle.
    ActOnDeliveries,
    /// See the history of customers as of any time.
    ViewAudit,
    /// See what `/health/ready` looked at.
    ViewHealth,
}

/// Order of the columns below.
const ROLES: [Role; 6] =
    [Role::Admin, Role::Manager, Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions];

/// One row an action, one column a role, in the order of domain.md section 3.
const TABLE: [(Action, [bool; 6]); 23] = [
    (Action::ViewCustomers, [true, true, true, true, true, true]),
    (Action::CreateCustomer, [true, true, true, true, true, true]),
    (Action::UpdateCustomer, [true, true, true, true, true, true]),
    (Action::AssignCustomer, [true, true, true, false, false, false]),
    (Action::AssignFromPool, [true, true, true, false, false, false]),
    (Action::ClaimCustomer, [true, true, true, true, true, false]),
    (Action::ReleaseOwn, [true, true, true, true, true, true]),
    (Action::ReleaseOthers, [true, true, false, false, false, false]),
    (Action::RecordFollowUp, [true, true, true, true, true, true]),
    (Action::DeleteCustomer, [true, true, false, false, false, false]),
    (Action::FreezeCustomer, [true, false, false, false, false, false]),
    (Action::SetAutoTransfer, [true, true, true, false, false, false]),
    (Action::ImportCustomers, [true, true, true, true, true, true]),
    (Action::ViewPool, [true, true, true, true, true, true]),
    (Action::ViewPoolStatistics, [true, true, true, false, false, false]),
    (Action::ViewOperationLogs, [true, false, false, false, false, false]),
    (Action::PickAssignee, [true, true, true, true, false, true]),
    (Action::SetLevelO, [true, true, true, true, false, false]),
    (Action::EditStaff, [true, false, false, false, false, false]),
    (Action::ViewDeliveries, [true, true, true, false, false, false]),
    (Action::ActOnDeliveries, [true, false, false, false, false, false]),
    (Action::ViewAudit, [true, true, false, false, false, false]),
    (Action::ViewHealth, [true, false, false, false, false, false]),
];

/// Whether a role may do something; an action that is not in the table is refused.
pub fn allows(role: Role, action: Action) -> bool {
    let column = ROLES.iter().position(|r| *r == role);
    let row = TABLE.iter().find(|(a, _)| *a == action);
    matches!((row, column), (Some((_, grants)), Some(column)) if grants[column])
}

/// The roles that may own leads: all six, as in system A.
pub fn assignable(role: Role) -> bool {
    ROLES.contains(&role)
}

/// Which rows a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowScope {
    /// Every row.
    All,
    /// Rows the person owns or created.
    OwnedOrCreatedBy(StaffId),
    /// Rows the person owns.
    OwnedBy(StaffId),
}

impl RowScope {
    /// Whether a row is inside.
    pub fn contains(self, customer: &Customer) -> bool {
        match self {
            Self::All => true,
            Self::OwnedBy(staff) => customer.owner() == Some(staff),
            Self::OwnedOrCreatedBy(staff) => customer.owner() == Some(staff) || customer.created_by(staff),
        }
    }
}

/// Rows on lists.
pub fn list_scope(caller: &Caller) -> RowScope {
    match caller.role {
        Role::Admin | Role::Manager | Role::Operator => RowScope::All,
        Role::Dispatch | Role::Admissions => RowScope::OwnedOrCreatedBy(caller.id),
        Role::Employee => RowScope::OwnedBy(caller.id),
    }
}

/// Rows by their id: dispatch sees all of them there.
pub fn detail_scope(caller: &Caller) -> RowScope {
    match caller.role {
        Role::Dispatch => RowScope::All,
        _ => list_scope(caller),
    }
}

/// Rows whose fields the person may change.
pub fn update_scope(caller: &Caller) -> RowScope {
    match caller.role {
        Role::Admissions => RowScope::OwnedBy(caller.id),
        _ => detail_scope(caller),
    }
}

/// Which fields of a visible row a person sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldView {
    /// Every field.
    Full,
    /// The base fields and the masked phone.
    Base,
}

/// Fields of a visible row. Owners and managers see every one (unlike system A, existing-systems.md section 8.3).
pub fn field_view(caller: &Caller, customer: &Customer) -> FieldView {
    match caller.role {
        Role::Admin | Role::Manager | Role::Operator | Role::Dispatch => FieldView::Full,
        Role::Employee | Role::Admissions if customer.owner() == Some(caller.id) => FieldView::Full,
        Role::Employee | Role::Admissions => FieldView::Base,
    }
}

/// The table as text, for documentation and for the test that pins it.
pub fn print() -> String {
    let roles = ROLES.map(Role::as_str).join("\t");
    let row = |(action, grants): &(Action, [bool; 6])| {
        let marks = grants.map(|granted| if granted { "yes" } else { "-" }).join("\t");
        format!("{action:?}\t{marks}")
    };
    let rows: Vec<String> = TABLE.iter().map(row).collect();
    format!("action\t{roles}\n{}", rows.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_one_of_the_specification() {
        insta::assert_snapshot!(print(), @r"
        action	admin	manager	operator	dispatch	employee	admissions
        ViewCustomers	yes	yes	yes	yes	yes	yes
        CreateCustomer	yes	yes	yes	yes	yes	yes
        UpdateCustomer	yes	yes	yes	yes	yes	yes
        AssignCustomer	yes	yes	yes	-	-	-
        AssignFromPool	yes	yes	yes	-	-	-
        ClaimCustomer	yes	yes	yes	yes	yes	-
        ReleaseOwn	yes	yes	yes	yes	yes	yes
        ReleaseOthers	yes	yes	-	-	-	-
        RecordFollowUp	yes	yes	yes	yes	yes	yes
        DeleteCustomer	yes	yes	-	-	-	-
        FreezeCustomer	yes	-	-	-	-	-
        SetAutoTransfer	yes	yes	yes	-	-	-
        ImportCustomers	yes	yes	yes	yes	yes	yes
        ViewPool	yes	yes	yes	yes	yes	yes
        ViewPoolStatistics	yes	yes	yes	-	-	-
        ViewOperationLogs	yes	-	-	-	-	-
        PickAssignee	yes	yes	yes	yes	-	yes
        SetLevelO	yes	yes	yes	yes	-	-
        EditStaff	yes	-	-	-	-	-
        ViewDeliveries	yes	yes	yes	-	-	-
        ActOnDeliveries	yes	-	-	-	-	-
        ViewAudit	yes	yes	-	-	-	-
        ViewHealth	yes	-	-	-	-	-
        ");
    }

    #[test]
    fn every_action_has_one_row() {
        for (action, _) in TABLE {
            assert_eq!(TABLE.iter().filter(|(a, _)| *a == action).count(), 1, "{action:?}");
        }
    }
}
