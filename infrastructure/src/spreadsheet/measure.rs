//! How large a file becomes in memory, found out without letting it.
//!
//! An `.xlsx` is an archive: a few kilobytes may unpack to gigabytes, and what it declares about itself need not be
//! true, so it is unpacked into nothing and counted. An `.xls` is read into dense tables as large as the rectangle
//! around its cells and its own declaration say, with every cell holding a copy of its text; both are added up here
//! from its records ([MS-XLS] 2.4), sheet by sheet as the reader goes.

use std::io::{self, Cursor, Read as _};

use application::imports::{COLUMNS_MAX, ROWS_MAX};
use zip::ZipArchive;

use super::{Limit, SheetError, TEXT_BYTES_MAX};

/// Most bytes of an archive once unpacked: 20 000 full rows are 30 MB of XML.
pub(super) const UNPACKED_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Most parts of an archive. A workbook has a dozen, and one a picture.
const PARTS_MAX: usize = 2000;

/// Most sheets of an `.xls`.
const SHEETS_MAX: usize = 64;

/// Most cells of the rectangles of an `.xls`.
const CELLS_MAX: usize = (ROWS_MAX + 1) * COLUMNS_MAX;

/// Most bytes of formulas of an `.xls`: the reader writes them out, names in place of their numbers.
const FORMULA_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes a character may take.
const CHAR_BYTES_MAX: usize = 3;

fn too_large(what: Limit, max: usize) -> SheetError {
    SheetError::TooLarge { what, max }
}

/// Unpacks an archive into nothing.
pub(super) fn archive(bytes: &[u8]) -> Result<(), SheetError> {
    let damaged = |_| SheetError::Damaged;
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if archive.len() > PARTS_MAX {
        return Err(too_large(Limit::Parts, PARTS_MAX));
    }
    let mut left = UNPACKED_BYTES_MAX as u64;
    for part in 0..archive.len() {
        let part = archive.by_index(part).map_err(damaged)?;
        let unpacked =
            io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(|_| SheetError::Damaged)?;
        left =
            left.checked_sub(unpacked).ok_or_else(|| too_large(Limit::UnpackedBytes, UNPACKED_BYTES_MAX))?;
    }
    Ok(())
}

/// Adds up what the sheets of a compound file hold.
pub(super) fn compound(bytes: &[u8]) -> Result<(), SheetError> {
    let mut file = cfb::CompoundFile::open(Cursor::new(bytes)).map_err(|_| SheetError::Damaged)?;
    if file.is_stream("EncryptedPackage") {
        return Err(SheetError::Protected);
    }
    let name = ["Workbook", "Book"].into_iter().find(|name| file.is_stream(name));
    let name = name.ok_or(SheetError::UnknownFormat)?;
    let mut book = Vec::new();
    let stream = file.open_stream(name).map_err(|_| SheetError::Damaged)?;
    stream.take(bytes.len() as u64).read_to_end(&mut book).map_err(|_| SheetError::Damaged)?;
    workbook(&book)
}

/// One record: its type and its data.
struct Records<'b>(&'b [u8]);

impl<'b> Iterator for Records<'b> {
    type Item = (u16, &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, length) = (u16_at(self.0, 0)?, u16_at(self.0, 2)?);
        let end = 4 + usize::from(length);
        let data = self.0.get(4..end)?;
        self.0 = &self.0[end..];
        Some((kind, data))
    }
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(data: &[u8], at: usize) -> Option<usize> {
    let number = u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?);
    usize::try_from(number).ok()
}

const BOF: u16 = 0x0809;
const EOF: u16 = 0x000a;
const BOUND_SHEET: u16 = 0x0085;
const SHARED_STRINGS: u16 = 0x00fc;
const CONTINUE: u16 = 0x003c;
const DIMENSIONS: u16 = 0x0200;
const FORMULA: u16 = 0x0006;
const LABEL_SST: u16 = 0x00fd;
const MUL_RK: u16 = 0x00bd;
/// Number, label, rich text, error, formula text, RK.
const OTHER_CELLS: [u16; 6] = [0x0203, 0x0204, 0x00d6, 0x0205, 0x0207, 0x027e];

fn workbook(book: &[u8]) -> Result<(), SheetError> {
    let mut sheets = Vec::new();
    let mut strings = Vec::new();
    let mut records = Records(book).peekable();
    while let Some((kind, data)) = records.next() {
        match kind {
            EOF => break,
            BOUND_SHEET => sheets.push(u32_at(data, 0).ok_or(SheetError::Damaged)?),
            SHARED_STRINGS => {
                let mut segments = vec![data.get(8..).unwrap_or_default()];
                while let Some((_, data)) = records.next_if(|(kind, _)| *kind == CONTINUE) {
                    segments.push(data);
                }
                strings = SharedStrings { segments, segment: 0, at: 0 }.lengths();
            }
            _ => {}
        }
    }
    if sheets.len() > SHEETS_MAX {
        return Err(too_large(Limit::Sheets, SHEETS_MAX));
    }
    let mut sum = Sum::default();
    for start in sheets {
        sum.add_sheet(book.get(start..).ok_or(SheetError::Damaged)?, &strings)?;
    }
    Ok(())
}

/// What was added up so far.
#[derive(Default)]
struct Sum {
    cells: usize,
    text_bytes: usize,
    formula_bytes: usize,
}

impl Sum {
    fn add_sheet(&mut self, sheet: &[u8], strings: &[usize]) -> Result<(), SheetError> {
        // Rows and columns of the rectangle: first and last.
        let mut rectangle: Option<[usize; 4]> = None;
        let mut depth = 0_usize;
        for (kind, data) in Records(sheet) {
            match kind {
                BOF => depth += 1,
                EOF if depth <= 1 => break,
                EOF => depth -= 1,
                DIMENSIONS => declared(data)?,
                FORMULA | LABEL_SST | MUL_RK => {
                    grow(&mut rectangle, kind, data);
                    self.add_cell(kind, data, strings)?;
                }
                kind if OTHER_CELLS.contains(&kind) => grow(&mut rectangle, kind, data),
                _ => {}
            }
        }
        let area = rectangle.map_or(0, |[top, bottom, left, right]| (bottom - top + 1) * (right - left + 1));
        self.add_cells(area)
    }

    fn add_cells(&mut self, cells: usize) -> Result<(), SheetError> {
        self.cells = self.cells.saturating_add(cells);
        if self.cells > CELLS_MAX { Err(too_large(Limit::Cells, CELLS_MAX)) } else { Ok(()) }
    }

    fn add_cell(&mut self, kind: u16, data: &[u8], strings: &[usize]) -> Result<(), SheetError> {
        match kind {
            FORMULA => self.formula_bytes += data.len(),
            LABEL_SST => {
                let chars = u32_at(data, 6).and_then(|index| strings.get(index)).copied().unwrap_or(0);
                self.text_bytes = self.text_bytes.saturating_add(chars * CHAR_BYTES_MAX);
            }
            _ => {}
        }
        if self.formula_bytes > FORMULA_BYTES_MAX {
            return Err(too_large(Limit::FormulaBytes, FORMULA_BYTES_MAX));
        }
        if self.text_bytes > CHAR_BYTES_MAX * TEXT_BYTES_MAX {
            return Err(too_large(Limit::TextBytes, TEXT_BYTES_MAX));
        }
        Ok(())
    }
}

/// The reader makes room for what the sheet declares: rows and columns, each from the first to behind the last.
fn declared(data: &[u8]) -> Result<(), SheetError> {
    let wide = data.len() >= 14; // BIFF8 counts rows in four bytes, older ones in two
    let short = |at| u16_at(data, at).map(usize::from);
    let rows = if wide { (u32_at(data, 0), u32_at(data, 4)) } else { (short(0), short(2)) };
    let columns = if wide { (short(8), short(10)) } else { (short(4), short(6)) };
    let ((Some(top), Some(bottom)), (Some(left), Some(right))) = (rows, columns) else {
        return Err(SheetError::Damaged);
    };
    if bottom == 0 || right == 0 {
        return Ok(()); // an empty sheet
    }
    let height = bottom.checked_sub(top).filter(|height| *height > 0).ok_or(SheetError::Damaged)?;
    // The reader takes a doubtful first column for the first one.
    let width = right.checked_sub(left).filter(|width| *width > 0 && left <= 0xff).unwrap_or(right);
    let area = height.saturating_mul(width);
    if area > CELLS_MAX { Err(too_large(Limit::Cells, CELLS_MAX)) } else { Ok(()) }
}

/// Makes a rectangle hold a cell, or the cells of a record with several.
fn grow(rectangle: &mut Option<[usize; 4]>, kind: u16, data: &[u8]) {
    let at = |place| u16_at(data, place).map(usize::from);
    let (Some(row), Some(first)) = (at(0), at(2)) else { return };
    let last = if kind == MUL_RK { data.len().checked_sub(2).and_then(at) } else { None };
    let last = last.unwrap_or(first).max(first);
    let [top, bottom, left, right] = rectangle.unwrap_or([row, row, first, last]);
    *rectangle = Some([top.min(row), bottom.max(row), left.min(first), right.max(last)]);
}

/// The table of shared texts, in the pieces its record was cut into.
struct SharedStrings<'b> {
    segments: Vec<&'b [u8]>,
    segment: usize,
    at: usize,
}

impl SharedStrings<'_> {
    /// Characters of each text.
    fn lengths(mut self) -> Vec<usize> {
        std::iter::from_fn(|| self.text()).collect()
    }

    fn rest(&mut self) -> Option<usize> {
        while self.at >= self.segments.get(self.segment)?.len() {
            self.segment += 1;
            self.at = 0;
        }
        Some(self.segments[self.segment].len() - self.at)
    }

    fn byte(&mut self) -> Option<u8> {
        self.rest()?;
        let byte = self.segments[self.segment][self.at];
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        (0..bytes).try_fold(0, |number, n| Some(number | usize::from(self.byte()?) << (8 * n)))
    }

    fn skip(&mut self, mut bytes: usize) -> Option<()> {
        while bytes > 0 {
            let step = bytes.min(self.rest()?);
            self.at += step;
            bytes -= step;
        }
        Some(())
    }

    /// One text: its length, its marks, its characters, then runs of formats and phonetics.
    fn text(&mut self) -> Option<usize> {
        let chars = self.number(2)?;
        let marks = self.byte()?;
        let runs = if marks & 0x08 != 0 { self.number(2)? } else { 0 };
        let phonetics = if marks & 0x04 != 0 { self.number(4)? } else { 0 };
        let mut width = 1 + usize::from(marks & 0x01);
        let mut left = chars;
        while left > 0 {
            let before = self.segment;
            let fits = self.rest()?;
            if self.segment != before {
                // A text that goes on in the next piece says again how wide its characters are.
                width = 1 + usize::from(self.byte()? & 0x01);
                continue;
            }
            let step = left.min(fits / width);
            if step == 0 {
                return None;
            }
            self.at += step * width;
            left -= step;
        }
        self.skip(4 * runs + phonetics)?;
        Some(chars)
    }
}
