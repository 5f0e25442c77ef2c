//! Cloud functions over the wire: the outer answer, the function's own, its keys.

use serde_json::{Value, json};
use wechat_simulator::{
    CLOUD_FUNCTION, Channel, ClientSaw, DEMO_CLOUD_ENV, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_SECRET,
    DropReason, Endpoint, Fault, FaultRule, Limits, Switches,
};

use crate::kit::{Kit, answer, text};

/// A kit where the staff member s1 is `o1` with credits, and the path to the function.
async fn cloud() -> (Kit, String) {
    let kit = Kit::start().await;
    kit.post("/__sim/cloud/users", &json!({ "staff_id": "s1", "openid": "o1" })).await;
    kit.wechat().grant_credits("o1", 3).unwrap();
    let token = kit.token().await;
    let path = path(&token, DEMO_CLOUD_ENV, CLOUD_FUNCTION);
    (kit, path)
}

fn path(token: &str, env: &str, name: &str) -> String {
    format!("/tcb/invokecloudfunction?access_token={token}&env={env}&name={name}")
}

fn notice(key: &str, staff: &str) -> Value {
    json!({
        "type": "sendCustomerAssignNotify",
        "idempotencyKey": key,
        "notificationData": {
            "assignedToId": staff, "customerName": "张三", "source": "手动分配", "assignerName": "王经理",
            "customerId": "c1", "assignTime": "2026-03-01T04:00:00.000Z"
        }
    })
}

/// The function's own answer.
fn inner(outer: &Value) -> Value {
    assert_eq!((&outer["errcode"], &outer["errmsg"]), (&json!(0), &json!("ok")), "{outer}");
    serde_json::from_str(outer["resp_data"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn an_assignment_is_sent_on_to_the_person() {
    let (kit, path) = cloud().await;
    let told = inner(&kit.post(&path, &notice("k1", "s1")).await);
    assert_eq!((&told["success"], &told["message"]), (&json!(true), &json!("通知发送成功")));
    let received = kit.wechat().received_by("o1");
    let [received] = received.as_slice() else { panic!("one message: {received:?}") };
    assert_eq!((received.channel, received.client_saw), (Channel::WechatCloud, ClientSaw::Accepted));
    assert_eq!(
        (received.data["thing1"].as_str(), received.data["time4"].as_str()),
        ("张三", "2026年3月1日 12:00")
    );
    assert_eq!(received.page.as_deref(), Some("pages/customer/detail?id=c1"));
    assert_eq!(told["data"]["msgid"], received.msgid.to_string());
    assert_eq!(kit.wechat().credits()[0].remaining, 2);
    let mut batch = notice("k2", "s1");
    batch["notificationData"] =
        json!({ "assignedToId": "s1", "customerName": "12个客户", "customerId": "c1", "source": "批量分配" });
    batch["notificationData"]["assignTime"] = json!("2026-03-01T04:00:00.000Z");
    assert_eq!(inner(&kit.post(&path, &batch).await)["success"], true);
    assert_eq!(kit.wechat().received_by("o1")[1].data["thing1"], "12个客户");
}

#[tokio::test]
async fn a_key_is_answered_as_before_and_sends_nothing_again() {
    let (kit, path) = cloud().await;
    let first = kit.post(&path, &notice("k1", "s1")).await;
    kit.wechat().advance(24 * 3600).unwrap();
    let path = path_of(&kit).await;
    let again = kit.post(&path, &notice("k1", "s1")).await;
    assert_eq!(again["resp_data"], first["resp_data"], "the stored answer, to the letter");
    assert_eq!(kit.wechat().received_by("o1").len(), 1);
    assert_eq!(kit.wechat().dropped()[0].reason, DropReason::Duplicate);
    kit.post(&path, &notice("k2", "s1")).await;
    assert_eq!(kit.wechat().received_by("o1").len(), 2);
    let mut without = notice("", "s1");
    without.as_object_mut().unwrap().remove("idempotencyKey");
    assert_eq!(inner(&kit.post(&path, &without).await)["success"], true);
    let refused = inner(&kit.post(&path, &without).await);
    assert_eq!(
        (&refused["success"], &refused["error"]["code"]),
        (&json!(false), &json!(43101)),
        "no credit left"
    );
}

async fn path_of(kit: &Kit) -> String {
    path(&kit.token().await, DEMO_CLOUD_ENV, CLOUD_FUNCTION)
}

#[tokio::test]
async fn failures_of_the_function_stand_inside_and_can_be_tried_again() {
    let (kit, path) = cloud().await;
    let mut long = notice("k1", "s1");
    long["notificationData"]["assignTime"] = json!("soon");
    for (event, code) in [
        (notice("k1", "s2"), json!("USER_NOT_FOUND")),
        (notice("k1", ""), json!("INVALID_PARAMS")),
        (json!({ "type": "other" }), json!("UNKNOWN_TYPE")),
        (json!({}), json!("UNKNOWN_TYPE")),
        (long.clone(), json!(47003)),
    ] {
        let told = inner(&kit.post(&path, &event).await);
        assert_eq!((&told["success"], &told["error"]["code"]), (&json!(false), &code), "{event}");
    }
    assert_eq!(kit.wechat().credits()[0].remaining, 3, "a no uses nothing up");
    kit.wechat().set_switches(Switches { failed_send_consumes_credit: true, ..Switches::default() });
    assert_eq!(inner(&kit.post(&path, &long).await)["error"]["code"], 47003);
    assert_eq!(kit.wechat().credits()[0].remaining, 2, "unless the switch says so");
    kit.wechat().cloud_user("s2", "o2");
    let told = inner(&kit.post(&path, &notice("k1", "s2")).await);
    assert_eq!(told["error"]["code"], 43101);
    assert!(
        text(&told, "message")
            .starts_with("openapi.subscribeMessage.send:fail user refuse to accept the msg rid: ")
    );
    kit.wechat().grant_credits("o2", 1).unwrap();
    assert_eq!(inner(&kit.post(&path, &notice("k1", "s2")).await)["success"], true, "a no was not kept");
    assert_eq!(kit.wechat().ledger().len(), 1);
}

#[tokio::test]
async fn wrong_calls_are_told_what_is_wrong() {
    let (kit, good) = cloud().await;
    let token = kit.token().await;
    let official = json!({
        "grant_type": "client_credential", "appid": DEMO_OFFICIAL_APPID, "secret": DEMO_OFFICIAL_SECRET
    });
    let official = text(&kit.post("/cgi-bin/stable_token", &official).await, "access_token");
    let event = notice("k1", "s1");
    for (path, errcode) in [
        ("/tcb/invokecloudfunction".to_owned(), 41001),
        (path("garbage", DEMO_CLOUD_ENV, CLOUD_FUNCTION), 40014),
        (path(&official, DEMO_CLOUD_ENV, CLOUD_FUNCTION), 85088),
        (path(&token, "", CLOUD_FUNCTION), 40101),
        (path(&token, DEMO_CLOUD_ENV, ""), 40101),
        (path(&token, "other", CLOUD_FUNCTION), -501_000),
        (path(&token, DEMO_CLOUD_ENV, "other"), -501_000),
    ] {
        assert_eq!(kit.post(&path, &event).await["errcode"], errcode, "{path}");
    }
    assert_eq!(kit.get(&good).await["errcode"], 43002);
    assert_eq!(answer(kit.client.post(kit.url(&good)).send().await.unwrap()).await["errcode"], 44002);
    assert_eq!(
        answer(kit.client.post(kit.url(&good)).body("[]").send().await.unwrap()).await["errcode"],
        -501_007
    );
    kit.wechat().set_limits(Limits { cloud_per_minute: Some(1), ..Limits::default() });
    kit.wechat().advance(60).unwrap();
    let minute: Vec<_> = [kit.post(&good, &event).await, kit.post(&good, &event).await]
        .map(|answer| answer["errcode"].clone())
        .into();
    assert_eq!(minute, [0, 45011]);
}

#[tokio::test]
async fn faults_with_and_without_the_message_and_the_key_that_mends_them() {
    for (errcode, process) in [(-504_002, true), (-604_102, false), (-501_005, false), (-1, true)] {
        let (kit, path) = cloud().await;
        let fault = Fault::Errcode { errcode, errmsg: None, process };
        kit.wechat().add_fault(FaultRule::once(Endpoint::CloudFunction, fault).to("s1")).unwrap();
        assert_eq!(kit.post(&path, &notice("k1", "s1")).await["errcode"], errcode);
        assert_eq!(kit.wechat().ledger().len(), usize::from(process));
        assert_eq!(inner(&kit.post(&path, &notice("k1", "s1")).await)["success"], true);
        assert_eq!(kit.wechat().ledger().len(), 1, "once in all");
    }
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_given_up_and_goes_on() {
    let (kit, path) = cloud().await;
    kit.wechat().set_limits(Limits { cloud_timeout_ms: 5, ..Limits::default() });
    let slow =
        |ms| kit.wechat().add_fault(FaultRule::once(Endpoint::CloudFunction, Fault::Slow { ms })).unwrap();
    slow(6);
    let given_up = kit.post(&path, &notice("k1", "s1")).await;
    assert_eq!(given_up["errcode"], -604_102);
    kit.wechat().until_received(1).await;
    assert_eq!(kit.wechat().received_by("o1")[0].client_saw, ClientSaw::Errcode);
    slow(1);
    assert_eq!(inner(&kit.post(&path, &notice("k2", "s1")).await)["success"], true);
}
