//! The forms: one row for each rule.

mod any_body;
mod create;
mod legacy;
mod member_message;
mod members;
mod moves;
mod notices;
mod others;
mod recycling;
mod settings;
mod transfer_rules;
mod update;
mod what_if;

use serde_json::{Value, json};

use super::FieldError;

/// Path and rule of each violation.
fn violations<T: std::fmt::Debug>(read: Result<T, Vec<FieldError>>) -> Vec<(String, String)> {
    read.expect_err("the body breaks a rule").into_iter().map(|e| (e.path, e.rule.to_string())).collect()
}

fn one(path: &str, rule: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), rule.to_owned())]
}

/// The least that creates a customer.
fn least() -> Value {
    json!({"name": "王女士", "phone": "13812348999", "leadSource": "美团", "contractStatus": "待定", "leadLevel": "A类"})
}

/// `body` with `key` set.
fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

/// `body` without `key`.
fn without(mut body: Value, key: &str) -> Value {
    body.as_object_mut().unwrap().remove(key);
    body
}

/// A text of `chars` Chinese characters.
fn chars(chars: usize) -> Value {
    "字".repeat(chars).into()
}

fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}
