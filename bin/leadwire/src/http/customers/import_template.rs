//! The file that people fill in to import customers.

use application::bus::ExecuteError;
use application::imports;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use infrastructure::spreadsheet;

use crate::auth::Authenticated;
use crate::http::problem::{self, Problem};
use crate::http::refusals::import_problem;
use crate::http::schemas;

/// The media type of an `.xlsx`.
const XLSX: HeaderValue =
    HeaderValue::from_static("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");

/// Its name, for browsers that know Chinese names and for those that do not.
const NAME: HeaderValue = HeaderValue::from_static(
    "attachment; filename=\"customer-import-template.xlsx\"; \
     filename*=UTF-8''%E5%AE%A2%E6%88%B7%E5%AF%BC%E5%85%A5%E6%A8%A1%E6%9D%BF.xlsx",
);

/// An empty import file: titles, an example, lists to choose from, and a second sheet that explains.
#[utoipa::path(
    get, path = "/api/customers/import-template", operation_id = "import_template", tag = "customers",
    responses(
        (
            status = 200, description = "An .xlsx file", body = Vec<u8>,
            content_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        ),
        schemas::ReadProblems
    )
)]
pub async fn import_template(Authenticated(caller): Authenticated) -> Result<Response, Problem> {
    imports::may_import(&caller).map_err(|refusal| import_problem(ExecuteError::Refused(refusal)))?;
    let file = spreadsheet::template().map_err(|error| {
        tracing::error!(error = %error, "the import template cannot be made");
        Problem::of(&problem::INTERNAL)
    })?;
    Ok(([(header::CONTENT_TYPE, XLSX), (header::CONTENT_DISPOSITION, NAME)], file).into_response())
}
