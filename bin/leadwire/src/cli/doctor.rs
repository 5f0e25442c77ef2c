//! `doctor`: asks everything that must hold, names what does not, and makes anew what is derived.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use domain::Position;
use infrastructure::db::DbError;
use infrastructure::doctor::{self as rows, Check, Examined};
use infrastructure::recount::{self, Compared};
use projections::ReadModel;
use projections::consumer::{ConsumerState, ConsumerStatus};
use projections::policy_runner::{self, PolicyRunner, Reconciliation};
use serde::Serialize;
use serde_json::json;

use super::arguments::DoctorArguments;
use super::deliveries::work::policy;
use super::open::Opened;
use super::{open, say};
use crate::config::{Settings, Sources};

/// How long a consumer may be behind without a sign of life before somebody should look whether a worker runs.
const SILENT: TimeDelta = TimeDelta::minutes(1);

/// How bad an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Verdict {
    /// It holds.
    Sound,
    /// It may be right: look.
    Suspect,
    /// It does not hold.
    Broken,
}

/// An answer as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// What was asked.
    check: &'static str,
    /// Whether it holds.
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'static str>,
}

impl Answer {
    fn sound(check: &'static str, found: String) -> Self {
        Self { check, verdict: Verdict::Sound, found, next: None }
    }

    fn broken(check: &'static str, found: String, next: &'static str) -> Self {
        Self { check, verdict: Verdict::Broken, found, next: Some(next) }
    }
}

/// Runs it. Whatever does not hold is a failure; with `--fix`, what still does not.
pub(super) async fn run(config: Option<PathBuf>, arguments: &DoctorArguments) -> Result<ExitCode> {
    let settings = Settings::load(&Sources::of_process(config.clone()))?;
    let opened =
        if arguments.fix { open::for_writing(config).await? } else { open::for_reading(config).await? };
    let policy = policy(&opened, &settings);
    let fixed = if arguments.fix { Some(fix(&opened, &policy).await?) } else { None };
    let answers = ask(&opened, &policy).await;
    opened.store.close().await;
    let answers = answers?;
    if arguments.output.json {
        say::json(&json!({ "answers": answers, "fixed": fixed }))?;
    } else {
        for done in fixed.iter().flatten() {
            say::line(done)?;
        }
        print(&answers)?;
    }
    let is_broken = answers.iter().any(|answer| answer.verdict == Verdict::Broken);
    Ok(if is_broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn ask(opened: &Opened, policy: &PolicyRunner) -> Result<Vec<Answer>> {
    let (store, now) = (&opened.store, opened.ports.clock.now());
    let examined = rows::examine(store.db(), now, told).await.context("the rows cannot be read")?;
    let mut answers = of_rows(&examined);
    let consumers = store.projections.status().await.context("the consumers cannot be read")?;
    answers.push(of_consumers(&consumers, examined.head, now));
    told("notices");
    answers.push(match policy_runner::reconcile(policy, 0).await {
        Ok(notices) => of_notices(&notices),
        Err(error) => unasked("notices", &error),
    });
    told("counts");
    let bus = &store.bus;
    answers.push(match recount::compare(bus.log(), bus.upcasters()).await {
        Ok(counts) => of_counts(&counts),
        Err(error) => unasked("counts", &error),
    });
    Ok(answers)
}

/// What a log with holes may not answer at all must not hide the holes.
fn unasked(check: &'static str, error: &DbError) -> Answer {
    Answer::broken(check, format!("could not be asked: {error}"), "repair what is named above first")
}

fn of_counts(counts: &Compared) -> Answer {
    if counts.is_clean() {
        return Answer::sound("counts", format!("{} leads are owned", counts.leads));
    }
    let found = format!("{} counts of leads are not what the log says", counts.differing);
    Answer::broken("counts", found, "`leadwire doctor --fix`, or `leadwire staff recount`")
}

/// Says what is being asked, where somebody watches.
fn told(check: impl std::fmt::Display) {
    if say::is_watched() {
        say::remark(format_args!("checking {check} …"));
    }
}

fn of_rows(examined: &Examined) -> Vec<Answer> {
    let answer = |finding: &rows::Finding| {
        let check = finding.check.as_str();
        if finding.places.is_empty() {
            return Answer::sound(check, sound(finding.check, examined));
        }
        let (what, next) = broken(finding.check);
        let places = finding.places.join(", ");
        let verdict = if finding.check == Check::Leases { Verdict::Suspect } else { Verdict::Broken };
        Answer { check, verdict, found: format!("{what}: {places}"), next: Some(next) }
    };
    examined.findings.iter().map(answer).collect()
}

fn sound(check: Check, examined: &Examined) -> String {
    match check {
        Check::Positions => format!("{} events without a hole", examined.events),
        Check::Sequences => "every stream is whole".to_owned(),
        Check::Receipts => "every receipt is of an event that is there".to_owned(),
        Check::Guards => "whoever holds a unique value exists".to_owned(),
        Check::Decisions => "every decision is about an event that is there".to_owned(),
        Check::Work => "every message to be sent belongs to a notice".to_owned(),
        Check::Leases => "nothing has been on its way for long".to_owned(),
    }
}

/// What does not hold, and what to do.
fn broken(check: Check) -> (&'static str, &'static str) {
    const RESTORE: &str = "events are missing: stop the service and restore the database from a backup";
    match check {
        Check::Positions => ("the log has holes", RESTORE),
        Check::Sequences => ("events of streams are missing", RESTORE),
        Check::Receipts => ("receipts of events that are not there, by command", RESTORE),
        Check::Guards => ("unique values held by nobody, by holder", RESTORE),
        Check::Decisions => ("decisions about events that are not there", RESTORE),
        Check::Work => ("messages without a notice", "`leadwire doctor --fix` takes them away"),
        Check::Leases => (
            "messages on their way for long, without an outcome",
            "see whether a worker runs; a dispatcher of their channel takes them over",
        ),
    }
}

fn of_consumers(consumers: &[ConsumerStatus], head: Position, now: DateTime<Utc>) -> Answer {
    const CHECK: &str = "consumers";
    let ahead: Vec<&str> = ahead(consumers, head).map(|consumer| consumer.name.as_str()).collect();
    if !ahead.is_empty() {
        let found = format!("ahead of the log's end {head}: {}", ahead.join(", "));
        let next = "`leadwire doctor --fix` folds read models anew; others need the log that they followed";
        return Answer::broken(CHECK, found, next);
    }
    let stopped: Vec<String> = consumers
        .iter()
        .filter_map(|consumer| Some(format!("{}: {}", consumer.name, consumer.error.as_ref()?)))
        .collect();
    if !stopped.is_empty() {
        let next = "repair the cause, then `leadwire projections resume NAME`";
        return Answer::broken(CHECK, format!("stopped: {}", stopped.join("; ")), next);
    }
    let idle = |consumer: &&ConsumerStatus| {
        consumer.state != ConsumerState::Rebuilding && consumer.lag > 0 && consumer.updated_at + SILENT < now
    };
    let silent: Vec<String> = consumers
        .iter()
        .filter(idle)
        .map(|consumer| format!("{} ({} behind, {})", consumer.name, consumer.lag, consumer.state.as_str()))
        .collect();
    if silent.is_empty() {
        return Answer::sound(CHECK, format!("{} follow the log", consumers.len()));
    }
    Answer {
        check: CHECK,
        verdict: Verdict::Suspect,
        found: format!("behind, and no sign of life for a minute: {}", silent.join(", ")),
        next: Some("start a worker (`leadwire serve`), or `leadwire projections list`"),
    }
}

fn ahead(consumers: &[ConsumerStatus], head: Position) -> impl Iterator<Item = &ConsumerStatus> {
    consumers.iter().filter(move |consumer| consumer.position > head)
}

fn of_notices(found: &Reconciliation) -> Answer {
    const CHECK: &str = "notices";
    if !found.is_clean() {
        let told = format!(
            "{} decisions missing, {} for nobody, {} notices missing, {} doubled, {} messages without their row",
            found.missing,
            found.unexpected,
            found.notices_missing,
            found.notices_doubled,
            found.outbox_missing
        );
        let next = "`leadwire doctor --fix`, or `leadwire deliveries reconcile --repair`";
        return Answer::broken(CHECK, told, next);
    }
    if found.parked > 0 {
        return Answer {
            check: CHECK,
            verdict: Verdict::Suspect,
            found: format!("{} events wait for an operator", found.parked),
            next: Some("`leadwire deliveries reconcile --json` names them"),
        };
    }
    Answer::sound(CHECK, format!("{} decisions, none missing, none doubled", found.expected))
}

/// Makes anew what is derived; what was done.
async fn fix(opened: &Opened, policy: &PolicyRunner) -> Result<Vec<String>> {
    let (store, mut done) = (&opened.store, Vec::new());
    let examined = rows::examine(store.db(), opened.ports.clock.now(), |_| {}).await?;
    let is_log = |check| matches!(check, Check::Positions | Check::Sequences);
    if examined.findings.iter().any(|finding| is_log(finding.check) && !finding.places.is_empty()) {
        return Ok(vec!["Nothing was made anew: events are missing from the log.".to_owned()]);
    }
    let removed = rows::remove_orphans(store.db()).await.context("no message was taken away")?;
    if removed > 0 {
        done.push(format!("Took away {removed} messages that belong to no notice."));
    }
    let head = store.bus.log().head().await?;
    let consumers = store.projections.status().await?;
    for consumer in ahead(&consumers, head) {
        let Some(model) = ReadModel::ALL.iter().copied().find(|model| model.name() == consumer.name) else {
            continue;
        };
        told(model);
        store.projections.refold(model).await.with_context(|| format!("{model} was not folded anew"))?;
        done.push(format!("Folded {model} anew from {head} events."));
    }
    let counted = recount::recount(store.bus.log(), store.bus.upcasters())
        .await
        .context("the leads were not counted; the counts are as they were")?;
    if !counted.is_clean() {
        done.push(format!("Made {} counts of leads anew.", counted.differing));
    }
    let repaired = policy_runner::repair(policy, 0).await.context("the repair stopped; run it again")?;
    let (decisions, notices, rows) = (repaired.decisions, repaired.notices, repaired.rows);
    if decisions + notices + rows > 0 {
        done.push(format!("Put back {decisions} decisions, {notices} notices and {rows} messages."));
    }
    Ok(done)
}

fn print(answers: &[Answer]) -> Result<()> {
    let word = |verdict| match verdict {
        Verdict::Sound => "ok",
        Verdict::Suspect => "look",
        Verdict::Broken => "BROKEN",
    };
    let row =
        |answer: &Answer| [answer.check.to_owned(), word(answer.verdict).to_owned(), answer.found.clone()];
    say::table(["CHECK", "VERDICT", "FOUND"], &answers.iter().map(row).collect::<Vec<_>>())?;
    for answer in answers {
        if let Some(next) = answer.next {
            say::remark(format_args!("{}: {next}", answer.check));
        }
    }
    Ok(())
}
