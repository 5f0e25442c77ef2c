//! The seven legacy need fields (existing-systems.md section 1.4): free text that stands for a structured field.
//!
//! The text itself stays. What it says is copied only where the structured field is empty, and only when it is
//! clear; a doubtful text copies nothing.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use domain::customer::Profile;

use super::ADDRESS_CHARS_MAX;
use super::scalars::{day, is_line, parse_date};

/// Yuan a month that a salary text may mean.
const SALARIES: RangeInclusive<i64> = 1000..=50_000;
/// Square metres that a house text may mean.
const HOUSE_AREAS: RangeInclusive<i64> = 10..=1000;
/// People that a family text may mean.
const FAMILY_SIZES: RangeInclusive<i64> = 1..=20;

/// Formats of a day besides ISO 8601.
const DAY_FORMATS: [&str; 2] = ["%Y/%m/%d", "%Y年%m月%d日"];

/// Chinese numerals and what they count.
const NUMERALS: [(char, i64); 11] = [
    ('一', 1),
    ('二', 2),
    ('两', 2),
    ('三', 3),
    ('四', 4),
    ('五', 5),
    ('六', 6),
    ('七', 7),
    ('八', 8),
    ('九', 9),
    ('十', 10),
];

/// Fills empty structured fields from the legacy texts.
pub fn fill_from_legacy(profile: &mut Profile) {
    let p = profile;
    fill(&mut p.service_category, p.need_order_type.as_deref(), |text| text.trim().parse().ok());
    fill(&mut p.salary_budget, p.need_salary.as_deref(), |text| first_integer_in(text, SALARIES));
    fill(&mut p.rest_schedule, p.need_rest_time.as_deref(), |text| text.trim().parse().ok());
    fill(&mut p.expected_start_date, p.need_onboarding_time.as_deref(), start_date);
    fill(&mut p.home_area, p.need_house_area.as_deref(), |text| first_integer_in(text, HOUSE_AREAS));
    fill(&mut p.family_size, p.need_family_members.as_deref(), |text| {
        first_integer_in(text, FAMILY_SIZES).or_else(|| first_numeral(text))
    });
    fill(&mut p.address, p.need_service_address.as_deref(), |text| {
        let address = text.trim();
        // A text that would break the address rule is no address.
        (!address.is_empty() && is_line(address, ADDRESS_CHARS_MAX)).then(|| address.to_owned())
    });
}

fn fill<T>(field: &mut Option<T>, legacy: Option<&str>, read: impl FnOnce(&str) -> Option<T>) {
    if field.is_none() {
        *field = legacy.and_then(read);
    }
}

/// The first run of digits, if it lies in `range`.
fn first_integer_in(text: &str, range: RangeInclusive<i64>) -> Option<i64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits = &text[start..];
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok().filter(|n| range.contains(n))
}

fn first_numeral(text: &str) -> Option<i64> {
    text.chars().find_map(|c| NUMERALS.iter().find(|(numeral, _)| *numeral == c).map(|(_, n)| *n))
}

fn start_date(text: &str) -> Option<DateTime<Utc>> {
    parse_date(text).or_else(|| DAY_FORMATS.iter().find_map(|format| day(text.trim(), format)))
}
