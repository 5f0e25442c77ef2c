//! One or two processes, a few people, and everything that moves leads between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use application::access::Caller;
use application::bus::{AppendError, CommandContext, CountKind, ExecuteError};
use application::customers::{
    Assign, BatchAssign, BatchFrom, BatchRelease, Create, Limits, Release, Treat, Treatment, Update, assign,
    batch_assign, batch_release, claim, create, release, treat, update,
};
use application::ports::Ids as _;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerEvent, LeadLevel, LeadSource, Profile, ProfilePatch,
};
use domain::staff::{Role, StaffCommand};
use domain::{Actor, BatchId, CommandId, CustomerId, Metadata, StaffId};
use infrastructure::bus::Bus;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::Db;
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use infrastructure::with_tx;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::rules;
use crate::kit::{TestDb, assert_whole};

pub(super) const PEOPLE: [Role; 4] = [Role::Admin, Role::Employee, Role::Employee, Role::Dispatch];
pub(super) const LEADS: u64 = 24;
pub(super) const CAP: i64 = 3;

/// The first lead that an import brings.
const IMPORTED: u64 = 1000;

pub(super) fn staff(n: u64) -> StaffId {
    StaffId(Uuid::from_u128(0x100 + u128::from(n)))
}

pub(super) fn lead(n: u64) -> CustomerId {
    CustomerId(Uuid::from_u128(0x2000 + u128::from(n)))
}

pub(super) fn caller(n: u64) -> Caller {
    let role = PEOPLE[usize::try_from(n).unwrap()];
    Caller { id: staff(n), username: format!("person{n}"), name: format!("姓名{n}"), role }
}

/// When people do what they do.
pub(super) fn moment() -> DateTime<Utc> {
    let at: DateTime<Utc> = DateTime::from_timestamp(1_764_547_200, 0).unwrap();
    at + TimeDelta::seconds(1)
}

pub(super) fn context(by: u64) -> CommandContext {
    let metadata = Metadata {
        command: CommandId(TimeOrderedIds.next()),
        correlation: "test".into(),
        causation: None,
        actor: Actor::Staff(staff(by)),
    };
    CommandContext { metadata, at: moment(), fingerprint: None }
}

pub(super) fn profile(n: u64) -> Profile {
    Profile {
        name: format!("客户{n}"),
        lead_source: Some(LeadSource::Other),
        wechat_id: None,
        phone: Some(domain::contact::Phone::parse(&format!("138{n:08}")).unwrap()),
        ..Profile::default()
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Create,
    Import,
    Claim,
    Assign,
    BatchAssign,
    AutoTransfer,
    Release,
    BatchRelease,
    Fall,
    Delete,
    Status,
}

/// How often each is asked for.
pub(super) const MIX: [(Kind, u64); 11] = [
    (Kind::Create, 5),
    (Kind::Import, 1),
    (Kind::Claim, 5),
    (Kind::Assign, 4),
    (Kind::BatchAssign, 2),
    (Kind::AutoTransfer, 2),
    (Kind::Release, 2),
    (Kind::BatchRelease, 1),
    (Kind::Fall, 2),
    (Kind::Delete, 1),
    (Kind::Status, 5),
];

/// Leads that were moved, brought or signed in each way that there is.
pub(super) const WAYS: [&str; 11] = [
    "assigned",
    "claimed",
    "created",
    "deleted",
    "fallen",
    "imported",
    "released",
    "released in a batch",
    "signed or not",
    "transferred",
    "transferred by a rule",
];

/// One or two processes on a database.
pub(super) struct Office {
    pub(super) buses: Vec<Bus>,
    pub(super) db: Db,
    pub(super) limits: Limits,
    /// Imports so far; each brought a lead that was not there.
    imports: Arc<AtomicU64>,
    /// Runs of rules so far.
    runs: Arc<AtomicU64>,
}

impl Office {
    pub(super) async fn open(test: &TestDb, ignores_signed: bool) -> Self {
        let other = test.reopened_beside().await;
        let bus = |db: Db| Bus::new(EventLog::start(db), Arc::new(Upcasters::none()));
        let mut buses = vec![bus(test.db.clone())];
        if matches!(test.db, Db::Postgres(_)) {
            buses.push(bus(other));
        }
        let limits = Limits {
            holding_cap: CAP,
            cap_ignores_signed: ignores_signed,
            assignments_held_to_cap: true,
            ..Limits::default()
        };
        let (imports, runs) = (Arc::default(), Arc::default());
        let office = Self { buses, db: test.db.clone(), limits, imports, runs };
        for (n, role) in (0..).zip(PEOPLE) {
            let register = StaffCommand::Register {
                username: format!("person{n}"),
                name: format!("姓名{n}"),
                role,
                department: None,
                phone: None,
                email: None,
                by: Actor::System("test".into()),
                at: moment(),
            };
            application::staff::command(&office.buses[0], &context(0), staff(n), register).await.unwrap();
        }
        rules::write(&office.buses[0], (0..PEOPLE.len() as u64).map(staff).collect()).await;
        office
    }

    /// The same without caps.
    pub(super) fn roomy(&self) -> Self {
        let (buses, imports, runs) = (self.buses.clone(), self.imports.clone(), self.runs.clone());
        Self { limits: Limits::default(), buses, db: self.db.clone(), imports, runs }
    }

    /// The n-th of the leads that somebody may ask for by now.
    pub(super) fn lead(&self, n: impl FnOnce(u64) -> u64) -> u64 {
        let n = n(LEADS + self.imports.load(Ordering::Relaxed));
        if n < LEADS { n } else { IMPORTED + n - LEADS }
    }

    /// Asks for something. A refusal is as good as anything else.
    pub(super) async fn ask(&self, kind: Kind, [by, to, n]: [u64; 3], status: ContractStatus) {
        let bus = &self.buses[usize::try_from(n).unwrap() % self.buses.len()];
        // Nobody else may delete.
        let by = if matches!(kind, Kind::Delete) { 0 } else { by };
        let (limits, caller, context) = (&self.limits, caller(by), context(by));
        let batch = BatchId(context.metadata.command.0);
        let (customer, to) = (lead(n), staff(to));
        let several = vec![customer, lead((n + 1) % LEADS), lead((n + 2) % LEADS)];
        match kind {
            Kind::Create => {
                let (contract_status, lead_level, owner) = (status, LeadLevel::A, Some(to));
                let profile = profile(n);
                let request =
                    Create { id: customer, profile, contract_status, lead_level, owner, reason: None };
                let numbers = StoredNumbers::new(self.db.clone());
                fine(create(bus, &numbers, limits, &caller, &context, request).await);
            }
            Kind::Import => {
                let new = IMPORTED + self.imports.fetch_add(1, Ordering::Relaxed);
                fine(rules::import(bus, &self.db, &caller, &context, (&[new, n], to, status)).await);
            }
            Kind::Claim => fine(claim(bus, limits, &caller, &context, several).await),
            Kind::Assign => {
                let source = AssignmentSource::Manual;
                let request = Assign { customer, expected: None, to, reason: None, source };
                fine(assign(bus, limits, &caller, &context, request).await);
            }
            Kind::BatchAssign => {
                let from = BatchFrom::Anywhere;
                let request = BatchAssign { batch, customers: several, to, reason: None, from };
                fine(batch_assign(bus, limits, &caller, &context, request).await);
            }
            Kind::AutoTransfer => fine(rules::transfer(bus, limits, several, self.run()).await),
            Kind::Release => {
                let request = Release { customer, expected: None, reason: "客户不需要了".into() };
                fine(release(bus, &caller, &context, request).await);
            }
            Kind::BatchRelease => {
                let request = BatchRelease { batch, customers: several, reason: "不跟进了".into() };
                fine(batch_release(bus, &caller, &context, request).await);
            }
            Kind::Fall => fine(rules::fall(bus, several, self.run()).await),
            Kind::Delete => {
                let request = Treat { customer, expected: None, what: Treatment::Delete };
                fine(treat(bus, &caller, &context, request).await);
            }
            Kind::Status => {
                let (changes, lead_level) = (ProfilePatch::default(), None);
                let contract_status = Some(status);
                let request = Update { customer, expected: None, changes, contract_status, lead_level };
                fine(update(bus, &caller, &context, request).await);
            }
        }
    }

    /// The number of the next run of a rule.
    fn run(&self) -> u64 {
        self.runs.fetch_add(1, Ordering::Relaxed)
    }

    /// What is kept.
    pub(super) async fn kept(&self) -> BTreeMap<(CountKind, u64), i64> {
        let mut kept = BTreeMap::new();
        for n in 0..PEOPLE.len() as u64 {
            for kind in [CountKind::OwnedLeads, CountKind::UnsignedLeads] {
                let count = self.buses[0].log().count(kind, &staff(n).to_string()).await.unwrap();
                kept.insert((kind, n), count);
            }
        }
        kept
    }

    async fn facts(&self) -> Vec<(CustomerId, CustomerEvent)> {
        let all = assert_whole(self.buses[0].log()).await;
        let leads = all.into_iter().filter(|event| event.stream.kind() == "customer");
        let read = |event| {
            let event = Upcasters::none().decode::<CustomerEvent>(event).unwrap();
            (CustomerId(event.stream.uuid().unwrap()), event.payload)
        };
        leads.map(read).collect()
    }

    /// What the log says to whoever reads it event by event.
    pub(super) async fn said(&self) -> BTreeMap<(CountKind, u64), i64> {
        let mut leads: HashMap<_, (Option<StaffId>, ContractStatus)> = HashMap::new();
        for (lead, fact) in self.facts().await {
            let known = leads.entry(lead).or_insert((None, ContractStatus::Pending));
            match fact {
                CustomerEvent::Created(e) => known.1 = e.contract_status,
                CustomerEvent::StatusChanged(e) => known.1 = e.to,
                CustomerEvent::Assigned(e) => known.0 = Some(e.to),
                CustomerEvent::Transferred(e) => known.0 = Some(e.to),
                CustomerEvent::Claimed(e) => known.0 = Some(e.by),
                CustomerEvent::Released(_) | CustomerEvent::Recycled(_) | CustomerEvent::Deleted(_) => {
                    known.0 = None;
                }
                _ => {}
            }
        }
        let mut said = BTreeMap::new();
        for n in 0..PEOPLE.len() as u64 {
            let owned: Vec<_> = leads.values().filter(|(owner, _)| *owner == Some(staff(n))).collect();
            let unsigned = owned.iter().filter(|(_, status)| *status != ContractStatus::Signed).count();
            said.insert((CountKind::OwnedLeads, n), i64::try_from(owned.len()).unwrap());
            said.insert((CountKind::UnsignedLeads, n), i64::try_from(unsigned).unwrap());
        }
        said
    }

    /// In which of the [`WAYS`] something happened.
    pub(super) async fn ways(&self) -> BTreeSet<&'static str> {
        let way = |(_, fact): (CustomerId, CustomerEvent)| match fact {
            CustomerEvent::Created(e) if e.import.is_some() => Some("imported"),
            CustomerEvent::Created(_) => Some("created"),
            CustomerEvent::Assigned(_) => Some("assigned"),
            CustomerEvent::Claimed(_) => Some("claimed"),
            CustomerEvent::Transferred(e) if matches!(e.source, AssignmentSource::Rule(_)) => {
                Some("transferred by a rule")
            }
            CustomerEvent::Transferred(_) => Some("transferred"),
            CustomerEvent::Released(e) if e.batch.is_some() => Some("released in a batch"),
            CustomerEvent::Released(_) => Some("released"),
            CustomerEvent::Recycled(_) => Some("fallen"),
            CustomerEvent::Deleted(_) => Some("deleted"),
            CustomerEvent::StatusChanged(_) => Some("signed or not"),
            _ => None,
        };
        self.facts().await.into_iter().filter_map(way).collect()
    }

    /// Does something to the counts that no command would do.
    pub(super) async fn spoil(&self, statement: String) {
        let mut tx = self.db.begin_write().await.unwrap();
        with_tx!(&mut tx, conn => sqlx::query(AssertSqlSafe(statement)).execute(conn).await.map(drop))
            .unwrap();
        tx.commit().await.unwrap();
    }
}

fn fine<T, R: Error>(result: Result<T, ExecuteError<R>>) {
    match result {
        // A conflict: a lead of that id was there before, for an id is drawn for one lead.
        Ok(_) | Err(ExecuteError::Refused(_) | ExecuteError::Append(AppendError::Conflict { .. })) => {}
        Err(other) => panic!("{other:?}"),
    }
}
