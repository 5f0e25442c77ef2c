//! `sns/jscode2session` over the wire: who stands behind a code, once.

use serde_json::{Value, json};
use wechat_simulator::{Endpoint, Fault, FaultRule, Limits};

use crate::kit::{Kit, answer, text};

const PATH: &str = "/sns/jscode2session?appid=wx0000000000demo01&secret=demo-app-secret&grant_type=authorization_code&js_code=";

async fn code(kit: &Kit, openid: &str) -> String {
    text(&kit.post("/__sim/login-codes", &json!({ "openid": openid })).await, "code")
}

async fn redeem(kit: &Kit, code: &str) -> Value {
    kit.get(&format!("{PATH}{code}")).await
}

#[tokio::test]
async fn a_code_tells_who_it_is_once() {
    let kit = Kit::start().await;
    let code = code(&kit, "o1").await;
    let session = redeem(&kit, &code).await;
    assert_eq!(session["openid"], "o1");
    assert_eq!(text(&session, "session_key").len(), 24);
    assert!(session.get("errcode").is_none(), "a good answer has no errcode");
    let again = redeem(&kit, &code).await;
    assert_eq!(again["errcode"], 40163);
    assert!(text(&again, "errmsg").starts_with("code been used rid: "), "{again}");
    let calls = kit.wechat().calls().of(Endpoint::CodeToSession);
    assert_eq!((calls.calls, calls.errcodes[&0], calls.errcodes[&40163]), (2, 1, 1));
    // The person is known from now on.
    let token = kit.token().await;
    assert_eq!(kit.errcode(&token, "o1").await, 43101);
}

#[tokio::test]
async fn a_code_that_is_made_up_or_old_is_invalid() {
    let kit = Kit::start().await;
    assert_eq!(redeem(&kit, "made-up").await["errcode"], 40029);
    let code = code(&kit, "o1").await;
    kit.wechat().advance(5 * 60).unwrap();
    assert_eq!(redeem(&kit, &code).await["errcode"], 40029);
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let kit = Kit::start().await;
    let good = code(&kit, "o1").await;
    let app = "appid=wx0000000000demo01";
    for (query, errcode) in [
        (String::new(), 41002),
        ("appid=wx-other&secret=x".to_owned(), 40013),
        (app.to_owned(), 41004),
        (format!("{app}&secret=wrong"), 40125),
        (format!("{app}&secret=demo-app-secret"), 41008),
        (format!("{app}&secret=demo-app-secret&js_code={good}&grant_type=client_credential"), 40002),
    ] {
        assert_eq!(kit.get(&format!("/sns/jscode2session?{query}")).await["errcode"], errcode, "{query}");
    }
    let posted = kit.client.post(kit.url(&format!("{PATH}{good}"))).send().await.unwrap();
    assert_eq!(answer(posted).await["errcode"], 43001);
    assert_eq!(redeem(&kit, &good).await["openid"], "o1", "a refused request uses nothing up");
    for (body, error) in
        [(r#"{"openid":""}"#, "openid is empty"), (r#"{"openid":"o1","appid":"wx-other"}"#, "unknown appid")]
    {
        assert_eq!(kit.control("/__sim/login-codes", body).await, (400, json!({ "error": error })));
    }
}

#[tokio::test]
async fn limits_and_faults_hold_here_too() {
    let kit = Kit::start().await;
    kit.wechat().set_limits(Limits { code_to_session_per_minute: Some(1), ..Limits::default() });
    let [first, second] = [code(&kit, "o1").await, code(&kit, "o1").await];
    assert_eq!(redeem(&kit, &first).await["openid"], "o1");
    assert_eq!(redeem(&kit, &second).await["errcode"], 45011);
    kit.wechat().advance(60).unwrap();
    assert_eq!(redeem(&kit, &second).await["openid"], "o1", "the refused call did not use the code up");

    let third = kit.wechat().login_code("o1").unwrap();
    kit.wechat().set_limits(Limits::default());
    kit.wechat().add_fault(FaultRule::once(Endpoint::CodeToSession, Fault::ResetAfter {})).unwrap();
    assert!(kit.client.get(kit.url(&format!("{PATH}{third}"))).send().await.is_err());
    assert_eq!(redeem(&kit, &third).await["errcode"], 40163, "it was used up, whatever the caller saw");
}
