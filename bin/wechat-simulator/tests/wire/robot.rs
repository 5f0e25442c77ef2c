//! A group robot over the wire, and the faults of every endpoint of WeCom.

use serde_json::{Value, json};
use wechat_simulator::{
    Channel, ClientSaw, DEMO_AGENT, DEMO_CORP, DEMO_ROBOT, DEMO_WECOM_SECRET, Endpoint, Fault, FaultRule,
    RobotState,
};

use crate::kit::{Kit, answer, text};

fn hook(key: &str) -> String {
    format!("/cgi-bin/webhook/send?key={key}")
}

fn alarm(words: &str) -> Value {
    json!({ "msgtype": "text", "text": { "content": words, "mentioned_list": ["lisi"] } })
}

#[tokio::test]
async fn a_robot_speaks_to_its_group() {
    let kit = Kit::start().await;
    let sent = kit.post(&hook(DEMO_ROBOT), &alarm("3 leads wait")).await;
    assert_eq!(sent, json!({ "errcode": 0, "errmsg": "ok" }), "no msgid");
    kit.wechat().robot("key-2");
    let markdown = json!({ "msgtype": "markdown", "markdown": { "content": "**3** leads <@lisi>" } });
    assert_eq!(kit.post(&hook("key-2"), &markdown).await["errcode"], 0);
    let received = kit.wechat().received_by(DEMO_ROBOT);
    assert_eq!((received.len(), received[0].channel), (1, Channel::WecomRobot));
    assert_eq!(
        (received[0].data["content"].as_str(), received[0].data["mentioned_list"].as_str()),
        ("3 leads wait", "lisi")
    );
    assert_eq!(kit.wechat().received_by("key-2")[0].template_id, "markdown");
    for _ in 0..2 {
        assert_eq!(kit.post(&hook("key-2"), &markdown).await["errcode"], 0);
    }
    assert_eq!(kit.wechat().received_by("key-2").len(), 3, "nothing is deduplicated");
}

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let kit = Kit::start().await;
    kit.wechat().set_robot("off", RobotState::Disabled);
    kit.post("/__sim/wecom/robots", &json!({ "key": "out", "state": "not_in_group" })).await;
    for (key, errcode, words) in [
        ("", 93000, "invalid webhook url, hint: ["),
        ("unknown", 93000, "invalid webhook url"),
        ("off", 93004, ""),
        ("out", 93008, ""),
    ] {
        let refused = kit.post(&hook(key), &alarm("x")).await;
        assert_eq!(refused["errcode"], errcode);
        assert!(text(&refused, "errmsg").starts_with(words), "{refused}");
    }
    let long = kit.post(&hook(DEMO_ROBOT), &alarm(&"a".repeat(2049))).await;
    assert_eq!(long["errcode"], 40058);
    assert!(text(&long, "errmsg").starts_with(
        "text.content exceed max length 2048. Invalid input invalid Request Parameter, hint: ["
    ));
    assert_eq!(kit.post(&hook(DEMO_ROBOT), &alarm("")).await["errcode"], 44004);
    assert_eq!(kit.post(&hook(DEMO_ROBOT), &json!({ "msgtype": "smoke" })).await["errcode"], 40008);
    assert_eq!(kit.get(&hook(DEMO_ROBOT)).await["errcode"], 40058);
    assert_eq!(kit.wechat().ledger(), []);
}

#[tokio::test]
async fn twenty_a_minute_and_the_next_is_refused() {
    let kit = Kit::start().await;
    kit.wechat().robot("key-2");
    for number in 0..20 {
        assert_eq!(kit.post(&hook(DEMO_ROBOT), &alarm(&number.to_string())).await["errcode"], 0);
        kit.wechat().advance(2).unwrap();
    }
    assert_eq!(kit.post(&hook(DEMO_ROBOT), &alarm("x")).await["errcode"], 45009);
    assert_eq!(kit.post(&hook("key-2"), &alarm("x")).await["errcode"], 0, "each robot has its own minute");
    kit.wechat().advance(20).unwrap(); // a minute after the first one
    assert_eq!(kit.post(&hook(DEMO_ROBOT), &alarm("y")).await["errcode"], 0);
    assert_eq!(kit.post(&hook(DEMO_ROBOT), &alarm("z")).await["errcode"], 45009);
    assert_eq!(kit.wechat().received_by(DEMO_ROBOT).len(), 21);
}

#[tokio::test]
async fn faults_hold_here_too() {
    let kit = Kit::start().await;
    kit.wechat().add_wecom_user(DEMO_CORP, "wang");
    let path = format!("/cgi-bin/gettoken?corpid={DEMO_CORP}&corpsecret={DEMO_WECOM_SECRET}");
    let token = text(&kit.get(&path).await, "access_token");
    let app = json!({ "touser": "nobody|wang", "msgtype": "text", "agentid": DEMO_AGENT, "text": { "content": "x" } });
    let send = format!("/cgi-bin/message/send?access_token={token}");
    for (endpoint, path, body, person) in [
        (Endpoint::WecomSend, send.as_str(), &app, "wang"),
        (Endpoint::RobotSend, &hook(DEMO_ROBOT), &alarm("x"), DEMO_ROBOT),
    ] {
        kit.wechat().clear_ledger();
        let order = |fault| kit.wechat().add_fault(FaultRule::once(endpoint, fault).to(person)).unwrap();
        let post = || kit.client.post(kit.url(path)).json(body).send();
        order(Fault::ResetBefore {});
        assert!(post().await.is_err());
        order(Fault::ResetAfter {});
        assert!(post().await.is_err());
        order(Fault::Http502Html { process: true });
        assert_eq!(post().await.unwrap().status(), 502);
        order(Fault::TruncatedJson { process: true });
        assert_eq!(post().await.unwrap().text().await.unwrap(), r#"{"errcode":0"#);
        order(Fault::Errcode { errcode: -1, errmsg: None, process: true });
        let busy = answer(post().await.unwrap()).await;
        assert!(text(&busy, "errmsg").starts_with("system busy, hint: ["), "{busy}");
        let seen: Vec<_> =
            kit.wechat().received_by(person).iter().map(|received| received.client_saw).collect();
        let expected =
            [ClientSaw::ConnectionReset, ClientSaw::HttpError, ClientSaw::TruncatedJson, ClientSaw::Errcode];
        assert_eq!(seen, expected, "{endpoint:?}");
    }
}
