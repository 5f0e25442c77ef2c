//! What is shown of templates.

use application::access::Action;
use application::bus::{CommandBus as _, Versioned};
use application::forms::text_error;
use application::texts::{CATALOGUE, Language, Template, check};
use axum::extract::State;
use domain::notification::Priority;
use domain::template::{NoticeTemplate, Signed, Wording, Words};
use domain::{Actor, StreamId};
use serde::Serialize;
use utoipa::ToSchema;

use super::TemplatePath;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::refusals::load_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;
use crate::http::users::permitted;

const LISTED: Text = Text::new("获取通知模板列表成功", "Here are the templates");
const SHOWN: Text = Text::new("获取通知模板成功", "Here is the template");

/// One template in the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateSummary {
    /// Name of the template.
    key: &'static str,
    /// The notification type; a type can have two templates.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The Chinese title people read.
    title: String,
    /// `HIGH`, `MEDIUM` or `LOW`.
    #[schema(value_type = String)]
    priority: Priority,
    /// Number of the words people read.
    version: i64,
    /// Whether these are the words of the code.
    built_in: bool,
    /// Whether there is a draft.
    has_draft: bool,
}

/// A template with everything that was written.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateView {
    /// What the list shows.
    #[serde(flatten)]
    summary: TemplateSummary,
    /// Ant Design name of the icon.
    icon: &'static str,
    /// Colour of the icon.
    color: &'static str,
    /// Path it leads to, with placeholders.
    action_url: &'static str,
    /// The variables the words can use.
    variables: &'static [&'static str],
    /// What people read.
    #[schema(value_type = super::WordingBody)]
    current: Wording,
    /// The words of the code.
    built_in_words: VersionView,
    /// What was written and not yet published.
    draft: Option<DraftView>,
    /// What was published, the newest first.
    versions: Vec<VersionView>,
}

/// Words with their number.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionView {
    /// Their number.
    version: i64,
    /// The words.
    #[schema(value_type = super::WordingBody)]
    wording: Wording,
    /// Who published them: an id of staff, or a part of the system; `null` for the code's own.
    by: Option<String>,
    /// When.
    #[schema(value_type = Option<DateTime<Utc>>)]
    at: Option<Millis>,
}

/// Words that nobody reads yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DraftView {
    /// The words.
    #[schema(value_type = super::WordingBody)]
    wording: Wording,
    /// Who wrote them.
    by: String,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    at: Millis,
    /// What keeps them from publication.
    problems: Vec<DraftProblem>,
}

/// Something that keeps a draft from publication.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DraftProblem {
    /// The place: `zh-CN.title`.
    path: String,
    /// The rule, for programs.
    code: &'static str,
    /// In Chinese.
    message: String,
    /// In English.
    message_en: String,
}

/// Lists every template.
#[utoipa::path(
    get, path = "/api/notifications/templates", operation_id = "list_templates", tag = "notifications",
    responses(
        (status = 200, description = "The templates", body = Enveloped<Vec<TemplateSummary>>),
        schemas::ReadProblems
    )
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let streams: Vec<StreamId> = CATALOGUE.iter().map(|template| StreamId::template(template.key)).collect();
    let found = app.bus.load_many::<NoticeTemplate>(&streams).await.map_err(|error| load_problem(&error))?;
    let rows = CATALOGUE.iter().zip(&found).map(|(template, found)| summary(template, &found.state));
    Answer::ok(LISTED, &rows.collect::<Vec<_>>())
}

/// Shows one template: what people read, the draft with what keeps it from publication, every version.
#[utoipa::path(
    get, path = "/api/notifications/templates/{key}", operation_id = "show_template", tag = "notifications",
    params(("key" = String, Path, description = "Name of the template, e.g. `ASSIGNED`")),
    responses(
        (status = 200, description = "The template", body = Enveloped<TemplateView>),
        schemas::ReadProblems
    )
)]
pub async fn detail(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    path: TemplatePath,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::SetNotices)?;
    let template = path.known()?;
    let found = app.bus.load::<NoticeTemplate>(&StreamId::template(template.key)).await;
    shown(SHOWN, template, &found.map_err(|error| load_problem(&error))?)
}

/// The answer that shows a template.
pub(super) fn shown(
    text: Text,
    template: &'static Template,
    found: &Versioned<NoticeTemplate>,
) -> Result<Answer, Problem> {
    Ok(Answer::ok(text, &TemplateView::of(template, &found.state))?.version(found.sequence))
}

fn summary(template: &'static Template, state: &NoticeTemplate) -> TemplateSummary {
    let published = state.published();
    let title = published.map_or(template.words(Language::ZhCn).title, |(_, words)| &words.zh_cn.title);
    TemplateSummary {
        key: template.key,
        kind: template.kind,
        title: title.to_owned(),
        priority: template.priority,
        version: published.map_or(template.version, |(version, _)| version),
        built_in: published.is_none(),
        has_draft: state.draft.is_some(),
    }
}

impl TemplateView {
    /// A template as its events left it.
    pub(crate) fn of(template: &'static Template, state: &NoticeTemplate) -> Self {
        let version = |(version, signed): (&i64, &Signed)| VersionView {
            version: *version,
            wording: signed.wording.clone(),
            by: Some(actor(&signed.by)),
            at: Some(Millis(signed.at)),
        };
        let built_in = template.wording();
        Self {
            summary: summary(template, state),
            icon: template.icon,
            color: template.color,
            action_url: template.action_url,
            variables: template.variables,
            current: state.published().map_or_else(|| built_in.clone(), |(_, words)| words.clone()),
            built_in_words: VersionView { version: template.version, wording: built_in, by: None, at: None },
            draft: state.draft.as_ref().map(|draft| DraftView {
                wording: draft.wording.clone(),
                by: actor(&draft.by),
                at: Millis(draft.at),
                problems: problems(template, &draft.wording),
            }),
            versions: state.versions.iter().rev().map(version).collect(),
        }
    }
}

/// What the command line prints.
impl TemplateView {
    pub(crate) fn summary(&self) -> &TemplateSummary {
        &self.summary
    }

    pub(crate) fn version(&self) -> i64 {
        self.summary.version
    }

    pub(crate) fn is_built_in(&self) -> bool {
        self.summary.built_in
    }

    pub(crate) fn has_draft(&self) -> bool {
        self.summary.has_draft
    }

    /// The words people read, and those of the draft, with a name for each.
    pub(crate) fn readings(&self) -> Vec<(&'static str, &Words)> {
        let draft = self.draft.iter();
        let draft = draft.flat_map(|d| [("draft zh-CN", &d.wording.zh_cn), ("draft en", &d.wording.en)]);
        [("zh-CN", &self.current.zh_cn), ("en", &self.current.en)].into_iter().chain(draft).collect()
    }

    /// What keeps the draft from publication, in English.
    pub(crate) fn draft_problems(&self) -> impl Iterator<Item = &str> {
        self.draft.iter().flat_map(|draft| &draft.problems).map(|problem| problem.message_en.as_str())
    }

    /// The numbers of the published versions, the newest first.
    pub(crate) fn published_versions(&self) -> String {
        self.versions.iter().map(|version| version.version.to_string()).collect::<Vec<_>>().join(", ")
    }
}

fn problems(template: &Template, wording: &Wording) -> Vec<DraftProblem> {
    check(template, wording)
        .iter()
        .map(|fault| text_error(template, fault))
        .map(|error| DraftProblem {
            code: error.rule.code(),
            path: error.path,
            message: error.message_zh,
            message_en: error.message_en,
        })
        .collect()
}

fn actor(actor: &Actor) -> String {
    match actor {
        Actor::Staff(id) => id.to_string(),
        Actor::System(name) => name.clone(),
    }
}
