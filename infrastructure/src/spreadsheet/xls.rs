//! `.xls`: the library reads it as a whole, so its size is measured first.

use std::io::Cursor;

use application::imports::{Cell, Sheet};
use calamine::{Data, Reader, SheetType, Xls, XlsError};

use super::building::Building;
use super::{SheetError, measure, xlsx};

pub(super) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    measure::compound(bytes)?;
    let mut book = Xls::new(Cursor::new(bytes)).map_err(failed)?;
    let sheets = book.sheets_metadata();
    let first = sheets.iter().find(|sheet| sheet.typ == SheetType::WorkSheet);
    let name = first.map(|sheet| sheet.name.clone()).ok_or(SheetError::Empty)?;
    let cells = book.worksheet_range(&name).map_err(failed)?;
    drop(book);
    let (top, left) = cells.start().unwrap_or_default();
    let mut sheet = Building::default();
    for (row, cells) in (top..).zip(cells.rows()) {
        for (column, cell) in (left..).zip(cells) {
            sheet.put(row, column, value(cell))?;
        }
    }
    sheet.finish()
}

fn value(value: &Data) -> Cell {
    match value {
        Data::Empty => Cell::Empty,
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => Cell::Text(text.clone()),
        #[expect(clippy::cast_precision_loss, reason = "a cell holds 15 digits")]
        Data::Int(number) => Cell::Number(*number as f64),
        Data::Float(number) => Cell::Number(*number),
        Data::Bool(yes) => Cell::Text(if *yes { "TRUE" } else { "FALSE" }.to_owned()),
        Data::DateTime(moment) => xlsx::day(moment),
        Data::Error(error) => Cell::Fault(error.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn failed(error: XlsError) -> SheetError {
    match error {
        XlsError::Password => SheetError::Protected,
        _ => SheetError::Damaged,
    }
}
