//! Creating a customer.

use domain::StaffId;
use domain::customer::{ContractStatus, LeadLevel, LeadSource};
use serde_json::{Value, json};

use super::super::*;
use super::{chars, least, one, uuid, violations, with, without};

/// What a field of the body becomes in the profile.
fn profile_member(key: &str, value: &Value, member: &str) -> Value {
    let form = CreateCustomer::parse(with(least(), key, value.clone()))
        .unwrap_or_else(|e| panic!("{key} = {value}: {e:?}"));
    serde_json::to_value(form.profile).unwrap()[member].clone()
}

#[test]
fn the_least_body_is_read() {
    let form = CreateCustomer::parse(least()).unwrap();
    assert_eq!(form.profile.name, "王女士");
    assert_eq!(form.profile.phone.unwrap().as_str(), "13812348999");
    assert_eq!(form.profile.lead_source, Some(LeadSource::Meituan));
    assert_eq!(form.contract_status, ContractStatus::Pending);
    assert_eq!(form.lead_level, LeadLevel::A);
    assert_eq!((form.assigned_to, form.assignment_reason), (None, None));
}

#[test]
fn an_owner_and_a_reason_are_read() {
    let body = with(least(), "assignedTo", json!(uuid(7).to_string()));
    let form = CreateCustomer::parse(with(body, "assignmentReason", json!(" 老客户\n介绍 "))).unwrap();
    assert_eq!(form.assigned_to, Some(StaffId(uuid(7))));
    assert_eq!(form.assignment_reason.as_deref(), Some("老客户\n介绍"));
}

#[test]
fn values_are_normalised() {
    let midnight = json!("2025-12-01T00:00:00Z");
    for (key, value, member, expected) in [
        ("name", json!("  王女士 "), "name", json!("王女士")),
        ("phone", json!(" +86 138-1234-8999 "), "phone", json!("13812348999")),
        ("phone", json!("010-62345678"), "phone", json!("01062345678")),
        ("wechatId", json!(" wang_88 "), "wechatId", json!("wang_88")),
        ("wechatId", json!("   "), "wechatId", Value::Null),
        ("leadSource", json!(" 抖音 "), "leadSource", json!("抖音")),
        ("leadSource", json!("火星"), "leadSource", json!("其他")),
        ("serviceCategory", json!("月嫂"), "serviceCategory", json!("月嫂")),
        ("serviceType", json!("保洁"), "serviceCategory", json!("保洁")),
        ("notes", json!("第一行\n第二行"), "remarks", json!("第一行\n第二行")),
        ("salaryBudget", json!(8000), "salaryBudget", json!(8000)),
        ("salaryBudget", json!(" 8000 "), "salaryBudget", json!(8000)),
        ("salaryBudget", json!(8000.0), "salaryBudget", json!(8000)),
        ("salaryBudget", json!(""), "salaryBudget", Value::Null),
        ("salaryBudget", Value::Null, "salaryBudget", Value::Null),
        ("salaryBudget", json!(0), "salaryBudget", json!(0)),
        ("salaryBudget", json!(50_000), "salaryBudget", json!(50_000)),
        ("homeArea", json!("1000"), "homeArea", json!(1000)),
        ("familySize", json!(20), "familySize", json!(20)),
        ("serviceDays", json!(3650), "serviceDays", json!(3650)),
        ("dealAmount", json!("12800.505"), "dealAmount", json!(12800.51)),
        ("dealAmount", json!(-0.0), "dealAmount", json!(0.0)),
        ("dealAmount", json!(10_000_000), "dealAmount", json!(10_000_000.0)),
        ("expectedStartDate", json!("2025-12-01"), "expectedStartDate", midnight.clone()),
        ("expectedStartDate", json!("2025-12-01T00:00:00.000Z"), "expectedStartDate", midnight.clone()),
        ("expectedStartDate", json!("2025-12-01T08:00:00+08:00"), "expectedStartDate", midnight.clone()),
        ("expectedStartDate", json!("2025-12-01T00:00:00"), "expectedStartDate", midnight),
        ("restSchedule", json!("单休"), "restSchedule", json!("单休")),
        ("educationRequirement", json!("本科"), "educationRequirement", json!("本科")),
        ("address", chars(ADDRESS_CHARS_MAX), "address", chars(ADDRESS_CHARS_MAX)),
        ("remarks", chars(FREE_TEXT_CHARS_MAX), "remarks", chars(FREE_TEXT_CHARS_MAX)),
    ] {
        assert_eq!(profile_member(key, &value, member), expected, "{key} = {value}");
    }
}

#[test]
fn the_first_name_of_a_field_wins_over_its_alias() {
    let body = with(with(least(), "serviceCategory", json!("月嫂")), "serviceType", json!("保洁"));
    let form = CreateCustomer::parse(body).unwrap();
    assert_eq!(form.profile.service_category.map(|c| c.to_string()), Some("月嫂".into()));
}

#[test]
fn every_rule_refuses_with_its_path() {
    for (key, value, rule) in [
        ("name", json!("  "), "required"),
        ("name", Value::Null, "required"),
        ("name", json!(7), "not_text"),
        ("name", chars(NAME_CHARS_MAX + 1), "too_long"),
        ("name", json!("王\n女士"), "control_character"),
        ("name", json!("王\u{202e}女士"), "control_character"),
        ("name", json!("王\u{0}女士"), "control_character"),
        ("phone", json!("12345"), "phone"),
        ("phone", json!("+1 650 253 0000"), "phone"),
        ("phone", json!(13_812_348_999_u64), "not_text"),
        ("wechatId", chars(65), "wechat_id"),
        ("wechatId", json!("wang\t88"), "control_character"),
        ("idCardNumber", chars(ID_CARD_CHARS_MAX + 1), "too_long"),
        ("leadSource", json!(""), "required"),
        ("leadSource", json!(1), "not_text"),
        ("contractStatus", json!("成交"), "unknown_code"),
        ("contractStatus", json!(" "), "required"),
        ("leadLevel", json!("E类"), "unknown_code"),
        ("leadLevel", Value::Null, "required"),
        ("serviceCategory", json!("厨师"), "unknown_code"),
        ("serviceType", json!("厨师"), "unknown_code"),
        ("restSchedule", json!("三休"), "unknown_code"),
        ("educationRequirement", json!("博士后"), "unknown_code"),
        ("salaryBudget", json!(-1), "out_of_range"),
        ("salaryBudget", json!(50_001), "out_of_range"),
        ("salaryBudget", json!(1e300), "out_of_range"),
        ("salaryBudget", json!(8000.5), "not_whole"),
        ("salaryBudget", json!("8000元"), "not_a_number"),
        ("salaryBudget", json!("NaN"), "not_a_number"),
        ("salaryBudget", json!("inf"), "not_a_number"),
        ("salaryBudget", json!(true), "not_a_number"),
        ("salaryBudget", json!([1]), "not_a_number"),
        ("homeArea", json!(1001), "out_of_range"),
        ("familySize", json!("21"), "out_of_range"),
        ("serviceDays", json!(3651), "out_of_range"),
        ("dealAmount", json!(10_000_000.01), "out_of_range"),
        ("dealAmount", json!(-0.01), "out_of_range"),
        ("expectedStartDate", json!("明天"), "date"),
        ("expectedStartDate", json!("2025-02-30"), "date"),
        ("expectedStartDate", json!("20251-12-01"), "date"),
        ("expectedStartDate", json!(1_764_547_200_000_i64), "not_text"),
        ("expectedDeliveryDate", json!("01/12/2025"), "date"),
        ("address", chars(ADDRESS_CHARS_MAX + 1), "too_long"),
        ("address", json!("杭州\n西湖"), "control_character"),
        ("area", chars(SHORT_TEXT_CHARS_MAX + 1), "too_long"),
        ("ageRequirement", chars(SHORT_TEXT_CHARS_MAX + 1), "too_long"),
        ("genderRequirement", chars(SHORT_TEXT_CHARS_MAX + 1), "too_long"),
        ("originRequirement", chars(SHORT_TEXT_CHARS_MAX + 1), "too_long"),
        ("remarks", chars(FREE_TEXT_CHARS_MAX + 1), "too_long"),
        ("remarks", json!("a\u{0}b"), "control_character"),
        ("notes", json!({}), "not_text"),
        ("needWorkContent", chars(FREE_TEXT_CHARS_MAX + 1), "too_long"),
        ("needSalary", json!(8000), "not_text"),
        ("assignedTo", json!("65f0c0ffee"), "id"),
        ("assignedTo", json!(7), "not_text"),
        ("assignmentReason", chars(REASON_CHARS_MAX + 1), "too_long"),
        ("inPublicPool", json!(false), "unknown_field"),
        ("__proto__", json!({}), "unknown_field"),
    ] {
        let body = with(least(), key, value.clone());
        assert_eq!(violations(CreateCustomer::parse(body)), one(key, rule), "{key} = {value}");
    }
}

#[test]
fn what_must_be_there_is_missed() {
    for (key, rule) in [
        ("name", "required"),
        ("phone", "missing_contact"),
        ("leadSource", "required"),
        ("contractStatus", "required"),
        ("leadLevel", "required"),
    ] {
        assert_eq!(violations(CreateCustomer::parse(without(least(), key))), one(key, rule), "{key}");
    }
}

#[test]
fn a_wechat_id_is_contact_enough() {
    let body = with(with(least(), "phone", json!(" ")), "wechatId", json!("wang_88"));
    let form = CreateCustomer::parse(body).unwrap();
    assert_eq!(form.profile.phone, None);
    assert_eq!(form.profile.wechat_id.unwrap().as_str(), "wang_88");
}

#[test]
fn a_wrong_phone_alone_is_not_called_missing_as_well() {
    let body = with(least(), "phone", json!("12345"));
    assert_eq!(violations(CreateCustomer::parse(body)), one("phone", "phone"));
}

#[test]
fn all_violations_come_at_once() {
    let body = json!({"phone": "12345", "leadLevel": "E类", "salaryBudget": "viel", "b": 1, "a": 2});
    let expected = [
        ("phone", "phone"),
        ("salaryBudget", "not_a_number"),
        ("name", "required"),
        ("leadSource", "required"),
        ("contractStatus", "required"),
        ("leadLevel", "unknown_code"),
        ("a", "unknown_field"),
        ("b", "unknown_field"),
    ];
    let expected: Vec<_> = expected.map(|(path, rule)| (path.to_owned(), rule.to_owned())).into();
    assert_eq!(violations(CreateCustomer::parse(body)), expected);
}

#[test]
fn messages_are_those_of_system_a() {
    for (body, zh, en) in [
        (without(least(), "name"), "客户姓名不能为空", "name must not be empty"),
        (
            with(least(), "phone", json!("1")),
            "请输入有效的中国手机号码",
            "phone must be a Chinese phone number",
        ),
        (without(least(), "phone"), "请填写手机号或微信号", "A phone number or a WeChat id is required"),
        (
            with(least(), "salaryBudget", json!(-1)),
            "薪资预算必须在0到50000之间",
            "salaryBudget must be between 0 and 50000",
        ),
        (with(least(), "x", json!(1)), "不支持的字段：x", "x is not a known field"),
    ] {
        let errors = CreateCustomer::parse(body).unwrap_err();
        assert_eq!((errors[0].message_zh.as_str(), errors[0].message_en.as_str()), (zh, en));
    }
}
