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
    /// See the jobs, when they run and what came of them.
    ViewSchedules,
    /// See the history of customers as of any time.
    ViewAudit,
    /// See what `/health/ready` looked at.
    ViewHealth,
    /// Say how a role is told, and write the words of notices.
    SetNotices,
    /// Write, switch and delete transfer rules.
    EditTransferRules,
    /// See transfer rules, previews and statistics.
    ViewTransferRules,
    /// Run a transfer rule by hand.
    RunTransferRules,
    /// See which leads rules moved: all of them, or the own ones ([`sees_everybodys_transfers`]).
    ViewTransferRecords,
    /// Write, switch and delete recycle rules, and set the rules of the pool.
    EditRecycleRules,
    /// See recycle rules, who would fall by one, and the rules of the pool.
    ViewRecycleRules,
    /// See members of system S and how many came from where; which fields is [`member_view`].
    ViewMembers,
    /// Register a member.
    RegisterMember,
    /// Change a member's fields.
    UpdateMember,
    /// Activate, upgrade and revoke a member.
    MoveMember,
    /// Delete a member.
    DeleteMember,
}

/// Order of the columns below.
const ROLES: [Role; 6] =
    [Role::Admin, Role::Manager, Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions];

/// One row an action, one column a role, in the order of domain.md section 3.
const TABLE: [(Action, [bool; 6]); 36] = [
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
    (Action::ViewSchedules, [true, true, true, false, false, false]),
    (Action::ViewAudit, [true, true, false, false, false, false]),
    (Action::ViewHealth, [true, false, false, false, false, false]),
    (Action::SetNotices, [true, false, false, false, false, false]),
    (Action::EditTransferRules, [true, true, false, false, false, false]),
    (Action::ViewTransferRules, [true, true, true, false, false, false]),
    (Action::RunTransferRules, [true, true, false, false, false, false]),
    (Action::ViewTransferRecords, [true, true, true, true, true, false]),
    (Action::EditRecycleRules, [true, false, false, false, false, false]),
    (Action::ViewRecycleRules, [true, true, true, false, false, false]),
    (Action::ViewMembers, [true, true, true, true, true, true]),
    (Action::RegisterMember, [true, true, true, true, true, true]),
    (Action::UpdateMember, [true, true, true, true, false, false]),
    (Action::MoveMember, [true, true, true, false, false, false]),
    (Action::DeleteMember, [true, true, false, false, false, false]),
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
    /// The same, but of what the person only created the contact stays hidden: no part of it finds such a row, and it
    /// gives it no place in an order.
    OwnedOrBaseOfCreatedBy(StaffId),
    /// Rows the person owns.
    OwnedBy(StaffId),
}

impl RowScope {
    /// Whether a row is inside.
    pub fn contains(self, customer: &Customer) -> bool {
        match self {
            Self::All => true,
            Self::OwnedBy(staff) => customer.owner() == Some(staff),
            Self::OwnedOrCreatedBy(staff) | Self::OwnedOrBaseOfCreatedBy(staff) => {
                customer.owner() == Some(staff) || customer.created_by(staff)
            }
        }
    }
}

/// Rows on lists.
pub fn list_scope(caller: &Caller) -> RowScope {
    match caller.role {
        Role::Admin | Role::Manager | Role::Operator => RowScope::All,
        Role::Dispatch => RowScope::OwnedOrCreatedBy(caller.id),
        Role::Admissions => RowScope::OwnedOrBaseOfCreatedBy(caller.id),
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
    /// What one may know of a lead in the public pool before one claims it: enough to judge it, nothing to reach it by.
    Pool,
    /// The base fields and the masked phone.
    Base,
}

/// Fields of a visible row. Owners and managers see every one (unlike system A, existing-systems.md section 8.3).
pub fn field_view(caller: &Caller, customer: &Customer) -> FieldView {
    let owns = customer.owner() == Some(caller.id);
    match caller.role {
        Role::Admin | Role::Manager => FieldView::Full,
        _ if customer.in_pool() => FieldView::Pool,
        Role::Employee | Role::Admissions if !owns => FieldView::Base,
        Role::Operator | Role::Dispatch | Role::Employee | Role::Admissions => FieldView::Full,
    }
}

/// Which fields of a member a person sees. System S shows everybody everything (fault S-23); here whoever works with a
/// member can reach it, and what is nobody's business stays with those who answer for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberView {
    /// Every field.
    Full,
    /// Every field but the sensitive ones (`MemberField::is_sensitive`).
    Work,
    /// The same with the phone masked and no other way to reach the member.
    Base,
}

/// Fields of a member.
pub fn member_view(role: Role) -> MemberView {
    match role {
        Role::Admin | Role::Manager => MemberView::Full,
        Role::Operator | Role::Dispatch => MemberView::Work,
        Role::Employee | Role::Admissions => MemberView::Base,
    }
}

/// Digits in a row that free text may show to whoever does not see the phone.
const DIGITS_MAX: usize = 6;

/// What people write between the digits of a phone.
const SEPARATORS: [char; 9] = [' ', '\u{a0}', '\u{3000}', '-', '.', '·', '/', '_', ')'];

/// The same with separators between them: a date still fits, a phone does not.
const SPACED_DIGITS_MAX: usize = 9;

/// What somebody typed (a reason, a follow-up), as a reader sees it: whoever does not see the phone does not find it
/// here either.
pub fn free_text(view: FieldView, text: &str) -> String {
    if view == FieldView::Full {
        return text.to_owned();
    }
    let (mut shown, mut run) = (String::with_capacity(text.len()), String::new());
    for c in text.chars() {
        if c.is_numeric() || (!run.is_empty() && SEPARATORS.contains(&c)) {
            run.push(c);
            continue;
        }
        flush(&mut shown, &mut run);
        shown.push(c);
    }
    flush(&mut shown, &mut run);
    shown
}

/// Ends a run of digits: masked when it could be a phone. A day, with or without the hour that follows it, is none.
fn flush(shown: &mut String, run: &mut String) {
    let number = run.trim_end_matches(SEPARATORS);
    let digits: String = number.chars().filter(|c| c.is_numeric()).collect();
    let most = if digits.len() < number.len() { SPACED_DIGITS_MAX } else { DIGITS_MAX };
    if digits.chars().count() > most && !is_day(number) {
        shown.push_str(&domain::contact::mask(&digits));
        shown.push_str(&run[number.len()..]);
    } else {
        shown.push_str(run);
    }
    run.clear();
}

/// Whether a run of digits is a day of this or the last century and perhaps an hour: `2026-01-02`, `2026/1/2 10`.
fn is_day(run: &str) -> bool {
    let mut parts = run.split(['-', '/', '.', ' ']);
    let mut next = |digits: std::ops::RangeInclusive<usize>, most: u32| {
        let part = parts.next().filter(|part| digits.contains(&part.len()))?;
        part.parse::<u32>().ok().filter(|number| (1..=most).contains(number))
    };
    let day = next(4..=4, 2099).filter(|year| *year >= 1900).and(next(1..=2, 12)).and(next(1..=2, 31));
    day.is_some() && parts.next().is_none_or(|hour| hour.len() <= 2) && parts.next().is_none()
}

/// Whether a person may look for leads of the public pool by parts of a phone or a WeChat id: whoever sees neither
/// there could find both out, digit by digit.
pub fn searches_pool_by_contact(role: Role) -> bool {
    matches!(role, Role::Admin | Role::Manager)
}

/// Whether a person's figures are everybody's, as on the first page of the mini program.
pub fn sees_everybodys_work(role: Role) -> bool {
    matches!(role, Role::Admin | Role::Manager)
}

/// Whether a person sees what rules moved out of and into anybody's hands; the others see their own.
pub fn sees_everybodys_transfers(role: Role) -> bool {
    allows(role, Action::ViewTransferRules)
}

/// Whether a person sees the whole staff in the mini program; the others see themselves.
pub fn sees_colleagues(role: Role) -> bool {
    matches!(role, Role::Admin | Role::Manager | Role::Operator | Role::Dispatch)
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

/// How a person stands to a row, for the second table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Owns it; somebody else created it.
    Owner,
    /// Created it; somebody else owns it.
    Creator,
    /// Neither.
    Stranger,
    /// Created it, and it waits in the public pool.
    PoolCreator,
    /// Did not create it, and it waits in the public pool.
    PoolStranger,
}

impl Standing {
    /// Every one.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Creator, Self::Stranger, Self::PoolCreator, Self::PoolStranger];
}

/// Rows × roles as text: on lists, by id, to be changed, and which fields. `row` makes the row for a standing of `me`.
pub fn print_rows(me: StaffId, row: impl Fn(Standing) -> Customer) -> String {
    let mut lines = vec!["role\tstanding\tlist\tdetail\tupdate\tfields".to_owned()];
    for role in ROLES {
        let caller = Caller { id: me, username: String::new(), name: String::new(), role };
        for standing in Standing::ALL {
            let customer = row(standing);
            let mark = |scope: RowScope| if scope.contains(&customer) { "yes" } else { "-" };
            let [list, detail, update] =
                [list_scope(&caller), detail_scope(&caller), update_scope(&caller)].map(mark);
            let list = if customer.in_pool() { "pool" } else { list };
            let fields = field_view(&caller, &customer);
            lines.push(format!("{role}\t{standing:?}\t{list}\t{detail}\t{update}\t{fields:?}"));
        }
    }
    lines.join("\n")
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
