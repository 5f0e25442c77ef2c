//! `.csv`: UTF-8, UTF-16 with its mark, or GB18030 (GBK) as Excel for Windows writes it.

use std::borrow::Cow;

use application::imports::{Cell, Sheet};
use csv::{ReaderBuilder, StringRecord};
use encoding_rs::{Encoding, GB18030};

use super::SheetError;
use super::building::Building;

/// What may stand between two fields.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

pub(super) fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let text = decode(bytes)?;
    if text.trim().is_empty() {
        return Err(SheetError::Empty);
    }
    // No text has a NUL, and a page in HTML that is called .xls is no table.
    if text.contains('\0') || text.trim_start().starts_with('<') {
        return Err(SheetError::UnknownFormat);
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(&text))
        .from_reader(text.as_bytes());
    let mut sheet = Building::default();
    let mut record = StringRecord::new();
    let mut next_row = 0;
    loop {
        let before = reader.position().clone();
        if !reader.read_record(&mut record).map_err(|_| SheetError::Damaged)? {
            return sheet.finish();
        }
        let lines = reader.position().line() - before.line();
        let within = record.iter().map(|field| field.matches('\n').count() as u64).sum::<u64>();
        let unended = u64::from(!ended(&text, reader.position().byte()));
        // The reader skips empty lines; a spreadsheet counts them.
        let blank = (lines + unended).saturating_sub(within + 1);
        let row = next_row + u32::try_from(blank).unwrap_or(u32::MAX - next_row);
        for (column, field) in (0..).zip(&record) {
            sheet.put(row, column, Cell::Text(field.to_owned()))?;
        }
        next_row = row.saturating_add(1);
    }
}

/// Whether a line ends right before this byte.
fn ended(text: &str, byte: u64) -> bool {
    let at = usize::try_from(byte).unwrap_or(usize::MAX);
    at.checked_sub(1)
        .and_then(|last| text.as_bytes().get(last))
        .is_some_and(|last| matches!(last, b'\n' | b'\r'))
}

fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, SheetError> {
    let (encoding, body) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (encoding, &bytes[mark..]),
        None => match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(Cow::Borrowed(text)),
            Err(_) => (GB18030, bytes),
        },
    };
    match encoding.decode_without_bom_handling(body) {
        (text, false) => Ok(text),
        (_, true) => Err(SheetError::UnknownFormat),
    }
}

/// The mark that stands most often in the first line.
fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let times = |mark: &u8| first.bytes().filter(|byte| byte == mark).count();
    // Of equals the last one wins, so the usual one comes last.
    DELIMITERS.into_iter().rev().max_by_key(times).unwrap_or(b',')
}
