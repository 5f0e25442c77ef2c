//! Which rule is tried, and on how many days.

use domain::TransferRuleId;
use serde_json::{Value, json};

use super::super::*;
use super::{one, uuid, violations, with, without};
use crate::transfers::Tried;

fn written() -> Value {
    json!({
        "ruleName": "闲置线索", "triggerConditions": { "contractStatuses": ["待定"] },
        "sourceUserIds": [uuid(1)], "targetUserIds": [uuid(2)], "enabled": false, "days": 7,
    })
}

#[test]
fn a_rule_is_tried_by_its_id_or_as_it_would_be_written() {
    let kept = TryTransferRule::parse(json!({ "ruleId": uuid(5), "days": "31" })).unwrap();
    assert_eq!(kept, TryTransferRule { tried: Tried::Kept(TransferRuleId(uuid(5))), days: 31 });
    let wanted = CreateTransferRule::parse(without(written(), "days")).unwrap().wanted;
    for body in [written(), with(written(), "ruleId", Value::Null)] {
        let tried = Tried::Written(Box::new(wanted.clone()));
        assert_eq!(TryTransferRule::parse(body).unwrap(), TryTransferRule { tried, days: 7 });
    }
}

#[test]
fn every_place_that_is_wrong_is_named() {
    let conditions = json!({ "contractStatuses": ["待定"], "inactiveHours": 0 });
    for (body, path, rule) in [
        (json!([]), "", "not_an_object"),
        (without(written(), "days"), "days", "required"),
        (with(written(), "days", json!(0)), "days", "out_of_range"),
        (with(written(), "days", json!(32)), "days", "out_of_range"),
        (with(written(), "days", json!(1.5)), "days", "not_whole"),
        (without(written(), "ruleName"), "ruleName", "required"),
        (with(written(), "triggerConditions", conditions), "triggerConditions.inactiveHours", "out_of_range"),
        (with(written(), "colour", json!("red")), "colour", "unknown_field"),
        (json!({ "ruleId": "x", "days": 7 }), "ruleId", "id"),
        (json!({ "ruleId": uuid(5), "days": 7, "ruleName": "甲" }), "ruleName", "unknown_field"),
        (json!({ "days": 7 }), "ruleName", "required"),
    ] {
        assert_eq!(violations(TryTransferRule::parse(body.clone())), one(path, rule), "{body}");
    }
    let both = violations(TryTransferRule::parse(json!({ "ruleId": "x", "days": 0 })));
    assert_eq!(both.len(), 2, "{both:?}");
}
