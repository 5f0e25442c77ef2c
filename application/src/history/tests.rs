//! Every event has words in both languages, and none of them holds what a field holds.

use chrono::DateTime;
use domain::contact::Phone;
use domain::customer::{
    AssignmentSource, AutoTransferDisabled, AutoTransferEnabled, ContractStatus, CustomerAssigned,
    CustomerClaimed, CustomerCreated, CustomerDeleted, CustomerEvent, CustomerFrozen, CustomerLevelChanged,
    CustomerNumber, CustomerRecycled, CustomerReleased, CustomerStatusChanged, CustomerTransferred,
    CustomerUnfrozen, CustomerUpdated, FollowUpDue, FollowUpKind, FollowUpRecorded, LeadLevel, Profile,
    ProfilePatch, RecycleWarned, RuleRun,
};
use domain::{Actor, BatchId, FollowUpId, RecycleRuleId, StaffId, TransferRuleId, TransferRunId};
use uuid::Uuid;

use super::{OperationType, actor, part, people, words};

const AT: DateTime<chrono::Utc> = DateTime::UNIX_EPOCH;

fn staff(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(n))
}

fn name(id: StaffId) -> Option<String> {
    [(1, "钱伟"), (2, "李雷"), (3, "韩梅")]
        .iter()
        .find(|(n, _)| staff(*n) == id)
        .map(|(_, name)| (*name).to_owned())
}

fn by() -> Actor {
    Actor::Staff(staff(1))
}

fn assigned(source: AssignmentSource, out_of_pool: bool, reason: Option<&str>) -> CustomerEvent {
    let reason = reason.map(str::to_owned);
    CustomerAssigned { to: staff(2), by: by(), reason, source, out_of_pool, at: AT }.into()
}

fn created(pooled: Option<&str>, import: Option<BatchId>) -> CustomerEvent {
    let profile =
        Profile { name: "王女士".into(), phone: Phone::parse("13812348999").ok(), ..Profile::default() };
    CustomerCreated {
        number: CustomerNumber::nth(1),
        profile,
        contract_status: ContractStatus::Pending,
        lead_level: LeadLevel::A,
        pooled: pooled.map(str::to_owned),
        import,
        by: by(),
        at: AT,
    }
    .into()
}

fn released(actor: u128) -> CustomerEvent {
    let by = Actor::Staff(staff(actor));
    CustomerReleased { from: staff(2), by, reason: "客户不需要了".into(), batch: None, at: AT }.into()
}

fn follow_up(kind: FollowUpKind, content: &str) -> CustomerEvent {
    let id = FollowUpId(Uuid::nil());
    FollowUpRecorded { id, kind, content: content.into(), next_follow_up_at: None, by: by(), at: AT }.into()
}

fn moved_by_a_rule() -> CustomerEvent {
    let run = RuleRun { rule: TransferRuleId(Uuid::nil()), run: TransferRunId(Uuid::nil()) };
    CustomerTransferred {
        from: staff(2),
        to: staff(3),
        by: Actor::System("transfer_rule".into()),
        reason: Some("自动流转-规则: 七天未跟进".into()),
        source: AssignmentSource::Rule(run),
        at: AT,
    }
    .into()
}

fn events() -> Vec<CustomerEvent> {
    let (batch, recycle) = (BatchId(Uuid::nil()), RecycleRuleId(Uuid::nil()));
    let changes = ProfilePatch {
        phone: Some(Phone::parse("13812348999").ok()),
        address: Some(Some("杭州市西湖区".into())),
        ..ProfilePatch::default()
    };
    let transferred = |to, source| {
        CustomerTransferred { from: staff(2), to: staff(to), by: by(), reason: None, source, at: AT }.into()
    };
    vec![
        created(None, None),
        created(Some("官网留资"), None),
        created(None, Some(batch)),
        CustomerUpdated { changes, by: by(), at: AT }.into(),
        CustomerStatusChanged { from: ContractStatus::Pending, to: ContractStatus::Signed, by: by(), at: AT }
            .into(),
        CustomerLevelChanged { from: LeadLevel::A, to: LeadLevel::B, by: by(), at: AT }.into(),
        assigned(AssignmentSource::Create, false, Some("创建时指定负责人")),
        assigned(AssignmentSource::Manual, true, None),
        assigned(AssignmentSource::PoolBatch(batch), true, Some("  ")),
        assigned(AssignmentSource::Import(batch), false, None),
        transferred(3, AssignmentSource::MiniProgram),
        transferred(9, AssignmentSource::Batch(batch)),
        CustomerClaimed { by: staff(3), at: AT }.into(),
        released(2),
        released(1),
        CustomerFrozen { reason: Some("纠纷".into()), by: by(), at: AT }.into(),
        CustomerUnfrozen { reason: None, by: by(), at: AT }.into(),
        AutoTransferEnabled { by: by(), at: AT }.into(),
        AutoTransferDisabled { by: by(), at: AT }.into(),
        follow_up(FollowUpKind::Phone, "打了 13812348999"),
        follow_up(FollowUpKind::Other, "系统：李雷从公海领取了该客户"),
        moved_by_a_rule(),
        CustomerRecycled {
            from: staff(2),
            rule: recycle,
            reason: "超过7天未跟进，自动回收".into(),
            run: None,
            at: AT,
        }
        .into(),
        RecycleWarned { to: staff(2), rule: recycle, due_at: AT, offset_hours: 72, at: AT }.into(),
        FollowUpDue { to: staff(2), due: AT, at: AT }.into(),
        CustomerDeleted { from: Some(staff(2)), by: by(), at: AT }.into(),
    ]
}

#[test]
fn every_event_is_told_in_both_languages() {
    let line = |event: &CustomerEvent| {
        let words = words(event, &name);
        let operation = OperationType::of(event);
        format!("{operation} {} | {} | {}", operation.label(), words.zh, words.en)
    };
    let told: Vec<String> = events().iter().map(line).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_a_rule_does_has_the_rule_as_its_actor() {
    let parts: Vec<String> = events()
        .iter()
        .filter_map(|event| match actor(event) {
            Actor::System(name) => Some(part(&name).to_owned()),
            Actor::Staff(_) => None,
        })
        .collect();
    assert_eq!(parts, ["自动流转", "自动回收", "自动回收", "跟进提醒"]);
    assert_eq!(part("官网"), "官网");
}

#[test]
fn words_hold_nothing_that_a_field_holds() {
    for event in events() {
        let words = words(&event, &name);
        for secret in ["13812348999", "西湖", "王女士"] {
            assert!(!format!("{words:?}").contains(secret), "{secret} in {words:?}");
        }
    }
}

#[test]
fn everybody_who_is_named_is_looked_up() {
    for event in events() {
        let wanted = people(&event);
        let nobody_else = |id: StaffId| {
            assert!(wanted.contains(&id), "{id} is named by {event:?}");
            None
        };
        words(&event, &nobody_else);
    }
}
