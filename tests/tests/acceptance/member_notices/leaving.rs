//! What waited goes to whoever is chosen when it leaves, and never to somebody who was taken off meanwhile
//! (docs/adr/0031).

use chrono::TimeDelta;
use domain::notification::DeliveryState::{self, Accepted, Held, Rejected, Retry, Unknown};
use rstest::rstest;
use serde_json::json;
use tests::kit::{Person, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Endpoint, Fault, FaultRule};

use super::{cards, messages, people, registers, set, start, states, titles};

const REGISTERED: &str = "🎉 新会员登记通知";
const DIGEST: &str = "📋 会员通知汇总";

/// Two people are chosen, and messages wait until they are switched on.
async fn switched_off(on: Backend) -> TestApp {
    let app = start(on).await;
    set(&app, &json!({ "notification_recipients": people(&app), "member_notification_enabled": false }))
        .await;
    app
}

/// Chooses one person instead of two.
async fn choose(app: &TestApp, person: &Person) {
    set(app, &json!({ "notification_recipients": person.wecom_user() })).await;
}

/// The next attempt is made, and came to this.
async fn next_attempt(app: &TestApp, state: DeliveryState) {
    app.leap(TimeDelta::seconds(2));
    eventually("the next attempt is made", async || (states(app).await == [state]).then_some(())).await;
    app.settle().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_switch_held_goes_to_those_who_are_chosen_now(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(1, 3)] members: usize,
) {
    let app = switched_off(on).await;
    let (manager, operator, new) = (&app.team.manager, &app.team.operator, &app.team.employee);
    for key in 1..=members {
        registers(&app, &key.to_string()).await;
    }
    app.settle().await;
    assert_eq!(states(&app).await, vec![Held; members]);

    choose(&app, new).await;
    app.settle().await;
    assert_eq!(states(&app).await, vec![Held; members], "it still is switched off");
    set(&app, &json!({ "member_notification_enabled": true })).await;
    app.settle().await;
    assert_eq!(titles(&app, new), [if members == 1 { REGISTERED } else { DIGEST }]);
    for taken_off in [manager, operator] {
        assert!(cards(&app, taken_off).is_empty(), "{} was taken off", taken_off.name);
    }
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn if_nobody_is_chosen_any_more_what_was_held_is_given_up_and_says_why(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = switched_off(on).await;
    registers(&app, "1").await;
    app.settle().await;
    set(&app, &json!({ "notification_recipients": "", "member_notification_enabled": true })).await;
    app.settle().await;
    assert_eq!(states(&app).await, [Rejected]);
    let delivery = messages(&app).await[0].id;
    let shown = app.get(&format!("/api/deliveries/{delivery}")).by(&app.team.admin).send().await;
    assert!(shown.data().to_string().contains("nobody is chosen"), "{}", shown.body);
    assert!(cards(&app, &app.team.manager).is_empty());

    // Somebody who was chosen since gets it when an operator wants so.
    choose(&app, &app.team.employee).await;
    let again = app.post(&format!("/api/deliveries/{delivery}/retry"), &json!({})).by(&app.team.admin);
    assert_eq!(again.send().await.status, 200);
    app.settle().await;
    assert_eq!(titles(&app, &app.team.employee), [REGISTERED]);
    assert!(cards(&app, &app.team.manager).is_empty());
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_tried_again_goes_to_those_who_are_chosen_then(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    set(&app, &json!({ "notification_recipients": people(&app) })).await;
    let busy = Fault::Errcode { errcode: -1, errmsg: None, process: false };
    app.wechat().add_fault(FaultRule::once(Endpoint::WecomSend, busy)).expect("a rule");
    registers(&app, "1").await;
    app.settle().await;
    assert_eq!(states(&app).await, [Retry]);
    choose(&app, &app.team.employee).await;
    next_attempt(&app, Accepted).await;
    assert_eq!(titles(&app, &app.team.employee), [REGISTERED]);
    assert!(cards(&app, &app.team.manager).is_empty() && cards(&app, &app.team.operator).is_empty());
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_have_arrived_reaches_nobody_who_was_taken_off_and_nobody_twice(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Fault::ResetBefore {}, Fault::ResetAfter {})] fault: Fault,
) {
    let app = start(on).await;
    let (manager, operator) = (&app.team.manager, &app.team.operator);
    set(&app, &json!({ "notification_recipients": people(&app) })).await;
    let arrived = usize::from(fault == Fault::ResetAfter {});
    app.wechat().add_fault(FaultRule::once(Endpoint::WecomSend, fault)).expect("a rule");
    registers(&app, "1").await;
    app.settle().await;
    assert_eq!(states(&app).await, [Retry]);
    choose(&app, operator).await;
    next_attempt(&app, Unknown).await;
    for person in [manager, operator] {
        assert_eq!(cards(&app, person).len(), arrived, "{} is left as it was", person.name);
    }
    app.is_reconciled().await;
    app.finish().await;
}
