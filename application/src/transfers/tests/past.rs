//! A candidate rule on a past of three days, hour by hour.

use chrono::{DateTime, TimeDelta, Utc};
use domain::TransferRuleId;
use domain::customer::{ContractStatus, LeadSource};
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::{PersonMoves, Seed};
use domain::transfer_rule::{LeadFacts, RuleText};

use super::*;
use crate::bus::LoadError;
use crate::customers::Cap;
use crate::schedules::Grid;

/// Leads by their life: from when on they are what.
struct Lives(Vec<(u128, Owned)>);

type Owned = Vec<(DateTime<Utc>, LeadFacts)>;

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

impl Lives {
    /// As they are looked at. Whoever owns them counts as one of the people.
    fn seen_at(&self, moments: &[DateTime<Utc>]) -> Vec<Life> {
        let life = |(n, states): &(u128, Owned)| {
            let mut life = Life::default();
            for (moment, at) in moments.iter().enumerate() {
                life.note(moment, owned_then(*n, states, *at));
            }
            life
        };
        self.0.iter().map(life).collect()
    }
}

fn owned_then(n: u128, states: &[(DateTime<Utc>, LeadFacts)], at: DateTime<Utc>) -> Option<PastLead> {
    let facts = states.iter().rev().find(|(since, _)| *since <= at)?.1;
    let mine = |(_, before): &&(DateTime<Utc>, LeadFacts)| before.owner == facts.owner;
    let owned_since = states.iter().rev().skip_while(|(since, _)| at < *since).take_while(mine).last()?.0;
    Some(PastLead { customer: super::lead(n), facts, owned_since })
}

#[async_trait::async_trait]
impl Past for Lives {
    async fn size(&self, _: &[StaffId]) -> Result<PastSize, LoadError> {
        let events = self.0.iter().map(|(_, states)| states.len() as u64).sum();
        Ok(PastSize { leads: self.0.len() as u64, events })
    }

    async fn lives(&self, _: &[StaffId], moments: &[DateTime<Utc>]) -> Result<Vec<Life>, LoadError> {
        Ok(self.seen_at(moments))
    }
}

/// Every hour of so many days, with a rule that is idle for 48 hours and has no window.
fn asked(lives: &Lives, days: i64, text: &RuleText) -> WhatIf {
    held_to(None, lives, days, text)
}

/// The same where nobody may own more leads than that.
fn held_to(cap: Option<Cap>, lives: &Lives, days: i64, text: &RuleText) -> WhatIf {
    let moments: Vec<_> = (0..days * 24).map(hour).collect();
    let takers = TAKERS.map(|n| Taker { staff: staff(n), cap });
    what_if(&lives.seen_at(&moments), text, &takers, &moments, Seed(1))
}

fn always() -> RuleText {
    let mut text = text();
    text.window.enabled = false;
    text
}

fn lives(lives: Vec<(u128, Owned)>) -> Lives {
    Lives(lives)
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
    assert_eq!(told.runs, 36);
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

fn at_most(max: i64) -> Cap {
    Cap { max, ignores_signed: false }
}

#[test]
fn signed_leads_count_as_the_limits_say() {
    let signed = LeadFacts { status: Some(ContractStatus::Signed), ..owned(TAKERS[0], hour(0)) };
    let other = LeadFacts { status: Some(ContractStatus::Signed), ..owned(TAKERS[1], hour(0)) };
    let idle = vec![(hour(0), owned(GIVER, hour(0)))];
    let past = lives(vec![(0, idle), (1, vec![(hour(0), signed)]), (2, vec![(hour(0), other)])]);
    assert_eq!(held_to(Some(at_most(1)), &past, 3, &always()).moved, 0);
    let ignoring = Cap { max: 1, ignores_signed: true };
    assert_eq!(held_to(Some(ignoring), &past, 3, &always()).moved, 1);
}

#[test]
fn nobody_would_hold_more_than_the_cap_and_what_they_really_held_counts() {
    let idle = |n| (n, vec![(hour(0), owned(GIVER, hour(0)))]);
    // The first taker holds a lead until hour 60.
    let held = vec![(hour(0), owned(TAKERS[0], hour(0))), (hour(60), owned(COLLEAGUE, hour(60)))];
    let past = lives(vec![idle(0), idle(1), idle(2), (3, held)]);
    let told = held_to(Some(at_most(1)), &past, 5, &always());
    let ways: Vec<_> = told.moves.iter().map(|moved| (moved.at, moved.one.to)).collect();
    assert_eq!(ways, [(hour(49), staff(TAKERS[1])), (hour(60), staff(TAKERS[0]))]);
    assert_eq!((told.moved, told.leads, told.nothing), (2, 2, None));
    let told = held_to(Some(at_most(0)), &past, 5, &always());
    assert!(matches!(told.nothing, Some(Nothing::NoPlace { .. })), "{told:?}");
}

#[test]
fn a_rule_that_would_have_moved_nothing_says_why() {
    let touched = |at| vec![(hour(0), owned(GIVER, hour(0))), (hour(at), owned(GIVER, hour(at)))];
    let past = lives(vec![(0, touched(40)), (1, touched(30))]);
    let told = asked(&past, 3, &always());
    assert_eq!((told.moved, told.people.len()), (0, 0));
    let sentence = told.nothing.map(|nothing| nothing.zh());
    assert_eq!(sentence.as_deref(), Some("流出人员名下的2条线索都不符合规则：2条线索近期有跟进或变更"));
    let told = asked(&past, 3, &RuleText { sources: vec![staff(COLLEAGUE)], ..always() });
    assert_eq!(told.nothing, Some(Nothing::NoLeads));
}

#[test]
fn moves_are_counted_all_and_kept_up_to_a_limit() {
    let many = WHAT_IF_MOVES_MAX + 5;
    let past = lives((0..many as u128).map(|n| (n, vec![(hour(0), owned(GIVER, hour(0)))])).collect());
    let told = asked(&past, 3, &always());
    assert_eq!((told.moves.len(), told.moved, told.leads), (WHAT_IF_MOVES_MAX, many as u64, many));
    assert_eq!(told.people[0].moved_out as usize, told.leads, "everybody's part is that of all moves");
}

/// A rule tried on an office whose leads lie about since day one.
fn tried(office: &Office, role: Role, tried: &Tried, days: u32) -> Result<Trial, TransferError> {
    let grid = Grid::parse("0 * * * *", chrono_tz::Asia::Shanghai).unwrap();
    let past = lives((0..3).map(|n| (n, vec![(hour(0), owned(GIVER, hour(0)))])).collect());
    ready(Question::gather(office.stores(), &past, &caller(role), tried, (days, &grid))).map(Question::answer)
}

fn written(change: impl FnOnce(&mut RulePatch)) -> Tried {
    let mut patch = RulePatch {
        name: Some("试一试".into()),
        sources: Some(vec![staff(GIVER)]),
        targets: Some(TAKERS.map(staff).to_vec()),
        window: WindowPatch { enabled: Some(false), ..WindowPatch::default() },
        ..RulePatch::default()
    };
    patch.conditions.contract_statuses = Some(vec![ContractStatus::Pending]);
    change(&mut patch);
    Tried::Written(Box::new(patch))
}

#[test]
fn a_rule_is_tried_before_it_is_written_and_nothing_is_written() {
    let office = Office::with(0);
    let head = office.bus.head();
    let trial = tried(&office, Role::Operator, &written(|_| ()), 2).unwrap();
    assert_eq!((trial.text.name.as_str(), trial.told.runs, trial.told.leads), ("试一试", 48, 3));
    assert_eq!((trial.from, trial.until), (period() - TimeDelta::days(2), period()));
    // Within the hours of the rule that is there: 10:00 to 18:00, and 10:00, the moment itself.
    let kept = tried(&office, Role::Operator, &Tried::Kept(rule()), 1).unwrap();
    assert_eq!((kept.told.runs, kept.told.leads), (9, 3));
    assert_eq!(tried(&office, Role::Admin, &Tried::Kept(rule()), 1).unwrap(), kept, "the same lots");
    office.switch_off();
    assert_eq!(tried(&office, Role::Admin, &Tried::Kept(rule()), 1).unwrap().told, kept.told);
    office.suspend(TAKERS[0]);
    let alone = tried(&office, Role::Admin, &Tried::Kept(rule()), 1).unwrap();
    assert!(alone.told.moves.iter().all(|moved| moved.one.to == staff(TAKERS[1])), "{alone:?}");
    assert_eq!(office.bus.head(), head + 2, "nothing was written but what the story wrote");
}

#[test]
fn what_cannot_be_tried_is_refused() {
    let office = Office::with(0);
    let of = refused::<Trial>;
    for role in [Role::Dispatch, Role::Employee, Role::Admissions] {
        let refusal = of(tried(&office, role, &written(|_| ()), 1));
        assert!(matches!(refusal, TransferRefusal::Forbidden(_)), "{role:?}: {refusal:?}");
    }
    let nobody = Tried::Kept(TransferRuleId(uuid::Uuid::from_u128(51)));
    assert_eq!(of(tried(&office, Role::Admin, &nobody, 1)), TransferRefusal::RuleNotFound);
    let stranger = written(|patch| patch.sources = Some(vec![staff(77)]));
    let unknown = RuleRefusal::UnknownPeople(vec![staff(77)]);
    assert_eq!(of(tried(&office, Role::Admin, &stranger, 1)), TransferRefusal::Rule(unknown));
    let other = written(|patch| patch.target_module = Some(domain::transfer_rule::TargetModule::Training));
    assert_eq!(of(tried(&office, Role::Admin, &other, 1)), TransferRefusal::OtherModule);
    let broken = written(|patch| patch.conditions.contract_statuses = None);
    let refusal = of(tried(&office, Role::Admin, &broken, 1));
    assert!(matches!(refusal, TransferRefusal::Rule(RuleRefusal::Invalid(_))), "{refusal:?}");

    let often = Grid::parse("* * * * *", chrono_tz::Asia::Shanghai).unwrap();
    let stores = office.stores();
    let asked = |past: &dyn Past, days, grid| {
        let tried = written(|_| ());
        let asked = ready(Question::gather(stores, past, &caller(Role::Admin), &tried, (days, grid)));
        refused::<Question>(asked)
    };
    let refusal = asked(&lives(vec![]), 1, &often);
    assert_eq!(refusal, TransferRefusal::TooManyRuns);
    assert_eq!(refusal.to_string(), "这段时间内规则会执行744次以上，请减少天数");
    let hourly = Grid::parse("0 * * * *", chrono_tz::Asia::Shanghai).unwrap();
    let much = |leads, events, days| asked(&Crowd(PastSize { leads, events }), days, &hourly);
    let (leads, events) = (WHAT_IF_LEADS_MAX + 1, WHAT_IF_EVENTS_MAX + 1);
    assert_eq!(much(leads, leads, 1), TransferRefusal::TooMuchPast { leads });
    assert_eq!(much(1, events, 1), TransferRefusal::TooMuchHappened { events });
    // What one day may be asked of is too much for a month.
    let leads = WHAT_IF_LEADS_MAX;
    assert_eq!(
        much(leads, leads, 31),
        TransferRefusal::TooManyLooks { leads, runs: 744, max: WHAT_IF_LOOKS_MAX }
    );
    // Each lead may be offered to every target.
    let bound = what_if::within_bounds(PastSize { leads: 2_000, events: 1 }, 744, 500);
    let max = WHAT_IF_OFFERS_MAX / 500;
    assert_eq!(refused::<()>(bound), TransferRefusal::TooManyLooks { leads: 2_000, runs: 744, max });
}

#[test]
fn whose_account_cannot_be_read_gets_nothing_and_the_answer_says_so() {
    let office = Office::with(0);
    office.bus.garble(staff(TAKERS[0]));
    for asked in [written(|_| ()), Tried::Kept(rule())] {
        let trial = tried(&office, Role::Admin, &asked, 1).unwrap();
        assert_eq!((trial.told.leads, trial.unreadable.as_slice()), (3, &[staff(TAKERS[0])][..]));
        assert!(trial.told.moves.iter().all(|moved| moved.one.to == staff(TAKERS[1])), "{trial:?}");
        let (zh, en) = trial.explanation().unwrap();
        assert!(zh.starts_with("1名流入人员的账号记录无法读取"), "{zh}");
        assert!(en.starts_with("The accounts of 1 of the people"), "{en}");
    }
    office.bus.garble(staff(TAKERS[1]));
    let (zh, en) = tried(&office, Role::Admin, &written(|_| ()), 1).unwrap().explanation().unwrap();
    assert!(zh.starts_with("规则没有在职的流入人员，因此线索无人可接；2名流入人员"), "{zh}");
    assert!(en.starts_with("Nothing moved: ") && en.contains(". The accounts of 2 of the people"), "{en}");
}

/// One more of anything is refused: [`what_cannot_be_tried_is_refused`].
#[test]
fn as_much_as_one_question_may_look_at_is_looked_at() {
    let fits = |leads, events, runs, targets| {
        what_if::within_bounds(PastSize { leads, events }, runs, targets).is_ok()
    };
    assert!(fits(WHAT_IF_LEADS_MAX, WHAT_IF_EVENTS_MAX, 24, 1));
    assert!(!fits(WHAT_IF_LEADS_MAX + 1, 1, 1, 1) && !fits(1, WHAT_IF_EVENTS_MAX + 1, 1, 1));
    let runs = WHAT_IF_LOOKS_MAX / WHAT_IF_LEADS_MAX;
    assert_eq!(runs * WHAT_IF_LEADS_MAX, WHAT_IF_LOOKS_MAX);
    assert!(fits(WHAT_IF_LEADS_MAX, 1, runs, 1) && !fits(WHAT_IF_LEADS_MAX, 1, runs + 1, 1));
    // From so many targets on they, and not the looks, are what takes long.
    let targets = WHAT_IF_OFFERS_MAX / WHAT_IF_LOOKS_MAX;
    assert!(fits(WHAT_IF_LEADS_MAX, 1, runs, targets) && !fits(WHAT_IF_LEADS_MAX, 1, runs, targets + 1));
    assert!(fits(0, 0, 744, 0), "nobody has anything");
    // Every hour of the longest time, to the minute.
    let hourly = Grid::parse("0 * * * *", chrono_tz::Asia::Shanghai).unwrap();
    let office = Office::with(0);
    let longest = u32::try_from(*WHAT_IF_DAYS.end()).unwrap();
    let asked = ready(Question::gather(
        office.stores(),
        &lives(vec![]),
        &caller(Role::Admin),
        &written(|_| ()),
        (longest, &hourly),
    ));
    assert_eq!(asked.unwrap().answer().told.runs, WHAT_IF_RUNS_MAX);
}

/// More than one question may look at.
struct Crowd(PastSize);

#[async_trait::async_trait]
impl Past for Crowd {
    async fn size(&self, _: &[StaffId]) -> Result<PastSize, LoadError> {
        Ok(self.0)
    }

    async fn lives(&self, _: &[StaffId], _: &[DateTime<Utc>]) -> Result<Vec<Life>, LoadError> {
        unreachable!("it is refused before anybody looks")
    }
}

#[test]
fn however_much_happened_to_a_lead_what_it_was_like_when_it_was_looked_at_is_kept() {
    let lead = |n| owned_then(1, &[(hour(n), owned(GIVER, hour(n)))], hour(n));
    let mut life = Life::default();
    life.note(0, None);
    assert!(life.is_empty());
    for (moment, seen) in
        [(2, lead(1)), (2, lead(2)), (2, lead(3)), (5, lead(4)), (5, None), (6, None), (9, lead(8))]
    {
        life.note(moment, seen);
    }
    let seen: Vec<_> = (0..11).map(|moment| life.at(moment).map(|lead| lead.owned_since)).collect();
    let (third, eighth) = (Some(hour(3)), Some(hour(8)));
    let nobodys = None;
    assert_eq!(seen, [nobodys, nobodys, third, third, third, None, None, None, None, eighth, eighth]);
    assert!(!life.is_empty());
}
