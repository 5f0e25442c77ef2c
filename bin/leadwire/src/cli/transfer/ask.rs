//! What only reads, also beside a running service: the rules, a rule on the past, and why leads moved or stayed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use application::bus::CommandBus as _;
use application::forms::CreateTransferRule;
use application::schedules::Grid;
use application::transfers::{self, Outlook, Question, Trial, Tried};
use domain::transfer_rule::run::{PersonMoves, TransferRun};
use domain::{StreamId, TransferRunId};
use projections::ReadModel;
use projections::queries::transfers::{self as query, LogPast, TransferRunRow};
use serde_json::json;

use super::super::arguments::{TransferExplain, TransferList, TransferWhatIf};
use super::super::open::Opened;
use super::super::{moment, open, say};
use super::told::{RunDocument, named};
use super::words::{numbers, refused, violated};
use super::{Desk, Named, find, operator};
use crate::http::lead_transfer::document::{everybody, role};
use crate::http::lead_transfer::predict::schedule;
use crate::http::lead_transfer::what_if::TransferWhatIfDocument;
use crate::http::people::People;
use crate::http::text::Language;

/// When rules run where no worker ever said otherwise.
const HOURLY: &str = "0 * * * *";

/// Moves that are printed one by one; `--json` has more.
const MOVES_SHOWN_MAX: usize = 20;

/// Runs that are printed of a rule, the newest.
const RUNS_SHOWN_MAX: usize = 10;

pub(super) async fn list(config: Option<PathBuf>, arguments: &TransferList) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let rules = query::rules(opened.store.db(), None).await?;
    if arguments.output.json {
        return say::json(&rules);
    }
    let rows: Vec<[String; 6]> = rules
        .iter()
        .filter_map(|row| {
            let text = row.rule.text.as_ref()?;
            let state = if row.rule.enabled { "on" } else { "off" };
            let window = text.window;
            let hours = if window.enabled {
                format!("{}–{} {}", window.start, window.end, window.zone)
            } else {
                "always".to_owned()
            };
            Some([
                row.id.to_string(),
                text.name.clone(),
                state.to_owned(),
                hours,
                row.statistics.total_transferred.to_string(),
                row.statistics.last_executed_at.map(moment::shown).unwrap_or_default(),
            ])
        })
        .collect();
    say::table(["ID", "NAME", "STATE", "HOURS", "MOVED", "LAST RUN"], &rows)
}

pub(super) async fn what_if(config: Option<PathBuf>, arguments: &TransferWhatIf) -> Result<()> {
    let candidate = arguments.file.as_deref().map(read).transpose()?;
    let opened = open::for_reading(config).await?;
    remark_late(&opened, ReadModel::AssignmentLog).await?;
    let tried = match (candidate, &arguments.rule) {
        (Some(candidate), _) => candidate,
        (None, rule) => Tried::Kept(find(&opened, rule.as_deref().unwrap_or_default()).await?.id),
    };
    let grid = match schedule(opened.store.db()).await? {
        Some(grid) => grid,
        None => Grid::parse(HOURLY, opened.settings.zone)?,
    };
    let desk = Desk::of(&opened).await?;
    let past = LogPast::new(opened.store.projections.clone());
    let question = (arguments.days, &grid);
    let trial = match Question::gather(desk.stores(&opened), &past, &operator(), &tried, question).await {
        Ok(question) => question.answer(), // this process does nothing else
        Err(error) => return Err(refused(&opened, error).await),
    };
    let people = People::read(&opened.store.bus, everybody(&trial.text).into_iter().collect()).await?;
    if arguments.output.json {
        let document = TransferWhatIfDocument::of(&trial, arguments.days, &people, Language::English);
        return say::json(&document);
    }
    print_trial(&opened, &trial, &people).await
}

/// Reads a rule out of a file, with the rules of the API.
fn read(file: &Path) -> Result<Tried> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let body = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let form = CreateTransferRule::parse(body)
        .map_err(|errors| violated(&errors))
        .with_context(|| format!("{} is no transfer rule", file.display()))?;
    Ok(Tried::Written(Box::new(form.wanted)))
}

async fn print_trial(opened: &Opened, trial: &Trial, people: &People) -> Result<()> {
    let Trial { text, from, until, told, .. } = trial;
    say::line(format_args!(
        "{}, {} runs from {} to {}: {} leads would have moved, {} times.",
        text.name,
        told.runs,
        moment::shown(*from),
        moment::shown(*until),
        told.leads,
        told.moved
    ))?;
    if let Some((_, explanation)) = trial.explanation() {
        say::line(format_args!("{explanation}."))?;
    }
    if told.moved == 0 {
        return Ok(());
    }
    let rows: Vec<[String; 4]> = everybody(text)
        .into_iter()
        .map(|staff| {
            let part = told.people.iter().find(|part| part.staff == staff).copied();
            let part = part.unwrap_or(PersonMoves { staff, moved_out: 0, moved_in: 0 });
            let (out, into) = (part.moved_out.to_string(), part.moved_in.to_string());
            [people.shown(staff), role(text, staff).to_owned(), out, into]
        })
        .collect();
    say::table(["PERSON", "ROLE", "LOST", "GAINED"], &rows)?;
    let shown = &told.moves[..told.moves.len().min(MOVES_SHOWN_MAX)];
    let numbers = numbers(opened, shown.iter().map(|moved| moved.one.customer)).await?;
    let rows: Vec<[String; 4]> = shown
        .iter()
        .map(|moved| {
            let one = moved.one;
            let lead = numbers.get(&one.customer).cloned().unwrap_or_else(|| one.customer.to_string());
            [moment::shown(moved.at), lead, people.shown(one.from), people.shown(one.to)]
        })
        .collect();
    say::table(["WHEN", "LEAD", "FROM", "TO"], &rows)?;
    let rest = told.moved.saturating_sub(u64::try_from(shown.len()).unwrap_or_default());
    if rest > 0 {
        say::remark(format_args!("… and {rest} more; --json prints the first 1000."));
    }
    Ok(())
}

pub(super) async fn explain(config: Option<PathBuf>, arguments: &TransferExplain) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let text = arguments.what.trim();
    if let Ok(id) = text.parse::<TransferRunId>() {
        let run = opened.store.bus.load::<TransferRun>(&StreamId::from(id)).await?.state;
        let people = People::read(&opened.store.bus, named(&run)).await?;
        if let Some(document) = RunDocument::of(id, run, None, &people) {
            return if arguments.output.json { say::json(&document) } else { document.print_whole() };
        }
    }
    let rule = find(&opened, text).await.with_context(|| format!("{text} is no run, and no rule"))?;
    explain_rule(&opened, &rule, arguments.output.json).await
}

async fn explain_rule(opened: &Opened, rule: &Named, json: bool) -> Result<()> {
    remark_late(opened, ReadModel::CustomerList).await?;
    let desk = Desk::of(opened).await?;
    let (stores, now) = (desk.stores(opened), opened.ports.clock.now());
    let asked = async {
        Ok((transfers::explain(stores, rule.id, now).await?, transfers::judged(stores, rule.id, now).await?))
    };
    let (outlook, counted) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return Err(refused(opened, error).await),
    };
    let mut runs = query::runs_of(opened.store.db(), rule.id).await?;
    runs.truncate(RUNS_SHOWN_MAX);
    if json {
        let because = counted.because.iter().map(
            |(reason, count)| json!({ "reason": reason.code(), "message": reason.en(), "count": count }),
        );
        return say::json(&json!({
            "ruleId": rule.id,
            "ruleName": rule.name,
            "outlook": outlook.en(),
            "leads": match outlook { Outlook::Moves { leads, .. } => leads, Outlook::Nothing(_) => 0 },
            "owned": counted.owned,
            "fitting": counted.fitting(),
            "ineligible": because.collect::<Vec<_>>(),
            "sentence": counted.en(),
            "runs": runs,
        }));
    }
    say::line(format_args!("{} ({})", rule.name, rule.id))?;
    say::line(format_args!("{}.", outlook.en()))?;
    say::line(format_args!("{}.", counted.en()))?;
    print_runs(&runs)
}

fn print_runs(runs: &[TransferRunRow]) -> Result<()> {
    if runs.is_empty() {
        return say::line("It never ran.");
    }
    let rows: Vec<[String; 5]> = runs
        .iter()
        .map(|run| {
            let ended = run.completed_at.map_or_else(|| "under way".to_owned(), moment::shown);
            let counts = [run.planned, run.moved, run.skipped].map(|count| count.to_string());
            let [planned, moved, skipped] = counts;
            [run.id.to_string(), ended, planned, moved, skipped]
        })
        .collect();
    say::table(["RUN", "ENDED", "PLANNED", "MOVED", "STAYED"], &rows)
}

/// Says when the lists are behind the log: nothing that only reads can bring them up to date.
async fn remark_late(opened: &Opened, model: ReadModel) -> Result<()> {
    let consumers = opened.store.projections.status().await?;
    let behind = consumers.iter().find(|consumer| consumer.name == model.name()).map_or(0, |one| one.lag);
    if behind > 0 {
        say::remark(format_args!(
            "The lists are {behind} events behind the log; a running worker catches up."
        ));
    }
    Ok(())
}
