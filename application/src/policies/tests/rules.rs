//! What rules do to leads: who reads of it, in which words.

use domain::customer::{
    CustomerRecycled, FollowUpDue, FollowUpKind, FollowUpRecorded, RecycleWarned, RuleRun,
};
use domain::preferences::{Document, Language, Whose};
use domain::recycle_rule::run::{
    NamedRule, PlannedFall, RecycleRunCompleted, RecycleRunEvent, RecycleRunPlanned, Stayed,
};
use domain::transfer_rule::run::{
    Moved, PlannedMove, Skipped, TransferRunCompleted, TransferRunEvent, TransferRunPlanned, people,
};
use domain::{FollowUpId, RecycleRuleId, RecycleRunId, TransferRuleId, TransferRunId};

use super::*;

const RUN: TransferRunId = TransferRunId(Uuid::from_u128(72));
const IN_RUN: &str = "both: merge transfer_run-00000000-0000-0000-0000-000000000048";
const FALL_RUN: RecycleRunId = RecycleRunId(Uuid::from_u128(73));
const IN_FALL_RUN: &str = "both: merge recycle_run-00000000-0000-0000-0000-000000000049";
const OUT: &str = kinds::LEAD_AUTO_TRANSFER_OUT;
const IN: &str = kinds::LEAD_AUTO_TRANSFER_IN;

fn rule() -> RecycleRuleId {
    RecycleRuleId(Uuid::from_u128(81))
}

fn owned(event: impl Into<CustomerEvent>) -> Happened {
    lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create), event.into()])
}

fn recycled(run: Option<RecycleRunId>) -> CustomerRecycled {
    CustomerRecycled {
        from: OLD, rule: rule(), reason: "超过7天未跟进，自动回收".to_owned(), run, at: at()
    }
}

fn fell(n: u128, from: StaffId, by: u128) -> PlannedFall {
    let (customer, rule) = (CustomerId(Uuid::from_u128(n)), RecycleRuleId(Uuid::from_u128(by)));
    PlannedFall { customer, from, rule }
}

/// The end of a run of four rules.
fn falls(fallen: Vec<PlannedFall>) -> Fact {
    let named = |(by, name): (u128, &str)| NamedRule {
        rule: RecycleRuleId(Uuid::from_u128(by)),
        name: name.to_owned(),
    };
    let rules = [(81, "甲"), (82, "乙"), (83, "丙"), (84, "丁")].map(named).to_vec();
    let skipped = vec![Stayed { customer: LEAD, reason: "touched".to_owned() }];
    let completed = RecycleRunCompleted { period: at(), rules, fallen, skipped, at: at() };
    Fact::RecycleRun(FALL_RUN, Box::new(completed.into()))
}

fn warned() -> RecycleWarned {
    let due_at = "2026-03-04T02:05:00Z".parse().unwrap();
    RecycleWarned { to: OLD, rule: rule(), due_at, offset_hours: 72, at: at() }
}

fn moved(n: u128, from: StaffId, to: StaffId) -> Moved {
    PlannedMove { customer: CustomerId(Uuid::from_u128(n)), from, to }
}

fn run(moved: Vec<Moved>) -> Fact {
    let completed = TransferRunCompleted {
        rule: TransferRuleId(Uuid::from_u128(71)),
        rule_name: "七天未跟进流转".to_owned(),
        people: people(&moved),
        moved,
        skipped: vec![Skipped { customer: LEAD, reason: "active".to_owned() }],
        unplaced_more: 0,
        explanation: None,
        at: at(),
    };
    Fact::TransferRun(RUN, Box::new(completed.into()))
}

/// What everybody reads who wishes for English, and what clients get as the reason.
fn english_reasons(happened: impl Into<Happened>) -> Vec<(String, serde_json::Value)> {
    let english = Document { locale: Some(Language::En), ..Document::default() };
    let backdrop = Backdrop::of(&wechat()).wishes(Whose::Role(Role::Employee), english.clone());
    let backdrop = backdrop.wishes(Whose::Role(Role::Manager), english);
    let (reactions, _) = backdrop.answer_at(&happened.into(), at());
    let messages = reactions.into_iter().map(|reaction| reaction.notice.unwrap().message);
    messages.map(|message| (message.content, message.data["reason"].clone())).collect()
}

/// Who reads what.
fn texts(happened: impl Into<Happened>) -> Vec<(StaffId, String)> {
    texts_in(happened, chrono_tz::Asia::Shanghai)
}

/// The same in another part of the world.
fn texts_in(happened: impl Into<Happened>, zone: chrono_tz::Tz) -> Vec<(StaffId, String)> {
    let (_, reactions) = answer(happened.into(), &ChannelSettings { zone, ..wechat() });
    let text = |reaction: Reaction| (reaction.recipient, reaction.notice.unwrap().message.content);
    reactions.into_iter().map(text).collect()
}

#[test]
fn a_move_by_a_rule_tells_nobody_by_itself() {
    let source = AssignmentSource::Rule(RuleRun { rule: TransferRuleId(Uuid::nil()), run: RUN });
    let transferred = CustomerTransferred {
        from: OLD,
        to: NEW,
        by: Actor::System("x".into()),
        reason: None,
        source,
        at: at(),
    };
    let happened = owned(transferred);
    assert!(!happened.fact.needs_customer(), "ten thousand leads are not read for nothing");
    check(Happened { customer: None, ..happened }, &[(NEW, IN, IN_RUN), (OLD, OUT, IN_RUN)]);
}

#[test]
fn the_end_of_a_run_is_one_summary_for_each_side_of_each_person() {
    let moves = vec![moved(1, OLD, NEW), moved(2, NEW, MANAGER), moved(3, OLD, MANAGER)];
    let told = [(OLD, OUT, INBOX), (NEW, OUT, INBOX), (MANAGER, IN, INBOX), (NEW, IN, INBOX)];
    check(run(moves.clone()), &told);
    let out = |n| format!("您有 {n} 条线索已于 2026/3/1 10:00:00 自动流转给其他同事，规则：七天未跟进流转");
    let into = |n| format!("您有 {n} 条新线索已于 2026/3/1 10:00:00 自动流转给您，规则：七天未跟进流转");
    assert_eq!(texts(run(moves.clone())), [(OLD, out(2)), (NEW, out(1)), (MANAGER, into(2)), (NEW, into(1))]);
    let there = &texts_in(run(moves), chrono_tz::America::New_York)[0].1;
    assert!(there.contains("2026/2/28 21:00:00"), "{there}");
}

#[test]
fn a_run_that_moved_nothing_tells_nobody() {
    check(run(vec![]), &[]);
    let planned: TransferRunEvent =
        TransferRunPlanned { moves: vec![moved(1, OLD, NEW)], ..TransferRunPlanned::default() }.into();
    check(Fact::TransferRun(RUN, Box::new(planned)), &[]);
}

#[test]
fn a_summary_of_thousands_counts_them_and_names_the_first() {
    let moves = (0..2000).map(|n| moved(n, OLD, NEW)).collect();
    let (_, reactions) = answer(run(moves).into(), &wechat());
    let data = &reactions[0].notice.as_ref().unwrap().message.data;
    assert_eq!((reactions[0].customers.len(), &data["customerCount"]), (100, &2000.into()));
}

#[test]
fn who_loses_a_lead_to_the_pool_by_a_rule_reads_why() {
    check(owned(recycled(None)), &[(OLD, kinds::CUSTOMER_RECLAIMED, INBOX)]);
    let text = "您的客户 陈女士 已被回收到公海，原因：超过7天未跟进，自动回收";
    assert_eq!(texts(owned(recycled(None))), [(OLD, text.to_owned())]);
}

#[test]
fn a_fall_in_a_run_tells_nobody_by_itself() {
    let happened = owned(recycled(Some(FALL_RUN)));
    assert!(!happened.fact.needs_customer(), "ten thousand leads are not read for nothing");
    check(Happened { customer: None, ..happened }, &[(OLD, kinds::CUSTOMER_RECLAIMED, IN_FALL_RUN)]);
}

#[test]
fn the_end_of_a_run_of_falls_is_one_summary_for_each_former_owner_with_the_rules_that_took_their_leads() {
    let fallen =
        vec![fell(1, OLD, 81), fell(2, NEW, 82), fell(3, OLD, 81), fell(4, NEW, 81), fell(5, MANAGER, 84)];
    let reclaimed = kinds::CUSTOMER_RECLAIMED;
    let told = [(MANAGER, reclaimed, INBOX), (OLD, reclaimed, INBOX), (NEW, reclaimed, INBOX)];
    check(falls(fallen.clone()), &told);
    let text = |n, why| format!("您的 {n} 个客户已被回收到公海，原因：{why}，自动回收");
    assert_eq!(
        texts(falls(fallen)),
        [(MANAGER, text(1, "丁")), (OLD, text(2, "甲")), (NEW, text(2, "甲、乙"))]
    );
    let many = (1..=4).map(|n| fell(n, OLD, 80 + n)).collect();
    assert_eq!(texts(falls(many)), [(OLD, text(4, "甲、乙、丙等4条规则"))]);
}

#[test]
fn who_wishes_for_english_reads_no_chinese_but_names() {
    let fallen = vec![fell(1, OLD, 81), fell(2, NEW, 82), fell(3, NEW, 81), fell(4, OLD, 81)];
    let text = |n, why: &str| {
        (format!("{n} of your customers went back to the pool: {why}"), serde_json::Value::from(why))
    };
    assert_eq!(english_reasons(falls(fallen)), [text(2, "rule 甲"), text(2, "rules 甲, 乙")]);
    let many = (1..=4).map(|n| fell(n, OLD, 80 + n)).collect();
    assert_eq!(english_reasons(falls(many)), [text(4, "rules 甲, 乙, 丙 and 1 more")]);
    // One that was written before there were runs.
    let why = "not followed up for 7 days, taken back by a rule";
    let text = format!("Your customer 陈女士 went back to the pool: {why}");
    assert_eq!(english_reasons(owned(recycled(None))), [(text, why.into())]);
    let words = recycled(None);
    let by_hand = CustomerRecycled { reason: "客户不需要了".to_owned(), ..words };
    assert_eq!(english_reasons(owned(by_hand))[0].1, "客户不需要了", "words of people stay as they are");
}

#[test]
fn whoever_lost_just_one_lead_reads_its_name() {
    let happened = Happened::from(falls(vec![fell(1, OLD, 81), fell(2, NEW, 82), fell(3, NEW, 82)]));
    assert_eq!(happened.fact.named(), [CustomerId(Uuid::from_u128(1))]);
    let known = lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create)]).customer.unwrap();
    let named = [1, 2].map(|n| (CustomerId(Uuid::from_u128(n)), known.clone())).into();
    let (reactions, _) = Backdrop { named, ..Backdrop::of(&wechat()) }.answer_at(&happened, at());
    let notices: Vec<_> = reactions.into_iter().map(|one| one.notice.unwrap()).collect();
    let texts: Vec<_> = notices.iter().map(|notice| notice.message.content.as_str()).collect();
    let named = "您的客户 陈女士 已被回收到公海，原因：甲，自动回收";
    assert_eq!(texts, [named, "您的 2 个客户已被回收到公海，原因：乙，自动回收"]);
    assert_eq!(notices[0].message.data["runId"], FALL_RUN.to_string());
}

#[test]
fn a_run_in_which_nothing_fell_tells_nobody() {
    check(falls(vec![]), &[]);
    let planned: RecycleRunEvent = RecycleRunPlanned { falls: vec![fell(1, OLD, 81)] }.into();
    check(Fact::RecycleRun(FALL_RUN, Box::new(planned)), &[]);
}

#[test]
fn a_summary_of_thousands_of_falls_counts_them_and_names_the_first() {
    let fallen = (0..2000).map(|n| fell(n, OLD, 81)).collect();
    let (_, reactions) = answer(falls(fallen).into(), &wechat());
    let data = &reactions[0].notice.as_ref().unwrap().message.data;
    assert_eq!((reactions[0].customers.len(), &data["customerCount"]), (100, &2000.into()));
}

#[test]
fn who_may_lose_a_lead_reads_until_when() {
    check(owned(warned()), &[(OLD, kinds::CUSTOMER_RECYCLE_WARNING, INBOX)]);
    let text = "您的客户 陈女士 将于 2026/3/4 10:05:00 回收到公海，请及时跟进";
    assert_eq!(texts(owned(warned())), [(OLD, text.to_owned())]);
    let text = "您的客户 陈女士 将于 2026/3/3 21:05:00 回收到公海，请及时跟进";
    assert_eq!(texts_in(owned(warned()), chrono_tz::America::New_York), [(OLD, text.to_owned())]);
}

#[test]
fn a_follow_up_that_is_due_is_told_with_the_days_since_the_last_one() {
    let followed = FollowUpRecorded {
        id: FollowUpId(Uuid::nil()),
        kind: FollowUpKind::Phone,
        content: "周日再联系".to_owned(),
        next_follow_up_at: Some(at()),
        by: Actor::Staff(OLD),
        at: "2026-02-26T15:59:00Z".parse().unwrap(), // a minute before midnight in China
    };
    let due = FollowUpDue { to: OLD, due: at(), at: at() };
    let happened = || {
        lead(vec![created(ADMIN), assigned(OLD, ADMIN, Create), followed.clone().into(), due.clone().into()])
    };
    check(happened(), &[(OLD, kinds::CUSTOMER_FOLLOW_UP_DUE, INBOX)]);
    assert_eq!(texts(happened()), [(OLD, "客户 陈女士 已 3 天未跟进，请及时联系".to_owned())]);
    // Ten in the morning of the first of March there is still the last of February in America.
    let there = texts_in(happened(), chrono_tz::America::New_York);
    assert_eq!(there, [(OLD, "客户 陈女士 已 2 天未跟进，请及时联系".to_owned())]);
}

#[test]
fn warnings_and_reminders_go_with_the_lead() {
    let gained = |happened: Happened| answer(happened, &wechat()).1[0].gained();
    assert_eq!(gained(owned(warned())), Some(LEAD));
    assert_eq!(gained(owned(FollowUpDue { to: OLD, due: at(), at: at() })), Some(LEAD));
    assert_eq!(gained(owned(recycled(None))), None);
}
