//! What somebody would read. Nothing is written and nobody is told.

use std::borrow::Cow;

use application::access::Action;
use application::bus::CommandBus as _;
use application::forms::{self, FieldError, PreviewTemplate, PreviewVersion, text_error};
use application::texts::{Language, MissingVariable, Template, Variables, Worded, check, render, samples};
use axum::extract::State;
use domain::StreamId;
use domain::notification::Message;
use domain::template::{NoticeTemplate, Wording};
use infrastructure::bus::Bus;
use projections::policy_runner::{PreviewError, preview_of_event};
use serde::Serialize;
use serde_json::Map;
use utoipa::ToSchema;

use super::TemplatePath;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::users::permitted;

const PREVIEWED: Text = Text::new("模板预览成功", "This is what a reader would see");

/// What a preview shows.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewBody {
    /// `zh-CN` when missing, or `en`.
    pub locale: Option<String>,
    /// Number of the words; the draft when missing, or what is read now when there is none.
    #[schema(minimum = 1)]
    pub version: Option<i64>,
    /// An event whose data is shown, as it was when it happened.
    pub event_id: Option<uuid::Uuid>,
    /// Values for variables instead of the samples; not with `eventId`.
    pub variables: Option<std::collections::BTreeMap<String, String>>,
}

/// What somebody would read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviewView {
    /// Number of the words; `null` for the draft.
    pub version: Option<i64>,
    /// The language.
    #[schema(value_type = String)]
    pub locale: Language,
    /// First line.
    pub title: String,
    /// The text.
    pub content: String,
    /// Words on the button.
    pub action_text: String,
    /// Path it leads to.
    pub action_url: String,
}

/// Shows what a reader would see, with the data of an event that happened or with samples.
#[utoipa::path(
    post, path = "/api/notifications/templates/{key}/preview", operation_id = "preview_template",
    tag = "notifications",
    params(("key" = String, Path, description = "Name of the template, e.g. `ASSIGNED`")),
    request_body(content = Option<PreviewBody>),
    responses(
        (status = 200, description = "The message", body = Enveloped<PreviewView>),
        schemas::CommandProblems
    )
)]
pub async fn preview(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: TemplatePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let template = path.known()?;
    let request = request.without_version()?;
    let form = forms::PreviewTemplate::parse(request.body, template).map_err(Problem::fields)?;
    let state = app.bus.load::<NoticeTemplate>(&StreamId::template(template.key)).await;
    let state = state.map_err(|error| load_problem(&error))?.state;
    let view = shown(&app.bus, &state, template, &form).await.map_err(not_shown)?;
    Answer::ok(PREVIEWED, &view)
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    /// The words cannot be filled; every place is named.
    #[error("the words cannot be filled")]
    Unfit(Vec<FieldError>),
    /// No words have this number.
    #[error("the template has no such version")]
    NoVersion,
    /// The event does not help.
    #[error(transparent)]
    Event(#[from] PreviewError),
}

/// What somebody would read: with the data of an event when the form names one, else with its values and samples.
pub async fn shown(
    bus: &Bus,
    state: &NoticeTemplate,
    template: &'static Template,
    form: &PreviewTemplate,
) -> Result<PreviewView, NotShown> {
    let (version, wording) = chosen(template, state, form.version).ok_or(NotShown::NoVersion)?;
    let message = match form.event {
        Some(event) => preview_of_event(bus, (template, &wording, form.locale), event).await,
        None => of_samples(template, &wording, form).map_err(PreviewError::Text),
    };
    let message = message.map_err(|error| match error {
        PreviewError::Text(_) => NotShown::Unfit(unfit(template, &wording)),
        other => NotShown::Event(other),
    })?;
    let Message { title, content, action_text, action_url, .. } = message;
    Ok(PreviewView { version, locale: form.locale, title, content, action_text, action_url })
}

/// The words to show, with their number; `None` when no words have it.
fn chosen(
    template: &Template,
    state: &NoticeTemplate,
    version: PreviewVersion,
) -> Option<(Option<i64>, Wording)> {
    match (version, &state.draft, state.published()) {
        (PreviewVersion::Latest, Some(draft), _) => Some((None, draft.wording.clone())),
        (PreviewVersion::Latest, None, Some((version, wording))) => Some((Some(version), wording.clone())),
        (PreviewVersion::Latest, None, None) => Some((Some(template.version), template.wording())),
        (PreviewVersion::Numbered(version), ..) if version == template.version => {
            Some((Some(version), template.wording()))
        }
        (PreviewVersion::Numbered(version), ..) => {
            state.versions.get(&version).map(|signed| (Some(version), signed.wording.clone()))
        }
    }
}

/// The message with samples, or with the values that were sent.
fn of_samples(
    template: &Template,
    wording: &Wording,
    form: &PreviewTemplate,
) -> Result<Message, MissingVariable> {
    let mut variables: Variables<'_> = samples(template);
    for name in template.variables {
        if let Some(value) = form.variables.get(*name) {
            variables.insert(name, Cow::Borrowed(value));
        }
    }
    let worded = Worded { template, version: template.version, published: Some(wording) };
    render(worded, form.locale, &variables, Map::new())
}

/// Why words cannot be shown: the same answer as to a publication.
fn unfit(template: &Template, wording: &Wording) -> Vec<FieldError> {
    check(template, wording).iter().map(|fault| text_error(template, fault)).collect()
}

fn not_shown(error: NotShown) -> Problem {
    match error {
        NotShown::Unfit(errors) => Problem::fields(errors),
        NotShown::NoVersion => Problem::of(&problem::TEMPLATE_VERSION_NOT_FOUND),
        NotShown::Event(PreviewError::NoEvent) => Problem::of(&problem::EVENT_NOT_FOUND),
        NotShown::Event(PreviewError::Db(error)) => db_problem(&error),
        NotShown::Event(PreviewError::Load(error)) => load_problem(&error),
        // Words that cannot be filled were told above.
        NotShown::Event(PreviewError::NotTold | PreviewError::Text(_)) => {
            Problem::of(&problem::EVENT_NOT_TOLD)
        }
    }
}
