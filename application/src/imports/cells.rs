//! What stands in a sheet, and how a cell becomes a member of the create form.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use super::columns::Kind;

/// A cell, as the reader of the file understood it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Text.
    Text(String),
    /// A number; a phone that somebody typed is one too.
    Number(f64),
    /// A day.
    Day(NaiveDate),
    /// An error of the spreadsheet's own, such as `#N/A`.
    Fault(String),
}

/// The first sheet of a file: its header and its rows with something in them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    /// Row 1.
    pub header: Vec<Cell>,
    /// The rows below, in order.
    pub rows: Vec<SheetRow>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct SheetRow {
    /// Its number in the sheet; the header is 1.
    pub number: u32,
    /// Its cells from the first column on; missing ones at the end are empty.
    pub cells: Vec<Cell>,
}

/// The day before the first of Excel's calendar, which believes in a 29 February 1900.
const EXCEL_EPOCH: NaiveDate = match NaiveDate::from_ymd_opt(1899, 12, 30) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Serial numbers that are read as a day: 1950 to 2199. A smaller one is a year or a typing error.
const SERIALS: std::ops::RangeInclusive<f64> = 18_264.0..=109_574.0;

/// The largest number up to which every whole number has digits of its own.
const EXACT_F64_MAX: f64 = 9_007_199_254_740_992.0;

/// How people write a day. What follows a blank or a `T` is the time, which is dropped.
const DAY_FORMATS: [&str; 4] = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日"];

/// Length of a day without marks: 20251201.
const DIGITS_OF_A_DAY: usize = 8;

impl Cell {
    /// Whether there is nothing in it.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::Number(_) | Self::Day(_) | Self::Fault(_) => false,
        }
    }

    /// As people read it; whole numbers without a fraction (13812345678.0 is a phone).
    pub fn text(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) | Self::Fault(text) => text.trim().to_owned(),
            Self::Number(number) => digits(*number),
            Self::Day(day) => day.format("%Y-%m-%d").to_string(),
        }
    }

    /// As a member of the create form.
    pub(super) fn member(&self, kind: Kind) -> Value {
        match (kind, self) {
            (Kind::Number, Self::Number(number)) => json!(number),
            (Kind::Day, cell) => match cell.day() {
                Some(day) => json!(day.format("%Y-%m-%d").to_string()),
                None => json!(cell.text()), // the form says what is wrong with it
            },
            (_, cell) => json!(cell.text()),
        }
    }

    fn day(&self) -> Option<NaiveDate> {
        match self {
            Self::Day(day) => Some(*day),
            Self::Number(number) => of_serial(*number).or_else(|| of_text(&digits(*number))),
            Self::Text(text) => {
                let text = text.trim();
                of_text(text).or_else(|| text.parse().ok().and_then(of_serial))
            }
            Self::Empty | Self::Fault(_) => None,
        }
    }
}

fn digits(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() <= EXACT_F64_MAX {
        format!("{number:.0}")
    } else {
        number.to_string()
    }
}

fn of_serial(serial: f64) -> Option<NaiveDate> {
    if !SERIALS.contains(&serial) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within SERIALS")]
    let days = serial.floor() as u64;
    EXCEL_EPOCH.checked_add_days(Days::new(days))
}

fn of_text(text: &str) -> Option<NaiveDate> {
    let day = text.split([' ', 'T', '\u{3000}']).next().unwrap_or_default();
    let read = |format: &&str| NaiveDate::parse_from_str(day, format).ok();
    let with_marks = DAY_FORMATS.iter().find_map(read);
    with_marks.or_else(|| (day.len() == DIGITS_OF_A_DAY).then(|| read(&"%Y%m%d")).flatten())
}
