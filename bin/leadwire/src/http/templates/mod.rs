//! `/api/notifications/templates`: the words of notices. Drafted, looked at with real data, published, rolled back
//! (notifications.md section 2).

pub mod edit;
pub mod preview;
pub mod view;

use application::bus::ExecuteError;
use application::forms::text_error;
use application::texts::{self, Template, TemplateRefusal};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::template::{TemplateError, WordsFault};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use edit::{WordingBody, WordsBody};
pub use preview::{NotShown, PreviewBody, PreviewView, shown};
pub use view::{TemplateSummary, TemplateView};

use super::problem::{self, Problem};
use super::refusals::execute_problem;
use super::text::Text;
use crate::app::SharedApp;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(view::list))
        .routes(routes!(view::detail, edit::draft))
        .routes(routes!(preview::preview))
        .routes(routes!(edit::publish))
        .routes(routes!(edit::roll_back))
}

/// The template that the path names.
#[derive(Debug, Clone, Copy)]
pub struct TemplatePath(pub &'static Template);

impl FromRequestParts<SharedApp> for TemplatePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::TEMPLATE_NOT_FOUND);
        let Path(key) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        texts::template(&key).map(Self).ok_or_else(unknown)
    }
}

/// Why a template was not changed.
fn template_problem(template: &Template, error: ExecuteError<TemplateRefusal>) -> Problem {
    let ExecuteError::Refused(refusal) = error else { return execute_problem(error) };
    match &refusal {
        TemplateRefusal::Unfit(faults) => {
            Problem::fields(faults.iter().map(|fault| text_error(template, fault)).collect())
        }
        TemplateRefusal::Rule(TemplateError::Words { language, part, fault }) => {
            let fault: WordsFault = *fault;
            let rule = texts::TextRule::Words(fault);
            let fault = texts::TextFault { language: *language, part: *part, rule };
            Problem::fields(vec![text_error(template, &fault)])
        }
        TemplateRefusal::Rule(TemplateError::NoDraft) => Problem::of(&problem::NO_DRAFT),
        TemplateRefusal::Rule(TemplateError::NoSuchVersion) => {
            Problem::of(&problem::TEMPLATE_VERSION_NOT_FOUND)
        }
        TemplateRefusal::Stale { sequence } => Problem::of(&problem::VERSION_CONFLICT)
            .text(Text::with(refusal.to_string(), "Somebody else has changed this template, please reload"))
            .details(json!({ "version": sequence })),
    }
}
