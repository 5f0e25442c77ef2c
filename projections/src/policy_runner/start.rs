//! The table `policy_start`: where the policy began. A log may be older than the policy, after an upgrade for one; what
//! happened before was never to be answered, so the check does not miss it and a repair does not announce it.

use application::policies::POLICY;
use domain::Position;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::{with_pool, with_tx};

/// Registered once more, it begins once more.
const RECORD: &str = "
INSERT INTO policy_start (consumer, position) VALUES ($1, $2)
ON CONFLICT (consumer) DO UPDATE SET position = excluded.position";

const READ: &str = "SELECT position FROM policy_start WHERE consumer = $1";

pub(super) const STATEMENTS: &[&str] = &[RECORD, READ];

/// Writes down where the policy begins, in the transaction that registers it.
pub(super) async fn record(tx: &mut Tx<'_>, start: Position) -> Result<(), DbError> {
    with_tx!(tx, conn => sqlx::query(RECORD).bind(POLICY).bind(start).execute(conn).await.map(drop))?;
    Ok(())
}

/// The policy answers what comes after this position; 0 when nobody knows, because it is the strictest.
pub(super) async fn read(db: &Db) -> Result<Position, DbError> {
    let start: Option<Position> =
        with_pool!(db, pool => sqlx::query_scalar(READ).bind(POLICY).fetch_optional(pool).await)?;
    Ok(start.unwrap_or(0))
}
