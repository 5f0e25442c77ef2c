//! In and out of the public pool, and what is said about one customer.

use domain::CustomerId;
use domain::StaffId;
use domain::batch::BATCH_CUSTOMERS_MAX;
use domain::customer::{FOLLOW_UP_CHARS_MAX, FollowUpKind};
use serde_json::{Value, json};

use super::super::*;
use super::{chars, one, uuid, violations};

fn id(n: u128) -> Value {
    json!(uuid(n).to_string())
}

#[test]
fn a_claim_names_each_customer_once_and_in_order() {
    let form = Claim::parse(json!({"customerIds": [id(2), id(1), id(2)]})).unwrap();
    assert_eq!(form.customer_ids, [CustomerId(uuid(2)), CustomerId(uuid(1))]);
}

#[test]
fn a_wrong_list_of_customers_is_refused_by_every_form_that_has_one() {
    let too_many: Vec<_> = (0..=BATCH_CUSTOMERS_MAX as u128).map(id).collect();
    for (ids, path, rule) in [
        (json!(null), "customerIds", "required"),
        (json!([]), "customerIds", "required"),
        (json!("x"), "customerIds", "not_a_list"),
        (json!(too_many), "customerIds", "too_many"),
        (json!([id(1), "x"]), "customerIds[1]", "id"),
    ] {
        let body = json!({"customerIds": ids});
        assert_eq!(violations(Claim::parse(body.clone())), one(path, rule));
        let assign = super::with(body.clone(), "assignedTo", id(7));
        assert_eq!(violations(PoolAssign::parse(assign)), one(path, rule));
        let release = super::with(body, "reason", json!("客户找到了"));
        assert_eq!(violations(BatchRelease::parse(release)), one(path, rule));
    }
}

#[test]
fn an_assignment_from_the_pool_may_say_why() {
    let form =
        PoolAssign::parse(json!({"customerIds": [id(1)], "assignedTo": id(7), "reason": " 新人 "})).unwrap();
    assert_eq!((form.assigned_to, form.reason.as_deref()), (StaffId(uuid(7)), Some("新人")));
    let body = json!({"customerIds": [id(1)], "assignedTo": "x", "assignmentReason": "新人"});
    let errors = violations(PoolAssign::parse(body));
    assert_eq!(errors, [one("assignedTo", "id"), one("assignmentReason", "unknown_field")].concat());
}

#[test]
fn a_release_says_why() {
    assert_eq!(Release::parse(json!({"reason": "客户不需要了"})).unwrap().reason, "客户不需要了");
    for (body, rule) in [
        (json!({}), "required"),
        (json!({"reason": " "}), "required"),
        (json!({"reason": 7}), "not_text"),
        (json!({"reason": chars(201)}), "too_long"),
        (json!({"reason": "a\u{0}"}), "control_character"),
    ] {
        assert_eq!(violations(Release::parse(body.clone())), one("reason", rule), "{body}");
    }
}

#[test]
fn a_freeze_may_come_without_a_body() {
    assert_eq!(Freeze::parse(Value::Null).unwrap(), Freeze { reason: None });
    assert_eq!(Freeze::parse(json!({})).unwrap(), Freeze { reason: None });
    assert_eq!(Freeze::parse(json!({"reason": "核实"})).unwrap().reason.as_deref(), Some("核实"));
    assert_eq!(violations(Freeze::parse(json!([]))), one("", "not_an_object"));
}

#[test]
fn automatic_moves_are_on_or_off() {
    assert!(AutoTransfer::parse(json!({"enabled": true})).unwrap().enabled);
    for (body, rule) in [(json!({}), "required"), (json!({"enabled": "yes"}), "not_a_bool")] {
        assert_eq!(violations(AutoTransfer::parse(body)), one("enabled", rule));
    }
}

#[test]
fn a_follow_up_says_how_what_and_when_next() {
    let body = json!({"type": "visit", "content": " 看了两位阿姨 ", "nextFollowUpDate": "2026-03-05"});
    let form = FollowUp::parse(body).unwrap();
    assert_eq!((form.kind, form.content.as_str()), (FollowUpKind::Visit, "看了两位阿姨"));
    assert_eq!(form.next_at.map(|at| at.to_rfc3339()), Some("2026-03-05T00:00:00+00:00".to_owned()));
    for (named, kept) in [
        ("2026-03-05T10:00:00.1234567Z", "2026-03-05T10:00:00.123456+00:00"),
        ("2026-03-05T23:59:60Z", "2026-03-06T00:00:00+00:00"),
    ] {
        let body = json!({"type": "phone", "content": "好", "nextFollowUpDate": named});
        let next_at = FollowUp::parse(body).unwrap().next_at;
        assert_eq!(next_at.map(|at| at.to_rfc3339()).as_deref(), Some(kept), "as the databases keep it");
    }
    for (key, value, rule) in [
        ("type", json!(null), "required"),
        ("type", json!("call"), "unknown_code"),
        ("content", json!(" "), "required"),
        ("content", chars(FOLLOW_UP_CHARS_MAX + 1), "too_long"),
        ("nextFollowUpDate", json!("soon"), "date"),
    ] {
        let body = super::with(json!({"type": "phone", "content": "好"}), key, value);
        assert_eq!(violations(FollowUp::parse(body)), one(key, rule), "{key}");
    }
}

#[test]
fn the_public_form_is_checked_like_every_other() {
    let good = json!({"name": "王女士", "phone": "+86 138 1234 8999", "serviceCategory": "月嫂"});
    let form = WebsiteLead::parse(good.clone()).unwrap();
    assert_eq!((form.name.as_str(), form.phone.as_str()), ("王女士", "13812348999"));
    for (key, value, rule) in [
        ("name", json!(""), "required"),
        ("name", chars(51), "too_long"),
        ("phone", json!(null), "required"),
        ("phone", json!("12345"), "phone"),
        ("serviceCategory", json!("搬家"), "unknown_code"),
        ("remarks", chars(2001), "too_long"),
        ("assignedTo", id(1), "unknown_field"),
    ] {
        assert_eq!(
            violations(WebsiteLead::parse(super::with(good.clone(), key, value))),
            one(key, rule),
            "{key}"
        );
    }
}
