//! Judges every row of a sheet by itself and against the rows above it. Pure: the same file is judged the same way
//! whenever it comes.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::columns::OWNER;
use super::{COLUMNS, Cell, Header, MissingColumns, RowError, RowRefusal, Sheet, SheetRow, Unique};
use crate::forms::CreateCustomer;

/// Most violations told of one row.
const ROW_VIOLATIONS_MAX: usize = 5;

/// A sheet, judged.
#[derive(Debug, Default)]
pub struct Checked {
    /// Rows that may go in.
    pub good: Vec<GoodRow>,
    /// Rows that may not.
    pub refused: Vec<RowError>,
    /// Titles of columns that nothing was read from.
    pub ignored: Vec<String>,
}

/// A row that may go in.
#[derive(Debug)]
pub struct GoodRow {
    /// Its number in the sheet.
    pub number: u32,
    /// What it says, by the rules of the create form.
    pub form: CreateCustomer,
    /// The owner's user name or name, as it stands there; `None` when the cell is empty.
    pub owner: Option<String>,
}

/// Judges a sheet.
pub fn check(sheet: Sheet) -> Result<Checked, MissingColumns> {
    let header = Header::read(&sheet.header)?;
    let mut checked = Checked::default();
    let mut seen = Seen::default();
    for row in sheet.rows {
        let number = row.number;
        match read(&header, &row).and_then(|good| seen.first(good)) {
            Ok(good) => checked.good.push(good),
            Err(refusal) => checked.refused.push(RowError { row: number, refusal }),
        }
    }
    checked.ignored = header.ignored;
    Ok(checked)
}

/// Values of earlier rows, and which row has them.
#[derive(Default)]
struct Seen {
    phones: HashMap<String, u32>,
    wechats: HashMap<String, u32>,
}

impl Seen {
    fn first(&mut self, good: GoodRow) -> Result<GoodRow, RowRefusal> {
        let phone = good.form.profile.phone.as_ref().map(|phone| phone.as_str().to_owned());
        let wechat = good.form.profile.wechat_id.as_ref().map(|wechat| wechat.as_str().to_owned());
        let repeats = |unique, row: &u32| RowRefusal::Repeats { unique, row: *row };
        if let Some(row) = phone.as_ref().and_then(|phone| self.phones.get(phone)) {
            return Err(repeats(Unique::Phone, row));
        }
        if let Some(row) = wechat.as_ref().and_then(|wechat| self.wechats.get(wechat)) {
            return Err(repeats(Unique::Wechat, row));
        }
        self.phones.extend(phone.map(|phone| (phone, good.number)));
        self.wechats.extend(wechat.map(|wechat| (wechat, good.number)));
        Ok(good)
    }
}

fn read(header: &Header, row: &SheetRow) -> Result<GoodRow, RowRefusal> {
    let cell = |place: usize| row.cells.get(place).unwrap_or(&Cell::Empty);
    let empty = |(place, column): &(usize, &super::Column)| {
        (column.required && cell(*place).is_blank()).then_some(column.title)
    };
    let missing: Vec<_> = header.places.iter().filter_map(empty).collect();
    if !missing.is_empty() {
        return Err(RowRefusal::Missing(missing));
    }
    let mut members: Map<String, Value> =
        COLUMNS.iter().filter_map(|column| Some((column.key.to_owned(), json!(column.default?)))).collect();
    let mut owner = None;
    for (place, column) in &header.places {
        match cell(*place) {
            Cell::Fault(_) => return Err(RowRefusal::Fault { title: column.title }),
            cell if cell.is_blank() => {}
            cell if column.key == OWNER => owner = Some(cell.text()),
            cell => {
                members.insert(column.key.to_owned(), cell.member(column.kind));
            }
        }
    }
    let form = CreateCustomer::parse(Value::Object(members)).map_err(|mut errors| {
        errors.truncate(ROW_VIOLATIONS_MAX);
        RowRefusal::Invalid(errors)
    })?;
    Ok(GoodRow { number: row.number, form, owner })
}
