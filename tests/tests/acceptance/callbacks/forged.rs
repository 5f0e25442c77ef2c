//! Whoever is not WeChat is not believed.

use chrono::TimeDelta;
use infrastructure::callbacks::Source;
use infrastructure::callbacks::crypto::CallbackKeys;
use leadwire::http::callbacks::Refusal;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{TestApp, eventually, http_client};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_APPID, DEMO_TEMPLATE};

use super::{
    AES_KEY, CREDITS, TOKEN, address, answers, day, encrypted, event, keys, plain, post, push, success, told,
};

fn accepted(app: &TestApp) -> String {
    let list = json!({ "TemplateId": DEMO_TEMPLATE, "SubscribeStatusString": "accept", "PopupScene": "0" });
    event(app, &app.team.employee, "subscribe_msg_popup_event", &list)
}

fn refused(app: &TestApp, refusal: Refusal) -> u64 {
    app.app().callbacks.refused().of(Source::Wechat, refusal)
}

/// Status and code of a problem.
fn problem(answer: &(u16, String)) -> (u16, String) {
    let body: Value = serde_json::from_str(&answer.1).expect("a problem");
    (answer.0, body["code"].as_str().unwrap_or_default().to_owned())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_callback_is_401_and_counted(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values("encrypted", "plain")] mode: &str,
) {
    let app = if mode == "plain" { plain(on).await } else { encrypted(on).await };
    let person = app.team.employee.clone();
    day(&app, |day| (day.wrong_signature, day.copies) = (true, 3));
    app.wechat().popup(DEMO_APPID, &person.openid, DEMO_TEMPLATE, true).unwrap();
    told(&app).await;
    let heard = answers(&app);
    assert!(!heard.is_empty() && heard.iter().all(|(status, _)| *status == 401), "{heard:?}");
    assert_eq!(refused(&app, Refusal::Forged), heard.len() as u64);
    assert_eq!(app.credits(&person).await, (CREDITS, 0));
    assert_eq!(app.app().callbacks.store().counts().await.unwrap(), [], "nothing of it is kept");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_callback_changes_nothing_and_is_401_when_it_is_old(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = encrypted(on).await;
    let person = app.team.employee.clone();
    app.wechat().popup(DEMO_APPID, &person.openid, DEMO_TEMPLATE, true).unwrap();
    told(&app).await;
    app.wechat().replay_callbacks();
    told(&app).await;
    assert_eq!(answers(&app), [success(), success()], "the provider's own repetition looks the same");
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));

    app.advance(TimeDelta::minutes(11));
    app.wechat().clear_callback_log();
    app.wechat().replay_callbacks();
    told(&app).await;
    let heard = answers(&app);
    assert!(!heard.is_empty() && heard.iter().all(|(status, _)| *status == 401), "{heard:?}");
    assert_eq!(refused(&app, Refusal::OutsideWindow), heard.len() as u64);
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_that_was_heard_signs_nothing_else(#[values(Sqlite, Postgres)] on: Backend) {
    let app = plain(on).await;
    let (person, plain) = (app.team.employee.clone(), keys(None));
    let body = accepted(&app);
    assert_eq!(push(&app, &plain, "n1", &body).await, success());
    let timestamp = app.now().timestamp().to_string();
    let query =
        format!("signature={}&timestamp={timestamp}&nonce=n2", plain.signature(&timestamp, "n2", None));
    assert_eq!(post(&app, &query, body.clone()).await, success());
    let other = body.replace(&person.openid, &app.team.colleague.openid);
    let answer = post(&app, &query, other).await;
    assert_eq!(problem(&answer), (401, "CALLBACK_NOT_SIGNED".to_owned()));
    assert_eq!(refused(&app, Refusal::Replayed), 1);
    app.settle().await;
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));
    assert_eq!(app.credits(&app.team.colleague).await, (CREDITS, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_what_is_encrypted_is_believed_where_a_key_is_configured(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = encrypted(on).await;
    let body = accepted(&app);
    // The token alone does not do: neither a plain push, nor one that signs a body without `Encrypt`.
    let not_signed = (401, "CALLBACK_NOT_SIGNED".to_owned());
    assert_eq!(problem(&push(&app, &keys(None), "1", &body).await), not_signed);
    let timestamp = app.now().timestamp().to_string();
    let signature = keys(None).signature(&timestamp, "2", None);
    let query = format!("msg_signature={signature}&timestamp={timestamp}&nonce=2");
    assert_eq!(problem(&post(&app, &query, body.clone()).await), not_signed);

    // Signed, and sealed for another app or with another key: our settings or theirs are wrong.
    let undecryptable = (400, "CALLBACK_UNDECRYPTABLE".to_owned());
    let other_app = CallbackKeys::new(TOKEN.into(), Some(&AES_KEY.into()), "wx-other").unwrap();
    let other_key = CallbackKeys::new(TOKEN.into(), Some(&"B".repeat(43).into()), DEMO_APPID).unwrap();
    for keys in [other_app, other_key] {
        assert_eq!(problem(&push(&app, &keys, "3", &body).await), undecryptable);
    }
    assert_eq!(refused(&app, Refusal::Undecryptable), 2);
    assert_eq!(problem(&push(&app, &keys(Some(AES_KEY)), "4", "{\"a\":\"\0\"}").await), undecryptable);

    app.settle().await;
    assert_eq!(app.credits(&app.team.employee).await, (CREDITS, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_incomplete_too_large_or_for_nobody_is_refused(#[values(Sqlite, Postgres)] on: Backend) {
    let app = encrypted(on).await;
    let now = app.now().timestamp();
    let queries = [
        String::new(),
        format!("timestamp={now}&nonce=1"),
        "msg_signature=00&timestamp=soon&nonce=1".to_owned(),
        format!("msg_signature=00&timestamp={now}"),
    ];
    for query in &queries {
        let answer = post(&app, query, accepted(&app)).await;
        assert_eq!(problem(&answer), (401, "CALLBACK_NOT_SIGNED".to_owned()), "{query}");
    }
    assert_eq!(refused(&app, Refusal::Incomplete), queries.len() as u64);
    for body in [String::new(), "<xml>".to_owned(), "[]".to_owned(), "<!DOCTYPE x []><xml></xml>".to_owned()]
    {
        let query = format!("msg_signature=00&timestamp={now}&nonce=1");
        assert_eq!(problem(&post(&app, &query, body).await).0, 401);
    }
    let large = post(&app, "", "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(problem(&large), (413, "PAYLOAD_TOO_LARGE".to_owned()));
    for path in ["/api/wechat/callback/wx-nobody", "/api/wecom/callback/1"] {
        for method in [reqwest::Method::GET, reqwest::Method::POST] {
            let answer = http_client().request(method, app.url(path)).send().await.unwrap();
            let answer = (answer.status().as_u16(), answer.text().await.unwrap());
            assert_eq!(problem(&answer), (404, "CALLBACK_NOT_CONFIGURED".to_owned()), "{path}");
        }
    }
    let asked = http_client().get(app.url(&format!("{}?echostr=1", address()))).send().await.unwrap();
    assert_eq!(asked.status(), 401, "the question is not answered to everybody");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_cannot_be_read_is_parked_and_the_others_go_on(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = encrypted(on).await;
    let person = app.team.employee.clone();
    let sealed = keys(Some(AES_KEY));
    let no_template = event(&app, &person, "subscribe_msg_popup_event", &json!([{ "PopupScene": "0" }]));
    for (n, poison) in ["not even JSON", "{}", &no_template].into_iter().enumerate() {
        assert_eq!(push(&app, &sealed, &n.to_string(), poison).await, success(), "it is signed, and kept");
    }
    assert_eq!(push(&app, &sealed, "9", &accepted(&app)).await, success());
    app.settle().await;
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));
    let states = async |app: &TestApp| {
        let counts = app.app().callbacks.store().counts().await.unwrap();
        counts.into_iter().map(|count| (count.state, count.callbacks)).collect::<Vec<_>>()
    };
    let expected = [("done".to_owned(), 1), ("parked".to_owned(), 3)];
    assert_eq!(states(&app).await, expected);
    app.restart().await;
    // Another chance with every start, and still no callback.
    eventually("they are parked again", async || (states(&app).await == expected).then_some(())).await;
    app.finish().await;
}
