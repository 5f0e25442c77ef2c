//! `.xlsx`: read cell by cell as a stream.

use std::io::Cursor;

use application::imports::{Cell, Sheet};
use calamine::{DataRef, ExcelDateTime, Reader, SheetType, Xlsx, XlsxError};
use chrono::NaiveDate;

use super::building::Building;
use super::{SheetError, measure};

pub(super) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    measure::archive(bytes)?;
    let mut book = Xlsx::new(Cursor::new(bytes)).map_err(failed)?;
    let sheets = book.sheets_metadata();
    let first = sheets.iter().find(|sheet| sheet.typ == SheetType::WorkSheet);
    let name = first.map(|sheet| sheet.name.clone()).ok_or(SheetError::Empty)?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(failed)?;
    let mut sheet = Building::default();
    while let Some(cell) = cells.next_cell().map_err(failed)? {
        let (row, column) = cell.get_position();
        sheet.put(row, column, value(cell.get_value()))?;
    }
    sheet.finish()
}

fn value(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cell::Text(text.clone())
        }
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        #[expect(clippy::cast_precision_loss, reason = "a cell holds 15 digits")]
        DataRef::Int(number) => Cell::Number(*number as f64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::Bool(yes) => Cell::Text(if *yes { "TRUE" } else { "FALSE" }.to_owned()),
        DataRef::DateTime(moment) => day(moment),
        DataRef::Error(error) => Cell::Fault(error.to_string()),
    }
}

/// The day of a cell that is formatted as a date; a duration is no day.
pub(super) fn day(moment: &ExcelDateTime) -> Cell {
    let (year, month, day, ..) = moment.to_ymd_hms_milli();
    let day = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
    match day.filter(|_| moment.is_datetime() && moment.as_f64() >= 1.0) {
        Some(day) => Cell::Day(day),
        None => Cell::Number(moment.as_f64()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn failed(error: XlsxError) -> SheetError {
    match error {
        XlsxError::Password => SheetError::Protected,
        _ => SheetError::Damaged,
    }
}
