//! The worker on a log and a source in memory: what becomes of each row, and who must hear of what does not work.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::member::{Member, SourceKey};
use domain::{MemberId, StreamId};

use super::*;
use crate::bus::CommandBus as _;
use crate::customers::tests::memory::{Memory, ready};
use crate::intake::{
    CaptureStatus, Captured, CheckReport, Claim, ClaimOrder, Engine, MalformedRow, Mapping, Mode, Operation,
    Parked, PollPosition, Polled, Unfinished, parse, read_row,
};

/// A source in memory: rows by key, and captured rows that are claimed in order.
struct Fake {
    mapping: Mapping,
    rows: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    captured: Mutex<VecDeque<Claim>>,
    ended: Mutex<Vec<String>>,
    /// What the next read says instead.
    trouble: Mutex<VecDeque<SourceError>>,
    /// Whether somebody else took over what is claimed.
    lost: Mutex<bool>,
}

const MAPPING: &str = "table = 't'\nkey = 'id'\nupdated_at = 'at'\ndeleted = 'gone'\n[status]\ncolumn = 'state'\n\
                       active = ['ACTIVE']\n[columns]\nname = 'nickname'\nphone = 'phone'\nyear = 'birth_year'\n\
                       made = 'created_at'";

impl Fake {
    fn new() -> Self {
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
    fn write(&self, key: &str, columns: &[(&str, &str)]) {
        let columns = columns.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        self.rows.lock().unwrap().insert(key.to_owned(), columns);
    }

    fn capture(&self, number: i64, key: &str, operation: Operation, attempt: u32) {
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

    fn ended(&self) -> Vec<String> {
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
struct Book {
    sweep: Mutex<Sweep>,
    aside: Mutex<BTreeMap<String, String>>,
    known: Mutex<Vec<SourceKey>>,
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

    async fn aside(&self) -> Result<Vec<SetAside>, Outage> {
        let aside = self.aside.lock().unwrap();
        let row = |(key, reason): (&String, &String)| SetAside {
            key: key.clone(),
            attempts: 1,
            reason: reason.clone(),
        };
        Ok(aside.iter().map(row).collect())
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

struct Fixed;

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

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_547_200 + seconds, 0).unwrap()
}

#[derive(Default)]
struct World {
    bus: Memory,
    source: Fake,
    book: Book,
    rules: Rules,
    since: Option<DateTime<Utc>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    fn desk(&self) -> Desk<'_, Memory> {
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

    fn work(&self) -> Result<Tally, Outage> {
        ready(claimed(&self.desk(), "me", 100, ClaimOrder::OldestFirst))
    }

    fn key(key: &str) -> SourceKey {
        SourceKey { source: "crm".to_owned(), table: "t".to_owned(), key: key.to_owned() }
    }

    fn events(&self, key: &str) -> Vec<&'static str> {
        self.bus.events(MemberId::of_row(&Self::key(key)))
    }

    fn member(&self, key: &str) -> Member {
        let id = MemberId::of_row(&Self::key(key));
        ready(self.bus.load::<Member>(&StreamId::from(id))).unwrap().state
    }
}

const ACTIVE: (&str, &str) = ("state", "ACTIVE");

#[test]
fn a_captured_row_becomes_a_member_once_however_often_it_is_read() {
    let world = World::default();
    world.source.write("7", &[ACTIVE, ("name", "小明")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, registered: 1, ..Tally::default() });
    assert_eq!(world.source.ended(), ["1 done"]);
    // Its worker died before it was marked: somebody reads it again.
    world.source.capture(1, "7", Operation::Insert, 2);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, unchanged: 1, ..Tally::default() });
    assert_eq!(world.events("7"), ["MemberRegistered"]);
    assert_eq!(world.work().unwrap(), Tally::default());
}

#[test]
fn values_that_come_and_go_and_an_activation_are_told() {
    let world = World::default();
    world.source.write("7", &[("state", "PENDING"), ("name", "小明")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    world.work().unwrap();
    assert!(!world.member("7").is_active());
    for (number, columns) in
        [(2, vec![ACTIVE, ("name", "小明")]), (3, vec![ACTIVE]), (4, vec![ACTIVE, ("name", "小红")])]
    {
        world.source.write("7", &columns);
        world.source.capture(number, "7", Operation::Update, 1);
        assert_eq!(world.work().unwrap().changed, 1, "{number}");
    }
    let events = ["MemberRegistered", "MemberActivated", "MemberUpdated", "MemberUpdated"];
    assert_eq!(world.events("7"), events);
    assert_eq!(world.member("7").fields.nickname.as_deref(), Some("小红"));
}

#[test]
fn who_is_gone_before_anybody_looked_is_put_aside_with_the_reason() {
    let world = World::default();
    world.source.write("8", &[ACTIVE, ("gone", "1")]);
    for (number, key) in [(1, "7"), (2, "8")] {
        world.source.capture(number, key, Operation::Insert, 1);
    }
    assert_eq!(world.work().unwrap(), Tally { seen: 2, parked: 2, ..Tally::default() });
    assert_eq!(world.source.ended(), [format!("1 parked: {GONE}"), format!("2 parked: {GONE}")]);
    assert!(world.events("8").is_empty());
}

#[test]
fn a_deletion_is_noted_of_whoever_is_known_and_of_nobody_else() {
    let world = World::default();
    world.source.write("7", &[ACTIVE]);
    world.source.capture(1, "7", Operation::Insert, 1);
    world.work().unwrap();
    world.source.write("7", &[ACTIVE, ("gone", "1")]);
    world.source.capture(2, "7", Operation::Update, 1);
    world.source.capture(3, "8", Operation::Delete, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 2, changed: 1, unchanged: 1, ..Tally::default() });
    assert_eq!(world.events("7"), ["MemberRegistered", "MemberDeleted"]);
    assert!(world.events("8").is_empty());
}

#[test]
fn a_column_that_cannot_be_read_keeps_nobody_from_hearing_of_the_member() {
    let world = World::default();
    world.source.write("7", &[ACTIVE, ("year", "neunzehnhundert")]);
    world.source.write("8", &[("state", "ASLEEP")]);
    for (number, key) in [(1, "7"), (2, "8")] {
        world.source.capture(number, key, Operation::Insert, 1);
    }
    let tally = world.work().unwrap();
    assert_eq!((tally.seen, tally.registered, tally.parked), (2, 2, 2));
    let ended = world.source.ended();
    assert!(ended[0].starts_with("1 parked: birth_year") && !ended[0].contains("neunzehn"), "{ended:?}");
    assert!(ended[1].starts_with("2 parked: status") && !ended[1].contains("ASLEEP"), "{ended:?}");
    // Repaired and tried again, under the same number.
    world.source.write("7", &[ACTIVE, ("year", "1990")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap().changed, 1);
    assert_eq!(world.source.ended(), ["1 done"]);
    assert_eq!(world.member("7").fields.birth_year, Some(1990));
}

#[test]
fn a_row_that_fails_is_tried_again_by_the_schedule_and_given_up_at_its_end() {
    let world = World { rules: Rules { attempts_max: 3, ..Rules::default() }, ..World::default() };
    world.source.write("7", &[ACTIVE]);
    for (attempt, expected) in
        [(1, "1 after 1"), (2, "1 after 5"), (3, "1 parked: given up after 3 attempts")]
    {
        world.source.trouble.lock().unwrap().push_back(SourceError::Database("no such column".to_owned()));
        world.source.capture(1, "7", Operation::Insert, attempt);
        let tally = world.work().unwrap();
        assert_eq!((tally.put_off, tally.parked), if attempt < 3 { (1, 0) } else { (0, 1) });
        let ended = world.source.ended();
        assert!(ended[0].starts_with(expected), "{ended:?}");
    }
}

#[test]
fn an_outage_gives_back_what_was_claimed_and_is_told() {
    let world = World::default();
    let gone = SourceError::Unreachable("no route".to_owned());
    world.source.trouble.lock().unwrap().push_back(gone.clone());
    for number in 1..=20 {
        world.source.write(&number.to_string(), &[ACTIVE]);
    }
    for number in 1..=20 {
        world.source.capture(number, "1", Operation::Insert, 1);
    }
    // The first one fails, seven beside it work, twelve are given back.
    let tally = world.work().unwrap();
    assert_eq!(tally.noted(), 7);
    let ended = world.source.ended();
    assert_eq!(ended.iter().filter(|ended| ended.ends_with("after 0")).count(), 13, "{ended:?}");
    world.source.trouble.lock().unwrap().push_back(gone.clone());
    world.source.capture(21, "1", Operation::Insert, 1);
    assert_eq!(world.work(), Err(Outage::Source(gone)));
}

#[test]
fn rows_that_somebody_else_has_by_now_count_for_nobody() {
    let world = World::default();
    *world.source.lost.lock().unwrap() = true;
    world.source.capture(1, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, lost: 1, ..Tally::default() });
}

#[test]
fn a_poll_goes_page_by_page_and_tells_of_what_is_new() {
    let world = World { rules: Rules { batch: 2, ..Rules::default() }, ..World::default() };
    for key in ["1", "2", "3"] {
        world.source.write(key, &[ACTIVE]);
    }
    let poll = || ready(polled(&world.desk())).unwrap();
    assert_eq!(poll(), (Tally { seen: 2, registered: 2, ..Tally::default() }, true));
    assert_eq!(poll(), (Tally { seen: 1, registered: 1, ..Tally::default() }, false));
    world.source.write("2", &[ACTIVE, ("name", "小明")]);
    assert_eq!(poll(), (Tally { seen: 2, known: 1, changed: 1, ..Tally::default() }, true));
    // The same value as once before is news all the same.
    world.source.write("2", &[ACTIVE]);
    *world.book.sweep.lock().unwrap() = Sweep::default();
    poll();
    assert_eq!(world.events("2"), ["MemberRegistered", "MemberUpdated", "MemberUpdated"]);
}

#[test]
fn what_a_poll_cannot_read_is_kept_aside_until_it_can() {
    let world = World::default();
    world.source.write("1", &[("state", "ASLEEP")]);
    ready(polled(&world.desk())).unwrap();
    assert!(world.book.aside.lock().unwrap()["1"].starts_with("status"));
    world.source.write("1", &[ACTIVE]);
    ready(polled(&world.desk())).unwrap();
    assert!(world.book.aside.lock().unwrap().is_empty());
    assert_eq!(world.events("1"), ["MemberRegistered", "MemberActivated"]);
}

#[test]
fn a_comparison_finds_what_nobody_captured_and_who_is_gone() {
    let world =
        World { rules: Rules { batch: 2, ..Rules::default() }, since: Some(at(0)), ..World::default() };
    for key in ["1", "2", "3"] {
        world.source.write(key, &[ACTIVE]);
        world.source.capture(key.parse().unwrap(), key, Operation::Insert, 1);
        world.book.known.lock().unwrap().push(World::key(key));
    }
    world.work().unwrap();
    world.source.write("2", &[ACTIVE, ("name", "小明")]);
    world.source.rows.lock().unwrap().remove("3");
    world.source.write("4", &[ACTIVE, ("made", "2025-12-02 08:00:00")]);
    world.source.write("5", &[ACTIVE, ("made", "2019-01-01 08:00:00")]);
    let pages = Mutex::new(Vec::new());
    let told = |tally: &Tally| pages.lock().unwrap().push(tally.seen);
    let tally = ready(reconciled(&world.desk(), &told)).unwrap();
    let expected = Tally { seen: 5, registered: 1, changed: 2, known: 1, older: 1, ..Tally::default() };
    assert_eq!(tally, expected);
    assert_eq!(*pages.lock().unwrap(), [2, 4, 5]);
    assert_eq!(world.events("3"), ["MemberRegistered", "MemberDeleted"]);
    assert_eq!(world.events("4"), ["MemberRegistered"]);
    assert!(world.events("5").is_empty());

    let all = Desk { since: None, ..world.desk() };
    assert_eq!(ready(reconciled(&all, &|_| {})).unwrap().registered, 1);
    let again = ready(reconciled(&all, &|_| {})).unwrap();
    assert_eq!((again.known, again.registered, again.changed), (4, 0, 0), "nothing is news twice");
}
