//! A few people, some leads that lie about since the first of March, a rule, and the time.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{ContractStatus, Customer, LeadSource};
use domain::staff::{Role, Staff, StaffCommand};
use domain::transfer_rule::plan::{Candidate, PlanInputs};
use domain::transfer_rule::run::TransferRun;
use domain::transfer_rule::{
    Conditions, Criteria, Distribution, Ineligible, LeadFacts, RuleText, Strategy, TargetModule,
    TransferRule, TransferRuleCommand, TransferRuleCreated, TransferRuleRevised, Window,
};
use domain::{Actor, Aggregate, CustomerId, StaffId, StreamId, TransferRuleId, TransferRunId};
use uuid::Uuid;

use super::{Candidates, Outcome, Previews, Refused, Stores, complete_run, continue_run, ready};
use crate::access::Caller;
use crate::bus::{CommandBus, GuardChange, LoadError};
use crate::customers::tests::leads;
use crate::customers::tests::memory::Memory;
use crate::customers::{Holding, Limits, holding, recounted};
use crate::ports::Clock;

pub(super) use crate::customers::tests::leads::context;

/// Whose leads lie about.
pub(super) const GIVER: u128 = 1;
/// Who gets them.
pub(super) const TAKERS: [u128; 2] = [2, 3];
/// A colleague outside the rule.
pub(super) const COLLEAGUE: u128 = 4;

pub(super) fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

pub(super) fn lead(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(1000 + n))
}

pub(super) fn rule() -> TransferRuleId {
    TransferRuleId(Uuid::from_u128(50))
}

/// When the leads came to their owner.
pub(super) fn day_one() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

/// A period in the rule's window: 10:00 in Shanghai, three days later.
pub(super) fn period() -> DateTime<Utc> {
    "2026-03-04T02:00:00Z".parse().unwrap()
}

pub(super) fn text() -> RuleText {
    let time = |text: &str| text.parse().unwrap();
    RuleText {
        name: "闲置线索".to_owned(),
        description: None,
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 0,
            contract_statuses: vec![ContractStatus::Pending],
            lead_sources: vec![],
            created: None,
        },
        window: Window { enabled: true, start: time("09:30"), end: time("18:30"), zone: <_>::default() },
        sources: vec![staff(GIVER)],
        targets: TAKERS.map(staff).to_vec(),
        distribution: Distribution { strategy: Strategy::RoundRobin, ..Distribution::default() },
    }
}

pub(super) fn caller(role: Role) -> Caller {
    Caller { id: staff(9), username: "chief".into(), name: "主管".into(), role }
}

/// The office: its log, its clock, and what the read models and the kept previews are.
pub(super) struct Office {
    pub(super) bus: Memory,
    pub(super) now: Mutex<DateTime<Utc>>,
    pub(super) limits: Limits,
    leads: Vec<CustomerId>,
    pub(super) balances: HashMap<StaffId, i64>,
    kept: Mutex<HashMap<String, PlanInputs>>,
}

impl Clock for Office {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }
}

#[async_trait]
impl Candidates for Office {
    async fn eligible(
        &self,
        criteria: &Criteria,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Candidate>, LoadError> {
        let fits = |id: &CustomerId| {
            let found = ready(self.bus.load::<Customer>(&(*id).into())).unwrap();
            criteria.check(&LeadFacts::from(&found.state), at).ok()?;
            Some(Candidate { customer: *id, owner: found.state.owner()?, sequence: found.sequence })
        };
        Ok(self.leads.iter().filter_map(fits).take(limit).collect())
    }

    async fn refused(&self, criteria: &Criteria, at: DateTime<Utc>) -> Result<Refused, LoadError> {
        let mut refused = Refused::default();
        let mut because: HashMap<Ineligible, u64> = HashMap::new();
        for id in &self.leads {
            let facts = LeadFacts::from(&self.customer(*id));
            let ours = facts.owner.is_some_and(|owner| criteria.sources.contains(&owner));
            refused.owned += u64::from(ours);
            if let (true, Err(reason)) = (ours, criteria.check(&facts, at)) {
                *because.entry(reason).or_default() += 1;
            }
        }
        refused.because = because.into_iter().collect();
        Ok(refused)
    }

    async fn balances(&self, _: TransferRuleId) -> Result<HashMap<StaffId, i64>, LoadError> {
        Ok(self.balances.clone())
    }
}

#[async_trait]
impl Previews for Office {
    async fn keep(&self, hash: &str, inputs: &PlanInputs) -> Result<(), LoadError> {
        // What a store keeps is text.
        let text = serde_json::to_string(inputs).unwrap();
        self.kept.lock().unwrap().insert(hash.to_owned(), serde_json::from_str(&text).unwrap());
        Ok(())
    }

    async fn find(&self, hash: &str) -> Result<Option<PlanInputs>, LoadError> {
        Ok(self.kept.lock().unwrap().get(hash).cloned())
    }
}

impl Office {
    /// Everybody, so many leads of the giver, and the rule, on; the time is the period's.
    pub(super) fn with(leads: u128) -> Self {
        Self::under(text(), leads)
    }

    pub(super) fn under(text: RuleText, leads: u128) -> Self {
        let mut office = Self {
            bus: Memory::default(),
            now: Mutex::new(period()),
            limits: Limits::default(),
            leads: Vec::new(),
            balances: HashMap::new(),
            kept: Mutex::default(),
        };
        for n in [GIVER, TAKERS[0], TAKERS[1], COLLEAGUE] {
            let register = StaffCommand::Register {
                username: format!("user{n}"),
                name: format!("姓名{n}"),
                role: Role::Employee,
                department: None,
                phone: None,
                email: None,
                by: Actor::System("test".into()),
                at: day_one(),
            };
            write::<Staff>(&office.bus, staff(n), register, vec![]);
        }
        let by = Actor::Staff(staff(9));
        let created = TransferRuleCreated { text, enabled: true, by, at: day_one() };
        office.rule(TransferRuleCommand::Create(Box::new(created)));
        for n in 0..leads {
            office.lead(n, GIVER, LeadSource::Other);
        }
        office
    }

    /// A new lead of somebody's, untouched since day one.
    pub(super) fn lead(&mut self, n: u128, owner: u128, source: LeadSource) {
        let create = leads::created(n, staff(owner), source, day_one());
        write::<Customer>(&self.bus, lead(n), create, recounted(None, Some(held(owner)), None));
        self.leads.push(lead(n));
    }

    pub(super) fn rule(&self, command: TransferRuleCommand) {
        write::<TransferRule>(&self.bus, rule(), command, vec![]);
    }

    pub(super) fn revise(&self, text: RuleText) {
        let by = Actor::Staff(staff(9));
        self.rule(TransferRuleCommand::Revise(Box::new(TransferRuleRevised { text, by, at: day_one() })));
    }

    pub(super) fn switch_off(&self) {
        use domain::transfer_rule::TransferRuleDisabled;
        let disable = TransferRuleDisabled { by: Actor::Staff(staff(9)), at: day_one() };
        self.rule(TransferRuleCommand::Disable(disable));
    }

    pub(super) fn suspend(&self, n: u128) {
        let suspend = StaffCommand::Suspend { by: Actor::Staff(staff(9)), at: day_one() };
        write::<Staff>(&self.bus, staff(n), suspend, vec![]);
    }

    pub(super) fn stores(&self) -> Stores<'_, Memory> {
        Stores { bus: &self.bus, candidates: self, limits: &self.limits, clock: self }
    }

    /// Carries a run that began to its end.
    pub(super) fn finish(&self, run: TransferRunId) -> domain::transfer_rule::run::TransferRunCompleted {
        let outcome: Outcome = ready(continue_run(self.stores(), run)).unwrap();
        ready(complete_run(self.stores(), run, outcome)).unwrap()
    }

    pub(super) fn customer(&self, id: CustomerId) -> Customer {
        ready(self.bus.load::<Customer>(&id.into())).unwrap().state
    }

    pub(super) fn run(&self, run: TransferRunId) -> TransferRun {
        ready(self.bus.load::<TransferRun>(&run.into())).unwrap().state
    }

    pub(super) fn held(&self, n: u128) -> i64 {
        ready(holding(&self.bus, staff(n))).unwrap()
    }

    /// How often each lead was handed on.
    pub(super) fn transfers(&self) -> Vec<usize> {
        let count = |id: &CustomerId| {
            self.bus.events(*id).iter().filter(|event| **event == "CustomerTransferred").count()
        };
        self.leads.iter().map(count).collect()
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

/// The owner of a lead calls, a minute after the period began.
pub(super) fn follow_up(bus: &Memory, n: u128) {
    let call = leads::called(n, staff(GIVER), period() + TimeDelta::minutes(1), None);
    write::<Customer>(bus, lead(n), call, vec![]);
}

/// Somebody gives the lead to somebody by hand.
pub(super) fn give(bus: &Memory, n: u128, to: u128) {
    let from = ready(bus.load::<Customer>(&lead(n).into())).unwrap().state.owner();
    let assign = leads::given(staff(to), staff(9), period() + TimeDelta::minutes(1));
    write::<Customer>(bus, lead(n), assign, recounted(from.map(Holding::unsigned), Some(held(to)), None));
}

/// A lead of this person's that is not signed.
fn held(n: u128) -> Holding {
    Holding::unsigned(staff(n))
}
