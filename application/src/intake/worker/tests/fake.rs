//! A source, a ledger and a log in memory.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::member::{Member, SourceKey};
use domain::{MemberId, StreamId};

use super::super::*;
use crate::bus::CommandBus as _;
use crate::customers::tests::memory::{Memory, ready};
use crate::intake::{
    Backlog, CaptureStatus, Captured, CheckReport, Claim, ClaimOrder, Engine, MalformedRow, Mapping, Mode,
    Operation, Parked, PollPosition, Polled, Unfinished, parse, read_row,
};

/// A source in memory: rows by key, and captured rows that are claimed in order.
pub(super) struct Fake {
    mapping: Mapping,
    pub(super) rows: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    pub(super) captured: Mutex<VecDeque<Claim>>,
    ended: Mutex<Vec<String>>,
    /// What the next read says instead.
    pub(super) trouble: Mutex<VecDeque<SourceError>>,
    /// Whether somebody else took over what is claimed.
    pub(super) lost: Mutex<bool>,
}

const MAPPING: &str = "table = 't'\nkey = 'id'\nupdated_at = 'at'\ndeleted = 'gone'\n[status]\ncolumn = 'state'\n\
                       active = ['ACTIVE']\n[columns]\nname = 'nickname'\nphone = 'phone'\nyear = 'birth_year'\n\
                       made = 'created_at'";

impl Fake {
    pub(super) fn new() -> Self {
        Self {
            mapping: parse("t.toml", MAPPING).unwrap(),
            rows: Mutex::default(),
            captured: Mutex::default(),
            ended: Mutex::default(),
            trouble: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    /// Somebody writes a row without a word to us.
    pub(super) fn write(&self, key: &str, columns: &[(&str, &str)]) {
        let columns = columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        self.rows.lock().unwrap().insert(key.to_owned(), columns);
    }

    pub(super) fn capture(&self, number: i64, key: &str, operation: Operation, attempt: u32) {
        let row = Captured {
            number,
            table: "t".to_owned(),
            key: key.to_owned(),
            operation,
            changed: Vec::new(),
            at: at(number),
        };
        self.captured.lock().unwrap().push_back(Claim { row, attempt, lease: "l".to_owned() });
    }

    pub(super) fn ended(&self) -> Vec<String> {
        std::mem::take(&mut *self.ended.lock().unwrap())
    }

    fn end(&self, claim: &Claim, how: String) -> Result<(), SourceError> {
        if *self.lost.lock().unwrap() {
            return Err(SourceError::LeaseLost(claim.row.number));
        }
        self.ended.lock().unwrap().push(how);
        Ok(())
    }

    fn row(&self, key: &str) -> Option<SourceRow> {
        let rows = self.rows.lock().unwrap();
        let row = rows.get(key)?;
        Some(read_row(&self.mapping, key, |column| row.get(column).cloned()))
    }
}

#[async_trait]
impl Source for Fake {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    async fn plan_install(&self) -> Result<Vec<String>, SourceError> {
        Ok(vec![])
    }

    async fn plan_uninstall(&self) -> Result<Vec<String>, SourceError> {
        Ok(vec![])
    }

    async fn install(&self) -> Result<Vec<String>, SourceError> {
        Ok(vec![])
    }

    async fn uninstall(&self, _: Unfinished) -> Result<Vec<String>, SourceError> {
        Ok(vec![])
    }

    async fn check(&self, _: Mode) -> Result<CheckReport, SourceError> {
        Ok(CheckReport::default())
    }

    async fn claim(&self, _: &str, batch: u32, _: u32, _: ClaimOrder) -> Result<Vec<Claim>, SourceError> {
        let mut captured = self.captured.lock().unwrap();
        let count = captured.len().min(usize::try_from(batch).unwrap());
        Ok(captured.drain(..count).collect())
    }

    async fn done(&self, claims: &[Claim]) -> Result<u64, SourceError> {
        if *self.lost.lock().unwrap() {
            return Ok(0);
        }
        self.ended.lock().unwrap().extend(claims.iter().map(|claim| format!("{} done", claim.row.number)));
        Ok(claims.len().try_into().unwrap())
    }

    async fn park(&self, claim: &Claim, reason: &str) -> Result<(), SourceError> {
        self.end(claim, format!("{} parked: {reason}", claim.row.number))
    }

    async fn release(&self, claim: &Claim, after: u32, _: &str) -> Result<(), SourceError> {
        self.end(claim, format!("{} after {after}", claim.row.number))
    }

    async fn parked(&self, _: i64, _: u32) -> Result<Vec<Parked>, SourceError> {
        Ok(vec![])
    }

    async fn retry(&self, _: Option<&[i64]>) -> Result<u64, SourceError> {
        Ok(0)
    }

    async fn backlog(&self) -> Result<Backlog, SourceError> {
        Ok(Backlog::default())
    }

    async fn status(&self) -> Result<CaptureStatus, SourceError> {
        Ok(CaptureStatus::default())
    }

    async fn purge(&self, _: u64, _: u32) -> Result<u64, SourceError> {
        Ok(0)
    }

    async fn read(&self, key: &str) -> Result<Option<SourceRow>, SourceError> {
        match self.trouble.lock().unwrap().pop_front() {
            Some(error) => Err(error),
            None => Ok(self.row(key)),
        }
    }

    async fn poll(&self, from: Option<&PollPosition>, limit: u32) -> Result<Polled, SourceError> {
        // In the order of the keys, which are moments here too.
        let after = from.map(|from| (from.updated_at.clone(), from.key.is_some()));
        let rows = self.list(None, u32::MAX).await?;
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|row| {
                let key = &row.as_ref().unwrap().key;
                after.as_ref().is_none_or(|(after, beyond)| if *beyond { key > after } else { key >= after })
            })
            .take(usize::try_from(limit).unwrap())
            .collect();
        let last = rows.last().map(|row| {
            let key = row.as_ref().unwrap().key.clone();
            PollPosition { updated_at: key.clone(), key: Some(key) }
        });
        let full = rows.len() >= usize::try_from(limit).unwrap();
        Ok(Polled { rows, next: last.clone().filter(|_| full), last })
    }

    async fn list(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Result<SourceRow, MalformedRow>>, SourceError> {
        let keys: Vec<String> = self.rows.lock().unwrap().keys().cloned().collect();
        let keys = keys.iter().filter(|key| after.is_none_or(|after| key.as_str() > after));
        let rows = keys.take(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(rows.map(|key| Ok(self.row(key).unwrap())).collect())
    }
}

#[derive(Default)]
pub(super) struct Book {
    pub(super) sweep: Mutex<Sweep>,
    pub(super) aside: Mutex<BTreeMap<String, String>>,
    pub(super) known: Mutex<Vec<SourceKey>>,
}

#[async_trait]
impl Ledger for Book {
    async fn sweep(&self) -> Result<Sweep, Outage> {
        Ok(self.sweep.lock().unwrap().clone())
    }

    async fn keep_sweep(&self, before: &Sweep, now: &Sweep) -> Result<bool, Outage> {
        let mut kept = self.sweep.lock().unwrap();
        let ours = *kept == *before;
        if ours {
            *kept = now.clone();
        }
        Ok(ours)
    }

    async fn set_aside(&self, key: &str, reason: &str) -> Result<(), Outage> {
        self.aside.lock().unwrap().insert(key.to_owned(), reason.to_owned());
        Ok(())
    }

    async fn cleared(&self, key: &str) -> Result<(), Outage> {
        self.aside.lock().unwrap().remove(key);
        Ok(())
    }

    async fn aside(&self, keys: &[&str]) -> Result<HashSet<String>, Outage> {
        let aside = self.aside.lock().unwrap();
        Ok(keys.iter().filter(|key| aside.contains_key(**key)).map(ToString::to_string).collect())
    }

    async fn known(&self, after: Option<MemberId>) -> Result<Vec<(MemberId, SourceKey)>, Outage> {
        let mut known: Vec<_> =
            self.known.lock().unwrap().iter().map(|key| (MemberId::of_row(key), key.clone())).collect();
        known.sort();
        known.retain(|(id, _)| after.is_none_or(|after| *id > after));
        known.truncate(1);
        Ok(known)
    }
}

pub(super) struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> DateTime<Utc> {
        at(0)
    }
}

impl Randomness for Fixed {
    fn unit(&self) -> f64 {
        0.5
    }
}

pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_547_200 + seconds, 0).unwrap()
}

#[derive(Default)]
pub(super) struct World {
    pub(super) bus: Memory,
    pub(super) source: Fake,
    pub(super) book: Book,
    pub(super) rules: Rules,
    pub(super) since: Option<DateTime<Utc>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    pub(super) fn desk(&self) -> Desk<'_, Memory> {
        Desk {
            bus: &self.bus,
            source: &self.source,
            ledger: &self.book,
            name: "crm",
            table: "t",
            rules: &self.rules,
            clock: &Fixed,
            randomness: &Fixed,
            run: "run",
            since: self.since,
        }
    }

    pub(super) fn work(&self) -> Result<Tally, Outage> {
        ready(claimed(&self.desk(), "me", 100, ClaimOrder::OldestFirst))
    }

    /// A comparison that holds whom it finds gone in great numbers.
    pub(super) fn compare(desk: &Desk<'_, Memory>) -> (Tally, Option<Held>) {
        let mut tally = Tally::default();
        let held = ready(reconciled(desk, Deletions::Held, &mut tally, &|_| {})).unwrap();
        (tally, held)
    }

    pub(super) fn key(key: &str) -> SourceKey {
        SourceKey { source: "crm".to_owned(), table: "t".to_owned(), key: key.to_owned() }
    }

    pub(super) fn events(&self, key: &str) -> Vec<&'static str> {
        self.bus.events(MemberId::of_row(&Self::key(key)))
    }

    pub(super) fn member(&self, key: &str) -> Member {
        let id = MemberId::of_row(&Self::key(key));
        ready(self.bus.load::<Member>(&StreamId::from(id))).unwrap().state
    }
}
