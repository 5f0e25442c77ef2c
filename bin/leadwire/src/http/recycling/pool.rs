//! The rules of the public pool: what was set, and what it comes to with the configuration.

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, Versioned};
use application::forms;
use application::recycling as use_case;
use axum::extract::State;
use domain::StreamId;
use domain::pool_rules::PoolRules;

use super::shapes::{PoolRulesDocument, PoolRulesView};
use super::{may, recycle_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::load_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const SHOWN: Text = Text::new("获取公海规则成功", "Here are the rules of the pool");
const SET: Text = Text::new("公海规则已保存", "The rules of the pool were saved");

/// Shows the rules.
#[utoipa::path(
    get, path = "/api/pool-rules", operation_id = "show_pool_rules", tag = "public pool",
    responses(
        (status = 200, description = "The rules", body = Enveloped<PoolRulesView>),
        schemas::ReadProblems
    )
)]
pub(super) async fn show(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewRecycleRules)?;
    let found = app.bus.load::<PoolRules>(&StreamId::pool_rules()).await;
    answer(&app, &caller, SHOWN, &found.map_err(|error| load_problem(&error))?).await
}

/// Replaces the rules as a whole; what is missing is left to the configuration. They hold for every command from now on.
#[utoipa::path(
    put, path = "/api/pool-rules", operation_id = "set_pool_rules", tag = "public pool",
    params(schemas::CommandHeaders, schemas::VersionHeader),
    request_body = PoolRulesDocument,
    responses(
        (status = 200, description = "The rules", body = Enveloped<PoolRulesView>),
        schemas::CommandProblems
    )
)]
pub(super) async fn set(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::EditRecycleRules)?;
    let context = request.context(&app, &caller, &[]);
    let expected = request.expected;
    let form = forms::SetPoolRules::parse(request.body).map_err(Problem::fields)?;
    let done = use_case::set_pool_rules(&app.bus, &caller, &context, &form.text, expected).await;
    let done = done.map_err(recycle_problem)?;
    app.writes.noted(caller.id, done.position);
    let found = app.bus.load_at::<PoolRules>(&StreamId::pool_rules(), done.result.sequence).await;
    let found = found.map_err(|error| load_problem(&error))?;
    Ok(answer(&app, &caller, SET, &found).await?.written(done.position, done.replayed))
}

async fn answer(
    app: &App,
    caller: &Caller,
    text: Text,
    found: &Versioned<PoolRules>,
) -> Result<Answer, Problem> {
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    let view = PoolRulesView::of(caller, &found.state, &limits);
    Ok(Answer::ok(text, &view)?.version(found.sequence))
}
