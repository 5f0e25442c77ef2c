//! What each engine does in its own way. Everything goes over text: what a row says is text, and only texts and numbers
//! are ever bound.

use async_trait::async_trait;

use application::intake::{Engine, Mapping, SourceError, Verdict};

use super::plan::{Installed, Trigger};
use super::shape::{Column, Shape};
use super::talk::{Talk, Value};

/// The statements on the capture table; what they bind is said where they are used, in `table`.
pub(super) struct Statements {
    pub(super) oldest: &'static str,
    pub(super) newest: &'static str,
    pub(super) lease: &'static str,
    pub(super) claimed: &'static str,
    pub(super) done: &'static str,
    pub(super) park: &'static str,
    pub(super) release: &'static str,
    pub(super) give_back: &'static str,
    pub(super) parked: &'static str,
    pub(super) retry_all: &'static str,
    pub(super) retry_some: &'static str,
    /// Rows that wait, rows put aside, and for how many seconds the oldest one could have been worked on.
    pub(super) backlog: &'static str,
    /// Rows that somebody works on, and finished ones: a walk over everything.
    pub(super) history: &'static str,
    pub(super) purge: &'static str,
    /// How many rows of a table, key and operation there are.
    pub(super) arrived: &'static str,
    /// How many rows of a table nobody finished.
    pub(super) unfinished: &'static str,
    /// How many rows of all tables nobody finished.
    pub(super) all_unfinished: &'static str,
    /// Statements that touch no row and fail when the worker may not do its work.
    pub(super) allowed: &'static [&'static str],
    /// The columns of a table, each beginning with its name.
    pub(super) columns: &'static str,
    /// Every trigger that is called like ours: name, table, body, whether it is on, account.
    pub(super) triggers: &'static str,
    /// The names of a table's triggers that are not called like ours.
    pub(super) beside: &'static str,
}

impl Statements {
    /// All of them.
    pub(super) fn every(&self) -> Vec<&'static str> {
        // Taken apart by name: none can be forgotten.
        let Self {
            oldest,
            newest,
            lease,
            claimed,
            done,
            park,
            release,
            give_back,
            parked,
            retry_all,
            retry_some,
            backlog,
            history,
            purge,
            arrived,
            unfinished,
            all_unfinished,
            allowed,
            columns,
            triggers,
            beside,
        } = *self;
        let claims = [oldest, newest, lease, claimed, done, park, release, give_back];
        let rows = [parked, retry_all, retry_some, backlog, history, purge, arrived];
        let others = [unfinished, all_unfinished, columns, triggers, beside];
        [&claims[..], &rows, &others, allowed].concat()
    }
}

/// Something that may keep triggers from their work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) verdict: Verdict,
    pub(super) said: String,
    /// Whether a probe that arrives proves that it is unfounded.
    pub(super) refutable: bool,
}

/// One engine, connected.
#[async_trait]
pub(super) trait Database: Talk {
    fn engine(&self) -> Engine;

    fn statements(&self) -> &'static Statements;

    /// What a member's own statement can count on while the capture table is missing or locked.
    fn guarantee(&self) -> (Verdict, &'static str);

    /// Learns what must be known before statements can be made.
    async fn ready(&self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn shape(&self, table: &str) -> Result<Shape, SourceError>;

    /// Takes up to `limit` finished rows of a table away. How many went.
    async fn purge(&self, table: &str, older_than_seconds: i64, limit: i64) -> Result<u64, SourceError> {
        let values = [Value::Text(table), Value::Number(older_than_seconds), Value::Number(limit)];
        self.run(self.statements().purge, &values).await
    }

    /// Triggers of these names that are there although the user may not see them.
    async fn hidden(&self, _names: &[String]) -> Result<Vec<String>, SourceError> {
        Ok(Vec::new())
    }

    /// Whether a change that fires other triggers than ours can be taken back, as far as the database reaches.
    fn takes_triggers_back(&self) -> bool {
        true
    }

    /// A question that keeps others from the row with a key, whose placeholder is number 1; `None` where a transaction
    /// keeps them anyway.
    fn lock(&self, table: &str, key: &Column) -> Option<String> {
        let (table, name) = (self.quote(table), self.quote(&key.name));
        Some(format!("SELECT '1' FROM {table} WHERE {name} = {} FOR UPDATE", self.bound(1, key)))
    }

    fn quote(&self, name: &str) -> String;

    /// The column's value as text.
    fn text_of(&self, column: &Column) -> String;

    /// The placeholder number `place` (from 1), bound as text, as a value to compare this column with.
    fn bound(&self, place: usize, column: &Column) -> String;

    /// The condition that `moment`, an expression of the column's type, is later than now, in UTC. A moment without an
    /// offset may be written in any zone: one that is ahead of UTC counts as later for some hours, and is only read
    /// again meanwhile.
    fn is_ahead(&self, moment: &str, column: &Column) -> String;

    /// What is wrong with the accounts that the triggers of this table run as; nothing when all is well.
    async fn accounts(&self, table: &str, installed: &Installed) -> Result<Vec<Doubt>, SourceError>;

    /// A value of the column's type for a probe; `None` when none is known.
    fn sample(&self, column: &Column) -> Option<String>;

    /// An insert of one row with these columns and values.
    fn insert(&self, table: &str, columns: &[String], values: &[String]) -> String {
        format!("INSERT INTO {} ({}) VALUES ({})", self.quote(table), columns.join(", "), values.join(", "))
    }

    fn create_capture(&self) -> Vec<String>;

    fn drop_capture(&self) -> Vec<String>;

    /// Removes the rows of one table from the capture table.
    fn forget(&self, table: &str) -> String;

    /// The triggers that the table should have.
    fn triggers(&self, mapping: &Mapping, shape: &Shape) -> Vec<Trigger>;

    /// What removes a trigger of this name.
    fn drop_trigger(&self, name: &str, table: &str) -> Vec<String>;
}
