//! The WeChat side over the wire: tokens, sends, quotas.

use crate::kit::{Kit, answer, message, text};
use serde_json::{Value, json};
use wechat_simulator::{DEMO_APPID, DEMO_SECRET, Endpoint, Limits, Received, Switches};

const CLASSIC: &str =
    "/cgi-bin/token?grant_type=client_credential&appid=wx0000000000demo01&secret=demo-app-secret";

#[tokio::test]
async fn classic_tokens_change_on_every_call_and_the_old_one_lives_five_minutes() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 5).unwrap();
    let first = kit.get(CLASSIC).await;
    assert_eq!(first["expires_in"], 7200);
    assert!(first.get("errcode").is_none(), "a token answer has no errcode");
    let (first, second) = (text(&first, "access_token"), text(&kit.get(CLASSIC).await, "access_token"));
    assert_ne!(first, second);
    kit.wechat().advance(299).unwrap();
    assert_eq!(kit.errcode(&first, "o1").await, 0);
    kit.wechat().advance(1).unwrap();
    assert_eq!(kit.errcode(&first, "o1").await, 40001);
    assert_eq!(kit.errcode(&second, "o1").await, 0);
    kit.wechat().advance(7200).unwrap();
    assert_eq!(kit.errcode(&second, "o1").await, 42001);
}

#[tokio::test]
async fn a_stable_token_stays_the_same_and_a_forced_one_ends_it() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 5).unwrap();
    let first = kit.stable_token(false).await;
    kit.wechat().advance(6855).unwrap();
    let again = kit.stable_token(false).await;
    assert_eq!(again["access_token"], first["access_token"]);
    assert_eq!(again["expires_in"], 345);
    let forced = kit.stable_token(true).await;
    assert_ne!(forced["access_token"], first["access_token"]);
    assert_eq!(kit.errcode(&text(&first, "access_token"), "o1").await, 40001);
    assert_eq!(kit.errcode(&text(&forced, "access_token"), "o1").await, 0);
    let too_soon = kit.stable_token(true).await;
    assert_eq!(too_soon["access_token"], forced["access_token"]);
    assert_eq!(kit.wechat().calls().of(Endpoint::StableToken).calls, 4);
    assert_eq!(kit.wechat().calls().of(Endpoint::Token).calls, 0);
}

#[tokio::test]
async fn wrong_token_requests_are_told_what_is_wrong() {
    let kit = Kit::start().await;
    for (query, errcode) in [
        ("", 40002),
        ("?grant_type=client_credential", 41002),
        ("?grant_type=client_credential&appid=wx-other", 40013),
        ("?grant_type=client_credential&appid=wx0000000000demo01", 41004),
        ("?grant_type=client_credential&appid=wx0000000000demo01&secret=wrong", 40125),
    ] {
        assert_eq!(kit.get(&format!("/cgi-bin/token{query}")).await["errcode"], errcode, "{query}");
    }
    let good = json!({ "grant_type": "client_credential", "appid": DEMO_APPID, "secret": DEMO_SECRET });
    for (key, value, errcode) in [
        ("grant_type", json!("password"), 40002),
        ("appid", json!(""), 41002),
        ("appid", json!("wx-other"), 40013),
        ("secret", Value::Null, 41004),
        ("secret", json!("wrong"), 40125),
        ("force_refresh", json!("yes"), 47001),
    ] {
        let mut body = good.clone();
        body[key] = value;
        assert_eq!(kit.post("/cgi-bin/stable_token", &body).await["errcode"], errcode, "{body}");
    }
    assert_eq!(kit.get("/cgi-bin/stable_token").await["errcode"], 43002);
    let url = kit.url("/cgi-bin/stable_token");
    assert_eq!(answer(kit.client.post(&url).send().await.unwrap()).await["errcode"], 44002);
    assert_eq!(answer(kit.client.post(&url).body("{").send().await.unwrap()).await["errcode"], 47001);
    assert_eq!(answer(kit.client.post(kit.url(CLASSIC)).send().await.unwrap()).await["errcode"], 43001);
}

#[tokio::test]
async fn a_send_uses_one_credit_and_reaches_the_phone_once() {
    let kit = Kit::start().await;
    kit.post("/__sim/credits", &json!({ "openid": "o1", "count": 1 })).await;
    let token = kit.token().await;
    let sent = answer(kit.send(&token, "o1").await.unwrap()).await;
    assert_eq!((sent["errcode"].as_i64(), sent["errmsg"].as_str()), (Some(0), Some("ok")));
    let msgid = sent["msgid"].as_u64().unwrap();
    assert!(msgid > 1 << 53);

    let refused = answer(kit.send(&token, "o1").await.unwrap()).await;
    assert_eq!(refused["errcode"], 43101);
    let rid = format!("user refuse to accept the msg rid: {:08x}-", crate::kit::noon().timestamp());
    assert!(text(&refused, "errmsg").starts_with(&rid), "{refused}");

    let ledger = kit.get("/__sim/ledger?openid=o1").await;
    let received: Vec<Received> = serde_json::from_value(ledger["received"].clone()).unwrap();
    assert_eq!(received, kit.wechat().received_by("o1"));
    let [received] = received.as_slice() else { panic!("one message: {received:?}") };
    assert_eq!((received.seq, received.msgid, received.time), (1, msgid, crate::kit::noon()));
    assert_eq!(received.data["thing1"], "张三");
    assert_eq!(received.page.as_deref(), Some("pages/lead?id=7"));
    assert_eq!(kit.get("/__sim/ledger?openid=o2").await["received"], json!([]));
    let calls = kit.get("/__sim/calls").await;
    assert_eq!(calls["endpoints"]["subscribe_send"]["errcodes"], json!({ "0": 1, "43101": 1 }));
}

#[tokio::test]
async fn wrong_sends_are_told_what_is_wrong() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 9).unwrap();
    let token = kit.token().await;
    let url = kit.url("/cgi-bin/message/subscribe/send");
    assert_eq!(kit.post("/cgi-bin/message/subscribe/send", &message("o1")).await["errcode"], 41001);
    assert_eq!(kit.errcode("garbage", "o1").await, 40014);
    assert_eq!(kit.errcode(&token, "stranger").await, 40003);
    let with_token = format!("{url}?access_token={token}");
    assert_eq!(answer(kit.client.get(&with_token).send().await.unwrap()).await["errcode"], 43002);
    assert_eq!(answer(kit.client.post(&with_token).send().await.unwrap()).await["errcode"], 44002);
    assert_eq!(
        answer(kit.client.post(&with_token).body("[1]").send().await.unwrap()).await["errcode"],
        47001
    );
    for (pointer, value, errcode, words) in [
        ("/template_id", json!("other"), 40037, "invalid template_id rid: "),
        (
            "/data/thing1/value",
            json!("一二三四五六七八九十一二三四五六七八九十一"),
            47003,
            "argument invalid! data.thing1.value invalid rid: ",
        ),
        // Cut at 48 characters: the last letters of `is empty` are gone.
        (
            "/data/phone_number2/value",
            json!(""),
            47003,
            "argument invalid! data.phone_number2.value is em rid: ",
        ),
        (
            "/data/time4/value",
            json!("2026/3/1 下午12:00"),
            47003,
            "argument invalid! data.time4.value invalid rid: ",
        ),
    ] {
        let mut body = message("o1");
        *body.pointer_mut(pointer).unwrap() = value;
        let refused = answer(kit.send_body(&token, &body).await.unwrap()).await;
        assert_eq!(refused["errcode"], errcode, "{refused}");
        assert!(text(&refused, "errmsg").starts_with(words), "{refused}");
    }
    assert_eq!(kit.wechat().ledger(), []);
    assert_eq!(kit.wechat().credits()[0].remaining, 9, "a no uses nothing up");
}

#[tokio::test]
async fn a_no_uses_a_credit_when_the_switch_says_so() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 2).unwrap();
    kit.wechat().set_switches(Switches {
        failed_send_consumes_credit: true,
        msgid_present: false,
        ..Switches::default()
    });
    let token = kit.token().await;
    let mut wrong = message("o1");
    wrong["data"]["time4"]["value"] = json!("soon");
    assert_eq!(answer(kit.send_body(&token, &wrong).await.unwrap()).await["errcode"], 47003);
    assert_eq!(kit.wechat().credits()[0].remaining, 1);
    let sent = answer(kit.send(&token, "o1").await.unwrap()).await;
    assert_eq!(sent, json!({ "errcode": 0, "errmsg": "ok" }), "no msgid with the switch off");
    assert_eq!(kit.errcode(&token, "o1").await, 43101);
}

#[tokio::test]
async fn quotas_run_on_the_virtual_clock() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 9).unwrap();
    let limits = Limits { send_per_minute: Some(1), send_per_day: Some(2), ..Limits::default() };
    kit.wechat().set_limits(limits);
    let token = kit.token().await;
    let mut seen = Vec::new();
    for wait in [0, 0, 60, 60] {
        kit.wechat().advance(wait).unwrap();
        seen.push(kit.errcode(&token, "o1").await);
    }
    assert_eq!(seen, [0, 45011, 0, 45009]);
    kit.wechat().advance(12 * 60 * 60).unwrap();
    let token = kit.token().await;
    assert_eq!(kit.errcode(&token, "o1").await, 0, "after midnight in China");
}
