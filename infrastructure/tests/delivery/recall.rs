//! A message is taken back before it left, or it left: never both, never neither.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use application::bus::{AppendError, CommandBus, StreamAppend};
use application::ports::{Clock, Ids};
use domain::notification::DeliveryState::{self, Accepted, Cancelled, InFlight, Pending, Unknown};
use domain::notification::{
    Channel, FailureClass, Notification, NotificationCommand, NotificationEvent, Settlement,
};
use domain::{Aggregate, CustomerId, StaffId, StreamId};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::Gained;
use infrastructure::outbox::decide::decide;
use infrastructure::outbox::lease::{self, Tenant, Wanted};
use infrastructure::outbox::recall::{CancelRows, Lost, Waiting, waiting};
use infrastructure::outbox::unknown;
use rstest::rstest;
use uuid::Uuid;
use wechat_simulator::DEMO_APPID;

use crate::database::Backend;
use crate::scripted::{About, Scripted, Step, Told, doubt, failure};
use crate::world::{World, draft};

fn lead(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(n))
}

fn person(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(1000 + n))
}

fn gained(n: u128, who: u128, cause: i64) -> Gained {
    Gained { lead: lead(n), owner: person(who), cause }
}

fn lost(n: u128, who: u128, at: i64) -> Lost {
    Lost { lead: lead(n), owner: person(who), at }
}

/// As the policy does it, once: cancels what waits, together with its rows.
async fn take_back(world: &World, row: &Waiting) -> Result<(), AppendError> {
    let at = world.clock.now();
    let stream = StreamId::from(row.notification);
    let notice = world.process.bus.load::<Notification>(&stream).await.unwrap();
    let reason = "lead_transferred".to_owned();
    let command = NotificationCommand::Cancel { delivery: row.delivery, reason, at };
    let Ok(events) = notice.state.decide(command) else { return Err(AppendError::Fenced) };
    let append = StreamAppend::of(stream, notice.sequence, &events).unwrap();
    let left = Arc::new(AtomicBool::new(false));
    let closes = matches!(events.first(), Some(NotificationEvent::Uncertain(_)));
    let (doubted, waiting) = if closes { (vec![row.delivery], vec![]) } else { (vec![], vec![row.delivery]) };
    let rows = CancelRows { waiting, doubted, new: vec![], left: left.clone(), at };
    let done = world.process.bus.append_with(draft(vec![append], at), vec![Box::new(rows)]).await;
    assert_eq!(done == Err(AppendError::Fenced), left.load(Ordering::Acquire), "a refusal says why");
    done.map(drop)
}

#[rstest]
#[tokio::test]
async fn what_waits_is_found_by_lead_and_person_and_time(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let db = &world.database.db;
    let early = world.request_about("li", gained(1, 1, 10)).await;
    let late = world.request_about("li", gained(1, 1, 30)).await;
    world.request_about("zhang", gained(1, 2, 10)).await;
    world.request_about("li", gained(2, 1, 10)).await;
    world.request("li").await;
    let found = |losses: Vec<Lost>| async move {
        let found = waiting(db, &losses, None).await.unwrap();
        found.into_iter().map(|row| (row.loss, row.delivery)).collect::<Vec<_>>()
    };
    assert_eq!(found(vec![]).await, []);
    assert_eq!(found(vec![lost(1, 1, 10)]).await, [], "gained by the same event");
    assert_eq!(found(vec![lost(1, 1, 20)]).await, [(0, early.delivery)]);
    assert_eq!(found(vec![lost(3, 1, 20), lost(1, 3, 20)]).await, []);
    let twice = found(vec![lost(1, 1, 20), lost(1, 1, 40)]).await;
    assert_eq!(
        twice,
        [(0, early.delivery), (1, late.delivery)],
        "each is taken back once, by the first loss"
    );
}

const ROUTE: [Step; 2] = [
    Step { channel: Channel::WechatSubscribe, fallback: Some(Duration::from_mins(5)) },
    Step { channel: Channel::WecomApp, fallback: None },
];

fn about(gained: Gained) -> About {
    About { gained: Some(gained), ..About::default() }
}

/// The provider says that it did not bring what it had taken.
async fn refute(world: &World, told: &Told) {
    let at = world.clock.now();
    let metadata = draft(vec![], at).metadata;
    let failure = failure(FailureClass::Recipient);
    let command = NotificationCommand::Refute { delivery: told.delivery(0), failure, at };
    decide(&world.process.bus, told.delivery(0), command, metadata, at).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_dismissed_standby_is_not_called_for_a_lead_that_moved_on(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] moved_on: bool,
) {
    let world = World::new(backend).await;
    let (wechat, wecom) = (Scripted::new(Channel::WechatSubscribe), Scripted::new(Channel::WecomApp));
    let told = world.tell_about("li", &ROUTE, about(gained(1, 1, 10))).await;
    world.scripted(&wechat).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["accepted", "cancelled"]);
    if moved_on {
        let rows = waiting(&world.database.db, &[lost(1, 1, 20)], None).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.delivery).collect::<Vec<_>>(), [told.delivery(1)]);
        take_back(&world, &rows[0]).await.unwrap();
        assert_eq!(waiting(&world.database.db, &[lost(1, 1, 20)], None).await.unwrap(), []);
    }
    refute(&world, &told).await;
    world.scripted(&wecom).drain_once().await.unwrap();
    let expected = if moved_on { ["rejected", "cancelled"] } else { ["rejected", "accepted"] };
    assert_eq!(world.rows(&told).await, expected);
    assert_eq!(wecom.sent().len(), usize::from(!moved_on));
}

#[rstest]
#[tokio::test]
async fn a_standby_that_nobody_can_call_any_more_is_left_alone(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let cloud = Step { channel: Channel::WechatCloud, fallback: None };
    let route = [Step { fallback: Some(Duration::from_mins(5)), ..ROUTE[1] }, cloud];
    let told = world.tell_about("li", &route, about(gained(1, 1, 10))).await;
    world.scripted(&Scripted::new(Channel::WecomApp)).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["accepted", "cancelled"]);
    let found = waiting(&world.database.db, &[lost(1, 1, 20)], None).await.unwrap();
    assert_eq!(found, [], "WeCom never takes its word back");
}

#[rstest]
#[tokio::test]
async fn what_may_have_arrived_is_not_said_to_be_taken_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    wecom.answers([doubt()]);
    let told = world.tell_about("li", &ROUTE[1..], about(gained(1, 1, 10))).await;
    world.scripted(&wecom).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["retry"]);
    let rows = waiting(&world.database.db, &[lost(1, 1, 20)], None).await.unwrap();
    take_back(&world, &rows[0]).await.unwrap();
    assert_eq!(world.rows(&told).await, ["unknown"]);
    let delivery = world.step(&told, 0).await;
    assert_eq!((delivery.state, delivery.settlement), (Unknown, Some(Settlement::Closed)));
    world.advance(3600);
    world.scripted(&wecom).drain_once().await.unwrap();
    assert_eq!(wecom.sent().len(), 1, "it is not repeated");
    assert_eq!(unknown::next_due(&world.database.db).await.unwrap(), None, "nobody decides on it");
    let arrived = NotificationCommand::Settle {
        delivery: told.delivery(0),
        settlement: Settlement::Sent,
        by: draft(vec![], world.clock.now()).metadata.actor,
        reason: "核实".to_owned(),
        at: world.clock.now(),
    };
    let (at, metadata) = (world.clock.now(), draft(vec![], world.clock.now()).metadata);
    decide(&world.process.bus, told.delivery(0), arrived, metadata, at).await.unwrap();
    assert_eq!(world.rows(&told).await, ["accepted"], "who knows better may still say so");
}

#[rstest]
#[tokio::test]
async fn what_was_taken_back_is_never_sent(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    let notice = world.request_about("li", gained(1, 1, 10)).await;
    let other = world.request_about("li", gained(2, 1, 11)).await;
    let rows = waiting(&world.database.db, &[lost(1, 1, 20)], None).await.unwrap();
    take_back(&world, &rows[0]).await.unwrap();
    assert_eq!(world.state(notice).await, Cancelled);
    let (state, has_text, _) = world.row(notice).await;
    assert_eq!((state.as_str(), has_text), ("cancelled", false));
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.state(other).await, Accepted);
    assert_eq!(world.wechat().received_by("li").len(), 1);
    assert_eq!(world.credits("li").await, (1, 0), "no credit is spent on it");
}

#[rstest]
#[tokio::test]
async fn a_row_that_left_meanwhile_refuses_the_recall(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let notice = world.request_about("li", gained(1, 1, 10)).await;
    let rows = waiting(&world.database.db, &[lost(1, 1, 20)], None).await.unwrap();
    world.execute("UPDATE outbox SET state = 'in_flight', attempt = 1").await;
    assert_eq!(take_back(&world, &rows[0]).await, Err(AppendError::Fenced));
    assert_eq!(world.state(notice).await, Pending, "the event is refused with the row");
    assert_eq!(world.row(notice).await.0, InFlight.as_str());
}

#[rstest]
#[tokio::test]
async fn leased_rows_are_spared_only_when_asked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.request_about("li", gained(1, 1, 10)).await;
    let (owner, channel, app) = (TimeOrderedIds.next(), Channel::WechatSubscribe, DEMO_APPID.to_owned());
    let tenant = Tenant { owner, channel, app, lease: Duration::from_mins(1) };
    let wanted = Wanted { state: Pending, limit: 1, busy: &[] };
    let now = world.clock.now();
    let db = &world.database.db;
    assert_eq!(lease::lease(db, &tenant, wanted, TimeOrderedIds.next(), now).await.unwrap().len(), 1);
    let losses = [lost(1, 1, 20)];
    assert_eq!(waiting(db, &losses, None).await.unwrap().len(), 1);
    assert_eq!(waiting(db, &losses, Some(now)).await.unwrap().len(), 0);
    world.advance(61);
    assert_eq!(waiting(db, &losses, Some(world.clock.now())).await.unwrap().len(), 1, "the lease is over");
}

#[rstest]
#[tokio::test]
async fn of_a_send_and_a_recall_at_the_same_time_one_happens(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const PEOPLE: u128 = 40;
    let world = World::new(backend).await;
    let mut notices = Vec::new();
    for n in 0..PEOPLE {
        let openid = format!("person-{n}");
        world.grant(&openid, 1).await;
        notices.push((openid.clone(), world.request_about(&openid, gained(n, n, 10)).await));
    }
    let losses: Vec<Lost> = (0..PEOPLE).rev().map(|n| lost(n, n, 20)).collect();
    let dispatcher = world.dispatcher();
    let recalls = async {
        for row in waiting(&world.database.db, &losses, None).await.unwrap() {
            let done = take_back(&world, &row).await;
            assert!(
                matches!(done, Ok(()) | Err(AppendError::Fenced | AppendError::Conflict { .. })),
                "{done:?}"
            );
        }
    };
    let (drained, ()) = tokio::join!(dispatcher.drain_once(), recalls);
    drained.unwrap();
    dispatcher.drain_once().await.unwrap();
    for (openid, notice) in notices {
        let state = world.state(notice).await;
        let row = world.row(notice).await.0;
        assert_eq!(row, state.as_str(), "row and notice agree");
        let expected = |state: DeliveryState| match state {
            Accepted => (1, (0, 0)),
            Cancelled => (0, (1, 0)),
            other => panic!("{openid} is {other}"),
        };
        let got = (world.wechat().received_by(&openid).len(), world.credits(&openid).await);
        assert_eq!(got, expected(state), "{openid} is {state}");
    }
}
