//! Runs by hand. A plan is written down before its first lead moves; whatever happens to this request or this process
//! then, somebody carries it to its end. Nobody is told here: that is for the consumers of what is written.

use std::collections::BTreeMap;

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, CommandContext, ExecuteError, Plan, execute};
use application::forms::ExecuteTransfers;
use application::transfers::{
    self, Begun, Occasion, SkipReason, TransferError, TransferRefusal, complete_run, continue_run,
};
use axum::extract::State;
use domain::transfer_rule::TargetModule;
use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::TransferRunCompleted;
use domain::{CommandId, CustomerId, StaffId, TransferRuleId, TransferRunId};
use projections::ReadModel;
use projections::queries::transfers as query;
use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::TransferExecuteBody;
use super::{Reads, permitted, transfer_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};

/// Moves that a request waits for. More of them go on after the answer, which says so.
const AWAITED_MOVES_MAX: usize = 1000;

/// Leads that stayed which are named one by one; all of them stand in the records.
const SKIPPED_TOLD_MAX: usize = 100;

/// What came of it, in system A's shape and more.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferExecutionDocument {
    /// Leads that moved.
    transferred_count: usize,
    /// Each person's part.
    user_stats: Vec<TransferUserStats>,
    /// For people.
    message: String,
    /// Whether every run is over; otherwise they go on after this answer.
    completed: bool,
    /// Moves that were planned.
    planned_count: usize,
    /// The runs that were begun.
    runs: Vec<TransferRunDocument>,
}

/// One person's part.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferUserStats {
    /// The person.
    #[schema(value_type = Uuid)]
    user_id: StaffId,
    /// Name on screens.
    user_name: String,
    /// Leads that went out of their hands.
    transferred_out: u32,
    /// Leads that came into them.
    transferred_in: u32,
}

/// One run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRunDocument {
    /// The rule.
    #[schema(value_type = Uuid)]
    rule_id: TransferRuleId,
    /// The run; its moves stand in the records.
    #[schema(value_type = Uuid)]
    run_id: TransferRunId,
    /// Moves that were planned.
    planned_count: usize,
    /// Leads that moved.
    transferred_count: usize,
    /// Leads that were planned and stayed.
    skipped_count: usize,
    /// The first of them, with the reason.
    skipped: Vec<TransferSkippedDocument>,
    /// Why nothing moved, in one sentence.
    explanation: Option<String>,
}

/// A lead that was planned and stayed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferSkippedDocument {
    /// The lead.
    #[schema(value_type = Uuid)]
    customer_id: CustomerId,
    /// Why, for programs.
    reason: String,
    /// The same for people.
    message: String,
}

/// Runs one rule whatever the hour, a previewed plan exactly as it was shown, or every rule within its hours. Answers
/// 200 with what moved; 202 when so many moves were planned that they go on after the answer.
#[utoipa::path(
    post, path = "/api/lead-transfer/execute-now", operation_id = "execute_transfers", tag = "lead transfer",
    params(schemas::CommandHeaders),
    request_body(content = TransferExecuteBody),
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
    let begun = begin(&app, &caller, &context, &form, language).await?;
    let planned: usize = begun.iter().map(|(_, begun)| begun.planned).sum();
    if planned > AWAITED_MOVES_MAX {
        let going_on = (app.clone(), begun.clone());
        tokio::spawn(async move {
            let (app, begun) = going_on;
            if let Err(error) = finish(&app, &begun).await {
                tracing::error!(error = %error, "a run stopped on the way; the schedule goes on with it");
            }
        });
        noted(&app, &caller).await?;
        let text = going_on_text(planned);
        return Ok(Answer::ok(text.clone(), &going_on_document(&begun, &text, language))?.under_way());
    }
    let ended = finish(&app, &begun).await.map_err(|error| transfer_problem(error, language))?;
    let position = noted(&app, &caller).await?;
    let people = People::find(
        &app,
        ended.iter().flat_map(|end| end.people.iter().map(|part| part.staff)).collect::<Vec<_>>(),
    )
    .await?;
    let text = summary(&begun, &ended);
    let document = document(&begun, &ended, &people, &text, language);
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
) -> Result<Vec<(TransferRuleId, Begun)>, Problem> {
    let reads = Reads::at_most(app, form.batch).await.map_err(|error| load_problem(&error))?;
    let stores = reads.stores(app);
    let told = |error| transfer_problem(error, language);
    let asked = |context| Occasion::Asked { caller: caller.clone(), context };
    if let Some(hash) = &form.plan_hash {
        // The plan has its own number of leads.
        let reads = Reads::of(app).await.map_err(|error| load_problem(&error))?;
        let kept = reads.previews().find(hash).await.map_err(|error| load_problem(&error))?;
        let unknown = || told(ExecuteError::Refused(TransferRefusal::UnknownPlan));
        let rule = kept.map(|inputs| inputs.rule).ok_or_else(unknown)?;
        if form.rule.is_some_and(|wanted| wanted != rule) {
            return Err(unknown());
        }
        let occasion = asked(context.clone());
        let begun = transfers::start_planned(reads.stores(app), reads.previews(), &occasion, hash).await;
        return Ok(vec![(rule, begun.map_err(told)?)]);
    }
    if let Some(rule) = form.rule {
        let begun = transfers::start_run(stores, rule, &asked(context.clone())).await.map_err(told)?;
        return Ok(vec![(rule, begun)]);
    }
    let rules = query::rules(&app.db, Some(TargetModule::Customer)).await;
    let rules = rules.map_err(|error| db_problem(&error))?;
    let open = |row: &query::RuleRow| {
        row.rule.enabled && row.rule.text.as_ref().is_some_and(|text| text.window.contains(context.at))
    };
    // The oldest first, as the schedule has it: a lead that two rules want goes where the first sends it.
    let open: Vec<TransferRuleId> = rules.iter().rev().filter(|row| open(row)).map(|row| row.id).collect();
    let mut begun = Vec::new();
    for rule in remembered(app, context, &open).await.map_err(told)? {
        match transfers::start_run(stores, rule, &asked(of_rule(context, rule))).await {
            Ok(one) => begun.push((rule, one)),
            // Switched off or deleted a moment ago: nothing that the others should wait for.
            Err(ExecuteError::Refused(TransferRefusal::RuleDisabled | TransferRefusal::RuleNotFound)) => {}
            Err(error) => return Err(told(error)),
        }
    }
    Ok(begun)
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

/// Carries the runs to their ends. One that is over already is answered with its end.
async fn finish(
    app: &App,
    begun: &[(TransferRuleId, Begun)],
) -> Result<Vec<TransferRunCompleted>, TransferError> {
    let reads = Reads::of(app).await?;
    let stores = reads.stores(app);
    let mut ended = Vec::with_capacity(begun.len());
    for (_, begun) in begun {
        let outcome = continue_run(stores, begun.run).await?;
        ended.push(complete_run(stores, begun.run, outcome).await?);
    }
    Ok(ended)
}

/// What the caller reads next shows what was done. The position of the log's head, since a run is many commands.
async fn noted(app: &App, caller: &Caller) -> Result<domain::Position, Problem> {
    let head = app.bus.log().head().await.map_err(|error| db_problem(&error))?;
    app.writes.noted(caller.id, head);
    Ok(head)
}

fn going_on_text(planned: usize) -> Text {
    Text::with(
        format!("已开始流转{planned}条线索，完成后通知相关人员"),
        format!("{planned} leads are being moved; everybody concerned is told at the end"),
    )
}

fn going_on_document(
    begun: &[(TransferRuleId, Begun)],
    text: &Text,
    language: Language,
) -> TransferExecutionDocument {
    let run = |(rule, begun): &(TransferRuleId, Begun)| TransferRunDocument {
        rule_id: *rule,
        run_id: begun.run,
        planned_count: begun.planned,
        transferred_count: 0,
        skipped_count: 0,
        skipped: vec![],
        explanation: None,
    };
    TransferExecutionDocument {
        message: text.get(language).to_owned(),
        planned_count: begun.iter().map(|(_, begun)| begun.planned).sum(),
        runs: begun.iter().map(run).collect(),
        ..TransferExecutionDocument::default()
    }
}

/// What came of it, in one sentence.
fn summary(begun: &[(TransferRuleId, Begun)], ended: &[TransferRunCompleted]) -> Text {
    let moved: usize = ended.iter().map(|end| end.moved.len()).sum();
    let skipped: usize = ended.iter().map(|end| end.skipped.len()).sum();
    match (moved, begun, ended) {
        (0, [], []) => Text::new("当前没有处于执行时段的启用规则", "No rule is on and within its hours"),
        (0, [(_, begun)], [end]) => why(begun, end).unwrap_or_else(nothing),
        (0, ..) => nothing(),
        _ if skipped > 0 => Text::with(
            format!("成功流转{moved}条线索，{skipped}条因变动未流转"),
            format!("{moved} leads moved, and {skipped} stayed because something about them changed"),
        ),
        _ => Text::with(format!("成功流转{moved}条线索"), format!("{moved} leads moved")),
    }
}

fn nothing() -> Text {
    Text::new("没有流转任何线索", "Nothing moved")
}

/// Why a run moved nothing: with the counts of its moment when it just began, else as it is remembered.
fn why(begun: &Begun, end: &TransferRunCompleted) -> Option<Text> {
    if let Some(nothing) = &begun.nothing {
        return Some(Text::with(nothing.zh(), nothing.en()));
    }
    let (zh, en) = Nothing::of_code(end.explanation.as_deref()?)?;
    Some(Text::new(zh, en))
}

fn document(
    begun: &[(TransferRuleId, Begun)],
    ended: &[TransferRunCompleted],
    people: &People,
    text: &Text,
    language: Language,
) -> TransferExecutionDocument {
    let mut parts: BTreeMap<StaffId, (u32, u32)> = BTreeMap::new();
    for part in ended.iter().flat_map(|end| &end.people) {
        let (out, into) = parts.entry(part.staff).or_default();
        (*out, *into) = (*out + part.moved_out, *into + part.moved_in);
    }
    let stats = |(user_id, (transferred_out, transferred_in))| TransferUserStats {
        user_id,
        user_name: people.shown(user_id),
        transferred_out,
        transferred_in,
    };
    let run = |((_, begun), end): (&(TransferRuleId, Begun), &TransferRunCompleted)| TransferRunDocument {
        rule_id: end.rule,
        run_id: begun.run,
        planned_count: begun.planned,
        transferred_count: end.moved.len(),
        skipped_count: end.skipped.len(),
        skipped: skipped(end, language),
        explanation: why(begun, end).map(|why| why.get(language).to_owned()),
    };
    TransferExecutionDocument {
        transferred_count: ended.iter().map(|end| end.moved.len()).sum(),
        user_stats: parts.into_iter().map(stats).collect(),
        message: text.get(language).to_owned(),
        completed: true,
        planned_count: begun.iter().map(|(_, begun)| begun.planned).sum(),
        runs: begun.iter().zip(ended).map(run).collect(),
    }
}

fn skipped(end: &TransferRunCompleted, language: Language) -> Vec<TransferSkippedDocument> {
    let document = |skipped: &domain::transfer_rule::run::Skipped| {
        let text = SkipReason::texts(&skipped.reason).map(|(zh, en)| Text::new(zh, en));
        TransferSkippedDocument {
            customer_id: skipped.customer,
            reason: skipped.reason.clone(),
            message: text.map_or_else(|| skipped.reason.clone(), |text| text.get(language).to_owned()),
        }
    };
    end.skipped.iter().take(SKIPPED_TOLD_MAX).map(document).collect()
}
