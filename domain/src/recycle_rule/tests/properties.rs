//! What holds for every rule and every lead.

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::due::{policy, policy_of};
use super::*;
use crate::testing::play;

fn any_kind() -> impl Strategy<Value = RecycleKind> {
    let (no_follow_up, not_signed) = (0..40_u32, 0..40_u32);
    prop_oneof![
        no_follow_up.prop_map(|days| RecycleKind::NoFollowUp { days }),
        not_signed.prop_map(|days| RecycleKind::NotSigned { days }),
    ]
}

fn any_text() -> impl Strategy<Value = RecycleText> {
    let strategy = (
        select(vec!["", "一", " 二 "]),
        0..4_u32,
        any_kind(),
        btree_map(select(LeadLevel::ALL), 1..40_u32, 0..3),
        subsequence(LeadSource::ALL, 0..4),
        subsequence(ContractStatus::ALL, 0..4),
        0..2000_u32,
        -40..40_i64,
        vec(1..100_u32, 0..3),
    );
    strategy.prop_map(|(name, priority, kind, levels, lead_sources, statuses, protected, from, warns)| {
        RecycleText {
            name: name.to_owned(),
            priority,
            kind,
            days_by_level: levels,
            lead_sources,
            statuses,
            protected_hours: protected,
            effective_from: days(from),
            warn_before_hours: warns,
        }
    })
}

fn any_facts() -> impl Strategy<Value = DueFacts> {
    let strategy = (
        of((-40..40_i64).prop_map(days)),
        any::<bool>(),
        of((-40..40_i64).prop_map(days)),
        of(select(ContractStatus::ALL)),
        of(select(LeadLevel::ALL)),
        of(select(LeadSource::ALL)),
        any::<bool>(),
        of((-40..40_i64).prop_map(days)),
    );
    strategy.prop_map(
        |(owned_since, given_by_person, last_follow_up_at, status, level, source, frozen, changed_at)| {
            DueFacts {
                owned_since,
                given_by_person,
                last_follow_up_at,
                status,
                level,
                source,
                frozen,
                changed_at,
            }
        },
    )
}

fn any_command() -> impl Strategy<Value = RecycleRuleCommand> {
    use RecycleRuleCommand as C;
    let moment = || (-9..9_i64).prop_map(days);
    let any_wish = || {
        let said = (any_text(), any::<bool>());
        said.prop_map(|(text, says)| if says { text.into() } else { whenever(text) })
    };
    prop_oneof![
        (any_wish(), any::<bool>(), moment()).prop_map(|(text, enabled, at)| C::Create {
            text,
            enabled,
            by: boss(),
            at
        }),
        (any_wish(), moment()).prop_map(|(text, at)| C::Revise { text, by: boss(), at }),
        moment().prop_map(enable),
        moment().prop_map(|at| C::Disable(disabled(at))),
        Just(C::Delete(deleted())),
    ]
}

proptest! {
    #[test]
    fn what_is_kept_is_valid_and_a_repetition_changes_nothing(commands in vec(any_command(), 0..16)) {
        play::<RecycleRule>(commands, |_| false, |state, _| {
            assert!(state.text.iter().all(|text| text.violations().is_empty()), "{state:?}");
        });
    }

    /// A follow-up, a later owner or a later rule can only put the fall off.
    #[test]
    fn a_fall_never_comes_before_its_time(
        texts in vec(any_text(), 0..4), facts in any_facts(), waits in 0..40_i64,
    ) {
        let policy = policy(&texts);
        let Some(due) = policy.pool_due(&facts) else { return Ok(()) };
        let text = policy.text(due.rule).unwrap();
        prop_assert!(due.at >= facts.owned_since.unwrap() + TimeDelta::days(text.days_of(facts.level).into()));
        prop_assert!(due.at >= text.effective_from);
        prop_assert!(!facts.frozen && facts.status != Some(ContractStatus::Signed));
        prop_assert!(facts.source != Some(LeadSource::Referral));

        let followed_up = Some(facts.last_follow_up_at.unwrap_or(days(-40)) + TimeDelta::days(waits));
        let touched = policy.pool_due(&DueFacts { last_follow_up_at: followed_up, ..facts }).unwrap();
        prop_assert!(touched.at >= due.at);
        let since = facts.owned_since.map(|since| since + TimeDelta::days(waits));
        let owned_later = policy.pool_due(&DueFacts { owned_since: since, ..facts }).unwrap();
        prop_assert!(owned_later.at >= due.at);
        prop_assert_eq!(policy.pool_due(&DueFacts { frozen: true, ..facts }), None);
    }

    /// The rule that decides is the first that fits and has begun when the lead falls.
    #[test]
    fn no_rule_that_is_asked_later_takes_a_lead_from_one_that_has_begun(
        texts in vec(any_text(), 0..5), facts in any_facts(),
    ) {
        let policy = policy(&texts);
        let Some(due) = policy.pool_due(&facts) else { return Ok(()) };
        let settled = facts.changed_at.unwrap_or(days(-1000));
        for term in policy.terms() {
            let alone = policy_of(term).pool_due(&facts);
            if term.rule == due.rule {
                prop_assert_eq!(alone.map(|alone| alone.at), Some(due.at));
                break;
            }
            // Asked before: it does not fit, or is yet to begin.
            prop_assert!(alone.is_none() || term.text.effective_from > due.at.max(settled));
        }
    }

    /// Whatever happens to a lead or a rule can only put a fall off.
    #[test]
    fn what_happens_to_a_lead_can_only_put_its_fall_off(
        texts in vec(any_text(), 0..5), facts in any_facts(), later in 0..40_i64,
    ) {
        let policy = policy(&texts);
        let before = facts.changed_at.unwrap_or(days(-40));
        let changed = policy.pool_due(&DueFacts { changed_at: Some(before + TimeDelta::days(later)), ..facts });
        let due = policy.pool_due(&facts);
        prop_assert!(due.is_some() == changed.is_some() && due.map(|due| due.at) <= changed.map(|due| due.at));
    }

    /// Nobody is warned of what already happened, and the moments that are named are those at which warnings change.
    #[test]
    fn warnings_come_in_order_and_end_with_the_fall(text in any_text(), facts in any_facts()) {
        let policy = policy(&[text]);
        let Some(due) = policy.pool_due(&facts) else { return Ok(()) };
        let (mut at, mut last) = (due.at - TimeDelta::days(30), u32::MAX);
        while let Some(next) = policy.next_warning(&due, at) {
            prop_assert!(next > at && next < due.at);
            let hours = policy.warning(&due, next);
            prop_assert_eq!(hours.map(|hours| due.at - TimeDelta::hours(hours.into())), Some(next));
            prop_assert!(hours.unwrap() < last);
            (at, last) = (next, hours.unwrap());
        }
        prop_assert_eq!(policy.warning(&due, due.at), None);
    }
}
