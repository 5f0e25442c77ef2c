//! Who moves leads without being a person at a screen: rules, and files.

use std::sync::Mutex;

use application::access::Caller;
use application::bus::{CommandBus as _, CommandContext, Draft, ExecuteError, LoadError, StreamAppend};
use application::customers::Limits;
use application::forms::CreateCustomer;
use application::imports::{self, Import, ImportRefusal, Imported, PlacedRow};
use application::ports::{Clock, Ids};
use application::recycling::{self, Falling, RecycleError, Reminder, Warning};
use application::transfers::{
    self, Begun, Candidates, Occasion, Refused, TransferError, complete_run, continue_run, start_run,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{ContractStatus, Customer, LeadLevel};
use domain::recycle_rule::{
    DueFacts, RecycleKind, RecyclePolicy, RecycleRuleCreated, RecycleRuleEvent, RecycleText,
};
use domain::transfer_rule::plan::Candidate;
use domain::transfer_rule::{
    Conditions, Criteria, Distribution, LeadFacts, RuleText, TargetModule, TransferRuleCreated,
    TransferRuleEvent, Window,
};
use domain::{
    BatchId, CustomerId, RecycleRuleId, RecycleRunId, StaffId, StoredEvent, StreamId, TransferRuleId,
};
use infrastructure::bus::Bus;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::Db;
use infrastructure::unique_values::StoredValues;
use uuid::Uuid;

use super::office::{caller, context, lead, moment, profile};

const TRANSFER_RULE: TransferRuleId = TransferRuleId(Uuid::from_u128(0x50));
const RECYCLE_RULE: RecycleRuleId = RecycleRuleId(Uuid::from_u128(0x51));

/// A rule that hands idle leads from everybody to everybody else, and one that lets a lead fall after a day.
pub(super) async fn write(bus: &Bus, people: Vec<StaffId>) {
    let text = RuleText {
        name: "闲置线索".to_owned(),
        description: None,
        target_module: TargetModule::Customer,
        conditions: Conditions {
            inactive_hours: 1,
            cooldown_hours: 0,
            contract_statuses: ContractStatus::ALL.to_vec(),
            ..Conditions::default()
        },
        window: Window { enabled: false, ..Window::default() },
        sources: people.clone(),
        targets: people,
        distribution: Distribution::default(),
    };
    let (by, at) = (context(0).metadata.actor, moment());
    let transfer: TransferRuleEvent = TransferRuleCreated { text, enabled: true, by: by.clone(), at }.into();
    append(bus, TRANSFER_RULE, transfer).await;
    let text = RecycleText {
        name: "一天未跟进".to_owned(),
        priority: 10,
        kind: RecycleKind::NoFollowUp { days: 1 },
        days_by_level: <_>::default(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: at,
        warn_before_hours: vec![],
    };
    let recycle: RecycleRuleEvent = RecycleRuleCreated { text, enabled: true, by, at }.into();
    append(bus, RECYCLE_RULE, recycle).await;
}

async fn append<E: StoredEvent>(bus: &Bus, stream: impl Into<StreamId>, event: E) {
    let CommandContext { metadata, at, .. } = context(0);
    let streams = vec![StreamAppend::of(stream, 0, &[event]).unwrap()];
    let draft = Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None };
    bus.append(draft).await.unwrap();
}

/// What the read models say of some leads, and what the time is: ten days later for each run, so that every lead lay
/// about again.
struct Seen<'o> {
    bus: &'o Bus,
    leads: Vec<CustomerId>,
    now: DateTime<Utc>,
}

impl<'o> Seen<'o> {
    fn new(bus: &'o Bus, leads: Vec<CustomerId>, run: u64) -> Self {
        let days = 10 * (1 + i64::try_from(run).unwrap());
        Self { bus, leads, now: moment() + TimeDelta::days(days) }
    }

    async fn each<T>(
        &self,
        mut pick: impl FnMut(CustomerId, &Customer, i64) -> Option<T>,
    ) -> Result<Vec<T>, LoadError> {
        let streams: Vec<StreamId> = self.leads.iter().map(|lead| StreamId::from(*lead)).collect();
        let found = self.bus.load_many::<Customer>(&streams).await?;
        let leads = self.leads.iter().zip(&found);
        Ok(leads.filter_map(|(lead, found)| pick(*lead, &found.state, found.sequence)).collect())
    }
}

impl Clock for Seen<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.now
    }
}

#[async_trait]
impl Candidates for Seen<'_> {
    async fn eligible(
        &self,
        criteria: &Criteria,
        at: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Candidate>, LoadError> {
        self.each(|customer, lead, sequence| {
            criteria.check(&LeadFacts::from(lead), at).ok()?;
            Some(Candidate { customer, owner: lead.owner()?, sequence })
        })
        .await
    }

    async fn refused(&self, _: &Criteria, _: DateTime<Utc>) -> Result<Refused, LoadError> {
        Ok(Refused::default())
    }

    async fn balances(
        &self,
        _: TransferRuleId,
    ) -> Result<std::collections::HashMap<StaffId, i64>, LoadError> {
        Ok(<_>::default())
    }
}

#[async_trait]
impl recycling::Leads for Seen<'_> {
    async fn rules(&self) -> Result<Vec<RecycleRuleId>, LoadError> {
        Ok(vec![RECYCLE_RULE])
    }

    async fn falling(
        &self,
        policy: &RecyclePolicy,
        _: Option<RecycleRuleId>,
        until: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Falling>, LoadError> {
        self.each(|customer, lead, _| {
            let due = policy.pool_due(&DueFacts::from(lead)).filter(|due| due.at <= until)?;
            Some(Falling { customer, owner: lead.owner()?, due })
        })
        .await
    }

    async fn caught_up(&self) -> Result<(), LoadError> {
        Ok(())
    }

    async fn unfinished(&self) -> Result<Vec<RecycleRunId>, LoadError> {
        Ok(vec![])
    }

    async fn warnings(
        &self,
        _: &RecyclePolicy,
        _: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Warning>, LoadError> {
        Ok(vec![])
    }

    async fn reminders(
        &self,
        _: DateTime<Utc>,
        _: DateTime<Utc>,
        _: usize,
    ) -> Result<Vec<Reminder>, LoadError> {
        Ok(vec![])
    }
}

/// A run of the transfer rule over these leads, from its plan to its end.
pub(super) async fn transfer(
    bus: &Bus,
    limits: &Limits,
    leads: Vec<CustomerId>,
    run: u64,
) -> Result<(), TransferError> {
    let seen = Seen::new(bus, leads, run);
    let stores = transfers::Stores { bus, candidates: &seen, limits, clock: &seen };
    let asked = Occasion::Asked { caller: caller(0), context: context(0) };
    let Begun { run, completed, .. } = start_run(stores, TRANSFER_RULE, &asked).await?;
    if !completed {
        let outcome = continue_run(stores, run).await?;
        complete_run(stores, run, outcome).await?;
    }
    Ok(())
}

/// A run of the recycle rule over these leads.
pub(super) async fn fall(bus: &Bus, leads: Vec<CustomerId>, run: u64) -> Result<(), RecycleError> {
    let seen = Seen::new(bus, leads, run);
    recycling::recycle(recycling::Stores { bus, leads: &seen, clock: &seen }, seen.now).await?;
    Ok(())
}

/// The ids that are to come.
struct Given(Mutex<Vec<CustomerId>>);

impl Ids for Given {
    fn next(&self) -> Uuid {
        self.0.lock().unwrap().remove(0).0
    }
}

/// A file with these leads, all of one person.
pub(super) async fn import(
    bus: &Bus,
    db: &Db,
    caller: &Caller,
    context: &CommandContext,
    (leads, owner, contract_status): (&[u64], StaffId, ContractStatus),
) -> Result<Imported, ExecuteError<ImportRefusal>> {
    let row = |(number, n): (u32, &u64)| {
        let (profile, lead_level) = (profile(*n), LeadLevel::A);
        let form = CreateCustomer {
            profile,
            contract_status,
            lead_level,
            assigned_to: None,
            assignment_reason: None,
        };
        PlacedRow { number, form, owner: Ok(owner), named: true }
    };
    let rows: Vec<PlacedRow> = (2..).zip(leads).map(row).collect();
    let (unique, numbers) = (StoredValues::new(db.clone()), StoredNumbers::new(db.clone()));
    let ids = Given(Mutex::new(leads.iter().map(|n| lead(*n)).collect()));
    let stores = imports::Stores { bus, unique: &unique, numbers: &numbers, ids: &ids };
    imports::run(&stores, caller, context, &Import { batch: BatchId(context.metadata.command.0), rows }).await
}
