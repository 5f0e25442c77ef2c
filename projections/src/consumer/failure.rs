//! Why a page was not taken in, and whether waiting helps.

use application::bus::AppendError;
use domain::Position;
use infrastructure::db::DbError;

/// Why a page was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum HandleError {
    /// Another owner has the lease.
    #[error("the lease is lost")]
    Fenced,
    /// An event this program cannot take in. No retry helps.
    #[error("the event at position {position} cannot be taken in: {reason}")]
    Poison {
        /// The event.
        position: Position,
        /// Why, without its payload.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// The log did not take what follows from the events; it is busy or away.
    #[error(transparent)]
    Log(AppendError),
}

impl HandleError {
    /// Whether the database is merely away or busy: then waiting helps, and no number of tries is too many.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Database(DbError::Sql(sqlx::Error::Database(error))) => {
                error.code().is_some_and(|code| is_outage_code(&code))
            }
            Self::Database(DbError::Sql(error)) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
            Self::Database(DbError::Slow(_)) | Self::Log(_) => true,
            Self::Database(_) | Self::Fenced | Self::Poison { .. } => false,
        }
    }
}

/// PostgreSQL: connection lost (08), deadlock (40), no resources (53), lock not got (55), shutdown and start (57P).
/// SQLite: busy (5), locked (6), disk error (10), disk full (13), each also with an extended code.
fn is_outage_code(code: &str) -> bool {
    match code.parse::<u32>() {
        // Five characters: an SQLSTATE that happens to have digits only.
        Ok(sqlite) if code.len() < 5 => matches!(sqlite & 0xff, 5 | 6 | 10 | 13),
        _ => ["08", "40", "53", "55", "57P"].iter().any(|class| code.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_helps_against_outages_only() {
        for code in ["08006", "40P01", "53300", "55P03", "57P01", "57P03", "5", "6", "10", "13", "517"] {
            assert!(is_outage_code(code), "{code}");
        }
        for code in ["42P01", "23505", "22021", "57014", "1", "19", "2067"] {
            assert!(!is_outage_code(code), "{code}");
        }
    }
}
