//! How each answer of WeChat ends for the notice, the row and the credit.

use domain::notification::DeliveryState::{Accepted, Dead, Rejected, Retry, Unknown};
use rstest::rstest;
use wechat_simulator::{Endpoint, Fault, FaultRule, Times};

use crate::database::Backend;
use crate::world::World;

fn on_send(openid: &str, fault: Fault) -> FaultRule {
    FaultRule {
        endpoint: Some(Endpoint::SubscribeSend),
        openid: Some(openid.to_owned()),
        after: 0,
        times: Times::Count(1),
        fault,
    }
}

fn says(errcode: i64) -> Fault {
    Fault::Errcode { errcode, errmsg: None, process: false }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_accepted_message_arrives_once_and_its_text_is_forgotten(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 2).await;
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    world.request_again("li", notice.notification).await;
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Accepted);
    assert_eq!(world.row(notice).await, ("accepted".to_owned(), false, 0));
    assert_eq!(world.credits("li").await, (1, 0));
    assert_eq!(world.wechat().received_by("li").len(), 1);
    assert_eq!(world.wechat().calls().of(Endpoint::SubscribeSend).calls, 1);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn each_class_of_answer_has_its_end(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let html = Fault::Http502Html { process: true };
    let gateway = Fault::Http4xx { status: 403, process: false };
    // Person, fault, state, (free credits, reserved), message received, seconds until due.
    let rows = [
        ("recipient", says(40003), Rejected, (1, 0), 0, 0),
        ("config", says(40037), Rejected, (1, 0), 0, 0),
        ("content", says(47003), Rejected, (1, 0), 0, 0),
        ("consent", says(43101), Rejected, (0, 0), 0, 0),
        ("crowded", says(43108), Retry, (0, 1), 0, 1),
        ("busy", says(-1), Unknown, (0, 1), 0, 0),
        ("new-code", says(77_777), Retry, (0, 1), 0, 1),
        ("gateway", gateway, Retry, (0, 1), 0, 1),
        ("html", html, Unknown, (0, 1), 1, 0),
        ("half", Fault::TruncatedJson { process: true }, Unknown, (0, 1), 1, 0),
        ("reset-before", Fault::ResetBefore {}, Unknown, (0, 1), 0, 0),
        ("reset-after", Fault::ResetAfter {}, Unknown, (0, 1), 1, 0),
    ];
    let dispatcher = world.dispatcher();
    let mut notices = Vec::new();
    for (person, fault, ..) in &rows {
        world.grant(person, 1).await;
        world.wechat().add_fault(on_send(person, fault.clone())).unwrap();
        notices.push(world.request(person).await);
    }
    dispatcher.drain_once().await.unwrap();
    for ((person, _, state, credits, received, due), notice) in rows.iter().zip(&notices) {
        assert_eq!(world.state(*notice).await, *state, "{person}");
        assert_eq!(world.credits(person).await, *credits, "{person}");
        assert_eq!(world.wechat().received_by(person).len(), *received, "{person}");
        assert_eq!(world.row(*notice).await, (state.to_string(), true, *due), "{person}");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn without_a_credit_nothing_is_asked(#[case] backend: Backend) {
    let world = World::new(backend).await;
    // We believe in three, WeChat knows of none.
    world.wechat().grant_credits("li", 0).unwrap();
    world.grant_here("li", 3).await;
    let refused = world.request("li").await;
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.state(refused).await, Rejected);
    assert_eq!(world.credits("li").await, (0, 0));
    let without = world.request("li").await;
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.state(without).await, Rejected);
    assert_eq!(world.delivery(without).await.attempt, 0);
    assert_eq!(world.wechat().calls().of(Endpoint::SubscribeSend).calls, 1);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_provider_that_says_something_new_is_asked_three_times(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.wechat().add_fault(FaultRule { times: Times::FOREVER, ..on_send("li", says(77_777)) }).unwrap();
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    for due in [1, 5, 15] {
        dispatcher.drain_once().await.unwrap();
        world.advance(due);
    }
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Dead);
    assert_eq!(world.credits("li").await, (1, 0));
    assert_eq!(world.wechat().calls().of(Endpoint::SubscribeSend).calls, 3);
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_unreachable_provider_is_tried_by_the_schedule_and_then_given_up(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.grant("wang", 1).await;
    // The token is fetched, then the provider goes away.
    let warm_up = world.request("wang").await;
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.state(warm_up).await, Accepted);
    let World { process, clock, simulator, database } = world;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let world = World { process: process.with_base_url(&nobody), clock, simulator, database };
    let notice = world.request("li").await;
    let dispatcher = world.dispatcher();
    for (counted, due) in (1..).zip([1, 5, 15, 30, 60, 120, 300, 600, 900]) {
        dispatcher.drain_once().await.unwrap();
        let delivery = world.delivery(notice).await;
        assert_eq!((delivery.state, delivery.counted), (Retry, counted));
        assert_eq!(world.row(notice).await, ("retry".to_owned(), true, due));
        world.advance(due - 1);
        dispatcher.drain_once().await.unwrap();
        assert_eq!(world.delivery(notice).await.counted, counted, "tried too early");
        world.advance(1);
    }
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.state(notice).await, Dead);
    assert_eq!(world.delivery(notice).await.attempt, 10);
    assert_eq!(world.credits("li").await, (1, 0));
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_day_quota_rests_the_channel_until_midnight_in_beijing(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    world.grant("wang", 1).await;
    world.wechat().add_fault(on_send("li", says(45009))).unwrap();
    let first = world.request("li").await;
    let dispatcher = world.dispatcher();
    dispatcher.drain_once().await.unwrap();
    let fourteen_hours = 14 * 3600;
    assert_eq!(world.row(first).await, ("retry".to_owned(), true, fourteen_hours));
    let second = world.request("wang").await;
    dispatcher.drain_once().await.unwrap();
    assert_eq!(world.delivery(second).await.attempt, 0, "the channel did not rest");
    world.advance(fourteen_hours);
    dispatcher.drain_once().await.unwrap();
    for notice in [first, second] {
        assert_eq!(world.state(notice).await, Accepted);
        assert_eq!(world.delivery(notice).await.counted, 1, "a quota wait does not count");
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn rows_of_another_app_are_held(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.grant("li", 1).await;
    let notice = world.request("li").await;
    world.execute("UPDATE outbox SET app = 'wx-of-last-year'").await;
    world.dispatcher().drain_once().await.unwrap();
    assert_eq!(world.row(notice).await, ("pending".to_owned(), true, 0));
}
