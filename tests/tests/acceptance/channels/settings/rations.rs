//! Providers that take only so much at a time, and answers that cost something: quotas, rates, tokens.

use chrono::TimeDelta;
use domain::notification::Channel;
use domain::notification::DeliveryState::Accepted;
use serde_json::json;
use tests::kit::{Official, Setup, TestApp, eventually};
use tests::people;
use tests::scratch::Backend;
use wechat_simulator::{DEMO_AGENT, DEMO_CORP, DEMO_WECOM_SECRET, Endpoint, Fault, FaultRule, TokenEnd};

use super::super::{Way, sending};
use super::each::Cast;
use super::world::{Passing, World, refusals, until_told};

/// More leads than a tight quota lets through in two of its periods.
const LEADS: usize = 5;
/// More than any quota of a day that is not tight.
const PLENTY: u64 = 1_000;

/// The next day in China, whenever the story begins.
const NEXT_DAY: TimeDelta = TimeDelta::hours(25);
const NEXT_MINUTE: TimeDelta = TimeDelta::seconds(70);

/// More than the members' limit of a minute, 30, and the robot's, 20.
const MANY: usize = 35;

/// How long the cloud function takes, in real milliseconds.
const FUNCTION_MS: u64 = 80;

impl World {
    /// How time passes until whatever is used up is there again.
    fn passing(&self) -> Passing {
        let limits = &self.limits;
        let by_day = [
            limits.stable_token_per_day,
            limits.send_per_day,
            limits.template_send_per_day,
            limits.bizsend_per_day,
            limits.wecom_persons_per_day,
        ];
        let is_tight = by_day.into_iter().flatten().any(|limit| limit < PLENTY);
        if is_tight { Passing::AfterRefusal(NEXT_DAY) } else { Passing::Seconds }
    }
}

pub(super) async fn play(on: Backend, world: &World, way: Way) {
    let app = world.start(on, way.alone()).await;
    let team = app.team.clone();
    for n in 0..LEADS {
        app.lead_of(&team.manager, &team.employee, n).await;
    }
    until_told(&app, &[(team.employee.clone(), way.channel(), LEADS)], world.passing()).await;
    app.settle().await;
    let rows = app.sendings_through(&team.employee, way.channel()).await;
    assert!(rows.iter().all(|row| row.state == Accepted), "{rows:?}");
    app.is_reconciled().await;
    app.finish().await;
}

/// What is beyond the rate of a member is dropped without a word, so it must never leave.
pub(super) async fn full_minute(on: Backend, world: &World) {
    let app = world.start(on, Setup::through(&[Channel::WecomApp, Channel::WecomRobot])).await;
    let (manager, employee, colleague) =
        (app.team.manager.clone(), app.team.employee.clone(), app.team.colleague.clone());
    super::each::only_through(&app, &colleague, &[Channel::WecomRobot]).await;
    for n in 0..MANY {
        app.lead_of(&manager, &employee, n).await;
        app.lead_of(&manager, &colleague, MANY + n).await;
    }
    let whom = [(employee, Channel::WecomApp, MANY), (colleague, Channel::WecomRobot, MANY)];
    until_told(&app, &whom, Passing::Seconds).await;
    app.settle().await;
    assert_eq!(app.wechat().dropped(), [], "nothing was thrown away");
    assert_eq!(refusals(&app), 0, "and nobody had to be refused");
    app.is_reconciled().await;
    app.finish().await;
}

pub(super) async fn ending_tokens(on: Backend, world: &World) {
    let Cast { app, people } = Cast::start(on, world, Official::Template).await;
    let mut manager = app.team.manager.clone();
    let mut numbers = 0..;
    for (way, person) in people.iter().filter(|(way, _)| *way != Way::WecomRobot) {
        for (n, how) in [TokenEnd::Expired, TokenEnd::Superseded, TokenEnd::Expired].into_iter().enumerate() {
            app.wechat().end_tokens(None, how);
            // Days may have passed: people log in again.
            let log_in = people::token(app.app(), manager.id, &manager.username, manager.role);
            manager.token = log_in.expect("a token");
            app.lead_of(&manager, person, numbers.next().expect("a number")).await;
            until_told(&app, &[(person.clone(), way.channel(), n + 1)], world.passing()).await;
        }
    }
    app.settle().await;
    app.is_reconciled().await;
    app.finish().await;
}

pub(super) async fn wrong_secret(on: Backend, world: &World) {
    let app = world.start(on, Way::WecomApp.alone()).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    let secret = |secret: &str| {
        app.wechat().wecom_app(DEMO_CORP, DEMO_AGENT, secret);
        app.wechat().end_tokens(None, TokenEnd::Expired);
    };
    secret("somebody renewed it");
    app.lead_of(&manager, &employee, 1).await;
    let asked = |app: &TestApp| app.wechat().calls().of(Endpoint::GetToken).calls;
    for _ in 0..4 {
        let before = asked(&app);
        app.leap(NEXT_MINUTE);
        eventually("the channel tries again", async || (asked(&app) > before).then_some(())).await;
    }
    secret(DEMO_WECOM_SECRET);
    app.leap(TimeDelta::hours(2)); // longer than WeCom blocks who failed too often
    let told = eventually("the member is told", async || {
        let row = sending(&app, &employee, Channel::WecomApp).await;
        (row.state == Accepted).then_some(row)
    });
    assert_eq!(told.await.attempts, 1, "no attempt was used up");
    app.settle().await;
    assert_eq!(app.received(&employee, Channel::WecomApp).len(), 1);
    app.is_reconciled().await;
    app.finish().await;
}

pub(super) async fn slow_function(on: Backend, world: &World) {
    let app = world.start(on, Way::Cloud.alone()).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    let slow = Fault::Slow { ms: FUNCTION_MS };
    app.wechat().add_fault(FaultRule::once(Endpoint::CloudFunction, slow)).expect("a rule");
    app.lead_of(&manager, &employee, 1).await;
    until_told(&app, &[(employee.clone(), Channel::WechatCloud, 1)], Passing::Seconds).await;
    let row = super::super::accepted(&app, &employee, Channel::WechatCloud).await;
    let given_up = world.limits.cloud_timeout_ms < FUNCTION_MS;
    assert_eq!(row.attempts, if given_up { 2 } else { 1 });
    eventually("the function has ended", async || {
        let calls = app.wechat().calls().of(Endpoint::CloudFunction);
        (calls.errcodes.get(&0).copied() == u64::try_from(row.attempts).ok()).then_some(())
    })
    .await;
    assert_eq!(app.received(&employee, Channel::WechatCloud).len(), 1, "the function knows its key");
    app.settle().await;
    app.is_reconciled().await;
    app.finish().await;
}

/// Three people bind another WeChat in a minute.
pub(super) async fn codes(on: Backend, world: &World) {
    let app = world.start(on, Setup::default()).await;
    let team = app.team.clone();
    let mut refused = 0;
    for person in [&team.manager, &team.employee, &team.colleague] {
        let code = app.wechat().login_code(&format!("another-{}", person.username)).expect("a code");
        let bind = json!({ "code": code });
        let mut reply = app.post("/api/wechat/bind", &bind).by(person).send().await;
        if reply.status != 200 {
            assert_eq!(reply.status, 503, "{reply:?}");
            refused += 1;
            app.advance(NEXT_MINUTE);
            reply = app.post("/api/wechat/bind", &bind).by(person).send().await;
        }
        assert_eq!((reply.status, &reply.data()["bound"]), (200, &json!(true)), "{reply:?}");
    }
    assert_eq!(refused > 0, world.limits.code_to_session_per_minute.is_some());
    app.settle().await;
    app.finish().await;
}
