//! Commands on many customers at once: give them to somebody, take them out of the public pool, put them into it.
//!
//! How each item went stands in the answer; when nothing at all was done the answer is a problem (docs/adr/0009).

use application::access::Caller;
use application::bus::{ExecuteError, Executed};
use application::customers::{
    self as use_case, BatchAssign, BatchFrom, BatchItemRefusal, BatchReceipt, BatchRelease, Refusal,
    SOURCE_BY_BATCH, SOURCE_FROM_POOL,
};
use application::forms;
use axum::extract::State;
use domain::{BatchId, CustomerId};
use serde::Serialize;
use utoipa::ToSchema;

use super::notice::BatchNotice;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::{customer_problem, item_text, load_problem, nothing_done};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};

/// How a batch went, item by item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchDone {
    /// Customers that are now where they should be, those that were there already included.
    success: usize,
    /// Customers that could not be moved.
    failed: usize,
    /// Why not.
    errors: Vec<ItemError>,
    /// What the mini program is handed; only when something was given to somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_data: Option<BatchNotice>,
}

/// One customer that could not be moved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemError {
    /// Which.
    #[schema(value_type = uuid::Uuid)]
    customer_id: CustomerId,
    /// Why, for programs.
    code: &'static str,
    /// Why, for people.
    error: String,
}

/// Assigns up to 1000 customers to one person as one command.
#[utoipa::path(
    post, path = "/api/customers/batch-assign", operation_id = "assign_customers", tag = "customers",
    params(schemas::CommandHeaders),
    request_body = schemas::BatchAssignBody,
    responses(
        (status = 200, description = "How each item went", body = Enveloped<BatchDone>),
        schemas::CommandProblems
    )
)]
pub async fn batch_assign(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let language = request.language;
    let context = request.context(&app, &caller, &[]);
    let form = forms::BatchAssign::parse(request.body).map_err(Problem::fields)?;
    let source = form.assignment_reason.clone().unwrap_or_else(|| SOURCE_BY_BATCH.to_owned());
    let batch = BatchAssign {
        batch: BatchId(context.metadata.command.0),
        customers: form.customer_ids,
        to: form.assigned_to,
        reason: form.assignment_reason,
        from: BatchFrom::Anywhere,
    };
    let to = batch.to;
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    let done = use_case::batch_assign(&app.bus, &limits, &caller, &context, batch).await;
    let notice = |receipt: &BatchReceipt| BatchNotice::of(&caller, to, receipt, &source);
    answer(&app, &caller, done, language, Words::new("批量分配完成", "Batch assigned"), Some(&notice)).await
}

/// Assigns up to 1000 customers out of the public pool to one person as one command.
#[utoipa::path(
    post, path = "/api/customers/public-pool/assign", operation_id = "assign_from_pool", tag = "public pool",
    params(schemas::CommandHeaders),
    request_body = schemas::PoolAssignBody,
    responses(
        (status = 200, description = "How each item went", body = Enveloped<BatchDone>),
        schemas::CommandProblems
    )
)]
pub async fn assign_from_pool(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let language = request.language;
    let context = request.context(&app, &caller, &[]);
    let form = forms::PoolAssign::parse(request.body).map_err(Problem::fields)?;
    let source = form.reason.clone().unwrap_or_else(|| SOURCE_FROM_POOL.to_owned());
    let batch = BatchAssign {
        batch: BatchId(context.metadata.command.0),
        customers: form.customer_ids,
        to: form.assigned_to,
        reason: form.reason,
        from: BatchFrom::Pool,
    };
    let to = batch.to;
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    let done = use_case::batch_assign(&app.bus, &limits, &caller, &context, batch).await;
    let notice = |receipt: &BatchReceipt| BatchNotice::of(&caller, to, receipt, &source).out_of_pool();
    answer(&app, &caller, done, language, Words::new("公海分配完成", "Assigned from the pool"), Some(&notice))
        .await
}

/// Takes up to 1000 customers out of the public pool for oneself, as far as one's limits have room.
#[utoipa::path(
    post, path = "/api/customers/public-pool/claim", operation_id = "claim_customers", tag = "public pool",
    params(schemas::CommandHeaders),
    request_body = schemas::ClaimBody,
    responses(
        (status = 200, description = "How each item went", body = Enveloped<BatchDone>),
        schemas::CommandProblems
    )
)]
pub async fn claim(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let language = request.language;
    let context = request.context(&app, &caller, &[]);
    let form = forms::Claim::parse(request.body).map_err(Problem::fields)?;
    let limits = app.limits_in_force().await.map_err(|error| load_problem(&error))?;
    let done = use_case::claim(&app.bus, &limits, &caller, &context, form.customer_ids).await;
    answer(&app, &caller, done, language, Words::new("领取完成", "Claimed"), None).await
}

/// Puts up to 1000 customers into the public pool as one command.
#[utoipa::path(
    post, path = "/api/customers/batch-release-to-pool", operation_id = "release_customers", tag = "public pool",
    params(schemas::CommandHeaders),
    request_body = schemas::BatchReleaseBody,
    responses(
        (status = 200, description = "How each item went", body = Enveloped<BatchDone>),
        schemas::CommandProblems
    )
)]
pub async fn batch_release(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let language = request.language;
    let context = request.context(&app, &caller, &[]);
    let form = forms::BatchRelease::parse(request.body).map_err(Problem::fields)?;
    let batch = BatchRelease {
        batch: BatchId(context.metadata.command.0),
        customers: form.customer_ids,
        reason: form.reason,
    };
    let done = use_case::batch_release(&app.bus, &caller, &context, batch).await;
    answer(&app, &caller, done, language, Words::new("批量释放完成", "Released"), None).await
}

/// What is said about a batch, before the numbers.
struct Words {
    zh: &'static str,
    en: &'static str,
}

impl Words {
    fn new(zh: &'static str, en: &'static str) -> Self {
        Self { zh, en }
    }
}

/// Writes down what a gaining owner's mini program is handed.
type Notice<'n> = &'n (dyn Fn(&BatchReceipt) -> BatchNotice + Send + Sync);

async fn answer(
    app: &App,
    caller: &Caller,
    done: Result<Executed<BatchReceipt>, ExecuteError<Refusal>>,
    language: Language,
    words: Words,
    notice: Option<Notice<'_>>,
) -> Result<Answer, Problem> {
    let executed = match done {
        Ok(executed) => executed,
        Err(ExecuteError::Refused(Refusal::Batch(items))) => {
            return Err(nothing_done(app, caller, &items, language).await);
        }
        Err(error) => return Err(customer_problem(app, caller, error).await),
    };
    app.writes.noted(caller.id, executed.position);
    let receipt = &executed.result;
    let told = notice.filter(|_| !receipt.moved.is_empty());
    let data = BatchDone {
        success: receipt.moved.len() + receipt.unchanged.len(),
        failed: receipt.failed.len(),
        errors: receipt.failed.iter().map(|item| ItemError::of(item, language)).collect(),
        notification_data: told.map(|notice| notice(receipt)),
    };
    let Words { zh, en } = words;
    let text = Text::with(
        format!("{zh}：成功 {} 个，失败 {} 个", data.success, data.failed),
        format!("{en}: {} done, {} failed", data.success, data.failed),
    );
    Ok(Answer::ok(text, &data)?.written(executed.position, executed.replayed))
}

impl ItemError {
    fn of((customer_id, refusal): &(CustomerId, BatchItemRefusal), language: Language) -> Self {
        let error = item_text(refusal).get(language).to_owned();
        Self { customer_id: *customer_id, code: refusal.code(), error }
    }
}
