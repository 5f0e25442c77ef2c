//! Runs by hand. A plan is written down before its first lead moves; whatever happens to this request or this process
//! then, somebody carries it to its end. Nobody is told here: that is for the consumers of what is written.

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, CommandContext, ExecuteError, Plan, execute};
use application::forms::ExecuteTransfers;
use application::transfers::{
    self, Begun, Occasion, TransferError, TransferRefusal, complete_run, continue_run,
};
use axum::extract::State;
use domain::transfer_rule::TargetModule;
use domain::transfer_rule::run::TransferRunCompleted;
use domain::{CommandId, TransferRuleId, TransferRunId};
use projections::ReadModel;
use projections::queries::transfers as query;

use super::bodies::TransferExecuteBody;
use super::executed::{Outcome, TransferExecutionDocument, going_on, summary};
use super::{Reads, permitted, transfer_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Language;

/// Seconds after which a request that the end of the process cut short is worth repeating.
const RESTARTED_SECONDS: u64 = 5;

/// One rule of the request.
struct Part {
    rule: TransferRuleId,
    /// What it is called.
    name: String,
    /// Its run, or why there is none.
    begun: Result<Begun, Problem>,
}

impl Part {
    /// The run, if it is not over.
    fn open(&self) -> Option<&Begun> {
        self.begun.as_ref().ok().filter(|begun| !begun.completed)
    }
}

/// Runs one rule whatever the hour, a previewed plan exactly as it was shown, or every rule within its hours, the oldest
/// rule first: a lead that two of them want goes where the older one sends it, and a rule that cannot run holds up no
/// other. Answers 200 with what moved; 202 when so many moves were planned (`limits.awaited_moves`) that they go on after
/// the answer. The same request with the same key asks what became of them. No body at all is every rule.
#[utoipa::path(
    post, path = "/api/lead-transfer/execute-now", operation_id = "execute_transfers", tag = "lead transfer",
    params(schemas::CommandHeaders),
    request_body(content = Option<TransferExecuteBody>),
    responses(
        (status = 200, description = "What came of it", body = Enveloped<TransferExecutionDocument>),
        (status = 202, description = "It goes on", body = Enveloped<TransferExecutionDocument>),
        schemas::CommandProblems
    )
)]
pub async fn execute_now(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::RunTransferRules)?;
    let request = request.without_version()?;
    let language = request.language;
    let context = request.context(&app, &caller, &[]);
    let form = ExecuteTransfers::parse(request.body).map_err(Problem::fields)?;
    // What the caller wrote a moment ago counts; what others write meanwhile is found inside the appends.
    for model in [ReadModel::TransferRules, ReadModel::TransferQuotas, ReadModel::CustomerList] {
        fresh(&app, &caller, model, MinPosition::default()).await;
    }
    let replayed = is_replay(&app, &context).await?;
    let parts = begin(&app, &caller, &context, &form, language).await?;
    let planned: usize = parts.iter().filter_map(Part::open).map(|begun| begun.planned).sum();
    let runs = parts.iter().filter_map(|part| Some(part.begun.as_ref().ok()?.run)).collect();
    // An errand: it goes on when the caller goes away.
    let ends = app.errands.begin(finish(app.clone(), runs));
    if planned > app.settings.limits.awaited_moves {
        noted(&app, &caller).await?;
        let text = going_on(planned);
        let outcomes: Vec<Outcome> = parts.into_iter().map(Outcome::of).collect();
        let document = TransferExecutionDocument::of(&outcomes, &People::default(), &text, language);
        return Ok(Answer::ok(text, &document)?.under_way());
    }
    let ends = ends.await.ok().flatten();
    let ends = ends.ok_or_else(|| Problem::of(&problem::UNAVAILABLE).retry_after(RESTARTED_SECONDS))?;
    let position = noted(&app, &caller).await?;
    let outcomes = ended(parts, ends, language)?;
    let people = outcomes.iter().flat_map(Outcome::people).map(|part| part.staff);
    let people = People::find(&app, people.collect::<Vec<_>>()).await?;
    let text = summary(&outcomes);
    let document = TransferExecutionDocument::of(&outcomes, &people, &text, language);
    Ok(Answer::ok(text, &document)?.written(position, replayed))
}

/// Whether this request was carried out before, under its key.
async fn is_replay(app: &App, context: &CommandContext) -> Result<bool, Problem> {
    if context.fingerprint.is_none() {
        return Ok(false);
    }
    let receipt = app.bus.receipt(context.metadata.command).await;
    Ok(receipt.map_err(|error| load_problem(&error))?.is_some())
}

/// Writes down what is to be done.
async fn begin(
    app: &App,
    caller: &Caller,
    context: &CommandContext,
    form: &ExecuteTransfers,
    language: Language,
) -> Result<Vec<Part>, Problem> {
    let told = |error| transfer_problem(error, language);
    let asked = |context| Occasion::Asked { caller: caller.clone(), context };
    let reads = Reads::at_most(app, form.batch).await.map_err(|error| load_problem(&error))?;
    if let Some((rule, name, begun)) = transfers::begun_by(reads.stores(app), context).await.map_err(told)? {
        return Ok(vec![Part { rule, name, begun: Ok(begun) }]);
    }
    if let Some(hash) = &form.plan_hash {
        // The plan has its own number of leads.
        let reads = Reads::of(app).await.map_err(|error| load_problem(&error))?;
        let kept = reads.previews().find(hash).await.map_err(|error| load_problem(&error))?;
        let unknown = || told(ExecuteError::Refused(TransferRefusal::UnknownPlan));
        let inputs = kept.ok_or_else(unknown)?;
        if form.rule.is_some_and(|wanted| wanted != inputs.rule) {
            return Err(unknown());
        }
        let occasion = asked(context.clone());
        let begun = transfers::start_planned(reads.stores(app), reads.previews(), &occasion, hash).await;
        return Ok(vec![Part { rule: inputs.rule, name: inputs.text.name, begun: Ok(begun.map_err(told)?) }]);
    }
    if let Some(rule) = form.rule {
        let begun = transfers::start_run(reads.stores(app), rule, &asked(context.clone())).await;
        let begun = begun.map_err(told)?;
        return Ok(vec![Part { rule, name: name(app, rule).await?, begun: Ok(begun) }]);
    }
    let mut parts = Vec::new();
    for rule in remembered(app, context, &open(app, context).await?).await.map_err(told)? {
        let begun = transfers::start_run(reads.stores(app), rule, &asked(of_rule(context, rule))).await;
        // Switched off or deleted a moment ago: it is none of those that are on.
        if let Err(ExecuteError::Refused(TransferRefusal::RuleDisabled | TransferRefusal::RuleNotFound)) =
            begun
        {
            continue;
        }
        parts.push(Part { rule, name: name(app, rule).await?, begun: begun.map_err(told) });
    }
    all_or_some(parts)
}

/// A request of which nothing at all could be done is refused with the first reason.
fn all_or_some(parts: Vec<Part>) -> Result<Vec<Part>, Problem> {
    match parts.iter().find_map(|part| part.begun.as_ref().err()) {
        Some(problem) if parts.iter().all(|part| part.begun.is_err()) => Err(problem.clone()),
        _ => Ok(parts),
    }
}

/// What the rule is called.
async fn name(app: &App, rule: TransferRuleId) -> Result<String, Problem> {
    let row = query::rule(&app.db, rule).await.map_err(|error| db_problem(&error))?;
    Ok(row.and_then(|row| row.rule.text).map(|text| text.name).unwrap_or_default())
}

/// The rules that are on and within their hours, the oldest first, as the schedule has it: a lead that two rules want
/// goes where the first sends it.
async fn open(app: &App, context: &CommandContext) -> Result<Vec<TransferRuleId>, Problem> {
    let rules = query::rules(&app.db, Some(TargetModule::Customer)).await;
    let rules = rules.map_err(|error| db_problem(&error))?;
    let open = |row: &&query::RuleRow| {
        row.rule.enabled && row.rule.text.as_ref().is_some_and(|text| text.window.contains(context.at))
    };
    Ok(rules.iter().rev().filter(open).map(|row| row.id).collect())
}

/// The rules of a request for all of them, kept under its key: repeated at another hour it runs no other rules.
async fn remembered(
    app: &App,
    context: &CommandContext,
    open: &[TransferRuleId],
) -> Result<Vec<TransferRuleId>, TransferError> {
    let plan =
        async || Ok::<_, TransferError>(Plan { streams: vec![], guards: vec![], result: open.to_vec() });
    Ok(execute(&app.bus, context, plan).await?.result)
}

/// The part of a request that is about one of many rules: the same one whenever the request is repeated.
fn of_rule(context: &CommandContext, rule: TransferRuleId) -> CommandContext {
    let mut context = context.clone();
    let command = context.metadata.command.to_string();
    context.metadata.command = CommandId::from_key(&command, &rule.to_string());
    context
}

/// What came of a run.
type End = Result<TransferRunCompleted, TransferError>;

/// Carries the runs to their ends, one after another. One that is over already is answered with its end; one that stops
/// on the way holds up no other, and the schedule goes on with it.
async fn finish(app: SharedApp, runs: Vec<TransferRunId>) -> Vec<End> {
    let mut ends = Vec::with_capacity(runs.len());
    for run in runs {
        let end = carried_out(&app, run).await;
        if let Err(error) = &end {
            tracing::error!(transfer.run = %run, error = %error, "a run stopped on the way; the schedule goes on with it");
        }
        ends.push(end);
    }
    ends
}

async fn carried_out(app: &App, run: TransferRunId) -> End {
    let reads = Reads::of(app).await?;
    let stores = reads.stores(app);
    let outcome = continue_run(stores, run).await?;
    complete_run(stores, run, outcome).await
}

/// Each rule with what came of it. Refused when every run stopped on the way.
fn ended(parts: Vec<Part>, ends: Vec<End>, language: Language) -> Result<Vec<Outcome>, Problem> {
    let mut ends = ends.into_iter();
    let mut outcomes = Vec::with_capacity(parts.len());
    for part in parts {
        let end = if part.begun.is_ok() { ends.next().transpose() } else { Ok(None) };
        let failed = end.as_ref().is_err();
        let mut outcome = Outcome::of(part);
        match end {
            Ok(end) => outcome.end = end,
            Err(error) => outcome.problem = Some(transfer_problem(error, language)),
        }
        outcomes.push((outcome, failed));
    }
    if !outcomes.is_empty() && outcomes.iter().all(|(_, failed)| *failed) {
        let problem = outcomes.iter().find_map(|(outcome, _)| outcome.problem.clone());
        return Err(problem.unwrap_or_else(|| Problem::of(&problem::UNAVAILABLE)));
    }
    Ok(outcomes.into_iter().map(|(outcome, _)| outcome).collect())
}

impl Outcome {
    /// Of a run that goes on, or of a rule that could not be run.
    fn of(Part { rule, name, begun }: Part) -> Self {
        let (begun, problem) = match begun {
            Ok(begun) => (Some(begun), None),
            Err(problem) => (None, Some(problem)),
        };
        Self { rule, name, begun, problem, end: None }
    }
}

/// What the caller reads next shows what was done. The position of the log's head, since a run is many commands.
async fn noted(app: &App, caller: &Caller) -> Result<domain::Position, Problem> {
    let head = app.bus.log().head().await.map_err(|error| db_problem(&error))?;
    app.writes.noted(caller.id, head);
    Ok(head)
}
