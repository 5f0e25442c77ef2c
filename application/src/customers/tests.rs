//! The use cases on a log in memory: who may do what with whose lead, who wins a race, what counts.

mod counts;
mod facts;
pub(crate) mod leads;
mod limits;
pub(crate) mod memory;
mod races;
mod rows;
mod treatments;
mod website;

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::contact::Phone;
use domain::customer::{
    AssignmentSource, ContractStatus, Customer, CustomerEvent, LeadLevel, LeadSource, Profile,
};
use domain::staff::{Role, StaffCommand};
use domain::{Actor, BatchId, CommandId, CustomerId, Metadata, StaffId};
use uuid::Uuid;

use super::*;
use crate::access::Caller;
use crate::bus::CommandContext;
use crate::ports::{CustomerNumbers, NumbersError};
use memory::{Memory, ready};

/// One person of every role, and one more employee.
const PEOPLE: [(&str, Role); 7] = [
    ("admin", Role::Admin),
    ("manager", Role::Manager),
    ("operator", Role::Operator),
    ("dispatch", Role::Dispatch),
    ("employee", Role::Employee),
    ("admissions", Role::Admissions),
    ("colleague", Role::Employee),
];
const ADMIN: usize = 0;
const MANAGER: usize = 1;
const OPERATOR: usize = 2;
const DISPATCH: usize = 3;
const EMPLOYEE: usize = 4;
const ADMISSIONS: usize = 5;
const COLLEAGUE: usize = 6;

/// Why a lead is released in these tests.
const REASON: &str = "客户不需要了";

fn staff(n: usize) -> StaffId {
    StaffId(Uuid::from_u128(1 + n as u128))
}

fn caller(n: usize) -> Caller {
    let (username, role) = PEOPLE[n];
    Caller { id: staff(n), username: username.into(), name: format!("姓名{n}"), role }
}

fn lead(n: usize) -> CustomerId {
    CustomerId(Uuid::from_u128(1000 + n as u128))
}

fn leads(ns: &[usize]) -> Vec<CustomerId> {
    ns.iter().copied().map(lead).collect()
}

fn phone(n: usize) -> Phone {
    Phone::parse(&format!("138{n:08}")).unwrap()
}

/// Some seconds after noon of a day in China.
fn at(seconds: i64) -> DateTime<Utc> {
    "2026-03-02T04:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
}

/// A command of its own without a key.
fn context(by: usize, seconds: i64) -> CommandContext {
    static COMMANDS: AtomicU64 = AtomicU64::new(1);
    let n = COMMANDS.fetch_add(1, Ordering::Relaxed);
    CommandContext {
        metadata: Metadata {
            command: CommandId(Uuid::from_u128(1 << 64 | u128::from(n))),
            correlation: "test".into(),
            causation: None,
            actor: Actor::Staff(staff(by)),
        },
        at: at(seconds),
        fingerprint: None,
    }
}

/// Numbers without end.
struct Numbers;

#[async_trait]
impl CustomerNumbers for Numbers {
    async fn next(&self) -> Result<u64, NumbersError> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Ok(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// What is asked for; people, leads and phones by number.
#[derive(Debug, Clone)]
enum Ask {
    Create { by: usize, to: Option<usize>, lead: usize },
    Claim { by: usize, leads: Vec<usize> },
    PoolAssign { by: usize, to: usize, leads: Vec<usize> },
    Assign { by: usize, to: usize, lead: usize },
    BatchAssign { by: usize, to: usize, leads: Vec<usize> },
    Release { by: usize, lead: usize },
    BatchRelease { by: usize, leads: Vec<usize> },
    Treat { by: usize, lead: usize, what: Treatment },
    Status { by: usize, lead: usize, to: ContractStatus },
}

/// What came of it: the items that changed, and those that were refused.
#[derive(Debug, Clone, Default, PartialEq)]
struct Done {
    changed: Vec<CustomerId>,
    failed: Vec<(CustomerId, BatchItemRefusal)>,
}

fn one(result: CustomerResult<CustomerReceipt>) -> Result<Done, Refusal> {
    let receipt = settled(result)?;
    Ok(Done { changed: receipt.changed.then_some(receipt.customer).into_iter().collect(), failed: vec![] })
}

fn many(result: CustomerResult<BatchReceipt>) -> Result<Done, Refusal> {
    let receipt = settled(result)?;
    Ok(Done { changed: receipt.moved, failed: receipt.failed })
}

fn settled<T>(result: CustomerResult<T>) -> Result<T, Refusal> {
    match result {
        Ok(executed) => Ok(executed.result),
        Err(ExecuteError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("neither done nor refused: {other}"),
    }
}

/// Carries it out, some seconds after noon.
fn ask(bus: &Memory, limits: &Limits, ask: Ask, seconds: i64) -> Result<Done, Refusal> {
    match ask {
        Ask::Create { by, to, lead } => create(bus, limits, by, to, lead, seconds),
        Ask::Claim { by, leads: ids } => {
            many(ready(claim(bus, limits, &caller(by), &context(by, seconds), leads(&ids))))
        }
        Ask::PoolAssign { by, to, leads } => batch(bus, limits, (by, to, &leads), BatchFrom::Pool, seconds),
        Ask::BatchAssign { by, to, leads } => {
            batch(bus, limits, (by, to, &leads), BatchFrom::Anywhere, seconds)
        }
        Ask::Assign { by, to, lead: n } => {
            let request = Assign {
                customer: lead(n),
                expected: None,
                to: staff(to),
                reason: None,
                source: AssignmentSource::Manual,
            };
            one(ready(assign(bus, limits, &caller(by), &context(by, seconds), request)))
        }
        Ask::Release { by, lead: n } => {
            let request = Release { customer: lead(n), expected: None, reason: REASON.into() };
            one(ready(release(bus, &caller(by), &context(by, seconds), request)))
        }
        Ask::BatchRelease { by, leads: ids } => {
            let context = context(by, seconds);
            let batch = BatchId(context.metadata.command.0);
            let request = BatchRelease { batch, customers: leads(&ids), reason: REASON.into() };
            many(ready(batch_release(bus, &caller(by), &context, request)))
        }
        Ask::Status { by, lead: n, to } => {
            let request = Update {
                customer: lead(n),
                expected: None,
                changes: domain::customer::ProfilePatch::default(),
                contract_status: Some(to),
                lead_level: None,
            };
            one(ready(update(bus, &caller(by), &context(by, seconds), request)))
        }
        Ask::Treat { by, lead: n, what } => {
            let request = Treat { customer: lead(n), expected: None, what };
            one(ready(treat(bus, &caller(by), &context(by, seconds), request)))
        }
    }
}

fn create(
    bus: &Memory,
    limits: &Limits,
    by: usize,
    to: Option<usize>,
    n: usize,
    seconds: i64,
) -> Result<Done, Refusal> {
    let profile = Profile {
        name: format!("客户{n}"),
        lead_source: Some(LeadSource::Other),
        phone: Some(phone(n)),
        ..Profile::default()
    };
    let request = Create {
        id: lead(n),
        profile,
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        owner: to.map(staff),
        reason: None,
    };
    one(ready(super::create(bus, &Numbers, limits, &caller(by), &context(by, seconds), request)))
}

fn batch(
    bus: &Memory,
    limits: &Limits,
    (by, to, ids): (usize, usize, &[usize]),
    from: BatchFrom,
    seconds: i64,
) -> Result<Done, Refusal> {
    let context = context(by, seconds);
    let batch = BatchId(context.metadata.command.0);
    let request = BatchAssign { batch, customers: leads(ids), to: staff(to), reason: None, from };
    many(ready(batch_assign(bus, limits, &caller(by), &context, request)))
}

/// Everybody is registered, and there is no lead yet.
fn office() -> Memory {
    let bus = Memory::default();
    for (n, (username, role)) in PEOPLE.into_iter().enumerate() {
        let register = StaffCommand::Register {
            username: username.into(),
            name: format!("姓名{n}"),
            role,
            department: None,
            phone: None,
            email: None,
            by: Actor::System("test".into()),
            at: at(0),
        };
        ready(crate::staff::command(&bus, &context(ADMIN, 0), staff(n), register)).unwrap();
    }
    bus
}

impl Memory {
    /// Carries out what must succeed.
    fn done(&self, limits: &Limits, asked: Ask) -> Done {
        let shown = format!("{asked:?}");
        ask(self, limits, asked, 0).unwrap_or_else(|refusal| panic!("{shown}: {refusal:?}"))
    }

    /// Gives somebody these leads.
    fn owned(&self, by: usize, ns: impl IntoIterator<Item = usize>) {
        for lead in ns {
            self.done(&Limits::default(), Ask::Create { by, to: None, lead });
        }
    }

    /// Puts these leads into the pool, out of somebody's hands.
    fn pooled(&self, by: usize, ns: impl IntoIterator<Item = usize>) {
        let ns: Vec<usize> = ns.into_iter().collect();
        self.owned(by, ns.clone());
        for lead in ns {
            self.done(&Limits::default(), Ask::Release { by, lead });
        }
    }

    fn customer(&self, n: usize) -> Customer {
        ready(self.load::<Customer>(&lead(n).into())).unwrap().state
    }

    fn held(&self, by: usize) -> i64 {
        ready(holding(self, staff(by))).unwrap()
    }

    /// Those of them that are not signed.
    fn unsigned(&self, by: usize) -> i64 {
        ready(held_under(self, staff(by), Cap { max: 0, ignores_signed: true })).unwrap()
    }

    fn last_of(&self, n: usize) -> CustomerEvent {
        self.last(lead(n))
    }
}
