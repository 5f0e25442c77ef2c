//! One JSON value into one domain value, or the rule it breaks. Blank texts and `null` never get here.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use domain::contact::{Phone, WechatId};
use serde_json::Value;

use super::Rule;

/// Years a date may lie in; what lies outside is a typing error.
const YEARS: RangeInclusive<i32> = 1900..=2200;

/// Fen in a yuan: money is kept to the fen.
const FEN_PER_YUAN: f64 = 100.0;

/// The largest whole number that an `f64` cannot blur.
const EXACT_F64_MAX: f64 = 9_007_199_254_740_992.0;

fn text(value: Value) -> Result<String, Rule> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(Rule::NotText),
    }
}

fn bounded(value: Value, max: usize) -> Result<String, Rule> {
    let text = text(value)?;
    let trimmed = text.trim();
    if trimmed.chars().count() > max { Err(Rule::TooLong { max }) } else { Ok(trimmed.to_owned()) }
}

/// Whether a character has no place in a one-line field: controls, line separators and the marks that reverse
/// the direction of what follows (a name must read as it is stored).
fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text of one line with at most `max` characters.
pub(super) fn line(max: usize) -> impl Fn(Value) -> Result<String, Rule> {
    move |value| {
        let line = bounded(value, max)?;
        if line.contains(breaks_a_line) { Err(Rule::ControlCharacter) } else { Ok(line) }
    }
}

/// Whether a text would pass as a line of at most `max` characters.
pub(super) fn is_line(text: &str, max: usize) -> bool {
    text.chars().count() <= max && !text.contains(breaks_a_line)
}

/// Whether a character has no place even in a text of several lines: nobody sees it, and as JSON it is six bytes long.
pub(super) fn breaks_a_text(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// Text of several lines with at most `max` characters.
pub(super) fn paragraphs(max: usize) -> impl Fn(Value) -> Result<String, Rule> {
    move |value| {
        let text = bounded(value, max)?;
        if text.contains(breaks_a_text) { Err(Rule::ControlCharacter) } else { Ok(text) }
    }
}

/// A number, or text that is one.
fn number(value: &Value) -> Result<f64, Rule> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n| n.is_finite()).ok_or(Rule::NotANumber)
}

/// A whole number within bounds.
pub(super) fn whole(range: RangeInclusive<i64>) -> impl Fn(Value) -> Result<i64, Rule> {
    move |value| {
        let number = number(&value)?;
        if number.fract() != 0.0 {
            return Err(Rule::NotWhole);
        }
        let (min, max) = (*range.start(), *range.end());
        if number.abs() > EXACT_F64_MAX {
            return Err(Rule::OutOfRange { min, max });
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53: the cast is exact")]
        let whole = number as i64;
        if range.contains(&whole) { Ok(whole) } else { Err(Rule::OutOfRange { min, max }) }
    }
}

/// An amount of yuan from 0 to `max`, rounded to the fen. A number of so few digits is read back from JSON
/// exactly as it was written.
pub(super) fn yuan(max: i32) -> impl Fn(Value) -> Result<f64, Rule> {
    move |value| {
        let fen = (number(&value)? * FEN_PER_YUAN).round();
        let yuan = fen.abs() / FEN_PER_YUAN; // no negative zero
        if fen < 0.0 || yuan > f64::from(max) {
            return Err(Rule::OutOfRange { min: 0, max: max.into() });
        }
        Ok(yuan)
    }
}

/// A code of a code table.
pub(super) fn code<T>(all: &'static [T]) -> impl Fn(Value) -> Result<T, Rule>
where
    T: FromStr + Display,
{
    move |value| {
        let unknown = || Rule::UnknownCode { allowed: all.iter().map(T::to_string).collect() };
        text(value)?.trim().parse().map_err(|_| unknown())
    }
}

/// A code of a code table; an unknown text becomes `other`.
pub(super) fn code_or<T: FromStr>(other: T) -> impl FnOnce(Value) -> Result<T, Rule> {
    move |value| Ok(text(value)?.trim().parse().unwrap_or(other))
}

/// Yes or no.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what reads a field is given the value, as all of them are"
)]
pub(super) fn boolean(value: Value) -> Result<bool, Rule> {
    value.as_bool().ok_or(Rule::NotABool)
}

/// An id.
pub(super) fn id<T: FromStr>(value: Value) -> Result<T, Rule> {
    text(value)?.trim().parse().map_err(|_| Rule::Id)
}

/// A phone number.
pub(super) fn phone(value: Value) -> Result<Phone, Rule> {
    Phone::parse(&text(value)?).map_err(|_| Rule::Phone)
}

/// A WeChat id.
pub(super) fn wechat_id(value: Value) -> Result<WechatId, Rule> {
    let text = text(value)?;
    if text.trim().contains(breaks_a_line) {
        return Err(Rule::ControlCharacter);
    }
    WechatId::parse(&text).ok().flatten().ok_or(Rule::WechatId)
}

/// A date or an instant in ISO 8601.
pub(super) fn date(value: Value) -> Result<DateTime<Utc>, Rule> {
    parse_date(&text(value)?).ok_or(Rule::Date)
}

/// Reads `2025-12-01`, `2025-12-01T08:00:00.000Z` or `2025-12-01T08:00:00`. Without an offset it is UTC: these
/// fields mean a day, and midnight UTC is the same day in China.
///
/// In whole microseconds and without leap seconds, as PostgreSQL keeps it: a moment in a row must be the one in the log.
pub(super) fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let instant = DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.to_utc())
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|t| t.and_utc()))
        .ok()
        .or_else(|| day(text, "%Y-%m-%d"))?;
    DateTime::from_timestamp_micros(instant.timestamp_micros()).filter(|at| YEARS.contains(&at.year()))
}

/// The first instant of a day, for the formats people type.
pub(super) fn day(text: &str, format: &str) -> Option<DateTime<Utc>> {
    let day = NaiveDate::parse_from_str(text, format).ok()?;
    YEARS.contains(&day.year()).then(|| day.and_time(chrono::NaiveTime::MIN).and_utc())
}
