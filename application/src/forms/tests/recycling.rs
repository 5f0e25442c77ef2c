//! The forms of recycle rules and of the rules of the pool.

use chrono::{DateTime, Utc};
use domain::customer::{ContractStatus, LeadLevel, LeadSource};
use domain::pool_rules::PoolRulesText;
use domain::recycle_rule::{RecycleKind, RecycleWish};
use domain::staff::Role;
use serde_json::{Value, json};

use crate::forms::{FieldError, PreviewRecycleRule, SetPoolRules, ToggleRecycleRule, WriteRecycleRule};

fn paths<T: std::fmt::Debug>(read: Result<T, Vec<FieldError>>) -> Vec<String> {
    let mut paths: Vec<_> = read.unwrap_err().into_iter().map(|error| error.path).collect();
    paths.sort();
    paths
}

fn least() -> Value {
    json!({ "name": "七天未跟进", "kind": "no_follow_up", "days": 7 })
}

#[test]
fn a_rule_needs_a_name_a_kind_and_its_days() {
    let form = WriteRecycleRule::parse(least()).unwrap();
    let expected = RecycleWish {
        name: "七天未跟进".into(),
        priority: 100,
        kind: RecycleKind::NoFollowUp { days: 7 },
        days_by_level: <_>::default(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: None,
        warn_before_hours: vec![72, 24],
    };
    assert_eq!(form, WriteRecycleRule { text: expected, enabled: None });
    assert_eq!(paths(WriteRecycleRule::parse(json!({}))), ["days", "kind", "name"]);
}

#[test]
fn everything_that_a_rule_may_say_is_read() {
    let body = json!({
        "name": "未签约", "priority": "5", "kind": "not_signed", "days": 30, "daysByLevel": { "O类": 14 },
        "leadSources": ["美团"], "statuses": ["待定"], "protectedHours": 24,
        "effectiveFrom": "2026-04-01T00:00:00Z", "warnBeforeHours": [48], "enabled": false,
    });
    let WriteRecycleRule { text, enabled } = WriteRecycleRule::parse(body).unwrap();
    assert_eq!((text.kind, text.priority, enabled), (RecycleKind::NotSigned { days: 30 }, 5, Some(false)));
    assert_eq!(text.days_by_level, [(LeadLevel::O, 14)].into());
    assert_eq!(
        (text.lead_sources, text.statuses),
        (vec![LeadSource::Meituan], vec![ContractStatus::Pending])
    );
    assert_eq!((text.protected_hours, text.warn_before_hours), (24, vec![48]));
    assert_eq!(text.effective_from, Some("2026-04-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap()));
}

#[test]
fn a_short_rule_warns_as_early_as_it_can() {
    let warned = |days: u32, hours: Value| {
        let body = json!({ "name": "x", "kind": "no_follow_up", "days": days, "warnBeforeHours": hours });
        WriteRecycleRule::parse(body).map(|form| form.text.warn_before_hours)
    };
    assert_eq!(warned(2, Value::Null).unwrap(), [24]);
    assert_eq!(warned(1, Value::Null).unwrap(), [12]);
    assert_eq!(warned(7, json!([])).unwrap(), Vec::<u32>::new());
    assert_eq!(paths(warned(2, json!([72]))), ["warnBeforeHours[0]"]);
}

#[test]
fn every_wrong_place_is_named() {
    let body = json!({
        "name": " ", "priority": 0, "kind": "whim", "days": 0, "daysByLevel": { "Z类": 3, "A类": 0 },
        "leadSources": ["月球"], "statuses": "待定", "protectedHours": -1, "effectiveFrom": "soon",
        "warnBeforeHours": [0], "enabled": "perhaps", "colour": "red",
    });
    let expected = [
        "colour",
        "days",
        "daysByLevel.A类",
        "daysByLevel.Z类",
        "effectiveFrom",
        "enabled",
        "kind",
        "leadSources[0]",
        "name",
        "priority",
        "protectedHours",
        "statuses",
        "warnBeforeHours[0]",
    ];
    assert_eq!(paths(WriteRecycleRule::parse(body)), expected);
    assert_eq!(paths(WriteRecycleRule::parse(json!([]))), [""]);
    assert_eq!(paths(ToggleRecycleRule::parse(json!({}))), ["enabled"]);
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_these_pages() {
    let body =
        json!({ "kind": "no_follow_up", "days": 0, "statuses": ["x"], "warnBeforeHours": [0], "colour": 1 });
    let said = |errors: Vec<FieldError>| {
        errors.into_iter().map(|error| (error.path, error.message_zh)).collect::<Vec<_>>()
    };
    let expected = |prefix: &str| {
        let words = [
            ("name", "规则名称不能为空"),
            ("days", "天数必须在1到3650之间"),
            ("warnBeforeHours[0]", "提前提醒小时数必须在1到720之间"),
        ];
        words.map(|(path, words)| (format!("{prefix}{path}"), words.to_owned()))
    };
    let errors = said(WriteRecycleRule::parse(body.clone()).unwrap_err());
    assert!(expected("").iter().all(|one| errors.contains(one)), "{errors:?}");
    assert!(errors.contains(&("colour".into(), "不支持的字段：colour".into())), "{errors:?}");
    let errors = said(PreviewRecycleRule::parse(json!({ "rule": body })).unwrap_err());
    assert!(expected("rule.").iter().all(|one| errors.contains(one)), "{errors:?}");
    let errors = said(SetPoolRules::parse(json!({ "holdingCap": 0 })).unwrap_err());
    assert_eq!(errors, [("holdingCap".into(), "客户持有上限必须在1到1000000之间".into())]);
}

#[test]
fn a_preview_is_of_a_rule_or_of_a_text() {
    let id = "00000000-0000-0000-0000-000000000001";
    let known = PreviewRecycleRule::parse(json!({ "ruleId": id })).unwrap();
    assert_eq!((known.rule.map(|rule| rule.to_string()), known.text), (Some(id.to_owned()), None));
    let new = PreviewRecycleRule::parse(json!({ "rule": least(), "until": "2026-05-01" })).unwrap();
    assert!(new.rule.is_none() && new.text.is_some() && new.until.is_some());
    assert_eq!((known.enabled, new.enabled), (None, None));
    let off = PreviewRecycleRule::parse(json!({ "ruleId": id, "enabled": false })).unwrap();
    assert_eq!(off.enabled, Some(false));
    assert_eq!(paths(PreviewRecycleRule::parse(json!({ "ruleId": id, "enabled": 1 }))), ["enabled"]);
    assert_eq!(paths(PreviewRecycleRule::parse(json!({}))), ["ruleId"]);
    let wrong = json!({ "name": "x", "kind": "not_signed", "days": 0 });
    for body in [json!({ "ruleId": id, "rule": wrong }), json!({ "rule": wrong })] {
        assert_eq!(paths(PreviewRecycleRule::parse(body)), ["rule.days"]);
    }
}

#[test]
fn what_the_pool_leaves_open_is_left_to_the_configuration() {
    let empty = SetPoolRules::parse(json!({ "claimsPerDay": null })).unwrap();
    assert_eq!(empty.text, PoolRulesText::default());
    let body = json!({
        "claimsPerDay": 0, "claimGapSeconds": 30, "coolOffHours": 24, "holdingCap": 80,
        "holdingCapByRole": { "dispatch": 5 }, "assignmentsHeldToCap": true,
    });
    let SetPoolRules { text } = SetPoolRules::parse(body).unwrap();
    assert_eq!(
        (text.claims_per_day, text.claim_gap_seconds, text.cool_off_hours),
        (Some(0), Some(30), Some(24))
    );
    assert_eq!(text.holding_cap_by_role, Some([(Role::Dispatch, 5)].into()));
    assert_eq!((text.holding_cap, text.assignments_held_to_cap), (Some(80), Some(true)));
    let wrong = json!({
        "claimsPerDay": -1, "holdingCap": 0, "holdingCapByRole": { "chef": 5 }, "capIgnoresSigned": "some",
    });
    let expected = ["capIgnoresSigned", "claimsPerDay", "holdingCap", "holdingCapByRole.chef"];
    assert_eq!(paths(SetPoolRules::parse(wrong)), expected);
}
