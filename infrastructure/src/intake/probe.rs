//! `leadwire intake check`: privileges, triggers, and a probe that is taken back.

use application::intake::{CheckReport, Engine, Mapping, Mode, Operation, SourceError, Verdict};

use super::database::{Database, Value};
use super::plan::{self, Installed};
use super::shape::{Column, Fitted, Kind};
use super::{names, select, table};

/// The text a probe writes where a text must stand.
pub(super) const PROBE_TEXT: &str = "leadwire-probe";

/// Looks at everything in order; what cannot be looked at any more is left out.
pub(super) async fn check(
    database: &dyn Database,
    mapping: &Mapping,
    mode: Mode,
) -> Result<CheckReport, SourceError> {
    let mut report = CheckReport::default();
    let fitted = match database.shape(&mapping.table).await?.fit(mapping) {
        Ok(fitted) => fitted,
        Err(error) => {
            report.found("table", Verdict::Failed, error.to_string());
            return Ok(report);
        }
    };
    let columns = fitted.mapping.watched().len();
    report.found(
        "table",
        Verdict::Good,
        format!("`{}` has its key and {columns} columns that are watched", mapping.table),
    );
    let first = match select::page(database, &fitted, None, 1).await {
        Ok(rows) => {
            rows.into_iter().next().map(|row| row.map_or_else(|malformed| malformed.key, |row| row.key))
        }
        Err(error) => {
            report.found("privileges", Verdict::Failed, error.to_string());
            return Ok(report);
        }
    };
    match mode {
        Mode::Poll => poll(database, &fitted, &mut report).await?,
        Mode::Triggers => triggers(database, &fitted, first.as_deref(), &mut report).await?,
    }
    Ok(report)
}

async fn poll(database: &dyn Database, fitted: &Fitted, report: &mut CheckReport) -> Result<(), SourceError> {
    if let Err(error) = select::recent(database, fitted, None, 1).await {
        report.found("privileges", Verdict::Failed, error.to_string());
        return Ok(());
    }
    report.found("privileges", Verdict::Good, "the table can be read in the order of its changes");
    let moment = database.quote(fitted.mapping.updated_at.as_deref().unwrap_or_default());
    let sql =
        format!("SELECT 1 FROM {} WHERE {moment} IS NULL LIMIT 1", database.quote(&fitted.mapping.table));
    if !database.exists(&sql).await? {
        return Ok(());
    }
    report.found(
        "order",
        Verdict::Warning,
        format!("some rows have no {moment}: polling never sees them, only reconciliation does"),
    );
    Ok(())
}

async fn triggers(
    database: &dyn Database,
    fitted: &Fitted,
    first: Option<&str>,
    report: &mut CheckReport,
) -> Result<(), SourceError> {
    let installed = database.installed().await?;
    if !installed.has_capture() {
        report.found("capture table", Verdict::Failed, SourceError::NotInstalled.to_string());
        return Ok(());
    }
    if installed.capture != plan::CAPTURE_COLUMNS {
        let foreign = SourceError::Foreign(format!("a table `{}`", names::CAPTURE));
        report.found("capture table", Verdict::Failed, foreign.to_string());
        return Ok(());
    }
    report.found("capture table", Verdict::Good, format!("`{}` is there", names::CAPTURE));
    for statement in database.statements().allowed {
        if let Err(error) = database.run(statement, &[]).await {
            report.found("privileges", Verdict::Failed, error.to_string());
            return Ok(());
        }
    }
    report.found("privileges", Verdict::Good, "rows can be claimed, finished and taken away");
    let whole = present(database, fitted, &installed, report);
    if whole {
        probe(database, fitted, first, report).await?;
    }
    let (verdict, said) = database.guarantee();
    report.found("members' own statements", verdict, said);
    Ok(())
}

/// Whether every trigger is there, in this version, and on.
fn present(
    database: &dyn Database,
    fitted: &Fitted,
    installed: &Installed,
    report: &mut CheckReport,
) -> bool {
    let mut whole = true;
    for wanted in database.triggers(&fitted.mapping, &fitted.shape) {
        let name = &wanted.name;
        let said = match installed.trigger(name) {
            None => format!("`{name}` is missing, or this user may not see it"),
            Some(present) if !present.body.contains(&wanted.mark) => {
                format!("`{name}` is of another version or for other columns; run `leadwire intake install`")
            }
            Some(present) if !present.enabled => format!("`{name}` is switched off"),
            Some(_) => continue,
        };
        whole = false;
        report.found("triggers", Verdict::Failed, said);
    }
    if whole {
        report.found("triggers", Verdict::Good, "all are there, in this version");
    }
    whole
}

/// Inserts a row and changes one, each in a transaction that is rolled back. A user who may only read cannot, and a table
/// may refuse the row that we make up; that proves nothing against the triggers.
async fn probe(
    database: &dyn Database,
    fitted: &Fitted,
    first: Option<&str>,
    report: &mut CheckReport,
) -> Result<(), SourceError> {
    if !fitted.shape.transactional {
        report.found("probe", Verdict::Warning, "not tried: a change of this table cannot be taken back");
        return Ok(());
    }
    let mut tried = Vec::new();
    // Unless the table is empty, an insert costs MariaDB's members a number, although it is taken back.
    let costs = database.engine() == Engine::Mysql && first.is_some() && change(database, fitted).is_some();
    if let Some((sql, key)) = insertion(database, fitted).filter(|_| !costs) {
        tried.push(("an insert", sql, Vec::new(), key, Operation::Insert));
    }
    if let (Some(key), Some(sql)) = (first, change(database, fitted)) {
        tried.push(("an update", sql, vec![Value::Text(key)], key.to_owned(), Operation::Update));
    }
    if tried.is_empty() {
        report.found(
            "probe",
            Verdict::Warning,
            "not tried: no row can be made up for this table, and it has none",
        );
    }
    for (what, sql, values, key, operation) in tried {
        let asked = [Value::Text(&fitted.mapping.table), Value::Text(&key), Value::Text(operation.as_str())];
        match database.rehearse((&sql, &values), (database.statements().arrived, &asked)).await {
            Ok(rows) => {
                let count: i64 = rows.first().map_or(Ok(0), |row| table::number(row, 0))?;
                if count > 0 {
                    report.found("probe", Verdict::Good, format!("{what} arrived, and was taken back"));
                } else {
                    report.found("probe", Verdict::Failed, format!("{what} did not arrive"));
                }
            }
            Err(error @ SourceError::Unreachable(_)) => return Err(error),
            Err(error) => {
                report.found("probe", Verdict::Warning, format!("{what} could not be tried: {error}"));
            }
        }
    }
    Ok(())
}

/// An insert of a row with what must not be missing, and its key.
fn insertion(database: &dyn Database, fitted: &Fitted) -> Option<(String, String)> {
    let key = fitted.shape.column(&fitted.mapping.key)?;
    let needed = |column: &&Column| !column.generated && !column.nullable && !column.has_default;
    let columns: Vec<&Column> =
        fitted.shape.columns.iter().filter(needed).filter(|column| column.name != key.name).collect();
    let all: Vec<&Column> = std::iter::once(key).chain(columns).collect();
    let values: Vec<String> = all.iter().map(|column| database.sample(column)).collect::<Option<_>>()?;
    let quoted: Vec<String> = all.iter().map(|column| database.quote(&column.name)).collect();
    Some((database.insert(&fitted.mapping.table, &quoted, &values), sampled(key)?))
}

/// How the sample of a key reads as text.
fn sampled(key: &Column) -> Option<String> {
    match key.kind {
        Kind::Integer { .. } => Some("0".to_owned()),
        Kind::Text => Some(probe_text(key)),
        Kind::Uuid => Some(uuid::Uuid::nil().to_string()),
        _ => None,
    }
}

/// The probe's text, no longer than the column.
pub(super) fn probe_text(column: &Column) -> String {
    let most = column.chars_max.and_then(|most| usize::try_from(most).ok()).unwrap_or(PROBE_TEXT.len());
    PROBE_TEXT.chars().take(most).collect()
}

/// A change of one row in a column that may be empty.
fn change(database: &dyn Database, fitted: &Fitted) -> Option<String> {
    let watched = fitted.mapping.watched();
    let (column, sample) = watched.iter().find_map(|name| {
        let column = fitted.shape.column(name).filter(|column| column.nullable && !column.generated)?;
        Some((column, database.sample(column)?))
    })?;
    let key = fitted.shape.column(&fitted.mapping.key)?;
    let (table, name) = (database.quote(&fitted.mapping.table), database.quote(&column.name));
    let (by, bound) = (database.quote(&key.name), database.bound(1, key));
    Some(format!(
        "UPDATE {table} SET {name} = CASE WHEN {name} IS NULL THEN {sample} END WHERE {by} = {bound}"
    ))
}
