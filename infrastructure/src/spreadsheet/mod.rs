//! Spreadsheets: the first sheet of an `.xlsx`, `.xls` or `.csv` as cells, and the template people fill in.
//!
//! A file comes from a stranger. What it is, its content says and not its name; how large it becomes in memory is
//! measured before it is read (`measure`), because a small file may unfold into one that no memory holds. Reading is
//! work for the processor: call it where blocking is allowed. The libraries underneath may panic on a damaged file;
//! whoever calls takes that as [`SheetError::Damaged`].

mod building;
mod csv;
mod measure;
mod template;
#[cfg(test)]
mod tests;
mod xls;
mod xlsx;

use application::imports::Sheet;

pub use template::{TemplateError, template};

/// Most bytes of a file.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;

/// Most bytes of text in all cells together.
pub const TEXT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How a ZIP archive begins, which an `.xlsx` is.
const ZIP: &[u8] = b"PK\x03\x04";
/// How a compound file begins, which an `.xls` is, and an `.xlsx` with a password.
const COMPOUND: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// Why a file cannot be read. Never holds anything of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    /// It has no byte, or no header.
    #[error("the file is empty")]
    Empty,
    /// It is something else.
    #[error("the file is no .xlsx, .xls or .csv")]
    UnknownFormat,
    /// It opens with a password only.
    #[error("the file is protected by a password")]
    Protected,
    /// It is cut off or contradicts itself.
    #[error("the file is damaged")]
    Damaged,
    /// It goes beyond a limit.
    #[error("the file is too large: at most {max} {}", what.as_str())]
    TooLarge {
        /// Which limit.
        what: Limit,
        /// The most there may be.
        max: usize,
    },
}

/// A limit of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes of the file.
    Bytes,
    /// Bytes of the file once unpacked.
    UnpackedBytes,
    /// Parts of the archive.
    Parts,
    /// Sheets.
    Sheets,
    /// Rows with something in them.
    Rows,
    /// Columns.
    Columns,
    /// Cells, empty ones between others included.
    Cells,
    /// Characters of a cell.
    CellChars,
    /// Bytes of formulas.
    FormulaBytes,
    /// Bytes of text in all cells together.
    TextBytes,
}

impl Limit {
    /// The name for people, in Chinese.
    pub fn label(self) -> &'static str {
        match self {
            Self::Bytes => "文件字节数",
            Self::UnpackedBytes => "解压后字节数",
            Self::Parts => "文件部件数",
            Self::Sheets => "工作表数",
            Self::Rows => "行数",
            Self::Columns => "列数",
            Self::Cells => "单元格数",
            Self::CellChars => "单元格字符数",
            Self::FormulaBytes => "公式字节数",
            Self::TextBytes => "文本字节数",
        }
    }

    /// The name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::UnpackedBytes => "unpackedBytes",
            Self::Parts => "parts",
            Self::Sheets => "sheets",
            Self::Rows => "rows",
            Self::Columns => "columns",
            Self::Cells => "cells",
            Self::CellChars => "cellChars",
            Self::FormulaBytes => "formulaBytes",
            Self::TextBytes => "textBytes",
        }
    }
}

/// Reads the first sheet of a file.
pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::TooLarge { what: Limit::Bytes, max: FILE_BYTES_MAX });
    }
    if bytes.is_empty() {
        Err(SheetError::Empty)
    } else if bytes.starts_with(ZIP) {
        xlsx::read(bytes)
    } else if bytes.starts_with(COMPOUND) {
        xls::read(bytes)
    } else {
        csv::read(bytes)
    }
}
