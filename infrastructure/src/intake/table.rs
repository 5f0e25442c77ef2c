//! One captured table of one source: everything that is the same on every engine.

use std::str::FromStr;
use std::sync::Arc;

use application::intake::{
    Backlog, CAPTURE_BATCH_MAX, CaptureStatus, Captured, CheckReport, Claim, ClaimOrder, Engine,
    MalformedRow, Mapping, Mode, Operation, PAGE_ROWS_MAX, Parked, PollPosition, Polled, REASON_CHARS_MAX,
    Source, SourceError, SourceRow, Unfinished,
};
use application::ports::Ids as _;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::database::Database;
use super::plan::Installed;
use super::shape::Fitted;
use super::talk::{Row, Said, Value};
use super::{check, names, plan, select};
use crate::ids::TimeOrderedIds;

/// Longest name of an owner that is kept; the lease is longer by an id.
const OWNER_CHARS_MAX: usize = 64;

/// Implements [`Source`] over an engine.
pub(super) struct Table<D> {
    database: D,
    mapping: Mapping,
    /// What the table looked like. Forgotten with every claim, with the first page of a walk, and with any error, for
    /// somebody may have changed the table: a column that was added is no error.
    fitted: Mutex<Option<Arc<Fitted>>>,
}

impl<D: Database> Table<D> {
    pub(super) fn new(database: D, mapping: Mapping) -> Self {
        Self { database, mapping, fitted: Mutex::new(None) }
    }

    /// The table as it is now.
    async fn inspect(&self) -> Result<Fitted, SourceError> {
        self.database.shape(&self.mapping.table).await?.fit(&self.mapping)
    }

    /// What is installed in the database now.
    async fn installed(&self) -> Result<Installed, SourceError> {
        self.database.ready().await?;
        Installed::look(&self.database, &self.mapping.table).await
    }

    /// The table as it was when it was last looked at.
    async fn fitted(&self) -> Result<Arc<Fitted>, SourceError> {
        let mut known = self.fitted.lock().await;
        if let Some(fitted) = &*known {
            return Ok(fitted.clone());
        }
        let fitted = Arc::new(self.inspect().await?);
        *known = Some(fitted.clone());
        Ok(fitted)
    }

    /// The table is looked at again before it is read.
    async fn forget(&self) {
        *self.fitted.lock().await = None;
    }

    /// Passes an answer on; after an error the table is looked at again.
    async fn or_forget<T>(&self, answer: Result<T, SourceError>) -> Result<T, SourceError> {
        if answer.is_err() {
            self.forget().await;
        }
        answer
    }

    fn table(&self) -> Value<'_> {
        Value::Text(&self.mapping.table)
    }

    /// A statement about one claimed row: `values`, then table, number and lease.
    async fn about(&self, sql: &str, claim: &Claim, values: &[Value<'_>]) -> Result<(), SourceError> {
        let mut all = values.to_vec();
        all.extend([self.table(), Value::Number(claim.row.number), Value::Text(&claim.lease)]);
        match self.database.run(sql, &all).await? {
            0 => Err(SourceError::LeaseLost(claim.row.number)),
            _ => Ok(()),
        }
    }

    /// Columns: number, key, operation, changed, captured at, attempts.
    fn captured(&self, row: &Row) -> Result<(Captured, u32), SourceError> {
        let at = text(row, 4)?;
        let at: DateTime<Utc> =
            DateTime::parse_from_rfc3339(&at).map_err(|_| unexpected("captured_at"))?.with_timezone(&Utc);
        let changed = text(row, 3)?;
        let captured = Captured {
            number: number(row, 0)?,
            table: self.mapping.source_table(),
            key: text(row, 1)?,
            operation: text(row, 2)?.parse().map_err(|_| unexpected("operation"))?,
            changed: serde_json::from_str(&changed).map_err(|_| unexpected("changed"))?,
            at,
        };
        Ok((captured, number(row, 5)?))
    }
}

#[async_trait]
impl<D: Database> Source for Table<D> {
    fn engine(&self) -> Engine {
        self.database.engine()
    }

    async fn plan_install(&self) -> Result<Vec<String>, SourceError> {
        let fitted = self.inspect().await?;
        if !fitted.shape.transactional && self.engine() == Engine::Mysql {
            tracing::warn!(
                "the table `{}` cannot take a change back; a probe is not possible",
                self.mapping.table
            );
        }
        plan::install(&self.database, &fitted, &self.installed().await?)
    }

    async fn plan_uninstall(&self) -> Result<Vec<String>, SourceError> {
        Ok(plan::uninstall(&self.database, &self.mapping.table, &self.installed().await?)?.statements())
    }

    async fn install(&self) -> Result<Vec<String>, SourceError> {
        let statements = self.plan_install().await?;
        self.database.apply(&statements).await?;
        Ok(statements)
    }

    async fn uninstall(&self, unfinished: Unfinished) -> Result<Vec<String>, SourceError> {
        let installed = self.installed().await?;
        let removal = plan::uninstall(&self.database, &self.mapping.table, &installed)?;
        let statements = removal.statements();
        if unfinished == Unfinished::Discard || !installed.has_capture() {
            self.database.apply(&statements).await?;
            return Ok(statements);
        }
        let sql = self.database.statements();
        let own = [self.table()];
        let question: Said<'_> =
            if removal.alone { (sql.all_unfinished, &[]) } else { (sql.unfinished, &own) };
        // Asked before anything is touched, and again when no row can come any more.
        let rows = self.database.rows(question.0, question.1).await?;
        let mut waiting: i64 = rows.first().map_or(Ok(0), |row| number(row, 0))?;
        if waiting == 0 {
            waiting = self.database.apply_if_none(&removal.triggers, question, &removal.capture).await?;
        }
        match u64::try_from(waiting) {
            Ok(0) | Err(_) => Ok(statements),
            Ok(waiting) => Err(SourceError::Unfinished(waiting)),
        }
    }

    async fn check(&self, mode: Mode) -> Result<CheckReport, SourceError> {
        check::check(&self.database, &self.mapping, mode).await
    }

    async fn claim(
        &self,
        owner: &str,
        batch: u32,
        lease_seconds: u32,
        order: ClaimOrder,
    ) -> Result<Vec<Claim>, SourceError> {
        let sql = self.database.statements();
        let candidates = match order {
            ClaimOrder::OldestFirst => sql.oldest,
            ClaimOrder::NewestFirst => sql.newest,
        };
        let batch = i64::from(batch.min(CAPTURE_BATCH_MAX));
        let rows = self.database.rows(candidates, &[self.table(), Value::Number(batch)]).await?;
        let numbers: Vec<i64> = rows.iter().map(|row| number(row, 0)).collect::<Result<_, _>>()?;
        let Some((low, high, list)) = listed(&numbers) else { return Ok(Vec::new()) };
        let owner: String = owner.chars().take(OWNER_CHARS_MAX).collect();
        let lease = format!("{owner} {}", TimeOrderedIds.next());
        let (low, high) = (Value::Number(low), Value::Number(high));
        // Each row is judged again as it is leased: whoever came first has it.
        let leased = [
            Value::Text(&lease),
            Value::Number(i64::from(lease_seconds)),
            self.table(),
            low,
            high,
            Value::Text(&list),
        ];
        if self.database.run(sql.lease, &leased).await? == 0 {
            return Ok(Vec::new());
        }
        self.forget().await;
        let rows = self.database.rows(sql.claimed, &[self.table(), low, high, Value::Text(&lease)]).await?;
        let claim = |row| {
            let (row, attempt) = self.captured(row)?;
            Ok(Claim { row, attempt, lease: lease.clone() })
        };
        rows.iter().map(claim).collect()
    }

    async fn done(&self, claims: &[Claim]) -> Result<u64, SourceError> {
        let mut finished = 0;
        let mut rest = claims;
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|claim| claim.lease == first.lease).count();
            let numbers: Vec<i64> = rest[..same].iter().map(|claim| claim.row.number).collect();
            if let Some((low, high, list)) = listed(&numbers) {
                let values = [
                    self.table(),
                    Value::Number(low),
                    Value::Number(high),
                    Value::Text(&list),
                    Value::Text(&first.lease),
                ];
                finished += self.database.run(self.database.statements().done, &values).await?;
            }
            rest = &rest[same..];
        }
        Ok(finished)
    }

    async fn park(&self, claim: &Claim, reason: &str) -> Result<(), SourceError> {
        let reason = cut(reason);
        self.about(self.database.statements().park, claim, &[Value::Text(&reason)]).await
    }

    async fn release(&self, claim: &Claim, after_seconds: u32, reason: &str) -> Result<(), SourceError> {
        let (sql, reason) = (self.database.statements(), cut(reason));
        let reason = Value::Text(&reason);
        match after_seconds {
            // Nobody tried it: the claim does not count, and the row goes on growing older.
            0 => self.about(sql.give_back, claim, &[reason]).await,
            _ => self.about(sql.release, claim, &[Value::Number(i64::from(after_seconds)), reason]).await,
        }
    }

    async fn parked(&self, after: i64, limit: u32) -> Result<Vec<Parked>, SourceError> {
        let limit = i64::from(limit.min(PAGE_ROWS_MAX));
        let values = [self.table(), Value::Number(after), Value::Number(limit)];
        let rows = self.database.rows(self.database.statements().parked, &values).await?;
        let parked = |row| {
            let (captured, attempts) = self.captured(row)?;
            Ok(Parked { row: captured, attempts, reason: text(row, 6)? })
        };
        rows.iter().map(parked).collect()
    }

    async fn retry(&self, numbers: Option<&[i64]>) -> Result<u64, SourceError> {
        let sql = self.database.statements();
        let Some(numbers) = numbers else { return self.database.run(sql.retry_all, &[self.table()]).await };
        let Some((_, _, list)) = listed(numbers) else { return Ok(0) };
        self.database.run(sql.retry_some, &[self.table(), Value::Text(&list)]).await
    }

    async fn backlog(&self) -> Result<Backlog, SourceError> {
        let rows = self.database.rows(self.database.statements().backlog, &[self.table()]).await?;
        let row = rows.first().ok_or_else(|| unexpected("the backlog"))?;
        let oldest = row[2].is_some().then(|| number::<i64>(row, 2)).transpose()?;
        Ok(Backlog {
            waiting: number(row, 0)?,
            parked: number(row, 1)?,
            // A clock that was set back makes no row younger than new.
            oldest_seconds: oldest.map(|seconds| u64::try_from(seconds).unwrap_or_default()),
        })
    }

    async fn status(&self) -> Result<CaptureStatus, SourceError> {
        let backlog = self.backlog().await?;
        let rows = self.database.rows(self.database.statements().history, &[self.table()]).await?;
        let row = rows.first().ok_or_else(|| unexpected("the history"))?;
        Ok(CaptureStatus { backlog, leased: number(row, 0)?, done: number(row, 1)? })
    }

    async fn purge(&self, older_than_seconds: u64, limit: u32) -> Result<u64, SourceError> {
        // As many seconds as every engine's intervals hold; some thirty years.
        const SECONDS_MAX: u64 = 1_000_000_000;
        let seconds = i64::try_from(older_than_seconds.min(SECONDS_MAX)).unwrap_or_default();
        self.database.purge(&self.mapping.table, seconds, i64::from(limit)).await
    }

    async fn read(&self, key: &str) -> Result<Option<SourceRow>, SourceError> {
        let fitted = self.fitted().await?;
        self.or_forget(select::one(&self.database, &fitted, key).await).await
    }

    async fn poll(&self, from: Option<&PollPosition>, limit: u32) -> Result<Polled, SourceError> {
        let limit = limit.clamp(1, PAGE_ROWS_MAX);
        if from.is_none_or(|position| position.key.is_none()) {
            self.forget().await;
        }
        let fitted = self.fitted().await?;
        let placed = self.or_forget(select::recent(&self.database, &fitted, from, limit).await).await?;
        let full = placed.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        let next = placed.last().map(|placed| placed.position.clone()).filter(|_| full);
        let last = placed.iter().rfind(|placed| !placed.is_ahead).map(|placed| placed.position.clone());
        Ok(Polled { rows: placed.into_iter().map(|placed| placed.row).collect(), next, last })
    }

    async fn list(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Result<SourceRow, MalformedRow>>, SourceError> {
        if after.is_none() {
            self.forget().await;
        }
        let fitted = self.fitted().await?;
        let limit = limit.clamp(1, PAGE_ROWS_MAX);
        self.or_forget(select::page(&self.database, &fitted, after, limit).await).await
    }
}

/// The smallest, the largest, and all of them with commas between.
fn listed(numbers: &[i64]) -> Option<(i64, i64, String)> {
    let (low, high) = (numbers.iter().min()?, numbers.iter().max()?);
    let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Some((*low, *high, list))
}

fn cut(reason: &str) -> String {
    reason.chars().filter(|sign| *sign != '\0').take(REASON_CHARS_MAX).collect()
}

pub(super) fn text(row: &Row, place: usize) -> Result<String, SourceError> {
    let cell = row.get(place).and_then(Clone::clone).unwrap_or_default();
    String::from_utf8(cell).map_err(|_| unexpected("a text"))
}

pub(super) fn number<N: FromStr>(row: &Row, place: usize) -> Result<N, SourceError> {
    text(row, place)?.parse().map_err(|_| unexpected("a number"))
}

fn unexpected(what: &str) -> SourceError {
    SourceError::Database(format!("{what} in `{}` is not what Leadwire writes", names::CAPTURE))
}

/// The trigger of each operation that is captured: deletions only where no column tells them.
pub(super) fn operations(mapping: &Mapping) -> Vec<Operation> {
    let mut operations = vec![Operation::Insert, Operation::Update];
    if mapping.deleted.is_none() {
        operations.push(Operation::Delete);
    }
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_are_captured_where_no_column_tells_them() {
        let known = Mapping::system_s();
        assert_eq!(operations(&known), [Operation::Insert, Operation::Update]);
        let without = Mapping { deleted: None, ..known };
        assert_eq!(operations(&without), [Operation::Insert, Operation::Update, Operation::Delete]);
    }

    #[test]
    fn numbers_are_listed_with_their_bounds() {
        assert_eq!(listed(&[7, 3, 9]), Some((3, 9, "7,3,9".to_owned())));
        assert_eq!(listed(&[]), None);
        assert_eq!(cut("a\0b"), "ab");
    }
}
