//! What the simulator pushes: events, modes, formats, members' messages.

use axum::http::Method;
use serde_json::{Value, json};
use wechat_simulator::{
    CallbackFormat, CallbackMode, CallbackTarget, Channel, CreditGrant, DEMO_AGENT, DEMO_APPID, DEMO_CORP,
    DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE, DEMO_TEMPLATE, DropReason,
    FollowOrder, Following, PopupChoice, PopupOrder, Switches, TurnOffOrder, WecomWords,
};

use crate::{
    kit::{Kit, answer, text},
    server::{AES_KEY, Seen, Server, TOKEN, decrypt, element, encrypt},
};

fn wecom_app() -> String {
    format!("{DEMO_CORP}/{DEMO_AGENT}")
}

/// A kit whose apps all tell a server, in plain JSON where there is a choice.
async fn told() -> (Kit, Server) {
    let (kit, (server, url)) = (Kit::start().await, Server::start().await);
    for app in [DEMO_APPID, DEMO_OFFICIAL_APPID] {
        kit.wechat().set_callback(app, CallbackTarget::plain(&url, TOKEN)).unwrap();
    }
    kit.wechat().set_callback(&wecom_app(), CallbackTarget::safe(&url, TOKEN, AES_KEY)).unwrap();
    (kit, server)
}

async fn seen(kit: &Kit, server: &Server) -> Vec<Seen> {
    kit.wechat().until_callbacks_idle().await;
    server.seen()
}

fn remaining(kit: &Kit) -> u32 {
    kit.wechat().credits().iter().map(|credit| credit.remaining).sum()
}

#[tokio::test]
async fn an_answered_popup_is_a_credit_and_an_event() {
    let (kit, server) = told().await;
    kit.wechat().popup(DEMO_APPID, "o1", DEMO_TEMPLATE, true).unwrap();
    kit.wechat().popup(DEMO_APPID, "o1", DEMO_TEMPLATE, false).unwrap();
    assert_eq!(remaining(&kit), 1);
    let seen = seen(&kit, &server).await;
    let [accepted, rejected] = seen.as_slice() else { panic!("{seen:?}") };
    let expected = json!({
        "ToUserName": "gh_0000000demo1", "FromUserName": "o1", "CreateTime": crate::kit::noon().timestamp(),
        "MsgType": "event", "Event": "subscribe_msg_popup_event",
        "List": { "TemplateId": DEMO_TEMPLATE, "SubscribeStatusString": "accept", "PopupScene": "0" }
    });
    assert_eq!((accepted.json(), accepted.content_type.as_str()), (expected, "application/json"));
    assert_eq!(rejected.json()["List"]["SubscribeStatusString"], "reject");
    assert!(accepted.signed("signature", &[]));
    assert_eq!((accepted.query["openid"].as_str(), accepted.query["own"].as_str()), ("o1", "1"));
    assert!(!accepted.query.contains_key("msg_signature"));
}

#[tokio::test]
async fn one_popup_may_ask_for_several_and_the_settings_take_all_back() {
    let (kit, server) = told().await;
    let account =
        json!({ "appid": "wx-two", "secret": "s", "templates": ["T=thing1,time2", "U=thing1,time2"] });
    kit.post("/__sim/official/accounts", &account).await;
    let url = kit.wechat().callbacks()[0].1.url.clone();
    let body = json!({ "app": "wx-two", "target": { "url": url, "token": TOKEN, "account": "gh_two" } });
    assert_eq!(kit.post("/__sim/callbacks", &body).await["callbacks"]["wx-two"]["account"], "gh_two");
    let choice = |template_id: &str, accept| PopupChoice { template_id: template_id.to_owned(), accept };
    let order = PopupOrder {
        appid: Some("wx-two".to_owned()),
        openid: "o1".to_owned(),
        choices: vec![choice("T", true), choice("U", true)],
        scene: None,
    };
    kit.wechat().answer_popup(&order).unwrap();
    assert_eq!(remaining(&kit), 2);
    let off = TurnOffOrder {
        appid: order.appid,
        openid: order.openid,
        template_ids: vec!["T".to_owned(), "U".to_owned()],
    };
    kit.wechat().turn_off(&off).unwrap();
    assert_eq!(remaining(&kit), 0);
    let seen = seen(&kit, &server).await;
    assert_eq!(seen[0].json()["ToUserName"], "gh_two");
    assert_eq!(
        seen[0].json()["List"][1],
        json!({ "TemplateId": "U", "SubscribeStatusString": "accept", "PopupScene": "1" })
    );
    assert_eq!(seen[1].json()["Event"], "subscribe_msg_change_event");
    assert_eq!(seen[1].json()["List"][0], json!({ "TemplateId": "T", "SubscribeStatusString": "reject" }));
    for (path, body) in [
        ("popup", json!({ "openid": "", "choices": [] })),
        ("popup", json!({ "openid": "o1", "choices": [{ "template_id": "other", "accept": true }] })),
        ("turn-off", json!({ "openid": "o1", "appid": "wx-other", "template_ids": [] })),
        ("wecom/says", json!({ "userid": "lisi", "words": "x", "app": "c/9" })),
        ("callbacks", json!({ "app": "wx-other", "target": { "url": "http://x", "token": "t" } })),
        ("callbacks", json!({ "app": DEMO_APPID, "target": { "url": "ftp://x", "token": "t" } })),
        (
            "callbacks",
            json!({ "app": DEMO_APPID, "target": { "url": "http://x", "token": "t", "mode": "safe" } }),
        ),
        ("callbacks", json!({ "app": wecom_app(), "target": { "url": "http://x", "token": "t" } })),
        (
            "callbacks",
            json!({ "app": DEMO_APPID, "target": { "url": "http://x", "token": "t", "encoding_aes_key": "short" } }),
        ),
        ("callbacks/verify", json!({ "app": "wx-other" })),
    ] {
        assert_eq!(kit.control(&format!("/__sim/{path}"), &body.to_string()).await.0, 400, "{path} {body}");
    }
}

#[tokio::test]
async fn a_send_tells_what_became_of_it() {
    let (kit, server) = told().await;
    kit.wechat().grant_credits("o1", 2).unwrap();
    let token = kit.token().await;
    let sent = answer(kit.send(&token, "o1").await.unwrap()).await;
    let event = seen(&kit, &server).await[0].json();
    assert_eq!(event["Event"], "subscribe_msg_sent_event");
    let msgid = sent["msgid"].as_u64().unwrap().to_string();
    let expected =
        json!({ "TemplateId": DEMO_TEMPLATE, "MsgID": msgid, "ErrorCode": "0", "ErrorStatus": "success" });
    assert_eq!(event["List"], expected);
    kit.wechat().set_switches(Switches { sent_event_errcode: 7, ..Switches::default() });
    assert_eq!(kit.errcode(&token, "o1").await, 0, "the answer is a yes all the same");
    let event = seen(&kit, &server).await[1].json();
    assert_eq!(
        (&event["List"]["ErrorCode"], &event["List"]["ErrorStatus"]),
        (&json!("7"), &json!("system failed"))
    );
    assert_eq!(
        (kit.wechat().received_by("o1").len(), kit.wechat().dropped()[0].reason),
        (1, DropReason::SystemFailed)
    );
    assert_eq!(kit.errcode(&token, "o1").await, 43101);
    assert_eq!(seen(&kit, &server).await.len(), 2, "a no tells nothing");
}

#[tokio::test]
async fn the_official_account_tells_of_its_jobs() {
    let (kit, server) = told().await;
    kit.wechat().follow(DEMO_OFFICIAL_APPID, "o1").unwrap();
    let grant = CreditGrant {
        appid: Some(DEMO_OFFICIAL_APPID.to_owned()),
        openid: "o1".to_owned(),
        template_id: None,
        count: 1,
    };
    kit.wechat().grant(&grant).unwrap();
    let credential = json!({ "grant_type": "client_credential", "appid": DEMO_OFFICIAL_APPID, "secret": DEMO_OFFICIAL_SECRET });
    let token = text(&kit.post("/cgi-bin/stable_token", &credential).await, "access_token");
    let data =
        json!({ "thing1": { "value": "x" }, "time3": { "value": "12:00" }, "thing4": { "value": "y" } });
    let body = json!({ "touser": "o1", "template_id": DEMO_OFFICIAL_TEMPLATE, "data": data });
    let send = async |path: &str| {
        let sent = kit.post(&format!("/cgi-bin/message/{path}?access_token={token}"), &body).await;
        (sent["msgid"].as_u64().unwrap().to_string(), seen(&kit, &server).await.pop().unwrap().json())
    };
    let status = |event: &Value| (event["Event"].clone(), event["MsgID"].clone(), event["Status"].clone());
    let job = json!("TEMPLATESENDJOBFINISH");
    let (msgid, event) = send("template/send").await;
    assert_eq!(status(&event), (job.clone(), json!(msgid), json!("success")));
    let (msgid, event) = send("subscribe/bizsend").await;
    assert_eq!(
        (&event["Event"], &event["List"]["MsgID"]),
        (&json!("subscribe_msg_sent_event"), &json!(msgid))
    );
    let order = FollowOrder { appid: None, openid: "o1".to_owned(), following: Following::Blocks };
    kit.wechat().set_following(&order).unwrap();
    let (msgid, event) = send("template/send").await;
    assert_eq!(status(&event), (job.clone(), json!(msgid), json!("failed:user block")));
    kit.wechat().follow(DEMO_OFFICIAL_APPID, "o1").unwrap();
    kit.wechat().set_switches(Switches { sent_event_errcode: 1, ..Switches::default() });
    let (msgid, event) = send("template/send").await;
    assert_eq!(status(&event), (job, json!(msgid), json!("failed: system failed")));
    assert_eq!(kit.wechat().received_by("o1").len(), 2);
}

#[tokio::test]
async fn every_mode_in_both_formats() {
    for (mode, format) in [CallbackMode::Plain, CallbackMode::Compatible, CallbackMode::Safe]
        .into_iter()
        .flat_map(|mode| [(mode, CallbackFormat::Json), (mode, CallbackFormat::Xml)])
    {
        let (kit, (server, url)) = (Kit::start().await, Server::start().await);
        let target = CallbackTarget { mode, format, ..CallbackTarget::safe(&url, TOKEN, AES_KEY) };
        kit.wechat().set_callback(DEMO_APPID, target).unwrap();
        kit.wechat().verify_callback(DEMO_APPID).await.unwrap();
        kit.wechat().popup(DEMO_APPID, "o1", DEMO_TEMPLATE, true).unwrap();
        let seen = seen(&kit, &server).await.pop().unwrap();
        assert!(seen.signed("signature", &[]));
        let plain = if mode == CallbackMode::Safe { None } else { Some(seen.body.clone()) };
        let sealed = (mode != CallbackMode::Plain).then(|| {
            let encrypted = match format {
                CallbackFormat::Json => text(&seen.json(), "Encrypt"),
                CallbackFormat::Xml => element(&seen.body, "Encrypt"),
            };
            assert!(seen.signed("msg_signature", &[&encrypted]));
            assert_eq!(seen.query["encrypt_type"], "aes");
            let (message, receiver) = decrypt(&encrypted);
            assert_eq!(receiver, DEMO_APPID);
            message
        });
        assert_eq!(seen.body.contains(DEMO_TEMPLATE), plain.is_some(), "{mode:?} {format:?}");
        for message in [plain, sealed].into_iter().flatten() {
            let template = match format {
                CallbackFormat::Json => {
                    text(&serde_json::from_str::<Value>(&message).unwrap()["List"], "TemplateId")
                }
                CallbackFormat::Xml => element(&element(&message, "SubscribeMsgPopupEvent"), "TemplateId"),
            };
            assert_eq!(template, DEMO_TEMPLATE, "{mode:?} {format:?}");
        }
    }
}

#[tokio::test]
async fn a_member_writes_and_the_reply_arrives() {
    let (kit, server) = told().await;
    let inner = "<xml><ToUserName><![CDATA[LiSi]]></ToUserName><MsgType><![CDATA[text]]></MsgType>\
                 <Content><![CDATA[会员 M100]]></Content></xml>";
    let reply = format!("<xml><Encrypt><![CDATA[{}]]></Encrypt></xml>", encrypt(inner, DEMO_CORP));
    server.will_answer(Some((200, &reply)));
    let words = WecomWords { app: None, userid: "LiSi".to_owned(), words: "M100 <b>".to_owned() };
    kit.wechat().wecom_says(&words).unwrap();
    let seen = seen(&kit, &server).await.pop().unwrap();
    assert_eq!(
        (seen.content_type.as_str(), element(&seen.body, "AgentID")),
        ("text/xml", DEMO_AGENT.to_string())
    );
    assert!(!seen.query.contains_key("signature"), "WeCom has msg_signature only");
    let encrypted = element(&seen.body, "Encrypt");
    assert!(seen.signed("msg_signature", &[&encrypted]));
    let (message, trailer) = decrypt(&encrypted);
    assert_eq!((element(&message, "Content").as_str(), trailer.as_str()), ("M100 <b>", DEMO_CORP));
    assert_eq!(
        (element(&message, "MsgType"), element(&message, "FromUserName")),
        ("text".to_owned(), "LiSi".to_owned())
    );
    let received = kit.wechat().received_by("LiSi");
    assert_eq!((received.len(), received[0].channel), (1, Channel::WecomReply));
    assert_eq!((received[0].data["content"].as_str(), received[0].appid.clone()), ("会员 M100", wecom_app()));
    kit.wechat().wecom_says(&words).unwrap();
    kit.wechat().until_callbacks_idle().await;
    assert_eq!(kit.wechat().received_by("LiSi").len(), 1, "`success` is no reply");
}

#[tokio::test]
async fn an_address_is_asked_before_it_is_taken() {
    let (kit, server) = told().await;
    kit.post("/__sim/callbacks/verify", &json!({ "app": DEMO_APPID })).await;
    let question = server.seen().pop().unwrap();
    assert_eq!(question.method, Method::GET);
    assert!(question.signed("signature", &[]));
    let wrong = kit.wechat().verify_callback(&wecom_app()).await.unwrap_err();
    assert!(wrong.to_string().contains("not the echostr"), "the encrypted echostr itself is not the answer");
    let question = server.seen().pop().unwrap();
    let echostr = &question.query["echostr"];
    assert!(question.signed("msg_signature", &[echostr]));
    let (plain, receiver) = decrypt(echostr);
    assert!(plain.bytes().all(|byte| byte.is_ascii_digit()) && receiver == DEMO_CORP);
    server.will_answer(Some((500, "")));
    assert!(kit.wechat().verify_callback(DEMO_APPID).await.is_err());
    kit.wechat().remove_callback(DEMO_APPID);
    assert!(kit.wechat().verify_callback(DEMO_APPID).await.is_err());
}
