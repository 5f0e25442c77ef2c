//! The counts behind the holding caps are what a naive reading of the log says, after any commands in any order at once,
//! and after a recount of a store that never kept them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use application::access::Caller;
use application::bus::{CommandContext, CountKind, ExecuteError};
use application::customers::{
    Assign, BatchAssign, BatchFrom, Create, CustomerResult, Limits, Release, Treat, Treatment, Update,
    assign, batch_assign, claim, create, release, treat, update,
};
use application::ports::Ids as _;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerEvent, LeadLevel, LeadSource, Profile, ProfilePatch,
};
use domain::staff::{Role, StaffCommand};
use domain::{Actor, BatchId, CommandId, CustomerId, Metadata, StaffId};
use futures_util::future::join_all;
use infrastructure::bus::Bus;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::{Db, DbError};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::recount::recount_once;
use infrastructure::upcasters::Upcasters;
use infrastructure::with_tx;
use rstest::rstest;
use uuid::Uuid;

use crate::kit::{Backend, TestDb, assert_whole};

const PEOPLE: [Role; 4] = [Role::Admin, Role::Employee, Role::Employee, Role::Dispatch];
const LEADS: u64 = 24;
const CAP: i64 = 3;
const ROUNDS: u64 = 25;
const AT_ONCE: u64 = 6;

fn staff(n: u64) -> StaffId {
    StaffId(Uuid::from_u128(0x100 + u128::from(n)))
}

fn lead(n: u64) -> CustomerId {
    CustomerId(Uuid::from_u128(0x200 + u128::from(n)))
}

fn caller(n: u64) -> Caller {
    let role = PEOPLE[usize::try_from(n).unwrap()];
    Caller { id: staff(n), username: format!("person{n}"), name: format!("姓名{n}"), role }
}

fn context(by: u64) -> CommandContext {
    let at: DateTime<Utc> = DateTime::from_timestamp(1_764_547_200, 0).unwrap();
    let metadata = Metadata {
        command: CommandId(TimeOrderedIds.next()),
        correlation: "test".into(),
        causation: None,
        actor: Actor::Staff(staff(by)),
    };
    CommandContext { metadata, at: at + TimeDelta::seconds(1), fingerprint: None }
}

/// Chance that is the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn kind(&mut self) -> Kind {
        let mut left = self.below(MIX.iter().map(|(_, often)| often).sum());
        let fits = |(kind, often): &(Kind, u64)| {
            let found = left < *often;
            left = left.saturating_sub(*often);
            found.then_some(*kind)
        };
        MIX.iter().find_map(fits).unwrap()
    }

    fn status(&mut self) -> ContractStatus {
        [ContractStatus::Signed, ContractStatus::Refunded, ContractStatus::Matching]
            [usize::try_from(self.below(3)).unwrap()]
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Create,
    Claim,
    Assign,
    BatchAssign,
    Release,
    Delete,
    Status,
}

/// How often each is asked for.
const MIX: [(Kind, u64); 7] = [
    (Kind::Create, 5),
    (Kind::Claim, 4),
    (Kind::Assign, 4),
    (Kind::BatchAssign, 2),
    (Kind::Release, 3),
    (Kind::Delete, 1),
    (Kind::Status, 5),
];

/// One or two processes on a database.
struct Office {
    buses: Vec<Bus>,
    db: Db,
    limits: Limits,
}

impl Office {
    async fn open(test: &TestDb, ignores_signed: bool) -> Self {
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
        let office = Self { buses, db: test.db.clone(), limits };
        for (n, role) in (0..).zip(PEOPLE) {
            let register = StaffCommand::Register {
                username: format!("person{n}"),
                name: format!("姓名{n}"),
                role,
                department: None,
                phone: None,
                email: None,
                by: Actor::System("test".into()),
                at: context(0).at,
            };
            application::staff::command(&office.buses[0], &context(0), staff(n), register).await.unwrap();
        }
        office
    }

    /// Asks for something. A refusal is as good as anything else.
    async fn ask(&self, kind: Kind, what: [u64; 3], status: ContractStatus) {
        let [by, to, n] = what;
        let bus = &self.buses[usize::try_from(n).unwrap() % self.buses.len()];
        let (limits, caller, context) = (&self.limits, caller(by), context(by));
        let batch = BatchId(context.metadata.command.0);
        let several = vec![lead(n), lead((n + 1) % LEADS), lead((n + 2) % LEADS)];
        match kind {
            Kind::Create => {
                let profile = Profile {
                    name: format!("客户{n}"),
                    lead_source: Some(LeadSource::Other),
                    wechat_id: None,
                    phone: Some(domain::contact::Phone::parse(&format!("138{n:08}")).unwrap()),
                    ..Profile::default()
                };
                let request = Create {
                    id: lead(n),
                    profile,
                    contract_status: status,
                    lead_level: LeadLevel::A,
                    owner: Some(staff(to)),
                    reason: None,
                };
                let numbers = StoredNumbers::new(self.db.clone());
                fine(create(bus, &numbers, limits, &caller, &context, request).await);
            }
            Kind::Claim => fine(claim(bus, limits, &caller, &context, several).await),
            Kind::Assign => {
                let (source, to) = (AssignmentSource::Manual, staff(to));
                let request = Assign { customer: lead(n), expected: None, to, reason: None, source };
                fine(assign(bus, limits, &caller, &context, request).await);
            }
            Kind::BatchAssign => {
                let (to, from) = (staff(to), BatchFrom::Anywhere);
                let request = BatchAssign { batch, customers: several, to, reason: None, from };
                fine(batch_assign(bus, limits, &caller, &context, request).await);
            }
            Kind::Release => {
                let request =
                    Release { customer: lead(n), expected: None, reason: "客户不需要了".into() };
                fine(release(bus, &caller, &context, request).await);
            }
            Kind::Delete => {
                let request = Treat { customer: lead(n), expected: None, what: Treatment::Delete };
                fine(treat(bus, &caller, &context, request).await);
            }
            Kind::Status => {
                let request = Update {
                    customer: lead(n),
                    expected: None,
                    changes: ProfilePatch::default(),
                    contract_status: Some(status),
                    lead_level: None,
                };
                fine(update(bus, &caller, &context, request).await);
            }
        }
    }

    /// What is kept.
    async fn kept(&self) -> BTreeMap<(CountKind, u64), i64> {
        let mut kept = BTreeMap::new();
        for n in 0..PEOPLE.len() as u64 {
            for kind in [CountKind::OwnedLeads, CountKind::UnsignedLeads] {
                let count = self.buses[0].log().count(kind, &staff(n).to_string()).await.unwrap();
                kept.insert((kind, n), count);
            }
        }
        kept
    }

    /// What the log says to whoever reads it event by event.
    async fn said(&self) -> BTreeMap<(CountKind, u64), i64> {
        let mut leads: HashMap<_, (Option<StaffId>, ContractStatus)> = HashMap::new();
        for event in assert_whole(self.buses[0].log()).await {
            if event.stream.kind() != "customer" {
                continue;
            }
            let lead = event.stream.clone();
            let known = leads.entry(lead).or_insert((None, ContractStatus::Pending));
            match Upcasters::none().decode::<CustomerEvent>(event).unwrap().payload {
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

    /// The same without caps.
    fn roomy(&self) -> Self {
        Self { limits: Limits::default(), buses: self.buses.clone(), db: self.db.clone() }
    }

    async fn recount(&self) -> Result<bool, DbError> {
        recount_once(self.buses[0].log(), &Arc::new(Upcasters::none())).await
    }

    async fn forget(&self, kinds: &[&str]) {
        let mut tx = self.db.begin_write().await.unwrap();
        for kind in kinds {
            let forget = "DELETE FROM counts WHERE kind = $1";
            with_tx!(&mut tx, conn => sqlx::query(forget).bind(*kind).execute(conn).await.map(drop)).unwrap();
        }
        tx.commit().await.unwrap();
    }
}

fn fine<T>(result: CustomerResult<T>) {
    match result {
        // A conflict: a lead of that id was there before, for an id is drawn for one lead.
        Ok(_)
        | Err(
            ExecuteError::Refused(_) | ExecuteError::Append(application::bus::AppendError::Conflict { .. }),
        ) => {}
        Err(other) => panic!("{other}"),
    }
}

/// Rounds of commands that are carried out at once.
async fn work(office: &Office, seed: u64) {
    let mut dice = Dice(seed);
    for _ in 0..ROUNDS {
        let asked: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let what = [dice.below(4), dice.below(4), dice.below(LEADS)];
                (dice.kind(), what, dice.status())
            })
            .collect();
        join_all(asked.into_iter().map(|(kind, what, status)| office.ask(kind, what, status))).await;
        assert_eq!(office.kept().await, office.said().await);
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_what_the_log_says_before_and_after_a_recount(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(true, false)] ignores_signed: bool,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, ignores_signed).await;
    work(&office, 7).await;
    office.roomy().ask(Kind::Create, [0, 1, LEADS], ContractStatus::Pending).await;
    office.roomy().ask(Kind::Create, [0, 1, LEADS + 1], ContractStatus::Signed).await;
    let said = office.said().await;
    assert!(said[&(CountKind::OwnedLeads, 1)] > said[&(CountKind::UnsignedLeads, 1)]);

    // A store from before there was such a count.
    office.forget(&["unsigned_leads", "recounted"]).await;
    assert_ne!(office.kept().await, said);
    assert!(office.recount().await.unwrap());
    assert_eq!(office.kept().await, said);
    assert!(!office.recount().await.unwrap(), "once");

    // Commands go on from there.
    work(&office, 8).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_as_many_unsigned_leads_come_as_there_is_room_for(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, true).await;
    // 0 to 3 are signed and owned by 2; somebody else has the others.
    for n in 0..LEADS {
        let (status, to) = if n < 4 { (ContractStatus::Signed, 2) } else { (ContractStatus::Pending, 0) };
        office.roomy().ask(Kind::Create, [0, to, n], status).await;
    }
    let owned = (CountKind::OwnedLeads, 2);
    assert_eq!(office.kept().await[&owned], 4, "beyond the cap already, and all are signed");
    let give = (0..LEADS).map(|n| office.ask(Kind::Assign, [0, 2, n], ContractStatus::Pending));
    join_all(give).await;
    let kept = office.kept().await;
    assert_eq!((kept[&owned], kept[&(CountKind::UnsignedLeads, 2)]), (4 + CAP, CAP));
    assert_eq!(kept, office.said().await);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_come_during_a_recount_are_counted_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let office = Office::open(&test, true).await;
    for n in 0..LEADS {
        office.roomy().ask(Kind::Create, [0, n % 4, n], ContractStatus::Pending).await;
    }
    let commands = join_all((0..LEADS).map(|n| office.ask(Kind::Status, [0, 0, n], ContractStatus::Signed)));
    let (recounted, _) = tokio::join!(office.recount(), commands);
    assert!(recounted.unwrap());
    assert_eq!(office.kept().await, office.said().await);
}
