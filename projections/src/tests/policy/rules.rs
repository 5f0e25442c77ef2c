//! What rules do to leads, through the runner: who reads of it, and what is taken back when it is no longer true.

use application::bus::StreamAppend;
use application::channels::{ChannelSettings, Routes};
use application::ports::Ids;
use domain::customer::AssignmentSource::{Manual, Rule};
use domain::customer::{
    ContractStatus, CustomerEvent, CustomerFrozen, CustomerRecycled, CustomerTransferred, FollowUpKind,
    FollowUpRecorded, RecycleWarned, RuleRun,
};
use domain::notification::Channel;
use domain::notification::DeliveryState::{Cancelled as Gone, Pending};
use domain::recycle_rule::run::{NamedRule, PlannedFall, RecycleRunCompleted, RecycleRunEvent};
use domain::transfer_rule::run::{PlannedMove, TransferRunCompleted, TransferRunEvent, people};
use domain::{Actor, FollowUpId, RecycleRuleId, RecycleRunId, TransferRuleId, TransferRunId};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;
use uuid::Uuid;

use super::super::kit::{Backend, by, customer, dawn, moved_to, staff};
use super::dispatch::row;
use super::kit::{ADMIN, LI, Office, ZHANG, transferred, wechat};

fn warned(to: u128) -> CustomerEvent {
    let rule = RecycleRuleId(Uuid::from_u128(81));
    RecycleWarned { to: staff(to), rule, due_at: dawn(), offset_hours: 72, at: dawn() }.into()
}

fn recycled(from: u128, run: Option<RecycleRunId>) -> CustomerEvent {
    let (rule, reason) = (RecycleRuleId(Uuid::from_u128(81)), "超过7天未跟进，自动回收".into());
    CustomerRecycled { from: staff(from), rule, reason, run, at: dawn() }.into()
}

fn followed_up(author: u128) -> CustomerEvent {
    FollowUpRecorded {
        id: FollowUpId(TimeOrderedIds.next()),
        kind: FollowUpKind::Phone,
        content: "已联系".into(),
        next_follow_up_at: None,
        by: by(author),
        at: dawn(),
    }
    .into()
}

/// Warnings leave through WeChat as well.
fn warning_by_wechat() -> ChannelSettings {
    let routes = [
        ("default", vec![Channel::WechatSubscribe]),
        ("CUSTOMER_RECYCLE_WARNING", vec![Channel::WechatSubscribe]),
    ];
    ChannelSettings { routes: Routes::parse(routes).unwrap(), ..wechat() }
}

async fn answer(office: &Office) {
    let policy = office.policy_of(&office.world.projections, warning_by_wechat(), Upcasters::none());
    office.answer_by(&policy, 500).await;
}

/// Zhang has lead 1, and two messages about it wait: that it is Zhang's, and that it will fall.
async fn given(backend: Backend) -> Office {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(ZHANG)).await;
    office.happen(1, warned(ZHANG)).await;
    answer(&office).await;
    assert_eq!(office.outbox().await, [row(ZHANG, Pending), row(ZHANG, Pending)]);
    office
}

async fn reasons(office: &Office) -> Vec<String> {
    office.cancelled().await.into_iter().map(|one| one.reason).collect()
}

#[rstest]
#[tokio::test]
async fn a_follow_up_takes_the_warning_back_and_leaves_the_lead(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.happen(1, followed_up(ZHANG)).await;
    answer(&office).await;
    assert_eq!(office.outbox().await, [row(ZHANG, Pending), row(ZHANG, Gone)]);
    assert_eq!(reasons(&office).await, ["lead_followed_up"]);
}

#[rstest]
#[tokio::test]
async fn a_signature_or_a_freeze_takes_the_warning_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(true, false)] signs: bool,
) {
    let office = given(backend).await;
    let frozen: CustomerEvent = CustomerFrozen { reason: None, by: by(ADMIN), at: dawn() }.into();
    let (event, reason) = if signs {
        (moved_to(ContractStatus::Signed, dawn()), "lead_signed")
    } else {
        (frozen, "lead_frozen")
    };
    office.happen(1, event).await;
    answer(&office).await;
    let warning = office.outbox().await.into_iter().filter(|sent| *sent == row(ZHANG, Gone)).count();
    assert_eq!((warning, reasons(&office).await), (1, vec![reason.to_owned()]));
}

#[rstest]
#[tokio::test]
async fn a_warning_of_the_same_page_is_taken_back_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    office.create(1, ADMIN, Some(ZHANG)).await;
    office.happen(1, warned(ZHANG)).await;
    office.happen(1, followed_up(LI)).await;
    answer(&office).await;
    assert_eq!(office.outbox().await, [row(ZHANG, Pending), row(ZHANG, Gone)]);
}

#[rstest]
#[tokio::test]
async fn who_loses_the_lead_loses_every_message_about_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(true, false)] followed_up_before: bool,
) {
    let office = given(backend).await;
    if followed_up_before {
        // In the same page as the move: the follow-up must not hide the loss.
        office.happen(1, followed_up(ZHANG)).await;
    }
    office.happen(1, transferred(ZHANG, LI, ADMIN, Manual)).await;
    answer(&office).await;
    assert_eq!(office.outbox().await, [row(ZHANG, Gone), row(ZHANG, Gone), row(LI, Pending)]);
}

/// A fall as it was written before there were runs is told by itself.
#[rstest]
#[tokio::test]
async fn a_recycled_lead_takes_everything_back_and_tells_its_former_owner(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = given(backend).await;
    office.happen(1, recycled(ZHANG, None)).await;
    answer(&office).await;
    assert_eq!(office.outbox().await, [row(ZHANG, Gone), row(ZHANG, Gone)]);
    assert_eq!(reasons(&office).await, ["lead_recycled", "lead_recycled"]);
    let text = "您的客户 客户1 已被回收到公海，原因：超过7天未跟进，自动回收".to_owned();
    let told = (staff(ZHANG).0, "CUSTOMER_RECLAIMED".to_owned(), text);
    assert!(office.seen().await.notices.contains(&told));
}

#[rstest]
#[tokio::test]
async fn a_run_tells_each_person_once_and_its_leads_tell_nobody(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let office = Office::open(backend).await;
    for n in 1..=3 {
        office.create(n, ADMIN, Some(ZHANG)).await;
    }
    office.answer().await;
    let before = office.seen().await.notices;

    let (rule, run) = (TransferRuleId(Uuid::from_u128(71)), TransferRunId(Uuid::from_u128(72)));
    for n in 1..=3 {
        let moved = CustomerTransferred {
            from: staff(ZHANG),
            to: staff(LI),
            by: Actor::System("transfer_rule".into()),
            reason: Some("自动流转-规则: 七天未跟进".into()),
            source: Rule(RuleRun { rule, run }),
            at: dawn(),
        };
        office.happen(n, moved.into()).await;
    }
    office.answer().await;
    assert_eq!(office.seen().await.notices, before, "the leads of a run tell nobody");

    let moved: Vec<PlannedMove> =
        (1..=3).map(|n| PlannedMove { customer: customer(n), from: staff(ZHANG), to: staff(LI) }).collect();
    let completed: TransferRunEvent = TransferRunCompleted {
        rule,
        rule_name: "七天未跟进".into(),
        people: people(&moved),
        moved,
        skipped: vec![],
        unplaced_more: 0,
        explanation: None,
        at: dawn(),
    }
    .into();
    office.command(vec![StreamAppend::of(run, 0, &[completed]).unwrap()]).await;
    office.answer().await;
    let told: Vec<_> =
        office.seen().await.notices.into_iter().filter(|notice| !before.contains(notice)).collect();
    let scenes: Vec<_> = told.iter().map(|(who, scene, _)| (*who, scene.as_str())).collect();
    assert_eq!(scenes, [(staff(ZHANG).0, "LEAD_AUTO_TRANSFER_OUT"), (staff(LI).0, "LEAD_AUTO_TRANSFER_IN")]);
    assert!(told.iter().all(|(_, _, text)| text.contains(" 3 条") && text.contains("规则：七天未跟进")));
    assert!(office.reconciled().await.is_clean());
}

fn run_of_falls(owners: &[u128]) -> RecycleRunEvent {
    let rule = RecycleRuleId(Uuid::from_u128(81));
    let fell = |(n, owner): (usize, &u128)| {
        let customer = customer(n as u128 + 1);
        PlannedFall { customer, from: staff(*owner), rule }
    };
    let rules = vec![NamedRule { rule, name: "七天未跟进".into() }];
    let fallen = owners.iter().enumerate().map(fell).collect();
    RecycleRunCompleted { period: dawn(), rules, fallen, skipped: vec![], at: dawn() }.into()
}

#[rstest]
#[tokio::test]
async fn a_recycle_run_tells_each_former_owner_once_and_takes_back_lead_by_lead(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (office, owners) = (given(backend).await, [ZHANG, ZHANG, LI]);
    office.create(2, ADMIN, Some(ZHANG)).await;
    office.create(3, ADMIN, Some(LI)).await;
    answer(&office).await;
    let before = office.seen().await.notices;

    let run = RecycleRunId::of_period(dawn());
    for (n, owner) in (1..).zip(owners) {
        office.happen(n, recycled(owner, Some(run))).await;
    }
    answer(&office).await;
    assert_eq!(office.seen().await.notices, before, "the leads of a run tell nobody");
    let gone = office.outbox().await.into_iter().filter(|sent| *sent == row(ZHANG, Gone)).count();
    assert_eq!(gone, 3, "both messages that leads were Zhang's, and the warning");
    assert!(reasons(&office).await.iter().all(|reason| reason == "lead_recycled"));

    office.command(vec![StreamAppend::of(run, 0, &[run_of_falls(&owners)]).unwrap()]).await;
    for _ in 0..2 {
        answer(&office).await; // the second time there is nothing new
        let notices = office.seen().await.notices;
        let told: Vec<_> = notices.into_iter().filter(|notice| !before.contains(notice)).collect();
        let text = |n| format!("您的 {n} 个客户已被回收到公海，原因：七天未跟进，自动回收");
        let summary = |who, n| (staff(who).0, "CUSTOMER_RECLAIMED".to_owned(), text(n));
        let named = "您的客户 客户3 已被回收到公海，原因：七天未跟进，自动回收".to_owned();
        let one = (staff(LI).0, "CUSTOMER_RECLAIMED".to_owned(), named);
        assert_eq!(told, [summary(ZHANG, 2), one], "a single lead is called by its name");
    }
    assert!(office.reconciled().await.is_clean());
}
