//! Messages of members.

use domain::member::{MemberField, OwnSource};

use super::*;
use crate::forms::{MEMBER_ROWS_MAX, MemberMessage, MessageRow};

fn rows(rows: &Value) -> Vec<MessageRow> {
    MemberMessage::parse(json!({ "members": rows })).unwrap().rows
}

/// Path and rule of everything that is wrong with a row.
fn wrong(row: &Value) -> Vec<(String, &'static str)> {
    let errors = rows(&json!([row])).remove(0).read.unwrap_err();
    errors.into_iter().map(|error| (error.path, error.rule.code())).collect()
}

#[test]
fn a_row_says_what_a_table_would() {
    let message = MemberMessage::parse(json!({ "source": "signup", "members": [{
        "id": 7, "nickname": "小王", "height": 165, "is_success": false, "city": null, "gender": "other",
        "created_at": "2026-03-02 12:00:00", "status": "ACTIVE",
    }]}));
    let MemberMessage { source, rows } = message.unwrap();
    assert_eq!((source.as_str(), rows[0].key.as_deref()), ("signup", Some("7")));
    let row = rows[0].read.as_ref().unwrap();
    assert_eq!((row.key.source.as_str(), row.key.key.as_str(), row.deleted), ("signup", "7", false));
    assert_eq!((row.fields.height, row.fields.is_success), (Some(165), Some(false)));
    assert_eq!(row.fields.unknown_codes(), [(MemberField::Gender, "other")]);
    assert!(row.silent.contains(&MemberField::Phone) && !row.silent.contains(&MemberField::City));
    assert!(row.registered_at.is_some());
}

#[test]
fn a_message_that_names_no_source_is_counted_as_one_of_its_kind() {
    for body in [json!({ "members": [{}] }), json!({ "members": [{}], "source": "webhook" })] {
        assert_eq!(MemberMessage::parse(body).unwrap().source, OwnSource::Message.as_str());
    }
}

#[test]
fn a_bad_row_is_named_and_costs_the_others_nothing() {
    let read = rows(
        &json!([{ "id": "1", "city": "杭州" }, { "id": "2", "height": "很高" }, 7, { "id": "3", "deleted": true }]),
    );
    let good: Vec<bool> = read.iter().map(|row| row.read.is_ok()).collect();
    assert_eq!(good, [true, false, false, true]);
    let shown = format!("{:?}", read[1].read);
    assert!(shown.contains("身高必须是整数") && !shown.contains("很高"), "{shown}");
}

#[test]
fn every_violation_of_a_row_is_named_at_once() {
    for (row, expected) in [
        (json!({ "city": "杭州" }), vec![("id", "required")]),
        (json!({ "id": " ", "city": "杭州" }), vec![("id", "required")]),
        (json!({ "id": 1.5, "city": "杭州" }), vec![("id", "not_text")]),
        (json!({ "id": "x".repeat(65), "city": "杭州" }), vec![("id", "too_long")]),
        (json!({ "id": "1" }), vec![("", "required")]),
        (json!({ "id": "1", "deleted": "yes" }), vec![("deleted", "not_a_bool"), ("", "required")]),
        (
            json!({ "id": "1", "shoe_size": 42, "city": [], "status": "LOST", "created_at": "soon", "weight": "x" }),
            vec![
                ("shoe_size", "unknown_field"),
                ("city", "not_a_scalar"),
                ("created_at", "date"),
                ("status", "unknown_code"),
                ("weight", "not_whole"),
            ],
        ),
    ] {
        let mut found = wrong(&row);
        let mut expected: Vec<_> = expected.into_iter().map(|(path, rule)| (path.to_owned(), rule)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn a_member_stands_in_a_message_once() {
    let read = rows(&json!([{ "id": 1, "city": "杭州" }, { "id": "1", "city": "北京" }]));
    assert!(read[0].read.is_ok());
    assert_eq!(read[1].read.as_ref().unwrap_err()[0].rule.code(), "said_twice");
}

#[test]
fn a_message_that_is_none_is_refused_as_a_whole() {
    let many: Vec<Value> = (0..=MEMBER_ROWS_MAX).map(|n| json!({ "id": n, "city": "x" })).collect();
    for (body, path, rule) in [
        (json!([]), "", "not_an_object"),
        (json!({}), "members", "required"),
        (json!({ "members": [] }), "members", "required"),
        (json!({ "members": {} }), "members", "not_a_list"),
        (json!({ "members": many }), "members", "too_many"),
        (json!({ "members": [{}], "source": "staff" }), "source", "reserved"),
        (json!({ "members": [{}], "source": "file" }), "source", "reserved"),
        (json!({ "members": [{}], "source": 7 }), "source", "not_text"),
        (json!({ "members": [{}], "table": "x" }), "table", "unknown_field"),
    ] {
        assert_eq!(violations(MemberMessage::parse(body)), one(path, rule));
    }
}
