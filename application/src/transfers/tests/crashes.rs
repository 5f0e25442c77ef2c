//! The process dies before or after any of its appends, and another one goes on: each lead moved once, one end, and it
//! counts what moved whoever moved it.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::{Aggregate, CommandId, Sequence, StreamId, TransferRunId};

use super::*;
use crate::bus::{AppendError, Appended, CommandBus, CountKind, Draft, LoadError, Receipt, Versioned};
use crate::customers::tests::memory::Memory;

const LEADS: u128 = 5;

/// Start, one append for each lead, end.
const APPENDS: usize = 2 + LEADS as usize;

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

/// The whole run of the period on a bus.
async fn whole<B: CommandBus>(stores: Stores<'_, B>) -> Result<TransferRunCompleted, TransferError> {
    let begun = start_run(stores, rule(), &Occasion::Period(period())).await?;
    let outcome = continue_run(stores, begun.run).await?;
    complete_run(stores, begun.run, outcome).await
}

/// A process that dies there.
fn dies(office: &Office, dies_in: usize, death: Death) {
    let bus = Mortal { bus: &office.bus, appends: AtomicUsize::new(0), dies_in, death };
    let stores = Stores { bus: &bus, candidates: office, limits: &office.limits, clock: office };
    ready(whole(stores)).expect_err("it died");
}

fn assert_whole(office: &Office, completed: &TransferRunCompleted, told: &str) {
    let run = TransferRunId::of_period(rule(), period());
    assert_eq!(office.transfers(), [1; LEADS as usize], "{told}");
    assert_eq!(completed.moved, office.run(run).moves, "{told}");
    assert_eq!(completed.skipped, [], "{told}");
    let events = ["TransferRunStarted", "TransferRunPlanned", "TransferRunCompleted"];
    assert_eq!(office.bus.events(run), events, "{told}");
    assert_eq!((office.held(GIVER), TAKERS.map(|n| office.held(n)).iter().sum::<i64>()), (0, 5), "{told}");
}

#[test]
fn a_crash_between_any_two_steps_loses_and_repeats_nothing() {
    for dies_in in 0..APPENDS {
        for death in [Death::Before, Death::After] {
            let told = format!("died {death:?} append {dies_in}");
            let office = Office::with(LEADS);
            dies(&office, dies_in, death);
            let completed = ready(whole(office.stores())).expect(&told);
            assert_whole(&office, &completed, &told);
        }
    }
}

#[test]
fn one_crash_after_another_gets_there_too() {
    let office = Office::with(LEADS);
    for _ in 0..=LEADS {
        dies(&office, 1, Death::Before); // every process gets one append further
    }
    let completed = ready(whole(office.stores())).unwrap();
    assert_whole(&office, &completed, "one append a life");
}

#[test]
fn a_plan_does_not_change_while_it_is_being_carried_out() {
    let mut office = Office::with(LEADS);
    dies(&office, 2, Death::After);
    office.lead(20, GIVER, domain::customer::LeadSource::Other);
    let completed = ready(whole(office.stores())).unwrap();
    assert_eq!(completed.moved.len(), 5, "the new lead waits for the next period");
    assert_eq!(office.transfers(), [1, 1, 1, 1, 1, 0]);
}

#[test]
fn what_moved_counts_as_moved_whatever_happened_to_it_since() {
    let office = Office::with(LEADS);
    dies(&office, 1, Death::After);
    let run = TransferRunId::of_period(rule(), period());
    let first = office.run(run).moves[0];
    let number = first.customer.0.as_u128() - lead(0).0.as_u128();
    assert_eq!(office.customer(first.customer).owner(), Some(first.to));
    give(&office.bus, number, COLLEAGUE);
    let completed = ready(whole(office.stores())).unwrap();
    assert_eq!((completed.moved.len(), completed.skipped.len()), (5, 0));
    assert_eq!(office.customer(first.customer).owner(), Some(staff(COLLEAGUE)), "it is not moved again");
}

#[test]
fn two_processes_on_one_run_move_each_lead_once() {
    let office = Office::with(LEADS);
    let run = ready(start_run(office.stores(), rule(), &Occasion::Period(period()))).unwrap().run;
    let one = ready(continue_run(office.stores(), run)).unwrap();
    let other = ready(continue_run(office.stores(), run)).unwrap();
    assert_eq!(one, other);
    let first = ready(complete_run(office.stores(), run, one)).unwrap();
    assert_eq!(ready(complete_run(office.stores(), run, other)).unwrap(), first);
    assert_whole(&office, &first, "twice");
}

#[test]
fn what_stayed_stays_for_every_process_on_the_run_whatever_makes_room_meanwhile() {
    let mut office = Office::with(2);
    let run = ready(start_run(office.stores(), rule(), &Occasion::Period(period()))).unwrap().run;
    let cap = std::mem::replace(&mut office.limits.holding_cap, 0);
    let full = ready(continue_run(office.stores(), run)).unwrap();
    assert_eq!(full.moved, []);
    // Another process comes to the same leads when there is room again: before the first one ends the run, or after.
    office.limits.holding_cap = cap;
    let other = ready(continue_run(office.stores(), run)).unwrap();
    assert_eq!(other, full);
    let completed = ready(complete_run(office.stores(), run, full)).unwrap();
    assert!(completed.skipped.iter().all(|one| one.reason == "target_full"), "{completed:?}");
    assert_eq!((completed.skipped.len(), office.transfers()), (2, vec![0, 0]));
}

#[test]
fn a_rule_that_was_changed_while_its_run_lay_idle_moves_nothing_more_by_its_old_words() {
    use domain::transfer_rule::{Conditions, RuleText};
    let stricter = RuleText { conditions: Conditions { inactive_hours: 720, ..text().conditions }, ..text() };
    let without = RuleText { targets: text().targets[..1].to_vec(), ..text() };
    let renamed = RuleText { name: "另一个名字".into(), description: Some("说明".into()), ..text() };
    for (revised, moved) in [(stricter, 2), (without, 2), (renamed, 5)] {
        let office = Office::with(LEADS);
        dies(&office, 2, Death::After);
        office.revise(revised);
        let completed = ready(whole(office.stores())).unwrap();
        assert_eq!((completed.moved.len(), completed.skipped.len()), (moved, 5 - moved));
        assert!(completed.skipped.iter().all(|one| one.reason == "rule_revised"), "{completed:?}");
        assert_eq!(office.transfers().iter().sum::<usize>(), moved);
    }
}

#[test]
fn a_run_that_moved_nothing_says_what_kept_all_of_its_leads() {
    use domain::transfer_rule::plan::Nothing;
    use domain::transfer_rule::{Conditions, RuleText};
    type Change = fn(&mut Office);
    let rows: [(&str, Change); 7] = [
        ("rule_off", |office| office.switch_off()),
        ("rule_revised", |office| {
            let conditions = Conditions { inactive_hours: 720, ..text().conditions };
            office.revise(RuleText { conditions, ..text() });
        }),
        ("no_place", |office| office.limits.holding_cap = 0),
        ("no_place", |office| TAKERS.into_iter().for_each(|taker| office.suspend(taker))),
        ("all_touched", |office| (0..LEADS).for_each(|n| give(&office.bus, n, COLLEAGUE))),
        ("all_unreadable", |office| (0..LEADS).for_each(|n| office.bus.garble(super::lead(n)))),
        ("all_stayed", |office| {
            give(&office.bus, 0, COLLEAGUE);
            office.limits.holding_cap = 0;
        }),
    ];
    for (code, change) in rows {
        let mut office = Office::with(LEADS);
        let run = ready(start_run(office.stores(), rule(), &Occasion::Period(period()))).unwrap().run;
        change(&mut office);
        let completed = office.finish(run);
        assert_eq!((completed.moved.len(), completed.explanation.as_deref()), (0, Some(code)));
        assert!(Nothing::of_code(code).is_some(), "{code} has words");
        let (zh, en) = why_nothing(&completed).unwrap();
        let counted = |text: &str| {
            let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u128>().ok());
            numbers.sum::<u128>()
        };
        assert_eq!((counted(&zh), counted(&en)), (LEADS, LEADS), "{code}: each lead is counted: {zh} {en}");
        assert!(completed.skipped.iter().all(|one| SkipReason::texts(&one.reason).is_some()), "{code}");
    }
}
