//! What holds for every rule, window and predicate.

use chrono::{TimeDelta, Timelike};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use proptest::strategy::Strategy;

fn any_time() -> impl Strategy<Value = TimeOfDay> {
    (0..24_u16, 0..60_u16).prop_map(|(hour, minute)| TimeOfDay::new(hour, minute).unwrap())
}

fn any_window() -> impl Strategy<Value = Window> {
    let zones = ["Asia/Shanghai", "UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"];
    (any::<bool>(), any_time(), any_time(), select(zones.to_vec()))
        .prop_map(|(enabled, start, end, name)| Window { enabled, start, end, zone: zone(name) })
}

fn any_conditions() -> impl Strategy<Value = Conditions> {
    let days = || of((0..400_i64).prop_map(|days| (at(0) + TimeDelta::days(days - 200)).date_naive()));
    let range = of((days(), days()).prop_map(|(from, to)| CreatedRange { from, to }));
    let codes = (
        prop::collection::vec(select(ContractStatus::ALL), 0..4),
        prop::collection::vec(select(LeadSource::ALL), 0..4),
    );
    (0..800_u32, 0..800_u32, 0..120_u32, codes, range).prop_map(|(idle, cooldown, count, codes, created)| {
        Conditions {
            inactive_hours: idle,
            cooldown_hours: cooldown,
            transfer_count_max: count,
            contract_statuses: codes.0,
            lead_sources: codes.1,
            created,
        }
    })
}

fn any_text() -> impl Strategy<Value = RuleText> {
    let people = || prop::collection::vec((0..6_u128).prop_map(staff), 0..5);
    let distribution =
        (select(super::super::Strategy::ALL), any::<bool>(), 0..12_u32).prop_map(|(strategy, on, n)| {
            Distribution { strategy, enable_compensation: on, compensation_priority: n }
        });
    let words = ("[ 规则]{0,3}", of("[ 说明]{0,3}"));
    (words, any_conditions(), any_window(), people(), people(), distribution).prop_map(
        |((name, description), conditions, window, sources, targets, distribution)| RuleText {
            name,
            description,
            target_module: TargetModule::Customer,
            conditions,
            window,
            sources,
            targets,
            distribution,
        },
    )
}

fn any_command() -> impl Strategy<Value = TransferRuleCommand> {
    use TransferRuleCommand as C;
    (any_text(), any::<bool>(), 0..5_u8, 0..1000_i64).prop_map(|(text, enabled, which, seconds)| {
        let (by, at) = (boss(), at(seconds));
        match which {
            0 => C::Create(Box::new(TransferRuleCreated { text, enabled, by, at })),
            1 => C::Revise(Box::new(TransferRuleRevised { text, by, at })),
            2 => C::Enable(TransferRuleEnabled { by, at }),
            3 => C::Disable(TransferRuleDisabled { by, at }),
            _ => C::Delete(TransferRuleDeleted { by, at }),
        }
    })
}

fn any_facts() -> impl Strategy<Value = LeadFacts> {
    let hours = || of((0..2000_i64).prop_map(|hours| at(hours * HOUR)));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let codes = (of(select(ContractStatus::ALL)), of(select(LeadSource::ALL)));
    (of(0..6_u128), flags, codes, 0..150_i64, (hours(), hours(), hours())).prop_map(
        |(owner, (in_pool, frozen, opted_out, deleted), (status, source), transfer_count, times)| LeadFacts {
            owner: owner.map(staff),
            in_pool,
            frozen,
            opted_out,
            deleted,
            status,
            source,
            transfer_count,
            last_transferred_at: times.0,
            last_activity_at: times.1,
            created_at: times.2,
        },
    )
}

proptest! {
    #[test]
    fn a_rule_keeps_its_promises(commands in prop::collection::vec(any_command(), 0..15)) {
        play::<TransferRule>(commands, |_| false, |rule, history| {
            let texts = history.iter().filter(|event| matches!(
                event, TransferRuleEvent::Created(_) | TransferRuleEvent::Revised(_)
            ));
            assert_eq!(usize::try_from(rule.revision).unwrap(), texts.count());
            let text = rule.text.as_ref();
            assert!(text.is_none_or(|text| text.violations().is_empty()), "what is kept can be kept");
        });
    }

    #[test]
    fn the_next_opening_is_open_and_nothing_before_it_is(
        window in any_window(),
        minutes in 0..(400 * 24 * 60_i64),
    ) {
        let from = at(0) + TimeDelta::minutes(minutes);
        let opening = window.next_open(from).expect("every window opens within days");
        prop_assert!(from <= opening && window.contains(opening));
        let mut earlier = from;
        while earlier < opening {
            prop_assert!(!window.contains(earlier), "open at {earlier} already");
            earlier += TimeDelta::minutes(1);
        }
    }

    #[test]
    fn a_window_asks_for_nothing_but_the_minute_on_the_wall(window in any_window(), minutes in 0..1_000_000_i64) {
        let at = at(0) + TimeDelta::minutes(minutes);
        let clock = at.with_timezone(&window.zone.0);
        let shown = clock.hour() * 60 + clock.minute();
        // Walks from the first minute to the last one, as a hand of a clock would.
        let (mut minute, end) = (u32::from(window.start.minutes()), u32::from(window.end.minutes()));
        let mut inside = minute == shown;
        while minute != end {
            minute = (minute + 1) % (24 * 60);
            inside |= minute == shown;
        }
        prop_assert_eq!(window.contains(at), inside || !window.enabled);
    }

    #[test]
    fn a_lead_once_idle_enough_stays_so_until_something_happens(
        text in any_text(),
        facts in any_facts(),
        hours in 0..2000_i64,
        more in 0..2000_i64,
    ) {
        let criteria = text.criteria();
        let now = at(hours * HOUR);
        if criteria.check(&facts, now).is_ok() {
            prop_assert_eq!(criteria.check(&facts, now + TimeDelta::hours(more)), Ok(()));
            prop_assert!(facts.owner.is_some_and(|owner| text.sources.contains(&owner)));
            prop_assert!(facts.source != Some(LeadSource::Referral));
            prop_assert!(!(facts.frozen || facts.opted_out || facts.in_pool || facts.deleted));
        }
    }

    #[test]
    fn rules_that_do_not_overlap_never_take_the_same_lead(
        one in any_text(),
        other in any_text(),
        facts in any_facts(),
        hours in 0..2000_i64,
    ) {
        // Days are told apart on one wall clock; two clocks may put one moment on two days.
        let other = RuleText { window: Window { zone: one.window.zone, ..other.window }, ..other };
        let now = at(hours * HOUR);
        if one.criteria().check(&facts, now).is_ok() && other.criteria().check(&facts, now).is_ok() {
            prop_assert!(one.overlaps(&other));
        }
    }
}
