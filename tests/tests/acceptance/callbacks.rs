//! What WeChat and WeCom tell by themselves (fault F20): callbacks that are lost, come three times, out of order, before
//! the answer they prove, from somebody else, or once more by somebody who listened. Ledgers and deliveries are right
//! afterwards, and whoever is not believed is told 401 and counted.

mod forged;
mod independent;
mod ledgers;
mod members;
mod proofs;
mod reports;

use infrastructure::callbacks::crypto::CallbackKeys;
use projections::queries::deliveries::DeliveryRow;
use serde_json::{Value, json};
use tests::kit::{Person, Setup, TestApp, http_client};
use tests::scratch::Backend;
use wechat_simulator::{CallbackDay, CallbackTarget, DEMO_APPID};

/// What the mini program and its provider share.
const TOKEN: &str = "CallbackToken1";
const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFB";

const TOKEN_VARIABLE: &str = "LEADWIRE_CALLBACKS__MINI_PROGRAM__TOKEN";
const AES_KEY_VARIABLE: &str = "LEADWIRE_CALLBACKS__MINI_PROGRAM__AES_KEY";

/// Messages that everybody has agreed to before the story.
const CREDITS: i64 = 3;

fn address() -> String {
    format!("/api/wechat/callback/{DEMO_APPID}")
}

/// A service that WeChat tells everything, encrypted.
async fn encrypted(on: Backend) -> TestApp {
    encrypted_with(on, Setup::default()).await
}

async fn encrypted_with(on: Backend, mut setup: Setup) -> TestApp {
    setup.credits = CREDITS;
    setup.more.push((TOKEN_VARIABLE, TOKEN.to_owned()));
    setup.more.push((AES_KEY_VARIABLE, AES_KEY.to_owned()));
    let app = TestApp::start_with(on, setup).await;
    let target = CallbackTarget::safe(&app.url(&address()), TOKEN, AES_KEY);
    app.wechat().set_callback(DEMO_APPID, target).expect("an address");
    app.wechat().verify_callback(DEMO_APPID).await.expect("the right echo");
    app
}

/// A service that WeChat tells everything in plain words.
async fn plain(on: Backend) -> TestApp {
    let more = vec![(TOKEN_VARIABLE, TOKEN.to_owned())];
    let app = TestApp::start_with(on, Setup { credits: CREDITS, more, ..Setup::default() }).await;
    let target = CallbackTarget::plain(&app.url(&address()), TOKEN);
    app.wechat().set_callback(DEMO_APPID, target).expect("an address");
    app.wechat().verify_callback(DEMO_APPID).await.expect("the right echo");
    app
}

fn day(app: &TestApp, change: impl FnOnce(&mut CallbackDay)) {
    let mut day = CallbackDay::default();
    change(&mut day);
    app.wechat().set_callback_day(day);
}

/// Waits until WeChat has told everything, and everything followed from it.
async fn told(app: &TestApp) {
    app.wechat().until_callbacks_idle().await;
    app.settle().await;
}

/// What WeChat heard as answers: status and text, oldest first.
fn answers(app: &TestApp) -> Vec<(u16, String)> {
    let outcomes = app.wechat().callback_log().into_iter();
    outcomes
        .filter_map(|pushed| match pushed.outcome {
            wechat_simulator::PushOutcome::Answered { status, body } => Some((status, body)),
            _ => None,
        })
        .collect()
}

fn success() -> (u16, String) {
    (200, "success".to_owned())
}

/// The only sending to a person.
async fn sending(app: &TestApp, person: &Person) -> DeliveryRow {
    let mut rows = app.sendings(person).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

/// What the story itself signs, as somebody who knows the token.
fn keys(aes_key: Option<&str>) -> CallbackKeys {
    CallbackKeys::new(TOKEN.into(), aes_key.map(Into::into).as_ref(), DEMO_APPID).expect("keys")
}

/// Posts a message as WeChat does; status and answer.
async fn push(app: &TestApp, keys: &CallbackKeys, nonce: &str, message: &str) -> (u16, String) {
    let timestamp = app.now().timestamp().to_string();
    let (query, body) = if keys.is_encrypted() {
        let sealed = keys.seal(message).expect("an encrypted message");
        let signature = keys.signature(&timestamp, nonce, Some(&sealed));
        (
            format!("msg_signature={signature}&encrypt_type=aes&timestamp={timestamp}&nonce={nonce}"),
            json!({ "ToUserName": "gh_1", "Encrypt": sealed }).to_string(),
        )
    } else {
        let signature = keys.signature(&timestamp, nonce, None);
        (format!("signature={signature}&timestamp={timestamp}&nonce={nonce}"), message.to_owned())
    };
    post(app, &query, body).await
}

async fn post(app: &TestApp, query: &str, body: String) -> (u16, String) {
    let url = app.url(&format!("{}?{query}", address()));
    let answer = http_client().post(url).body(body).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a text"))
}

/// An event about a person, now.
fn event(app: &TestApp, person: &Person, name: &str, list: &Value) -> String {
    let created = app.now().timestamp();
    json!({ "ToUserName": "gh_1", "FromUserName": person.openid, "CreateTime": created, "MsgType": "event",
            "Event": name, "List": list })
    .to_string()
}
