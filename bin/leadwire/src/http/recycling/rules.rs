//! Recycle rules: written, listed, changed, switched, deleted.

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, Executed};
use application::forms;
use application::recycling::{self as use_case, RecycleError, RuleReceipt};
use axum::extract::State;
use domain::recycle_rule::RecycleRule;
use domain::{RecycleRuleId, StreamId};
use projections::ReadModel;
use projections::queries::recycling as query;

use super::shapes::{RecycleRuleBody, RecycleRuleDocument, RecycleTextBody, ToggleRecycleRuleBody};
use super::{RecycleRulePath, RuleIdPath, may, recycle_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取回收规则列表成功", "Here are the recycle rules");
const SHOWN: Text = Text::new("获取回收规则成功", "Here is the recycle rule");
const CREATED: Text = Text::new("回收规则创建成功", "The recycle rule was created");
const REVISED: Text = Text::new("回收规则已更新", "The recycle rule was changed");
const ENABLED: Text = Text::new("回收规则已启用", "The recycle rule is on");
const DISABLED: Text = Text::new("回收规则已禁用", "The recycle rule is off");
const DELETED: Text = Text::new("回收规则已删除", "The recycle rule was deleted");

/// The rules, in the order in which they are asked: the first that fits a lead decides.
#[utoipa::path(
    get, path = "/api/recycle-rules", operation_id = "list_recycle_rules", tag = "public pool",
    params(schemas::ReadHeaders),
    responses(
        (status = 200, description = "The rules", body = Enveloped<Vec<RecycleRuleDocument>>),
        schemas::ReadProblems
    )
)]
pub(super) async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewRecycleRules)?;
    let stale = fresh(&app, &caller, ReadModel::RecycleRules, min).await;
    let rows = query::rules(&app.db).await.map_err(|error| db_problem(&error))?;
    let documents: Vec<_> =
        rows.iter().filter_map(|row| RecycleRuleDocument::of(row.id, row.version, &row.rule)).collect();
    Ok(Answer::ok(LISTED, &documents)?.read_at(stale))
}

/// One rule.
#[utoipa::path(
    get, path = "/api/recycle-rules/{id}", operation_id = "show_recycle_rule", tag = "public pool",
    params(RuleIdPath),
    responses(
        (status = 200, description = "The rule", body = Enveloped<RecycleRuleDocument>),
        schemas::ReadProblems
    )
)]
pub(super) async fn show(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: RecycleRulePath,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewRecycleRules)?;
    let id = path.known()?;
    let found = app.bus.load::<RecycleRule>(&StreamId::from(id)).await;
    let found = found.map_err(|error| load_problem(&error))?;
    let document = RecycleRuleDocument::of(id, found.sequence, &found.state);
    let document = document.filter(|_| found.state.exists());
    let document = document.ok_or_else(|| Problem::of(&problem::RECYCLE_RULE_NOT_FOUND))?;
    Ok(Answer::ok(SHOWN, &document)?.version(found.sequence))
}

/// Writes a rule. Nobody loses a lead to it before it takes effect: at `effectiveFrom`, at once when that lies in the past,
/// and after the longest of its warnings when it is missing.
#[utoipa::path(
    post, path = "/api/recycle-rules", operation_id = "create_recycle_rule", tag = "public pool",
    params(schemas::CommandHeaders),
    request_body = RecycleRuleBody,
    responses(
        (status = 201, description = "The rule", body = Enveloped<RecycleRuleDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn create(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::EditRecycleRules)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::WriteRecycleRule::parse(request.body).map_err(Problem::fields)?;
    // The same command means the same rule.
    let id = RecycleRuleId(context.metadata.command.0);
    let written = (form.text, form.enabled.unwrap_or(true));
    let done = use_case::create_rule(&app.bus, &caller, &context, id, written).await;
    let (document, done) = after(&app, &caller, done).await?;
    let answer = Answer::created(CREATED, &document)?.version(done.result.sequence);
    Ok(answer.written(done.position, done.replayed))
}

/// Replaces what a rule says. When other leads would fall, or at other times, it takes effect as a new rule does;
/// otherwise `effectiveFrom` stays what it is unless a later one is named. Whether it counts is switched by `toggle`.
#[utoipa::path(
    put, path = "/api/recycle-rules/{id}", operation_id = "revise_recycle_rule", tag = "public pool",
    params(RuleIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = RecycleTextBody,
    responses(
        (status = 200, description = "The rule", body = Enveloped<RecycleRuleDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn revise(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: RecycleRulePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::EditRecycleRules)?;
    let id = path.known()?;
    let context = request.context(&app, &caller, &[id.to_string()]);
    let form = forms::WriteRecycleRule::parse(request.body).map_err(Problem::fields)?;
    if form.enabled.is_some() {
        let unknown = forms::FieldError::new("enabled", forms::Rule::UnknownField);
        return Err(Problem::fields(vec![unknown]));
    }
    let at = (id, request.expected);
    let done = use_case::revise_rule(&app.bus, &caller, &context, at, form.text).await;
    changed(&app, &caller, REVISED, done).await
}

/// Switches a rule on or off. One that is switched on takes effect after the longest of its warnings: while it was off
/// nobody was warned.
#[utoipa::path(
    patch, path = "/api/recycle-rules/{id}/toggle", operation_id = "toggle_recycle_rule", tag = "public pool",
    params(RuleIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = ToggleRecycleRuleBody,
    responses(
        (status = 200, description = "The rule", body = Enveloped<RecycleRuleDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn toggle(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: RecycleRulePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::EditRecycleRules)?;
    let id = path.known()?;
    let context = request.context(&app, &caller, &[id.to_string()]);
    let form = forms::ToggleRecycleRule::parse(request.body).map_err(Problem::fields)?;
    let at = (id, request.expected);
    let done = use_case::switch_rule(&app.bus, &caller, &context, at, form.enabled).await;
    changed(&app, &caller, if form.enabled { ENABLED } else { DISABLED }, done).await
}

/// Deletes a rule. What fell by it stays in the pool.
#[utoipa::path(
    delete, path = "/api/recycle-rules/{id}", operation_id = "delete_recycle_rule", tag = "public pool",
    params(RuleIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    responses(
        (status = 200, description = "The rule as it was", body = Enveloped<RecycleRuleDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn delete(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: RecycleRulePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::EditRecycleRules)?;
    let id = path.known()?;
    let context = request.context(&app, &caller, &[id.to_string()]);
    forms::Empty::parse(request.body).map_err(Problem::fields)?;
    let done = use_case::delete_rule(&app.bus, &caller, &context, (id, request.expected)).await;
    changed(&app, &caller, DELETED, done).await
}

async fn changed(
    app: &App,
    caller: &Caller,
    text: Text,
    done: Result<Executed<RuleReceipt>, RecycleError>,
) -> Result<Answer, Problem> {
    let (document, done) = after(app, caller, done).await?;
    let answer = Answer::ok(text, &document)?.version(done.result.sequence);
    Ok(answer.written(done.position, done.replayed))
}

/// The rule as the command left it.
async fn after(
    app: &App,
    caller: &Caller,
    done: Result<Executed<RuleReceipt>, RecycleError>,
) -> Result<(RecycleRuleDocument, Executed<RuleReceipt>), Problem> {
    let done = done.map_err(recycle_problem)?;
    app.writes.noted(caller.id, done.position);
    let RuleReceipt { rule, sequence } = done.result;
    let found = app.bus.load_at::<RecycleRule>(&StreamId::from(rule), sequence).await;
    let found = found.map_err(|error| load_problem(&error))?;
    let document = RecycleRuleDocument::of(rule, found.sequence, &found.state);
    Ok((document.ok_or_else(|| Problem::of(&problem::RECYCLE_RULE_NOT_FOUND))?, done))
}
