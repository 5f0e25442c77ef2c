//! Access tokens that end under load, and secrets that are wrong (F13).

use chrono::TimeDelta;
use domain::notification::DeliveryState::Accepted;
use futures_util::future::join_all;
use infrastructure::dispatcher::CONCURRENCY;
use rstest::rstest;
use serde_json::json;
use tests::kit::{TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{App, DEMO_AGENT, DEMO_CORP, DEMO_WECOM_SECRET, Endpoint, Fault, FaultRule, TokenEnd};

use super::super::channels::{Way, sending};

/// Messages on their way at once.
const PARALLEL: usize = 100;

/// Most token calls of a channel that is refused, however many messages wait.
const CALLS_MAX: u64 = 3;

fn token_endpoint(way: Way) -> Endpoint {
    if way == Way::WecomApp { Endpoint::GetToken } else { Endpoint::StableToken }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_under_a_hundred_sends_is_asked_for_once(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::WecomApp, Way::Subscribe, Way::Cloud, Way::OfficialTemplate)] way: Way,
) {
    let app = TestApp::start_with(on, way.alone()).await;
    let (team, channel) = (app.team.clone(), way.channel());
    let people = app.hire(PARALLEL).await;
    // The first token, outside of what is counted.
    app.lead_of(&team.manager, &team.employee, PARALLEL).await;
    app.settle().await;
    let before = app.wechat().calls().of(token_endpoint(way)).calls;
    let expire = Fault::ExpireToken { family: None, how: TokenEnd::Expired };
    app.wechat()
        .add_fault(FaultRule { after: 10, ..FaultRule::once(way.endpoint(), expire) })
        .expect("a rule");
    join_all(people.iter().enumerate().map(|(n, person)| app.lead_of(&team.manager, person, n))).await;
    app.settle().await;
    for person in &people {
        let row = sending(&app, person, channel).await;
        assert_eq!((row.state, row.attempts), (Accepted, 1), "no attempt is used up: {row:?}");
        assert_eq!(app.received(person, channel).len(), 1);
    }
    let asked = app.wechat().calls().of(token_endpoint(way)).calls - before;
    assert_eq!(asked, 1, "one call for a hundred messages");
    app.is_reconciled().await;
    app.finish().await;
}

/// Gives the simulator another secret, so that ours is wrong, or ours again.
fn set_secret(app: &TestApp, way: Way, secret: Option<&str>) {
    if way == Way::WecomApp {
        app.wechat().wecom_app(DEMO_CORP, DEMO_AGENT, secret.unwrap_or(DEMO_WECOM_SECRET));
    } else {
        let account = App::demo_official();
        let secret = secret.map_or(account.secret.clone(), str::to_owned);
        app.wechat().official_account(App { secret, ..account });
    }
    app.wechat().end_tokens(None, TokenEnd::Expired);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_wrong_secret_the_channel_stops_says_so_and_storms_nobody(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Way::WecomApp, Way::OfficialTemplate)] way: Way,
) {
    let app = TestApp::start_with(on, way.alone()).await;
    let (team, channel) = (app.team.clone(), way.channel());
    let people = app.hire(30).await;
    app.lead_of(&team.manager, &team.employee, 100).await;
    app.settle().await;
    set_secret(&app, way, Some("somebody renewed it"));
    let (sends, tokens) =
        (app.wechat().calls().of(way.endpoint()).calls, app.wechat().calls().of(token_endpoint(way)).calls);
    join_all(people.iter().enumerate().map(|(n, person)| app.lead_of(&team.manager, person, n))).await;

    let shown = eventually("the channel shows its trouble", async || {
        let reply = app.get("/api/deliveries/channels").by(&team.admin).send().await;
        let channels = reply.data()["channels"].as_array().expect("channels").clone();
        let ours = channels.into_iter().find(|one| one["name"] == json!(channel)).expect("our channel");
        let health = ours["health"].as_array().expect("health").clone();
        health.into_iter().find(|one| one["state"] == "resting" && one["failureClass"] == "config")
    });
    let shown = shown.await;
    assert!(!shown.to_string().contains("somebody renewed it"), "no secret is shown");
    let told = app.get("/health/ready").send().await;
    assert_eq!(told.status, 200, "the rest of the system goes on");
    for person in &people {
        assert_eq!(app.told(person).await.len(), 1, "the inbox does not wait");
    }
    let asked = app.wechat().calls().of(token_endpoint(way)).calls - tokens;
    assert!((1..=CALLS_MAX).contains(&asked), "{asked} token calls for {} messages", people.len());
    let sent = app.wechat().calls().of(way.endpoint()).calls - sends;
    let at_once = u64::try_from(CONCURRENCY).expect("a few");
    assert!(sent <= at_once, "at most those that were called together found the old token dead: {sent}");

    // Once the secret is right again and the rest is over, everything waiting goes out, once.
    set_secret(&app, way, None);
    app.leap(TimeDelta::hours(1));
    eventually("everybody is told", async || {
        people.iter().all(|person| app.received(person, channel).len() == 1).then_some(())
    })
    .await;
    app.settle().await;
    for person in &people {
        let row = sending(&app, person, channel).await;
        assert_eq!(row.state, Accepted, "{row:?}");
        assert_eq!(app.received(person, channel).len(), 1);
    }
    app.is_reconciled().await;
    app.finish().await;
}
