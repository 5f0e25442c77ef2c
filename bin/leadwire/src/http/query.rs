//! The parameters of a list: taken one by one, every violation named, the rest unknown. The counterpart of
//! [`application::forms`] for what stands behind the question mark.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use application::forms::{FieldError, Rule};
use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use url::form_urlencoded;

use super::problem::{self, Problem};
use super::time::calendar;

/// Most parameters of one request.
const PARAMETERS_MAX: usize = 64;

/// Most characters of one value.
const VALUE_CHARS_MAX: usize = 200;

/// Last page that can be asked for; whoever reads further goes by the cursor.
const PAGE_MAX: u32 = 1_000_000;

/// What lies between the last instant of a day and the next day: databases know nothing shorter.
const RESOLUTION: TimeDelta = TimeDelta::microseconds(1);

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

    /// Number of the page that is wanted, from 1, and how many rows it has at most: `usual` when `rows` does not say.
    pub fn page(&mut self, rows: &str, usual: u32, most: u32) -> (u32, u32) {
        (self.count("page", 1, PAGE_MAX), self.count(rows, usual, most))
    }

    /// A number from 1 to `most`; `usual` when nothing is said.
    pub fn count(&mut self, key: &str, usual: u32, most: u32) -> u32 {
        let count = self.whole(key, 1..=i64::from(most));
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(usual)
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

    /// The first instant of a day in this zone (`limits.zone`: the same days that people are counted by), or an instant.
    pub fn first(&mut self, key: &str, zone: Tz) -> Option<DateTime<Utc>> {
        self.read(key, |value| covered(value, zone).map(|(first, _)| first))
    }

    /// The last instant of a day in this zone, or an instant.
    pub fn last(&mut self, key: &str, zone: Tz) -> Option<DateTime<Utc>> {
        self.read(key, |value| covered(value, zone).map(|(_, last)| last))
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

/// What a day or an instant covers: its first instant and its last one.
fn covered(text: &str, zone: Tz) -> Result<(DateTime<Utc>, DateTime<Utc>), Rule> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        let at = at.to_utc();
        return if YEARS.contains(&at.year()) { Ok((at, at)) } else { Err(Rule::Date) };
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| Rule::Date)?;
    if !YEARS.contains(&day.year()) {
        return Err(Rule::Date);
    }
    let (from, next) = calendar::day(day, zone);
    Ok((from, next - RESOLUTION))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINA: Tz = chrono_tz::Asia::Shanghai;

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
        assert_eq!(query.first("from", CHINA), None);
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
    fn a_day_is_a_whole_day_where_people_live() {
        let instant = "2026-01-02T03:04:05Z";
        for (zone, text, first, last) in [
            (CHINA, "2026-01-02", "2026-01-01T16:00:00Z", "2026-01-02T15:59:59.999999Z"),
            (chrono_tz::Asia::Tokyo, "2026-01-02", "2026-01-01T15:00:00Z", "2026-01-02T14:59:59.999999Z"),
            (CHINA, instant, instant, instant),
        ] {
            let mut query = Parameters::of(Some(&format!("a={text}&b={text}")));
            let expected = [first, last].map(|at| at.parse::<DateTime<Utc>>().ok());
            assert_eq!([query.first("a", zone), query.last("b", zone)], expected, "{zone} {text}");
            assert!(query.finish().is_ok());
        }
    }

    #[test]
    fn a_page_has_a_number_and_a_size_within_bounds() {
        for (text, expected) in
            [("", (1, 10)), ("page=3&limit=200", (3, 200)), ("page=1000000", (1_000_000, 10))]
        {
            let mut query = Parameters::of(Some(text));
            assert_eq!(query.page("limit", 10, 200), expected, "{text}");
            assert!(query.finish().is_ok());
        }
        for text in ["page=0", "page=1000001", "limit=0", "limit=201", "page=-1", "limit=99999999999"] {
            let mut query = Parameters::of(Some(text));
            query.page("limit", 10, 200);
            assert_eq!(paths(&query.finish().unwrap_err())[0].1, "out_of_range", "{text}");
        }
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
            assert_eq!(query.first("from", CHINA), None, "{text}");
            assert_eq!(paths(&query.finish().unwrap_err()), [("from", "date")], "{text}");
        }
        let mut query = Parameters::of(Some("from=1900-01-01&until=9999-12-31"));
        assert!(query.first("from", CHINA).is_some() && query.last("until", CHINA).is_some());
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
