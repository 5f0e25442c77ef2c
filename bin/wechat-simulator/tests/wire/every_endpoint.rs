//! Every fault on every endpoint that sends: what the caller sees, and what the person received.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use wechat_simulator::{
    CLOUD_FUNCTION, CreditGrant, DEMO_AGENT, DEMO_CLOUD_ENV, DEMO_CORP, DEMO_OFFICIAL_APPID,
    DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE, DEMO_ROBOT, DEMO_WECOM_SECRET, Endpoint, Fault, FaultRule,
    Switches, TokenEnd,
};

use crate::kit::{Kit, answer, message, text};

/// An endpoint with a call that succeeds; the person is `wang` or `o1`, the robot's group its key.
struct Send {
    endpoint: Endpoint,
    path: String,
    body: Value,
    person: &'static str,
}

impl Send {
    fn request(&self, kit: &Kit) -> RequestBuilder {
        kit.client.request(Method::POST, kit.url(&self.path)).json(&self.body)
    }
}

async fn sends(kit: &Kit) -> Vec<Send> {
    kit.wechat().grant_credits("o1", 99).unwrap();
    kit.wechat().follow(DEMO_OFFICIAL_APPID, "o1").unwrap();
    let grant = CreditGrant {
        appid: Some(DEMO_OFFICIAL_APPID.to_owned()),
        openid: "o1".to_owned(),
        template_id: None,
        count: 99,
    };
    kit.wechat().grant(&grant).unwrap();
    kit.wechat().cloud_user("s1", "o1");
    kit.wechat().add_wecom_user(DEMO_CORP, "wang");
    let mini = kit.token().await;
    let credential = json!({ "grant_type": "client_credential", "appid": DEMO_OFFICIAL_APPID, "secret": DEMO_OFFICIAL_SECRET });
    let official = text(&kit.post("/cgi-bin/stable_token", &credential).await, "access_token");
    let wecom =
        kit.get(&format!("/cgi-bin/gettoken?corpid={DEMO_CORP}&corpsecret={DEMO_WECOM_SECRET}")).await;
    let wecom = text(&wecom, "access_token");
    let data =
        json!({ "thing1": { "value": "x" }, "time3": { "value": "12:00" }, "thing4": { "value": "y" } });
    let template = json!({ "touser": "o1", "template_id": DEMO_OFFICIAL_TEMPLATE, "data": data });
    let notice =
        json!({ "assignedToId": "s1", "customerName": "张三", "assignTime": "2026-03-01T04:00:00Z" });
    let words = json!({ "content": "x" });
    let send = |endpoint, path: String, body, person| Send { endpoint, path, body, person };
    vec![
        send(
            Endpoint::SubscribeSend,
            format!("/cgi-bin/message/subscribe/send?access_token={mini}"),
            message("o1"),
            "o1",
        ),
        send(
            Endpoint::TemplateSend,
            format!("/cgi-bin/message/template/send?access_token={official}"),
            template.clone(),
            "o1",
        ),
        send(
            Endpoint::BizSend,
            format!("/cgi-bin/message/subscribe/bizsend?access_token={official}"),
            template,
            "o1",
        ),
        send(
            Endpoint::CloudFunction,
            format!(
                "/tcb/invokecloudfunction?access_token={mini}&env={DEMO_CLOUD_ENV}&name={CLOUD_FUNCTION}"
            ),
            json!({ "type": "sendCustomerAssignNotify", "notificationData": notice }),
            "o1",
        ),
        send(
            Endpoint::WecomSend,
            format!("/cgi-bin/message/send?access_token={wecom}"),
            json!({ "touser": "wang", "msgtype": "text", "agentid": DEMO_AGENT, "text": words.clone() }),
            "wang",
        ),
        send(
            Endpoint::RobotSend,
            format!("/cgi-bin/webhook/send?key={DEMO_ROBOT}"),
            json!({ "msgtype": "text", "text": words }),
            DEMO_ROBOT,
        ),
    ]
}

fn received(kit: &Kit, send: &Send) -> usize {
    kit.wechat().received_by(send.person).len()
}

#[tokio::test]
async fn what_breaks_and_what_arrives_all_the_same() {
    let kit = Kit::start().await;
    for send in sends(&kit).await {
        for (fault, status, arrives) in [
            (Fault::ResetBefore {}, None, 0),
            (Fault::ResetAfter {}, None, 1),
            (Fault::Http502Html { process: false }, Some(502), 0),
            (Fault::Http502Html { process: true }, Some(502), 1),
            (Fault::Http4xx { status: 429, process: false }, Some(429), 0),
            (Fault::TruncatedJson { process: true }, Some(200), 1),
            (Fault::TruncatedJson { process: false }, Some(200), 0),
            (Fault::TimeoutAfterProcessing { ms: Some(1) }, Some(200), 1),
            (Fault::Slow { ms: 1 }, Some(200), 1),
            (Fault::Errcode { errcode: 45009, errmsg: None, process: false }, Some(200), 0),
        ] {
            kit.wechat().clear_ledger();
            kit.wechat().add_fault(FaultRule::once(send.endpoint, fault.clone())).unwrap();
            let seen = send.request(&kit).send().await.ok().map(|response| response.status().as_u16());
            assert_eq!((seen, received(&kit, &send)), (status, arrives), "{:?} {fault:?}", send.endpoint);
        }
    }
}

#[tokio::test]
async fn what_hangs_is_processed_when_woken() {
    let kit = Kit::start().await;
    for send in sends(&kit).await {
        kit.wechat().clear_ledger();
        kit.wechat().add_fault(FaultRule::once(send.endpoint, Fault::Hang { process: false })).unwrap();
        let hanging = tokio::spawn(send.request(&kit).send());
        kit.wechat().until_waiting(1).await;
        assert_eq!(received(&kit, &send), 0, "{:?}", send.endpoint);
        kit.wechat().wake();
        assert_eq!(answer(hanging.await.unwrap().unwrap()).await["errcode"], 0);
        assert_eq!(received(&kit, &send), 1, "{:?}", send.endpoint);
    }
}

#[tokio::test]
async fn busy_may_have_its_effect() {
    for system_error_delivers in [false, true] {
        let kit = Kit::start().await;
        kit.wechat().set_switches(Switches { system_error_delivers, ..Switches::default() });
        for send in sends(&kit).await {
            kit.wechat().clear_ledger();
            for errcode in [-1, 45009] {
                let fault = Fault::Errcode { errcode, errmsg: None, process: false };
                kit.wechat().add_fault(FaultRule::once(send.endpoint, fault)).unwrap();
                assert_eq!(answer(send.request(&kit).send().await.unwrap()).await["errcode"], errcode);
            }
            assert_eq!(received(&kit, &send), usize::from(system_error_delivers), "{:?}", send.endpoint);
        }
    }
}

#[tokio::test]
async fn tokens_end_before_their_time() {
    for (how, wechat, wecom) in [(TokenEnd::Superseded, 40001, 40014), (TokenEnd::Expired, 42001, 42001)] {
        for place in [0, 1, 2, 3, 4] {
            let kit = Kit::start().await;
            let send = sends(&kit).await.remove(place);
            let fault = Fault::ExpireToken { family: None, how };
            kit.wechat().add_fault(FaultRule::once(send.endpoint, fault)).unwrap();
            let expected = if send.endpoint == Endpoint::WecomSend { wecom } else { wechat };
            assert_eq!(
                answer(send.request(&kit).send().await.unwrap()).await["errcode"],
                expected,
                "{:?}",
                send.endpoint
            );
        }
    }
}

#[tokio::test]
async fn one_list_of_everything_a_person_received() {
    let kit = Kit::start().await;
    for send in sends(&kit).await {
        assert_eq!(
            answer(send.request(&kit).send().await.unwrap()).await["errcode"],
            0,
            "{:?}",
            send.endpoint
        );
    }
    let channels = |received: Value| -> Vec<String> {
        received["received"].as_array().unwrap().iter().map(|one| text(one, "channel")).collect()
    };
    let all = ["wechat_subscribe", "wechat_template", "wechat_bizsend", "wechat_cloud"];
    assert_eq!(channels(kit.get("/__sim/ledger?recipient=o1").await), all);
    assert_eq!(channels(kit.get("/__sim/ledger?openid=o1&channel=wechat_cloud").await), ["wechat_cloud"]);
    assert_eq!(channels(kit.get("/__sim/ledger").await).len(), 6);
    let cloud = kit.wechat().received_through("o1", wechat_simulator::Channel::WechatCloud);
    assert_eq!(cloud.len(), 1);
    let page = kit.client.get(kit.url("/")).send().await.unwrap().text().await.unwrap();
    for shown in
        [&["<h2>o1 ", "<h2>wang ", DEMO_ROBOT, "wecom_app", "wecom_robot", &cloud[0].message_id][..], &all]
            .concat()
    {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("received by nobody"));
    let mut again = sends(&kit).await.remove(4);
    again.body["enable_duplicate_check"] = json!(1);
    for _ in 0..2 {
        again.request(&kit).send().await.unwrap();
    }
    let page = kit.client.get(kit.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("received by nobody") && page.contains("Duplicate"));
    assert_eq!(kit.get("/__sim/dropped").await["dropped"][0]["reason"], "duplicate");
}
