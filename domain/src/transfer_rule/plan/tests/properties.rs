//! Whatever the leads, the targets, the strategy and the seed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{
    BoxedStrategy, ProptestConfig, Strategy as _, prop, prop_assert, prop_assert_eq, prop_assert_ne, proptest,
};

use super::*;

/// People from 0 on own leads, people from 5 on get some; whoever is both is in the middle.
const OWNERS: std::ops::Range<u32> = 0..8;
const TARGETS: std::ops::Range<u32> = 5..14;

fn candidates() -> BoxedStrategy<Vec<Candidate>> {
    prop::collection::vec((0..200_u32, OWNERS), 0..120)
        .prop_map(|found| found.into_iter().map(|(n, owner)| candidate(n, owner)).collect())
        .boxed()
}

fn some_targets() -> BoxedStrategy<Vec<Target>> {
    let one = (TARGETS, prop::option::of(0..20_u32), -30..30_i64).prop_map(|(n, room, balance)| Target {
        room,
        balance,
        ..target(n)
    });
    prop::collection::vec(one, 0..9).boxed()
}

fn distributions() -> BoxedStrategy<Distribution> {
    (prop::bool::ANY, prop::bool::ANY, 1..=10_u32)
        .prop_map(|(dealt, enable_compensation, compensation_priority)| {
            let strategy = if dealt { Strategy::RoundRobin } else { Strategy::BalancedRandom };
            Distribution { strategy, enable_compensation, compensation_priority }
        })
        .boxed()
}

/// The first mention counts.
fn first_of<K: Ord, V: Copy>(named: impl Iterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut first = BTreeMap::new();
    for (key, value) in named {
        first.entry(key).or_insert(value);
    }
    first
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_lead_has_one_fate_and_nobody_gets_a_lead_of_their_own_or_more_than_there_is_room_for(
        candidates in candidates(), targets in some_targets(), distribution in distributions(), seed: u64,
    ) {
        let made = plan(&candidates, &targets, &distribution, seed);
        let owners = first_of(candidates.iter().map(|one| (one.customer, one.owner)));
        let rooms = first_of(targets.iter().map(|one| (one.staff, one.room)));

        let moved = made.moves.iter().map(|one| one.customer);
        let fates: Vec<CustomerId> = moved.chain(made.unplaced.iter().map(|one| one.customer)).collect();
        prop_assert_eq!(fates.len(), owners.len());
        prop_assert_eq!(fates.into_iter().collect::<BTreeSet<_>>(), owners.keys().copied().collect());

        let mut given: BTreeMap<StaffId, u32> = BTreeMap::new();
        for PlannedMove { customer, from, to } in &made.moves {
            prop_assert_eq!(owners[customer], *from);
            prop_assert_ne!(from, to);
            *given.entry(*to).or_default() += 1;
        }
        for (to, given) in &given {
            prop_assert!(rooms.contains_key(to), "only targets get leads");
            prop_assert!(rooms[to].is_none_or(|room| *given <= room));
        }
        for Unplaced { customer, from, reason } in &made.unplaced {
            prop_assert_eq!(owners[customer], *from);
            let others: Vec<_> = rooms.iter().filter(|(staff, _)| **staff != owners[customer]).collect();
            let full = |(staff, room): &(&StaffId, &Option<u32>)| {
                room.is_some_and(|room| given.get(staff).copied().unwrap_or(0) == room)
            };
            match reason {
                NoPlace::NoTargets => prop_assert!(rooms.is_empty()),
                NoPlace::EveryTargetOwnsIt => prop_assert!(others.is_empty() && !rooms.is_empty()),
                NoPlace::NoRoom => prop_assert!(!others.is_empty() && others.iter().all(full)),
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_in_whatever_order_the_leads_were_read(
        candidates in candidates(), targets in some_targets(), distribution in distributions(), seed: u64,
    ) {
        let owners = first_of(candidates.iter().map(|one| (one.customer, *one)));
        let sorted: Vec<Candidate> = owners.values().copied().collect();
        let backwards: Vec<Candidate> = owners.values().rev().copied().collect();
        let made = plan(&candidates, &targets, &distribution, seed);
        prop_assert_eq!(&plan(&candidates, &targets, &distribution, seed), &made);
        prop_assert_eq!(&plan(&sorted, &targets, &distribution, seed), &made);
        prop_assert_eq!(&plan(&backwards, &targets, &distribution, seed), &made);
    }

    #[test]
    fn who_is_dealt_to_gets_as_many_as_anybody_else_give_or_take_one(
        leads in 0..150_u32, people in 1..9_u32, mixed in prop::bool::ANY, seed: u64,
    ) {
        // Person 100 owns every lead; with `mixed` another target owns half of them and is skipped for those.
        let mut candidates = leads_of(100, 0..leads);
        candidates.extend(leads_of(200, leads..leads + if mixed { leads } else { 0 }));
        let mut people_at_table = targets(0..people);
        if mixed {
            people_at_table.insert(0, target(200));
        }
        let made = plan(&candidates, &people_at_table, &round_robin(), seed);
        let counts: Vec<usize> = (0..people).map(|n| gained(&made, n)).collect();
        let (most, least) = (counts.iter().max().unwrap(), counts.iter().min().unwrap());
        prop_assert!(most - least <= 1, "{:?}", counts);
        // Nobody else is ever skipped, so each has one in every round that the owner had one in, but for the last.
        prop_assert!(!mixed || gained(&made, 200) <= *least + 1, "{:?}", counts);
    }

    #[test]
    fn another_seed_gives_another_plan(seed: u64) {
        let candidates = leads_of(100, 0..40);
        let people = targets(0..5);
        for distribution in [round_robin(), balanced(5)] {
            let made = plan(&candidates, &people, &distribution, seed);
            prop_assert_ne!(plan(&candidates, &people, &distribution, seed.wrapping_add(1)), made);
        }
    }
}
