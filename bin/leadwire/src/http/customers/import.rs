//! Bring customers in a file.

use application::access::Caller;
use application::bus::ExecuteError;
use application::imports::{self as use_case, Checked, GoodRow, MissingColumns, Owners, RowError, Stores};
use axum::Extension;
use axum::extract::{DefaultBodyLimit, Request, State};
use domain::BatchId;
use infrastructure::spreadsheet::{self, SheetError};
use infrastructure::unique_values::StoredValues;
use projections::ReadModel;
use projections::queries::staff;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::import_upload::{Slots, Upload};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{db_problem, import_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};

/// The routes of an import: with a body limit and a number of slots of their own.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(import_excel))
        // The upload is read within its own limit; axum's would be smaller.
        .layer(DefaultBodyLimit::disable())
        .layer(Extension(Slots::default()))
}

/// How an import went, row by row.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Customers that were created.
    success: usize,
    /// Rows that were not.
    fail: usize,
    /// One line for people about each row that failed, in the order of the file.
    errors: Vec<String>,
    /// The same for programs.
    rows: Vec<RowReport>,
    /// Titles of columns that nothing was read from.
    ignored_columns: Vec<String>,
}

/// One row that was not imported.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowReport {
    /// Its number in the sheet; the header is 1.
    row: u32,
    /// Why, for programs.
    code: &'static str,
    /// Why, for people.
    message: String,
}

/// The upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "exists for the document only")]
struct ImportBody {
    /// `.xlsx`, `.xls` or `.csv`, at most 20 MiB and 20 000 rows.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
}

/// Creates a customer for every good row of a file, and says what is wrong with the others. Repeated with the same
/// key it carries on where it was cut off, or gives the first answer again.
#[utoipa::path(
    post, path = "/api/customers/import-excel", operation_id = "import_customers", tag = "customers",
    params(schemas::CommandHeaders),
    request_body(content = ImportBody, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "How each row went", body = Enveloped<ImportReport>),
        schemas::CommandProblems
    )
)]
pub async fn import_excel(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    Extension(slots): Extension<Slots>,
    request: Request,
) -> Result<Answer, Problem> {
    use_case::may_import(&caller).map_err(|refusal| import_problem(ExecuteError::Refused(refusal)))?;
    let _slot = slots.take()?;
    let language = Language::of(request.headers());
    let Upload { command, file } = Upload::receive(request, &app).await?;
    let context = command.without_version()?.context(&app, &caller, &[]);
    let Checked { good, mut refused, ignored } = judged(file).await?;
    let mut report = Report { success: 0, written: None };
    if !good.is_empty() {
        let rows = owners(&app, &caller, &good).await?.place(&caller, good);
        let import = use_case::Import { batch: BatchId(context.metadata.command.0), rows };
        let unique = StoredValues::new(app.db.clone());
        let (numbers, ids) = (app.numbers.as_ref(), app.ids.as_ref());
        let stores = Stores { bus: &app.bus, unique: &unique, numbers, ids };
        let imported = use_case::run(&stores, &caller, &context, &import).await.map_err(import_problem)?;
        app.writes.noted(caller.id, imported.position);
        report = Report { success: imported.created, written: Some((imported.position, imported.replayed)) };
        refused.extend(imported.refused);
    }
    refused.sort_by_key(|error| error.row);
    report.answer(&refused, ignored, language)
}

/// What was stored.
struct Report {
    success: usize,
    written: Option<(domain::Position, bool)>,
}

impl Report {
    fn answer(
        self,
        refused: &[RowError],
        ignored_columns: Vec<String>,
        language: Language,
    ) -> Result<Answer, Problem> {
        let row = |error: &RowError| {
            let (line, message) = match language {
                Language::Chinese => (error.zh(), error.refusal.zh()),
                Language::English => (error.en(), error.refusal.en()),
            };
            (line, RowReport { row: error.row, code: error.refusal.code(), message })
        };
        let (errors, rows) = refused.iter().map(row).unzip();
        let (success, fail) = (self.success, refused.len());
        let data = ImportReport { success, fail, errors, rows, ignored_columns };
        let text = Text::with(
            format!("导入完成：成功 {success} 条，失败 {fail} 条"),
            format!("Imported: {success} done, {fail} failed"),
        );
        let answer = Answer::ok(text, &data)?;
        Ok(match self.written {
            Some((position, replayed)) => answer.written(position, replayed),
            None => answer,
        })
    }
}

/// Reads and judges a file, where it may take its time.
async fn judged(file: Vec<u8>) -> Result<Checked, Problem> {
    let read = move || spreadsheet::read(&file).map(use_case::check);
    // The libraries may panic on what they did not expect: then the file is damaged.
    let read = tokio::task::spawn_blocking(read).await.unwrap_or(Err(SheetError::Damaged));
    read.map_err(unreadable)?.map_err(|missing| missing_columns(&missing))
}

/// The staff that rows name; nobody when no row names anybody.
async fn owners(app: &App, caller: &Caller, rows: &[GoodRow]) -> Result<Owners, Problem> {
    if rows.iter().all(|row| row.owner.is_none()) {
        return Ok(Owners::default());
    }
    fresh(app, caller, ReadModel::StaffDirectory, MinPosition::default()).await;
    let everybody = staff::all(&app.db).await.map_err(|error| db_problem(&error))?;
    Ok(Owners::of(everybody.iter().map(|row| (row.id, row.username(), row.name()))))
}

fn unreadable(error: SheetError) -> Problem {
    let (zh, en) = match error {
        SheetError::Empty => ("文件为空", "The file is empty"),
        SheetError::UnknownFormat => (
            "不支持的文件格式，请上传 .xlsx、.xls 或 .csv 文件",
            "Only .xlsx, .xls and .csv files can be imported",
        ),
        SheetError::Protected => {
            ("文件有密码保护，请取消密码后再上传", "The file is protected by a password")
        }
        SheetError::Damaged => ("文件已损坏，无法读取", "The file is damaged and cannot be read"),
        SheetError::TooLarge { what, max } => {
            let text = Text::with(format!("文件过大（{}：最多 {max}）", what.label()), error_text(error));
            let details = json!({ "limit": what.as_str(), "max": max });
            return Problem::of(&problem::PAYLOAD_TOO_LARGE).text(text).details(details);
        }
    };
    Problem::of(&problem::UNREADABLE_FILE).text(Text::new(zh, en))
}

fn error_text(error: SheetError) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn missing_columns(missing: &MissingColumns) -> Problem {
    let titles = missing.0.join(", ");
    Problem::of(&problem::MISSING_COLUMNS)
        .text(Text::with(missing.to_string(), format!("Required columns are missing: {titles}")))
        .details(json!({ "columns": missing.0 }))
}

#[cfg(test)]
mod tests {
    use application::imports::ROWS_MAX;
    use infrastructure::spreadsheet::FILE_BYTES_MAX;
    use utoipa::PartialSchema as _;

    use super::ImportBody;

    #[test]
    fn the_document_names_the_limits_of_a_file() {
        let schema = serde_json::to_value(ImportBody::schema()).unwrap();
        let told = schema["properties"]["file"]["description"].as_str().unwrap();
        let mebibytes = format!("{} MiB", FILE_BYTES_MAX / 1024 / 1024);
        let rows = format!("{} {:03} rows", ROWS_MAX / 1000, ROWS_MAX % 1000);
        assert!(told.contains(&mebibytes) && told.contains(&rows), "{told}");
    }
}
