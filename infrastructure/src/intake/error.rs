//! What the three drivers say, in our words.

use application::intake::SourceError;

/// MySQL: a table is missing.
const MYSQL_NO_TABLE: u16 = 1146;
/// MySQL: access, database, table, column, super, trigger and binary log privileges, a view's or trigger's account, and
/// statements that this kind of user may not run.
const MYSQL_DENIED: [u16; 11] = [1044, 1045, 1142, 1143, 1227, 1370, 1419, 1410, 1698, 1356, 3118];
/// MySQL: a lock took too long, a deadlock, a statement was stopped, the server stops, is read-only for a while, has no
/// room for us, or lost the connection.
const MYSQL_LATER: [u16; 20] = [
    1205, 1213, 1053, 1040, 1203, 3572, 1021, 1041, 1129, 1158, 1159, 1160, 1161, 1226, 1290, 1317, 1836,
    1927, 1969, 3024,
];
/// MySQL: a value that does not fit, whose text repeats it.
const MYSQL_VALUE: [u16; 8] = [1062, 1264, 1265, 1292, 1366, 1406, 1411, 3140];
/// PostgreSQL: a table is missing.
const POSTGRES_NO_TABLE: &str = "42P01";
/// PostgreSQL: privileges, authorisation.
const POSTGRES_DENIED: [&str; 3] = ["42501", "28", "25006"];
/// PostgreSQL, codes or what they begin with: connections, rollbacks, no room, shutdown and timeout, a lock that
/// took too long, the disk.
const POSTGRES_LATER: [&str; 6] = ["08", "40", "53", "57", "55P03", "58"];
/// PostgreSQL: a value that does not fit, whose text repeats it.
const POSTGRES_VALUE: &str = "22";
/// SQLite: busy, locked, the disk, no room, a file that cannot be opened now.
const SQLITE_LATER: [&str; 9] = ["5", "6", "261", "262", "517", "773", "10", "13", "14"];
/// SQLite: read-only, not allowed.
const SQLITE_DENIED: [&str; 6] = ["8", "23", "264", "520", "776", "1032"];

/// Longest text of a driver's error that is passed on.
const SAID_CHARS_MAX: usize = 300;

/// Whether the capture table is what is missing.
fn no_capture(message: &str) -> bool {
    message.contains(super::names::CAPTURE)
}

/// Translates a driver's error. Its text holds no value that was bound: keys may be phones.
pub(super) fn from_sqlx(error: sqlx::Error) -> SourceError {
    let sqlx::Error::Database(database) = &error else { return other(error) };
    let said: String = database.message().chars().take(SAID_CHARS_MAX).collect();
    if let Some(mysql) = database.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        let number = mysql.number();
        if MYSQL_VALUE.contains(&number) {
            return misfit(&number.to_string());
        }
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
    let one_of =
        |codes: &[&str]| codes.iter().any(|one| if sqlite { code == *one } else { code.starts_with(one) });
    match code.as_str() {
        _ if missing && no_capture(&said) => SourceError::NotInstalled,
        code if !sqlite && code.starts_with(POSTGRES_VALUE) => misfit(code),
        _ if one_of(denied) => SourceError::Denied(said),
        _ if one_of(later) => SourceError::Unreachable(said),
        _ => SourceError::Database(said),
    }
}

fn misfit(code: &str) -> SourceError {
    SourceError::Database(format!("a value does not fit the type of its column ({code})"))
}

/// Whether a statement failed because of the account that a trigger of MySQL runs as: it is gone, or may not have triggers
/// on the table. Such an error comes before any handler of the trigger, so members' statements fail with it.
pub(super) fn is_of_a_definer(error: &SourceError) -> bool {
    match error {
        SourceError::Database(said) => said.ends_with("(1449)"),
        SourceError::Denied(said) => said.starts_with("TRIGGER command denied"),
        _ => false,
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
