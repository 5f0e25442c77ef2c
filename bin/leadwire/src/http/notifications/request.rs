//! `POST /api/notifications`: another system orders a notice. The answer names the notices before anybody is told: what
//! becomes of each, channel by channel, stands in `decisions?eventId=`.

use application::forms::{self, OrderNotice};
use application::notices::{self as use_case, Order, OrderReceipt, OrderRefusal, RecipientRefusal};
use axum::extract::State;
use domain::{EventId, NoticeOrderId, NotificationId, StaffId};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::auth::{NotificationsRequest, ServiceCaller};
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::{self, Problem};
use crate::http::refusals::execute_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};

/// What is to be told to whom. Either `variables`, for a type that has a published text, or `title` and `content`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderNoticeBody {
    /// The type of notice, e.g. `CONTRACT_SIGNED`; not one that tells of this service's own customers and accounts.
    #[serde(rename = "type")]
    #[schema(max_length = 64)]
    pub kind: String,
    /// Ids of the members of staff to tell.
    #[schema(min_items = 1, max_items = 200)]
    pub recipients: Vec<uuid::Uuid>,
    /// A value for every variable of the type's text.
    pub variables: Option<std::collections::HashMap<String, String>>,
    /// First line, in the sender's own words.
    #[schema(max_length = 64)]
    pub title: Option<String>,
    /// The text, in the sender's own words.
    #[schema(max_length = 1000)]
    pub content: Option<String>,
    /// `HIGH`, `MEDIUM` (when missing) or `LOW`; with own words only.
    pub priority: Option<String>,
    /// Path in the console, e.g. `/contracts/7`; with own words only.
    #[schema(max_length = 200)]
    pub action_url: Option<String>,
    /// Words on the button; with own words only.
    #[schema(max_length = 16)]
    pub action_text: Option<String>,
    /// Texts, numbers, yes and no that clients compute with; at most 30, of 4000 characters in all.
    #[schema(value_type = Option<Object>)]
    pub data: Option<serde_json::Value>,
}

/// What was ordered.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderedNotices {
    /// The order's event: `GET /api/notifications/decisions?eventId=` tells what was decided.
    #[schema(value_type = uuid::Uuid)]
    event_id: EventId,
    /// A notice for each person who will be told.
    notifications: Vec<OrderedNotice>,
    /// Those who will not be told, and why.
    refused: Vec<RefusedRecipient>,
}

/// A notice of an order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrderedNotice {
    /// Its id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: NotificationId,
    /// Who will be told.
    #[schema(value_type = uuid::Uuid)]
    recipient: StaffId,
}

/// A person of an order who will not be told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusedRecipient {
    /// Who.
    #[schema(value_type = uuid::Uuid)]
    recipient: StaffId,
    /// Why, for programs.
    code: &'static str,
    /// Why, for people.
    error: String,
}

/// Orders a notice for up to 200 members of staff. Who has no account that works is listed in `refused`.
#[utoipa::path(
    post, path = "/api/notifications", operation_id = "order_notice", tag = "notifications",
    security(("bearer" = []), ("serviceSecret" = [])),
    params(schemas::CommandHeaders),
    request_body = OrderNoticeBody,
    responses(
        (status = 201, description = "The order was placed", body = Enveloped<OrderedNotices>),
        schemas::CommandProblems
    )
)]
pub async fn order(
    State(app): State<SharedApp>,
    machine: ServiceCaller<NotificationsRequest>,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let language = request.language;
    let sender = format!("service-token:{}", machine.token.id);
    let context = request.context_of(&app, &sender, machine.actor(), &[]);
    let OrderNotice { scene, recipients, words, data } =
        forms::OrderNotice::parse(request.body).map_err(Problem::fields)?;
    let id = NoticeOrderId(context.metadata.command.0);
    let order = Order { id, scene, recipients, words, data };
    let done = use_case::order(&app.bus, &context, order).await.map_err(|error| match error {
        application::bus::ExecuteError::Refused(refusal) => refused(refusal, language),
        other => execute_problem(other),
    })?;
    let OrderReceipt { told, refused } = &done.result;
    let notice = |recipient: &StaffId| OrderedNotice {
        id: use_case::notice_of(&context, *recipient, scene),
        recipient: *recipient,
    };
    let data = OrderedNotices {
        event_id: use_case::event_of(&context),
        notifications: told.iter().map(notice).collect(),
        refused: refused.iter().map(|one| RefusedRecipient::of(one, language)).collect(),
    };
    let text = Text::with(
        format!("已受理通知：{} 人，未受理 {} 人", told.len(), refused.len()),
        format!("The notice was ordered for {}, refused for {}", told.len(), refused.len()),
    );
    Ok(Answer::created(text, &data)?.written(done.position, done.replayed))
}

impl RefusedRecipient {
    fn of((recipient, refusal): &(StaffId, RecipientRefusal), language: Language) -> Self {
        let english = match refusal {
            RecipientRefusal::StaffNotFound => "There is no such member of staff",
            RecipientRefusal::StaffInactive => "The account is suspended",
        };
        let error = Text::with(refusal.to_string(), english).get(language).to_owned();
        Self { recipient: *recipient, code: refusal.code(), error }
    }
}

fn refused(refusal: OrderRefusal, language: Language) -> Problem {
    match refusal {
        OrderRefusal::NobodyToTell(people) => {
            let people: Vec<_> = people.iter().map(|one| RefusedRecipient::of(one, language)).collect();
            Problem::of(&problem::NOBODY_TO_TELL).details(json!({ "path": "recipients", "refused": people }))
        }
        // The form has counted, and the id is the command's own.
        OrderRefusal::Rule(_) => Problem::of(&problem::CONFLICT),
    }
}
