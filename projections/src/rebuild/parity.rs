//! Whether the rebuilt tables are the live ones, row by row, at one position of the log.

use std::collections::HashMap;
use std::fmt;

use domain::Position;
use infrastructure::db::{Db, DbError, Tx};
use infrastructure::with_tx;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::shadow::{LIFT_TIMEOUT, Shadow};
use super::{Pace, RebuildError, alive};
use crate::consumer::POSITION;
use crate::read_models::ReadModel;
use crate::table::{Digest, Target, digest, for_each, rows_as_json};

/// Most differing keys that are named.
const DIFFERENCES_MAX: usize = 10;

/// The state the live tables are compared in: one moment for all of them and for their checkpoint.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A row that is not the same in both. Names the key only: rows hold personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Its key, the parts separated by `/`.
    pub key: String,
    /// What is the matter.
    pub kind: DifferenceKind,
}

/// In which way a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// The live tables lack it.
    OnlyRebuilt,
    /// The rebuilt tables lack it.
    OnlyLive,
    /// Both have it, with other contents.
    Contents,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DifferenceKind::OnlyRebuilt => "only rebuilt",
            DifferenceKind::OnlyLive => "only live",
            DifferenceKind::Contents => "other contents",
        };
        write!(f, "{} {} ({what})", self.table, self.key)
    }
}

type Compared = (Vec<(&'static str, u64)>, Vec<Difference>);

/// Compares; brings the shadow to the position of the live tables in between. Rows of each table, and what differs.
pub(super) async fn compare(
    shadow: &mut Shadow,
    cancel: &CancellationToken,
    pace: &mut Pace<'_>,
) -> Result<Compared, RebuildError> {
    let db = shadow.projections().log.db().clone();
    let model = shadow.model();
    let (position, live) = alive(shadow, digests(&db, model, Target::Live)).await?;
    shadow.read_to(position, cancel, pace).await?;
    let (_, rebuilt) = alive(shadow, digests(&db, model, shadow.target())).await?;
    let rows = rebuilt.iter().map(|(table, digest)| (*table, digest.rows)).collect();
    if live == rebuilt {
        return Ok((rows, Vec::new()));
    }
    let mut found = alive(shadow, differences(&db, shadow, position)).await?;
    if found.is_empty() {
        // The rows that differed were written again meanwhile. It is a difference all the same.
        found.extend(live.iter().zip(&rebuilt).filter(|(live, rebuilt)| live != rebuilt).map(
            |((table, _), _)| Difference { table, key: "unknown".to_owned(), kind: DifferenceKind::Contents },
        ));
    }
    Ok((rows, found))
}

/// One moment of the database, for reading.
async fn snapshot(db: &Db) -> Result<Tx<'static>, DbError> {
    Ok(match db {
        Db::Sqlite(sqlite) => Tx::Sqlite(sqlite.begin_read().await?),
        Db::Postgres(pool) => {
            let mut tx = pool.begin_with(BEGIN_SNAPSHOT).await?;
            sqlx::query(LIFT_TIMEOUT).execute(&mut *tx).await?;
            Tx::Postgres(tx)
        }
    })
}

/// Hashes the tables of a target in one snapshot, with the position of the live checkpoint in it.
async fn digests(
    db: &Db,
    model: ReadModel,
    target: Target,
) -> Result<(Position, Vec<(&'static str, Digest)>), DbError> {
    let mut tx = snapshot(db).await?;
    let position = with_tx!(&mut tx, conn => sqlx::query_scalar(POSITION)
        .bind(model.name())
        .fetch_one(conn)
        .await)?;
    let mut digests = Vec::new();
    for table in model.tables() {
        digests.push((table.name, digest(&mut tx, table, target).await?));
    }
    tx.rollback().await?;
    Ok((position, digests))
}

/// The first keys that differ. The live tables have moved on since they were hashed, so rows written after
/// `position` are left out.
async fn differences(db: &Db, shadow: &Shadow, position: Position) -> Result<Vec<Difference>, DbError> {
    let mut found = Vec::new();
    let mut tx = snapshot(db).await?;
    for table in shadow.model().tables() {
        let mut rebuilt: HashMap<String, [u8; 32]> = HashMap::new();
        for_each(&mut tx, table, shadow.target(), |line| {
            rebuilt.insert(line.key, Sha256::digest(line.json.as_bytes()).into());
        })
        .await?;
        for_each(&mut tx, table, Target::Live, |line| {
            let twin = rebuilt.remove(&line.key);
            if line.position > position || found.len() >= DIFFERENCES_MAX {
                return;
            }
            let kind = match twin {
                None => DifferenceKind::OnlyLive,
                Some(hash) if hash != <[u8; 32]>::from(Sha256::digest(line.json.as_bytes())) => {
                    DifferenceKind::Contents
                }
                Some(_) => return,
            };
            found.push(Difference { table: table.name, key: line.key, kind });
        })
        .await?;
        let mut left: Vec<String> = rebuilt.into_keys().collect();
        left.sort_unstable();
        left.truncate(DIFFERENCES_MAX.saturating_sub(found.len()));
        let only_rebuilt = DifferenceKind::OnlyRebuilt;
        found.extend(left.into_iter().map(|key| Difference { table: table.name, key, kind: only_rebuilt }));
    }
    tx.rollback().await?;
    Ok(found)
}

/// Every row of a read model's live tables as JSON, in the order of the key. All of it is in memory: for tests and
/// small installations.
pub async fn dump(db: &Db, model: ReadModel) -> Result<Vec<(&'static str, Vec<String>)>, DbError> {
    let mut tx = snapshot(db).await?;
    let mut tables = Vec::new();
    for table in model.tables() {
        tables.push((table.name, rows_as_json(&mut tx, table, Target::Live).await?));
    }
    tx.rollback().await?;
    Ok(tables)
}
