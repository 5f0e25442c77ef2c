//! An agency: 200 people, their leads, and the rules. Everything is in the log and folded into the read models before the
//! service starts, so that nobody is told of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use application::bus::{CommandContext, CountKind, Draft, GuardChange, StreamAppend};
use application::ports::Ids as _;
use application::staff;
use chrono::{DateTime, TimeDelta, Utc};
use domain::contact::Phone;
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerAssigned, CustomerCreated, CustomerEvent, CustomerNumber,
    CustomerReleased, FollowUpKind, FollowUpRecorded, LeadLevel, LeadSource, Profile,
};
use domain::staff::{Role, StaffCommand};
use domain::transfer_rule::plan::Target;
use domain::transfer_rule::{
    Conditions, Distribution, RuleText, Strategy, TargetModule, TransferRuleCreated, TransferRuleEvent,
    Window,
};
use domain::{Actor, CommandId, CustomerId, FollowUpId, Metadata, StaffId, TransferRuleId};
use infrastructure::bus::Bus;
use infrastructure::clock::SystemClock;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use projections::Projections;

/// People who own leads.
pub(crate) const PEOPLE: usize = 200;
/// The rules.
pub(crate) const RULES: usize = 20;
/// Departments: two rules take the leads of the same one, and give them to the next.
const DEPARTMENTS: usize = 10;
/// People of a department.
const COLLEAGUES: usize = PEOPLE / DEPARTMENTS;
/// Leads written by one append.
const LEADS_PER_APPEND: usize = 500;
/// The statuses of the rules, in turn.
const STATUSES: [ContractStatus; 5] = [
    ContractStatus::Pending,
    ContractStatus::Matching,
    ContractStatus::Interviewed,
    ContractStatus::Signing,
    ContractStatus::Refunding,
];
/// Nobody did anything for a lead for longer than this.
const INACTIVE_HOURS: u32 = 48;

/// A lead and whose it is, as a number.
pub(crate) type Owned = (CustomerId, usize);

/// What there is.
pub(crate) struct Seeded {
    pub(crate) manager: StaffId,
    pub(crate) people: Vec<StaffId>,
    pub(crate) rules: Vec<(TransferRuleId, RuleText)>,
    /// Leads that the rules find.
    pub(crate) eligible: usize,
    /// Leads of no rule, to be given to somebody else, followed up, and released.
    pub(crate) to_assign: Vec<Owned>,
    pub(crate) to_follow_up: Vec<Owned>,
    pub(crate) to_release: Vec<Owned>,
    /// Leads in the public pool.
    pub(crate) to_claim: Vec<CustomerId>,
}

/// What one lead is there for.
#[derive(Clone, Copy)]
enum Kind {
    /// A rule finds it.
    Eligible,
    Pooled,
    /// It would be a rule's, but somebody called an hour ago.
    Active,
    /// It would be a rule's, but it is a referral.
    Referral,
    ToAssign,
    ToFollowUp,
    ToRelease,
    /// Lost long ago, like most.
    Lost,
}

/// One of ten is eligible.
const KINDS: [Kind; 10] = [
    Kind::Eligible,
    Kind::Pooled,
    Kind::Active,
    Kind::Active,
    Kind::Referral,
    Kind::ToAssign,
    Kind::ToFollowUp,
    Kind::ToRelease,
    Kind::Lost,
    Kind::Lost,
];

/// Fills an empty database, and lets go of it.
pub(crate) async fn fill(url: &str, leads: u32, now: DateTime<Utc>) -> Result<Seeded> {
    let db = Db::connect(url, DbOptions::default()).await?;
    db.migrate().await?;
    projections::migrate(&db, &SystemClock).await?;
    let log = EventLog::start(db.clone());
    let bus = Bus::new(log.clone(), Arc::new(Upcasters::none()));
    let manager = hire(&bus, "manager", Role::Manager).await?;
    let mut people = Vec::with_capacity(PEOPLE);
    for n in 0..PEOPLE {
        people.push(hire(&bus, &name(n), Role::Employee).await?);
    }
    let mut agency = Agency { people, dawn: now - TimeDelta::days(90), now };
    let rules = agency.write_rules(&log).await?;
    let seeded = agency.write_leads(&log, leads).await?;
    let seeded = Seeded { manager, rules, people: agency.people, ..seeded };
    let owner = TimeOrderedIds.next();
    let read_side = Projections::new(log.clone(), Arc::new(SystemClock), owner, Arc::new(Upcasters::none()));
    read_side.catch_up_all().await?;
    log.close().await;
    db.close().await;
    Ok(seeded)
}

/// The login name of the n-th person.
pub(crate) fn name(n: usize) -> String {
    format!("employee{n}")
}

async fn hire(bus: &Bus, username: &str, role: Role) -> Result<StaffId> {
    let id = StaffId(TimeOrderedIds.next());
    let metadata = metadata();
    let register = StaffCommand::Register {
        username: username.to_owned(),
        name: username.to_owned(),
        role,
        department: None,
        phone: None,
        email: None,
        by: metadata.actor.clone(),
        at: now(),
    };
    let context = CommandContext { metadata, at: now(), fingerprint: None };
    staff::command(bus, &context, id, register).await?;
    Ok(id)
}

fn now() -> DateTime<Utc> {
    use application::ports::Clock as _;
    SystemClock.now()
}

fn metadata() -> Metadata {
    let actor = Actor::System("bench".to_owned());
    let command = CommandId(TimeOrderedIds.next());
    Metadata { command, correlation: "bench".to_owned(), causation: None, actor }
}

struct Agency {
    people: Vec<StaffId>,
    /// When the leads came.
    dawn: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Agency {
    fn department(&self, n: usize) -> &[StaffId] {
        let first = n % DEPARTMENTS * COLLEAGUES;
        &self.people[first..first + COLLEAGUES]
    }

    /// The n-th rule: the leads of one department in one status go to half of the next one.
    fn rule(&self, n: usize) -> RuleText {
        let department = n / 2;
        let next = self.department(department + 1);
        let half = next.len() / 2;
        let targets = if n.is_multiple_of(2) { &next[..half] } else { &next[half..] };
        let strategy = if n.is_multiple_of(2) { Strategy::RoundRobin } else { Strategy::BalancedRandom };
        RuleText {
            name: format!("规则{n}"),
            description: None,
            target_module: TargetModule::Customer,
            conditions: Conditions {
                inactive_hours: INACTIVE_HOURS,
                contract_statuses: vec![STATUSES[n % STATUSES.len()]],
                ..Conditions::default()
            },
            window: Window { enabled: false, ..Window::default() },
            sources: self.department(department).to_vec(),
            targets: targets.to_vec(),
            distribution: Distribution { strategy, ..Distribution::default() },
        }
    }

    async fn write_rules(&self, log: &EventLog) -> Result<Vec<(TransferRuleId, RuleText)>> {
        let mut rules = Vec::with_capacity(RULES);
        for n in 0..RULES {
            let (id, text) = (TransferRuleId(TimeOrderedIds.next()), self.rule(n));
            let by = Actor::Staff(self.people[0]);
            let created = TransferRuleCreated { text: text.clone(), enabled: true, by, at: self.dawn };
            let created: TransferRuleEvent = created.into();
            log.append(draft(vec![StreamAppend::of(id, 0, &[created])?], vec![])).await?;
            rules.push((id, text));
        }
        Ok(rules)
    }

    async fn write_leads(&mut self, log: &EventLog, leads: u32) -> Result<Seeded> {
        let mut seeded = Seeded {
            manager: self.people[0],
            people: vec![],
            rules: vec![],
            eligible: 0,
            to_assign: vec![],
            to_follow_up: vec![],
            to_release: vec![],
            to_claim: vec![],
        };
        let numbers: Vec<usize> = (0..usize::try_from(leads)?).collect();
        for chunk in numbers.chunks(LEADS_PER_APPEND) {
            let mut streams = Vec::with_capacity(chunk.len());
            let mut held: BTreeMap<StaffId, i64> = BTreeMap::new();
            for n in chunk.iter().copied() {
                let (id, owner, kind) = (lead(n), n % PEOPLE, KINDS[n / PEOPLE % KINDS.len()]);
                match kind {
                    Kind::Eligible => seeded.eligible += 1,
                    Kind::Pooled => seeded.to_claim.push(id),
                    Kind::ToAssign => seeded.to_assign.push((id, owner)),
                    Kind::ToFollowUp => seeded.to_follow_up.push((id, owner)),
                    Kind::ToRelease => seeded.to_release.push((id, owner)),
                    Kind::Active | Kind::Referral | Kind::Lost => {}
                }
                if !matches!(kind, Kind::Pooled) {
                    *held.entry(self.people[owner]).or_default() += 1;
                }
                streams.push(StreamAppend::of(id, 0, &self.life(n, owner, kind)?)?);
            }
            let count = |(person, by): (StaffId, i64)| GuardChange::Count {
                kind: CountKind::OwnedLeads,
                key: person.to_string(),
                by,
                max: None,
            };
            log.append(draft(streams, held.into_iter().map(count).collect())).await?;
        }
        Ok(seeded)
    }

    /// The whole life of the n-th lead until today.
    fn life(&self, n: usize, owner: usize, kind: Kind) -> Result<Vec<CustomerEvent>> {
        let at = self.dawn + TimeDelta::seconds(i64::try_from(n)?);
        let (owner, department) = (self.people[owner], owner / COLLEAGUES);
        let by = Actor::Staff(owner);
        // One half of a department's leads is for each of its rules.
        let rule = 2 * department + n / (PEOPLE * KINDS.len()) % 2;
        let contract_status = match kind {
            Kind::Eligible | Kind::Active | Kind::Referral => STATUSES[rule % STATUSES.len()],
            _ => ContractStatus::Lost,
        };
        let lead_source =
            if matches!(kind, Kind::Referral) { LeadSource::Referral } else { LeadSource::Douyin };
        let created = CustomerCreated {
            number: CustomerNumber::nth(u64::try_from(n + 1)?),
            profile: Profile {
                name: format!("客户{n}"),
                phone: Some(Phone::parse(&format!("138{n:08}"))?),
                lead_source: Some(lead_source),
                remarks: Some("希望有经验，做饭好吃，周末双休，尽快面试。".to_owned()),
                ..Profile::default()
            },
            contract_status,
            lead_level: LeadLevel::A,
            pooled: None,
            import: None,
            by: by.clone(),
            at,
        };
        let assigned = CustomerAssigned {
            to: owner,
            by: by.clone(),
            reason: Some("创建默认分配给创建人".to_owned()),
            source: AssignmentSource::Create,
            out_of_pool: false,
            at,
        };
        let mut life: Vec<CustomerEvent> = vec![created.into(), assigned.into()];
        let follow_up = |at| FollowUpRecorded {
            id: FollowUpId(TimeOrderedIds.next()),
            kind: FollowUpKind::Phone,
            content: "电话沟通，客户考虑中".to_owned(),
            next_follow_up_at: None,
            by: by.clone(),
            at,
        };
        match kind {
            Kind::Pooled => {
                let (from, by, at) = (owner, by.clone(), at + TimeDelta::days(2));
                let reason = "客户不需要了".to_owned();
                life.push(CustomerReleased { from, by, reason, batch: None, at }.into());
            }
            Kind::Active => life.push(follow_up(self.now - TimeDelta::hours(1)).into()),
            _ if n.is_multiple_of(3) => life.push(follow_up(at + TimeDelta::days(1)).into()),
            _ => {}
        }
        Ok(life)
    }
}

/// Everybody who may get leads by a rule, with room for all.
pub(crate) fn targets(text: &RuleText) -> Vec<Target> {
    text.targets.iter().map(|staff| Target { staff: *staff, room: None, balance: 0 }).collect()
}

fn lead(n: usize) -> CustomerId {
    // Not in the order of creation, so that no order comes for free.
    let n = u128::try_from(n + 1).unwrap_or_default();
    CustomerId(uuid::Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
}

fn draft(streams: Vec<StreamAppend>, guards: Vec<GuardChange>) -> Draft {
    Draft { metadata: metadata(), recorded_at: now(), streams, guards, receipt: None }
}
