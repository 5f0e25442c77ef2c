//! The plan of a run and its end, and a process that dies before or after any of its appends: each lead falls once, and
//! the one end names what fell whoever made it fall.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::recycle_rule::run::{RecycleRun, RecycleRunCompleted};
use domain::staff::Role;
use domain::{Aggregate, CommandId, RecycleRunId, Sequence, StreamId};

use super::*;
use crate::bus::{AppendError, Appended, CommandBus, CountKind, Draft, LoadError, Receipt, Versioned};
use crate::customers::tests::memory::{Memory, ready};

const LEADS: u128 = 5;

/// Start, one append for each lead, end.
const APPENDS: usize = 2 + LEADS as usize;

const WHOLE: [&str; 3] = ["RecycleRunStarted", "RecycleRunPlanned", "RecycleRunCompleted"];

/// Whether the append that the process dies in was written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Death {
    Before,
    After,
}

/// A bus of a process that dies in its n-th append, and answers nothing after that.
struct Mortal<'b> {
    bus: &'b Memory,
    appends: AtomicUsize,
    dies_in: usize,
    death: Death,
}

impl CommandBus for Mortal<'_> {
    async fn load<A: Aggregate>(&self, stream: &StreamId) -> Result<Versioned<A>, LoadError> {
        self.bus.load(stream).await
    }

    async fn load_many<A: Aggregate>(&self, streams: &[StreamId]) -> Result<Vec<Versioned<A>>, LoadError> {
        self.bus.load_many(streams).await
    }

    async fn load_at<A: Aggregate>(
        &self,
        stream: &StreamId,
        sequence: Sequence,
    ) -> Result<Versioned<A>, LoadError> {
        self.bus.load_at(stream, sequence).await
    }

    async fn receipt(&self, command: CommandId) -> Result<Option<Receipt>, LoadError> {
        self.bus.receipt(command).await
    }

    async fn count(&self, kind: CountKind, key: &str) -> Result<i64, LoadError> {
        self.bus.count(kind, key).await
    }

    async fn append(&self, draft: Draft) -> Result<Appended, AppendError> {
        let n = self.appends.fetch_add(1, Ordering::Relaxed);
        let dead = || AppendError::Unavailable("the process died".into());
        if n > self.dies_in || (n == self.dies_in && self.death == Death::Before) {
            return Err(dead());
        }
        let appended = self.bus.append(draft).await?;
        if n == self.dies_in { Err(dead()) } else { Ok(appended) }
    }
}

/// The run of the seventh day, when every lead is due.
fn due() -> RecycleRunId {
    RecycleRunId::of_period(day(7))
}

/// A process that dies there on the seventh day.
fn dies(office: &Office, dies_in: usize, death: Death) {
    *office.now.lock().unwrap() = day(7);
    let bus = Mortal { bus: &office.bus, appends: AtomicUsize::new(0), dies_in, death };
    let stores = Stores { bus: &bus, leads: office, clock: office };
    ready(recycle(stores, day(7))).expect_err("it died");
}

fn end(office: &Office) -> RecycleRunCompleted {
    ready(office.bus.load::<RecycleRun>(&due().into())).unwrap().state.completed.expect("it is over")
}

fn fallen(office: &Office) -> Vec<usize> {
    (0..LEADS).map(|n| office.count(n, "CustomerRecycled")).collect()
}

fn stayed(office: &Office) -> Vec<(CustomerId, String)> {
    end(office).skipped.into_iter().map(|one| (one.customer, one.reason)).collect()
}

fn switch(office: &Office, on: bool) {
    let admin = caller(Role::Admin);
    ready(switch_rule(&office.bus, &admin, &context(day(7)), (rule(0), None), on)).unwrap();
}

#[test]
fn an_hour_in_which_nothing_is_due_writes_nothing() {
    let office = Office::with(2);
    let head = office.bus.head();
    office.run(day(3));
    assert_eq!((office.bus.head(), office.run(day(3)).recycled), (head, 0));
    assert_eq!(office.bus.events(RecycleRunId::of_period(day(3))), [""; 0]);
}

#[test]
fn a_run_names_what_fell_from_whom_by_which_rule_and_its_falls_name_the_run() {
    let office = Office::with(3);
    give(&office.bus, 1, day(0));
    office.look();
    follow_up(&office.bus, 2, day(6), None);
    let outcome = office.run(day(7));
    assert_eq!((outcome.recycled, outcome.touched, office.bus.events(due())), (2, 1, WHOLE.to_vec()));
    let RecycleRunCompleted { period, rules, fallen, .. } = end(&office);
    let names: Vec<_> = rules.iter().map(|one| (one.rule, one.name.as_str())).collect();
    assert_eq!((period, names), (day(7), vec![(rule(0), "七天未跟进")]));
    let from: Vec<_> = fallen.iter().map(|one| (one.customer, one.from, one.rule)).collect();
    assert_eq!(from, [(lead(0), staff(OWNER), rule(0)), (lead(1), staff(COLLEAGUE), rule(0))]);
    assert_eq!(stayed(&office), [(lead(2), "touched".to_owned())]);
    let domain::customer::CustomerEvent::Recycled(fall) = office.bus.last(lead(0)) else { panic!("it fell") };
    assert_eq!(fall.run, Some(due()));
}

#[test]
fn a_crash_between_any_two_steps_loses_and_repeats_nothing() {
    for dies_in in 0..APPENDS {
        for death in [Death::Before, Death::After] {
            let told = format!("died {death:?} append {dies_in}");
            let office = Office::with(LEADS);
            dies(&office, dies_in, death);
            let outcome = office.run(day(7));
            assert_eq!((outcome.recycled, outcome.touched), (5, 0), "{told}");
            assert_eq!((fallen(&office), office.held(OWNER)), (vec![1; 5], 0), "{told}");
            assert_eq!(office.bus.events(due()), WHOLE, "{told}");
            assert_eq!((end(&office).fallen.len(), end(&office).skipped.len()), (5, 0), "{told}");
        }
    }
}

#[test]
fn a_run_whose_period_never_comes_again_is_ended_by_the_next_one() {
    let office = Office::with(LEADS);
    dies(&office, 3, Death::After);
    assert_eq!(fallen(&office).iter().sum::<usize>(), 3);
    office.left.lock().unwrap().push(due());
    let outcome = office.run(day(8));
    assert_eq!((outcome.resumed, outcome.recycled), (1, 5));
    assert!(outcome.to_string().ends_with("; 1 unfinished runs carried on"), "{outcome}");
    assert_eq!((fallen(&office), office.bus.events(due())), (vec![1; 5], WHOLE.to_vec()));
    assert_eq!(office.bus.events(RecycleRunId::of_period(day(8))), [""; 0], "its leads were planned before");
}

#[test]
fn what_a_run_that_was_carried_on_let_fall_is_not_planned_once_more() {
    let office = Office::with(LEADS);
    dies(&office, 3, Death::After);
    office.left.lock().unwrap().push(due());
    // The list is late: it shows the leads as they were before the rest of them fell.
    office.look();
    *office.catches_up.lock().unwrap() = true;
    let outcome = office.run(day(8));
    assert_eq!((outcome.resumed, outcome.recycled, outcome.gone), (1, 5, 0));
    assert_eq!(office.bus.events(RecycleRunId::of_period(day(8))), [""; 0], "no run of leads that are gone");
}

#[test]
fn within_minutes_somebody_goes_on_with_a_run_and_not_before_its_process_can_be_thought_dead() {
    let office = Office::with(LEADS);
    dies(&office, 3, Death::After);
    office.left.lock().unwrap().push(due());
    let left = |begun_before| {
        let outcome = ready(finish_left(office.stores(), begun_before)).unwrap();
        (outcome.resumed, outcome.recycled, fallen(&office).iter().sum::<usize>())
    };
    assert_eq!(left(day(7)), (0, 0, 3), "it began at this very moment");
    assert_eq!(left(day(7) + chrono::TimeDelta::seconds(1)), (1, 5, 5));
    assert_eq!(end(&office).fallen.len(), LEADS as usize);
    assert_eq!(left(day(8)), (0, 0, 5), "however late the list of unfinished runs is");
    assert_eq!(office.bus.events(due()), WHOLE);
}

#[test]
fn a_run_that_cannot_be_carried_on_holds_up_no_other() {
    let office = Office::with(LEADS);
    dies(&office, 3, Death::After);
    *office.left.lock().unwrap() = vec![RecycleRunId::of_period(day(1)), due()];
    ready(finish_left(office.stores(), day(8))).expect_err("nothing began on the first day");
    assert_eq!(end(&office).fallen.len(), LEADS as usize);
}

#[test]
fn a_run_that_a_crash_left_is_ended_though_no_rule_is_on_and_takes_no_further_lead() {
    let office = Office::with(LEADS);
    dies(&office, 2, Death::After);
    switch(&office, false);
    office.left.lock().unwrap().push(due());
    let outcome = office.run(day(8));
    assert_eq!((outcome.recycled, outcome.touched, end(&office).fallen.len()), (2, 3, 2));
}

#[test]
fn a_plan_does_not_change_while_it_is_being_carried_out() {
    let mut office = Office::with(LEADS);
    dies(&office, 2, Death::After);
    office.lead(20, domain::customer::LeadSource::Other);
    assert_eq!(office.run(day(7)).recycled, 5);
    assert_eq!(office.count(20, "CustomerRecycled"), 0, "the new lead waits for the next period");
    assert_eq!(office.run(day(8)).recycled, 1);
}

#[test]
fn what_fell_counts_as_fallen_whatever_happened_to_it_since() {
    let office = Office::with(LEADS);
    dies(&office, 1, Death::After);
    claim(&office.bus, 0, day(7));
    assert_eq!(office.run(day(7)).recycled, 5);
    assert_eq!(office.customer(lead(0)).owner(), Some(staff(COLLEAGUE)), "it does not fall again");
}

#[test]
fn what_stayed_stays_though_it_would_fall_again_before_the_end() {
    let office = Office::with(1);
    dies(&office, 0, Death::After);
    switch(&office, false);
    // The process writes down that the lead stays, and dies before the end; then the rule is on again.
    dies(&office, 1, Death::Before);
    switch(&office, true);
    let outcome = office.run(day(7));
    assert_eq!((outcome.recycled, outcome.touched, office.count(0, "CustomerRecycled")), (0, 1, 0));
    assert_eq!(stayed(&office), [(lead(0), "touched".to_owned())]);
}

#[test]
fn a_run_that_cannot_be_ended_holds_up_nobody_elses_leads() {
    let office = Office::with(LEADS);
    office.left.lock().unwrap().push(RecycleRunId::of_period(day(1)));
    *office.now.lock().unwrap() = day(7);
    office.look();
    let failed = ready(recycle(office.stores(), day(7))).expect_err("nothing began on the first day");
    assert!(matches!(failed, ExecuteError::Refused(_)), "{failed}");
    assert_eq!(end(&office).fallen.len(), LEADS as usize, "and all that are due fell");
}

#[test]
fn a_lead_that_went_to_somebody_else_is_not_taken_from_them_by_an_old_plan() {
    let office = Office::with(1);
    dies(&office, 0, Death::After);
    give(&office.bus, 0, day(7));
    office.left.lock().unwrap().push(due());
    office.look();
    *office.now.lock().unwrap() = day(30);
    let outcome = ready(recycle(office.stores(), day(30))).unwrap();
    assert_eq!((outcome.touched, end(&office).fallen.len()), (1, 0), "by then it is due again, from another");
    assert_eq!(stayed(&office), [(lead(0), "touched".to_owned())]);
}
