//! A sheet that grows cell by cell, within its limits.

use application::imports::{CELL_CHARS_MAX, COLUMNS_MAX, Cell, ROWS_MAX, Sheet, SheetRow};

use super::{Limit, SheetError, TEXT_BYTES_MAX};

/// A sheet that is being read.
#[derive(Debug, Default)]
pub(super) struct Building {
    sheet: Sheet,
    /// Index of the row that grows, from 0, and its cells.
    row: u32,
    cells: Vec<Cell>,
    text_bytes: usize,
}

impl Building {
    /// Puts a cell; rows come in order. Indices are from 0. Blank cells cost nothing.
    pub(super) fn put(&mut self, row: u32, column: u32, cell: Cell) -> Result<(), SheetError> {
        if cell.is_blank() {
            return Ok(());
        }
        let column = column as usize;
        if column >= COLUMNS_MAX {
            return Err(SheetError::TooLarge { what: Limit::Columns, max: COLUMNS_MAX });
        }
        if let Cell::Text(text) = &cell {
            self.text_bytes += text.len();
            if text.chars().count() > CELL_CHARS_MAX {
                return Err(SheetError::TooLarge { what: Limit::CellChars, max: CELL_CHARS_MAX });
            }
            if self.text_bytes > TEXT_BYTES_MAX {
                return Err(SheetError::TooLarge { what: Limit::TextBytes, max: TEXT_BYTES_MAX });
            }
        }
        if row < self.row {
            return Err(SheetError::Damaged);
        }
        if row > self.row {
            self.end_row()?;
            self.row = row;
        }
        if self.cells.len() <= column {
            self.cells.resize(column + 1, Cell::Empty);
        }
        self.cells[column] = cell;
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), SheetError> {
        let cells = std::mem::take(&mut self.cells);
        if cells.is_empty() {
            return Ok(());
        }
        if self.row == 0 {
            self.sheet.header = cells;
            return Ok(());
        }
        if self.sheet.rows.len() >= ROWS_MAX {
            return Err(SheetError::TooLarge { what: Limit::Rows, max: ROWS_MAX });
        }
        self.sheet.rows.push(SheetRow { number: self.row.saturating_add(1), cells });
        Ok(())
    }

    /// The sheet. Without anything in it the file is empty.
    pub(super) fn finish(mut self) -> Result<Sheet, SheetError> {
        self.end_row()?;
        if self.sheet.header.is_empty() && self.sheet.rows.is_empty() {
            return Err(SheetError::Empty);
        }
        Ok(self.sheet)
    }
}
