//! `transfer predict` and `transfer run`: the plan that is shown is the plan that runs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use application::access::Caller;
use application::bus::{CommandBus as _, ExecuteError};
use application::customers::holding;
use application::transfers::{
    self, Begun, Occasion, Preview, Previews as _, TransferError, TransferRefusal, complete_run,
    continue_run_told,
};
use domain::staff::Staff;
use domain::transfer_rule::TargetModule;
use domain::transfer_rule::run::{PersonMoves, Seed, TransferRun as Run, people as parts};
use domain::{Actor, CommandId, StaffId, StreamId, TransferRuleId};
use infrastructure::transfer_previews::StoredPreviews;
use projections::queries::transfers as query;
use serde::Serialize;

use super::super::arguments::{TransferPredict, TransferRun};
use super::super::open::Opened;
use super::super::{moment, open, say, staff, told as causes};
use super::progress::Progress;
use super::told::{RunDocument, named};
use super::words::{numbers, refused};
use super::{Desk, Named, find, operator};
use crate::http::lead_transfer::document::everybody;
use crate::http::lead_transfer::predict::{TransferPredictionDocument, next_run, schedule};
use crate::http::people::People;
use crate::http::text::Language;

/// Moves that are printed one by one; `--json` has all of them.
const MOVES_SHOWN_MAX: usize = 50;

/// What a rule would do, as the API tells it, and how many leads each person owns.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Predicted {
    #[serde(flatten)]
    prediction: TransferPredictionDocument,
    owned: Vec<Owned>,
}

/// What came of a request to run rules.
#[derive(Default, Serialize)]
struct Ran {
    runs: Vec<RunDocument>,
    failed: Vec<FailedRule>,
}

/// A rule that could not be run to its end, and why. It held up no other.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedRule {
    rule_id: TransferRuleId,
    rule_name: String,
    error: String,
}

/// How many leads a person owns, and would own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Owned {
    user_id: StaffId,
    now: i64,
    after: i64,
    #[serde(skip)]
    part: PersonMoves,
}

/// Keeps what the plan was made of, so that it can be run: it opens the database for writing.
pub(super) async fn predict(config: Option<PathBuf>, arguments: &TransferPredict) -> Result<()> {
    let opened = open::for_writing(config).await?;
    let done = show_plan(&opened, arguments).await;
    opened.store.close().await;
    done
}

async fn show_plan(opened: &Opened, arguments: &TransferPredict) -> Result<()> {
    caught_up(opened).await?;
    let Named { id, .. } = find(opened, &arguments.rule).await?;
    let desk = Desk::of(opened).await?;
    let seed = arguments.seed.unwrap_or_else(|| Seed(opened.ports.ids.next().as_u64_pair().1));
    let predicted = transfers::predict(desk.stores(opened), &previews(opened), &operator(), id, seed).await;
    let preview = match predicted {
        Ok(preview) => preview,
        Err(error) => return Err(refused(opened, error).await),
    };
    let owned = owned(opened, &preview).await?;
    let people = People::read(&opened.store.bus, owned.iter().map(|one| one.user_id).collect()).await?;
    if !arguments.output.json {
        return print_plan(opened, &preview, &owned, &people).await;
    }
    let quotas = query::quotas(opened.store.db(), id).await?;
    let balances: HashMap<_, _> = quotas.into_iter().map(|quota| (quota.staff, quota.balance())).collect();
    let next = match schedule(opened.store.db()).await? {
        Some(grid) if preview.enabled => {
            next_run(&grid, preview.inputs.text.window, opened.ports.clock.now())
        }
        _ => None,
    };
    let prediction = TransferPredictionDocument::of(&preview, next, &balances, &people, Language::English);
    say::json(&Predicted { prediction, owned })
}

/// Everybody of the rule and of the plan, sources first.
async fn owned(opened: &Opened, preview: &Preview) -> Result<Vec<Owned>> {
    let parts: HashMap<StaffId, PersonMoves> =
        parts(&preview.plan.moves).into_iter().map(|part| (part.staff, part)).collect();
    let mut owned = Vec::new();
    for staff in everybody(&preview.inputs.text) {
        let part = parts.get(&staff).copied();
        let part = part.unwrap_or(PersonMoves { staff, moved_out: 0, moved_in: 0 });
        let now = holding(&opened.store.bus, staff).await?;
        let after = now - i64::from(part.moved_out) + i64::from(part.moved_in);
        owned.push(Owned { user_id: staff, now, after, part });
    }
    Ok(owned)
}

async fn print_plan(opened: &Opened, preview: &Preview, owned: &[Owned], people: &People) -> Result<()> {
    let Preview { hash, inputs, plan, enabled, window_open, nothing } = preview;
    let line = |name: &str, text: &str| say::line(format_args!("{name:<8}{text}"));
    let state = if *enabled { "on" } else { "off: it cannot be run" };
    let hours =
        if *window_open { "within its hours" } else { "outside its hours, which a run by hand ignores" };
    line("rule", &format!("{} ({}), {state}, {hours}", inputs.text.name, inputs.rule))?;
    line("plan", hash)?;
    line("seed", &inputs.seed.to_string())?;
    line("as of", &moment::shown(inputs.at))?;
    if let Some(nothing) = nothing {
        return say::line(format_args!("{}.", nothing.en()));
    }
    let rows: Vec<[String; 5]> = owned
        .iter()
        .map(|one| {
            let change = format!("{} → {}", one.now, one.after);
            let role = crate::http::lead_transfer::document::role(&inputs.text, one.user_id).to_owned();
            let (out, into) = (one.part.moved_out.to_string(), one.part.moved_in.to_string());
            [people.shown(one.user_id), role, change, out, into]
        })
        .collect();
    say::table(["PERSON", "ROLE", "LEADS", "OUT", "IN"], &rows)?;
    let shown = &plan.moves[..plan.moves.len().min(MOVES_SHOWN_MAX)];
    let numbers = numbers(opened, shown.iter().map(|one| one.customer)).await?;
    let rows: Vec<[String; 3]> = shown
        .iter()
        .map(|one| {
            let lead = numbers.get(&one.customer).cloned().unwrap_or_else(|| one.customer.to_string());
            [lead, people.shown(one.from), people.shown(one.to)]
        })
        .collect();
    say::table(["LEAD", "FROM", "TO"], &rows)?;
    if plan.moves.len() > shown.len() {
        say::remark(format_args!("… and {} more; --json prints all.", plan.moves.len() - shown.len()));
    }
    if !plan.unplaced.is_empty() {
        say::line(format_args!("{} leads fit and get no place.", plan.unplaced.len()))?;
    }
    Ok(())
}

/// Fails when a rule did, after all the others had their turn.
pub(super) async fn run(config: Option<PathBuf>, arguments: &TransferRun) -> Result<ExitCode> {
    let opened = open::for_writing(config).await?;
    let done = run_wanted(&opened, arguments).await;
    // So that what is read next shows it although no service runs.
    let shown = opened.store.projections.catch_up_all().await;
    opened.store.close().await;
    let ran = done?;
    shown.context("the lists are behind; the service will bring them up to date")?;
    if arguments.output.json {
        say::json(&ran)?;
    } else {
        ran.print()?;
    }
    Ok(if ran.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Ran {
    fn print(&self) -> Result<()> {
        if self.runs.is_empty() && self.failed.is_empty() {
            return say::line("Nothing moved: no rule is on and within its hours.");
        }
        for run in &self.runs {
            run.print_outcome()?;
        }
        if !self.runs.is_empty() {
            say::remark("A running worker tells everybody concerned.");
        }
        for FailedRule { rule_name, rule_id, error } in &self.failed {
            say::remark(format_args!("error: {rule_name} ({rule_id}) failed: {error}"));
        }
        Ok(())
    }
}

async fn run_wanted(opened: &Opened, arguments: &TransferRun) -> Result<Ran> {
    caught_up(opened).await?;
    let asker = Asker::of(opened, arguments.by.as_deref()).await?;
    let Some(rule) = &arguments.rule else { return run_all(opened, &asker).await };
    let Named { id, .. } = find(opened, rule).await?;
    let desk = Desk::of(opened).await?;
    let occasion = asker.asks(opened);
    let begun = match &arguments.plan_hash {
        Some(hash) => {
            let kept = previews(opened).find(hash).await?;
            if kept.is_none_or(|inputs| inputs.rule != id) {
                return Err(refused(opened, ExecuteError::Refused(TransferRefusal::UnknownPlan)).await);
            }
            transfers::start_planned(desk.stores(opened), &previews(opened), &occasion, hash).await
        }
        None => transfers::start_run(desk.stores(opened), id, &occasion).await,
    };
    match begun {
        Ok(begun) => Ok(Ran { runs: vec![finish(opened, &desk, &begun).await?], failed: vec![] }),
        Err(error) => Err(refused(opened, error).await),
    }
}

/// The oldest rule first, as the schedule has it: a lead that two rules want goes where the first sends it. A rule that
/// fails holds up no other.
async fn run_all(opened: &Opened, asker: &Asker) -> Result<Ran> {
    let desk = Desk::of(opened).await?;
    let now = opened.ports.clock.now();
    let rules = query::rules(opened.store.db(), Some(TargetModule::Customer)).await?;
    let is_open = |row: &&query::RuleRow| {
        row.rule.enabled && row.rule.text.as_ref().is_some_and(|text| text.window.contains(now))
    };
    let mut ran = Ran::default();
    for row in rules.iter().rev().filter(is_open) {
        match run_one(opened, &desk, row.id, asker).await {
            Ok(run) => ran.runs.extend(run),
            Err(error) => ran.failed.push(FailedRule {
                rule_id: row.id,
                rule_name: row.rule.text.as_ref().map(|text| text.name.clone()).unwrap_or_default(),
                error: causes(&error),
            }),
        }
    }
    Ok(ran)
}

/// `None`: it was switched off or deleted a moment ago.
async fn run_one(
    opened: &Opened,
    desk: &Desk,
    rule: TransferRuleId,
    asker: &Asker,
) -> Result<Option<RunDocument>> {
    match transfers::start_run(desk.stores(opened), rule, &asker.asks(opened)).await {
        Ok(begun) => finish(opened, desk, &begun).await.map(Some),
        Err(ExecuteError::Refused(TransferRefusal::RuleDisabled | TransferRefusal::RuleNotFound)) => Ok(None),
        Err(error) => Err(refused(opened, error).await),
    }
}

/// Carries a run to its end, telling how far it is.
async fn finish(opened: &Opened, desk: &Desk, begun: &Begun) -> Result<RunDocument> {
    let ended = carry_on(opened, desk, begun).await;
    if let Err(error) = ended {
        let left = format!("the run {} stopped on the way; a running worker carries it on", begun.run);
        return Err(refused(opened, error).await.context(left));
    }
    let run = opened.store.bus.load::<Run>(&StreamId::from(begun.run)).await?.state;
    let people = People::read(&opened.store.bus, named(&run)).await?;
    let document = RunDocument::of(begun.run, run, begun.nothing.as_ref(), &people);
    document.context("the run is gone")
}

async fn carry_on(opened: &Opened, desk: &Desk, begun: &Begun) -> Result<(), TransferError> {
    let mut progress = Progress::of(begun.planned);
    let stores = desk.stores(opened);
    let told = |done, planned| progress.update(done, planned);
    let outcome = continue_run_told(stores, begun.run, told).await?;
    progress.finish();
    complete_run(stores, begun.run, outcome).await.map(drop)
}

/// Who asks for a run: whoever works at the command line, or a person in whose name it is done.
struct Asker {
    caller: Caller,
    actor: Actor,
}

impl Asker {
    async fn of(opened: &Opened, by: Option<&str>) -> Result<Self> {
        let Some(by) = by else {
            return Ok(Self { caller: operator(), actor: Actor::System(staff::ACTOR.to_owned()) });
        };
        let id = staff::find(opened, by).await?;
        let person = opened.store.bus.load::<Staff>(&StreamId::from(id)).await?.state;
        let is_active = person.is_active();
        let Some(account) = person.account.filter(|_| is_active) else {
            bail!("--by: {by} has no account that works; `leadwire staff list` shows all");
        };
        let caller = Caller { id, username: account.username, name: account.name, role: account.role };
        Ok(Self { caller, actor: Actor::Staff(id) })
    }

    /// A request of its own.
    fn asks(&self, opened: &Opened) -> Occasion {
        let mut context = staff::context(opened);
        context.metadata.actor = self.actor.clone();
        context.metadata.command = CommandId(opened.ports.ids.next());
        Occasion::Asked { caller: self.caller.clone(), context }
    }
}

fn previews(opened: &Opened) -> StoredPreviews {
    StoredPreviews::new(opened.store.db().clone(), opened.ports.clock.clone())
}

/// Plans are made on the lists. Where a worker runs, it keeps them fresh.
async fn caught_up(opened: &Opened) -> Result<()> {
    opened.store.projections.catch_up_all().await.context("the lists cannot be brought up to date")
}
