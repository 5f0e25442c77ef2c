//! `leadwire intake check`: privileges, triggers, whom they run as, and a probe that is taken back.

use application::intake::{CheckReport, Mapping, Mode, SourceError, Verdict};

use super::database::Database;
use super::plan::{self, Installed};
use super::probe::probe;
use super::shape::Fitted;
use super::{names, select};

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
    if !fitted.mapping.tells_registration() {
        let said = "the mapping names no `created_at`: members from before the first run are told from new ones by the \
                    last change of their row alone; name the column that says when a member registered";
        report.found("registration", Verdict::Warning, said);
    }
    let moment = database.quote(fitted.mapping.updated_at.as_deref().unwrap_or_default());
    let sql =
        format!("SELECT '1' FROM {} WHERE {moment} IS NULL LIMIT 1", database.quote(&fitted.mapping.table));
    if database.rows(&sql, &[]).await?.is_empty() {
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
    database.ready().await?;
    let installed = Installed::look(database, &fitted.mapping.table).await?;
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
    if present(database, fitted, &installed, report) {
        probe(database, fitted, first, report).await?;
    }
    accounts(database, fitted, &installed, report).await?;
    let (verdict, said) = database.guarantee();
    report.found("members' own statements", verdict, said);
    Ok(())
}

/// Whom the triggers run as. A probe that arrived proves that what could not be seen of their rights is there.
async fn accounts(
    database: &dyn Database,
    fitted: &Fitted,
    installed: &Installed,
    report: &mut CheckReport,
) -> Result<(), SourceError> {
    let proven = report.about("probe") == Some(Verdict::Good);
    for doubt in database.accounts(&fitted.mapping.table, installed).await? {
        if !(proven && doubt.refutable) {
            report.found("trigger account", doubt.verdict, doubt.said);
        }
    }
    Ok(())
}

/// Whether every trigger is there, in this version, and on.
fn present(
    database: &dyn Database,
    fitted: &Fitted,
    installed: &Installed,
    report: &mut CheckReport,
) -> bool {
    if let Some(hidden) = installed.hidden.first() {
        let said = format!(
            "`{hidden}` is there, and without the privilege TRIGGER on the table this user does not see it: neither its \
             version nor whom it runs as was looked at"
        );
        report.found("triggers", Verdict::Warning, said);
        return false;
    }
    let mut whole = true;
    for wanted in database.triggers(&fitted.mapping, &fitted.shape) {
        let name = &wanted.name;
        let said = match installed.trigger(name) {
            None => format!("`{name}` is missing"),
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
