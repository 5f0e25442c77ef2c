//! Changing a customer.

use domain::customer::{LeadSource, ProfilePatch};
use serde_json::{Value, json};

use super::super::*;
use super::{one, violations};

fn changes(body: Value) -> ProfilePatch {
    UpdateCustomer::parse(body).unwrap().changes
}

#[test]
fn nothing_is_required() {
    let form = UpdateCustomer::parse(json!({})).unwrap();
    assert!(form.changes.is_empty());
    assert_eq!((form.contract_status, form.lead_level), (None, None));
}

#[test]
fn null_clears_and_blank_leaves() {
    for key in
        ["phone", "wechatId", "address", "salaryBudget", "serviceCategory", "expectedStartDate", "needSalary"]
    {
        let cleared = serde_json::to_value(changes(json!({key: null}))).unwrap();
        assert_eq!(cleared, json!({key: null}), "{key}");
        assert!(changes(json!({key: "  "})).is_empty(), "{key}");
    }
}

#[test]
fn values_set() {
    let form = UpdateCustomer::parse(json!({
        "name": " 李女士 ", "leadSource": "抖音", "phone": "+8613812348999", "contractStatus": "已签约",
        "leadLevel": "O类", "serviceType": "月嫂", "notes": "急", "homeArea": "120"
    }))
    .unwrap();
    assert_eq!(form.contract_status.map(domain::customer::ContractStatus::as_str), Some("已签约"));
    assert_eq!(form.lead_level.map(domain::customer::LeadLevel::as_str), Some("O类"));
    assert_eq!(form.changes.lead_source, Some(LeadSource::Douyin));
    assert_eq!(
        serde_json::to_value(form.changes).unwrap(),
        json!({"name": "李女士", "leadSource": "抖音", "phone": "13812348999", "serviceCategory": "月嫂",
               "remarks": "急", "homeArea": 120})
    );
}

#[test]
fn a_legacy_text_fills_nothing_because_the_structured_field_may_be_taken() {
    let patch = changes(json!({"needSalary": "8000左右"}));
    assert_eq!(serde_json::to_value(patch).unwrap(), json!({"needSalary": "8000左右"}));
}

#[test]
fn every_rule_refuses_with_its_path() {
    for (key, value, rule) in [
        ("name", json!(""), "required"),
        ("name", Value::Null, "required"),
        ("leadSource", Value::Null, "not_clearable"),
        ("leadSource", json!("火星"), "unknown_code"),
        ("contractStatus", Value::Null, "not_clearable"),
        ("contractStatus", json!("成交"), "unknown_code"),
        ("leadLevel", Value::Null, "not_clearable"),
        ("phone", json!("12345"), "phone"),
        ("salaryBudget", json!(50_001), "out_of_range"),
        ("assignedTo", json!("00000000-0000-0000-0000-000000000007"), "ownership"),
        ("assignedTo", Value::Null, "ownership"),
        ("assignedTo", json!(""), "ownership"),
        ("assignmentReason", json!("因为"), "ownership"),
        ("assignedBy", json!("x"), "ownership"),
        ("assignedAt", json!("2025-12-01"), "ownership"),
        ("customerId", json!("CUS00000000001"), "unknown_field"),
        ("_id", json!("x"), "unknown_field"),
    ] {
        assert_eq!(violations(UpdateCustomer::parse(json!({key: value}))), one(key, rule), "{key} = {value}");
    }
}
