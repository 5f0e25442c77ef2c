//! Read and write rules.

use std::collections::BTreeSet;

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, Versioned};
use application::forms;
use application::transfers::{self, Overlap, RuleReceipt};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::transfer_rule::{TargetModule, TransferRule};
use domain::{StreamId, TransferRuleId};
use projections::ReadModel;
use projections::queries::transfers as query;
use utoipa::IntoParams;

use super::bodies::{TransferCreateRuleBody, TransferToggleBody, TransferUpdateRuleBody};
use super::document::{Figures, TransferRuleDocument, named};
use super::{RuleIdPath, RulePath, permitted, rule_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::{Answer, X_POSITION};
use crate::http::command::CommandRequest;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取流转规则列表成功", "Here are the transfer rules");
const SHOWN: Text = Text::new("获取流转规则成功", "Here is the transfer rule");
const CREATED: Text = Text::new("流转规则创建成功", "The transfer rule was created");
const UPDATED: Text = Text::new("流转规则更新成功", "The transfer rule was changed");
const ENABLED: Text = Text::new("规则已启用", "The rule is on");
const DISABLED: Text = Text::new("规则已禁用", "The rule is off");

/// Parameters of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct RuleListQuery {
    /// `customer` or `training`; all of them when missing.
    target_module: Option<String>,
}

/// Every rule, newest first.
#[utoipa::path(
    get, path = "/api/lead-transfer/rules", operation_id = "list_transfer_rules", tag = "lead transfer",
    params(RuleListQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The rules", body = Enveloped<Vec<TransferRuleDocument>>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRules)?;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION); // read by its own extractor
    let module = parameters.code("targetModule", TargetModule::ALL);
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::TransferRules, min).await;
    let rows = query::rules(&app.db, module).await.map_err(|error| db_problem(&error))?;
    let people =
        People::find(&app, rows.iter().flat_map(|row| named(&row.rule)).collect::<BTreeSet<_>>()).await?;
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        let quotas = query::quotas(&app.db, row.id).await.map_err(|error| db_problem(&error))?;
        let figures = Figures { statistics: row.statistics, quotas };
        documents.extend(TransferRuleDocument::of(row.id, &row.rule, &figures, &people));
    }
    Ok(Answer::ok(LISTED, &documents)?.read_at(stale))
}

/// One rule.
#[utoipa::path(
    get, path = "/api/lead-transfer/rules/{id}", operation_id = "get_transfer_rule", tag = "lead transfer",
    params(RuleIdPath, schemas::ReadHeaders),
    responses((status = 200, description = "The rule", body = Enveloped<TransferRuleDocument>), schemas::ReadProblems)
)]
pub async fn detail(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RulePath(id): RulePath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRules)?;
    let stale = fresh(&app, &caller, ReadModel::TransferRules, min).await;
    let found =
        app.bus.load::<TransferRule>(&StreamId::from(id)).await.map_err(|error| load_problem(&error))?;
    let document = document(&app, id, &found).await?;
    Ok(Answer::ok(SHOWN, &document)?.version(found.sequence).read_at(stale))
}

/// Writes a rule. The answer names the other rules that may take the same leads.
#[utoipa::path(
    post, path = "/api/lead-transfer/rules", operation_id = "create_transfer_rule", tag = "lead transfer",
    params(schemas::CommandHeaders),
    request_body = TransferCreateRuleBody,
    responses((status = 201, description = "The rule", body = Enveloped<TransferRuleDocument>), schemas::CommandProblems)
)]
pub async fn create(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditTransferRules)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::CreateTransferRule::parse(request.body).map_err(Problem::fields)?;
    let id = TransferRuleId(app.ids.next());
    let written = transfers::create_rule(&app.bus, &context, &caller, id, &form.wanted).await;
    saved(&app, &caller, written.map_err(rule_problem)?, Answer::created, CREATED).await
}

/// Changes a rule. Balances stay. The answer names the other rules that may take the same leads.
#[utoipa::path(
    patch, path = "/api/lead-transfer/rules/{id}", operation_id = "update_transfer_rule", tag = "lead transfer",
    params(RuleIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = TransferUpdateRuleBody,
    responses((status = 200, description = "The rule", body = Enveloped<TransferRuleDocument>), schemas::CommandProblems)
)]
pub async fn update(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RulePath(id): RulePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditTransferRules)?;
    let (context, expected) = (request.context(&app, &caller, &[id.to_string()]), request.expected);
    let form = forms::ReviseTransferRule::parse(request.body).map_err(Problem::fields)?;
    let written = transfers::revise_rule(&app.bus, &context, &caller, id, &form.wanted, expected).await;
    saved(&app, &caller, written.map_err(rule_problem)?, Answer::ok, UPDATED).await
}

/// Lets a rule run, or not.
#[utoipa::path(
    patch, path = "/api/lead-transfer/rules/{id}/toggle", operation_id = "toggle_transfer_rule",
    tag = "lead transfer",
    params(RuleIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    request_body = TransferToggleBody,
    responses((status = 200, description = "The rule", body = Enveloped<TransferRuleDocument>), schemas::CommandProblems)
)]
pub async fn toggle(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RulePath(id): RulePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditTransferRules)?;
    let (context, expected) = (request.context(&app, &caller, &[id.to_string()]), request.expected);
    let enabled = forms::ToggleTransferRule::parse(request.body).map_err(Problem::fields)?.enabled;
    let written = transfers::toggle_rule(&app.bus, &context, &caller, id, enabled, expected).await;
    let text = if enabled { ENABLED } else { DISABLED };
    saved(&app, &caller, written.map_err(rule_problem)?, Answer::ok, text).await
}

/// Takes a rule away; its runs and records stay.
#[utoipa::path(
    delete, path = "/api/lead-transfer/rules/{id}", operation_id = "delete_transfer_rule", tag = "lead transfer",
    params(RuleIdPath, schemas::CommandHeaders, schemas::VersionHeader),
    responses((status = 204, description = "It is gone"), schemas::CommandProblems)
)]
pub async fn delete(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RulePath(id): RulePath,
    request: CommandRequest,
) -> Result<Response, Problem> {
    permitted(&caller, Action::EditTransferRules)?;
    let (context, expected) = (request.context(&app, &caller, &[id.to_string()]), request.expected);
    forms::Empty::parse(request.body).map_err(Problem::fields)?;
    let written = transfers::delete_rule(&app.bus, &context, &caller, id, expected).await;
    let position = written.map_err(rule_problem)?.position;
    app.writes.noted(caller.id, position);
    Ok((StatusCode::NO_CONTENT, [(X_POSITION, HeaderValue::from(position))]).into_response())
}

/// The rule as its command left it, and whom it meets.
async fn saved(
    app: &App,
    caller: &Caller,
    written: application::bus::Executed<RuleReceipt>,
    status: impl FnOnce(Text, &TransferRuleDocument) -> Result<Answer, Problem>,
    text: Text,
) -> Result<Answer, Problem> {
    let RuleReceipt { rule: id, sequence } = written.result;
    app.writes.noted(caller.id, written.position);
    let found = app.bus.load_at::<TransferRule>(&StreamId::from(id), sequence).await;
    let found = found.map_err(|error| load_problem(&error))?;
    // The other rules may have been written a moment ago.
    fresh(app, caller, ReadModel::TransferRules, MinPosition::default()).await;
    let overlaps = overlaps(app, id, &found.state).await?;
    let document = document(app, id, &found).await?.overlapping(&overlaps);
    let answer = status(warned(text, &overlaps), &document)?;
    Ok(answer.version(sequence).written(written.position, written.replayed))
}

async fn overlaps(app: &App, id: TransferRuleId, rule: &TransferRule) -> Result<Vec<Overlap>, Problem> {
    let Some(text) = rule.text.as_ref().filter(|_| rule.enabled) else { return Ok(vec![]) };
    let others = query::rules(&app.db, Some(text.target_module)).await.map_err(|error| db_problem(&error))?;
    let others: Vec<TransferRuleId> = others.into_iter().map(|row| row.id).collect();
    transfers::overlaps(&app.bus, id, text, &others).await.map_err(|error| load_problem(&error))
}

/// The words with the names of the rules that want the same leads.
fn warned(text: Text, overlaps: &[Overlap]) -> Text {
    if overlaps.is_empty() {
        return text;
    }
    let names: Vec<&str> = overlaps.iter().map(|overlap| overlap.name.as_str()).collect();
    Text::with(
        format!("{}，但与以下规则的流转范围重叠：{}", text.zh, names.join("、")),
        format!("{}, but these rules may take the same leads: {}", text.en, names.join(", ")),
    )
}

async fn document(
    app: &App,
    id: TransferRuleId,
    found: &Versioned<TransferRule>,
) -> Result<TransferRuleDocument, Problem> {
    let row = query::rule(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let quotas = query::quotas(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let figures = Figures { statistics: row.map(|row| row.statistics).unwrap_or_default(), quotas };
    let people = People::find(app, named(&found.state)).await?;
    let document = TransferRuleDocument::of(id, &found.state, &figures, &people);
    document.ok_or_else(|| Problem::of(&problem::TRANSFER_RULE_NOT_FOUND))
}
