//! Draft, publish, roll back.

use application::access::{Action, Caller};
use application::bus::{CommandBus as _, CommandContext};
use application::forms;
use application::texts::{Edit, Template, edit};
use axum::extract::State;
use domain::template::NoticeTemplate;
use domain::{Sequence, StreamId};
use utoipa::ToSchema;

use super::{TemplatePath, TemplateView, template_problem, view};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::load_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::users::permitted;

const DRAFTED: Text = Text::new("模板草稿已保存", "The draft was saved");
const PUBLISHED: Text = Text::new("模板已发布", "The template was published");
const ROLLED_BACK: Text = Text::new("模板已回滚", "The template was rolled back");

/// Words in both languages.
#[derive(ToSchema)]
pub struct WordingBody {
    /// Chinese.
    #[serde(rename = "zh-CN")]
    pub zh_cn: WordsBody,
    /// English.
    pub en: WordsBody,
}

/// Words in one language; `{{variable}}` stands for a value.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WordsBody {
    /// First line.
    #[schema(max_length = 128)]
    pub title: String,
    /// The text; at most 2048 bytes.
    #[schema(max_length = 2048)]
    pub content: String,
    /// Words on the button.
    #[schema(max_length = 32)]
    pub action_text: String,
}

/// Which words people read again.
#[derive(ToSchema)]
pub struct RollBackBody {
    /// A version that was published, or that of the code.
    #[schema(minimum = 1)]
    pub version: i64,
}

/// Writes new words. Nobody reads them before they are published.
#[utoipa::path(
    put, path = "/api/notifications/templates/{key}", operation_id = "draft_template", tag = "notifications",
    params(
        ("key" = String, Path, description = "Name of the template, e.g. `ASSIGNED`"),
        schemas::CommandHeaders, schemas::VersionHeader
    ),
    request_body = WordingBody,
    responses(
        (status = 200, description = "The template", body = Enveloped<TemplateView>),
        schemas::CommandProblems
    )
)]
pub async fn draft(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: TemplatePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let template = path.known()?;
    let (context, expected) = asked(&app, &caller, template, &request);
    let form = forms::DraftTemplate::parse(request.body).map_err(Problem::fields)?;
    carry_out(&app, &caller, template, (context, expected), Edit::Draft(form.wording), DRAFTED).await
}

/// Lets people read the draft. A variable that the template does not have, or a text that a provider would cut, is
/// refused here and not when a message is sent.
#[utoipa::path(
    post, path = "/api/notifications/templates/{key}/publish", operation_id = "publish_template",
    tag = "notifications",
    params(
        ("key" = String, Path, description = "Name of the template, e.g. `ASSIGNED`"),
        schemas::CommandHeaders, schemas::VersionHeader
    ),
    responses(
        (status = 200, description = "The template", body = Enveloped<TemplateView>),
        schemas::CommandProblems
    )
)]
pub async fn publish(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: TemplatePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let template = path.known()?;
    let (context, expected) = asked(&app, &caller, template, &request);
    forms::Empty::parse(request.body).map_err(Problem::fields)?;
    carry_out(&app, &caller, template, (context, expected), Edit::Publish, PUBLISHED).await
}

/// Lets people read earlier words again: published ones, or those of the code.
#[utoipa::path(
    post, path = "/api/notifications/templates/{key}/roll-back", operation_id = "roll_back_template",
    tag = "notifications",
    params(
        ("key" = String, Path, description = "Name of the template, e.g. `ASSIGNED`"),
        schemas::CommandHeaders, schemas::VersionHeader
    ),
    request_body = RollBackBody,
    responses(
        (status = 200, description = "The template", body = Enveloped<TemplateView>),
        schemas::CommandProblems
    )
)]
pub async fn roll_back(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: TemplatePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let template = path.known()?;
    let (context, expected) = asked(&app, &caller, template, &request);
    let form = forms::RollBackTemplate::parse(request.body).map_err(Problem::fields)?;
    carry_out(&app, &caller, template, (context, expected), Edit::RollBack(form.version), ROLLED_BACK).await
}

fn asked(
    app: &App,
    caller: &Caller,
    template: &Template,
    request: &CommandRequest,
) -> (CommandContext, Option<Sequence>) {
    (request.context(app, caller, &[template.key.to_owned()]), request.expected)
}

async fn carry_out(
    app: &App,
    caller: &Caller,
    template: &'static Template,
    (context, expected): (CommandContext, Option<Sequence>),
    wanted: Edit,
    text: Text,
) -> Result<Answer, Problem> {
    let executed = edit(&app.bus, &context, template, &wanted, expected).await;
    let executed = executed.map_err(|error| template_problem(template, error))?;
    app.writes.noted(caller.id, executed.position);
    let stream = StreamId::template(template.key);
    let found = app.bus.load_at::<NoticeTemplate>(&stream, executed.result.sequence).await;
    let found = found.map_err(|error| load_problem(&error))?;
    Ok(view::shown(text, template, &found)?.written(executed.position, executed.replayed))
}
