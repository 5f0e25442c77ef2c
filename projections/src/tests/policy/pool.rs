//! The pool, follow-ups and imports: what the table says about them, through the runner.

use application::bus::StreamAppend;
use application::ports::Ids;
use domain::batch::{BatchEvent, BatchReleaseCompleted, ImportCompleted, ImportStarted, OwnedCustomer};
use domain::customer::AssignmentSource::{Import, Pool};
use domain::customer::{
    CustomerClaimed, CustomerCreated, CustomerEvent, CustomerReleased, FollowUpKind, FollowUpRecorded,
};
use domain::{BatchId, FollowUpId};
use infrastructure::ids::TimeOrderedIds;
use rstest::rstest;
use uuid::Uuid;

use super::super::kit::{Backend, by, customer, dawn, staff};
use super::kit::{ADMIN, LI, MANAGER, Office, ZHANG, assigned, created};

type Notice = (Uuid, String, String);

fn notice(who: u128, scene: &str, text: &str) -> Notice {
    (staff(who).0, scene.to_owned(), text.to_owned())
}

fn released(from: u128, actor: u128, batch: Option<BatchId>) -> CustomerEvent {
    let reason = "长期未跟进".to_owned();
    CustomerReleased { from: staff(from), by: by(actor), reason, batch, at: dawn() }.into()
}

/// The notices that `later` led to.
async fn new(office: &Office, later: impl Future<Output = ()>) -> Vec<Notice> {
    office.answer().await;
    let before = office.seen().await.notices;
    later.await;
    office.answer().await;
    assert!(office.reconciled().await.is_clean());
    let after = office.seen().await.notices;
    after.into_iter().filter(|notice| !before.contains(notice)).collect()
}

#[rstest]
#[tokio::test]
async fn a_lead_goes_into_the_pool_and_out_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(ZHANG)).await;
    let into = new(&office, office.happen(1, released(ZHANG, MANAGER, None))).await;
    let text = "您的客户 客户1 已被回收到公海，原因：长期未跟进";
    assert_eq!(into, [notice(ZHANG, "CUSTOMER_RECLAIMED", text)]);
    let out = new(&office, office.happen(1, assigned(LI, ADMIN, Pool))).await;
    let text = "管理员从公海分配了客户 客户1 给您，请及时跟进";
    assert_eq!(out, [notice(LI, "CUSTOMER_ASSIGNED_FROM_POOL", text)]);
    assert_eq!(new(&office, office.happen(1, released(LI, LI, None))).await, []);
    let claimed = CustomerClaimed { by: staff(ZHANG), at: dawn() };
    assert_eq!(new(&office, office.happen(1, claimed.into())).await, []);
}

#[rstest]
#[tokio::test]
async fn a_batch_of_releases_is_one_summary_for_each_loser(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    for (n, owner) in [(1, ZHANG), (2, ZHANG), (3, LI)] {
        office.create(n, ADMIN, Some(owner)).await;
    }
    let batch = BatchId(TimeOrderedIds.next());
    let owned = |(n, owner)| OwnedCustomer { customer: customer(n), owner: staff(owner) };
    let leads = [(1, ZHANG), (2, ZHANG), (3, LI)];
    let mut streams: Vec<StreamAppend> = leads
        .iter()
        .map(|(n, from)| StreamAppend::of(customer(*n), 2, &[released(*from, ADMIN, Some(batch))]).unwrap())
        .collect();
    let completed: BatchEvent = BatchReleaseCompleted {
        released: leads.into_iter().map(owned).collect(),
        reason: "长期未跟进".to_owned(),
        by: by(ADMIN),
        at: dawn(),
    }
    .into();
    streams.push(StreamAppend::of(batch, 0, &[completed]).unwrap());
    assert_eq!(
        new(&office, office.command(streams)).await,
        [
            notice(ZHANG, "CUSTOMER_RECLAIMED", "您的 2 个客户已被回收到公海，原因：长期未跟进"),
            notice(LI, "CUSTOMER_RECLAIMED", "您的 1 个客户已被回收到公海，原因：长期未跟进"),
        ]
    );
    assert_eq!(office.cancelled().await.len(), 3, "what was not sent of their gain is taken back");
}

#[rstest]
#[tokio::test]
async fn a_follow_up_reaches_the_owner(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(ZHANG)).await;
    let followed = |author| -> CustomerEvent {
        FollowUpRecorded {
            id: FollowUpId(TimeOrderedIds.next()),
            kind: FollowUpKind::Phone,
            content: "已联系".to_owned(),
            next_follow_up_at: None,
            by: by(author),
            at: dawn(),
        }
        .into()
    };
    let text = "乙 对客户【客户1】添加了跟进记录：已联系";
    let told = new(&office, office.happen(1, followed(MANAGER))).await;
    assert_eq!(told, [notice(ZHANG, "CUSTOMER_FOLLOW_UP_ADDED", text)]);
    assert_eq!(new(&office, office.happen(1, followed(ZHANG))).await, []);
}

#[rstest]
#[tokio::test]
async fn an_import_is_one_summary_for_each_owner_and_each_other_supervisor(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const ROWS: u128 = 300;
    let office = Office::open(backend).await;
    let batch = BatchId(TimeOrderedIds.next());
    let owner = |n: u128| if n.is_multiple_of(3) { LI } else { ADMIN };
    let row = |n: u128| {
        let CustomerEvent::Created(one) = created(n, ADMIN) else { unreachable!() };
        let created = CustomerCreated { import: Some(batch), ..one };
        [created.into(), assigned(owner(n), ADMIN, Import(batch))]
    };
    let mut streams: Vec<StreamAppend> =
        (1..=ROWS).map(|n| StreamAppend::of(customer(n), 0, &row(n)).unwrap()).collect();
    let created = (1..=ROWS).map(|n| OwnedCustomer { customer: customer(n), owner: staff(owner(n)) });
    let (by, at) = (by(ADMIN), dawn());
    let events: [BatchEvent; 2] = [
        ImportStarted { rows: 300, by: by.clone(), at }.into(),
        ImportCompleted { created: created.collect(), by, at }.into(),
    ];
    streams.push(StreamAppend::of(batch, 0, &events).unwrap());
    assert_eq!(
        new(&office, office.command(streams)).await,
        [
            notice(ADMIN, "CUSTOMER_ASSIGNED", "您有 200 个新的客户，来源：导入，请及时跟进！"),
            notice(MANAGER, "CUSTOMER_CREATED", "甲 导入了 300 个新客户"),
            notice(LI, "CUSTOMER_ASSIGNED", "您有 100 个新的客户，来源：导入，请及时跟进！"),
        ]
    );
    let seen = office.seen().await;
    assert_eq!(seen.work, 2, "two messages on the phone for three hundred leads");
    let merged = seen.decisions.iter().filter(|(.., word)| word.starts_with("merge batch-")).count();
    assert_eq!(merged, 300 * (2 + 1) * 2, "every row is recorded for both supervisors and its owner");
}
