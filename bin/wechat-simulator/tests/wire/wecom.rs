//! The WeCom side over the wire: tokens, app messages, recall.

use serde_json::{Value, json};
use wechat_simulator::{
    Channel, ClientSaw, DEMO_AGENT, DEMO_CORP, DEMO_WECOM_SECRET, DropReason, DuplicateAnswer, Endpoint,
    Fault, FaultRule, Limits, Switches, TokenEnd, TokenFamily,
};

use crate::kit::{Kit, answer, text};

const SEND: &str = "/cgi-bin/message/send";

fn gettoken(secret: &str) -> String {
    format!("/cgi-bin/gettoken?corpid={DEMO_CORP}&corpsecret={secret}")
}

async fn token(kit: &Kit) -> String {
    text(&kit.get(&gettoken(DEMO_WECOM_SECRET)).await, "access_token")
}

/// A kit with the members LiSi and wang.
async fn corp() -> (Kit, String) {
    let kit = Kit::start().await;
    kit.wechat().add_wecom_user(DEMO_CORP, "LiSi");
    kit.wechat().add_wecom_user(DEMO_CORP, "wang");
    let token = token(&kit).await;
    (kit, token)
}

fn message(touser: &str, words: &str) -> Value {
    json!({
        "touser": touser, "msgtype": "text", "agentid": DEMO_AGENT, "text": { "content": words },
        "enable_duplicate_check": 1, "duplicate_check_interval": 14_400
    })
}

async fn send(kit: &Kit, token: &str, body: &Value) -> Value {
    kit.post(&format!("{SEND}?access_token={token}"), body).await
}

fn words(kit: &Kit, member: &str) -> Vec<String> {
    kit.wechat().received_by(member).iter().map(|received| received.data["content"].clone()).collect()
}

#[tokio::test]
async fn a_token_stays_the_same_until_it_ends() {
    let (kit, first) = corp().await;
    kit.wechat().advance(7199).unwrap();
    let again = kit.get(&gettoken(DEMO_WECOM_SECRET)).await;
    assert_eq!((text(&again, "access_token"), &again["errcode"]), (first.clone(), &json!(0)));
    assert_eq!(send(&kit, &first, &message("wang", "1")).await["errcode"], 0);
    kit.wechat().advance(1).unwrap();
    assert_eq!(send(&kit, &first, &message("wang", "2")).await["errcode"], 42001);
    let second = token(&kit).await;
    assert_ne!(second, first);
    kit.wechat().end_tokens(Some(TokenFamily::Stable), TokenEnd::Superseded);
    assert_eq!(send(&kit, &second, &message("wang", "3")).await["errcode"], 0, "WeChat's are others");
    kit.post("/__sim/tokens/end", &json!({ "family": "wecom" })).await;
    assert_eq!(send(&kit, &second, &message("wang", "4")).await["errcode"], 40014);
    let third = token(&kit).await;
    assert_ne!(third, second, "after an early end there is a new one");
    assert_eq!(send(&kit, &third, &message("wang", "4")).await["errcode"], 0);
}

#[tokio::test]
async fn tokens_are_per_app_and_wrong_requests_are_told_what_is_wrong() {
    let (kit, first) = corp().await;
    assert_eq!(kit.wechat().wecom_app(DEMO_CORP, 7, "other"), format!("{DEMO_CORP}/7"));
    kit.wechat().wecom_app("ww-other", 1, "elsewhere");
    let other = text(&kit.get(&gettoken("other")).await, "access_token");
    assert_ne!(first, other);
    assert_eq!(send(&kit, &other, &message("wang", "1")).await["errcode"], 301_002);
    for (query, errcode) in [
        (String::new(), 41002),
        ("?corpid=ww-unknown&corpsecret=x".to_owned(), 40013),
        (format!("?corpid={DEMO_CORP}"), 41004),
        (format!("?corpid={DEMO_CORP}&corpsecret=wrong"), 40001),
        (format!("?corpid={DEMO_CORP}&corpsecret=elsewhere"), 40091),
    ] {
        let refused = kit.get(&format!("/cgi-bin/gettoken{query}")).await;
        assert_eq!(refused["errcode"], errcode, "{query}");
        let tail = format!(
            ", from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e={errcode}"
        );
        assert!(text(&refused, "errmsg").ends_with(&tail), "{refused}");
    }
}

#[tokio::test]
async fn failing_token_calls_block_the_corp_for_an_hour() {
    let (kit, first) = corp().await;
    kit.wechat().set_limits(Limits { wecom_failed_gettoken_per_hour: Some(3), ..Limits::default() });
    for _ in 0..3 {
        assert_eq!(kit.get(&gettoken("wrong")).await["errcode"], 40001);
    }
    assert_eq!(kit.get(&gettoken(DEMO_WECOM_SECRET)).await["errcode"], 45009, "also a good call");
    assert_eq!(send(&kit, &first, &message("wang", "1")).await["errcode"], 0, "a token goes on");
    kit.wechat().advance(3600).unwrap();
    assert_eq!(kit.get(&gettoken(DEMO_WECOM_SECRET)).await["errcode"], 0);
}

#[tokio::test]
async fn a_send_reaches_those_who_can_be_reached_and_names_the_others() {
    let (kit, token) = corp().await;
    let poor = json!({ "userid": "Poor", "licence": "unlicensed", "parties": ["3"], "tags": ["t"] });
    kit.post("/__sim/wecom/users", &poor).await;
    let mut body = message("lisi|WANG|Gone|poor", "新会员登记");
    body["toparty"] = json!("9");
    let sent = send(&kit, &token, &body).await;
    assert_eq!((&sent["errcode"], &sent["errmsg"]), (&json!(0), &json!("ok")));
    assert_eq!(
        (&sent["invaliduser"], &sent["unlicenseduser"], &sent["invalidparty"]),
        (&json!("gone"), &json!("poor"), &json!("9"))
    );
    let msgid = text(&sent, "msgid");
    for member in ["LiSi", "wang"] {
        let received = kit.wechat().received_by(member);
        let [received] = received.as_slice() else { panic!("one message: {received:?}") };
        assert_eq!(
            (received.channel, received.appid.clone()),
            (Channel::WecomApp, format!("{DEMO_CORP}/{DEMO_AGENT}"))
        );
        assert_eq!((&received.message_id, received.template_id.as_str()), (&msgid, "text"));
        assert_eq!((received.summary.as_str(), received.client_saw), ("新会员登记", ClientSaw::Accepted));
    }
    assert_eq!(kit.wechat().received_by("Poor"), []);
    let refused = send(&kit, &token, &message("gone|away", "x")).await;
    assert_eq!(refused["errcode"], 81013);
    assert!(text(&refused, "errmsg").starts_with("user & party & tag all invalid, hint: ["));
    kit.wechat().remove_wecom_user(DEMO_CORP, "WANG");
    assert_eq!(send(&kit, &token, &message("wang", "y")).await["errcode"], 81013, "she left");
}

#[tokio::test]
async fn wrong_sends_are_told_what_is_wrong() {
    let (kit, token) = corp().await;
    let url = kit.url(&format!("{SEND}?access_token={token}"));
    assert_eq!(kit.post(SEND, &message("wang", "x")).await["errcode"], 41001);
    assert_eq!(send(&kit, "garbage", &message("wang", "x")).await["errcode"], 40014);
    let wechat = kit.token().await;
    assert_eq!(send(&kit, &wechat, &message("wang", "x")).await["errcode"], 40014, "WeChat's token");
    assert_eq!(kit.errcode(&token, "o1").await, 40014, "and the other way round");
    assert_eq!(answer(kit.client.get(&url).send().await.unwrap()).await["errcode"], 40058);
    assert_eq!(answer(kit.client.post(&url).send().await.unwrap()).await["errcode"], 44002);
    assert_eq!(answer(kit.client.post(&url).body("{").send().await.unwrap()).await["errcode"], 40058);
    for (key, value, errcode) in [
        ("agentid", Value::Null, 41011),
        ("agentid", json!(DEMO_AGENT.to_string()), 40056),
        ("agentid", json!(7), 301_002),
        ("msgtype", json!("smoke"), 40008),
        ("text", json!({ "content": "" }), 44004),
        ("touser", json!(""), 82001),
        ("duplicate_check_interval", json!(14_401), 40058),
    ] {
        let mut body = message("wang", "x");
        body[key] = value;
        assert_eq!(send(&kit, &token, &body).await["errcode"], errcode, "{body}");
    }
    assert_eq!(kit.wechat().ledger(), []);
}

#[tokio::test]
async fn lenient_switches_for_numbers_in_quotes_and_strict_ones_for_escapes() {
    let (kit, token) = corp().await;
    let mut quoted = message("wang", "x");
    quoted["agentid"] = json!(DEMO_AGENT.to_string());
    let switches =
        Switches { wecom_agentid_text_refused: false, unicode_escapes_refused: true, ..Switches::default() };
    kit.wechat().set_switches(switches);
    assert_eq!(send(&kit, &token, &quoted).await["errcode"], 0);
    let escaped = format!(
        r#"{{"touser":"wang","msgtype":"text","agentid":{DEMO_AGENT},"text":{{"content":"\u5f20"}}}}"#
    );
    let post = async || {
        let url = kit.url(&format!("{SEND}?access_token={token}"));
        answer(kit.client.post(url).body(escaped.clone()).send().await.unwrap()).await["errcode"].clone()
    };
    assert_eq!(post().await, 40033);
    kit.wechat().set_switches(Switches::default());
    assert_eq!(post().await, 0);
    assert_eq!(words(&kit, "wang"), ["x", "张"]);
}

#[tokio::test]
async fn the_same_request_reaches_nobody_twice_within_its_interval() {
    for wecom_duplicate_answer in
        [DuplicateAnswer::SameMsgid, DuplicateAnswer::NewMsgid, DuplicateAnswer::NoMsgid]
    {
        let (kit, token) = corp().await;
        kit.wechat().set_switches(Switches { wecom_duplicate_answer, ..Switches::default() });
        let body = message("wang", "order 1 event 1");
        let first = send(&kit, &token, &body).await;
        kit.wechat().advance(7000).unwrap();
        let again = send(&kit, &token, &body).await;
        assert_eq!((&again["errcode"], &again["errmsg"]), (&json!(0), &json!("ok")));
        match wecom_duplicate_answer {
            DuplicateAnswer::SameMsgid => assert_eq!(again["msgid"], first["msgid"]),
            DuplicateAnswer::NewMsgid => assert_ne!(text(&again, "msgid"), text(&first, "msgid")),
            DuplicateAnswer::NoMsgid => assert_eq!(again.get("msgid"), None),
        }
        assert_eq!(words(&kit, "wang").len(), 1);
        assert_eq!(kit.wechat().dropped()[0].reason, DropReason::Duplicate);
        assert_eq!(send(&kit, &token, &message("wang", "order 1 event 2")).await["errcode"], 0);
        kit.wechat().advance(7400).unwrap(); // four hours after the first one
        let token = self::token(&kit).await;
        assert_eq!(send(&kit, &token, &body).await["errcode"], 0);
        assert_eq!(words(&kit, "wang"), ["order 1 event 1", "order 1 event 2", "order 1 event 1"]);
        let mut unchecked = body.clone();
        unchecked["enable_duplicate_check"] = json!(0);
        for _ in 0..2 {
            assert_eq!(send(&kit, &token, &unchecked).await["errcode"], 0);
        }
        assert_eq!(words(&kit, "wang").len(), 5, "without the check everything arrives");
    }
}

#[tokio::test]
async fn duplicates_are_compared_by_bytes_or_by_content() {
    let one = format!(
        r#"{{"touser":"wang","msgtype":"text","agentid":{DEMO_AGENT},"text":{{"content":"x"}},"enable_duplicate_check":1}}"#
    );
    let other = one.replace("{\"touser\"", "{ \"touser\"");
    for (wecom_duplicates_by_bytes, arrived) in [(true, 2), (false, 1)] {
        let (kit, token) = corp().await;
        kit.wechat().set_switches(Switches { wecom_duplicates_by_bytes, ..Switches::default() });
        for body in [&one, &other] {
            let url = kit.url(&format!("{SEND}?access_token={token}"));
            assert_eq!(
                answer(kit.client.post(url).body(body.clone()).send().await.unwrap()).await["errcode"],
                0
            );
        }
        assert_eq!(words(&kit, "wang").len(), arrived);
    }
}

#[tokio::test]
async fn the_excess_is_dropped_without_a_word() {
    for (rolling_windows, after_ten_seconds) in [(true, 2), (false, 4)] {
        let (kit, token) = corp().await;
        kit.wechat().advance(50).unwrap();
        kit.wechat().set_limits(Limits {
            wecom_member_per_minute: Some(2),
            wecom_member_per_hour: Some(5),
            ..Limits::default()
        });
        kit.wechat().set_switches(Switches { rolling_windows, ..Switches::default() });
        let burst = async |name: &str| {
            for number in 0..3 {
                let sent = send(&kit, &token, &message("wang", &format!("{name} {number}"))).await;
                assert_eq!((&sent["errcode"], sent["msgid"].is_string()), (&json!(0), true));
            }
            words(&kit, "wang").len()
        };
        assert_eq!(burst("a").await, 2);
        assert_eq!(kit.wechat().dropped()[0].reason, DropReason::OverRate);
        assert_eq!(send(&kit, &token, &message("lisi", "x")).await["errcode"], 0);
        assert_eq!(words(&kit, "LiSi").len(), 1, "each member has an allowance");
        kit.wechat().advance(10).unwrap();
        assert_eq!(burst("b").await, after_ten_seconds);
        kit.wechat().advance(60).unwrap();
        assert_eq!(burst("c").await, (after_ten_seconds + 2).min(5));
        kit.wechat().advance(60).unwrap();
        assert_eq!(burst("d").await, 5, "the hour has its own limit");
        kit.wechat().advance(3600).unwrap();
        assert_eq!(burst("e").await, 7);
    }
}

#[tokio::test]
async fn an_app_has_so_many_person_times_a_day_and_so_many_calls_at_once() {
    let (kit, token) = corp().await;
    kit.wechat().set_limits(Limits { wecom_persons_per_day: Some(3), ..Limits::default() });
    assert_eq!(send(&kit, &token, &message("wang|lisi", "1")).await["errcode"], 0);
    assert_eq!(send(&kit, &token, &message("wang|lisi", "2")).await["errcode"], 45009);
    assert_eq!(send(&kit, &token, &message("wang", "3")).await["errcode"], 0);
    kit.wechat().set_limits(Limits { wecom_send_per_minute: Some(1), ..Limits::default() });
    assert_eq!(send(&kit, &token, &message("wang", "by the minute 1")).await["errcode"], 0);
    assert_eq!(send(&kit, &token, &message("wang", "by the minute 2")).await["errcode"], 45009);
    kit.wechat().advance(60).unwrap();
    assert_eq!(send(&kit, &token, &message("wang", "by the minute 2")).await["errcode"], 0);
    kit.wechat().set_limits(Limits { wecom_concurrent: Some(1), ..Limits::default() });
    kit.wechat().add_fault(FaultRule::once(Endpoint::WecomSend, Fault::Hang { process: false })).unwrap();
    let first =
        kit.client.post(kit.url(&format!("{SEND}?access_token={token}"))).json(&message("wang", "4")).send();
    let first = tokio::spawn(first);
    kit.wechat().until_waiting(1).await;
    assert_eq!(send(&kit, &token, &message("lisi", "5")).await["errcode"], 45033);
    kit.wechat().wake();
    assert_eq!(answer(first.await.unwrap().unwrap()).await["errcode"], 0);
    assert_eq!(send(&kit, &token, &message("lisi", "5")).await["errcode"], 0);
}

#[tokio::test]
async fn a_message_can_be_taken_back_for_a_day_by_its_own_app() {
    let (kit, token) = corp().await;
    kit.wechat().wecom_app(DEMO_CORP, 7, "other");
    let other = text(&kit.get(&gettoken("other")).await, "access_token");
    let recall = async |token: &str, msgid: &str| {
        kit.post(&format!("/cgi-bin/message/recall?access_token={token}"), &json!({ "msgid": msgid })).await["errcode"].clone()
    };
    let first = text(&send(&kit, &token, &message("wang|lisi", "1")).await, "msgid");
    let second = text(&send(&kit, &token, &message("wang", "2")).await, "msgid");
    assert_eq!(recall(&other, &first).await, 40058, "another app's");
    assert_eq!(recall(&token, "unknown").await, 40058);
    assert_eq!(recall(&token, "").await, 40058);
    assert_eq!(recall(&token, &first).await, 0);
    let taken_back: Vec<bool> =
        kit.wechat().ledger().iter().map(|received| received.recalled_at.is_some()).collect();
    assert_eq!(taken_back, [true, true, false]);
    kit.wechat().advance(24 * 3600).unwrap();
    let token = self::token(&kit).await;
    assert_eq!(recall(&token, &second).await, 40058, "a day has passed");
}

#[tokio::test]
async fn a_task_id_may_be_used_again_when_the_switch_says_so() {
    for (wecom_reused_task_id_refused, errcode) in [(true, 40058), (false, 0)] {
        let (kit, token) = corp().await;
        kit.wechat().set_switches(Switches { wecom_reused_task_id_refused, ..Switches::default() });
        let card =
            json!({ "card_type": "button_interaction", "task_id": "t1", "main_title": { "title": "x" } });
        let body = json!({ "touser": "wang", "msgtype": "template_card", "agentid": DEMO_AGENT, "template_card": card });
        let first = send(&kit, &token, &body).await;
        assert!(first["response_code"].is_string(), "{first}");
        assert_eq!(send(&kit, &token, &body).await["errcode"], errcode);
    }
}
