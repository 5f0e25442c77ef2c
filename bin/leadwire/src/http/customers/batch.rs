//! Give many customers to somebody.

use application::customers::{self as use_case, BatchAssign, BatchReceipt};
use application::forms;
use axum::extract::State;
use domain::{BatchId, CustomerId};
use serde::Serialize;
use utoipa::ToSchema;

use super::notice::BatchNotice;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::customer_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

/// How a batch went, item by item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchAssigned {
    /// Customers that the owner has now, those that the owner had already included.
    success: usize,
    /// Customers that could not be assigned.
    failed: usize,
    /// Why not.
    errors: Vec<ItemError>,
    /// What the mini program is handed; only when something changed hands.
    #[serde(skip_serializing_if = "Option::is_none")]
    notification_data: Option<BatchNotice>,
}

/// One customer that could not be assigned.
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
        (status = 200, description = "How each item went", body = Enveloped<BatchAssigned>),
        schemas::CommandProblems
    )
)]
pub async fn batch_assign(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::BatchAssign::parse(request.body).map_err(Problem::fields)?;
    let reason = form.assignment_reason.clone();
    let batch = BatchAssign {
        batch: BatchId(context.metadata.command.0),
        customers: form.customer_ids,
        to: form.assigned_to,
        reason: form.assignment_reason,
    };
    let executed = match use_case::batch_assign(&app.bus, &caller, &context, batch).await {
        Ok(executed) => executed,
        Err(error) => return Err(customer_problem(&app, &caller, error).await),
    };
    app.writes.noted(caller.id, executed.position);
    let receipt = &executed.result;
    let something_moved = !receipt.moved.is_empty();
    let data = BatchAssigned {
        success: receipt.moved.len() + receipt.unchanged.len(),
        failed: receipt.failed.len(),
        errors: errors(receipt),
        notification_data: something_moved.then(|| BatchNotice::of(&caller, receipt, reason.as_deref())),
    };
    let text = Text::with(
        format!("批量分配完成：成功 {} 个，失败 {} 个", data.success, data.failed),
        format!("Batch assigned: {} done, {} failed", data.success, data.failed),
    );
    Ok(Answer::ok(text, &data)?.written(executed.position, executed.replayed))
}

fn errors(receipt: &BatchReceipt) -> Vec<ItemError> {
    let error = |(id, refusal): &(CustomerId, use_case::BatchItemRefusal)| ItemError {
        customer_id: *id,
        code: refusal.code(),
        error: refusal.to_string(),
    };
    receipt.failed.iter().map(error).collect()
}
