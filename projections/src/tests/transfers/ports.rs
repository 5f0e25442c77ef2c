//! What runs and questions are asked with: candidates out of the roster, the past out of the log.

use application::bus::CommandBus as _;
use application::transfers::{Candidates as _, Life, Past as _, PastSize};
use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{AutoTransferDisabled, Customer, CustomerEvent, CustomerFrozen};
use domain::transfer_rule::{Criteria, Ineligible, LeadFacts};
use domain::{CustomerId, StreamId};
use infrastructure::bus::Bus;
use rstest::rstest;

use super::super::kit::{
    Backend, World, assigned, by, claimed, created, customer, dawn, deleted, followed_up, planned, profile,
    released, rule, rule_text, run, run_begun, run_over, second, staff, transferred,
};
use crate::queries::transfers::{LeadCandidates, LogPast};

/// Three days after the beginning.
fn later() -> DateTime<Utc> {
    dawn() + TimeDelta::days(3)
}

/// Leads of every kind; 1 to 4 fit, and number 4 lay about longest.
async fn office(backend: Backend) -> World {
    let world = World::new(backend).await;
    let fits = |owner: u128, at: i64| vec![assigned(owner, second(at))];
    let frozen: CustomerEvent = CustomerFrozen { reason: None, by: by(1), at: second(3) }.into();
    let off: CustomerEvent = AutoTransferDisabled { by: by(1), at: second(3) }.into();
    let stories: Vec<Vec<CustomerEvent>> = vec![
        fits(1, 30),
        fits(2, 20),
        fits(1, 20),
        fits(1, 10),
        fits(3, 10), // not of a source
        [fits(1, 10), vec![frozen]].concat(),
        [fits(1, 10), vec![off]].concat(),
        [fits(1, 10), vec![followed_up(0x5000, 1, "刚联系", later() - TimeDelta::hours(1))]].concat(),
        [fits(1, 10), vec![released(1, second(40))]].concat(),
        [fits(1, 10), vec![deleted(Some(1), second(40))]].concat(),
        vec![],
    ];
    for (n, story) in (1..).zip(stories) {
        let begins = created(n, profile(&format!("客户{n}")), dawn());
        world.append(customer(n), &[vec![begins], story].concat()).await;
    }
    world.settle().await;
    world
}

fn criteria() -> Criteria {
    rule_text("闲置流转").criteria()
}

fn numbers(found: impl IntoIterator<Item = CustomerId>) -> Vec<u128> {
    found.into_iter().map(|id| id.0.as_u128() - customer(0).0.as_u128()).collect()
}

#[rstest]
#[tokio::test]
async fn the_longest_idle_lead_comes_first(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = office(backend).await;
    let candidates = LeadCandidates::new(world.roster().clone());
    let found = candidates.eligible(&criteria(), later(), 100).await.unwrap();
    assert_eq!(numbers(found.iter().map(|one| one.customer)), [4, 2, 3, 1]);
    assert_eq!((found[1].owner, found[1].sequence), (staff(2), 2));
    let some = candidates.eligible(&criteria(), later(), 2).await.unwrap();
    assert_eq!(some, found[..2], "a limit keeps the longest idle");
    // As of the moment that is asked for, not of the clock.
    let early = candidates.eligible(&criteria(), second(40) + TimeDelta::hours(48), 100).await.unwrap();
    assert_eq!(early.len(), 4);
    let earlier = candidates.eligible(&criteria(), second(15) + TimeDelta::hours(48), 100).await.unwrap();
    assert_eq!(numbers(earlier.into_iter().map(|one| one.customer)), [4]);
}

#[rstest]
#[tokio::test]
async fn why_leads_stay_is_counted(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = office(backend).await;
    let refused = LeadCandidates::new(world.roster().clone()).refused(&criteria(), later()).await.unwrap();
    assert_eq!(refused.owned, 7, "what the sources own, whether it fits or not");
    let expected = [(Ineligible::Frozen, 1), (Ineligible::OptedOut, 1), (Ineligible::Active, 1)];
    assert_eq!(refused.because, expected);
}

#[rstest]
#[tokio::test]
async fn scan_and_commit_see_the_same_of_a_lead(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.story(30).await;
    world.settle().await;
    // A predicate that lets everything go that the sources own and may be handed on at all.
    let mut criteria = criteria();
    criteria.sources = (1..=3).map(staff).collect();
    let bus = Bus::new(world.log.clone(), world.projections.upcasters.clone());
    let candidates = LeadCandidates::new(world.roster().clone());
    for at in [second(5), second(20) + TimeDelta::hours(48), later() + TimeDelta::days(9)] {
        let found = candidates.eligible(&criteria, at, 1000).await.unwrap();
        for n in 1..=30 {
            let lead = bus.load::<Customer>(&StreamId::from(customer(n))).await.unwrap();
            let fits = lead.exists() && criteria.check(&LeadFacts::from(&lead.state), at).is_ok();
            let scanned = found.iter().find(|one| one.customer == customer(n));
            assert_eq!(scanned.is_some(), fits, "lead {n} at {at}");
            if let Some(scanned) = scanned {
                assert_eq!(scanned.sequence, lead.sequence);
            }
        }
    }
}

#[rstest]
#[tokio::test]
async fn balances_are_those_of_the_rule(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = office(backend).await;
    let moves = [planned(1, 1, 2), planned(3, 1, 3)];
    for (n, of) in [(1, rule(1)), (2, rule(2))] {
        let moves = &moves[..usize::try_from(n).unwrap()];
        world.append(run(n), &run_begun(of, rule_text("闲置流转"), moves, second(100))).await;
        world.append(run(n), &[run_over(of, moves, &[], second(100))]).await;
    }
    world.settle().await;
    let candidates = LeadCandidates::new(world.roster().clone());
    let balances = candidates.balances(rule(2)).await.unwrap();
    assert_eq!(balances, [(staff(1), 2), (staff(2), -1), (staff(3), -1)].into());
    assert!(candidates.balances(rule(3)).await.unwrap().is_empty());
}

/// Appends what was recorded at that moment.
async fn happens(world: &World, n: u128, event: CustomerEvent, at: DateTime<Utc>) {
    super::super::kit::append_at(&world.log, customer(n).into(), &[event], at).await;
}

#[rstest]
#[tokio::test]
async fn the_past_is_what_the_log_says(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    for (n, event) in [
        (1, created(1, profile("客户1"), second(10))),
        (1, assigned(1, second(20))),
        (1, transferred(1, 2, second(30))),
        (1, released(2, second(40))),
        (1, claimed(3, second(50))),
        (2, created(2, profile("客户2"), second(10))),
        (2, assigned(1, second(25))),
        (2, deleted(Some(1), second(45))),
        (3, created(3, profile("客户3"), second(10))),
        (3, assigned(9, second(11))),
    ] {
        let at = match &event {
            CustomerEvent::Created(e) => e.at,
            CustomerEvent::Assigned(e) => e.at,
            CustomerEvent::Transferred(e) => e.at,
            CustomerEvent::Released(e) => e.at,
            CustomerEvent::Claimed(e) => e.at,
            CustomerEvent::Deleted(e) => e.at,
            other => panic!("{other:?}"),
        };
        happens(&world, n, event, at).await;
    }
    world.settle().await;
    let past = LogPast::new(world.projections.clone());
    let people = [staff(1), staff(2)];
    // Each moment is seen after everything that was recorded until then; several events between two of them are one.
    let moments = [15, 20, 26, 35, 42, 60].map(second);
    let lives = past.lives(&people, &moments).await.unwrap();
    assert_eq!(lives.len(), 2, "the third lead was never theirs");
    for (moment, expected) in [
        vec![],
        vec![(1, 1, 20)],
        vec![(1, 1, 20), (2, 1, 25)],
        vec![(1, 2, 30), (2, 1, 25)],
        vec![(2, 1, 25)],
        vec![],
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(then(&lives, moment), expected, "moment {moment}");
    }
    let others = past.lives(&[staff(3), staff(9)], &moments[5..]).await.unwrap();
    assert_eq!(then(&others, 0), [(1, 3, 50), (3, 9, 11)]);
    assert_eq!(past.lives(&people, &moments[5..]).await.unwrap(), [], "nobody had any by then");
    assert_eq!(past.size(&people).await.unwrap(), PastSize { leads: 2, events: 8 });
    assert_eq!(past.size(&[staff(9)]).await.unwrap(), PastSize { leads: 1, events: 2 });
    assert_eq!(past.size(&[staff(77)]).await.unwrap(), PastSize::default());
}

/// The leads of a moment with owner and since when.
fn then(lives: &[Life], moment: usize) -> Vec<(u128, u128, i64)> {
    let seen = lives.iter().filter_map(|life| life.at(moment));
    let mut seen: Vec<_> = seen
        .map(|lead| {
            let (owner, since) = (lead.facts.owner.unwrap(), (lead.owned_since - dawn()).num_seconds());
            let number = |id: uuid::Uuid, zero: uuid::Uuid| id.as_u128() - zero.as_u128();
            (number(lead.customer.0, customer(0).0), number(owner.0, staff(0).0), since)
        })
        .collect();
    seen.sort_unstable();
    seen
}
