//! Leads as a home-service agency has them: few sources bring most, more than half are lost, some wait in the pool.

use application::bus::{Draft, StreamAppend};
use application::ports::Ids;
use chrono::{DateTime, TimeDelta, Utc};
use domain::contact::{Phone, WechatId};
use domain::customer::{
    AssignmentSource, ContractStatus, CustomerAssigned, CustomerCreated, CustomerDeleted, CustomerEvent,
    CustomerNumber, CustomerReleased, CustomerTransferred, FollowUpKind, FollowUpRecorded, LeadLevel,
    LeadSource, Profile, ServiceCategory,
};
use domain::{Actor, CommandId, CustomerId, FollowUpId, Metadata, StaffId, StreamId};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use uuid::Uuid;

/// People who own leads: the staff of a large agency.
pub(crate) const STAFF: u32 = 200;

/// Leads written by one append.
const LEADS_PER_APPEND: usize = 500;

/// Minutes between two leads: 100 000 of them are two years.
const MINUTES_APART: i64 = 10;

const SURNAMES: [&str; 12] = ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "欧阳"];
const GIVEN: [&str; 16] =
    ["伟", "芳", "娜", "秀英", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "子涵", "一诺"];

/// Numbers that are the same in every run (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub(crate) fn below(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((mixed ^ (mixed >> 31)) % u64::from(sides)).unwrap_or_default()
    }

    pub(crate) fn percent(&mut self, chance: u32) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn one_of<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(u32::try_from(among.len()).unwrap_or(1)) as usize]
    }

    /// The first of them far more often than the last.
    fn skewed<T: Copy>(&mut self, among: &[T]) -> T {
        let length = u32::try_from(among.len()).unwrap_or(1);
        among[self.below(length).min(self.below(length)).min(self.below(length)) as usize]
    }
}

pub(crate) fn staff(n: u32) -> StaffId {
    StaffId(Uuid::from_u128(0x57af_0000 + u128::from(n)))
}

pub(crate) fn dawn() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default()
}

pub(crate) fn created_at(n: u32) -> DateTime<Utc> {
    dawn() + TimeDelta::minutes(MINUTES_APART * i64::from(n))
}

pub(crate) fn customer(n: u32) -> CustomerId {
    // Not in the order of creation, so that no order comes for free.
    CustomerId(Uuid::from_u128(u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
}

fn profile(dice: &mut Dice, n: u32) -> anyhow::Result<Profile> {
    let name = format!("{}{}", dice.one_of(&SURNAMES), dice.one_of(&GIVEN));
    let phone = if dice.percent(95) { Some(Phone::parse(&format!("138{n:08}"))?) } else { None };
    let wechat_id =
        if phone.is_none() || dice.percent(40) { WechatId::parse(&format!("wx_{n:x}_Zh"))? } else { None };
    Ok(Profile {
        name,
        phone,
        wechat_id,
        lead_source: Some(dice.skewed(LeadSource::ALL)),
        service_category: dice.percent(85).then(|| dice.skewed(ServiceCategory::ALL)),
        salary_budget: dice.percent(60).then(|| 3_000 + 500 * i64::from(dice.below(20))),
        address: dice
            .percent(50)
            .then(|| format!("朝阳区建国路{}号院{}号楼", dice.below(300), dice.below(30))),
        remarks: dice.percent(50).then(|| "希望有经验，做饭好吃，周末双休，尽快面试。".to_owned()),
        ..Profile::default()
    })
}

/// The whole life of the n-th lead.
fn life(dice: &mut Dice, n: u32) -> anyhow::Result<Vec<CustomerEvent>> {
    let at = created_at(n);
    let (first, second) = (dice.below(STAFF), dice.below(STAFF));
    let contract_status = if dice.percent(60) { ContractStatus::Lost } else { dice.skewed(&OPEN) };
    let mut profile = profile(dice, n)?;
    profile.deal_amount =
        (contract_status == ContractStatus::Signed).then(|| f64::from(1_000 + dice.below(20_000)));
    let number = CustomerNumber::nth(u64::from(n));
    let lead_level = dice.skewed(LeadLevel::ALL);
    let by = Actor::Staff(staff(first));
    let mut life: Vec<CustomerEvent> = vec![
        CustomerCreated {
            number,
            profile,
            contract_status,
            lead_level,
            pooled: None,
            import: None,
            by: by.clone(),
            at,
        }
        .into(),
        CustomerAssigned {
            to: staff(first),
            by: by.clone(),
            reason: Some("创建默认分配给创建人".to_owned()),
            source: AssignmentSource::Create,
            out_of_pool: false,
            at,
        }
        .into(),
    ];
    let mut owner = first;
    if second != first && dice.percent(40) {
        let (from, to, source) = (staff(first), staff(second), AssignmentSource::Manual);
        let at = at + TimeDelta::hours(i64::from(dice.below(1_000)));
        life.push(CustomerTransferred { from, to, by: by.clone(), reason: None, source, at }.into());
        owner = second;
    }
    let later = at + TimeDelta::hours(1_000 + i64::from(dice.below(1_000)));
    if dice.percent(50) {
        let (id, kind) = (FollowUpId(TimeOrderedIds.next()), FollowUpKind::Phone);
        let by = Actor::Staff(staff(if dice.percent(80) { owner } else { first }));
        let content = "电话沟通，客户考虑中".to_owned();
        life.push(FollowUpRecorded { id, kind, content, next_follow_up_at: None, by, at: later }.into());
    }
    if dice.percent(5) {
        let (from, reason) = (staff(owner), "客户不需要了".to_owned());
        life.push(CustomerReleased { from, by, reason, batch: None, at: later }.into());
    } else if dice.percent(2) {
        life.push(CustomerDeleted { from: Some(staff(owner)), by, at: later }.into());
    }
    Ok(life)
}

const OPEN: [ContractStatus; 7] = [
    ContractStatus::Matching,
    ContractStatus::Signed,
    ContractStatus::Pending,
    ContractStatus::Interviewed,
    ContractStatus::Signing,
    ContractStatus::Refunded,
    ContractStatus::Refunding,
];

/// Appends as many leads. How many events they are.
pub(crate) async fn append(log: &EventLog, leads: u32) -> anyhow::Result<usize> {
    let mut dice = Dice::new(7);
    let mut events = 0;
    let numbers: Vec<u32> = (1..=leads).collect();
    for chunk in numbers.chunks(LEADS_PER_APPEND) {
        let mut streams = Vec::with_capacity(chunk.len());
        for n in chunk {
            let life = life(&mut dice, *n)?;
            events += life.len();
            streams.push(StreamAppend::of(StreamId::from(customer(*n)), 0, &life)?);
        }
        log.append(draft(streams)).await?;
    }
    Ok(events)
}

pub(crate) fn draft(streams: Vec<StreamAppend>) -> Draft {
    Draft {
        metadata: Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: "bench".to_owned(),
            causation: None,
            actor: Actor::System("bench".to_owned()),
        },
        recorded_at: dawn(),
        streams,
        guards: Vec::new(),
        receipt: None,
    }
}
