//! How many members came from where, and which of their codes nobody knows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::member::OwnSource;
use infrastructure::db::{Db, DbError};
use infrastructure::{intake, with_pool};
use serde::Serialize;
use sqlx::FromRow;

use crate::read_models::members::{CODE_SEPARATOR, CODES_SEPARATOR};

/// Most distinct unknown codes in one answer: a column that is no code table at all must not flood it.
pub const UNKNOWN_CODES_MAX: usize = 100;

const SOURCES: &str = "
SELECT source,
       COUNT(*) AS total,
       COALESCE(SUM(CASE WHEN active THEN 1 ELSE 0 END), 0) AS active,
       COALESCE(SUM(CASE WHEN deleted THEN 1 ELSE 0 END), 0) AS deleted,
       MAX(learnt_at) AS last_learnt_at
  FROM members GROUP BY source ORDER BY source";

const UNKNOWN: &str = "
SELECT unknown_codes AS codes, COUNT(*) AS members
  FROM members WHERE unknown_codes IS NOT NULL AND NOT deleted
 GROUP BY unknown_codes ORDER BY COUNT(*) DESC, unknown_codes LIMIT $1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[SOURCES, UNKNOWN];

/// What kind of way members came by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The staff typed them in.
    Staff,
    /// They filled in the public form.
    Public,
    /// A file was imported.
    File,
    /// A table of another database is captured.
    Database,
    /// Another program sends signed messages.
    #[default]
    Message,
}

impl Way {
    /// Of the name under which members are counted; a run was once begun on each of `databases`.
    fn of(source: &str, databases: &BTreeSet<String>) -> Self {
        match source.parse() {
            Ok(OwnSource::Staff) => Self::Staff,
            Ok(OwnSource::Public) => Self::Public,
            _ if databases.contains(source) => Self::Database,
            Ok(OwnSource::File) => Self::File,
            Ok(OwnSource::Message) | Err(_) => Self::Message,
        }
    }

    /// Its name for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Staff => "staff",
            Self::Public => "public",
            Self::File => "file",
            Self::Database => "database",
            Self::Message => "message",
        }
    }
}

/// How many members came by one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, FromRow)]
pub struct SourceCount {
    /// The way: `staff`, `public`, or the source's name.
    pub source: String,
    /// What kind of way that is.
    #[sqlx(skip)]
    pub way: Way,
    /// All of them, the deleted ones too.
    pub total: i64,
    /// Those that take part.
    pub active: i64,
    /// Those that were deleted.
    pub deleted: i64,
    /// When Leadwire last learnt of one.
    pub last_learnt_at: Option<DateTime<Utc>>,
}

/// How many members have a code that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnknownCode {
    /// The column.
    pub field: String,
    /// The code as it stands there.
    pub code: String,
    /// How many have it.
    pub members: i64,
}

/// How many members came by which way.
pub async fn sources(db: &Db) -> Result<Vec<SourceCount>, DbError> {
    let databases: BTreeSet<String> = intake::all(db).await?.into_iter().map(|state| state.source).collect();
    let mut counts: Vec<SourceCount> = with_pool!(db, pool => sqlx::query_as(SOURCES).fetch_all(pool).await)?;
    for count in &mut counts {
        count.way = Way::of(&count.source, &databases);
    }
    Ok(counts)
}

/// The codes that nobody knows, the most frequent first; at most [`UNKNOWN_CODES_MAX`].
pub async fn unknown_codes(db: &Db) -> Result<Vec<UnknownCode>, DbError> {
    /// Combinations of unknown codes that are looked at.
    const COMBINATIONS_MAX: i64 = 10_000;
    let rows: Vec<(String, i64)> =
        with_pool!(db, pool => sqlx::query_as(UNKNOWN).bind(COMBINATIONS_MAX).fetch_all(pool).await)?;
    let mut counts: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (codes, members) in &rows {
        for (field, code) in codes.split(CODES_SEPARATOR).filter_map(|pair| pair.split_once(CODE_SEPARATOR)) {
            *counts.entry((field, code)).or_default() += members;
        }
    }
    let code = |((field, code), members): ((&str, &str), i64)| UnknownCode {
        field: field.to_owned(),
        code: code.to_owned(),
        members,
    };
    let mut codes: Vec<UnknownCode> = counts.into_iter().map(code).collect();
    codes.sort_by_key(|code| std::cmp::Reverse(code.members));
    codes.truncate(UNKNOWN_CODES_MAX);
    Ok(codes)
}
