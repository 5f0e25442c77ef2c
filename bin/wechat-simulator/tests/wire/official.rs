//! The official account over the wire: template messages and subscribe messages.

use serde_json::{Value, json};
use wechat_simulator::{
    Channel, ClientSaw, CreditGrant, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE,
    DropReason, Endpoint, Fault, FaultRule, FollowOrder, Following, Limits, Switches,
};

use crate::kit::{Kit, text};

const TEMPLATE: &str = "/cgi-bin/message/template/send";
const BIZSEND: &str = "/cgi-bin/message/subscribe/bizsend";

/// A kit where `o1` follows, and the account's token.
async fn followed() -> (Kit, String) {
    let kit = Kit::start().await;
    kit.wechat().follow(DEMO_OFFICIAL_APPID, "o1").unwrap();
    let token = token(&kit).await;
    (kit, token)
}

async fn token(kit: &Kit) -> String {
    let body = json!({
        "grant_type": "client_credential", "appid": DEMO_OFFICIAL_APPID, "secret": DEMO_OFFICIAL_SECRET
    });
    text(&kit.post("/cgi-bin/stable_token", &body).await, "access_token")
}

fn message(openid: &str, client_msg_id: Option<&str>) -> Value {
    let mut body = json!({
        "touser": openid,
        "template_id": DEMO_OFFICIAL_TEMPLATE,
        "url": "https://leads.example/1",
        "data": {
            "thing1": { "value": "张三" }, "time3": { "value": "2026年3月1日 12:00" }, "thing4": { "value": "系统分配" }
        }
    });
    if let Some(id) = client_msg_id {
        body["client_msg_id"] = json!(id);
    }
    body
}

async fn send(kit: &Kit, path: &str, token: &str, body: &Value) -> Value {
    kit.post(&format!("{path}?access_token={token}"), body).await
}

#[tokio::test]
async fn a_template_message_reaches_a_follower() {
    let (kit, token) = followed().await;
    let sent = send(&kit, TEMPLATE, &token, &message("o1", None)).await;
    assert_eq!((&sent["errcode"], &sent["errmsg"]), (&json!(0), &json!("ok")));
    let received = kit.wechat().received_by("o1");
    assert_eq!((received.len(), received[0].channel), (1, Channel::WechatTemplate));
    assert_eq!(sent["msgid"].as_u64(), Some(received[0].msgid));
    assert_eq!(received[0].message_id, received[0].msgid.to_string());
    assert_eq!(
        (received[0].page.as_deref(), received[0].summary.as_str()),
        (Some("https://leads.example/1"), "张三 系统分配 2026年3月1日 12:00")
    );
    let mut both = message("o1", None);
    both["miniprogram"] = json!({ "appid": "wx1", "pagepath": "pages/lead?id=1" });
    send(&kit, TEMPLATE, &token, &both).await;
    assert_eq!(
        kit.wechat().received_by("o1")[1].page.as_deref(),
        Some("pages/lead?id=1"),
        "the mini program wins"
    );
}

#[tokio::test]
async fn wrong_sends_are_told_what_is_wrong() {
    let (kit, token) = followed().await;
    kit.wechat().follow(DEMO_OFFICIAL_APPID, "o2").unwrap();
    let left = json!({ "openid": "o2", "following": "left" });
    kit.post("/__sim/official/followers", &left).await;
    for (pointer, value, errcode) in [
        ("/touser", json!("stranger"), 40003),
        ("/touser", json!("o2"), 43004),
        ("/template_id", json!("other"), 40037),
        ("/data/time3/value", json!("soon"), 47003),
        ("/data/thing1/value", json!(""), 47003),
    ] {
        let mut body = message("o1", None);
        *body.pointer_mut(pointer).unwrap() = value;
        assert_eq!(send(&kit, TEMPLATE, &token, &body).await["errcode"], errcode, "{body}");
    }
    let mini_program = kit.token().await;
    for (on, errcode) in [(true, 45109), (false, 48001)] {
        kit.wechat().set_switches(Switches { mini_program_token_is_unsupported: on, ..Switches::default() });
        assert_eq!(send(&kit, TEMPLATE, &mini_program, &message("o1", None)).await["errcode"], errcode);
        assert_eq!(send(&kit, BIZSEND, &mini_program, &message("o1", None)).await["errcode"], 48001);
    }
    assert_eq!(kit.errcode(&token, "o1").await, 48001, "nor the other way round");
    assert_eq!(kit.wechat().ledger(), []);
    let order = FollowOrder {
        appid: Some("wx-other".to_owned()),
        openid: "o1".to_owned(),
        following: Following::Follows,
    };
    assert!(kit.wechat().set_following(&order).is_err());
    assert!(kit.wechat().follow(DEMO_OFFICIAL_APPID, "").is_err());
}

#[tokio::test]
async fn a_client_msg_id_reaches_a_person_once_in_ten_minutes() {
    for template_duplicate_same_msgid in [true, false] {
        let (kit, token) = followed().await;
        kit.wechat().follow(DEMO_OFFICIAL_APPID, "o2").unwrap();
        kit.wechat().set_switches(Switches { template_duplicate_same_msgid, ..Switches::default() });
        let first = send(&kit, TEMPLATE, &token, &message("o1", Some("n1"))).await;
        kit.wechat().advance(599).unwrap();
        let again = send(&kit, TEMPLATE, &token, &message("o1", Some("n1"))).await;
        assert_eq!(again["errcode"], 0);
        assert_eq!(again["msgid"] == first["msgid"], template_duplicate_same_msgid);
        assert_eq!(kit.wechat().dropped()[0].reason, DropReason::Duplicate);
        for (openid, id) in [("o1", "n2"), ("o2", "n1")] {
            assert_eq!(send(&kit, TEMPLATE, &token, &message(openid, Some(id))).await["errcode"], 0);
        }
        assert_eq!((kit.wechat().received_by("o1").len(), kit.wechat().received_by("o2").len()), (2, 1));
        kit.wechat().advance(1).unwrap();
        send(&kit, TEMPLATE, &token, &message("o1", Some("n1"))).await;
        assert_eq!(kit.wechat().received_by("o1").len(), 3, "ten minutes have passed");
        for _ in 0..2 {
            send(&kit, TEMPLATE, &token, &message("o1", None)).await;
        }
        assert_eq!(kit.wechat().received_by("o1").len(), 5, "without an id everything arrives");
    }
}

#[tokio::test]
async fn a_fault_and_a_client_msg_id() {
    let (kit, token) = followed().await;
    kit.wechat().add_fault(FaultRule::once(Endpoint::TemplateSend, Fault::ResetAfter {}).to("o1")).unwrap();
    let url = kit.url(&format!("{TEMPLATE}?access_token={token}"));
    assert!(kit.client.post(url).json(&message("o1", Some("n1"))).send().await.is_err());
    assert_eq!(send(&kit, TEMPLATE, &token, &message("o1", Some("n1"))).await["errcode"], 0);
    let received = kit.wechat().received_by("o1");
    assert_eq!((received.len(), received[0].client_saw), (1, ClientSaw::ConnectionReset));
}

#[tokio::test]
async fn who_blocks_the_account_is_not_reached() {
    let (kit, token) = followed().await;
    let order = FollowOrder { appid: None, openid: "o1".to_owned(), following: Following::Blocks };
    kit.wechat().set_following(&order).unwrap();
    assert_eq!(send(&kit, TEMPLATE, &token, &message("o1", None)).await["errcode"], 0);
    assert_eq!(kit.wechat().received_by("o1"), []);
    assert_eq!(kit.wechat().dropped()[0].reason, DropReason::Blocked);
}

#[tokio::test]
async fn the_day_has_its_quota() {
    let (kit, token) = followed().await;
    kit.wechat().set_limits(Limits {
        template_send_per_day: Some(1),
        bizsend_per_day: Some(0),
        ..Limits::default()
    });
    assert_eq!(send(&kit, TEMPLATE, &token, &message("o1", None)).await["errcode"], 0);
    assert_eq!(send(&kit, TEMPLATE, &token, &message("o1", None)).await["errcode"], 45009);
    assert_eq!(send(&kit, BIZSEND, &token, &message("o1", None)).await["errcode"], 45009);
}

#[tokio::test]
async fn a_bizsend_takes_a_credit_of_the_account() {
    let (kit, token) = followed().await;
    assert_eq!(send(&kit, BIZSEND, &token, &message("o1", None)).await["errcode"], 43101);
    let grant = CreditGrant {
        appid: Some(DEMO_OFFICIAL_APPID.to_owned()),
        openid: "o1".to_owned(),
        template_id: None,
        count: 1,
    };
    kit.wechat().grant(&grant).unwrap();
    let sent = send(&kit, BIZSEND, &token, &message("o1", Some("ignored here"))).await;
    assert_eq!(sent["errcode"], 0);
    assert!(sent["msgid"].is_u64());
    assert_eq!(send(&kit, BIZSEND, &token, &message("o1", None)).await["errcode"], 43101);
    let received = kit.wechat().received_by("o1");
    assert_eq!((received.len(), received[0].channel), (1, Channel::WechatBizsend));
    kit.wechat().grant(&grant).unwrap();
    kit.wechat().add_fault(FaultRule::once(Endpoint::BizSend, Fault::Hang { process: false })).unwrap();
    let hanging = kit
        .client
        .post(kit.url(&format!("{BIZSEND}?access_token={token}")))
        .json(&message("o1", None))
        .send();
    let hanging = tokio::spawn(hanging);
    kit.wechat().until_waiting(1).await;
    assert_eq!(send(&kit, BIZSEND, &token, &message("o1", None)).await["errcode"], 43108);
    kit.wechat().wake();
    assert_eq!(hanging.await.unwrap().unwrap().status(), 200);
}

#[tokio::test]
async fn another_account_over_the_wire() {
    let kit = Kit::start().await;
    let account = json!({ "appid": "wx-biz", "secret": "s", "templates": ["T=thing1,time2"] });
    kit.post("/__sim/official/accounts", &account).await;
    kit.post("/__sim/official/followers", &json!({ "appid": "wx-biz", "openid": "o9" })).await;
    let credential = json!({ "grant_type": "client_credential", "appid": "wx-biz", "secret": "s" });
    let token = text(&kit.post("/cgi-bin/stable_token", &credential).await, "access_token");
    let body = json!({ "touser": "o9", "template_id": "T", "data": { "thing1": { "value": "x" }, "time2": { "value": "12:00" } } });
    assert_eq!(send(&kit, TEMPLATE, &token, &body).await["errcode"], 0);
    assert_eq!(kit.wechat().received_by("o9")[0].appid, "wx-biz");
}
