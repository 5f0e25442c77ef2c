//! A thousand random sets of rules and leads: what this program does against a naive restatement of
//! transfer-and-recycle.md section 1, written down here a second time and as simply as possible.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use proptest::prelude::{
    BoxedStrategy, ProptestConfig, Strategy as _, prop, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Just;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::rules::text;
use super::*;
use crate::customer::{ContractStatus, LeadSource};
use crate::preferences::TimeOfDay;
use crate::transfer_rule::{Conditions, CreatedRange, LeadFacts, RuleText, Window};

/// Shanghai is always eight hours ahead, all the years of these tests.
const AHEAD: TimeDelta = TimeDelta::hours(8);

/// A lead as the naive world sees it.
#[derive(Debug, Clone)]
struct Lead {
    customer: CustomerId,
    facts: LeadFacts,
}

/// A rule, its leads and the moment.
#[derive(Debug, Clone)]
struct World {
    text: RuleText,
    leads: Vec<Lead>,
    targets: Vec<Target>,
    at: DateTime<Utc>,
    seed: u64,
}

/// What this program does in a scheduled run.
fn ours(world: &World) -> Vec<(CustomerId, StaffId, StaffId)> {
    let World { text, leads, targets, at, seed } = world;
    if !text.window.contains(*at) {
        return Vec::new();
    }
    let criteria = text.criteria();
    let fits = leads.iter().filter(|lead| criteria.check(&lead.facts, *at).is_ok());
    let candidates: Vec<Candidate> = fits
        .map(|lead| Candidate {
            customer: lead.customer,
            owner: lead.facts.owner.expect("an owned lead"),
            sequence: 1,
        })
        .collect();
    let moves = plan(&candidates, targets, &text.distribution, *seed).moves;
    moves.into_iter().map(|one| (one.customer, one.from, one.to)).collect()
}

/// What the specification says.
fn naive(world: &World) -> Vec<(CustomerId, StaffId, StaffId)> {
    let mut open = Vec::new();
    let mut minute = world.text.window.start.minutes();
    loop {
        open.push(u32::from(minute));
        if minute == world.text.window.end.minutes() {
            break;
        }
        minute = (minute + 1) % 1440;
    }
    let clock = world.at + AHEAD;
    if world.text.window.enabled && !open.contains(&(clock.hour() * 60 + clock.minute())) {
        return Vec::new();
    }
    let mut leads: Vec<&Lead> = world.leads.iter().filter(|lead| naive_fits(world, &lead.facts)).collect();
    leads.sort_by_key(|lead| lead.customer);
    naive_plan(world, leads)
}

fn naive_fits(world: &World, lead: &LeadFacts) -> bool {
    let Conditions { inactive_hours, cooldown_hours, transfer_count_max, .. } = world.text.conditions;
    let conditions = &world.text.conditions;
    let seconds_since = |moment: DateTime<Utc>| (world.at - moment).num_seconds();
    let mut fits = lead.owner.is_some_and(|owner| world.text.sources.contains(&owner));
    fits &= !lead.deleted && !lead.in_pool && !lead.frozen && !lead.opted_out;
    fits &= lead.source != Some(LeadSource::Referral);
    fits &= conditions.contract_statuses.contains(&lead.status.unwrap());
    fits &= conditions.lead_sources.is_empty() || conditions.lead_sources.contains(&lead.source.unwrap());
    fits &= seconds_since(lead.last_activity_at.unwrap()) > i64::from(inactive_hours) * 3600;
    fits &= transfer_count_max == 0 || lead.transfer_count < i64::from(transfer_count_max);
    if let Some(moved) = lead.last_transferred_at {
        fits &= cooldown_hours == 0 || seconds_since(moved) > i64::from(cooldown_hours) * 3600;
    }
    if let Some(CreatedRange { from, to }) = conditions.created {
        let day = (lead.created_at.unwrap() + AHEAD).num_days_from_ce();
        fits &= from.is_none_or(|from| from.num_days_from_ce() <= day);
        fits &= to.is_none_or(|to| to.num_days_from_ce() >= day);
    }
    fits
}

fn naive_plan(world: &World, mut leads: Vec<&Lead>) -> Vec<(CustomerId, StaffId, StaffId)> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&world.seed.to_le_bytes());
    let mut chance = ChaCha8Rng::from_seed(bytes);
    // Every number here is tiny against 2^64, so a remainder is as good as fair; and none is ever drawn again.
    let mut draw = |below: usize| usize::try_from(chance.next_u64() % below as u64).unwrap();
    for last in (1..leads.len()).rev() {
        let other = draw(last + 1);
        leads.swap(last, other);
    }
    let mut targets = world.targets.clone();
    let mut turn = 0;
    let mut moves = Vec::new();
    for lead in leads {
        let owner = lead.facts.owner.unwrap();
        let may = |target: &Target| target.staff != owner && target.room != Some(0);
        let chosen = if world.text.distribution.strategy == Strategy::RoundRobin {
            let places = (turn..targets.len()).chain(0..turn);
            let chosen = places.into_iter().find(|place| may(&targets[*place]));
            turn = chosen.map_or(turn, |chosen| chosen + 1);
            chosen
        } else {
            // One lot for everybody, and more for whoever lost more than was gained.
            let mut lots = Vec::new();
            for (place, target) in targets.iter().enumerate().filter(|(_, target)| may(target)) {
                let more =
                    if world.text.distribution.enable_compensation { target.balance.max(0) } else { 0 };
                let more = usize::try_from(more).unwrap();
                let priority = world.text.distribution.compensation_priority as usize;
                lots.extend(vec![place; 1 + more * priority]);
            }
            if lots.is_empty() { None } else { Some(lots[draw(lots.len())]) }
        };
        let Some(chosen) = chosen else { continue };
        for target in &mut targets {
            target.balance += i64::from(target.staff == owner);
        }
        let target = &mut targets[chosen];
        target.balance -= 1;
        target.room = target.room.map(|room| room - 1);
        moves.push((lead.customer, owner, target.staff));
    }
    moves
}

/// Some minutes of the day, so that windows of all forms come up: short, long, over midnight, of one minute.
fn times() -> BoxedStrategy<TimeOfDay> {
    (0..24_u32, prop_oneof![Just(0_u32), Just(30), 0..60_u32])
        .prop_map(|(hour, minute)| super::rules::time(&format!("{hour:02}:{minute:02}")))
        .boxed()
}

fn days() -> BoxedStrategy<Option<NaiveDate>> {
    prop::option::of((0..14_u64).prop_map(|n| {
        NaiveDate::from_ymd_opt(2026, 2, 20).unwrap().checked_add_days(chrono::Days::new(n)).unwrap()
    }))
    .boxed()
}

fn texts() -> BoxedStrategy<RuleText> {
    let statuses = prop::sample::subsequence(ContractStatus::ALL.to_vec(), 3..=8);
    let some_sources = prop::sample::subsequence(LeadSource::ALL.to_vec(), 8..=22);
    let sources = prop_oneof![3 => Just(vec![]), 1 => some_sources];
    let range = (days(), days()).prop_map(|(from, to)| CreatedRange { from, to });
    let created = prop::option::weighted(0.25, range);
    let conditions = (1..72_u32, 0..48_u32, 0..4_u32, statuses, sources, created).prop_map(
        |(inactive_hours, cooldown_hours, transfer_count_max, contract_statuses, lead_sources, created)| {
            Conditions {
                inactive_hours,
                cooldown_hours,
                transfer_count_max,
                contract_statuses,
                lead_sources,
                created,
            }
        },
    );
    let window = (prop::bool::weighted(0.7), times(), times());
    let distribution = (prop::bool::ANY, prop::bool::ANY, 1..=10_u32);
    let people = prop::sample::subsequence((0..8).map(staff).collect::<Vec<_>>(), 3..=8);
    (conditions, window, distribution, people)
        .prop_map(|(conditions, (enabled, start, end), (dealt, enable_compensation, priority), sources)| {
            let strategy = if dealt { Strategy::RoundRobin } else { Strategy::BalancedRandom };
            let window = Window { enabled, start, end, ..text().window };
            let distribution =
                Distribution { strategy, enable_compensation, compensation_priority: priority };
            RuleText { conditions, window, sources, distribution, ..text() }
        })
        .boxed()
}

/// How many seconds ago: often exactly at a whole hour, where off-by-one faults live.
fn ago() -> BoxedStrategy<TimeDelta> {
    (0..300_i64, prop_oneof![Just(0_i64), Just(-1), Just(1), 0..3600_i64])
        .prop_map(|(hours, seconds)| TimeDelta::seconds((hours * 3600 + seconds).max(0)))
        .boxed()
}

fn facts(at: DateTime<Utc>) -> BoxedStrategy<LeadFacts> {
    let usually_not = || prop::bool::weighted(0.05);
    let flags = (usually_not(), usually_not(), usually_not(), usually_not());
    let codes = (prop::sample::select(ContractStatus::ALL), prop::sample::select(LeadSource::ALL));
    let owner = prop::option::weighted(0.95, (0..8_u32).prop_map(staff));
    (flags, codes, owner, 0..5_i64, prop::option::of(ago()), ago(), ago())
        .prop_map(move |(flags, (status, source), owner, transfer_count, moved, touched, created)| {
            let (in_pool, frozen, opted_out, deleted) = flags;
            LeadFacts {
                owner,
                in_pool,
                frozen,
                opted_out,
                deleted,
                status: Some(status),
                source: Some(source),
                transfer_count,
                last_transferred_at: moved.map(|ago| at - ago),
                last_activity_at: Some(at - touched),
                created_at: Some(at - created),
            }
        })
        .boxed()
}

fn worlds() -> BoxedStrategy<World> {
    // A week around a day boundary in Shanghai (16:00 in UTC).
    let moments = (0..7 * 24 * 60_i64).prop_map(|minutes| {
        "2026-02-26T16:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    });
    let target = (prop::option::of(0..6_u32), -6..12_i64);
    let who = prop::sample::subsequence((3..12).collect::<Vec<u32>>(), 0..=6).prop_shuffle();
    let targets = (who, prop::collection::vec(target, 6)).prop_map(|(who, rest)| {
        let seat =
            |(n, (room, balance)): (u32, (Option<u32>, i64))| Target { room, balance, ..super::target(n) };
        who.into_iter().zip(rest).map(seat).collect::<Vec<_>>()
    });
    (texts(), targets, moments, proptest::num::u64::ANY)
        .prop_flat_map(|(text, targets, at, seed)| {
            prop::collection::vec(facts(at), 0..60).prop_map(move |all| {
                let lead_of = |(n, facts)| Lead { customer: lead(n), facts };
                let leads = (0..).zip(all).map(lead_of).collect();
                World { text: text.clone(), leads, targets: targets.clone(), at, seed }
            })
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_thousand_random_worlds_move_as_the_specification_says(world in worlds()) {
        prop_assert_eq!(ours(&world), naive(&world));
    }
}

/// The worlds above are worth something only if leads do move in them, and do not.
#[test]
fn the_random_worlds_are_lively() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let worlds: Vec<World> = (0..200).map(|_| worlds().new_tree(&mut runner).unwrap().current()).collect();
    let moving = worlds.iter().filter(|world| !ours(world).is_empty()).count();
    let closed = worlds.iter().filter(|world| !world.text.window.contains(world.at)).count();
    let moves: usize = worlds.iter().map(|world| ours(world).len()).sum();
    assert!(moving > 80 && closed > 30 && moves > 400, "{moving} of 200 moved {moves}, {closed} were closed");
}
