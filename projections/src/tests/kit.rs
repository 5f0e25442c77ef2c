//! A fresh database for every test, and small words for what happens in it.

mod notices;
pub(super) mod recycling;
mod transfers;

use std::sync::Arc;

use application::bus::{Appended, Draft, StreamAppend};
use application::ports::Ids;
use chrono::{DateTime, TimeDelta, Utc};
use domain::batch::{BatchEvent, ImportChunkStored, ImportCompleted, ImportStarted, OwnedCustomer};
use domain::contact::Phone;
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerAssigned, CustomerClaimed, CustomerCreated, CustomerDeleted,
    CustomerEvent, CustomerNumber, CustomerReleased, CustomerStatusChanged, CustomerTransferred,
    FollowUpKind, FollowUpRecorded, LeadLevel, Profile,
};
use domain::staff::{Role, StaffEvent, StaffRegistered};
use domain::{
    Actor, BatchId, CommandId, CustomerId, FollowUpId, Metadata, Position, StaffId, StoredEvent, StreamId,
};
use infrastructure::clock::TestClock;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

pub(super) use notices::{fate, notice, requested, wechat};
pub(super) use transfers::{moved_by, planned, rule, rule_text, rule_written, run, run_begun, run_over};

use crate::queries::Roster;
use crate::{Projections, ReadModel};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    Sqlite,
    Postgres,
}

enum Place {
    File(#[expect(dead_code, reason = "the folder lives as long as the database")] tempfile::TempDir),
    Database { admin: String, name: String },
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self::Database { admin, name } = self else { return };
        let (admin, name) = (admin.clone(), name.clone());
        // A runtime of its own: this also runs while a failed test unwinds.
        let worker = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(administer(&admin, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        let _ = worker.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "the test's own setting, not the program's")]
fn postgres_url() -> String {
    std::env::var("LEADWIRE_TEST_POSTGRES").expect("LEADWIRE_TEST_POSTGRES names a PostgreSQL for tests")
}

async fn administer(admin: &str, statement: String) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

/// A database, its log, and one process's read models.
pub(super) struct World {
    pub(super) db: Db,
    pub(super) log: EventLog,
    pub(super) clock: Arc<TestClock>,
    pub(super) projections: Projections,
    _place: Place,
}

/// When every story begins.
pub(super) fn dawn() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// The n-th second of the story.
pub(super) fn second(n: i64) -> DateTime<Utc> {
    dawn() + TimeDelta::seconds(n)
}

pub(super) fn customer(n: u128) -> CustomerId {
    CustomerId(uuid::Uuid::from_u128(0x1000 + n))
}

pub(super) fn batch(n: u128) -> BatchId {
    BatchId(uuid::Uuid::from_u128(0x9000 + n))
}

pub(super) fn staff(n: u128) -> StaffId {
    StaffId(uuid::Uuid::from_u128(0x2000 + n))
}

pub(super) fn by(n: u128) -> Actor {
    Actor::Staff(staff(n))
}

impl World {
    pub(super) async fn new(backend: Backend) -> Self {
        let (url, place) = match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                (format!("sqlite:{}", folder.path().join("leadwire.db").display()), Place::File(folder))
            }
            Backend::Postgres => {
                let admin = postgres_url();
                let name = format!("leadwire_read_{}", TimeOrderedIds.next().simple());
                administer(&admin, format!("CREATE DATABASE {name}")).await;
                let server = admin.rsplit_once('/').unwrap().0;
                (format!("{server}/{name}"), Place::Database { admin: admin.clone(), name })
            }
        };
        let db = Db::connect(&url, DbOptions::default()).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(TestClock::at(dawn()));
        crate::migrate(&db, clock.as_ref()).await.unwrap();
        let log = EventLog::start(db.clone());
        let projections = projections(&log, &clock);
        Self { db, log, clock, projections, _place: place }
    }

    /// Another process on the same database.
    pub(super) fn another_process(&self) -> Projections {
        projections(&self.log, &self.clock)
    }

    pub(super) async fn append<E: StoredEvent>(&self, stream: impl Into<StreamId>, events: &[E]) -> Position {
        append(&self.log, stream.into(), events).await
    }

    /// The leads as lists see them.
    pub(super) fn roster(&self) -> &Roster {
        self.projections.roster()
    }

    /// Brings every read model to the head.
    pub(super) async fn settle(&self) {
        self.projections.catch_up_all().await.unwrap();
    }

    pub(super) async fn dump(&self, model: ReadModel) -> Vec<(&'static str, Vec<String>)> {
        crate::rebuild::dump(&self.db, model).await.unwrap()
    }

    pub(super) async fn dump_all(&self) -> Vec<Vec<(&'static str, Vec<String>)>> {
        let mut dumps = Vec::new();
        for model in ReadModel::ALL {
            dumps.push(self.dump(*model).await);
        }
        dumps
    }

    pub(super) async fn hire(&self, n: u128, name: &str) -> Position {
        self.append(staff(n), &[registered(n, name)]).await
    }

    pub(super) async fn create(&self, n: u128, profile: Profile, at: DateTime<Utc>) -> Position {
        self.append(customer(n), &[created(n, profile, at)]).await
    }

    pub(super) async fn assign(&self, n: u128, to: u128, at: DateTime<Utc>) -> Position {
        self.append(customer(n), &[assigned(to, at)]).await
    }
}

fn projections(log: &EventLog, clock: &Arc<TestClock>) -> Projections {
    Projections::new(log.clone(), clock.clone(), TimeOrderedIds.next(), Arc::new(Upcasters::none()))
}

/// Appends behind whatever the stream holds.
pub(super) async fn append<E: StoredEvent>(log: &EventLog, stream: StreamId, events: &[E]) -> Position {
    append_at(log, stream, events, dawn()).await
}

/// The same, recorded at another moment.
pub(super) async fn append_at<E: StoredEvent>(
    log: &EventLog,
    stream: StreamId,
    events: &[E],
    recorded_at: DateTime<Utc>,
) -> Position {
    let expected = log.stream(&stream, 0, 4096).await.unwrap().last().map_or(0, |event| event.sequence);
    let draft = Draft {
        metadata: Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: "story".to_owned(),
            causation: None,
            actor: Actor::System("test".to_owned()),
        },
        recorded_at,
        streams: vec![StreamAppend::of(stream, expected, events).unwrap()],
        guards: Vec::new(),
        receipt: None,
    };
    match log.append(draft).await.unwrap() {
        Appended::Committed { last } => last,
        Appended::Replayed(receipt) => receipt.position,
    }
}

pub(super) fn profile(name: &str) -> Profile {
    Profile { name: name.to_owned(), ..Profile::default() }
}

pub(super) fn with_phone(name: &str, phone: &str) -> Profile {
    Profile { phone: Some(Phone::parse(phone).unwrap()), ..profile(name) }
}

pub(super) fn created(n: u128, profile: Profile, at: DateTime<Utc>) -> CustomerEvent {
    let number = CustomerNumber::nth(u64::try_from(n).unwrap());
    let (contract_status, lead_level) = (ContractStatus::Matching, LeadLevel::A);
    let (pooled, import, by) = (None, None, by(1));
    CustomerCreated { number, profile, contract_status, lead_level, pooled, import, by, at }.into()
}

pub(super) fn assigned(to: u128, at: DateTime<Utc>) -> CustomerEvent {
    let reason = Some("离得近".to_owned());
    let (source, out_of_pool) = (AssignmentSource::Manual, false);
    CustomerAssigned { to: staff(to), by: by(1), reason, source, out_of_pool, at }.into()
}

pub(super) fn transferred(from: u128, to: u128, at: DateTime<Utc>) -> CustomerEvent {
    let by = Actor::System("rule".to_owned());
    let source = AssignmentSource::MiniProgram;
    CustomerTransferred { from: staff(from), to: staff(to), by, reason: None, source, at }.into()
}

/// Created into the public pool.
pub(super) fn pooled(n: u128, profile: Profile, at: DateTime<Utc>) -> CustomerEvent {
    match created(n, profile, at) {
        CustomerEvent::Created(e) => CustomerCreated {
            pooled: Some("官网留资".to_owned()),
            by: Actor::System("website".to_owned()),
            ..e
        }
        .into(),
        other => other,
    }
}

pub(super) fn released(from: u128, at: DateTime<Utc>) -> CustomerEvent {
    let reason = "客户不需要了".to_owned();
    CustomerReleased { from: staff(from), by: by(from), reason, batch: None, at }.into()
}

pub(super) fn claimed(by: u128, at: DateTime<Utc>) -> CustomerEvent {
    CustomerClaimed { by: staff(by), at }.into()
}

/// Given to somebody out of the public pool.
pub(super) fn assigned_from_pool(to: u128, at: DateTime<Utc>) -> CustomerEvent {
    match assigned(to, at) {
        CustomerEvent::Assigned(e) => {
            CustomerAssigned { out_of_pool: true, source: AssignmentSource::Pool, ..e }.into()
        }
        other => other,
    }
}

pub(super) fn followed_up(id: u128, author: u128, content: &str, at: DateTime<Utc>) -> CustomerEvent {
    FollowUpRecorded {
        id: FollowUpId(uuid::Uuid::from_u128(id)),
        kind: FollowUpKind::Other,
        content: content.to_owned(),
        next_follow_up_at: Some(at + TimeDelta::days(1)),
        by: by(author),
        at,
    }
    .into()
}

pub(super) fn deleted(from: Option<u128>, at: DateTime<Utc>) -> CustomerEvent {
    CustomerDeleted { from: from.map(staff), by: by(1), at }.into()
}

pub(super) fn moved_to(to: ContractStatus, at: DateTime<Utc>) -> CustomerEvent {
    CustomerStatusChanged { from: ContractStatus::Matching, to, by: by(2), at }.into()
}

pub(super) fn registered(n: u128, name: &str) -> StaffEvent {
    StaffRegistered {
        username: format!("user{n}"),
        name: name.to_owned(),
        role: Role::Employee,
        department: Some("一部".to_owned()),
        phone: None,
        email: None,
        by: Actor::System("cli".to_owned()),
        at: dawn(),
    }
    .into()
}

/// What becomes of some leads of the story: followed up, given up, taken again, deleted.
fn later(n: u128, at: DateTime<Utc>) -> Vec<CustomerEvent> {
    let mut events = Vec::new();
    let owner = if n.is_multiple_of(2) { 1 + (n + 1) % 3 } else { 1 + n % 3 };
    if n.is_multiple_of(3) {
        events.push(followed_up(0x5000 + n, owner, "已联系", at));
        events.push(released(owner, at));
    }
    if n.is_multiple_of(6) {
        events.push(claimed(2, at));
    }
    if n.is_multiple_of(8) {
        events.push(deleted(Some(owner), at));
    }
    events
}

impl World {
    /// A little of everything: staff, leads that change hands, notices that are sent, fail and are read.
    pub(super) async fn story(&self, leads: u128) {
        self.story_from(1, leads).await;
    }

    /// An import of one row, which is over unless its number can be halved.
    pub(super) async fn import(&self, n: u128, at: DateTime<Utc>) {
        let created = vec![OwnedCustomer { customer: customer(n), owner: staff(1) }];
        let mut events: Vec<BatchEvent> = vec![
            ImportStarted { rows: 1, by: by(1), at }.into(),
            ImportChunkStored { created: created.clone(), at: at + TimeDelta::seconds(1) }.into(),
        ];
        if !n.is_multiple_of(2) {
            events.push(ImportCompleted { created, by: by(1), at: at + TimeDelta::seconds(2) }.into());
        }
        self.append(batch(n), &events).await;
    }

    /// The same with leads of other numbers.
    pub(super) async fn story_from(&self, first: u128, leads: u128) {
        for n in 1..=3 {
            self.hire(10 * first + n, &format!("员工{n}")).await;
        }
        for n in first..first + leads {
            let at = second(i64::try_from(n).unwrap());
            let owner = 1 + n % 3;
            let mut events = vec![created(n, profile(&format!("客户{n}")), at), assigned(owner, at)];
            if n % 2 == 0 {
                events.push(transferred(owner, 1 + (n + 1) % 3, at));
            }
            self.append(customer(n), &events).await;
            self.append(customer(n), &later(n, at)).await;
            self.notify(n, owner).await;
            let delivery = wechat(n, owner);
            self.append(notice(n, owner), &fate(n, delivery, at)).await;
            self.answer_of_person(n, at).await;
            if n.is_multiple_of(3) {
                self.import(n, at).await;
            }
            if n % 5 == 0 {
                self.read(owner, &[n], at).await;
            }
            if n % 7 == 0 {
                self.read_all(owner, 2, at).await;
            }
            if n % 4 == 0 {
                self.handle(owner, n, at).await;
            }
        }
        self.rules_at_work(first).await;
        self.recycle_rule(first, recycling::seven_days(dawn()), dawn()).await;
    }
}
