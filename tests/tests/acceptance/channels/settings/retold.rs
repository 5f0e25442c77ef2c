//! WeChat is not sure that it was heard, and tells everything again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use domain::notification::Channel;
use domain::notification::DeliveryState::{Accepted, Delivered};
use tests::kit::{TestApp, eventually, http_client};
use tests::scratch::Backend;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wechat_simulator::{CallbackTarget, DEMO_APPID};

use super::callbacks::{AES_KEY, CREDITS, TOKEN, accept};
use super::each::only_through;
use super::world::World;

/// What becomes of the answers to WeChat's pushes. The pushes themselves arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// The first two answers to each push are lost.
    FirstTwoLost,
    /// They take longer than an impatient server waits.
    Late,
    /// All of them are lost.
    AllLost,
}

/// How late an answer is, in real time: longer than the shorter of the two patiences, and shorter than the other.
const LATE: Duration = Duration::from_millis(80);

/// Longer than WeChat leaves a server alone that failed too often.
const FORGIVEN: TimeDelta = TimeDelta::seconds(61);

/// A gateway between WeChat and the service.
struct Gateway {
    /// Where the service listens.
    to: String,
    line: Line,
    /// How often each push came by, by its body.
    passed: Mutex<BTreeMap<Bytes, usize>>,
}

async fn pass(State(gateway): State<Arc<Gateway>>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let times = {
        let mut passed = gateway.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passed.entry(body.clone()).or_default();
        *times += 1;
        *times
    };
    let url = format!("{}?{}", gateway.to, query.unwrap_or_default());
    // In a task of its own: who hangs up does not call the push back.
    let answer = tokio::spawn(async move {
        let answer = http_client().post(url).body(body).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("a text"))
    });
    let (status, text) = answer.await.expect("an answer");
    assert_eq!((status, text.as_str()), (200, "success"), "the service believes it");
    match gateway.line {
        Line::FirstTwoLost if times > 2 => text.into_response(),
        Line::FirstTwoLost | Line::AllLost => StatusCode::BAD_GATEWAY.into_response(),
        Line::Late => {
            tokio::time::sleep(LATE).await;
            text.into_response()
        }
    }
}

/// Puts a gateway in front of the service; it ends with what is returned.
async fn open(app: &TestApp, line: Line) -> (Arc<Gateway>, oneshot::Sender<()>) {
    let to = app.url(&format!("/api/wechat/callback/{DEMO_APPID}"));
    let gateway = Arc::new(Gateway { to, line, passed: Mutex::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let router = Router::new().fallback(pass).with_state(gateway.clone());
    let (end, ended) = oneshot::channel::<()>();
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        let _ = ended.await;
    });
    tokio::spawn(server.into_future());
    app.wechat().set_callback(DEMO_APPID, CallbackTarget::safe(&url, TOKEN, AES_KEY)).expect("an address");
    (gateway, end)
}

pub(super) async fn play(on: Backend, world: &World, line: Line) {
    let app = world.start_listening(on).await;
    let person = app.team.employee.clone();
    only_through(&app, &person, &[Channel::WechatSubscribe]).await;
    app.settle().await;
    let (gateway, end) = open(&app, line).await;
    // After so many failures WeChat says nothing more for a minute.
    let patience = world.limits.callback_mark_fail_after;
    let fails = line == Line::AllLost;
    let is_told = |failed: u64| !fails || failed < patience;

    accept(&app, &person);
    app.wechat().until_callbacks_idle().await;
    app.lead_of(&app.team.manager, &person, 1).await;
    app.settle().await;
    app.wechat().until_callbacks_idle().await;
    app.advance(TimeDelta::seconds(2));
    accept(&app, &person);
    app.wechat().until_callbacks_idle().await;
    app.advance(FORGIVEN);
    accept(&app, &person);
    app.wechat().until_callbacks_idle().await;

    let consents = [0, 2, 0].into_iter().filter(|failed| is_told(*failed)).count();
    let credits = CREDITS - 1 + i64::try_from(consents).expect("a few");
    let state = if is_told(1) { Delivered } else { Accepted };
    eventually("everything that was told has followed", async || {
        app.settle().await;
        let row = super::super::sending(&app, &person, Channel::WechatSubscribe).await;
        (row.state == state && app.credits(&person).await == (credits, 0)).then_some(())
    })
    .await;
    let passed = gateway.passed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let heard = consents + usize::from(is_told(1));
    assert_eq!(passed.len(), heard, "{passed:?}");
    for times in passed.values() {
        assert_eq!(*times, world.pushes(line));
    }
    assert_eq!(app.received(&person, Channel::WechatSubscribe).len(), 1);
    drop(end);
    app.is_reconciled().await;
    app.finish().await;
}

impl World {
    /// How often WeChat pushes the same.
    fn pushes(&self, line: Line) -> usize {
        let most = if self.switches.callback_three_in_all { 3 } else { 4 };
        let waits_ms = u128::from(self.limits.callback_timeout_ms);
        match line {
            Line::Late if waits_ms < LATE.as_millis() => most,
            Line::Late => 1,
            _ if !self.switches.callback_non_200_retried => 1,
            Line::FirstTwoLost => 3,
            Line::AllLost => most,
        }
    }
}
