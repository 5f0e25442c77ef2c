//! Who would fall by a rule, before it is kept.

use application::access::Action;
use application::forms;
use application::recycling::{self as use_case, Draft};
use axum::extract::State;
use domain::RecycleRuleId;

use super::shapes::{PreviewRecycleRuleBody, RecyclePreviewDocument};
use super::{may, recycle_problem};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::lifecycle::recycling;

const SHOWN: Text = Text::new("回收规则预览成功", "This is who would lose what");

/// Tries a rule among all the others, as if it were kept and on, or, with `"enabled": false`, off. Nothing is written.
#[utoipa::path(
    post, path = "/api/recycle-rules/preview", operation_id = "preview_recycle_rule", tag = "public pool",
    request_body = PreviewRecycleRuleBody,
    responses(
        (status = 200, description = "Who would lose what", body = Enveloped<RecyclePreviewDocument>),
        schemas::CommandProblems
    )
)]
pub(super) async fn preview(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewRecycleRules)?;
    let request = request.without_version()?;
    let form = forms::PreviewRecycleRule::parse(request.body).map_err(Problem::fields)?;
    let rule = form.rule.unwrap_or_else(|| RecycleRuleId(app.ids.next()));
    let enabled = form.enabled.unwrap_or(true);
    let draft = Draft { rule, text: form.text, enabled, until: form.until };
    let leads = recycling::leads(&app);
    let shown = use_case::preview(recycling::stores(&app, &leads), &caller, draft).await;
    let shown = shown.map_err(recycle_problem)?;
    let owners = shown.people.iter().map(|(staff, _)| *staff);
    let owners: Vec<_> = owners.chain(shown.behind.iter().map(|one| one.owner)).collect();
    let people = People::find(&app, owners).await?;
    Answer::ok(SHOWN, &RecyclePreviewDocument::of(&shown, &people))
}
