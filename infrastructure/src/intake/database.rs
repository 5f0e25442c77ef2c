//! What each engine does in its own way. Everything goes over text: what a row says is text, and only three kinds of
//! values are ever bound.

use async_trait::async_trait;

use application::intake::{Engine, Mapping, SourceError, Verdict};

use super::plan::{Installed, Trigger};
use super::shape::{Column, Shape};

/// A value to bind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A number.
    Number(i64),
}

/// A row, every column as the bytes of its text.
pub(super) type Row = Vec<Option<Vec<u8>>>;

/// The statements on the capture table; what they bind is said where they are used, in `table`.
pub(super) struct Statements {
    pub(super) oldest: &'static str,
    pub(super) newest: &'static str,
    pub(super) lease: &'static str,
    pub(super) claimed: &'static str,
    pub(super) done: &'static str,
    pub(super) park: &'static str,
    pub(super) release: &'static str,
    pub(super) parked: &'static str,
    pub(super) retry_all: &'static str,
    pub(super) retry_some: &'static str,
    pub(super) status: &'static str,
    pub(super) purge: &'static str,
    /// How many rows of a table, key and operation there are.
    pub(super) arrived: &'static str,
    /// Statements that touch no row and fail when the worker may not do its work.
    pub(super) allowed: &'static [&'static str],
}

/// One engine, connected.
#[async_trait]
pub(super) trait Database: Send + Sync {
    fn engine(&self) -> Engine;

    fn statements(&self) -> &'static Statements;

    /// What a member's own statement can count on while the capture table is missing or locked.
    fn guarantee(&self) -> (Verdict, &'static str);

    async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, SourceError>;

    async fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64, SourceError>;

    /// Whether a question has an answer.
    async fn exists(&self, sql: &str) -> Result<bool, SourceError> {
        Ok(!self.rows(sql, &[]).await?.is_empty())
    }

    /// Runs statements of a plan; together where the engine can take a schema back.
    async fn apply(&self, statements: &[String]) -> Result<(), SourceError>;

    /// Makes a change, asks a question, and takes the change back. The change may not have to exist.
    async fn rehearse(
        &self,
        change: (&str, &[Value<'_>]),
        question: (&str, &[Value<'_>]),
    ) -> Result<Vec<Row>, SourceError>;

    async fn shape(&self, table: &str) -> Result<Shape, SourceError>;

    async fn installed(&self) -> Result<Installed, SourceError>;

    fn quote(&self, name: &str) -> String;

    /// The column's value as text.
    fn text_of(&self, column: &Column) -> String;

    /// The placeholder number `place` (from 1), bound as text, as a value to compare this column with.
    fn bound(&self, place: usize, column: &Column) -> String;

    /// A value of the column's type for a probe; `None` when none is known.
    fn sample(&self, column: &Column) -> Option<String>;

    /// An insert of one row with these columns and values.
    fn insert(&self, table: &str, columns: &[String], values: &[String]) -> String {
        format!("INSERT INTO {} ({}) VALUES ({})", self.quote(table), columns.join(", "), values.join(", "))
    }

    fn create_capture(&self) -> Vec<String>;

    fn drop_capture(&self) -> Vec<String>;

    /// The triggers that the table should have.
    fn triggers(&self, mapping: &Mapping, shape: &Shape) -> Vec<Trigger>;

    /// What removes a trigger of this name.
    fn drop_trigger(&self, name: &str, table: &str) -> Vec<String>;
}
