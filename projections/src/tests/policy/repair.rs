//! Rows, decisions and notices that somebody took away by hand: seen by the reconciliation, put back by the repair.

use domain::notification::{Channel, DeliveryState};
use infrastructure::with_pool;
use rstest::rstest;

use super::super::kit::{Backend, dawn};
use super::kit::{ADMIN, LI, Office, ZHANG};
use super::wishes::Work;
use crate::policy_runner::{Reconciliation, Repaired, reconcile, register, repair};

type Bodies = Vec<(uuid::Uuid, Option<String>, i64, bool, i64)>;

impl Office {
    async fn check(&self) -> Reconciliation {
        reconcile(&self.chained(), 0).await.unwrap()
    }

    async fn repair(&self) -> Repaired {
        repair(&self.chained(), 0).await.unwrap()
    }

    /// Everything of a row that a repair must bring back.
    async fn rows(&self) -> (Vec<Work>, Bodies) {
        let bodies: Bodies = with_pool!(&self.world.db, pool => sqlx::query_as(
            "SELECT delivery_id, request_body, attempt, maybe_arrived, position FROM outbox ORDER BY delivery_id")
            .fetch_all(pool).await)
        .unwrap();
        (self.work().await, bodies)
    }
}

#[rstest]
#[tokio::test]
async fn a_row_deleted_by_hand_makes_the_check_red_and_the_repair_heals_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    office.give(1, dawn()).await;
    office.create(2, ADMIN, Some(ZHANG)).await;
    office.answer_chained().await;
    let before = office.rows().await;
    assert_eq!(before.0.len(), 6);
    assert!(office.check().await.is_clean());
    assert_eq!(office.repair().await, Repaired { to: office.check().await.to, ..Repaired::default() });

    office.execute("DELETE FROM outbox WHERE channel = 'wechat_subscribe'").await;
    let found = office.check().await;
    assert!(!found.is_clean());
    assert_eq!((found.outbox_missing, found.missing, found.notices_missing), (2, 0, 0));
    let first = &found.first_outbox_missing[0];
    assert_eq!((first.channel, first.state), (Channel::WechatSubscribe, DeliveryState::Pending));
    let repaired = office.repair().await;
    assert_eq!((repaired.rows, repaired.unknown, repaired.unrepaired), (2, 0, 0));
    assert!(office.check().await.is_clean());
    assert_eq!(office.rows().await, before, "the same rows, byte for byte");

    office.execute("DELETE FROM outbox").await;
    assert_eq!(office.check().await.outbox_missing, 6);
    assert_eq!(office.repair().await.rows, 6);
    assert_eq!(office.rows().await, before, "those that stand by, too");
    assert_eq!(office.repair().await.rows, 0, "once is enough");
}

#[rstest]
#[tokio::test]
async fn nothing_is_sent_twice_because_its_row_was_lost(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    for n in 1..=3 {
        office.create(n, ADMIN, Some([ZHANG, LI, ADMIN][usize::try_from(n - 1).unwrap()])).await;
    }
    office.answer().await;
    let leased = office.lease().await;
    assert_eq!(leased.len(), 3);
    for row in &leased {
        let ledger = row.ledger.clone().unwrap();
        assert_eq!(ledger.kind(), "subscription");
        office.start(row).await.unwrap();
    }
    // One is under way, one is busy, one was taken.
    office.fail(&leased[1]).await;
    office.accept(&leased[2]).await;
    office.execute("DELETE FROM outbox").await;
    let found = office.reconciled().await;
    assert_eq!(found.outbox_missing, 2, "what was taken needs no row");
    let repaired = repair(&office.policy(), 0).await.unwrap();
    assert_eq!((repaired.rows, repaired.unknown), (2, 1));
    assert!(office.reconciled().await.is_clean());
    let rows: Vec<(uuid::Uuid, String, i64, bool)> = with_pool!(&office.world.db, pool => sqlx::query_as(
        "SELECT delivery_id, state, attempt, maybe_arrived FROM outbox ORDER BY state").fetch_all(pool).await)
    .unwrap();
    assert_eq!(
        rows,
        [
            (leased[1].delivery.0, "retry".to_owned(), 1, false),
            (leased[0].delivery.0, "unknown".to_owned(), 1, true),
        ]
    );
    let uncertain =
        office.world.log.page(0, 10, infrastructure::event_log::Filter::Types(&["DeliveryUncertain"]));
    assert_eq!(uncertain.await.unwrap().len(), 1, "the notice says the same as the row");
    assert!(office.lease().await.is_empty(), "neither is due");
    assert_eq!(repair(&office.policy(), 0).await.unwrap().rows, 0);
}

#[rstest]
#[tokio::test]
async fn decisions_and_notices_come_back_and_what_cannot_is_named(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    office.give(1, dawn()).await;
    office.answer_chained().await;
    let before = (office.seen().await, office.rows().await);
    office.execute("DELETE FROM decisions WHERE scene = 'CUSTOMER_ASSIGNED'").await;
    let missing = u64::try_from(Channel::ALL.len()).unwrap();
    assert_eq!(office.check().await.missing, missing);
    assert_eq!(office.repair().await.decisions, missing);
    assert!(office.check().await.is_clean());
    assert_eq!((office.seen().await, office.rows().await), before);
    // A channel that is gone from the settings cannot be rendered again.
    office.execute("DELETE FROM outbox WHERE channel = 'wecom_robot'").await;
    let repaired = repair(&office.policy(), 0).await.unwrap();
    assert_eq!((repaired.rows, repaired.unrepaired), (0, 1));
    assert_eq!(repaired.first_unrepaired[0].channel, Channel::WecomRobot);
    assert!(!office.check().await.is_clean());
    assert_eq!(office.repair().await.rows, 1);
    assert!(office.check().await.is_clean());
}

#[rstest]
#[tokio::test]
async fn a_notice_that_was_never_requested_is_requested_unless_its_lead_is_lost(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use super::kit::transferred;
    use domain::customer::AssignmentSource::Manual;
    let office = Office::open(backend).await;
    office.give(1, dawn()).await;
    office.give(2, dawn()).await;
    office.happen(2, transferred(LI, ZHANG, ADMIN, Manual)).await;
    // A policy that was told to have answered all of it and has answered nothing.
    let head = office.world.log.head().await.unwrap();
    office.advance_to(head).await;
    let found = office.check().await;
    assert!(found.missing > 0 && found.notices_missing == 6, "{found:?}");
    let repaired = office.repair().await;
    assert_eq!((repaired.notices, repaired.decisions), (6, found.missing));
    assert!(office.check().await.is_clean());
    let states: Vec<String> = office.work().await.into_iter().map(|(_, state, ..)| state).collect();
    let count = |state: &str| states.iter().filter(|known| *known == state).count();
    assert_eq!((count("pending"), count("held"), count("cancelled")), (2, 4, 3), "{states:?}");
    assert_eq!(office.repair().await.notices, 0);
}

/// The part of the migration that finds the start of a policy of before.
const SEED: &str = include_str!("../../../../infrastructure/migrations/0072_policy_start.sql");

#[rstest]
#[tokio::test]
async fn what_happened_before_the_policy_is_not_missed_and_not_announced(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    let consumers = office.world.projections.consumers();
    let nothing = Repaired { to: office.began, ..Repaired::default() };
    assert!(office.began > 0, "the staff is older than the policy");
    assert_eq!(
        office.check().await,
        Reconciliation { after: office.began, to: office.began, ..Default::default() }
    );
    assert_eq!(office.repair().await, nothing);

    // Another start of the process is not another start of the policy.
    office.give(1, dawn()).await;
    register(&office.world.log, consumers).await.unwrap();
    office.answer_chained().await;
    let found = office.check().await;
    assert!(found.is_clean() && found.expected > 0 && found.after == office.began, "{found:?}");

    // Of a policy whose start nobody knows, everything is asked; its first decision tells, at the upgrade.
    office.execute("DELETE FROM policy_start").await;
    let found = office.check().await;
    assert!(found.missing > 0 && found.notices_missing > 0 && found.after == 0, "{found:?}");
    let seed = SEED.find("INSERT").map(|at| &SEED[at..]).unwrap();
    office.execute(seed).await;
    let found = office.check().await;
    assert!(found.is_clean() && found.expected > 0 && found.after >= office.began, "{found:?}");
    assert_eq!(office.repair().await, Repaired { to: found.to, ..Repaired::default() });

    // What is lost since is still missed.
    office.execute("DELETE FROM decisions").await;
    assert_eq!(office.check().await.missing, found.expected);
}

#[rstest]
#[tokio::test]
async fn the_row_of_a_digest_comes_back_too(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let office = Office::open(backend).await;
    office.collect_daily(LI).await;
    office.give(1, dawn()).await;
    office.give(2, dawn()).await;
    office.answer().await;
    office.world.clock.advance(chrono::TimeDelta::days(1));
    office.releaser().drain_once().await.unwrap();
    let before = office.rows().await;
    let count = |state: &str| before.0.iter().filter(|row| row.1 == state).count();
    assert_eq!((count("merged"), count("pending")), (2, 1), "{:?}", before.0);
    assert!(office.reconciled().await.is_clean());
    office.execute("DELETE FROM outbox WHERE state = 'pending'").await;
    assert_eq!(office.reconciled().await.outbox_missing, 1);
    let repaired = repair(&office.policy(), 0).await.unwrap();
    assert_eq!((repaired.rows, repaired.unrepaired), (1, 0));
    assert_eq!(office.rows().await.1, before.1, "byte for byte");
    assert!(office.reconciled().await.is_clean());
}
