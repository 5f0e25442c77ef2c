//! What rules may do with a lead: one sentence each. The scan that found it may be late; the lead has the last word.

use std::sync::Arc;

use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::ids::{FollowUpId, RecycleRuleId, TransferRuleId, TransferRunId};
use crate::recycle_rule::{RecycleKind, RecyclePolicy, RecycleRule, RecycleRuleCreated, RecycleText};
use crate::transfer_rule::{Conditions, Criteria};

const DAY: i64 = 24 * 3600;

pub(super) fn rule_run() -> RuleRun {
    RuleRun { rule: TransferRuleId(Uuid::from_u128(71)), run: TransferRunId(Uuid::from_u128(72)) }
}

/// Two days idle, from 1 or 2, at most twice, a day's rest.
pub(super) fn criteria() -> Criteria {
    Criteria {
        conditions: Conditions {
            inactive_hours: 48,
            cooldown_hours: 24,
            transfer_count_max: 2,
            contract_statuses: vec![ContractStatus::Pending],
            lead_sources: vec![],
            created: None,
        },
        zone: crate::preferences::Zone::default(),
        sources: [staff(1), staff(2)].into(),
    }
}

fn recycle_rule() -> RecycleRuleId {
    RecycleRuleId(Uuid::from_u128(81))
}

/// Seven days without a follow-up; warnings three days and one day before.
fn terms() -> Arc<RecyclePolicy> {
    let text = RecycleText {
        name: "七天未跟进".into(),
        priority: 1,
        kind: RecycleKind::NoFollowUp { days: 7 },
        days_by_level: [].into(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: at(-DAY),
        warn_before_hours: vec![72, 24],
    };
    let created = RecycleRuleCreated { text, enabled: true, by: boss(), at: at(-DAY) };
    let rule: RecycleRule = after(&[created.into()]);
    Arc::new(RecyclePolicy::of([(recycle_rule(), &rule)]))
}

pub(super) fn recycle(at: DateTime<Utc>) -> CustomerCommand {
    CustomerCommand::Recycle { rule: recycle_rule(), terms: terms(), run: None, at }
}

pub(super) fn warn(offset_hours: u32, due: i64, at: DateTime<Utc>) -> CustomerCommand {
    let due_at = crate::testing::at(due);
    CustomerCommand::WarnOfRecycling { rule: recycle_rule(), terms: terms(), offset_hours, due_at, at }
}

fn hand_on(from: u128, to: u128, seconds: i64) -> CustomerCommand {
    CustomerCommand::AutoTransfer {
        to: staff(to),
        rule_run: rule_run(),
        criteria: Box::new(criteria()),
        expected_owner: staff(from),
        reason: "自动流转-规则: 七天未跟进".into(),
        at: at(seconds),
    }
}

fn handed_on(from: u128, to: u128, seconds: i64) -> CustomerEvent {
    CustomerTransferred {
        from: staff(from),
        to: staff(to),
        by: Actor::System("transfer_rule".into()),
        reason: Some("自动流转-规则: 七天未跟进".into()),
        source: AssignmentSource::Rule(rule_run()),
        at: at(seconds),
    }
    .into()
}

fn followed_up(seconds: i64, next: Option<i64>) -> CustomerEvent {
    FollowUpRecorded {
        id: FollowUpId(Uuid::from_u128(1)),
        kind: FollowUpKind::Phone,
        content: "约了下周".into(),
        next_follow_up_at: next.map(at),
        by: Actor::Staff(staff(1)),
        at: at(seconds),
    }
    .into()
}

fn warned(offset_hours: u32, due: i64, seconds: i64) -> CustomerEvent {
    let (to, rule) = (staff(1), recycle_rule());
    RecycleWarned { to, rule, due_at: at(due), offset_hours, at: at(seconds) }.into()
}

fn history(more: impl IntoIterator<Item = CustomerEvent>) -> Vec<CustomerEvent> {
    owned_by(staff(1)).into_iter().chain(more).collect()
}

fn refused(history: Vec<CustomerEvent>, command: CustomerCommand, error: CustomerError) {
    given::<Customer>(history).when(command).then_expect_error(error);
}

#[test]
fn a_rule_hands_an_idle_lead_on_and_is_itself_the_actor() {
    given::<Customer>(history([])).when(hand_on(1, 3, 3 * DAY)).then_expect_events(vec![handed_on(
        1,
        3,
        3 * DAY,
    )]);
    let customer: Customer = after(&history([handed_on(1, 3, 3 * DAY)]));
    assert_eq!((customer.owner(), customer.transfer_count), (Some(staff(3)), 1));
    assert_eq!(customer.last_activity_at, Some(at(3 * DAY)), "the idle clock starts again");
    assert_eq!(customer.assigned_by, Some(Actor::System("transfer_rule".into())));
}

#[test]
fn a_lead_that_moved_in_this_run_does_not_move_again() {
    let moved = history([handed_on(1, 3, 3 * DAY)]);
    given::<Customer>(moved).when(hand_on(1, 3, 3 * DAY + 1)).then_expect_events(vec![]);
}

#[test]
fn whatever_happened_since_the_scan_keeps_the_lead_where_it_is() {
    let not = CustomerError::NotEligible;
    let now = 3 * DAY;
    let by = boss;
    let touched = followed_up(now - 60, None);
    refused(history([touched]), hand_on(1, 3, now), not(Ineligible::Active));
    let moved = transferred(staff(1), staff(2));
    refused(history([moved]), hand_on(1, 3, now), not(Ineligible::OwnerChanged));
    let signed = CustomerStatusChanged {
        from: ContractStatus::Pending,
        to: ContractStatus::Signed,
        by: by(),
        at: at(60),
    };
    refused(history([signed.into()]), hand_on(1, 3, now), not(Ineligible::Status));
    let frozen = CustomerFrozen { reason: None, by: by(), at: at(60) };
    refused(history([frozen.into()]), hand_on(1, 3, now), not(Ineligible::Frozen));
    let opted_out = AutoTransferDisabled { by: by(), at: at(60) };
    refused(history([opted_out.into()]), hand_on(1, 3, now), not(Ineligible::OptedOut));
    let released = CustomerReleased { from: staff(1), by: by(), reason: "x".into(), batch: None, at: at(60) };
    refused(history([released.into()]), hand_on(1, 3, now), not(Ineligible::InPool));
    let deleted = CustomerDeleted { from: Some(staff(1)), by: by(), at: at(60) };
    refused(history([deleted.into()]), hand_on(1, 3, now), not(Ineligible::Deleted));
    refused(owned_by(staff(3)), hand_on(3, 1, now), not(Ineligible::NotSource));
    refused(vec![created()], hand_on(1, 3, now), not(Ineligible::NotOwned));
    refused(history([]), hand_on(1, 3, DAY), not(Ineligible::Active));
    refused(vec![], hand_on(1, 3, now), CustomerError::NotFound);
}

#[test]
fn the_refusal_says_why_in_chinese() {
    given::<Customer>(history([])).when(hand_on(1, 3, DAY)).then_expect_error_message("线索近期有跟进或变更");
}

#[test]
fn a_lead_is_recycled_when_it_is_due_and_not_a_second_before() {
    let event = CustomerRecycled {
        from: staff(1),
        rule: recycle_rule(),
        reason: "超过7天未跟进，自动回收".into(),
        run: None,
        at: at(7 * DAY),
    };
    given::<Customer>(history([])).when(recycle(at(7 * DAY))).then_expect_events(vec![event.clone().into()]);
    let early = CustomerError::NotDue { at: Some(at(7 * DAY)) };
    refused(history([]), recycle(at(7 * DAY - 1)), early);

    let customer: Customer = after(&history([event.into()]));
    let reason = "超过7天未跟进，自动回收".to_owned();
    let former_owner = Some(staff(1));
    assert_eq!(customer.ownership, Ownership::InPool { since: at(7 * DAY), reason, former_owner });
    assert_eq!(customer.lead_level, Some(LeadLevel::B), "the level survives");
}

#[test]
fn who_followed_up_since_the_scan_keeps_the_lead() {
    let due = CustomerError::NotDue { at: Some(at(13 * DAY)) };
    refused(history([followed_up(6 * DAY, None)]), recycle(at(7 * DAY)), due);
    let frozen = CustomerFrozen { reason: None, by: boss(), at: at(60) };
    refused(history([frozen.into()]), recycle(at(8 * DAY)), CustomerError::NotDue { at: None });
    refused(vec![created()], recycle(at(8 * DAY)), CustomerError::NotOwned);
    let released =
        CustomerReleased { from: staff(1), by: boss(), reason: "x".into(), batch: None, at: at(60) };
    refused(history([released.into()]), recycle(at(8 * DAY)), CustomerError::AlreadyInPool);
}

#[test]
fn a_rule_that_does_not_decide_recycles_nothing() {
    let other = RecycleRuleId(Uuid::from_u128(82));
    let command = CustomerCommand::Recycle { rule: other, terms: terms(), run: None, at: at(8 * DAY) };
    refused(history([]), command, CustomerError::NotDue { at: Some(at(7 * DAY)) });
    let nothing =
        CustomerCommand::Recycle { rule: recycle_rule(), terms: Arc::default(), run: None, at: at(8 * DAY) };
    refused(history([]), nothing, CustomerError::NotDue { at: None });
}

#[test]
fn an_owner_is_warned_once_for_each_warning_of_the_rule() {
    let due = 7 * DAY;
    let first = warned(72, due, 4 * DAY);
    given::<Customer>(history([])).when(warn(72, due, at(4 * DAY))).then_expect_events(vec![first.clone()]);
    given::<Customer>(history([first.clone()])).when(warn(72, due, at(5 * DAY))).then_expect_events(vec![]);
    given::<Customer>(history([first])).when(warn(24, due, at(6 * DAY))).then_expect_events(vec![warned(
        24,
        due,
        6 * DAY,
    )]);
}

#[test]
fn a_warning_for_another_moment_than_the_lead_falls_at_is_refused() {
    let due = 7 * DAY;
    let not_due = |seconds| CustomerError::NotDue { at: Some(at(seconds)) };
    refused(history([]), warn(72, due, at(4 * DAY - 1)), not_due(due)); // too early
    refused(history([]), warn(72, due, at(6 * DAY)), not_due(due)); // the next one is to be told by now
    refused(history([]), warn(24, due, at(due)), not_due(due)); // it falls already
    refused(history([followed_up(DAY, None)]), warn(72, due, at(4 * DAY)), not_due(8 * DAY));
}

#[test]
fn a_follow_up_or_a_new_owner_makes_warnings_new_but_an_edit_does_not() {
    let due = 7 * DAY;
    let followed = history([warned(72, due, 4 * DAY), followed_up(5 * DAY, None)]);
    given::<Customer>(followed).when(warn(72, 12 * DAY, at(9 * DAY))).then_expect_events(vec![warned(
        72,
        12 * DAY,
        9 * DAY,
    )]);
    let changes = Box::new(ProfilePatch { name: Some("李女士".into()), ..ProfilePatch::default() });
    let edited = CustomerUpdated { changes: *changes, by: boss(), at: at(5 * DAY) };
    given::<Customer>(history([warned(72, due, 4 * DAY), edited.into()]))
        .when(warn(72, due, at(5 * DAY)))
        .then_expect_events(vec![]);
    let moved: Customer = after(&history([warned(72, due, 4 * DAY), transferred(staff(1), staff(2))]));
    assert!(moved.recycle_warnings.is_empty());
}

#[test]
fn a_lead_that_fell_no_more_and_falls_again_is_warned_of_again() {
    let due = 7 * DAY;
    let freeze: CustomerEvent = CustomerFrozen { reason: None, by: boss(), at: at(5 * DAY) }.into();
    let thaw: CustomerEvent = CustomerUnfrozen { reason: None, by: boss(), at: at(5 * DAY) }.into();
    let status = |from, to| CustomerStatusChanged { from, to, by: boss(), at: at(5 * DAY) }.into();
    let (pending, matching, signed) =
        (ContractStatus::Pending, ContractStatus::Matching, ContractStatus::Signed);
    let sign: [CustomerEvent; 2] = [status(pending, signed), status(signed, pending)];
    let match_up: [CustomerEvent; 2] = [status(pending, matching), status(matching, pending)];
    let again = warned(72, due, 5 * DAY);
    // What took the warning back, and its end; another status took nothing back.
    for (between, expected) in
        [([freeze, thaw], vec![again.clone()]), (sign, vec![again]), (match_up, vec![])]
    {
        let told = history([vec![warned(72, due, 4 * DAY)], between.to_vec()].concat());
        given::<Customer>(told).when(warn(72, due, at(5 * DAY))).then_expect_events(expected);
    }
}

#[test]
fn warnings_and_reminders_do_not_touch_the_lead() {
    let before: Customer = after(&history([followed_up(60, Some(DAY))]));
    let reminded = FollowUpDue { to: staff(1), due: at(DAY), at: at(DAY) };
    let mut touched = before.clone();
    touched.evolve(&warned(72, 7 * DAY, 4 * DAY));
    touched.evolve(&reminded.into());
    assert_eq!(touched.last_activity_at, before.last_activity_at);
    assert_eq!(touched.updated_at, before.updated_at);
    assert_eq!(touched.last_updated_by, before.last_updated_by);
}

#[test]
fn an_owner_is_reminded_once_of_what_they_meant_to_do() {
    let remind = |due, now| CustomerCommand::RemindOfFollowUp { due: at(due), at: at(now) };
    let promised = history([followed_up(60, Some(DAY))]);
    let reminded: CustomerEvent = FollowUpDue { to: staff(1), due: at(DAY), at: at(DAY) }.into();
    given::<Customer>(promised.clone()).when(remind(DAY, DAY)).then_expect_events(vec![reminded.clone()]);
    let again = [promised.clone(), vec![reminded.clone()]].concat();
    given::<Customer>(again.clone()).when(remind(DAY, DAY + 60)).then_expect_events(vec![]);
    // Done meanwhile, with another promise: the old one is over, the new one is due later.
    let done = [again, vec![followed_up(DAY + 60, Some(2 * DAY))]].concat();
    let later = CustomerError::NotDue { at: Some(at(2 * DAY)) };
    refused(done.clone(), remind(DAY, DAY + 90), later);
    let next: CustomerEvent = FollowUpDue { to: staff(1), due: at(2 * DAY), at: at(2 * DAY) }.into();
    given::<Customer>(done).when(remind(2 * DAY, 2 * DAY)).then_expect_events(vec![next]);

    refused(promised.clone(), remind(DAY, DAY - 1), CustomerError::NotDue { at: Some(at(DAY)) });
    refused(history([]), remind(DAY, DAY), CustomerError::NotDue { at: None });
    let released =
        CustomerReleased { from: staff(1), by: boss(), reason: "x".into(), batch: None, at: at(90) };
    let pooled = [promised, vec![released.into()]].concat();
    refused(pooled, remind(DAY, DAY), CustomerError::AlreadyInPool);
}

#[test]
fn a_moment_that_was_over_when_it_was_named_reminds_nobody() {
    let remind = |now| CustomerCommand::RemindOfFollowUp { due: at(DAY), at: at(now) };
    let not_due = CustomerError::NotDue { at: Some(at(DAY)) };
    refused(history([followed_up(DAY + 60, Some(DAY))]), remind(DAY + 61), not_due.clone());
    refused(history([followed_up(DAY, Some(DAY))]), remind(DAY), not_due.clone());
    // A form that was filled with the last date: the owner was reminded of it already.
    let reminded: CustomerEvent = FollowUpDue { to: staff(1), due: at(DAY), at: at(DAY) }.into();
    let again = [followed_up(60, Some(DAY)), reminded, followed_up(DAY + 60, Some(DAY))];
    refused(history(again), remind(DAY + 61), not_due);
}
