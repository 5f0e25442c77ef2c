//! Files as people make them, and files as nobody should.

use application::imports::{COLUMNS, COLUMNS_MAX, Cell, Checked, ROWS_MAX, Sheet, check};
use chrono::NaiveDate;
use encoding_rs::{GBK, UTF_16LE};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::{Limit, SheetError, measure, read, template};

/// Made by `fixtures/leads_xls.py`.
const XLS: &[u8] = include_bytes!("fixtures/leads.xls");

const CSV: &str = "姓名,电话,线索来源\n王女士,13812345678,抖音\n";

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn day(year: i32, month: u32, day: u32) -> Cell {
    Cell::Day(NaiveDate::from_ymd_opt(year, month, day).unwrap())
}

fn book() -> Workbook {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (place, title) in (0..).zip(["姓名", "电话", "线索来源", "预产期", "薪资预算"]) {
        sheet.write_string(0, place, title).unwrap();
    }
    let date = Format::new().set_num_format("yyyy/m/d");
    let due = ExcelDateTime::from_ymd(2026, 1, 15).unwrap();
    sheet.write_string(1, 0, "王女士").unwrap().write_number(1, 1, 13_812_345_678.0).unwrap();
    sheet.write_string(1, 2, "抖音").unwrap().write_with_format(1, 3, &due, &date).unwrap();
    sheet.write_number(1, 4, 8000).unwrap();
    // Rows 3 and 4 are empty but for blanks.
    sheet.write_string(3, 0, "  ").unwrap();
    sheet.write_formula(4, 0, Formula::new("=\"李\"&\"先生\"").set_result("李先生")).unwrap();
    sheet.write_boolean(4, 2, true).unwrap();
    book.add_worksheet().write_string(0, 0, "不读").unwrap();
    book
}

fn rows(sheet: &Sheet) -> Vec<(u32, &[Cell])> {
    sheet.rows.iter().map(|row| (row.number, row.cells.as_slice())).collect()
}

fn csv_rows(csv: &str) -> Vec<(u32, Vec<String>)> {
    let sheet = read(csv.as_bytes()).unwrap();
    sheet.rows.iter().map(|row| (row.number, row.cells.iter().map(Cell::text).collect())).collect()
}

#[test]
fn an_xlsx_is_its_first_sheet_with_numbers_dates_and_results_of_formulas() {
    let sheet = read(&book().save_to_buffer().unwrap()).unwrap();
    assert_eq!(sheet.header[0], text("姓名"));
    assert_eq!(sheet.header.len(), 5);
    let first = [
        text("王女士"),
        Cell::Number(13_812_345_678.0),
        text("抖音"),
        day(2026, 1, 15),
        Cell::Number(8000.0),
    ];
    let last = [text("李先生"), Cell::Empty, text("TRUE")];
    assert_eq!(rows(&sheet), [(2, &first[..]), (5, &last[..])]);
}

#[test]
fn an_xls_is_read_like_an_xlsx() {
    let sheet = read(XLS).unwrap();
    assert_eq!(
        sheet.header.iter().map(Cell::text).collect::<Vec<_>>(),
        ["姓名", "电话", "线索来源", "期望上户日期", "薪资预算", "备注"]
    );
    assert_eq!(
        sheet.rows[0].cells[..5],
        [
            text("王女士"),
            Cell::Number(13_812_345_678.0),
            text("抖音"),
            day(2025, 12, 1),
            Cell::Number(8000.0)
        ]
    );
    assert_eq!(sheet.rows[1].cells[5], text(&"长".repeat(9000)), "a text in several records");
    assert_eq!(sheet.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 3, 4, 7]);
}

#[test]
fn a_csv_comes_in_the_encodings_of_spreadsheets() {
    let marked = [&b"\xef\xbb\xbf"[..], CSV.as_bytes()].concat();
    let (gbk, _, _) = GBK.encode(CSV);
    let utf16 = CSV.replace(',', "\t").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let utf16 = [&b"\xff\xfe"[..], &utf16].concat();
    assert!(UTF_16LE.decode(&utf16).0.contains("姓名"));
    let rare = CSV.replace("王女士", "㐂㒨𠮷"); // outside of GBK, inside of GB18030
    let (gb18030, _, _) = encoding_rs::GB18030.encode(&rare);
    for (file, name) in [
        (CSV.as_bytes(), "王女士"),
        (&marked, "王女士"),
        (&gbk, "王女士"),
        (&utf16, "王女士"),
        (CSV.replace(',', ";").as_bytes(), "王女士"),
        (&gb18030, "㐂㒨𠮷"),
    ] {
        let sheet = read(file).unwrap();
        assert_eq!(sheet.header, [text("姓名"), text("电话"), text("线索来源")]);
        assert_eq!(rows(&sheet), [(2, &[text(name), text("13812345678"), text("抖音")][..])]);
    }
}

#[test]
fn rows_of_a_csv_have_the_numbers_of_the_spreadsheet() {
    for (csv, numbers) in [
        ("a,b\n1,2\n3,4\n", vec![2, 3]),
        ("a,b\n1,2\n3,4", vec![2, 3]),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", vec![2, 4]),
        ("a,b\n\n\n1,2\n\n3,4", vec![4, 6]),
        ("a,b\n\"x\ny\nz\",2\n3,4\n", vec![2, 3]),
        ("a,b\n\"x\r\ny\",2\n\n3,\"4\n4\"", vec![2, 4]),
        ("a,b\n,\n3,4\n", vec![3]),
    ] {
        assert_eq!(
            csv_rows(csv).into_iter().map(|(number, _)| number).collect::<Vec<_>>(),
            numbers,
            "{csv:?}"
        );
    }
    assert_eq!(
        csv_rows("a,b\n\"say \"\"hi\"\", you\",2\n"),
        [(2, vec!["say \"hi\", you".to_owned(), "2".to_owned()])]
    );
}

#[test]
fn what_is_no_spreadsheet_is_told_from_what_is_damaged() {
    let whole = book().save_to_buffer().unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 3;
    flipped[middle..middle + 64].fill(0xaa);
    for (file, expected) in [
        (&b""[..], SheetError::Empty),
        (b" \n\n", SheetError::Empty),
        (b"\xef\xbb\xbf", SheetError::Empty),
        (
            b"<html><table><tr><td>\xe5\xa7\x93\xe5\x90\x8d</td></tr></table></html>",
            SheetError::UnknownFormat,
        ),
        (b"a,b\n1,\0\n", SheetError::UnknownFormat),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", SheetError::UnknownFormat),
        (b"PK\x03\x04", SheetError::Damaged),
        (&whole[..whole.len() / 2], SheetError::Damaged),
        (&flipped, SheetError::Damaged),
        (&XLS[..XLS.len() / 2], SheetError::Damaged),
        (&XLS[..600], SheetError::Damaged),
    ] {
        assert_eq!(read(file), Err(expected), "{} bytes", file.len());
    }
}

#[test]
fn an_archive_is_measured_before_it_is_read() {
    use std::io::Write as _;
    let mut bomb = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    bomb.start_file("xl/workbook.xml", zip::write::SimpleFileOptions::default()).unwrap();
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..=measure::UNPACKED_BYTES_MAX / zeros.len() {
        bomb.write_all(&zeros).unwrap();
    }
    let bomb = bomb.finish().unwrap().into_inner();
    assert!(bomb.len() < 1024 * 1024, "{}", bomb.len());
    let max = measure::UNPACKED_BYTES_MAX;
    assert_eq!(read(&bomb), Err(SheetError::TooLarge { what: Limit::UnpackedBytes, max }));
}

#[test]
fn an_old_workbook_is_measured_before_it_is_read() {
    // The rectangle of the first sheet, as it declares it: type 0x0200, 14 bytes.
    let at = XLS.windows(4).position(|bytes| bytes == [0x00, 0x02, 14, 0]).unwrap() + 4;
    let mut huge = XLS.to_vec();
    huge[at + 4..at + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&huge), Err(SheetError::TooLarge { what: Limit::Cells, .. })));
    // A number in the last row: type 0x0203, 14 bytes, then the row.
    let at = XLS.windows(4).position(|bytes| bytes == [0x03, 0x02, 14, 0]).unwrap() + 4;
    let mut far = XLS.to_vec();
    far[at..at + 4].copy_from_slice(&[0xff, 0xff, 0xff, 0x00]);
    assert!(matches!(read(&far), Err(SheetError::TooLarge { what: Limit::Cells, .. })));
}

#[test]
fn every_limit_is_kept() {
    let wide = format!("{}x\n1,2\n", "c,".repeat(COLUMNS_MAX));
    assert_eq!(read(wide.as_bytes()), Err(SheetError::TooLarge { what: Limit::Columns, max: COLUMNS_MAX }));
    let most = format!("a\n{}", "1\n".repeat(ROWS_MAX));
    assert_eq!(read(most.as_bytes()).unwrap().rows.len(), ROWS_MAX);
    let many = format!("{most}\n\n1\n");
    assert_eq!(read(many.as_bytes()), Err(SheetError::TooLarge { what: Limit::Rows, max: ROWS_MAX }));
    let long = format!("a\n{}\n", "长".repeat(32_768));
    assert!(matches!(read(long.as_bytes()), Err(SheetError::TooLarge { what: Limit::CellChars, .. })));
    let large = vec![b'a'; super::FILE_BYTES_MAX + 1];
    assert!(matches!(read(&large), Err(SheetError::TooLarge { what: Limit::Bytes, .. })));
}

#[test]
fn damage_anywhere_is_an_error_or_a_sheet_and_never_more() {
    let whole = book().save_to_buffer().unwrap();
    for original in [&whole[..], XLS] {
        let mut damaged = 0;
        for step in 0..400 {
            let mut file = original.to_vec();
            // Spread over the file, reproducible.
            let at = step * 7919 % file.len();
            file[at] ^= 0x5a;
            // The library may panic; whoever calls takes that as damage. It comes back, that is what counts.
            let outcome = std::panic::catch_unwind(|| read(&file)).unwrap_or(Err(SheetError::Damaged));
            damaged += usize::from(outcome.is_err());
        }
        assert!(damaged > 0, "damage is noticed");
    }
}

#[test]
fn the_template_is_a_file_that_can_be_imported() {
    let bytes = template().unwrap();
    let sheet = read(&bytes).unwrap();
    assert_eq!(sheet.header.len(), COLUMNS.len());
    let Checked { good, refused, ignored } = check(sheet).unwrap();
    assert_eq!((good.len(), refused, ignored), (1, vec![], vec![]));
    assert_eq!(good[0].form.profile.name, "王女士");
    assert!(good[0].form.profile.expected_start_date.is_some());
}
