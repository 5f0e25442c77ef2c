//! Assigning, reading and logging in.

use domain::batch::BATCH_CUSTOMERS_MAX;
use domain::inbox::MARK_READ_MAX;
use domain::{CustomerId, NotificationId, StaffId};
use serde_json::{Value, json};

use super::super::*;
use super::{chars, one, uuid, violations};

/// `count` different ids.
fn ids(count: usize) -> Vec<Value> {
    (1..=count as u128).map(|n| json!(uuid(n).to_string())).collect()
}

#[test]
fn an_assignment_is_read() {
    let to = uuid(7);
    let form = Assign::parse(json!({"assignedTo": to.to_string(), "assignmentReason": ""})).unwrap();
    assert_eq!(form, Assign { assigned_to: StaffId(to), assignment_reason: None });
    let form = Assign::parse(json!({"assignedTo": to.to_string(), "assignmentReason": " 换班 "})).unwrap();
    assert_eq!(form.assignment_reason.as_deref(), Some("换班"));
}

#[test]
fn a_wrong_assignment_is_refused() {
    let to = json!(uuid(7).to_string());
    for (body, path, rule) in [
        (json!({}), "assignedTo", "required"),
        (json!({"assignedTo": null}), "assignedTo", "required"),
        (json!({"assignedTo": "张三"}), "assignedTo", "id"),
        (json!({"assignedTo": 7}), "assignedTo", "not_text"),
        (json!({"assignedTo": to, "assignmentReason": chars(201)}), "assignmentReason", "too_long"),
        (json!({"assignedTo": to, "assignmentReason": 7}), "assignmentReason", "not_text"),
        (json!({"assignedTo": to, "reason": "x"}), "reason", "unknown_field"),
        (json!([]), "", "not_an_object"),
        (json!("x"), "", "not_an_object"),
        (Value::Null, "", "not_an_object"),
    ] {
        assert_eq!(violations(Assign::parse(body.clone())), one(path, rule), "{body}");
    }
}

#[test]
fn a_batch_names_each_customer_once() {
    let mut customers = ids(BATCH_CUSTOMERS_MAX - 1);
    customers.push(json!(uuid(1).to_string().to_uppercase()));
    let form =
        BatchAssign::parse(json!({"customerIds": customers, "assignedTo": uuid(7).to_string()})).unwrap();
    assert_eq!(form.customer_ids.len(), BATCH_CUSTOMERS_MAX - 1);
    assert_eq!(form.customer_ids[0], CustomerId(uuid(1)));
    assert_eq!((form.assigned_to, form.assignment_reason), (StaffId(uuid(7)), None));
}

#[test]
fn a_wrong_batch_is_refused() {
    let to = json!(uuid(7).to_string());
    let id = json!(uuid(1).to_string());
    for (customers, path, rule) in [
        (Value::Null, "customerIds", "required"),
        (json!([]), "customerIds", "required"),
        (id.clone(), "customerIds", "not_a_list"),
        (json!(ids(BATCH_CUSTOMERS_MAX + 1)), "customerIds", "too_many"),
        (json!([id, id, id, "x"]), "customerIds[3]", "id"),
        (json!([id, 7]), "customerIds[1]", "not_text"),
        (json!([null]), "customerIds[0]", "not_text"),
    ] {
        let body = json!({"customerIds": customers, "assignedTo": to});
        assert_eq!(violations(BatchAssign::parse(body)), one(path, rule), "{path} {rule}");
    }
}

#[test]
fn each_bad_entry_of_a_batch_is_named() {
    let errors = violations(BatchAssign::parse(json!({"customerIds": ["x", "y"], "assignedTo": "z"})));
    let paths: Vec<_> = errors.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["customerIds[0]", "customerIds[1]", "assignedTo"]);
}

#[test]
fn a_flood_of_violations_is_cut() {
    let body: serde_json::Map<_, _> =
        (0..FIELD_ERRORS_MAX * 2).map(|n| (format!("key{n}"), Value::Null)).collect();
    assert_eq!(Assign::parse(body.into()).unwrap_err().len(), FIELD_ERRORS_MAX);
    let errors =
        Assign::parse(json!({"字".repeat(10_000): 1, "assignedTo": uuid(7).to_string()})).unwrap_err();
    assert_eq!(errors[0].path.chars().count(), 64);
}

#[test]
fn read_marks_are_read() {
    let id = uuid(1).to_string();
    for (given, expected) in [(json!([]), vec![]), (json!([id, id]), vec![NotificationId(uuid(1))])] {
        let form = MarkRead::parse(json!({"notificationIds": given})).unwrap();
        assert_eq!(form.notification_ids, expected);
    }
    for (body, path, rule) in [
        (json!({}), "notificationIds", "required"),
        (json!({"notificationIds": {}}), "notificationIds", "not_a_list"),
        (json!({"notificationIds": ["x"]}), "notificationIds[0]", "id"),
        (json!({"notificationIds": ids(MARK_READ_MAX + 1)}), "notificationIds", "too_many"),
        (json!({"notificationIds": [], "all": true}), "all", "unknown_field"),
    ] {
        assert_eq!(violations(MarkRead::parse(body)), one(path, rule), "{path} {rule}");
    }
}

#[test]
fn the_bound_of_what_was_read_may_be_missing_but_not_wrong() {
    for (body, expected) in [
        (Value::Null, None),
        (json!({}), None),
        (json!({"upTo": null}), None),
        (json!({"upTo": 7}), Some(7)),
        (json!({"upTo": 0}), Some(0)),
    ] {
        assert_eq!(MarkAllRead::parse(body.clone()), Ok(MarkAllRead { up_to: expected }), "{body}");
    }
    for (body, path, rule) in [
        (json!({"upTo": -1}), "upTo", "not_whole"),
        (json!({"upTo": "7"}), "upTo", "not_whole"),
        (json!({"upTo": 1.5}), "upTo", "not_whole"),
        (json!({"upto": 1}), "upto", "unknown_field"),
        (json!([]), "", "not_an_object"),
    ] {
        assert_eq!(violations(MarkAllRead::parse(body.clone())), one(path, rule), "{body}");
    }
}

#[test]
fn putting_off_needs_an_instant_and_putting_aside_needs_nothing() {
    assert!(Snooze::parse(json!({"until": "2026-01-02T03:04:05+08:00"})).is_ok());
    for (body, path, rule) in [
        (Value::Null, "", "not_an_object"),
        (json!({}), "until", "required"),
        (json!({"until": null}), "until", "required"),
        (json!({"until": "tomorrow"}), "until", "date"),
        (json!({"until": 5}), "until", "not_text"),
        (json!({"until": "2026-01-02T03:04:05Z", "days": 1}), "days", "unknown_field"),
    ] {
        assert_eq!(violations(Snooze::parse(body.clone())), one(path, rule), "{body}");
    }
    assert!(Empty::parse(Value::Null).is_ok() && Empty::parse(json!({})).is_ok());
    assert_eq!(violations(Empty::parse(json!({"all": true}))), one("all", "unknown_field"));
    assert_eq!(violations(Empty::parse(json!([1]))), one("", "not_an_object"));
}

#[test]
fn a_text_that_is_no_token_names_nothing() {
    assert_eq!(Undo::parse(json!({"token": "x"})), Ok(Undo { token: None }));
    let token = domain::inbox::UndoToken::of(StaffId(uuid(1)), 3);
    assert_eq!(Undo::parse(json!({"token": token.to_string()})), Ok(Undo { token: Some(token) }));
    for (body, rule) in [(json!({}), "required"), (json!({"token": 3}), "not_text")] {
        assert_eq!(violations(Undo::parse(body.clone())), one("token", rule), "{body}");
    }
}

#[test]
fn a_login_is_read_and_hides_its_password() {
    let body = json!({"username": " Admin ", "password": " geheim ", "openid": "oABC"});
    let form = Login::parse(body).unwrap();
    assert_eq!((form.username.as_str(), form.password.as_str()), ("admin", " geheim "));
    assert!(!format!("{form:?}").contains("geheim"));
}

#[test]
fn a_wrong_login_is_refused() {
    for (body, path, rule) in [
        (json!({"password": "x"}), "username", "required"),
        (json!({"username": " ", "password": "x"}), "username", "required"),
        (json!({"username": 7, "password": "x"}), "username", "not_text"),
        (json!({"username": "a b", "password": "x"}), "username", "username"),
        (json!({"username": "a".repeat(65), "password": "x"}), "username", "username"),
        (json!({"username": "a"}), "password", "required"),
        (json!({"username": "a", "password": ""}), "password", "required"),
        (json!({"username": "a", "password": null}), "password", "required"),
        (json!({"username": "a", "password": ["x"]}), "password", "not_text"),
        (json!({"username": "a", "password": chars(PASSWORD_CHARS_MAX + 1)}), "password", "too_long"),
        (json!({"username": "a", "password": "x", "role": "admin"}), "role", "unknown_field"),
    ] {
        assert_eq!(violations(Login::parse(body.clone())), one(path, rule), "{body}");
    }
}

#[test]
fn only_a_programs_mistakes_are_malformed() {
    let to = json!(uuid(7).to_string());
    for (body, malformed) in [
        (json!({"assignedTo": to, "x": 1}), true),
        (json!([]), true),
        (json!({"assignedTo": 7}), true),
        (json!({"assignedTo": "张三", "x": 1}), true),
        (json!({"assignedTo": "张三"}), false),
        (json!({}), false),
    ] {
        let errors = Assign::parse(body.clone()).unwrap_err();
        assert_eq!(any_malformed(&errors), malformed, "{body}");
    }
}

#[test]
fn a_violation_is_written_with_its_rules_code() {
    let errors = Assign::parse(json!({})).unwrap_err();
    assert_eq!(
        serde_json::to_value(&errors[0]).unwrap(),
        json!({"path": "assignedTo", "rule": "required", "messageZh": "负责人不能为空",
               "messageEn": "assignedTo must not be empty"})
    );
}
