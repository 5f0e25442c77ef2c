use super::*;

use chrono::{DateTime, Utc};
use domain::Actor;
use domain::customer::Ownership;
use domain::customer::{Creation, CustomerNumber};
use uuid::Uuid;

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
    ViewSchedules	yes	yes	yes	-	-	-
    ViewAudit	yes	yes	-	-	-	-
    ViewHealth	yes	-	-	-	-	-
    SetNotices	yes	-	-	-	-	-
    EditTransferRules	yes	yes	-	-	-	-
    ViewTransferRules	yes	yes	yes	-	-	-
    RunTransferRules	yes	yes	-	-	-	-
    ViewTransferRecords	yes	yes	yes	yes	yes	-
    EditRecycleRules	yes	-	-	-	-	-
    ViewRecycleRules	yes	yes	yes	-	-	-
    ViewMembers	yes	yes	yes	yes	yes	yes
    RegisterMember	yes	yes	yes	yes	yes	yes
    UpdateMember	yes	yes	yes	yes	-	-
    MoveMember	yes	yes	yes	-	-	-
    DeleteMember	yes	yes	-	-	-	-
    ");
}

#[test]
fn every_action_has_one_row() {
    for (action, _) in TABLE {
        assert_eq!(TABLE.iter().filter(|(a, _)| *a == action).count(), 1, "{action:?}");
    }
}

const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

/// A row as person 1 stands to it.
fn row(standing: Standing) -> Customer {
    let (creator, owner) = match standing {
        Standing::Owner => (2, Some(1)),
        Standing::Creator => (1, Some(2)),
        Standing::Stranger => (2, Some(3)),
        Standing::PoolCreator => (1, None),
        Standing::PoolStranger => (2, None),
    };
    let by = Actor::Staff(staff(creator));
    let ownership = match owner {
        Some(owner) => Ownership::Owned { owner: staff(owner), since: AT },
        None => {
            Ownership::InPool { since: AT, reason: "客户不需要了".into(), former_owner: Some(staff(1)) }
        }
    };
    let created = Some(Creation { number: CustomerNumber::nth(1), by, at: AT });
    Customer { created, ownership, ..Customer::default() }
}

#[test]
fn rows_and_fields_are_those_of_the_specification() {
    insta::assert_snapshot!(print_rows(staff(1), row));
}

#[test]
fn nobody_below_manager_sees_a_contact_in_the_pool() {
    for role in ROLES {
        let caller = Caller { id: staff(1), username: String::new(), name: String::new(), role };
        for standing in [Standing::PoolCreator, Standing::PoolStranger] {
            let full = field_view(&caller, &row(standing)) == FieldView::Full;
            assert_eq!(full, matches!(role, Role::Admin | Role::Manager), "{role} {standing:?}");
            assert_eq!(full, searches_pool_by_contact(role));
        }
    }
}

#[test]
fn free_text_shows_no_phone_to_whoever_may_not_see_it() {
    for (text, masked) in [
        ("客户13812348999不需要了", "客户138****8999不需要了"),
        ("138 1234 8999, 9点", "138****8999, 9点"),
        ("tel 138-1234-8999", "tel 138****8999"),
        ("13812348999 不需要了", "138****8999 不需要了"),
        ("138.1234.8999，138/1234/8999", "138****8999，138****8999"),
        ("(138)12348999，138_1234_8999", "(138****8999，138****8999"),
        ("2026-01-02 前", "2026-01-02 前"),
        ("2026.01.02 或 2026/1/2。", "2026.01.02 或 2026/1/2。"),
        ("2026-01-02 10:30 面试", "2026-01-02 10:30 面试"),
        ("2026-13-02 10:30", "202***0210:30"),
        ("2026-01-02 13812348999", "202****************"),
        ("预算 8000 元", "预算 8000 元"),
        ("1234567", "123****"),
        ("", ""),
    ] {
        assert_eq!(free_text(FieldView::Pool, text), masked);
        assert_eq!(free_text(FieldView::Base, text), masked);
        assert_eq!(free_text(FieldView::Full, text), text);
    }
}
