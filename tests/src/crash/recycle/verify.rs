//! What must hold after a run whose process was killed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Result;
use domain::notification::{Channel, DeliveryState};
use domain::recycle_rule::run::{PlannedFall, RecycleRunCompleted};
use domain::{CustomerId, EventId, RecycleRunId, StaffId};
use wechat_simulator::Received;

use super::Scene;
use super::book::{Book, Run};
use super::office::Office;
use crate::crash::carried::touches::Way;
use crate::crash::history::{Decided, History, Reader};
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

/// Every check, the one that explains most first.
pub(super) fn verify(book: &Book, history: &History, seen: &Seen, scene: &Scene<'_>) -> Vec<Check> {
    let mut checks = vec![
        check(
            "positions 1..n and every stream without a hole",
            format!("{} events", history.rows),
            history.faults.clone(),
        ),
        one_run(book, scene),
    ];
    let Some((id, run)) = book.runs.iter().next() else { return checks };
    let Some((end, ended)) = run.ended.first() else { return checks };
    let over = Over { id: *id, run, ended, end: *end };
    checks.extend([
        at_most_once(book, &over, scene),
        the_end_is_what_happened(book, &over),
        every_lead_has_a_fate(&over),
        touched_leads_stay(book, &over, scene),
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

fn check(name: &'static str, found: String, violations: Vec<String>) -> Check {
    Check { name, found, violations }
}

fn one_run(book: &Book, scene: &Scene<'_>) -> Check {
    let mut violations = Vec::new();
    for (id, run) in &book.runs {
        let (begun, ended) = (run.begun.len(), run.ended.len());
        if (begun, ended) != (1, 1) {
            violations.push(format!("run {id} began {begun} times and ended {ended} times"));
        }
        let leads: HashSet<CustomerId> = run.plan.iter().map(|planned| planned.customer).collect();
        if leads.len() != scene.options.leads || run.plan.len() != leads.len() {
            violations.push(format!("run {id} planned {} falls of {} leads", run.plan.len(), leads.len()));
        }
    }
    if book.runs.len() != 1 {
        violations.push(format!("there are {} runs", book.runs.len()));
    }
    check("one run, begun once, ended once, of every lead", format!("{} runs", book.runs.len()), violations)
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

fn the_end_is_what_happened(book: &Book, over: &Over<'_>) -> Check {
    let happened: HashSet<PlannedFall> = book.falls.iter().map(|one| one.planned).collect();
    let said: HashSet<PlannedFall> = over.ended.fallen.iter().copied().collect();
    let mut violations: Vec<String> = Vec::new();
    violations
        .extend(happened.difference(&said).map(|one| format!("{} fell and is not named", one.customer)));
    violations
        .extend(said.difference(&happened).map(|one| format!("{} is named and did not fall", one.customer)));
    if over.ended.fallen.len() != said.len() {
        violations.push("a fall is named twice".to_owned());
    }
    check("the end names exactly the falls that happened", format!("{} named", said.len()), violations)
}

fn every_lead_has_a_fate(over: &Over<'_>) -> Check {
    let fallen = over.ended.fallen.iter().map(|one| one.customer);
    let stayed = over.ended.skipped.iter().map(|one| one.customer);
    let mut fates: HashMap<CustomerId, usize> = HashMap::new();
    for customer in fallen.chain(stayed) {
        *fates.entry(customer).or_default() += 1;
    }
    let wrong = over.run.plan.iter().filter(|one| fates.remove(&one.customer) != Some(1));
    let mut violations: Vec<String> =
        wrong.map(|one| format!("{} is not once among fallen and stayed", one.customer)).collect();
    violations.extend(fates.keys().map(|customer| format!("{customer} was not planned")));
    let found = format!("{} fell, {} stayed", over.ended.fallen.len(), over.ended.skipped.len());
    check("every planned lead fell or stayed", found, violations)
}

/// Why a lead that was touched like this stays, as a code.
fn reason(way: Way) -> &'static str {
    match way {
        Way::FollowUp | Way::GiveAway => "touched",
        Way::Release => "gone",
    }
}

/// Whoever was touched after the plan and before its turn stays with the reason of the touch, and nobody else stays.
fn touched_leads_stay(book: &Book, over: &Over<'_>, scene: &Scene<'_>) -> Check {
    let planned_at = over.run.begun.first().copied().unwrap_or_default();
    let stale = book.falls.iter().filter(|one| one.after > planned_at);
    let mut violations: Vec<String> =
        stale.map(|one| format!("{} was touched and fell all the same", one.planned.customer)).collect();
    let touched: HashMap<CustomerId, Way> =
        scene.touched.iter().map(|touched| (touched.customer, touched.way)).collect();
    for stayed in &over.ended.skipped {
        let expected = touched.get(&stayed.customer).map(|way| reason(*way));
        if expected != Some(stayed.reason.as_str()) {
            violations.push(format!("{} stayed: {}, not {expected:?}", stayed.customer, stayed.reason));
        }
        if book.last(stayed.customer) < planned_at {
            violations.push(format!("{} stayed and nobody had touched it", stayed.customer));
        }
    }
    if over.ended.skipped.is_empty() {
        violations.push("no lead that was touched stayed".to_owned());
    }
    let found = format!("{} touched, {} of them stayed", touched.len(), over.ended.skipped.len());
    check("leads that were touched stay, with the reason", found, violations)
}

fn counts(book: &Book, seen: &Seen, scene: &Scene<'_>) -> Check {
    let mut owned: BTreeMap<StaffId, i64> = BTreeMap::new();
    for owner in book.owners.values().flatten() {
        *owned.entry(*owner).or_default() += 1;
    }
    let people: BTreeSet<StaffId> = owned.keys().chain(seen.owned.keys()).copied().collect();
    let count = |of: &BTreeMap<StaffId, i64>, person| of.get(person).copied().unwrap_or_default();
    let wrong = people.iter().filter(|person| count(&owned, person) != count(&seen.owned, person));
    let violations: Vec<String> = wrong
        .map(|person| {
            let name = scene.office.name(*person);
            format!("{name} owns {} and {} are counted", count(&owned, person), count(&seen.owned, person))
        })
        .collect();
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
        for delivery in history.deliveries.values().filter(|one| one.notice == index) {
            let good = match delivery.channel {
                Channel::InApp => delivery.state == DeliveryState::Delivered,
                Channel::WecomApp => {
                    matches!(delivery.state, DeliveryState::Accepted | DeliveryState::Delivered)
                }
                _ => delivery.state == DeliveryState::Suppressed,
            };
            if !good {
                let (channel, state) = (delivery.channel, delivery.state);
                violations.push(format!("what {} is told by {channel} is {state}", name(notice.recipient)));
            }
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
    let mut received: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &seen.ledger {
        *received.entry(&message.openid).or_default() += 1;
    }
    let violations = if wanted == received { vec![] } else { vec![format!("{received:?}, not {wanted:?}")] };
    check("each summary reached its phone once", format!("{} messages", seen.ledger.len()), violations)
}
