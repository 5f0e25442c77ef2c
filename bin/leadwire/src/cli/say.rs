//! The one door to the terminal: results go to standard output, remarks to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Prints one line of the result. A reader that went away, as behind `| head`, ends the command quietly.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}").context("the output cannot be written")
}

/// Prints the result as JSON, indented.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints one line of JSON: one of many.
pub(crate) fn json_line(value: &impl Serialize) -> Result<()> {
    line(serde_json::to_string(value)?)
}

/// Prints a table with the columns lined up.
pub(crate) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> Result<()> {
    let mut widths = heads.map(width);
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    line(lined_up(&heads.map(str::to_owned), &widths))?;
    rows.iter().try_for_each(|row| line(lined_up(row, &widths)))
}

/// Says something about the work that is not its result.
pub(crate) fn remark(text: impl std::fmt::Display) {
    // Nobody listening is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a question without a line end, for an answer on the same line.
pub(crate) fn ask(question: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "{question}").and_then(|()| out.flush());
}

/// Whether a person sees what is printed as remarks.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

fn lined_up<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> String {
    let mut text = String::new();
    for (cell, wanted) in cells.iter().zip(widths) {
        text.push_str(cell);
        text.push_str(&" ".repeat(wanted - width(cell) + 2));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Columns a text takes on a terminal: Chinese characters take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if ('\u{1100}'..='\u{ffe6}').contains(&c) && !c.is_ascii() { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_lined_up_also_behind_chinese() {
        let widths = [6, 3];
        assert_eq!(lined_up(&["张三".to_owned(), "abc".to_owned()], &widths), "张三    abc");
        assert_eq!(lined_up(&["abcdef".to_owned(), "x".to_owned()], &widths), "abcdef  x");
    }
}
