//! WeChat that hangs, refuses, forgets its tokens or is not there at all: the work goes on, nobody gets a message
//! twice, and what is not known is shown as such (product.md G7, G8).

use chrono::TimeDelta;
use domain::notification::DeliveryState::{self, Accepted, Rejected, Retry, Unknown};
use domain::notification::FailureClass::{
    self, Busy, Config, Consent, Content, Quota, Recipient, Uncertain, Unreachable,
};
use futures_util::future::join_all;
use projections::queries::deliveries::DeliveryRow;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Person, Setup, TestApp, Wechat, eventually, log};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Endpoint, Fault, FaultRule};

/// How long a call may take where a story waits until it is given up.
const SHORT_TIMEOUT_MS: u64 = 1_000;

fn send(fault: Fault) -> FaultRule {
    FaultRule::once(Endpoint::SubscribeSend, fault)
}

/// The only delivery through WeChat that was meant for a person.
async fn only_sending(app: &TestApp, person: &Person) -> DeliveryRow {
    let mut rows = app.sendings(person).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_wechat_hangs_requests_are_answered_and_afterwards_everybody_is_told_once(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let people = app.hire(8).await;
    let leads = join_all((0..people.len()).map(|n| app.own_lead(&team.manager, n))).await;
    app.settle().await;
    let before = app.wechat().ledger().len();
    app.wechat()
        .add_fault(FaultRule::forever(Endpoint::SubscribeSend, Fault::Hang { process: false }))
        .unwrap();
    for (lead, person) in leads.iter().zip(&people) {
        let reply = app.assign(lead, person).by(&team.manager).send().await;
        assert_eq!(reply.status, 200, "no provider is waited for");
    }
    app.wechat().until_waiting(people.len()).await;
    assert_eq!(app.messages_after(before), []);
    for person in &people {
        let told = eventually("the inbox does not wait", async || {
            Some(app.told(person).await).filter(|t| !t.is_empty())
        });
        assert_eq!(told.await.len(), 1);
    }
    app.wechat().clear_faults();
    app.settle().await;
    for person in &people {
        assert_eq!(app.messages(person).len(), 1);
        assert_eq!(only_sending(&app, person).await.state, Accepted);
    }
    app.finish().await;
}

#[rstest]
#[case::before_it_was_processed(Fault::Hang { process: false }, 0)]
#[case::after_it_was_processed(Fault::TimeoutAfterProcessing { ms: None }, 1)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_given_up_is_unknown_and_never_repeated(
    #[values(Sqlite, Postgres)] on: Backend,
    #[case] fault: Fault,
    #[case] received: usize,
) {
    let setup = Setup { provider_timeout_ms: SHORT_TIMEOUT_MS, ..Setup::default() };
    let app = TestApp::start_with(on, setup).await;
    let team = app.team.clone();
    let granted = app.setup_credits();
    app.wechat().add_fault(send(fault).to(&team.employee.openid)).unwrap();
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let sending = only_sending(&app, &team.employee).await;
    assert_eq!(sending.state, Unknown);
    assert_eq!(sending.failure.map(|failure| failure.class), Some(Uncertain));
    assert_eq!(app.messages(&team.employee).len(), received);
    assert_eq!(app.credits(&team.employee).await, (granted - 1, 1), "the credit stays reserved");

    // Neither time nor another notice makes it go out again.
    app.wechat().clear_faults();
    app.advance(TimeDelta::hours(2));
    app.lead_of(&team.manager, &team.employee, 2).await;
    app.settle().await;
    let states: Vec<_> = app.sendings(&team.employee).await.iter().map(|row| row.state).collect();
    assert_eq!(states, [Accepted, Unknown]);
    assert_eq!(app.messages(&team.employee).len(), received + 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_wechat_everything_else_is_the_same(#[values(Sqlite, Postgres)] on: Backend) {
    let without = Setup { wechat: Wechat::Unconfigured, ..Setup::default() };
    let [with, without] = [TestApp::start(on).await, TestApp::start_with(on, without).await];
    let mut stories = Vec::new();
    for app in [&with, &without] {
        let team = app.team.clone();
        let lead = app.lead_of(&team.manager, &team.employee, 1).await;
        app.settle().await; // a message that has not left when the lead goes on is taken back
        let moved = app.assign(&lead, &team.colleague).by(&team.operator).send().await;
        assert_eq!(moved.status, 200);
        app.settle().await;
        let batch = json!({ "customerIds": [lead], "assignedTo": team.admissions.id });
        assert_eq!(app.post("/api/customers/batch-assign", &batch).by(&team.admin).send().await.status, 200);
        app.settle().await;
        let mut told = Vec::new();
        for person in team.everybody() {
            told.push(app.told(person).await);
        }
        let events = app.history(&lead).await;
        let types: Vec<String> = log::types(&events).into_iter().map(str::to_owned).collect();
        stories.push((types, told, moved.version()));
    }
    assert_eq!(stories[0], stories[1]);
    assert_eq!(with.wechat().ledger().len(), 3);
    assert_eq!(without.wechat().calls(), wechat_simulator::Calls::default(), "it is not even asked");
    for person in [&without.team.employee, &without.team.colleague, &without.team.admissions] {
        let rows = without.wechat_deliveries(person).await;
        let gained: Vec<_> = rows.iter().filter(|row| row.scene != "CUSTOMER_TRANSFERRED_OUT").collect();
        assert_eq!(gained.len(), 1, "{rows:?}");
        assert_eq!(gained[0].state, DeliveryState::Suppressed);
        assert_eq!(gained[0].reason.as_deref(), Some("channel_not_configured"));
    }
    with.finish().await;
    without.finish().await;
}

/// What an answer of WeChat leads to.
struct Ending {
    state: DeliveryState,
    class: Option<FailureClass>,
    code: Option<i64>,
    /// Messages that arrived.
    received: usize,
    /// Credits that are gone, and credits that are held.
    credits: (i64, usize),
}

fn refused(class: FailureClass, code: i64) -> Ending {
    Ending { state: Rejected, class: Some(class), code: Some(code), received: 0, credits: (0, 0) }
}

fn unknown(received: usize) -> Ending {
    Ending { state: Unknown, class: Some(Uncertain), code: None, received, credits: (1, 1) }
}

fn waiting(class: FailureClass, code: Option<i64>) -> Ending {
    Ending { state: Retry, class: Some(class), code, received: 0, credits: (1, 1) }
}

fn code(errcode: i64) -> Fault {
    Fault::Errcode { errcode, errmsg: None, process: false }
}

#[rstest]
#[case::receiver_unknown(code(40003), refused(Recipient, 40003))]
#[case::template_unknown(code(40037), refused(Config, 40037))]
#[case::field_refused(code(47003), refused(Content, 47003))]
#[case::quota(code(45009), waiting(Quota, Some(45009)))]
#[case::busy(code(-1), Ending { code: Some(-1), ..unknown(0) })]
#[case::something_new(code(77_777), waiting(Busy, Some(77_777)))]
#[case::crowded(code(43108), waiting(Quota, Some(43108)))]
#[case::gateway(Fault::Http4xx { status: 403, process: false }, waiting(Unreachable, None))]
#[case::bad_gateway(Fault::Http502Html { process: false }, unknown(0))]
#[case::bad_gateway_after_processing(Fault::Http502Html { process: true }, unknown(1))]
#[case::reset_before(Fault::ResetBefore {}, unknown(0))]
#[case::reset_after(Fault::ResetAfter {}, unknown(1))]
#[case::half_an_answer(Fault::TruncatedJson { process: true }, unknown(1))]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_its_ending(
    #[values(Sqlite, Postgres)] on: Backend,
    #[case] fault: Fault,
    #[case] ending: Ending,
) {
    let app = TestApp::start(on).await;
    let employee = app.team.employee.clone();
    let granted = app.setup_credits();
    // Until the rules are cleared: a retry that comes due while the story looks must not change what it sees.
    let rule = FaultRule { times: wechat_simulator::Times::FOREVER, ..send(fault) };
    let rule = if ending.state == Retry {
        rule
    } else {
        FaultRule { times: wechat_simulator::Times::Count(1), ..rule }
    };
    app.wechat().add_fault(rule.to(&employee.openid)).unwrap();
    app.lead_of(&app.team.manager, &employee, 1).await;
    app.settle().await;
    let sending = only_sending(&app, &employee).await;
    assert_eq!(sending.state, ending.state, "{sending:?}");
    let failure = sending.failure.as_ref();
    assert_eq!(failure.map(|failure| failure.class), ending.class, "{sending:?}");
    assert_eq!(failure.and_then(|failure| failure.code), ending.code, "{sending:?}");
    assert_eq!(app.messages(&employee).len(), ending.received);
    let (gone, held) = ending.credits;
    assert_eq!(app.credits(&employee).await, (granted - gone, held));
    let shown = serde_json::to_string(&sending).unwrap_or_default();
    assert!(!shown.contains(&employee.openid), "{shown}");
    if ending.state != Retry {
        return app.finish().await;
    }

    // Once WeChat works again and the wait is over, the message arrives, once.
    app.wechat().clear_faults();
    let due =
        eventually("the next attempt has its time", async || only_sending(&app, &employee).await.due_at)
            .await;
    app.leap((due - app.now()).max(TimeDelta::zero()) + TimeDelta::seconds(1));
    eventually("the message arrives", async || {
        (only_sending(&app, &employee).await.state == Accepted).then_some(())
    })
    .await;
    assert_eq!(app.messages(&employee).len(), 1);
    assert_eq!(app.credits(&employee).await, (granted - 1, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_used_up_ends_with_the_day_in_china(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let employee = app.team.employee.clone();
    app.wechat().add_fault(send(code(45009))).unwrap();
    app.lead_of(&app.team.manager, &employee, 1).await;
    app.settle().await;
    let sending = only_sending(&app, &employee).await;
    assert_eq!((sending.state, sending.counted), (Retry, 0), "no attempt is used up");
    let due = sending.due_at.expect("a time") + TimeDelta::hours(8);
    let until_midnight = due.time().signed_duration_since(chrono::NaiveTime::MIN);
    assert!(until_midnight < TimeDelta::minutes(10), "due {due} in China");
    app.leap(due - TimeDelta::hours(8) - app.now() + TimeDelta::seconds(1));
    eventually("the message arrives", async || (app.messages(&employee).len() == 1).then_some(())).await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_not_agree_gets_no_message_and_is_not_asked_again(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup { credits: 2, ..Setup::default() }).await;
    let team = app.team.clone();
    let employee = &team.employee;
    // WeChat knows of two credits, and one of them was spent behind our back.
    app.wechat().add_fault(send(code(43101)).to(&employee.openid)).unwrap();
    app.lead_of(&team.manager, employee, 1).await;
    app.settle().await;
    let sending = only_sending(&app, employee).await;
    assert_eq!(sending.state, Rejected);
    assert_eq!(sending.failure.map(|failure| (failure.class, failure.code)), Some((Consent, Some(43101))));
    assert_eq!(app.credits(employee).await, (0, 0), "what WeChat says counts");

    let calls = app.wechat().calls().of(Endpoint::SubscribeSend).calls;
    app.lead_of(&team.manager, employee, 2).await;
    app.settle().await;
    let sending = app.sendings(employee).await.remove(0);
    assert_eq!(sending.state, Rejected);
    assert_eq!(sending.failure.map(|failure| (failure.class, failure.code)), Some((Consent, None)));
    assert_eq!(
        app.wechat().calls().of(Endpoint::SubscribeSend).calls,
        calls,
        "WeChat is not asked for nothing"
    );
    assert_eq!(app.told(employee).await.len(), 2, "the inbox has both");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credits_are_spent_once_under_parallel_sends(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup { credits: 3, ..Setup::default() }).await;
    let team = app.team.clone();
    join_all((0..8).map(|n| app.lead_of(&team.manager, &team.employee, n))).await;
    app.settle().await;
    let states: Vec<_> = app.sendings(&team.employee).await.iter().map(|row| row.state).collect();
    assert_eq!(states.iter().filter(|state| **state == Accepted).count(), 3, "{states:?}");
    assert_eq!(states.iter().filter(|state| **state == Rejected).count(), 5, "{states:?}");
    assert_eq!(app.messages(&team.employee).len(), 3);
    assert_eq!(app.credits(&team.employee).await, (0, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_under_load_is_renewed_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let people = app.hire(30).await;
    app.settle().await;
    let expire = Fault::ExpireToken { family: None, how: wechat_simulator::TokenEnd::default() };
    app.wechat().add_fault(FaultRule { after: 10, ..send(expire) }).unwrap();
    join_all(people.iter().enumerate().map(|(n, person)| app.lead_of(&team.manager, person, n))).await;
    app.settle().await;
    for person in &people {
        let sending = only_sending(&app, person).await;
        assert_eq!((sending.state, sending.attempts), (Accepted, 1), "{sending:?}");
        assert_eq!(app.messages(person).len(), 1);
    }
    let asked = app.wechat().calls().of(Endpoint::StableToken).calls;
    assert!((2..=3).contains(&asked), "one token, and one in its place, not {asked}");
    app.finish().await;
}
