//! The parameters of a list: taken one by one, every violation named, the rest unknown. The counterpart of
//! [`application::forms`] for what stands behind the question mark.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use application::forms::{FieldError, Rule};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, Utc};
use url::form_urlencoded;

use super::problem::{self, Problem};

/// Most parameters of one request.
const PARAMETERS_MAX: usize = 64;

/// Most characters of one value.
const VALUE_CHARS_MAX: usize = 200;

/// System A's days are days in China, wherever the server stands.
const CHINA_OFFSET: TimeDelta = TimeDelta::hours(8);

/// Years that a filter may name: every database can compare them, whatever it can store.
const YEARS: RangeInclusive<i32> = 1900..=9999;

/// The parameters that were not taken yet, and the violations so far.
#[derive(Debug)]
pub struct Parameters {
    values: BTreeMap<String, String>,
    errors: Vec<FieldError>,
}

impl Parameters {
    /// Of a query string. A blank value counts as absent, as system A's pages send it.
    pub fn of(query: Option<&str>) -> Self {
        let mut parameters = Self { values: BTreeMap::new(), errors: Vec::new() };
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(PARAMETERS_MAX)
        {
            let value = value.trim();
            if value.chars().count() > VALUE_CHARS_MAX {
                parameters.violated(&key, Rule::TooLong { max: VALUE_CHARS_MAX });
            }
            parameters.values.insert(key.into_owned(), value.to_owned());
        }
        parameters
    }

    fn violated(&mut self, key: &str, rule: Rule) {
        self.errors.push(FieldError::new(key, rule));
    }

    /// A text.
    pub fn text(&mut self, key: &str) -> Option<String> {
        self.values.remove(key).filter(|value| !value.is_empty())
    }

    /// What `parse` makes of a text.
    pub fn read<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Option<T> {
        let value = self.text(key)?;
        parse(&value).map_err(|rule| self.violated(key, rule)).ok()
    }

    /// What `parse` makes of a text that must be there.
    pub fn required<T>(&mut self, key: &str, parse: impl FnOnce(&str) -> Result<T, Rule>) -> Option<T> {
        if self.values.get(key).is_none_or(String::is_empty) {
            self.values.remove(key);
            self.violated(key, Rule::Required);
        }
        self.read(key, parse)
    }

    /// A whole number within bounds.
    pub fn whole(&mut self, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        self.read(key, |value| match value.parse::<i64>() {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) => Err(Rule::OutOfRange { min: *range.start(), max: *range.end() }),
            Err(_) => Err(Rule::NotWhole),
        })
    }

    /// An id.
    pub fn id<T: FromStr>(&mut self, key: &str) -> Option<T> {
        self.read(key, |value| value.parse().map_err(|_| Rule::Id))
    }

    /// A code of a code table.
    pub fn code<T: FromStr + Display>(&mut self, key: &str, all: &[T]) -> Option<T> {
        let allowed = || all.iter().map(T::to_string).collect();
        self.read(key, |value| value.parse().map_err(|_| Rule::UnknownCode { allowed: allowed() }))
    }

    /// One of some words.
    pub fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.read(key, |value| {
            let found = words.iter().find(|(word, _)| *word == value);
            let allowed = || words.iter().map(|(word, _)| (*word).to_owned()).collect();
            found.map(|(_, meaning)| *meaning).ok_or_else(|| Rule::UnknownCode { allowed: allowed() })
        })
    }

    /// The first instant meant by a day or an instant.
    pub fn from(&mut self, key: &str) -> Option<DateTime<Utc>> {
        self.read(key, |value| instant(value).map(|(from, _)| from))
    }

    /// The first instant after a day, or after an instant that is meant to be included.
    pub fn until(&mut self, key: &str) -> Option<DateTime<Utc>> {
        self.read(key, |value| instant(value).map(|(_, until)| until))
    }

    /// Refuses what is left over.
    pub fn finish(mut self) -> Result<(), Problem> {
        for key in std::mem::take(&mut self.values).into_keys() {
            self.violated(&key, Rule::UnknownField);
        }
        if self.errors.is_empty() {
            return Ok(());
        }
        // A query is written by a program: whatever is wrong with it, the program is to be changed.
        Err(Problem::fields(self.errors).kind(&problem::INVALID_REQUEST))
    }
}

/// What a day (in China) or an instant covers: its first instant and the first one after it.
fn instant(text: &str) -> Result<(DateTime<Utc>, DateTime<Utc>), Rule> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        let at = at.to_utc();
        let until = at.checked_add_signed(TimeDelta::microseconds(1)).ok_or(Rule::Date)?;
        return if YEARS.contains(&at.year()) { Ok((at, until)) } else { Err(Rule::Date) };
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| Rule::Date)?;
    if !YEARS.contains(&day.year()) {
        return Err(Rule::Date);
    }
    let from = day.and_time(NaiveTime::MIN).and_utc().checked_sub_signed(CHINA_OFFSET).ok_or(Rule::Date)?;
    let until = from.checked_add_signed(TimeDelta::days(1)).ok_or(Rule::Date)?;
    Ok((from, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(problem: &Problem) -> Vec<(&str, &str)> {
        problem.fields.iter().map(|error| (error.path.as_str(), error.rule.code())).collect()
    }

    #[test]
    fn every_violation_is_named_at_once() {
        let query = "page=0&limit=x&sortOrder=up&from=yesterday&extra=1&blank=&must=";
        let mut query = Parameters::of(Some(query));
        assert_eq!(query.required("must", |_| Ok(1)), None);
        assert_eq!(query.whole("page", 1..=10), None);
        assert_eq!(query.whole("limit", 1..=200), None);
        assert_eq!(query.word("sortOrder", &[("asc", 1), ("desc", 2)]), None);
        assert_eq!(query.from("from"), None);
        assert_eq!(query.text("blank"), None);
        let problem = query.finish().unwrap_err();
        assert_eq!(problem.kind.status, 400);
        let expected = [
            ("must", "required"),
            ("page", "out_of_range"),
            ("limit", "not_whole"),
            ("sortOrder", "unknown_code"),
            ("from", "date"),
            ("extra", "unknown_field"),
        ];
        assert_eq!(paths(&problem), expected);
    }

    #[test]
    fn a_day_is_a_whole_day_in_china() {
        let mut query = Parameters::of(Some("a=2026-01-02&b=2026-01-02&c=2026-01-02T03:04:05Z"));
        assert_eq!(query.from("a").unwrap().to_rfc3339(), "2026-01-01T16:00:00+00:00");
        assert_eq!(query.until("b").unwrap().to_rfc3339(), "2026-01-02T16:00:00+00:00");
        assert_eq!(query.from("c").unwrap().to_rfc3339(), "2026-01-02T03:04:05+00:00");
        assert!(query.finish().is_ok());
    }

    #[test]
    fn a_year_no_database_knows_is_refused() {
        for text in [
            "-200000-01-01",
            "%2B262142-12-31",
            "0000-01-01",
            "1899-12-31",
            "%2B10000-01-01",
            "0001-01-01T00:00:00Z",
        ] {
            let mut query = Parameters::of(Some(&format!("from={text}")));
            assert_eq!(query.from("from"), None, "{text}");
            assert_eq!(paths(&query.finish().unwrap_err()), [("from", "date")], "{text}");
        }
        let mut query = Parameters::of(Some("from=1900-01-01&until=9999-12-31"));
        assert!(query.from("from").is_some() && query.until("until").is_some());
    }

    #[test]
    fn text_is_decoded_and_kept_short() {
        let mut query = Parameters::of(Some("search=%E7%8E%8B+%25"));
        assert_eq!(query.text("search").as_deref(), Some("王 %"));
        let long = format!("search={}", "x".repeat(201));
        let query = Parameters::of(Some(&long));
        assert_eq!(paths(&query.finish().unwrap_err())[0], ("search", "too_long"));
    }
}
