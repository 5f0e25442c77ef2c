//! What each kind of event leads to.

use application::channels::ChannelSettings;
use application::policies::POLICY;
use domain::customer::AssignmentSource::Manual;
use domain::notification::{Channel, NotificationRequested};
use domain::{Actor, NotificationId, StreamId};
use infrastructure::upcasters::Upcasters;
use infrastructure::with_pool;
use rstest::rstest;
use uuid::Uuid;

use super::super::kit::{Backend, customer, staff};
use super::kit::{ADMIN, LI, MANAGER, Office, REQUEST, Seen, ZHANG, assigned, transferred, wechat};
use crate::policy_runner::{decisions_of_event, decisions_of_notification};

const CREATED: &str = "CUSTOMER_CREATED";
const ASSIGNED: &str = "CUSTOMER_ASSIGNED";
const TRANSFERRED: &str = "CUSTOMER_TRANSFERRED";
const OUT: &str = "CUSTOMER_TRANSFERRED_OUT";

const NOT_ROUTED: &str = "suppress not_routed";
const ITSELF: &str = "suppress actor_is_recipient";

fn told(who: u128, scene: &str, text: &str) -> (Uuid, String, String) {
    (staff(who).0, scene.to_owned(), text.to_owned())
}

/// The decisions for the inbox and for WeChat.
fn decided(who: u128, scene: &str, inbox: &str, phone: &str) -> [(Uuid, String, String, String); 2] {
    let decision = |channel: Channel, word: &str| {
        (staff(who).0, scene.to_owned(), channel.as_str().to_owned(), word.to_owned())
    };
    [decision(Channel::InApp, inbox), decision(Channel::WechatSubscribe, phone)]
}

async fn check(
    office: &Office,
    notices: &[(Uuid, String, String)],
    decisions: &[[(Uuid, String, String, String); 2]],
    work: i64,
) {
    let expected = Seen { notices: notices.to_vec(), decisions: decisions.concat(), work };
    assert_eq!(office.seen().await, expected);
    let found = office.reconciled().await;
    assert!(found.is_clean() && found.parked == 0, "{found:?}");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_lead_created_with_an_owner_tells_the_owner_and_the_others_of_it(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(LI)).await;
    office.answer().await;
    check(
        &office,
        &[
            told(MANAGER, CREATED, "甲 创建了新客户：客户1（138****8999），来源：未填写"),
            told(LI, ASSIGNED, "您有新的客户【客户1】，电话：138****8999，来源：未填写，请及时跟进！"),
        ],
        &[
            decided(ADMIN, CREATED, ITSELF, ITSELF),
            decided(MANAGER, CREATED, "deliver", NOT_ROUTED),
            decided(LI, ASSIGNED, "deliver", "deliver"),
        ],
        1,
    )
    .await;
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_owner_of_a_new_lead_is_known_even_when_a_page_ends_between(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(MANAGER)).await;
    office.create(2, ADMIN, None).await;
    office.answer_by(&office.policy(), 1).await;
    let seen = office.seen().await;
    let scenes: Vec<&str> = seen.notices.iter().map(|(_, scene, _)| scene.as_str()).collect();
    assert_eq!(scenes, [ASSIGNED, CREATED], "of lead 1 the manager hears as its owner, of lead 2 as manager");
    assert!(seen.notices[1].2.contains("客户2"));
    let assignment = office.cause_of("CustomerAssigned").await;
    let notice = StreamId::from(NotificationId::of(assignment, staff(MANAGER), ASSIGNED));
    let merged = (staff(MANAGER).0, CREATED.to_owned(), "in_app".to_owned(), format!("merge {notice}"));
    assert!(seen.decisions.contains(&merged), "that is written down: {:?}", seen.decisions);
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_transfer_tells_both_owners_and_an_actor_tells_nobody_twice(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    office.create(1, MANAGER, None).await;
    office.answer().await;
    office.happen(1, assigned(ZHANG, MANAGER, Manual)).await;
    office.answer().await;
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    office.happen(1, transferred(LI, ZHANG, LI, Manual)).await;
    office.answer().await;
    check(
        &office,
        &[
            told(ADMIN, CREATED, "乙 创建了新客户：客户1（138****8999），来源：未填写"),
            told(ZHANG, ASSIGNED, "您有新的客户【客户1】，电话：138****8999，来源：未填写，请及时跟进！"),
            told(ZHANG, TRANSFERRED, "客户 客户1 已从 李四 转移给您，请及时跟进"),
            told(ZHANG, OUT, "您的客户 客户1 已转移给 李四"),
            told(LI, TRANSFERRED, "客户 客户1 已从 张三 转移给您，请及时跟进"),
        ],
        &[
            decided(ADMIN, CREATED, "deliver", NOT_ROUTED),
            decided(MANAGER, CREATED, ITSELF, ITSELF),
            decided(ZHANG, ASSIGNED, "deliver", "deliver"),
            decided(ZHANG, TRANSFERRED, "deliver", "deliver"),
            decided(ZHANG, OUT, "deliver", NOT_ROUTED),
            decided(LI, TRANSFERRED, "deliver", "deliver"),
            decided(LI, OUT, ITSELF, ITSELF),
        ],
        3,
    )
    .await;
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_batch_is_one_summary_for_each_person(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    for n in 1..=3 {
        office.create(n, ADMIN, (n < 3).then_some(ZHANG)).await;
    }
    office.answer().await;
    let before = office.seen().await;
    office.batch(&[(1, Some(ZHANG)), (2, Some(ZHANG)), (3, None)]).await;
    office.answer().await;
    let after = office.seen().await;
    let new = |notice: &&(Uuid, String, String)| !before.notices.contains(notice);
    let told_now: Vec<_> = after.notices.iter().filter(new).cloned().collect();
    assert_eq!(
        told_now,
        [
            told(ZHANG, OUT, "您的 2 个客户已转移给 李四"),
            told(LI, ASSIGNED, "您有 3 个新的客户，来源：批量分配，请及时跟进！"),
        ]
    );
    assert_eq!(after.work, before.work + 1, "one message on the phone for three leads");
    let merged = after.decisions.iter().filter(|(.., word)| word.starts_with("merge batch-")).count();
    assert_eq!(
        merged,
        (3 + 2) * 2,
        "each lead is recorded for its new owner and its old one, on both channels"
    );
    assert!(office.reconciled().await.is_clean());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_notice_names_its_cause_and_carries_its_correlation_on(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(LI)).await;
    office.answer().await;
    let requests = office.requests().await;
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let payload: NotificationRequested = serde_json::from_str(request.payload.get()).unwrap();
        assert_eq!(request.metadata.causation, Some(payload.cause));
        assert_eq!(request.metadata.correlation, REQUEST);
        assert_eq!(request.metadata.actor, Actor::System(POLICY.to_owned()));
        assert_eq!(request.sequence, 1);
    }
    assert_ne!(requests[0].metadata.causation, requests[1].metadata.causation);
    let cause = office.cause_of("CustomerAssigned").await;
    let by_event = decisions_of_event(&office.world.db, cause).await.unwrap();
    let notification = NotificationId::of(cause, staff(LI), ASSIGNED);
    assert_eq!(by_event, decisions_of_notification(&office.world.db, notification).await.unwrap());
    assert_eq!(by_event.len(), Channel::ALL.len());
    assert!(by_event.iter().all(|one| one.notification == Some(notification)));
    let delivered: Vec<Channel> =
        by_event.iter().filter(|one| one.decision == "deliver").map(|one| one.channel).collect();
    assert_eq!(delivered, [Channel::InApp, Channel::WechatSubscribe]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_work_carries_the_request_of_its_lead(#[case] backend: Backend) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(LI)).await;
    office.answer().await;
    let (body, app, state): (String, String, String) = with_pool!(&office.world.db, pool => {
        sqlx::query_as("SELECT request_body, app, state FROM outbox").fetch_one(pool).await
    })
    .unwrap();
    assert_eq!((app.as_str(), state.as_str()), (super::kit::APP, "pending"));
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["touser"], "openid-4");
    assert_eq!(body["page"], format!("pages/customer?id={}", customer(1)));
    assert_eq!(body["data"]["thing1"]["value"], "客户1");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn without_wechat_only_the_decision_for_it_changes(#[case] backend: Backend) {
    let with = Office::open(backend).await;
    let without = Office::open(backend).await;
    for office in [&with, &without] {
        office.create(1, ADMIN, Some(LI)).await;
    }
    with.answer_by(&with.policy_of(&with.world.projections, wechat(), Upcasters::none()), 100).await;
    let unconfigured =
        without.policy_of(&without.world.projections, ChannelSettings::default(), Upcasters::none());
    without.answer_by(&unconfigured, 100).await;
    let (with, without) = (with.seen().await, without.seen().await);
    assert_eq!(with.notices, without.notices);
    assert_eq!((with.work, without.work), (1, 0));
    let expected = [
        decided(ADMIN, CREATED, ITSELF, ITSELF),
        decided(MANAGER, CREATED, "deliver", NOT_ROUTED),
        decided(LI, ASSIGNED, "deliver", "suppress channel_not_configured"),
    ];
    assert_eq!(without.decisions, expected.concat());
}
