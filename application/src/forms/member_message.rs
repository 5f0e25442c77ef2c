//! `POST /api/intake/members`: rows of members that another program of the house sends (member-intake.md section 1).
//!
//! Each row is judged for itself: a bad one costs the others nothing. A row with a fault is refused and not taken in by
//! halves, because its sender is there to correct it (docs/adr/0028).

use std::collections::BTreeSet;

use domain::member::{
    FieldFault, MemberCode as _, MemberField, MemberStatus, Observation, OwnSource, REGISTERED_AT, SourceKey,
};
use serde_json::{Map, Value};

use super::fields::{Fields, Null};
use super::scalars::{boolean, line};
use super::{FieldError, Rule};
use crate::members::{ColumnFault, ColumnRule, read_observation};

/// Most rows of one message.
pub const MEMBER_ROWS_MAX: usize = 500;

/// Most characters of a source's name and of a row's key.
const NAME_CHARS_MAX: usize = 64;

/// Stands where a table has its name, so that no message can speak of a row that a trigger or a poll captures.
const TABLE: &str = OwnSource::Message.as_str();

/// What stands in a row besides columns.
const KEY: &str = "id";
const DELETED: &str = "deleted";

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberMessage {
    /// The program that sends it, as statistics call it.
    pub source: String,
    /// Its rows, in their order.
    pub rows: Vec<MessageRow>,
}

/// A row of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    /// Its key, when it has one.
    pub key: Option<String>,
    /// What it says, or what is wrong with it.
    pub read: Result<Box<Observation>, Vec<FieldError>>,
}

impl MemberMessage {
    /// Reads the body. Fails where nothing of it can be taken in; rows are judged one by one.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let source = fields.optional("source", source);
        let source = source.unwrap_or_else(|| OwnSource::Message.to_string());
        let rows = fields.required("members", rows);
        let rows = fields.finish(rows)?;
        let mut keys = BTreeSet::new();
        let rows = rows.into_iter().map(|row| one(&source, row, &mut keys)).collect();
        Ok(Self { source, rows })
    }
}

fn source(json: Value) -> Result<String, Rule> {
    let name = line(NAME_CHARS_MAX)(json)?;
    match name.parse() {
        Ok(OwnSource::Message) | Err(_) => Ok(name),
        Ok(OwnSource::Staff | OwnSource::Public | OwnSource::File) => Err(Rule::Reserved),
    }
}

fn rows(json: Value) -> Result<Vec<Value>, Rule> {
    match json {
        Value::Array(rows) if rows.is_empty() => Err(Rule::Required),
        Value::Array(rows) if rows.len() > MEMBER_ROWS_MAX => Err(Rule::TooMany { max: MEMBER_ROWS_MAX }),
        Value::Array(rows) => Ok(rows),
        _ => Err(Rule::NotAList),
    }
}

/// One row. `keys` are those of the rows before it: two rows of one member would race.
fn one(source: &str, row: Value, keys: &mut BTreeSet<String>) -> MessageRow {
    let Value::Object(mut members) = row else {
        return MessageRow { key: None, read: Err(vec![FieldError::new("", Rule::NotAnObject)]) };
    };
    let mut errors = vec![];
    let key = members.remove(KEY).filter(|key| !key.is_null()).map_or(Err(Rule::Required), key);
    let key = key.map_err(|rule| errors.push(FieldError::new(KEY, rule))).ok();
    if let Some(key) = &key
        && !keys.insert(key.clone())
    {
        errors.push(FieldError::new(KEY, Rule::SaidTwice));
    }
    let deleted = members.remove(DELETED).filter(|flag| !flag.is_null()).map_or(Ok(false), boolean);
    let deleted = deleted.unwrap_or_else(|rule| {
        errors.push(FieldError::new(DELETED, rule));
        false
    });
    if members.is_empty() && !deleted {
        errors.push(FieldError::new("", Rule::Required));
    }
    let columns = columns(members, &mut errors);
    let named = SourceKey {
        source: source.to_owned(),
        table: TABLE.to_owned(),
        key: key.clone().unwrap_or_default(),
    };
    let told = columns.iter().map(|(column, text)| (column.as_str(), text.as_deref()));
    let row = read_observation(named, told, deleted, None);
    errors.extend(row.faults.iter().map(violation));
    let called = |error: FieldError| {
        let field = error.path.clone();
        error.called_as_in("member", &field)
    };
    let read = if errors.is_empty() {
        Ok(Box::new(row.observation))
    } else {
        Err(errors.into_iter().map(called).collect())
    };
    MessageRow { key, read }
}

/// A key as text, or as the number that tables count by.
fn key(json: Value) -> Result<String, Rule> {
    let text = match json {
        Value::Number(number) if number.is_i64() || number.is_u64() => Value::String(number.to_string()),
        other => other,
    };
    let key = line(NAME_CHARS_MAX)(text)?;
    if key.is_empty() { Err(Rule::Required) } else { Ok(key) }
}

/// Every column as the text that would stand in a table.
fn columns(members: Map<String, Value>, errors: &mut Vec<FieldError>) -> Vec<(String, Option<String>)> {
    let mut columns = Vec::with_capacity(members.len());
    for (column, value) in members {
        if column != REGISTERED_AT && column.parse::<MemberField>().is_err() {
            errors.push(FieldError::new(column, Rule::UnknownField));
            continue;
        }
        let text = match value {
            Value::Null => None,
            Value::Bool(flag) => Some(i32::from(flag).to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text),
            Value::Array(_) | Value::Object(_) => {
                errors.push(FieldError::new(column, Rule::NotAScalar));
                continue;
            }
        };
        columns.push((column, text));
    }
    columns
}

/// A fault of a column in the words of forms.
fn violation(fault: &ColumnFault) -> FieldError {
    let rule = match fault.rule {
        ColumnRule::Value(FieldFault::NotANumber) => Rule::NotWhole,
        ColumnRule::Value(FieldFault::NotAFlag) => Rule::NotABool,
        ColumnRule::Value(FieldFault::TooLong { max }) => Rule::TooLong { max },
        ColumnRule::Moment => Rule::Date,
        ColumnRule::Status => {
            let allowed = MemberStatus::TABLE.iter().map(|status| status.code().to_owned()).collect();
            Rule::UnknownCode { allowed }
        }
        ColumnRule::Unknown => Rule::UnknownField,
    };
    FieldError::new(fault.column.clone(), rule)
}
