//! The control side over the wire: strict bodies, clock, switches, limits, reset, the page.

use crate::kit::{Kit, answer, message};
use serde_json::json;
use wechat_simulator::{DEMO_APPID, DEMO_TEMPLATE};

#[tokio::test]
async fn wrong_orders_are_refused_and_change_nothing() {
    let kit = Kit::start().await;
    let before = (kit.wechat().switches(), kit.wechat().limits(), kit.wechat().clock_offset_seconds());
    for (path, body, words) in [
        ("faults", r#"{"fault":{"kind":"hang"},"colour":1}"#, "unknown field `colour`"),
        ("faults", r#"{"fault":{"kind":"hang","colour":1}}"#, "unknown field `colour`"),
        ("faults", r#"{"fault":{"kind":"melt"}}"#, "unknown variant `melt`"),
        ("faults", r#"{"fault":{"kind":"hang"},"times":"often"}"#, "`times` is a number or"),
        ("faults", r#"{"fault":{"kind":"http_4xx","status":500}}"#, "between 400 and 499"),
        ("faults", r#"{"endpoint":"other","fault":{"kind":"hang"}}"#, "unknown variant `other`"),
        ("faults", "", "EOF"),
        ("credits", r#"{"openid":"o1","count":1,"colour":1}"#, "unknown field `colour`"),
        ("credits", r#"{"openid":"o1"}"#, "missing field `count`"),
        ("credits", r#"{"openid":"","count":1}"#, "openid is empty"),
        ("credits", r#"{"openid":"o1","count":-1}"#, "invalid value"),
        ("credits", r#"{"openid":"o1","count":1,"appid":"wx-other"}"#, "unknown appid"),
        ("credits", r#"{"openid":"o1","count":1,"template_id":"other"}"#, "unknown template_id `other`"),
        ("clock", r#"{"advance_seconds":-1}"#, "invalid value"),
        ("clock", r#"{"advance_seconds":18446744073709551615}"#, "at most"),
        ("clock", r#"{"advance_seconds":1,"colour":1}"#, "unknown field `colour`"),
        ("switches", r#"{"colour":1}"#, "unknown field `colour`"),
        ("switches", r#"{"msgid_present":"yes"}"#, "invalid type"),
        ("switches", r#"{"validation_order":["openid"]}"#, "each of openid, template, content, credit"),
        ("switches", "[]", "invalid type"),
        ("limits", r#"{"colour":1}"#, "unknown field `colour`"),
        ("wake", r#"{"colour":1}"#, "unknown field `colour`"),
        ("reset", r#"{"colour":1}"#, "unknown field `colour`"),
    ] {
        let (status, answer) = kit.control(&format!("/__sim/{path}"), body).await;
        assert_eq!(status, 400, "{path} {body}");
        assert!(crate::kit::text(&answer, "error").contains(words), "{path} {body}: {answer}");
    }
    let response = kit.client.get(kit.url("/__sim/ledger?colour=red")).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let response = kit.client.get(kit.url("/__sim/nothing")).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(kit.wechat().faults(), []);
    assert_eq!(kit.wechat().credits(), []);
    assert_eq!((kit.wechat().switches(), kit.wechat().limits(), kit.wechat().clock_offset_seconds()), before);
}

#[tokio::test]
async fn switches_and_limits_change_member_by_member() {
    let kit = Kit::start().await;
    kit.control("/__sim/switches", r#"{"msgid_present":false}"#).await;
    let (_, switches) = kit.control("/__sim/switches", r#"{"accept_any_openid":true}"#).await;
    assert_eq!((&switches["msgid_present"], &switches["accept_any_openid"]), (&json!(false), &json!(true)));
    assert_eq!(switches["validation_order"], json!(["openid", "template", "content", "credit"]));
    let (_, limits) = kit.control("/__sim/limits", r#"{"send_per_day":null,"send_per_minute":7}"#).await;
    assert_eq!((&limits["send_per_day"], &limits["send_per_minute"]), (&json!(null), &json!(7)));
    assert_eq!(kit.get("/__sim/limits").await, limits);
    assert_eq!(kit.get("/__sim/switches").await, switches);
}

#[tokio::test]
async fn credits_are_given_per_template_and_the_clock_moves() {
    let kit = Kit::start().await;
    let body = json!({ "appid": DEMO_APPID, "openid": "o1", "template_id": DEMO_TEMPLATE, "count": 2 });
    kit.post("/__sim/credits", &body).await;
    let credits = kit.post("/__sim/credits", &json!({ "openid": "o1", "count": 1 })).await;
    let expected = json!([
        { "appid": DEMO_APPID, "openid": "o1", "template_id": DEMO_TEMPLATE, "remaining": 3 }
    ]);
    assert_eq!(credits["credits"], expected);
    let clock = kit.post("/__sim/clock", &json!({ "advance_seconds": 90 })).await;
    assert_eq!(clock, json!({ "now": "2026-03-01T04:01:30Z", "offset_seconds": 90 }));
    assert_eq!(kit.get("/__sim/clock").await, clock);
}

#[tokio::test]
async fn a_reset_forgets_everything_but_the_settings_of_the_start() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 1).unwrap();
    let token = kit.token().await;
    assert_eq!(kit.errcode(&token, "o1").await, 0);
    kit.control("/__sim/switches", r#"{"accept_any_openid":true}"#).await;
    kit.control("/__sim/clock", r#"{"advance_seconds":5}"#).await;
    kit.control("/__sim/faults", r#"{"fault":{"kind":"reset_before"}}"#).await;
    kit.control("/__sim/reset", "").await;
    assert_eq!(kit.wechat().ledger(), []);
    assert_eq!(kit.wechat().credits(), []);
    assert_eq!(kit.wechat().faults(), []);
    assert_eq!(kit.wechat().clock_offset_seconds(), 0);
    assert!(!kit.wechat().switches().accept_any_openid);
    assert_eq!(kit.wechat().calls().endpoints.len(), 0);
    assert_eq!(kit.errcode(&token, "o1").await, 40001, "its tokens are gone as well");
}

#[tokio::test]
async fn ledger_and_counters_can_be_cleared_alone() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 2).unwrap();
    let token = kit.token().await;
    assert_eq!(kit.errcode(&token, "o1").await, 0);
    for path in ["/__sim/ledger", "/__sim/calls"] {
        kit.client.delete(kit.url(path)).send().await.unwrap();
    }
    assert_eq!(kit.get("/__sim/ledger").await["received"], json!([]));
    assert_eq!(kit.get("/__sim/calls").await, json!({ "endpoints": {} }));
    assert_eq!(kit.errcode(&token, "o1").await, 0);
    assert_eq!(kit.wechat().ledger()[0].seq, 2, "the sequence goes on");
}

#[tokio::test]
async fn the_page_shows_what_was_received_without_trusting_it() {
    let kit = Kit::start().await;
    let person = "<script>alert(1)</script>";
    kit.wechat().grant_credits(person, 1).unwrap();
    let token = kit.token().await;
    let mut body = message(person);
    body["data"]["thing1"]["value"] = json!("<b>\"&");
    assert_eq!(answer(kit.send_body(&token, &body).await.unwrap()).await["errcode"], 0);
    let page = kit.client.get(kit.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&lt;b&gt;&quot;&amp;"));
    assert!(!page.contains("<script>") && !page.contains("<b>"));
}
