//! Reading a foreign table: the statements follow from the mapping, every name quoted, every value bound.

use application::intake::{MalformedRow, PollPosition, SourceError, SourceRow, read_row};

use super::database::Database;
use super::shape::{Column, Fitted};
use super::talk::{Row, Value};

/// A row of a page in the order (`updated_at`, key).
pub(super) struct Placed {
    pub(super) row: Result<SourceRow, MalformedRow>,
    /// Where it stands.
    pub(super) position: PollPosition,
    /// Whether it says that it was changed later than now: no place from which to go on.
    pub(super) is_ahead: bool,
}

/// The columns that are read: the key, what is watched, and the moment of the last change.
fn selected(database: &dyn Database, fitted: &Fitted) -> Result<(String, Vec<String>), SourceError> {
    let mut names = vec![fitted.mapping.key.clone()];
    names.extend(fitted.mapping.watched().into_iter().map(ToOwned::to_owned));
    let updated_at = fitted.mapping.updated_at.clone();
    names.extend(updated_at.filter(|column| !names.contains(column)));
    let mut texts = Vec::new();
    for name in &names {
        texts.push(database.text_of(column(fitted, name)?));
    }
    Ok((texts.join(", "), names))
}

/// The table and one of its columns, told apart from the texts that are selected: PostgreSQL would order by those.
const ROW: &str = "leadwire_row";

fn table_of(database: &dyn Database, fitted: &Fitted) -> String {
    format!("{} {ROW}", database.quote(&fitted.mapping.table))
}

fn of_row(database: &dyn Database, column: &Column) -> String {
    format!("{ROW}.{}", database.quote(&column.name))
}

fn column<'a>(fitted: &'a Fitted, name: &str) -> Result<&'a Column, SourceError> {
    fitted.shape.column(name).ok_or_else(|| SourceError::Unsuitable {
        table: fitted.mapping.table.clone(),
        rule: format!("has no column `{name}`"),
    })
}

/// One row by its key.
pub(super) async fn one(
    database: &dyn Database,
    fitted: &Fitted,
    key: &str,
) -> Result<Option<SourceRow>, SourceError> {
    let (texts, names) = selected(database, fitted)?;
    let by = column(fitted, &fitted.mapping.key)?;
    let (table, name) = (table_of(database, fitted), of_row(database, by));
    let sql = format!("SELECT {texts} FROM {table} WHERE {name} = {}", database.bound(1, by));
    let rows = database.rows(&sql, &[Value::Text(key)]).await?;
    Ok(rows.first().map(|row| told(fitted, &names, row)).transpose()?)
}

/// A page in the order of the key.
pub(super) async fn page(
    database: &dyn Database,
    fitted: &Fitted,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Result<SourceRow, MalformedRow>>, SourceError> {
    let (texts, names) = selected(database, fitted)?;
    let by = column(fitted, &fitted.mapping.key)?;
    let (table, name) = (table_of(database, fitted), of_row(database, by));
    let (condition, values) = match &after {
        None => (format!("{name} IS NOT NULL"), Vec::new()),
        Some(after) => (format!("{name} > {}", database.bound(1, by)), vec![Value::Text(after)]),
    };
    let sql = format!("SELECT {texts} FROM {table} WHERE {condition} ORDER BY {name} LIMIT {limit}");
    let rows = database.rows(&sql, &values).await?;
    Ok(rows.iter().map(|row| told(fitted, &names, row)).collect())
}

/// A page in the order (`updated_at`, key). Rows without a moment are in no such order.
pub(super) async fn recent(
    database: &dyn Database,
    fitted: &Fitted,
    from: Option<&PollPosition>,
    limit: u32,
) -> Result<Vec<Placed>, SourceError> {
    let moment = fitted.mapping.updated_at.as_ref().ok_or_else(|| SourceError::Unsuitable {
        table: fitted.mapping.table.clone(),
        rule: "polling needs a column `updated_at`; name it in the mapping".to_owned(),
    })?;
    let (texts, names) = selected(database, fitted)?;
    let (moment, by) = (column(fitted, moment)?, column(fitted, &fitted.mapping.key)?);
    let (m, k) = (of_row(database, moment), of_row(database, by));
    let (condition, values) = match from {
        None => (format!("{m} IS NOT NULL"), Vec::new()),
        Some(PollPosition { updated_at, key: None }) => {
            (format!("{m} >= {}", database.bound(1, moment)), vec![Value::Text(updated_at)])
        }
        Some(PollPosition { updated_at, key: Some(key) }) => {
            let (above, at) = (database.bound(1, moment), database.bound(2, moment));
            let condition = format!("({m} > {above} OR ({m} = {at} AND {k} > {}))", database.bound(3, by));
            (condition, vec![Value::Text(updated_at), Value::Text(updated_at), Value::Text(key)])
        }
    };
    let table = table_of(database, fitted);
    let (at, ahead) = (database.text_of(moment), database.is_ahead(&m, moment));
    let sql = format!(
        "SELECT {texts}, {at}, CASE WHEN {ahead} THEN 'yes' ELSE 'no' END \
         FROM {table} WHERE {condition} ORDER BY {m}, {k} LIMIT {limit}"
    );
    let rows = database.rows(&sql, &values).await?;
    Ok(rows.iter().map(|row| placed(fitted, &names, row)).collect())
}

/// Whether a number is later than now as seconds since 1970, or as milliseconds, which are a thousand times as many.
/// `now` is now in seconds.
pub(super) fn epoch_ahead(number: &str, now: &str) -> String {
    /// No moment of ours in seconds, and every one in milliseconds, is above it.
    const SECONDS_MAX: i64 = 100_000_000_000;
    format!("{number} > CASE WHEN {number} > {SECONDS_MAX} THEN {now} * 1000 ELSE {now} END")
}

fn placed(fitted: &Fitted, names: &[String], row: &Row) -> Placed {
    let lossy = |place: usize| row[place].as_deref().map(|text| String::from_utf8_lossy(text).into_owned());
    let position = PollPosition {
        updated_at: lossy(names.len()).unwrap_or_default(),
        key: Some(lossy(0).unwrap_or_default()),
    };
    let is_ahead = lossy(names.len() + 1).as_deref() == Some("yes");
    Placed { row: told(fitted, names, row), position, is_ahead }
}

/// The row in a member's words. The first column is the key.
fn told(fitted: &Fitted, names: &[String], row: &Row) -> Result<SourceRow, MalformedRow> {
    let key = String::from_utf8_lossy(row[0].as_deref().unwrap_or_default()).into_owned();
    let mut values = Vec::with_capacity(names.len());
    for (name, cell) in names.iter().zip(row) {
        let text = cell.clone().map(String::from_utf8).transpose().map_err(|_| MalformedRow {
            key: key.clone(),
            column: name.clone(),
            rule: "is not UTF-8 text".to_owned(),
        })?;
        let offset = fitted.shape.column(name).and_then(|column| column.offset).unwrap_or_default();
        values.push(text.map(|text| text + offset));
    }
    let value = |column: &str| {
        let place = names.iter().position(|name| name == column)?;
        values[place].clone()
    };
    Ok(read_row(&fitted.mapping, &key, value))
}
