//! `/api/notifications`: system A's four routes, and what a reader may do besides. Everybody reads the own inbox only;
//! another system may order notices and reads none.

pub mod decisions;
mod document;
pub mod list;
pub mod marks;
pub mod request;
pub mod shapes;
pub mod undo;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::{NotificationId, StaffId};
use projections::ReadModel;
use projections::queries::inbox::{self as query, Notice};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use document::{Notification, Origin};

use super::problem::{self, Problem};
use super::refusals::db_problem;
use crate::app::{App, SharedApp};

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list::list, request::order))
        .routes(routes!(list::unread_count))
        .routes(routes!(decisions::decisions))
        .routes(routes!(list::detail))
        .routes(routes!(marks::mark_read))
        .routes(routes!(marks::mark_all_read))
        .routes(routes!(marks::archive))
        .routes(routes!(marks::unarchive))
        .routes(routes!(marks::snooze))
        .routes(routes!(undo::undo))
}

/// The notification that the path names. What is no id names none: 404.
#[derive(Debug, Clone, Copy)]
pub struct NoticePath(pub NotificationId);

impl FromRequestParts<SharedApp> for NoticePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::NOTIFICATION_NOT_FOUND);
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

/// A notification of the reader's own; another's does not exist.
async fn own(app: &App, reader: StaffId, id: NotificationId) -> Result<Notice, Problem> {
    let found = query::by_id(&app.db, reader, id).await.map_err(|error| db_problem(&error))?;
    found.ok_or_else(|| Problem::of(&problem::NOTIFICATION_NOT_FOUND))
}

/// The read model that all of this is about.
const INBOX: ReadModel = ReadModel::Inbox;
