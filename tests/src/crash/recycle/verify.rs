//! What must hold after a run whose process was killed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Result;
use domain::notification::Channel;
use domain::recycle_rule::run::{PlannedFall, RecycleRunCompleted};
use domain::{CustomerId, EventId, RecycleRunId, StaffId};
use wechat_simulator::Received;

use super::Scene;
use super::book::{Book, Run};
use super::office::Office;
use crate::crash::carried::checks::{self, Course, Outline, Planned, check};
use crate::crash::carried::touches::Way;
use crate::crash::history::{Decided, Delivery, History, Reader};
use crate::crash::service::Address;
use crate::crash::transfer::inbox;
use crate::crash::verify::Check;

/// What former owners are told: in one summary of the run, and of each lead that a manager took from them.
const RECLAIMED: &str = "CUSTOMER_RECLAIMED";

/// What a rebuild is compared with the live tables for.
const REBUILT: [&str; 4] = ["customer_list", "pool_log", "recycle_rules", "open_recycle_runs"];

/// What the service says afterwards, over HTTP and on the command line.
#[derive(Debug)]
pub(super) struct Seen {
    /// How often each person is told in the inbox that leads are gone.
    told: BTreeMap<StaffId, usize>,
    /// Who owns how many leads, as the limits count them.
    owned: BTreeMap<StaffId, i64>,
    /// Every recorded decision.
    decided: Vec<Decided>,
    /// Events that the policy could not answer.
    parked: Vec<String>,
    /// What people really received.
    ledger: Vec<Received>,
    /// What the program's own checks found wrong.
    complaints: Vec<String>,
}

impl Seen {
    pub(super) async fn through(
        address: &Address,
        office: &Office,
        reader: &mut Reader,
        ledger: Vec<Received>,
    ) -> Result<Self> {
        let mut told = BTreeMap::new();
        for person in office.owners.iter().chain([&office.outsider]) {
            told.insert(person.id, inbox(address, person, RECLAIMED).await?.len());
        }
        let reconciled = address.json(&["deliveries", "reconcile"]).await.err();
        Ok(Self {
            told,
            owned: reader.owned_leads().await?,
            decided: reader.decisions().await?,
            parked: reader.parked().await?,
            ledger,
            complaints: reconciled.iter().map(|error| format!("{error:#}")).collect(),
        })
    }

    /// After the service has stopped: the read models, made again from the log, are those that were served. A rebuild
    /// refuses when they differ.
    pub(super) async fn with_rebuilt(mut self, address: &Address) -> Self {
        for model in REBUILT {
            if let Err(error) = address.json(&["projections", "rebuild", model]).await {
                self.complaints.push(format!("{error:#}"));
            }
        }
        self
    }
}

/// The run and its one end.
struct Over<'r> {
    id: RecycleRunId,
    run: &'r Run,
    ended: &'r RecycleRunCompleted,
    end: EventId,
}

impl Planned for PlannedFall {
    fn customer(&self) -> CustomerId {
        self.customer
    }
}

impl<'r> Over<'r> {
    fn course(&self, book: &Book) -> Course<'r, PlannedFall> {
        Course {
            did: "fell",
            planned_at: self.run.begun.first().copied().unwrap_or_default(),
            plan: &self.run.plan,
            named: &self.ended.fallen,
            stayed: self.ended.skipped.iter().map(|one| (one.customer, one.reason.as_str())).collect(),
            happened: book.falls.iter().map(|one| (one.planned, one.after)).collect(),
        }
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
        course.the_end_is_what_happened("the end names exactly the falls that happened"),
        course.every_lead_has_a_fate("every planned lead fell or stayed"),
        course.touched_leads_stay(&scene.touched, reasons, |customer| book.last(customer)),
        counts(book, seen, scene),
        told_once(book, &over, history, seen, scene),
        messages(book, &over, seen, scene),
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
    let outline = |(id, run): (&RecycleRunId, &Run)| Outline {
        id: id.to_string(),
        begun: run.begun.len(),
        ended: run.ended.len(),
        planned: run.plan.iter().map(|one| one.customer).collect(),
    };
    book.runs.iter().map(outline).collect()
}

fn at_most_once(book: &Book, over: &Over<'_>, scene: &Scene<'_>) -> Check {
    let planned: HashSet<&PlannedFall> = over.run.plan.iter().collect();
    let mut seen = HashSet::new();
    let mut violations = Vec::new();
    for one in &book.falls {
        let PlannedFall { customer, from, rule } = one.planned;
        if !seen.insert(customer) {
            violations.push(format!("{customer} fell again"));
        }
        if one.run != Some(over.id) || rule != scene.office.rule || !planned.contains(&one.planned) {
            violations
                .push(format!("{customer} of {} fell, and nobody planned that", scene.office.name(from)));
        }
    }
    let found = format!("{} falls", book.falls.len());
    check("each lead fell at most once, and as it was planned", found, violations)
}

/// The codes that say why a lead that was touched like this stays.
fn reasons(way: Way) -> &'static [&'static str] {
    match way {
        Way::FollowUp | Way::GiveAway => &["touched"],
        Way::Release => &["gone"],
    }
}

fn counts(book: &Book, seen: &Seen, scene: &Scene<'_>) -> Check {
    let (owned, violations) = checks::recount(&book.owners, &seen.owned, |person| scene.office.name(person));
    check("counts are recounts", format!("{} leads are owned", owned.values().sum::<i64>()), violations)
}

/// Who lost leads.
fn former_owners(over: &Over<'_>) -> BTreeSet<StaffId> {
    over.ended.fallen.iter().map(|fallen| fallen.from).collect()
}

/// How often somebody must be told: once of the run, and once of each lead that was taken by hand.
fn expected(book: &Book, over: &Over<'_>, person: StaffId) -> usize {
    let of_run = usize::from(former_owners(over).contains(&person));
    of_run + book.taken.get(&person).copied().unwrap_or_default()
}

fn told_once(book: &Book, over: &Over<'_>, history: &History, seen: &Seen, scene: &Scene<'_>) -> Check {
    let name = |person| scene.office.name(person);
    let mut missing = former_owners(over);
    let summaries = missing.len();
    let mut violations = Vec::new();
    for (index, notice) in history.notices.iter().enumerate().filter(|(_, one)| one.cause == over.end) {
        if notice.scene != RECLAIMED || !missing.remove(&notice.recipient) {
            violations.push(format!("{} was told {} once more", name(notice.recipient), notice.scene));
        }
        for Delivery { channel, state, .. } in checks::astray(history, index) {
            violations.push(format!("what {} is told by {channel} is {state}", name(notice.recipient)));
        }
    }
    violations.extend(missing.iter().map(|person| format!("{} was not told", name(*person))));
    let of_end = seen.decided.iter().filter(|one| one.cause == over.end).count();
    if of_end != summaries * Channel::ALL.len() {
        violations.push(format!("{of_end} decisions for {summaries} summaries"));
    }
    for (person, told) in &seen.told {
        let expected = expected(book, over, *person);
        if *told != expected {
            violations.push(format!("{} is told {told} times in the inbox, not {expected}", name(*person)));
        }
    }
    check("every former owner is told once, and nobody else", format!("{summaries} summaries"), violations)
}

fn messages(book: &Book, over: &Over<'_>, seen: &Seen, scene: &Scene<'_>) -> Check {
    let owners = scene.office.owners.iter().map(|one| (one.wecom.as_str(), expected(book, over, one.id)));
    let wanted: BTreeMap<&str, usize> = owners.filter(|(_, times)| *times > 0).collect();
    checks::messages(&wanted, &seen.ledger)
}
