//! What the legacy need texts say.

use domain::customer::Profile;
use serde_json::{Value, json};

use super::super::fill_from_legacy;
use super::chars;

fn filled(given: &Value) -> Value {
    let mut body = json!({"name": "王女士", "leadSource": null});
    body.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
    let mut profile: Profile = serde_json::from_value(body).unwrap();
    fill_from_legacy(&mut profile);
    serde_json::to_value(profile).unwrap()
}

#[test]
fn a_clear_text_fills_its_empty_field_and_stays() {
    let midnight = json!("2025-12-01T00:00:00Z");
    for (legacy, text, field, expected) in [
        ("needOrderType", json!(" 月嫂 "), "serviceCategory", json!("月嫂")),
        ("needOrderType", json!("月嫂和保洁"), "serviceCategory", Value::Null),
        ("needSalary", json!("8000-9000元"), "salaryBudget", json!(8000)),
        ("needSalary", json!("1000"), "salaryBudget", json!(1000)),
        ("needSalary", json!("50000"), "salaryBudget", json!(50_000)),
        ("needSalary", json!("999"), "salaryBudget", Value::Null),
        ("needSalary", json!("50001"), "salaryBudget", Value::Null),
        ("needSalary", json!("面议"), "salaryBudget", Value::Null),
        ("needSalary", json!("99999999999999999999999"), "salaryBudget", Value::Null),
        ("needRestTime", json!("单休"), "restSchedule", json!("单休")),
        ("needRestTime", json!("周日休"), "restSchedule", Value::Null),
        ("needOnboardingTime", json!("2025-12-01"), "expectedStartDate", midnight.clone()),
        ("needOnboardingTime", json!("2025/12/1"), "expectedStartDate", midnight.clone()),
        ("needOnboardingTime", json!("2025年12月1日"), "expectedStartDate", midnight),
        ("needOnboardingTime", json!("25/12/1"), "expectedStartDate", Value::Null),
        ("needOnboardingTime", json!("随时"), "expectedStartDate", Value::Null),
        ("needHouseArea", json!("约120平"), "homeArea", json!(120)),
        ("needHouseArea", json!("9"), "homeArea", Value::Null),
        ("needHouseArea", json!("1001"), "homeArea", Value::Null),
        ("needFamilyMembers", json!("4口人"), "familySize", json!(4)),
        ("needFamilyMembers", json!("两大一小"), "familySize", json!(2)),
        ("needFamilyMembers", json!("100年老宅，三口"), "familySize", json!(3)),
        ("needFamilyMembers", json!("好多人"), "familySize", Value::Null),
        ("needServiceAddress", json!(" 杭州西湖 "), "address", json!("杭州西湖")),
        ("needServiceAddress", json!("杭州\n西湖"), "address", Value::Null),
        ("needServiceAddress", chars(201), "address", Value::Null),
    ] {
        let profile = filled(&json!({legacy: text}));
        assert_eq!(profile[field], expected, "{legacy} = {text}");
        assert_eq!(profile[legacy], text, "{legacy} = {text}");
    }
}

#[test]
fn a_field_that_has_a_value_keeps_it() {
    let given =
        json!({"salaryBudget": 7000, "needSalary": "8000", "address": "杭州", "needServiceAddress": "上海"});
    let profile = filled(&given);
    assert_eq!((&profile["salaryBudget"], &profile["address"]), (&json!(7000), &json!("杭州")));
}
