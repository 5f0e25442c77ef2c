use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::testing::{at, boss, given, play};

fn set(text: PoolRulesText) -> PoolRulesSet {
    PoolRulesSet { text, by: boss(), at: at(1) }
}

fn strict() -> PoolRulesText {
    PoolRulesText {
        claims_per_day: Some(5),
        holding_cap_by_role: Some(BTreeMap::from([(Role::Dispatch, 100)])),
        cap_ignores_signed: Some(true),
        ..PoolRulesText::default()
    }
}

#[test]
fn the_rules_replace_those_before_and_the_same_ones_change_nothing() {
    let command = |text| PoolRulesCommand::Set(set(text));
    given::<PoolRules>(vec![]).when(command(strict())).then_expect_events(vec![set(strict()).into()]);
    given::<PoolRules>(vec![set(strict()).into()]).when(command(strict())).then_expect_events(vec![]);
    given::<PoolRules>(vec![set(strict()).into()])
        .when(command(PoolRulesText::default()))
        .then_expect_events(vec![set(PoolRulesText::default()).into()]);
    given::<PoolRules>(vec![]).when(command(PoolRulesText::default())).then_expect_events(vec![]);
}

#[test]
fn a_number_outside_its_bounds_is_named() {
    let base = PoolRulesText::default;
    let caps = |cap| Some(BTreeMap::from([(Role::Employee, 1), (Role::Dispatch, cap)]));
    for (text, expected) in [
        (PoolRulesText { claims_per_day: Some(-1), ..base() }, Some(("claimsPerDay", 0, 1_000_000))),
        (PoolRulesText { claims_per_day: Some(0), ..base() }, None),
        (PoolRulesText { claim_gap_seconds: Some(86_401), ..base() }, Some(("claimGapSeconds", 0, 86_400))),
        (PoolRulesText { claim_gap_seconds: Some(86_400), ..base() }, None),
        (PoolRulesText { cool_off_hours: Some(8_761), ..base() }, Some(("coolOffHours", 0, 8_760))),
        (PoolRulesText { holding_cap: Some(0), ..base() }, Some(("holdingCap", 1, 1_000_000))),
        (PoolRulesText { holding_cap_by_role: caps(1_000_000), ..base() }, None),
        (
            PoolRulesText { holding_cap_by_role: caps(0), ..base() },
            Some(("holdingCapByRole.dispatch", 1, 1_000_000)),
        ),
    ] {
        let found = text.violations();
        let found: Vec<_> = found.iter().map(|v| (v.path.as_str(), v.min, v.max)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{text:?}");
    }
}

fn any_text() -> impl Strategy<Value = PoolRulesText> {
    let number = || of(-2..9000_i64);
    let caps = of(proptest::collection::btree_map(proptest::sample::select(Role::ALL), -1..9_i64, 0..3));
    let strategy = (number(), number(), number(), number(), caps, of(any::<bool>()), of(any::<bool>()));
    strategy.prop_map(
        |(claims_per_day, claim_gap_seconds, cool_off_hours, holding_cap, caps, ignores, held)| {
            PoolRulesText {
                claims_per_day,
                claim_gap_seconds,
                cool_off_hours,
                holding_cap,
                holding_cap_by_role: caps,
                cap_ignores_signed: ignores,
                assignments_held_to_cap: held,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_kept_is_within_its_bounds(texts in proptest::collection::vec(any_text(), 0..12)) {
        let commands = texts.into_iter().map(|text| PoolRulesCommand::Set(set(text))).collect();
        play::<PoolRules>(commands, |_| false, |state, _| assert_eq!(state.text.violations(), vec![]));
    }
}
