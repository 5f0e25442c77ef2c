//! What must hold after a run whose process was killed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use domain::notification::Channel;
use domain::transfer_rule::run::{PlannedMove, TransferRunCompleted};
use domain::{CustomerId, EventId, StaffId, TransferRunId};

use super::Scene;
use super::book::{Book, Run};
use super::seen::{SUMMARY, Seen};
use crate::crash::carried::checks::{self, Course, Outline, Planned, check};
use crate::crash::carried::touches::Way;
use crate::crash::history::{Delivery, History};
use crate::crash::verify::Check;

/// Who lost leads is told of it, and who gained some.
const OUT: &str = "LEAD_AUTO_TRANSFER_OUT";
const IN: &str = "LEAD_AUTO_TRANSFER_IN";

/// The run and its one end.
struct Over<'r> {
    id: TransferRunId,
    run: &'r Run,
    ended: &'r TransferRunCompleted,
    end: EventId,
}

impl Planned for PlannedMove {
    fn customer(&self) -> CustomerId {
        self.customer
    }
}

impl<'r> Over<'r> {
    fn course(&self, book: &Book) -> Course<'r, PlannedMove> {
        Course {
            did: "moved",
            planned_at: self.run.begun.first().map(|(position, _)| *position).unwrap_or_default(),
            plan: &self.run.plan,
            named: &self.ended.moved,
            stayed: self.ended.skipped.iter().map(|one| (one.customer, one.reason.as_str())).collect(),
            happened: book.moves.iter().map(|one| (one.planned, one.after)).collect(),
        }
    }
}

/// The codes that say why a lead that was touched like this stays.
fn reasons(way: Way) -> &'static [&'static str] {
    match way {
        Way::FollowUp => &["active"],
        Way::GiveAway => &["owner_changed", "not_source"],
        Way::Release => &["in_pool"],
    }
}

/// Every check, the one that explains most first.
pub(super) fn verify(book: &Book, history: &History, seen: &Seen, scene: &Scene<'_>) -> Vec<Check> {
    let mut checks = vec![
        check(
            "positions 1..n and every stream without a hole",
            format!("{} events", history.rows),
            history.faults.clone(),
        ),
        checks::one_run(&outlines(book), scene.options.leads),
    ];
    let Some((id, run)) = book.runs.iter().next() else { return checks };
    let Some((end, ended)) = run.ended.first() else { return checks };
    let over = Over { id: *id, run, ended, end: *end };
    let course = over.course(book);
    checks.extend([
        at_most_once(book, &over, scene),
        course.the_end_is_what_happened("the end names exactly the moves that happened"),
        course.every_lead_has_a_fate("every planned lead moved or was skipped"),
        course.touched_leads_stay(&scene.touched, reasons, |customer| book.last(customer)),
        limits(book, seen, scene),
        records(&over, seen),
        parts(&over, seen, scene),
        told_once(&over, history, seen, scene),
        messages(&over, seen, scene),
        check("no event waits unanswered", format!("{} parked", seen.parked.len()), seen.parked.clone()),
        check(
            "reconciliation is clean, read models are what the log says",
            "deliveries reconcile, projections rebuild".to_owned(),
            seen.complaints.clone(),
        ),
    ]);
    checks
}

fn outlines(book: &Book) -> Vec<Outline> {
    let outline = |(id, run): (&TransferRunId, &Run)| Outline {
        id: id.to_string(),
        begun: run.begun.len(),
        ended: run.ended.len(),
        planned: run.plan.iter().map(|one| one.customer).collect(),
    };
    book.runs.iter().map(outline).collect()
}

fn at_most_once(book: &Book, over: &Over<'_>, scene: &Scene<'_>) -> Check {
    let planned: HashSet<&PlannedMove> = over.run.plan.iter().collect();
    let mut seen = HashSet::new();
    let mut violations = Vec::new();
    for one in &book.moves {
        let PlannedMove { customer, from, to } = one.planned;
        if !seen.insert(customer) {
            violations.push(format!("{customer} moved again at {}", one.position));
        }
        if one.by.run != over.id || one.by.rule != scene.office.rule || !planned.contains(&one.planned) {
            let (from, to) = (scene.office.name(from), scene.office.name(to));
            violations.push(format!("{customer} went from {from} to {to}, and nobody planned that"));
        }
        if from == to {
            violations.push(format!("{customer} was given to its owner"));
        }
    }
    check(
        "each lead moved at most once, and as it was planned",
        format!("{} moves", book.moves.len()),
        violations,
    )
}

fn limits(book: &Book, seen: &Seen, scene: &Scene<'_>) -> Check {
    let (owned, mut violations) =
        checks::recount(&book.owners, &seen.owned, |person| scene.office.name(person));
    let (person, room) = scene.office.little_room;
    let held = owned.get(&person).copied().unwrap_or_default();
    if held > room {
        violations.push(format!("{} owns {held} of {room}", scene.office.name(person)));
    }
    check("counts are recounts, and the holding cap held", format!("{held} of {room} at the cap"), violations)
}

fn records(over: &Over<'_>, seen: &Seen) -> Check {
    let moved = over.ended.moved.iter().map(|one| (one.customer, ("success".to_owned(), None)));
    let skipped = over.ended.skipped.iter();
    let skipped = skipped.map(|one| (one.customer, ("failed".to_owned(), Some(one.reason.clone()))));
    let expected: HashMap<CustomerId, (String, Option<String>)> = moved.chain(skipped).collect();
    let mut violations = Vec::new();
    for (customer, record) in &expected {
        if seen.records.get(customer) != Some(record) {
            violations.push(format!("{customer}: {:?}, not {record:?}", seen.records.get(customer)));
        }
    }
    if seen.record_rows != expected.len() {
        violations.push(format!("{} records of {} leads", seen.record_rows, expected.len()));
    }
    let (moved, skipped) = (over.ended.moved.len() as u64, over.ended.skipped.len() as u64);
    if seen.counted != (moved, skipped) || seen.of_rule != moved {
        violations.push(format!("counted {:?}, and {} by the rule's page", seen.counted, seen.of_rule));
    }
    check("records and statistics say the same", format!("{} records", seen.record_rows), violations)
}

/// What each person lost and gained, by the moves that happened.
fn sums(over: &Over<'_>) -> BTreeMap<StaffId, (u64, u64)> {
    let mut sums: BTreeMap<StaffId, (u64, u64)> = BTreeMap::new();
    for one in &over.ended.moved {
        sums.entry(one.from).or_default().0 += 1;
        sums.entry(one.to).or_default().1 += 1;
    }
    sums
}

fn parts(over: &Over<'_>, seen: &Seen, scene: &Scene<'_>) -> Check {
    let sums = sums(over);
    let said: BTreeMap<StaffId, (u64, u64)> = over
        .ended
        .people
        .iter()
        .map(|part| (part.staff, (u64::from(part.moved_out), u64::from(part.moved_in))))
        .collect();
    let mut violations = Vec::new();
    if said != sums {
        violations.push(format!("the end says {said:?}, not {sums:?}"));
    }
    for (person, part) in &seen.parts {
        let sum = sums.get(person).copied().unwrap_or_default();
        if *part != sum {
            violations.push(format!("{}: {part:?}, not {sum:?}", scene.office.name(*person)));
        }
    }
    let out: u64 = seen.parts.values().map(|(out, _)| out).sum();
    check("everybody's part adds up to the moves", format!("{out} out and in"), violations)
}

/// The summaries that must exist: one for each person and side.
fn summaries(over: &Over<'_>) -> BTreeSet<(StaffId, &'static str)> {
    let mut summaries = BTreeSet::new();
    for (person, (out, into)) in sums(over) {
        summaries.extend((out > 0).then_some((person, OUT)));
        summaries.extend((into > 0).then_some((person, IN)));
    }
    summaries
}

fn told_once(over: &Over<'_>, history: &History, seen: &Seen, scene: &Scene<'_>) -> Check {
    let name = |person| scene.office.name(person);
    let mut missing = summaries(over);
    let expected = missing.clone();
    let mut violations = Vec::new();
    for (index, notice) in history.notices.iter().enumerate() {
        if !notice.scene.starts_with(SUMMARY) {
            continue;
        }
        let scene = if notice.scene == OUT { OUT } else { IN };
        if notice.cause != over.end || !missing.remove(&(notice.recipient, scene)) {
            violations.push(format!("{} was told {} once more", name(notice.recipient), notice.scene));
        }
        for Delivery { channel, state, .. } in checks::astray(history, index) {
            let to = name(notice.recipient);
            violations.push(format!("{} to {to} by {channel} is {state}", notice.scene));
        }
    }
    violations
        .extend(missing.iter().map(|(person, scene)| format!("{} was not told {scene}", name(*person))));
    violations.extend(undecided(over, seen, expected.len()));
    for (person, types) in &seen.summaries {
        let wanted: Vec<&str> =
            [IN, OUT].into_iter().filter(|scene| expected.contains(&(*person, *scene))).collect();
        if *types != wanted {
            violations.push(format!("the inbox of {} has {types:?}, not {wanted:?}", name(*person)));
        }
    }
    check(
        "everybody concerned is told once, and nobody else",
        format!("{} summaries", expected.len()),
        violations,
    )
}

/// Each summary is decided for every channel once; each move is told as part of them, for its two people.
fn undecided(over: &Over<'_>, seen: &Seen, summaries: usize) -> Option<String> {
    let about = seen.decided.iter().filter(|one| one.scene.starts_with(SUMMARY));
    let (of_end, of_moves): (Vec<_>, Vec<_>) = about.partition(|one| one.cause == over.end);
    let merged = of_moves.iter().filter(|one| one.decision == "merge").count();
    let channels = Channel::ALL.len();
    let moved = over.ended.moved.len();
    let right =
        of_end.len() == summaries * channels && of_moves.len() == merged && merged == 2 * moved * channels;
    let found =
        format!("{} decisions of the end, {merged} merged of {} of moves", of_end.len(), of_moves.len());
    (!right).then(|| format!("{found}, for {summaries} summaries and {moved} moves"))
}

/// Who lost and gained is told of both.
fn messages(over: &Over<'_>, seen: &Seen, scene: &Scene<'_>) -> Check {
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    for (person, _) in summaries(over) {
        if let Some(person) = scene.office.people.iter().find(|one| one.id == person) {
            *wanted.entry(&person.wecom).or_default() += 1;
        }
    }
    checks::messages(&wanted, &seen.ledger)
}
