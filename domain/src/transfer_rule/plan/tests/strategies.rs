//! Both strategies on tables small enough to follow by hand.

use super::super::chance::Chance;
use super::super::weigh::weight;
use super::*;

/// The plan of a seed is a promise: it is shown today and carried out tomorrow, perhaps by another version.
#[test]
fn the_first_numbers_of_a_seed_never_change() {
    let mut chance = Chance::new(42);
    let drawn: Vec<u64> = (0..8).map(|_| chance.below(1000)).collect();
    let mut order: Vec<u64> = (0..10).collect();
    Chance::new(42).shuffle(&mut order);
    assert_eq!(
        [drawn, order],
        [vec![879, 99, 902, 802, 322, 945, 723, 433], vec![2, 1, 4, 3, 7, 0, 5, 8, 6, 9]]
    );
}

#[test]
fn a_plan_never_changes_either() {
    let candidates = [leads_of(100, 0..4), leads_of(1, 4..6)].concat();
    let people = [Target { balance: 3, ..target(0) }, target(1), Target { room: Some(1), ..target(2) }];
    let shown = |distribution| {
        let made = plan(&candidates, &people, &distribution, 7);
        let number = |customer: CustomerId| customer.0.as_u128() - lead(0).0.as_u128();
        made.moves.iter().map(|one| (number(one.customer), one.to.0.as_u128() - 1)).collect::<Vec<_>>()
    };
    assert_eq!(shown(round_robin()), [(5, 0), (1, 1), (0, 2), (4, 0), (2, 1), (3, 0)]);
    assert_eq!(shown(balanced(5)), [(5, 0), (1, 2), (0, 1), (4, 0), (2, 0), (3, 1)]);
}

#[test]
fn numbers_are_spread_evenly() {
    let mut chance = Chance::new(1);
    let mut counts = [0_u32; 6];
    for _ in 0..60_000 {
        counts[usize::try_from(chance.below(6)).unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| (9_500..=10_500).contains(count)), "{counts:?}");
    assert_eq!((chance.below(0), chance.below(1)), (0, 0));
}

#[test]
fn a_balance_weighs_as_the_formula_says() {
    let off = Distribution { enable_compensation: false, ..balanced(5) };
    for (balance, distribution, expected) in [
        (0, balanced(5), 1),
        (1, balanced(5), 6),
        (4, balanced(5), 21),
        (4, balanced(10), 41),
        (-4, balanced(5), 1),
        (4, off, 1),
        (i64::MAX, balanced(10), u64::from(u32::MAX)),
        (i64::MIN, balanced(10), 1),
    ] {
        assert_eq!(weight(balance, distribution), expected, "{balance} with {distribution:?}");
    }
}

#[test]
fn who_lost_more_is_compensated_until_the_balance_is_even() {
    let people = [Target { balance: 40, ..target(0) }, target(1), target(2), target(3)];
    let candidates = leads_of(100, 0..200);
    let counts = |distribution| {
        let made = plan(&candidates, &people, &distribution, 11);
        [0, 1, 2, 3].map(|n| gained(&made, n))
    };
    let [lost, others @ ..] = counts(balanced(10));
    assert!(others.iter().all(|other| lost >= other + 25), "{lost} against {others:?}");
    assert!(lost < 40 + 200 / 2, "a compensation is used up: {lost}");
    let plain = counts(Distribution { enable_compensation: false, ..balanced(10) });
    assert!(plain.iter().all(|count| (35..=65).contains(count)), "{plain:?}");
}

#[test]
fn who_loses_leads_in_this_very_run_is_compensated_too() {
    // Person 0 loses 60 leads and is a target of the 60 that person 100 loses.
    let candidates = [leads_of(0, 0..60), leads_of(100, 60..120)].concat();
    let made = plan(&candidates, &targets([0, 1, 2]), &balanced(10), 3);
    let from_other = made.moves.iter().filter(|one| one.from == staff(100));
    let to_loser = from_other.filter(|one| one.to == staff(0)).count();
    assert!(to_loser > 40, "{to_loser} of 60 went back to the one who lost 60");
}

#[test]
fn leads_without_a_place_say_why() {
    let full = Target { room: Some(0), ..target(1) };
    for (people, expected) in [
        (vec![], NoPlace::NoTargets),
        (targets([100]), NoPlace::EveryTargetOwnsIt),
        (vec![full], NoPlace::NoRoom),
        (vec![target(100), full], NoPlace::NoRoom),
    ] {
        for distribution in [round_robin(), balanced(5)] {
            let made = plan(&leads_of(100, 0..2), &people, &distribution, 1);
            let reasons: Vec<NoPlace> = made.unplaced.iter().map(|one| one.reason).collect();
            assert_eq!((made.moves.len(), reasons), (0, vec![expected; 2]), "{people:?}");
        }
    }
}

#[test]
fn a_dealt_round_goes_on_where_the_last_target_was() {
    let made = plan(&leads_of(100, 0..5), &targets([3, 1, 2]), &round_robin(), 9);
    let order: Vec<StaffId> = made.moves.iter().map(|one| one.to).collect();
    assert_eq!(order, [3, 1, 2, 3, 1].map(staff), "the rule's order, not that of the ids");
}

#[test]
fn nobody_and_nothing_make_an_empty_plan() {
    for distribution in [round_robin(), balanced(5)] {
        assert_eq!(plan(&[], &targets([1]), &distribution, 1), Plan::default());
        assert_eq!(plan(&[], &[], &distribution, 1), Plan::default());
    }
}

#[test]
fn the_only_one_who_has_room_takes_no_lead_of_their_own() {
    let full = |n| Target { room: Some(0), ..target(n) };
    let rows = [
        (vec![], None),
        (vec![target(1)], Some(staff(1))),
        (vec![target(1), target(1)], Some(staff(1))),
        (vec![full(1), target(2), full(3)], Some(staff(2))),
        (vec![target(1), target(2)], None),
        (vec![full(1)], None),
    ];
    for (targets, sole) in rows {
        assert_eq!(sole_taker(&targets), sole, "{targets:?}");
        if let Some(sole) = sole {
            let own = [Candidate { customer: lead(1), owner: sole, sequence: 1 }];
            assert!(plan(&own, &targets, &round_robin(), 0).moves.is_empty(), "{targets:?}");
        }
    }
}
