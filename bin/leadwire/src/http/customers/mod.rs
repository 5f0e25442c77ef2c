//! `/api/customers`: one file an endpoint.

pub mod assign;
pub mod assignable;
pub mod batch;
pub mod create;
pub mod detail;
pub mod document;
pub mod enums;
pub mod follow_up;
pub mod import;
pub mod import_template;
pub mod import_upload;
pub mod list;
pub mod logs;
pub mod notice;
pub mod reachability;
pub mod reads;
pub mod release;
pub mod treat;
pub mod update;
pub mod website;
pub mod written;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::CustomerId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{self, Problem};
use crate::app::SharedApp;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(enums::enums))
        .routes(routes!(assignable::assignable_users))
        .routes(routes!(batch::batch_assign))
        .routes(routes!(batch::assign_from_pool))
        .routes(routes!(batch::claim))
        .routes(routes!(batch::batch_release))
        .routes(routes!(website::website_lead))
        .merge(import::routes())
        .routes(routes!(import_template::import_template))
        .routes(routes!(detail::detail, update::update, treat::delete))
        .routes(routes!(create::create_from_mini_program))
        .routes(routes!(update::update_from_mini_program))
        .routes(routes!(assign::assign))
        .routes(routes!(assign::assign_from_mini_program))
        .routes(routes!(release::release))
        .routes(routes!(release::release_from_mini_program))
        .routes(routes!(treat::freeze))
        .routes(routes!(treat::unfreeze))
        .routes(routes!(treat::auto_transfer))
        .routes(routes!(treat::sync_lead_level_o))
        .routes(routes!(follow_up::record))
        .routes(routes!(follow_up::record_from_mini_program))
        .routes(routes!(logs::assignment_logs))
        .routes(routes!(logs::assignment_logs_in_mini_program))
        .merge(reads::routes())
}

/// The customer that the path names. What is no id names nobody: 404.
#[derive(Debug, Clone, Copy)]
pub struct CustomerPath(pub CustomerId);

impl FromRequestParts<SharedApp> for CustomerPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::CUSTOMER_NOT_FOUND);
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}
