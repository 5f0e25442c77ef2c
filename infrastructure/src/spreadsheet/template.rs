//! The template of an import: a header, an example, lists to choose from, and a sheet that explains.

use application::imports::{COLUMNS, Column, Kind, ROWS_MAX};
use rust_xlsxwriter::{
    Color, DataValidation, DataValidationErrorStyle, ExcelDateTime, Format, Workbook, Worksheet, XlsxError,
};

/// Name of the sheet that is filled in.
const SHEET: &str = "客户导入";
/// Name of the sheet that explains.
const EXPLANATIONS: &str = "填写说明";
/// Width of a column, in characters.
const WIDTH: u16 = 16;
/// Width of the explanations, in characters.
const WIDE: u16 = 60;
/// Behind the titles of required columns.
const REQUIRED: Color = Color::RGB(0x00FF_E699);
/// Behind the other titles.
const OPTIONAL: Color = Color::RGB(0x00DD_EBF7);
/// When the template was made, as far as its properties say: the same every time.
const MADE: (u16, u8, u8) = (2025, 1, 1);

/// The template could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the import template cannot be written: {0}")]
pub struct TemplateError(#[from] XlsxError);

/// Writes the template.
pub fn template() -> Result<Vec<u8>, TemplateError> {
    let mut book = Workbook::new();
    let (year, month, day) = MADE;
    let made = ExcelDateTime::from_ymd(year, month, day)?;
    book.set_properties(&rust_xlsxwriter::DocProperties::new().set_creation_datetime(&made));
    fill_in(book.add_worksheet())?;
    explain(book.add_worksheet())?;
    Ok(book.save_to_buffer()?)
}

fn fill_in(sheet: &mut Worksheet) -> Result<(), XlsxError> {
    sheet.set_name(SHEET)?.set_freeze_panes(1, 0)?;
    let bottom = u32::try_from(ROWS_MAX).unwrap_or(u32::MAX);
    for (place, column) in (0..).zip(&COLUMNS) {
        sheet.set_column_width(place, WIDTH)?;
        sheet.write_string_with_format(0, place, column.title, &title(column))?;
        match (column.kind, column.example.parse::<f64>()) {
            (Kind::Number, Ok(example)) => sheet.write_number(1, place, example)?,
            // Text, so that a spreadsheet keeps telephone numbers and dates as they are typed.
            _ => sheet.write_string(1, place, column.example)?,
        };
        if column.kind != Kind::Number {
            sheet.set_column_format(place, &Format::new().set_num_format("@"))?;
        }
        if let Some(codes) = column.codes {
            let choice = DataValidation::new().allow_list_strings(&codes())?;
            let choice = choice.set_error_style(DataValidationErrorStyle::Stop);
            sheet.add_data_validation(1, place, bottom, place, &choice)?;
        }
    }
    Ok(())
}

fn title(column: &Column) -> Format {
    let colour = if column.required { REQUIRED } else { OPTIONAL };
    Format::new().set_bold().set_background_color(colour)
}

fn explain(sheet: &mut Worksheet) -> Result<(), XlsxError> {
    sheet.set_name(EXPLANATIONS)?;
    let bold = Format::new().set_bold();
    let wrapped = Format::new().set_text_wrap();
    let titles =
        ["列 Column", "英文列名 English title", "必填 Required", "说明", "Explanation", "可选值 Values"];
    for (place, text) in (0..).zip(titles) {
        sheet.write_string_with_format(0, place, text, &bold)?;
        sheet.set_column_width(place, if place < 3 { WIDTH } else { WIDE })?;
    }
    for (row, column) in (1..).zip(&COLUMNS) {
        let (zh, en) = column.explanation;
        let values = column.codes.map(|codes| codes().join("、")).unwrap_or_default();
        let required = if column.required { "是 yes" } else { "否 no" };
        for (place, text) in (0..).zip([column.title, column.english, required, zh, en, &values]) {
            sheet.write_string_with_format(row, place, text, &wrapped)?;
        }
    }
    let notes = [
        "第1行是列名，从第2行开始填写；示例行请删除或改写。",
        "Row 1 holds the titles; fill in from row 2 on, and delete or overwrite the example.",
    ];
    let below = u32::try_from(COLUMNS.len()).unwrap_or(0) + 2;
    for (row, note) in (below..).zip(notes) {
        sheet.write_string(row, 0, note)?;
    }
    Ok(())
}
