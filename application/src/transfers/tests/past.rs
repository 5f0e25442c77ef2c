//! A candidate rule on a past of three days, hour by hour.

use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use domain::customer::{ContractStatus, LeadSource};
use domain::transfer_rule::plan::Target;
use domain::transfer_rule::run::{PersonMoves, Seed};
use domain::transfer_rule::{LeadFacts, RuleText};

use super::*;

/// Leads by their life: from when on they are what.
struct Lives(Vec<(u128, Life)>, Mutex<Vec<DateTime<Utc>>>);

type Life = Vec<(DateTime<Utc>, LeadFacts)>;

fn hour(n: i64) -> DateTime<Utc> {
    day_one() + TimeDelta::hours(n)
}

/// A lead of `owner` that was last touched then.
fn owned(owner: u128, touched: DateTime<Utc>) -> LeadFacts {
    LeadFacts {
        owner: Some(staff(owner)),
        in_pool: false,
        frozen: false,
        opted_out: false,
        deleted: false,
        status: Some(ContractStatus::Pending),
        source: Some(LeadSource::Other),
        transfer_count: 0,
        last_transferred_at: None,
        last_activity_at: Some(touched),
        created_at: Some(day_one()),
    }
}

#[async_trait::async_trait]
impl Past for Lives {
    async fn owned_by(
        &self,
        people: &[StaffId],
        at: DateTime<Utc>,
    ) -> Result<Vec<PastLead>, crate::bus::LoadError> {
        self.1.lock().unwrap().push(at);
        let lead = |(n, life): &(u128, Life)| {
            let (_, facts) = life.iter().rev().find(|(since, _)| *since <= at)?;
            let owner = facts.owner?;
            let mine = |(_, facts): &&(DateTime<Utc>, LeadFacts)| facts.owner == Some(owner);
            let owned_since =
                life.iter().rev().skip_while(|(since, _)| at < *since).take_while(mine).last()?.0;
            people.contains(&owner).then_some(PastLead {
                customer: super::lead(*n),
                facts: *facts,
                owned_since,
            })
        };
        Ok(self.0.iter().filter_map(lead).collect())
    }
}

/// Every hour of so many days, with a rule that is idle for 48 hours and has no window.
fn asked(lives: &Lives, days: i64, text: &RuleText) -> WhatIf {
    let moments: Vec<_> = (0..days * 24).map(hour).collect();
    let targets = TAKERS.map(|n| Target { staff: staff(n), room: None, balance: 0 });
    ready(what_if(lives, text, &targets, &moments, Seed(1))).unwrap()
}

fn always() -> RuleText {
    let mut text = text();
    text.window.enabled = false;
    text
}

fn lives(lives: Vec<(u128, Life)>) -> Lives {
    Lives(lives, Mutex::default())
}

#[test]
fn idle_leads_would_have_moved_when_they_became_idle_enough_and_once() {
    let past = lives(vec![
        (0, vec![(hour(0), owned(GIVER, hour(0)))]),
        (1, vec![(hour(0), owned(GIVER, hour(0))), (hour(30), owned(GIVER, hour(30)))]),
        (2, vec![(hour(0), owned(COLLEAGUE, hour(0)))]),
    ]);
    let told = asked(&past, 5, &always());
    let moves: Vec<_> = told.moves.iter().map(|moved| (moved.at, moved.one.customer)).collect();
    assert_eq!(moves, [(hour(49), super::lead(0)), (hour(79), super::lead(1))]);
    assert_eq!(told.runs, 120);
    assert_eq!(told.people[0], PersonMoves { staff: staff(GIVER), moved_out: 2, moved_in: 0 });
    assert_eq!(told.people.iter().map(|one| one.moved_in).sum::<u32>(), 2);
}

#[test]
fn a_lead_that_really_went_elsewhere_ends_its_other_life() {
    // Would have moved in hour 49; in hour 60 it really came to a giver anew, and lies about again.
    let life = vec![
        (hour(0), owned(GIVER, hour(0))),
        (hour(55), owned(COLLEAGUE, hour(55))),
        (hour(60), owned(GIVER, hour(60))),
    ];
    let told = asked(&lives(vec![(0, life)]), 6, &always());
    let moments: Vec<_> = told.moves.iter().map(|moved| moved.at).collect();
    assert_eq!(moments, [hour(49), hour(109)]);
}

#[test]
fn only_hours_in_the_window_are_looked_at() {
    let past = lives(vec![(0, vec![(hour(0), owned(GIVER, hour(0)))])]);
    let told = asked(&past, 4, &text());
    // 09:30 to 18:30 in Shanghai are nine whole hours a day, 10:00 to 18:00.
    assert_eq!((told.runs, past.1.lock().unwrap().len()), (36, 36));
    assert_eq!(told.moves[0].at, hour(50), "10:00 of the third day, one hour after 48 hours were over");
}

#[test]
fn a_target_who_is_a_source_too_hands_on_what_lies_about_there() {
    let both = RuleText { sources: vec![staff(GIVER), staff(TAKERS[0])], ..always() };
    let past = lives(vec![(0, vec![(hour(0), owned(GIVER, hour(0)))])]);
    let told = asked(&past, 8, &both);
    let ways: Vec<_> = told.moves.iter().map(|moved| (moved.at, moved.one.from, moved.one.to)).collect();
    let [giver, first, second] = [GIVER, TAKERS[0], TAKERS[1]].map(staff);
    assert_eq!(ways, [(hour(49), giver, first), (hour(98), first, second)]);
}
