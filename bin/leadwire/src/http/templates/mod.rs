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

/// The template that the path names, if there is one. Asked for with `known` once it is clear that the
/// caller may know, and that the body can be read.
#[derive(Debug, Clone, Copy)]
pub struct TemplatePath(Option<&'static Template>);

impl TemplatePath {
    /// The template, or 404.
    pub(super) fn known(self) -> Result<&'static Template, Problem> {
        self.0.ok_or_else(|| Problem::of(&problem::TEMPLATE_NOT_FOUND))
    }
}

impl FromRequestParts<SharedApp> for TemplatePath {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Self::Rejection> {
        let key = Path::<String>::from_request_parts(parts, app).await;
        Ok(Self(key.ok().and_then(|Path(key)| texts::template(&key))))
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
