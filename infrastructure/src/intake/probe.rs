//! Whether a change of the table arrives in the capture table: one is made and taken back.

use application::intake::{CheckReport, Engine, Operation, SourceError, Verdict};

use super::database::Database;
use super::shape::{Column, Fitted, Kind};
use super::talk::{Rehearsal, Value};
use super::{error, table};

/// The text a probe writes where a text must stand.
const PROBE_TEXT: &str = "leadwire-probe";

/// Most names of somebody's triggers that are listed.
const LISTED_MAX: usize = 5;

/// A change to try.
struct Trial {
    what: &'static str,
    sql: String,
    /// What keeps others from the row.
    lock: Option<String>,
    key: String,
    operation: Operation,
}

/// Inserts a row and changes one, each in a transaction that is rolled back. A user who may only read cannot, and a table
/// may refuse the row that we make up; that proves nothing against the triggers.
pub(super) async fn probe(
    database: &dyn Database,
    fitted: &Fitted,
    first: Option<&str>,
    report: &mut CheckReport,
) -> Result<(), SourceError> {
    if !fitted.shape.transactional {
        report.found("probe", Verdict::Warning, "not tried: a change of this table cannot be taken back");
        return Ok(());
    }
    let beside = beside(database, fitted).await?;
    if !beside.is_empty() && !database.takes_triggers_back() {
        let said = format!(
            "not tried: the table has triggers of its own ({beside}), and what they do in tables without transactions \
             could not be taken back"
        );
        report.found("probe", Verdict::Warning, said);
        return Ok(());
    }
    let trials = trials(database, fitted, first);
    if trials.is_empty() {
        report.found(
            "probe",
            Verdict::Warning,
            "not tried: no row can be made up for this table, and it has none",
        );
    } else if !beside.is_empty() {
        let said = format!(
            "the table's own triggers ({beside}) ran with the probe; what they did in this database was taken back, but \
             no number that they took from a sequence and nothing that they did elsewhere"
        );
        report.found("probe's traces", Verdict::Warning, said);
    }
    for trial in trials {
        let (verdict, said) = attempt(database, fitted, &trial).await?;
        report.found("probe", verdict, said);
    }
    Ok(())
}

/// Triggers of the table that are somebody else's, by name.
async fn beside(database: &dyn Database, fitted: &Fitted) -> Result<String, SourceError> {
    let values = [Value::Text(&fitted.mapping.table)];
    let rows = database.rows(database.statements().beside, &values).await?;
    let names: Vec<String> =
        rows.iter().take(LISTED_MAX).map(|row| table::text(row, 0)).collect::<Result<_, _>>()?;
    Ok(names.join(", "))
}

fn trials(database: &dyn Database, fitted: &Fitted, first: Option<&str>) -> Vec<Trial> {
    let mut trials = Vec::new();
    // Unless the table is empty, an insert costs MariaDB's members a number, although it is taken back.
    let costs = database.engine() == Engine::Mysql && first.is_some() && change(database, fitted).is_some();
    if let Some((sql, key)) = insertion(database, fitted).filter(|_| !costs) {
        trials.push(Trial { what: "an insert", sql, lock: None, key, operation: Operation::Insert });
    }
    if let (Some(key), Some((sql, lock))) = (first, change(database, fitted)) {
        let key = key.to_owned();
        trials.push(Trial { what: "an update", sql, lock, key, operation: Operation::Update });
    }
    trials
}

/// Only what came with the change counts: the same row may wait already.
async fn attempt(
    database: &dyn Database,
    fitted: &Fitted,
    trial: &Trial,
) -> Result<(Verdict, String), SourceError> {
    let what = trial.what;
    let key = Value::Text(&trial.key);
    let asked = [Value::Text(&fitted.mapping.table), key, Value::Text(trial.operation.as_str())];
    let changed: &[Value<'_>] = if trial.operation == Operation::Update { &[key] } else { &[] };
    let rehearsal = Rehearsal {
        lock: trial.lock.as_deref().map(|lock| (lock, changed)),
        question: (database.statements().arrived, &asked),
        change: (&trial.sql, changed),
    };
    let count = |rows: &[Vec<Option<Vec<u8>>>]| rows.first().map_or(Ok(0i64), |row| table::number(row, 0));
    match database.rehearse(rehearsal).await {
        Ok((before, after)) if count(&after)? > count(&before)? => {
            Ok((Verdict::Good, format!("{what} arrived, and was taken back")))
        }
        Ok(_) => Ok((Verdict::Failed, format!("{what} did not arrive"))),
        Err(error @ SourceError::Unreachable(_)) => Err(error),
        Err(error) if error::is_of_a_definer(&error) => {
            let said = format!("{what} FAILS, and so does every statement of members: {error}");
            Ok((Verdict::Failed, said))
        }
        Err(error) => Ok((Verdict::Warning, format!("{what} could not be tried: {error}"))),
    }
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

/// A change of one row in a column that may be empty, and what keeps others from the row.
fn change(database: &dyn Database, fitted: &Fitted) -> Option<(String, Option<String>)> {
    let watched = fitted.mapping.watched();
    let (column, sample) = watched.iter().find_map(|name| {
        let column = fitted.shape.column(name).filter(|column| column.nullable && !column.generated)?;
        Some((column, database.sample(column)?))
    })?;
    let key = fitted.shape.column(&fitted.mapping.key)?;
    let (table, name) = (database.quote(&fitted.mapping.table), database.quote(&column.name));
    let (by, bound) = (database.quote(&key.name), database.bound(1, key));
    let sql = format!(
        "UPDATE {table} SET {name} = CASE WHEN {name} IS NULL THEN {sample} END WHERE {by} = {bound}"
    );
    Some((sql, database.lock(&fitted.mapping.table, key)))
}
