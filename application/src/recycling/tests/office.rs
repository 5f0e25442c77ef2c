//! Some leads of one owner since the first of March, rules, and the time.

use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{Customer, CustomerCommand, LeadSource};
use domain::recycle_rule::{DueFacts, RecycleKind, RecyclePolicy, RecycleText};
use domain::staff::Role;
use domain::{Actor, Aggregate, CustomerId, RecycleRuleId, RecycleRunId, StaffId, StreamId};
use uuid::Uuid;

use super::{Falling, Leads, Outcome, Reminder, Stores, Warning, create_rule, recycle};
use crate::access::Caller;
use crate::bus::{CommandBus, CommandContext, GuardChange, LoadError};
use crate::customers::tests::leads;
use crate::customers::tests::memory::{Memory, ready};
use crate::customers::{Holding, holding, recounted};
use crate::ports::Clock;

/// Whose leads lie about.
pub(super) const OWNER: u128 = 1;
/// Somebody else.
pub(super) const COLLEAGUE: u128 = 2;

pub(super) fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

pub(super) fn lead(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(1000 + n))
}

pub(super) fn rule(n: u128) -> RecycleRuleId {
    RecycleRuleId(Uuid::from_u128(50 + n))
}

/// When the leads came to their owner, and the rules were written.
pub(super) fn day_one() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

pub(super) fn day(n: i64) -> DateTime<Utc> {
    day_one() + TimeDelta::days(n)
}

/// A rule of seven days without a follow-up, with warnings three days and one day before.
pub(super) fn text() -> RecycleText {
    RecycleText {
        name: "七天未跟进".to_owned(),
        priority: 10,
        kind: RecycleKind::NoFollowUp { days: 7 },
        days_by_level: <_>::default(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: day_one(),
        warn_before_hours: vec![72, 24],
    }
}

/// A command of its own.
pub(super) fn context(at: DateTime<Utc>) -> CommandContext {
    leads::context(Actor::Staff(staff(9)), at)
}

pub(super) fn caller(role: Role) -> Caller {
    Caller { id: staff(9), username: "chief".into(), name: "主管".into(), role }
}

/// The office: its log, its clock, and what the read models are. They are as late as the last [`Office::look`].
pub(super) struct Office {
    pub(super) bus: Memory,
    pub(super) now: Mutex<DateTime<Utc>>,
    pub(super) rules: Mutex<Vec<RecycleRuleId>>,
    /// Runs that are seen to be unfinished.
    pub(super) left: Mutex<Vec<RecycleRunId>>,
    /// Whether whoever waits for the read models sees them as they should be.
    pub(super) catches_up: Mutex<bool>,
    leads: Vec<CustomerId>,
    seen: Mutex<Option<Vec<(CustomerId, Customer)>>>,
}

impl Clock for Office {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }
}

#[async_trait]
impl Leads for Office {
    async fn rules(&self) -> Result<Vec<RecycleRuleId>, LoadError> {
        Ok(self.rules.lock().unwrap().clone())
    }

    async fn falling(
        &self,
        policy: &RecyclePolicy,
        by: Option<RecycleRuleId>,
        until: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Falling>, LoadError> {
        let falls = |(customer, state): (CustomerId, Customer)| {
            let due = policy.pool_due(&DueFacts::from(&state)).filter(|due| due.at <= until)?;
            let due = Some(due).filter(|due| by.is_none_or(|rule| rule == due.rule))?;
            Some(Falling { customer, owner: state.owner()?, due })
        };
        Ok(self.rows().into_iter().filter_map(falls).take(limit).collect())
    }

    async fn caught_up(&self) -> Result<(), LoadError> {
        if *self.catches_up.lock().unwrap() {
            *self.seen.lock().unwrap() = None;
        }
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<RecycleRunId>, LoadError> {
        Ok(self.left.lock().unwrap().clone())
    }

    async fn warnings(
        &self,
        policy: &RecyclePolicy,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Warning>, LoadError> {
        let warns = |(customer, state): (CustomerId, Customer)| {
            let due = policy.pool_due(&DueFacts::from(&state))?;
            let offset_hours = policy.warning(&due, at)?;
            Some(Warning { customer, due, offset_hours })
        };
        Ok(self.rows().into_iter().filter_map(warns).take(limit).collect())
    }

    async fn reminders(
        &self,
        from: DateTime<Utc>,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Reminder>, LoadError> {
        let due = |(customer, state): (CustomerId, Customer)| {
            let due = state.next_follow_up_at.filter(|due| from < *due && *due <= at)?;
            Some(Reminder { customer, due })
        };
        Ok(self.rows().into_iter().filter_map(due).take(limit).collect())
    }
}

impl Office {
    /// So many leads of the owner, under the rule of seven days.
    pub(super) fn with(leads: u128) -> Self {
        let office = Self::without_rules(leads);
        office.write(0, text());
        office
    }

    pub(super) fn without_rules(leads: u128) -> Self {
        let bus = Memory::default();
        let (now, rules, seen) = (Mutex::new(day_one()), Mutex::default(), Mutex::default());
        let (left, catches_up) = (Mutex::default(), Mutex::default());
        let mut office = Self { bus, now, rules, left, catches_up, leads: vec![], seen };
        for n in 0..leads {
            office.lead(n, LeadSource::Other);
        }
        office
    }

    pub(super) fn lead(&mut self, n: u128, source: LeadSource) {
        let create = leads::created(n, staff(OWNER), source, day_one());
        write::<Customer>(&self.bus, lead(n), create, recounted(None, Some(held(OWNER)), None));
        self.leads.push(lead(n));
    }

    /// Keeps a rule that is on.
    pub(super) fn write(&self, n: u128, text: RecycleText) {
        let admin = caller(Role::Admin);
        ready(create_rule(&self.bus, &admin, &context(self.now()), rule(n), (text.into(), true))).unwrap();
        self.rules.lock().unwrap().push(rule(n));
    }

    pub(super) fn stores(&self) -> Stores<'_, Memory> {
        Stores { bus: &self.bus, leads: self, clock: self }
    }

    /// The hourly run of this moment.
    pub(super) fn run(&self, at: DateTime<Utc>) -> Outcome {
        *self.now.lock().unwrap() = at;
        ready(recycle(self.stores(), at)).unwrap()
    }

    /// From now on the read models are as they are now, whatever happens.
    pub(super) fn look(&self) {
        let rows = self.rows();
        *self.seen.lock().unwrap() = Some(rows);
    }

    fn rows(&self) -> Vec<(CustomerId, Customer)> {
        let seen = self.seen.lock().unwrap().clone();
        seen.unwrap_or_else(|| self.leads.iter().map(|id| (*id, self.customer(*id))).collect())
    }

    pub(super) fn customer(&self, id: CustomerId) -> Customer {
        ready(self.bus.load::<Customer>(&id.into())).unwrap().state
    }

    pub(super) fn held(&self, n: u128) -> i64 {
        ready(holding(&self.bus, staff(n))).unwrap()
    }

    /// How often something happened to a lead.
    pub(super) fn count(&self, n: u128, event: &str) -> usize {
        self.bus.events(lead(n)).iter().filter(|found| **found == event).count()
    }
}

/// Decides and writes, as a use case would.
pub(super) fn write<A: Aggregate>(
    bus: &Memory,
    stream: impl Into<StreamId>,
    command: A::Command,
    guards: Vec<GuardChange>,
) {
    leads::write::<A>(bus, stream, command, guards, day_one());
}

/// The owner calls, and says when to call next.
pub(super) fn follow_up(bus: &Memory, n: u128, at: DateTime<Utc>, next: Option<DateTime<Utc>>) {
    let call = leads::called(n, staff(OWNER), at, next);
    write::<Customer>(bus, lead(n), call, vec![]);
}

/// Somebody gives the lead to the colleague by hand.
pub(super) fn give(bus: &Memory, n: u128, at: DateTime<Utc>) {
    let from = ready(bus.load::<Customer>(&lead(n).into())).unwrap().state.owner();
    let assign = leads::given(staff(COLLEAGUE), staff(9), at);
    write::<Customer>(
        bus,
        lead(n),
        assign,
        recounted(from.map(Holding::unsigned), Some(held(COLLEAGUE)), None),
    );
}

/// The owner gives the lead back.
pub(super) fn release(bus: &Memory, n: u128, at: DateTime<Utc>) {
    let (by, reason) = (Actor::Staff(staff(OWNER)), "客户不需要了".to_owned());
    let release = CustomerCommand::Release { reason, batch: None, by, at };
    write::<Customer>(bus, lead(n), release, recounted(Some(held(OWNER)), None, None));
}

/// The colleague takes it out of the pool.
pub(super) fn claim(bus: &Memory, n: u128, at: DateTime<Utc>) {
    let claim = CustomerCommand::Claim { by: staff(COLLEAGUE), cool_off: None, at };
    write::<Customer>(bus, lead(n), claim, recounted(None, Some(held(COLLEAGUE)), None));
}

/// A lead of this person's that is not signed.
fn held(n: u128) -> Holding {
    Holding::unsigned(staff(n))
}
