//! `recycle …`: which leads fell back into the public pool, run by run, and why others stayed. The same documents as the
//! API's.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use application::bus::CommandBus as _;
use domain::recycle_rule::run::RecycleRun;
use domain::{CustomerId, StreamId};
use projections::queries::PageRequest;
use projections::queries::recycling::{self as query, RUNS_PAGE_MAX};

use super::arguments::{RecycleCommand, RecycleExplain, RecycleRuns};
use super::transfer::words::numbers;
use super::{moment, open, say};
use crate::http::people::People;
use crate::http::recycling::runs::{RecycleRunDocument, RecycleRunExplained, owners};
use crate::http::text::Language;

/// Leads that are printed one by one unless somebody wants all.
const LEADS_SHOWN: u32 = 50;

/// Leads that `--json` has unless somebody wants all.
const LEADS_IN_JSON: u32 = 1000;

/// Runs one of them.
pub(crate) async fn run(config: Option<PathBuf>, command: RecycleCommand) -> Result<ExitCode> {
    match command {
        RecycleCommand::Runs(arguments) => runs(config, &arguments).await?,
        RecycleCommand::Explain(arguments) => explain(config, &arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn runs(config: Option<PathBuf>, arguments: &RecycleRuns) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let page = query::runs(opened.store.db(), PageRequest::new(1, arguments.limit, RUNS_PAGE_MAX)).await?;
    let total = page.total;
    let runs: Vec<RecycleRunDocument> = page.items.into_iter().map(RecycleRunDocument::from).collect();
    if arguments.output.json {
        return say::json(&runs);
    }
    if runs.is_empty() {
        return say::line("No lead ever fell by a rule.");
    }
    let rows: Vec<[String; 6]> = runs
        .iter()
        .map(|run| {
            let id = run.id.to_string();
            let [planned, fell, stayed] =
                [run.planned_count, run.recycled_count, run.skipped_count].map(|count| count.to_string());
            [id, moment::shown(run.period.0), ended(run), planned, fell, stayed]
        })
        .collect();
    say::table(["RUN", "HOUR", "ENDED", "PLANNED", "FELL", "STAYED"], &rows)?;
    let rest = usize::try_from(total).unwrap_or_default().saturating_sub(runs.len());
    if rest > 0 {
        say::remark(format_args!("… and {rest} earlier ones."));
    }
    Ok(())
}

fn ended(run: &RecycleRunDocument) -> String {
    run.completed_at.map_or_else(|| "under way".to_owned(), |at| moment::shown(at.0))
}

async fn explain(config: Option<PathBuf>, arguments: &RecycleExplain) -> Result<()> {
    let opened = open::for_reading(config).await?;
    let id = arguments.run;
    let run = opened.store.bus.load::<RecycleRun>(&StreamId::from(id)).await?.state;
    let people = People::read(&opened.store.bus, owners(&run)).await?;
    let most = match (arguments.all, arguments.output.json) {
        (true, _) => u32::MAX,
        (false, true) => LEADS_IN_JSON,
        (false, false) => LEADS_SHOWN,
    };
    let document = RecycleRunExplained::of(id, &run, &people, (1, most), Language::English)
        .with_context(|| format!("there is no run {id}; `leadwire recycle runs` shows all"))?;
    let left_out = document.run.planned_count.saturating_sub(document.leads.len());
    if left_out > 0 {
        say::remark(format_args!("{left_out} more leads are left out; `--all` shows them too."));
    }
    if arguments.output.json {
        return say::json(&document);
    }
    let shown = &document.leads;
    let numbers = numbers(&opened, shown.iter().map(|lead| lead.customer_id)).await?;
    let number = |lead: CustomerId| numbers.get(&lead).cloned().unwrap_or_else(|| lead.to_string());
    print_head(&document)?;
    let rows: Vec<[String; 3]> = shown
        .iter()
        .map(|lead| {
            let fate = lead.message.as_ref().map_or(lead.state.to_owned(), |why| format!("stayed: {why}"));
            [number(lead.customer_id), lead.owner_name.clone(), fate]
        })
        .collect();
    say::table(["LEAD", "OWNER", "WHAT CAME OF IT"], &rows)
}

fn print_head(document: &RecycleRunExplained) -> Result<()> {
    let run = &document.run;
    let line = |name: &str, text: &str| say::line(format_args!("{name:<10}{text}"));
    line("run", &run.id.to_string())?;
    line("hour", &moment::shown(run.period.0))?;
    line("began", &moment::shown(run.started_at.0))?;
    line("ended", &ended(run))?;
    for rule in &run.rules {
        line("rule", &format!("{}: {} leads planned", rule.rule_name, rule.planned_count))?;
    }
    if run.completed_at.is_some() {
        line("fell", &format!("{} leads", run.recycled_count))?;
    }
    for lost in &document.people {
        line("lost", &format!("{} by {}", lost.count, lost.name))?;
    }
    for reason in &document.skipped {
        line("stayed", &format!("{}: {}", reason.count, reason.message))?;
    }
    Ok(())
}
