//! What each event does to the read models, and that nothing happens twice.

use domain::contact::OpenId;
use domain::customer::{ContractStatus, CustomerEvent, CustomerStatusChanged};
use domain::staff::{Role, StaffEvent, StaffSuspended, StaffWechatBound};
use infrastructure::event_log::Filter;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;

use super::kit::{
    Backend, World, by, claimed, created, customer, dawn, deleted, released, second, staff, transferred,
    with_phone,
};
use crate::queries::{assignments, customers, staff as people};
use crate::read_models::{ReadModel, decode_page};
use crate::table::Target;

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_customer_is_what_its_events_say(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.create(1, with_phone("张三\0", "13800138000"), second(1)).await;
    world.assign(1, 2, second(2)).await;
    world.append(customer(1), &[transferred(2, 3, second(3))]).await;
    let signed: CustomerEvent = CustomerStatusChanged {
        from: ContractStatus::Matching,
        to: ContractStatus::Signed,
        by: by(3),
        at: second(4),
    }
    .into();
    let last = world.append(customer(1), &[signed]).await;
    world.settle().await;

    let row = customers::by_id(&world.db, customer(1)).await.unwrap().unwrap();
    assert_eq!((row.version, row.position), (4, last));
    assert_eq!(row.customer.owner(), Some(staff(3)));
    assert_eq!(row.customer.contract_status, Some(ContractStatus::Signed));
    assert_eq!(row.customer.transfer_count, 1);
    assert_eq!(row.customer.assigned_at(), Some(second(3)));
    assert_eq!(row.customer.profile.name, "张三\0", "the document keeps what the event said");
    let number = row.customer.created.as_ref().unwrap().number.clone();
    let same = customers::by_number(&world.db, number.as_str()).await.unwrap();
    assert_eq!(same, Some(row));
    assert_eq!(customers::by_id(&world.db, customer(2)).await.unwrap(), None);

    world.append(customer(1), &[deleted(Some(3), second(5))]).await;
    world.settle().await;
    assert_eq!(customers::by_id(&world.db, customer(1)).await.unwrap(), None, "a deleted one is not found");
    assert_eq!(customers::by_number(&world.db, number.as_str()).await.unwrap(), None);
    let stream = customers::stream_of_number(&world.db, number.as_str()).await.unwrap();
    assert_eq!(stream, Some(customer(1)), "but its stream is");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_assignment_log_names_both_owners_newest_first(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.create(1, with_phone("张三", "13800138000"), second(1)).await;
    world.assign(1, 2, second(2)).await;
    world.append(customer(1), &[transferred(2, 3, second(3))]).await;
    world.settle().await;

    let log = assignments::of_customer(&world.db, customer(1)).await.unwrap();
    let owners: Vec<_> = log.iter().map(|entry| (entry.old_owner, entry.new_owner)).collect();
    assert_eq!(owners, [(Some(staff(2)), Some(staff(3))), (None, Some(staff(2)))]);
    assert_eq!(log[0].assigned_by, None);
    assert_eq!(log[0].assigned_by_system.as_deref(), Some("rule"));
    assert_eq!(log[1].assigned_by, Some(staff(1)));
    assert_eq!(log[1].reason.as_deref(), Some("离得近"));
    assert!(log.iter().all(|entry| entry.action == "assign"));

    world.append(customer(1), &[released(3, second(4)), claimed(2, second(5))]).await;
    world.settle().await;
    let log = assignments::of_customer(&world.db, customer(1)).await.unwrap();
    assert_eq!((log.len(), log[0].action.as_str(), log[0].new_owner), (4, "assign", Some(staff(2))));
    let given_up = &log[1];
    assert_eq!(
        (given_up.action.as_str(), given_up.old_owner, given_up.new_owner),
        ("release", Some(staff(3)), None)
    );
    assert_eq!(given_up.reason.as_deref(), Some("客户不需要了"));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_directory_knows_who_may_be_given_leads(#[case] backend: Backend) {
    let world = World::new(backend).await;
    for (n, name) in [(1, "王五"), (2, "Anna"), (3, "李四")] {
        world.hire(n, name).await;
    }
    let openid = OpenId::parse("oABC").unwrap();
    let bound: StaffEvent =
        StaffWechatBound { app: "wx1".to_owned(), openid: openid.clone(), by: by(2), at: dawn() }.into();
    world.append(staff(2), &[bound]).await;
    let suspended: StaffEvent = StaffSuspended { by: by(1), at: second(9) }.into();
    world.append(staff(3), &[suspended]).await;
    world.settle().await;

    let names =
        |rows: Vec<people::StaffRow>| rows.iter().map(|row| row.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(people::assignable(&world.db).await.unwrap()), ["Anna", "王五"]);
    assert_eq!(names(people::all(&world.db).await.unwrap()), ["Anna", "李四", "王五"], "by code point");
    let anna = people::by_username(&world.db, "user2").await.unwrap().unwrap();
    assert_eq!(anna.staff.openids.get("wx1"), Some(&openid));
    assert_eq!(anna.staff.account.as_ref().map(|account| account.role), Some(Role::Employee));
    assert!(!people::by_id(&world.db, staff(3)).await.unwrap().unwrap().staff.is_active());
    let some = people::by_ids(&world.db, &[staff(1), staff(3), staff(77)]).await.unwrap();
    assert_eq!(some.len(), 2);
    assert!(people::by_ids(&world.db, &[]).await.unwrap().is_empty());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn pages_fed_again_change_nothing(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.story(40).await;
    world.settle().await;
    let before = world.dump_all().await;
    assert!(before.iter().flatten().all(|(_, rows)| !rows.is_empty()), "the story fills every table");

    for model in ReadModel::ALL {
        let all = world.log.page(0, 4096, model.filter()).await.unwrap();
        // The whole log again, an old piece of it, and a page that holds an event twice.
        let doubled: Vec<_> = all.iter().take(5).chain(all.iter().take(5)).cloned().collect();
        for page in [&all[..], &all[all.len() / 3..all.len() / 2], &doubled[..]] {
            let facts = decode_page(&world.log, &Upcasters::none(), page).await.unwrap();
            let mut tx = world.db.begin_write().await.unwrap();
            model.apply(&mut tx, Target::Live, &facts).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    assert_eq!(world.dump_all().await, before);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_page_with_a_hole_is_refused(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.append(customer(1), &[created(1, with_phone("张三", "13800138000"), dawn())]).await;
    world.assign(1, 2, second(2)).await;
    let page = world.log.page(1, 10, Filter::All).await.unwrap();
    let facts = decode_page(&world.log, &Upcasters::none(), &page).await.unwrap();
    let mut tx = world.db.begin_write().await.unwrap();
    let refused = ReadModel::CustomerList.apply(&mut tx, Target::Live, &facts).await.unwrap_err();
    assert!(refused.to_string().contains("goes from 0 to 2"), "{refused}");
}
