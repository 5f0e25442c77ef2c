//! The form of an order for a notice.

use domain::notice_order::{ORDER_RECIPIENTS_MAX, OrderedWords};
use domain::notification::Priority;
use serde_json::{Value, json};

use crate::forms::OrderNotice;

const PERSON: &str = "01937f00-0000-7000-8000-000000000001";

fn own_words() -> Value {
    json!({ "type": "CONTRACT_EXPIRING_SOON", "recipients": [PERSON], "title": "合同即将到期", "content": "还有30天" })
}

fn text() -> Value {
    let variables = json!({ "customerName": "王女士", "contractNumber": "HT20260115001", "contractId": "7" });
    json!({ "type": "CONTRACT_SIGNED", "recipients": [PERSON], "variables": variables })
}

fn with(mut body: Value, path: &str, value: Value) -> Value {
    *body.pointer_mut(path).unwrap_or_else(|| panic!("{path}")) = value;
    body
}

fn and(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[test]
fn own_words_are_kept_and_their_phones_masked() {
    let mut body = own_words();
    body["content"] = json!("客户电话 13812348999");
    body["data"] =
        json!({ "days": 30, "phone": 13_812_348_999_u64, "note": "13812348999", "gone": null, "open": true });
    body["data"]["13812348999"] = json!(7);
    body["actionUrl"] = json!("/contracts/13812348999");
    body["actionText"] = json!("打13812348999");
    body["priority"] = json!("HIGH");
    let form = OrderNotice::parse(body).unwrap();
    let masked = "138****8999";
    let expected = json!({ "days": 30, "phone": masked, "note": masked, "open": true, masked: 7 });
    assert_eq!(Value::Object(form.data), expected);
    let words = OrderedWords::Own {
        title: "合同即将到期".to_owned(),
        content: "客户电话 138****8999".to_owned(),
        priority: Priority::High,
        action_url: Some("/contracts/138****8999".to_owned()),
        action_text: Some("打138****8999".to_owned()),
    };
    assert_eq!((form.scene, form.words), ("CONTRACT_EXPIRING_SOON", words));
}

#[test]
fn a_type_with_a_text_is_filled_or_told_in_own_words() {
    let form = OrderNotice::parse(text()).unwrap();
    let OrderedWords::Text { variables } = form.words else { panic!("{:?}", form.words) };
    assert_eq!(Value::Object(variables), text()["variables"]);
    let mut own = own_words();
    own["type"] = json!("CONTRACT_SIGNED");
    assert!(matches!(OrderNotice::parse(own).unwrap().words, OrderedWords::Own { .. }));
}

#[test]
fn every_violation_is_named() {
    let many: Vec<String> =
        (0..=ORDER_RECIPIENTS_MAX).map(|n| format!("01937f00-0000-7000-8000-{n:012}")).collect();
    let deep = json!({ "a": [1], "b": { "c": 1 }, "d": "x".repeat(201) });
    let long: serde_json::Map<String, Value> =
        (10..31).map(|n| (n.to_string(), json!("x".repeat(190)))).collect();
    let crowd: serde_json::Map<String, Value> = (0..31).map(|n| (n.to_string(), json!(n))).collect();
    let rows: Vec<(Value, &[(&str, &str)])> = vec![
        (json!([]), &[("", "not_an_object")]),
        (json!({}), &[("type", "required"), ("recipients", "required")]),
        (with(text(), "/type", json!("LUNCH")), &[("type", "unknown_code")]),
        // This service alone tells of leads and accounts.
        (with(text(), "/type", json!("CUSTOMER_ASSIGNED")), &[("type", "unknown_code")]),
        (with(text(), "/type", json!("ACCOUNT_SECURITY")), &[("type", "unknown_code")]),
        (with(text(), "/type", json!("NOTICE_DIGEST")), &[("type", "unknown_code")]),
        (with(text(), "/recipients", json!([])), &[("recipients", "required")]),
        (with(text(), "/recipients", json!(PERSON)), &[("recipients", "not_a_list")]),
        (with(text(), "/recipients", json!(["7", PERSON])), &[("recipients[0]", "id")]),
        (with(text(), "/recipients", json!(many)), &[("recipients", "too_many")]),
        (with(text(), "/variables/contractId", json!(" ")), &[("variables.contractId", "required")]),
        (
            with(text(), "/variables", json!({ "customerName": 7, "x": "y" })),
            &[
                ("variables.customerName", "not_text"),
                ("variables.contractNumber", "required"),
                ("variables.contractId", "required"),
                ("variables.x", "unknown_field"),
            ],
        ),
        (and(text(), "title", json!("好")), &[("content", "required"), ("variables", "unknown_field")]),
        (with(own_words(), "/title", json!("x".repeat(65))), &[("title", "too_long")]),
        (with(own_words(), "/title", json!("a\nb")), &[("title", "control_character")]),
        (with(own_words(), "/content", json!("x".repeat(1001))), &[("content", "too_long")]),
        (with(own_words(), "/content", Value::Null), &[("content", "required")]),
        (and(own_words(), "priority", json!("URGENT")), &[("priority", "unknown_code")]),
        (and(own_words(), "actionText", json!("x".repeat(17))), &[("actionText", "too_long")]),
        (and(own_words(), "actionUrl", json!("https://example.com")), &[("actionUrl", "console_path")]),
        (and(own_words(), "actionUrl", json!("//example.com")), &[("actionUrl", "console_path")]),
        (and(own_words(), "data", json!([1])), &[("data", "not_a_map")]),
        (and(own_words(), "data", json!(crowd)), &[("data", "too_many")]),
        (and(own_words(), "data", json!(long)), &[("data", "too_long")]),
        (
            and(own_words(), "data", deep),
            &[("data.a", "not_a_scalar"), ("data.b", "not_a_scalar"), ("data.d", "too_long")],
        ),
        (
            and(own_words(), "data", json!({ "a": "x\u{0}", "b\u{7}": 1, "c": "x\ny" })),
            &[("data.a", "control_character"), ("data.b\u{7}", "control_character")],
        ),
        (and(own_words(), "channel", json!("wecom_app")), &[("channel", "unknown_field")]),
    ];
    for (body, expected) in rows {
        let errors = OrderNotice::parse(body.clone()).unwrap_err();
        let found: Vec<_> = errors.iter().map(|error| (error.path.as_str(), error.rule.code())).collect();
        assert_eq!(found, expected, "{body}");
    }
}

#[test]
fn a_violation_speaks_of_notices() {
    let errors =
        OrderNotice::parse(json!({ "type": "CONTRACT_CREATED", "recipients": [PERSON], "title": "好" }))
            .unwrap_err();
    assert_eq!(errors[0].message_zh, "通知内容不能为空");
    assert_eq!(errors[0].message_en, "content must not be empty");
}
