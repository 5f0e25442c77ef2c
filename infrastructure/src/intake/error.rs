//! What the three drivers say, in our words.

use application::intake::SourceError;

/// MySQL: a table is missing.
const MYSQL_NO_TABLE: u16 = 1146;
/// MySQL: access, database, table, column, super, trigger and binary log privileges.
const MYSQL_DENIED: [u16; 9] = [1044, 1045, 1142, 1143, 1227, 1370, 1419, 1410, 1698];
/// MySQL: a lock took too long, a deadlock, the server stops or has no room for us.
const MYSQL_LATER: [u16; 6] = [1205, 1213, 1053, 1040, 1203, 3572];
/// PostgreSQL: a table is missing.
const POSTGRES_NO_TABLE: &str = "42P01";
/// PostgreSQL: privileges, authorisation.
const POSTGRES_DENIED: [&str; 4] = ["42501", "28000", "28P01", "25006"];
/// PostgreSQL: a lock took too long, deadlock, timeout, shutdown, too many connections.
const POSTGRES_LATER: [&str; 8] = ["55P03", "40P01", "40001", "57014", "57P01", "57P02", "57P03", "53300"];
/// SQLite: busy, locked.
const SQLITE_LATER: [&str; 6] = ["5", "6", "261", "262", "517", "773"];
/// SQLite: read-only, not allowed.
const SQLITE_DENIED: [&str; 6] = ["8", "23", "264", "520", "776", "1032"];

/// Longest text of a driver's error that is passed on.
const SAID_CHARS_MAX: usize = 300;

/// Whether the capture table is what is missing.
fn no_capture(message: &str) -> bool {
    message.contains(super::names::CAPTURE)
}

/// Translates a driver's error. Its text never holds a row's values: what we bind are keys, reasons and numbers.
pub(super) fn from_sqlx(error: sqlx::Error) -> SourceError {
    let sqlx::Error::Database(database) = &error else { return other(error) };
    let said: String = database.message().chars().take(SAID_CHARS_MAX).collect();
    if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        let number = mysql.number();
        let said = format!("{said} ({number})");
        return match number {
            MYSQL_NO_TABLE if no_capture(&said) => SourceError::NotInstalled,
            number if MYSQL_DENIED.contains(&number) => SourceError::Denied(said),
            number if MYSQL_LATER.contains(&number) => SourceError::Unreachable(said),
            _ => SourceError::Database(said),
        };
    }
    let code = database.code().unwrap_or_default().into_owned();
    let said = format!("{said} ({code})");
    let sqlite = database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
    let (later, denied): (&[&str], &[&str]) =
        if sqlite { (&SQLITE_LATER, &SQLITE_DENIED) } else { (&POSTGRES_LATER, &POSTGRES_DENIED) };
    let missing = if sqlite { said.contains("no such table") } else { code == POSTGRES_NO_TABLE };
    match code.as_str() {
        _ if missing && no_capture(&said) => SourceError::NotInstalled,
        code if denied.contains(&code) => SourceError::Denied(said),
        code if later.contains(&code) => SourceError::Unreachable(said),
        _ => SourceError::Database(said),
    }
}

/// Errors that no database spoke. An address never appears in them; it may hold a password.
fn other(error: sqlx::Error) -> SourceError {
    match error {
        sqlx::Error::Configuration(_) => {
            SourceError::Address("the source's address cannot be read".to_owned())
        }
        sqlx::Error::Io(error) => SourceError::Unreachable(error.to_string()),
        sqlx::Error::Tls(error) => SourceError::Unreachable(error.to_string()),
        error @ (sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed) => {
            SourceError::Unreachable(error.to_string())
        }
        error => SourceError::Database(error.to_string().chars().take(SAID_CHARS_MAX).collect()),
    }
}
