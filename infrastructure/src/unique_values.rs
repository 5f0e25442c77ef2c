//! Which unique values are held right now, for many keys at once. The append looks again and has the last word.

use std::collections::HashSet;

use application::bus::{GuardKind, LoadError};
use application::imports::UniqueValues;
use async_trait::async_trait;
use serde_json::json;

use crate::db::{Db, DbError};

const HELD_POSTGRES: &str = "SELECT key FROM guards WHERE kind = $1 AND key = ANY($2::text[])";
const HELD_SQLITE: &str =
    "SELECT key FROM guards WHERE kind = $1 AND key IN (SELECT value FROM json_each($2))";

/// The statements of this module, for the test that prepares them.
pub const POSTGRES_STATEMENTS: &[&str] = &[HELD_POSTGRES];
/// The statements of this module, for the test that prepares them.
pub const SQLITE_STATEMENTS: &[&str] = &[HELD_SQLITE];

/// The unique values of a database.
#[derive(Debug, Clone)]
pub struct StoredValues {
    db: Db,
}

impl StoredValues {
    /// Of this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    async fn look(&self, kind: GuardKind, keys: &[String]) -> Result<Vec<String>, DbError> {
        Ok(match &self.db {
            Db::Postgres(pool) => {
                sqlx::query_scalar(HELD_POSTGRES).bind(kind.as_str()).bind(keys).fetch_all(pool).await?
            }
            Db::Sqlite(sqlite) => {
                let keys = json!(keys).to_string();
                let found = sqlx::query_scalar(HELD_SQLITE).bind(kind.as_str()).bind(keys);
                found.fetch_all(sqlite.reader()).await?
            }
        })
    }
}

#[async_trait]
impl UniqueValues for StoredValues {
    async fn held(&self, kind: GuardKind, keys: &[String]) -> Result<HashSet<String>, LoadError> {
        let held = self.look(kind, keys).await.map_err(|error| LoadError::Unavailable(error.to_string()))?;
        Ok(held.into_iter().collect())
    }
}
