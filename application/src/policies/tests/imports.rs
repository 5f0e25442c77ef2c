//! Imports: every row is recorded, everybody is told once.

use domain::batch::{ImportChunkStored, ImportCompleted, ImportStarted, OwnedCustomer};

use super::*;
use AssignmentSource::Import;

const CREATED: &str = kinds::CUSTOMER_CREATED;
const ASSIGNED: &str = kinds::CUSTOMER_ASSIGNED;

fn rows(rows: &[(u128, StaffId)]) -> Vec<OwnedCustomer> {
    let row = |(n, owner): &(u128, StaffId)| OwnedCustomer {
        customer: CustomerId(Uuid::from_u128(*n)),
        owner: *owner,
    };
    rows.iter().map(row).collect()
}

fn completed(by: StaffId, owners: &[(u128, StaffId)]) -> Fact {
    let (created, by) = (rows(owners), Actor::Staff(by));
    Fact::Batch(BATCH, ImportCompleted { created, by, at: at() }.into())
}

#[test]
fn a_row_of_an_import_is_told_in_its_summary() {
    let CustomerEvent::Created(one) = created(ADMIN) else { unreachable!() };
    let row: CustomerEvent = CustomerCreated { import: Some(BATCH), ..one }.into();
    let fact = Fact::Customer(LEAD, Box::new(row.clone()));
    assert!(!fact.needs_customer(), "ten thousand rows are not read one by one");
    check(fact, &[(ADMIN, CREATED, MERGED), (MANAGER, CREATED, MERGED), (OPERATOR, CREATED, MERGED)]);
    check(lead(vec![row, assigned(NEW, ADMIN, Import(BATCH))]), &[(NEW, ASSIGNED, MERGED)]);
}

#[test]
fn an_import_tells_each_owner_and_each_other_supervisor_once() {
    check(
        completed(OPERATOR, &[(1, NEW), (2, OLD), (3, NEW)]),
        &[
            (OLD, ASSIGNED, BOTH),
            (NEW, ASSIGNED, BOTH),
            (ADMIN, CREATED, INBOX),
            (MANAGER, CREATED, INBOX),
            (OPERATOR, CREATED, ACTOR),
        ],
    );
    let (_, reactions) = answer(completed(OPERATOR, &[(1, NEW), (2, OLD), (3, NEW)]).into(), &wechat());
    let content = |n: usize| reactions[n].notice.as_ref().unwrap().message.content.as_str();
    assert_eq!(content(0), "您有 1 个新的客户，来源：导入，请及时跟进！");
    assert_eq!(content(1), "您有 2 个新的客户，来源：导入，请及时跟进！");
    assert_eq!(content(2), "运营丙 导入了 3 个新客户");
}

#[test]
fn a_supervisor_who_owns_rows_is_told_as_their_owner() {
    let as_owner = |person| merged_into(EVENT, person, ASSIGNED);
    check(
        completed(ADMIN, &[(1, ADMIN), (2, MANAGER)]),
        &[
            (ADMIN, ASSIGNED, BOTH),
            (MANAGER, ASSIGNED, BOTH),
            (OPERATOR, CREATED, INBOX),
            (ADMIN, CREATED, &as_owner(ADMIN)),
            (MANAGER, CREATED, &as_owner(MANAGER)),
        ],
    );
}

#[test]
fn a_large_import_is_counted_in_full_and_named_in_part() {
    let leads: Vec<_> = (0..250).map(|n| (1000 + n, NEW)).collect();
    let (_, reactions) = answer(completed(OPERATOR, &leads).into(), &wechat());
    let supervisor = reactions.iter().find(|reaction| reaction.recipient == ADMIN).unwrap();
    let message = &supervisor.notice.as_ref().unwrap().message;
    assert_eq!(message.data["customerCount"], 250);
    assert_eq!(message.data["customerIds"].as_array().unwrap().len(), 100);
    assert_eq!(supervisor.customers.len(), 100);
    assert!(message.content.contains("250"), "{}", message.content);
    assert_eq!(reactions[0].customers.len(), 250, "the owner's notice names them all");
}

#[test]
fn an_import_on_its_way_or_without_rows_tells_nobody() {
    let by = Actor::Staff(ADMIN);
    check(Fact::Batch(BATCH, ImportStarted { rows: 2, by, at: at() }.into()), &[]);
    check(Fact::Batch(BATCH, ImportChunkStored { created: rows(&[(1, NEW)]), at: at() }.into()), &[]);
    check(completed(ADMIN, &[]), &[]);
}
