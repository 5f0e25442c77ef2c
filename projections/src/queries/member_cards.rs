//! What whoever asks the `WeCom` application for a member reads (existing-systems.md section 7.8).

use application::callbacks::members::{CardsUnavailable, MemberCard, MemberCards};
use application::member_notices;
use async_trait::async_trait;
use infrastructure::db::{Db, DbError};

use super::members;

/// The members of the read model.
#[derive(Debug, Clone)]
pub struct StoredCards {
    db: Db,
}

impl StoredCards {
    /// Of this database.
    pub fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl MemberCards for StoredCards {
    async fn find(&self, number: &str) -> Result<Option<MemberCard>, CardsUnavailable> {
        let unavailable = |error: DbError| {
            tracing::warn!(%error, "a member that somebody asked for cannot be looked up");
            CardsUnavailable
        };
        let found = members::by_number(&self.db, number).await.map_err(unavailable)?;
        // Numbers are typed by people, and what is asked for comes in capitals.
        let found = match found {
            None => members::by_number(&self.db, &number.to_lowercase()).await.map_err(unavailable)?,
            found => found,
        };
        Ok(found.and_then(|row| member_notices::card(&row.member.fields)))
    }
}
