//! Proofs that a message went out, or did not: whichever comes first, the proof or the answer it proves.

use chrono::TimeDelta;
use domain::notification::DeliveryState::{Accepted, Delivered, Rejected, Unknown};
use domain::notification::FailureClass::Busy;
use domain::notification::{Channel, DeliveryState};
use projections::queries::deliveries::DeliveryRow;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Person, Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_TEMPLATE, Endpoint, Fault, FaultRule, Switches};

use super::{AES_KEY, CREDITS, day, encrypted, encrypted_with, event, keys, push, sending, success, told};

/// How long a call may take until it is given up; what is not hindered takes far less on the busiest machine.
const SHORT_TIMEOUT_MS: u64 = 1_000;

/// Longest a story waits, in seconds of the service's clock: less than the grace after which the channel's policy
/// settles what is unknown.
const STEPS_MAX: usize = 60;

/// Lets time pass until what waits was looked at again and the delivery is concluded by a proof.
async fn proven(app: &TestApp, person: &Person) -> DeliveryRow {
    for _ in 0..STEPS_MAX {
        told(app).await;
        let row = sending(app, person).await;
        if matches!(row.state, Delivered | Rejected) {
            return row;
        }
        app.advance(TimeDelta::seconds(1));
    }
    sending(app, person).await
}

#[rstest]
#[case::once_after_the_answer(false, 1)]
#[case::three_times_after_the_answer(false, 3)]
#[case::once_before_the_answer(true, 1)]
#[case::three_times_before_the_answer(true, 3)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_kept_until_the_answer_is_there_and_counts_once(
    #[values(Sqlite, Postgres)] on: Backend,
    #[case] before_answer: bool,
    #[case] copies: u8,
) {
    let app = encrypted(on).await;
    let team = app.team.clone();
    day(&app, |day| (day.before_answer, day.copies) = (before_answer, copies));
    app.lead_of(&team.manager, &team.employee, 1).await;
    let row = proven(&app, &team.employee).await;
    assert_eq!(row.state, Delivered);
    let id = app.messages(&team.employee)[0].msgid.to_string();
    assert_eq!(row.provider_message_id, Some(id));
    assert_eq!(app.credits(&team.employee).await, (CREDITS - 1, 0), "one message, one credit");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_proof_leaves_the_message_accepted(#[values(Sqlite, Postgres)] on: Backend) {
    let app = encrypted(on).await;
    let team = app.team.clone();
    day(&app, |day| day.lost = true);
    app.lead_of(&team.manager, &team.employee, 1).await;
    told(&app).await;
    assert_eq!(sending(&app, &team.employee).await.state, Accepted);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_answer_never_came_is_proven_by_its_event(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(1, 3)] copies: u8,
) {
    let setup = Setup { provider_timeout_ms: SHORT_TIMEOUT_MS, ..Setup::default() };
    let app = encrypted_with(on, setup).await;
    let team = app.team.clone();
    day(&app, |day| (day.held, day.copies) = (true, copies));
    let hangs = Fault::TimeoutAfterProcessing { ms: None };
    app.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, hangs)).unwrap();
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    assert_eq!(sending(&app, &team.employee).await.state, Unknown);
    assert_eq!(app.credits(&team.employee).await, (CREDITS - 1, 1), "the credit is held");

    app.wechat().release_callbacks(wechat_simulator::ReleaseOrder::Queued);
    let row = proven(&app, &team.employee).await;
    assert_eq!(row.state, Delivered);
    assert_eq!(app.credits(&team.employee).await, (CREDITS - 1, 0), "it was spent");
    assert_eq!(app.messages(&team.employee).len(), 1, "and nothing was sent again");
    app.wechat().clear_faults();
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_of_somebody_elses_message_is_taken_for_nobodys(#[values(Sqlite, Postgres)] on: Backend) {
    let setup = Setup { provider_timeout_ms: SHORT_TIMEOUT_MS, ..Setup::default() };
    let app = encrypted_with(on, setup).await;
    let team = app.team.clone();
    day(&app, |day| day.lost = true);
    let hangs = Fault::Hang { process: false };
    app.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, hangs)).unwrap();
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    assert_eq!(sending(&app, &team.employee).await.state, Unknown);

    // Another template, another person, another time: none of them is the message that nobody answered for.
    let sealed = keys(Some(AES_KEY));
    let sent = |template: &str| json!({ "TemplateId": template, "MsgID": "77", "ErrorCode": "0", "ErrorStatus": "success" });
    let other_template = event(&app, &team.employee, "subscribe_msg_sent_event", &sent("another"));
    let other_person = event(&app, &team.colleague, "subscribe_msg_sent_event", &sent(DEMO_TEMPLATE));
    let created = app.now().timestamp();
    let long_before = event(&app, &team.employee, "subscribe_msg_sent_event", &sent(DEMO_TEMPLATE))
        .replace(&created.to_string(), &(created - 3600).to_string());
    for (nonce, body) in [("1", other_template), ("2", other_person), ("3", long_before)] {
        assert_eq!(push(&app, &sealed, nonce, &body).await, success());
    }
    for _ in 0..5 {
        app.settle().await;
        app.advance(TimeDelta::seconds(5));
    }
    app.settle().await;
    assert_eq!(sending(&app, &team.employee).await.state, Unknown);
    assert_eq!(app.credits(&team.employee).await, (CREDITS - 1, 1));

    // What nobody waits for is given up in the end, and nothing else happened.
    app.advance(TimeDelta::minutes(16));
    let store = app.app().callbacks.store().clone();
    tests::kit::eventually("the proofs are given up", async || {
        let counts = store.counts().await.unwrap();
        counts.iter().all(|count| count.state == "done").then_some(())
    })
    .await;
    app.wechat().clear_faults();
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_cloud_function_sent_proves_no_message_without_an_answer(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = encrypted_with(on, Setup::through(&[Channel::WechatSubscribe, Channel::WechatCloud])).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    let once = |fault| app.wechat().add_fault(FaultRule::once(Endpoint::SubscribeSend, fault)).unwrap();
    once(Fault::ResetBefore {});
    app.lead_of(&manager, &employee, 1).await;
    told(&app).await;
    assert_eq!(sending(&app, &employee).await.state, Unknown);

    // The next lead is told by the function, to the same person, from the same app, with the same template.
    once(Fault::Errcode { errcode: 47003, errmsg: None, process: false });
    app.lead_of(&manager, &employee, 2).await;
    for _ in 0..5 {
        told(&app).await;
        app.advance(TimeDelta::seconds(5));
    }
    told(&app).await;
    let rows = app.sendings(&employee).await;
    let states: Vec<_> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [Rejected, Unknown], "nobody has told of the first lead yet");

    // Its standby does, when the time for a proof is over.
    app.advance(TimeDelta::seconds(121));
    told(&app).await;
    assert_eq!(app.received(&employee, Channel::WechatCloud).len(), 2);
    app.finish().await;
}

#[rstest]
#[case::it_arrived(0, Delivered, [1, 0])]
#[case::wechat_could_not_push_it(1300, Rejected, [0, 1])]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_the_cloud_functions_message_is_known_by_the_id_it_passes_on(
    #[values(Sqlite, Postgres)] on: Backend,
    #[case] sent_event_errcode: u64,
    #[case] state: DeliveryState,
    #[case] came: [usize; 2],
) {
    // The mini program is configured for its callbacks; nobody needs to be told through it.
    let route = [Channel::WechatCloud, Channel::WecomApp, Channel::WechatSubscribe];
    let switches = Switches { sent_event_errcode, ..Switches::default() };
    let app = encrypted_with(on, Setup { switches, ..Setup::through(&route) }).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    app.lead_of(&manager, &employee, 1).await;
    for _ in 0..STEPS_MAX {
        told(&app).await;
        if app.sendings_through(&employee, Channel::WechatCloud).await[0].state == state {
            break;
        }
        app.advance(TimeDelta::seconds(1));
    }
    told(&app).await;
    let row = app.sendings_through(&employee, Channel::WechatCloud).await.remove(0);
    assert_eq!(row.state, state);
    let failure = row.failure.map(|failure| (failure.class, failure.code));
    assert_eq!(failure, (state == Rejected).then_some((Busy, Some(1300))));
    let channels = [Channel::WechatCloud, Channel::WecomApp];
    assert_eq!(channels.map(|channel| app.received(&employee, channel).len()), came);
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_taken_and_not_brought_is_rejected(#[values(Sqlite, Postgres)] on: Backend) {
    let app = encrypted(on).await;
    let team = app.team.clone();
    day(&app, |day| day.lost = true);
    app.lead_of(&team.manager, &team.employee, 1).await;
    told(&app).await;
    let id = app.messages(&team.employee)[0].msgid.to_string();
    let list =
        json!({ "TemplateId": DEMO_TEMPLATE, "MsgID": id, "ErrorCode": "1300", "ErrorStatus": "failed" });
    let body = event(&app, &team.employee, "subscribe_msg_sent_event", &list);
    assert_eq!(push(&app, &keys(Some(AES_KEY)), "1", &body).await, success());
    let row = proven(&app, &team.employee).await;
    assert_eq!(row.state, Rejected);
    let failure = row.failure.unwrap();
    assert_eq!((failure.class, failure.code), (Busy, Some(1300)));
    app.wechat().clear_ledger(); // the simulator brought it all the same
    app.finish().await;
}
