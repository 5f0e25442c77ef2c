//! What the engine does for every channel alike: routes, windows, limits, breaker, pause, order.

use std::time::Duration;

use application::ports::{Clock as _, Ids as _};
use chrono::TimeDelta;
use domain::CustomerId;
use domain::notification::{Channel, DeliveryState, FailureClass};
use infrastructure::dispatcher::{Breaker, Options, Rest};
use infrastructure::ids::TimeOrderedIds;
use rstest::rstest;

use crate::database::Backend;
use crate::scripted::{Scripted, Step, doubt, failure, no, unreachable};
use crate::world::World;

const FALLBACK: Duration = Duration::from_mins(5);

const ROUTE: [Step; 2] = [
    Step { channel: Channel::WecomApp, fallback: Some(FALLBACK) },
    Step { channel: Channel::WechatCloud, fallback: None },
];
const WECOM: [Step; 1] = [Step { channel: Channel::WecomApp, fallback: None }];

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_next_channel_speaks_at_once_after_a_definite_no_and_never_after_a_yes(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let (wecom, cloud) = (Scripted::new(Channel::WecomApp), Scripted::new(Channel::WechatCloud));
    wecom.answers([no()]);
    let refused = world.tell("li", &ROUTE, None).await;
    world.scripted(&wecom).drain_once().await.unwrap();
    assert_eq!(world.rows(&refused).await, ["rejected", "pending"]);
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!(world.rows(&refused).await, ["rejected", "accepted"]);

    let taken = world.tell("li", &ROUTE, None).await;
    world.scripted(&wecom).drain_once().await.unwrap();
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!(world.rows(&taken).await, ["accepted", "cancelled"]);
    assert_eq!(world.step(&taken, 1).await.state, DeliveryState::Cancelled);
    assert_eq!((wecom.sent().len(), cloud.sent().len()), (2, 1));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn the_next_channel_speaks_when_time_is_over(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let (wecom, cloud) = (Scripted::new(Channel::WecomApp), Scripted::new(Channel::WechatCloud));
    wecom.answers(std::iter::repeat_n(unreachable(), 9));
    let told = world.tell("li", &ROUTE, None).await;
    let dispatcher = world.scripted(&wecom);
    for _ in 0..10 {
        dispatcher.drain_once().await.unwrap();
        world.advance(60);
    }
    assert_eq!(
        world.rows(&told).await,
        ["dead", "pending"],
        "the attempt after five minutes is not waited for"
    );
    assert_eq!(wecom.sent().len(), 5, "at 0, 1, 2, 3 and 4 minutes, by which the next wait is too long");
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["dead", "accepted"]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_channel_that_rests_gives_way_and_a_paused_one_does_not(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    let until = world.clock.now() + TimeDelta::hours(1);
    wecom.rests(Some(Rest { failure: failure(FailureClass::Token), until }));
    let told = world.tell("li", &ROUTE, None).await;
    let dispatcher = world.scripted(&wecom);
    dispatcher.drain_once().await.unwrap();
    world
        .execute("INSERT INTO channel_pauses VALUES ('wecom_app', 'why', '2026-03-01 00:00:00+00:00')")
        .await;
    world.advance(301);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["pending", "held"], "the operator said that it should wait");
    world.execute("DELETE FROM channel_pauses").await;
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["dead", "pending"]);
    assert_eq!(world.step(&told, 0).await.attempt, 0, "a rest uses no attempt up");
    assert!(wecom.sent().is_empty());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn nothing_leaves_through_a_paused_channel_and_no_attempt_is_used_up(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    let told = world.tell("li", &WECOM, None).await;
    world
        .execute("INSERT INTO channel_pauses VALUES ('wecom_app', 'why', '2026-03-01 00:00:00+00:00')")
        .await;
    let dispatcher = world.scripted(&wecom);
    dispatcher.drain_once().await.unwrap();
    assert_eq!((world.step(&told, 0).await.attempt, wecom.sent().len()), (0, 0));
    world.execute("DELETE FROM channel_pauses").await;
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["accepted"]);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_doubt_is_repeated_byte_for_byte_where_the_provider_recognises_it(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let (wecom, robot) = (Scripted::new(Channel::WecomApp), Scripted::new(Channel::WecomRobot));
    wecom.answers([doubt()]);
    robot.answers([doubt()]);
    let told = world.tell("li", &WECOM, None).await;
    let step = Step { channel: Channel::WecomRobot, fallback: None };
    let once = world.tell("li", &[step], None).await;
    for provider in [&wecom, &robot] {
        let dispatcher = world.scripted(provider);
        dispatcher.drain_once().await.unwrap();
    }
    world.advance(2);
    for provider in [&wecom, &robot] {
        world.scripted(provider).drain_once().await.unwrap();
    }
    assert_eq!(
        (world.rows(&told).await, world.rows(&once).await),
        (vec!["accepted".into()], vec!["unknown".into()])
    );
    let sent = wecom.sent();
    assert_eq!((sent.len(), &sent[0], robot.sent().len()), (2, &sent[1], 1));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_refusal_after_a_doubt_is_still_a_doubt(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    wecom.answers([doubt(), no()]);
    let told = world.tell("li", &ROUTE, None).await;
    let dispatcher = world.scripted(&wecom);
    dispatcher.drain_once().await.unwrap();
    world.advance(2);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.rows(&told).await, ["unknown", "held"], "the first attempt may have arrived");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_a_provider_would_drop_in_silence_never_leaves(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    for _ in 0..35 {
        world.tell("li", &WECOM, None).await;
    }
    let other = world.tell("wang", &WECOM, None).await;
    let dispatcher = world.scripted(&wecom);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(wecom.sent().len(), 31, "thirty to one person, and one to the other");
    assert_eq!(world.rows(&other).await, ["accepted"]);
    world.advance(59);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(wecom.sent().len(), 31, "any minute");
    world.advance(21);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(wecom.sent().len(), 36);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_robot_is_limited_whoever_it_speaks_to(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let robot = Scripted::new(Channel::WecomRobot);
    let step = [Step { channel: Channel::WecomRobot, fallback: None }];
    for n in 0..20 {
        world.tell(&format!("person-{n}"), &step, None).await;
    }
    let dispatcher = world.scripted_with(&robot, Options { concurrency: 4, ..Options::default() });
    dispatcher.drain_once().await.unwrap();
    assert_eq!(robot.sent().len(), 18);
    world.advance(80);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(robot.sent().len(), 20);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_provider_that_fails_for_everybody_is_left_alone(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let cloud = Scripted::new(Channel::WechatCloud);
    cloud.answers(std::iter::repeat_n(unreachable(), 5));
    let step = [Step { channel: Channel::WechatCloud, fallback: None }];
    for n in 0..8 {
        world.tell(&format!("person-{n}"), &step, None).await;
    }
    let breaker = Breaker { failures: 4, first: Duration::from_secs(30), longest: Duration::from_secs(40) };
    let dispatcher = world.scripted_with(&cloud, Options { concurrency: 1, breaker, ..Options::default() });
    dispatcher.drain_once().await.unwrap();
    assert_eq!(cloud.sent().len(), 4, "then the breaker opened");
    world.advance(30);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(cloud.sent().len(), 5, "one went to see");
    world.advance(39);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(cloud.sent().len(), 5, "it failed, so the rest is longer");
    world.advance(1);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(cloud.sent().len(), 5 + 8, "one went to see, then all the others");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn what_is_said_of_one_customer_keeps_its_order(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    wecom.answers([unreachable()]);
    let customer = Some(CustomerId(TimeOrderedIds.next()));
    let first = world.tell("li", &WECOM, customer).await;
    let dispatcher = world.scripted(&wecom);
    dispatcher.drain_once().await.unwrap();
    let second = world.tell("li", &WECOM, customer).await;
    let elsewhere = world.tell("li", &WECOM, None).await;
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.rows(&second).await, ["pending"], "it waits behind the retry");
    assert_eq!(world.rows(&elsewhere).await, ["accepted"], "other news does not");
    world.advance(2);
    dispatcher.drain_once().await.unwrap();
    assert_eq!(
        (world.rows(&first).await, world.rows(&second).await),
        (vec!["accepted".to_owned()], vec!["accepted".to_owned()])
    );
    let order: Vec<String> = wecom.sent().into_iter().skip(2).collect();
    assert!(order[0].contains(&first.notification.to_string()));
    assert!(order[1].contains(&second.notification.to_string()));
}
