//! Taking back what was done a moment ago.

use application::forms;
use application::inbox;
use axum::extract::State;
use domain::inbox::Reading;

use super::shapes::{UndoBody, Undone};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::refusals::inbox_problem;
use crate::http::schemas::{self, Enveloped, ProblemSchema};
use crate::http::text::Text;

const UNDONE: Text = Text::new("操作已撤销", "It was undone");

/// Takes back what an answer gave an `undoToken` for: what it turned is as it was, unless it was turned again since.
#[utoipa::path(
    post, path = "/api/notifications/undo", operation_id = "undo_notifications", tag = "notifications",
    params(schemas::CommandHeaders),
    request_body = UndoBody,
    responses(
        (status = 200, description = "What was taken back", body = Enveloped<Undone>),
        (status = 410, description = "Too late: 10 seconds have passed", body = ProblemSchema,
            content_type = "application/problem+json"),
        schemas::CommandProblems
    )
)]
pub async fn undo(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[]);
    let form = forms::Undo::parse(request.body).map_err(Problem::fields)?;
    let token = form.token.ok_or_else(|| Problem::of(&problem::UNDO_TOKEN_UNKNOWN))?;
    let executed = inbox::undo(&app.bus, &context, caller.id, token).await.map_err(inbox_problem)?;
    app.writes.noted(caller.id, executed.position);
    let undone = Undone { undone: executed.result.reading.map(Reading::as_str) };
    Ok(Answer::ok(UNDONE, &undone)?.written(executed.position, executed.replayed))
}
