//! Transfer rules as system A's page sends them, and every place that can be wrong.

use domain::StaffId;
use domain::customer::{ContractStatus, LeadSource};
use domain::transfer_rule::{COMPENSATION_PRIORITY, Strategy};
use serde_json::{Value, json};

use super::super::*;
use super::{chars, one, uuid, violations, with, without};

/// What system A's page sends.
fn whole() -> Value {
    json!({
        "ruleName": "闲置线索", "description": "每小时", "enabled": true, "targetModule": "customer",
        "triggerConditions": {
            "inactiveHours": 48, "transferCooldownHours": "24", "maxTransferCount": 0,
            "contractStatuses": ["待定", "匹配中"], "leadSources": ["抖音"],
            "createdDateRange": { "startDate": "2026-01-01", "endDate": "2026-01-30T16:00:00.000Z" },
        },
        "executionWindow": { "enabled": true, "startTime": "22:00", "endTime": "06:00" },
        "sourceUserIds": [uuid(1), uuid(2)], "targetUserIds": [uuid(2), uuid(3), uuid(2)],
        "distributionConfig": {
            "strategy": "balanced-random", "enableCompensation": false, "compensationPriority": 7,
        },
    })
}

/// `body` with a member of a member.
fn inside(mut body: Value, member: &str, key: &str, value: Value) -> Value {
    body[member][key] = value;
    body
}

#[test]
fn a_rule_is_read_as_the_page_sends_it() {
    let text = CreateTransferRule::parse(whole()).unwrap().wanted.written();
    assert_eq!((text.name.as_str(), text.description.as_deref()), ("闲置线索", Some("每小时")));
    assert_eq!(text.conditions.contract_statuses, [ContractStatus::Pending, ContractStatus::Matching]);
    assert_eq!(text.conditions.lead_sources, [LeadSource::Douyin]);
    assert_eq!(text.conditions.cooldown_hours, 24);
    let range = text.conditions.created.unwrap();
    let days = [range.from, range.to].map(|day| day.unwrap().to_string());
    assert_eq!(days, ["2026-01-01", "2026-01-31"], "an instant is its day in the rule's zone");
    assert_eq!(
        (text.window.start.to_string(), text.window.end.to_string()),
        ("22:00".into(), "06:00".into())
    );
    assert_eq!(text.sources, [1, 2].map(|n| StaffId(uuid(n))));
    assert_eq!(text.targets, [2, 3].map(|n| StaffId(uuid(n))), "in both lists is in both");
    assert_eq!((text.distribution.enable_compensation, text.distribution.compensation_priority), (false, 7));
}

#[test]
fn what_is_missing_is_as_system_a_has_it() {
    let least = json!({"ruleName": "甲", "triggerConditions": {"contractStatuses": ["待定"]}});
    let wanted = CreateTransferRule::parse(least).unwrap().wanted;
    assert_eq!(wanted.enabled, None);
    let text = wanted.written();
    let conditions = &text.conditions;
    let numbers = (conditions.inactive_hours, conditions.cooldown_hours, conditions.transfer_count_max);
    assert_eq!(numbers, (48, 24, 0));
    assert_eq!(
        (text.window.start.to_string(), text.window.end.to_string()),
        ("09:30".into(), "18:30".into())
    );
    assert_eq!((text.window.enabled, text.window.zone.to_string()), (true, "Asia/Shanghai".into()));
    let distribution = text.distribution;
    assert_eq!((distribution.strategy, distribution.enable_compensation), (Strategy::BalancedRandom, true));
}

#[test]
fn what_a_change_does_not_name_stays() {
    let before = CreateTransferRule::parse(whole()).unwrap().wanted.written();
    let after = |body: Value| ReviseTransferRule::parse(body).unwrap().wanted.onto(before.clone());
    assert_eq!(after(json!({})), before);
    let lists = after(json!({"sourceUserIds": [uuid(9)], "targetUserIds": []}));
    assert_eq!((lists.sources, lists.targets), (vec![StaffId(uuid(9))], vec![]));
    assert_eq!(lists.conditions, before.conditions);
    let nulls = json!({
        "sourceUserIds": null, "targetUserIds": null, "ruleName": null, "enabled": null, "executionWindow": null,
        "triggerConditions": {"contractStatuses": null, "inactiveHours": null}, "distributionConfig": null,
    });
    assert_eq!(after(nulls), before, "a null takes nothing away");
    let idle = after(
        json!({"triggerConditions": {"inactiveHours": 72, "createdDateRange": null, "leadSources": null}}),
    );
    assert_eq!((idle.conditions.inactive_hours, idle.conditions.created), (72, None));
    assert!(idle.conditions.lead_sources.is_empty());
    assert_eq!(idle.conditions.contract_statuses, before.conditions.contract_statuses);
    assert_eq!(after(json!({"description": ""})).description, None);
    let zone = after(json!({"executionWindow": {"zone": "Asia/Tokyo"}}));
    assert_eq!((zone.window.zone.to_string(), zone.window.start), ("Asia/Tokyo".into(), before.window.start));
}

#[test]
fn every_place_that_is_wrong_is_named() {
    let most = *COMPENSATION_PRIORITY.end();
    for (body, path, rule) in [
        (json!([]), "", "not_an_object"),
        (without(whole(), "ruleName"), "ruleName", "required"),
        (with(whole(), "ruleName", chars(101)), "ruleName", "too_long"),
        (with(whole(), "description", chars(501)), "description", "too_long"),
        (with(whole(), "targetModule", json!("caregiver")), "targetModule", "unknown_code"),
        (with(whole(), "userQuotas", json!([])), "userQuotas", "unknown_field"),
        (with(whole(), "sourceUserIds", json!(["x"])), "sourceUserIds[0]", "id"),
        (with(whole(), "targetUserIds", json!("x")), "targetUserIds", "not_a_list"),
        (with(whole(), "triggerConditions", json!(7)), "triggerConditions", "not_a_map"),
        (without(whole(), "triggerConditions"), "triggerConditions.contractStatuses", "required"),
    ] {
        assert_eq!(violations(CreateTransferRule::parse(body.clone())), one(path, rule), "{body}");
    }
    for (member, key, value, rule) in [
        ("triggerConditions", "inactiveHours", json!(0), "out_of_range"),
        ("triggerConditions", "inactiveHours", json!(721), "out_of_range"),
        ("triggerConditions", "transferCooldownHours", json!(-1), "out_of_range"),
        ("triggerConditions", "maxTransferCount", json!(100), "out_of_range"),
        ("triggerConditions", "maxTransferCount", json!(1.5), "not_whole"),
        ("triggerConditions", "contractStatuses", json!([]), "required"),
        ("triggerConditions", "leadSources", json!("抖音"), "not_a_list"),
        ("triggerConditions", "idle", json!(1), "unknown_field"),
        ("executionWindow", "startTime", json!("24:00"), "time_of_day"),
        ("executionWindow", "endTime", json!(930), "not_text"),
        ("executionWindow", "zone", json!("Mars/Olympus"), "zone"),
        ("distributionConfig", "strategy", json!("first-come"), "unknown_code"),
        ("distributionConfig", "compensationPriority", json!(most + 1), "out_of_range"),
    ] {
        let errors = violations(CreateTransferRule::parse(inside(whole(), member, key, value)));
        assert_eq!(errors, one(&format!("{member}.{key}"), rule));
    }
    let range = json!({ "startDate": "2026-02-01", "endDate": "2026-01-01" });
    let backwards = inside(whole(), "triggerConditions", "createdDateRange", range);
    let path = "triggerConditions.createdDateRange";
    assert_eq!(violations(CreateTransferRule::parse(backwards)), one(path, "ends_before_it_begins"));
    let errors =
        violations(ReviseTransferRule::parse(inside(whole(), "executionWindow", "zone", json!("x"))));
    assert_eq!(errors, one("executionWindow.zone", "zone"));
}

#[test]
fn a_run_by_hand_says_which_rule_how_many_and_which_plan() {
    for nothing in [json!({}), Value::Null] {
        assert_eq!(ExecuteTransfers::parse(nothing).unwrap(), ExecuteTransfers::default());
    }
    let hash = "0a".repeat(32);
    let body = json!({"ruleId": uuid(7), "batchSize": 100, "planHash": hash});
    let form = ExecuteTransfers::parse(body).unwrap();
    assert_eq!((form.rule.unwrap().0, form.batch, form.plan_hash), (uuid(7), Some(100), Some(hash)));
    for all in [0, -1] {
        assert_eq!(ExecuteTransfers::parse(json!({ "batchSize": all })).unwrap().batch, None);
    }
    for (body, path, rule) in [
        (json!({"ruleId": "x"}), "ruleId", "id"),
        (json!({"batchSize": 10_001}), "batchSize", "out_of_range"),
        (json!({"planHash": "0a"}), "planHash", "too_short"),
        (json!({"rule": uuid(7)}), "rule", "unknown_field"),
    ] {
        assert_eq!(violations(ExecuteTransfers::parse(body)), one(path, rule));
    }
    assert!(ToggleTransferRule::parse(json!({"enabled": true})).unwrap().enabled);
    assert_eq!(violations(ToggleTransferRule::parse(json!({}))), one("enabled", "required"));
}
