//! `/api/notifications`: system A's four routes. Everybody reads the own inbox only.

use application::bus::Executed;
use application::forms::{self, FIELD_ERRORS_MAX, FieldError, Rule};
use application::inbox::{self, ReadReceipt};
use axum::extract::{RawQuery, State};
use domain::inbox::InboxCommand;
use domain::{NotificationId, StaffId};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::inbox::{
    self as query, Notice, NoticeFilter, NoticeStatus, PAGE_NOTICES, PAGE_NOTICES_MAX,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::command::CommandRequest;
use super::customers::{PAGE_MAX, last, small};
use super::problem::Problem;
use super::query::Parameters;
use super::reading::{MIN_POSITION, MinPosition, fresh};
use super::refusals::{db_problem, inbox_problem};
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::Millis;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;

const LISTED: Text = Text::new("获取通知列表成功", "Here are your notifications");
const COUNTED: Text = Text::new("获取未读数量成功", "Here is how many you have not read");

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(unread_count))
        .routes(routes!(mark_read))
        .routes(routes!(mark_all_read))
}

/// A notification as system A's clients know it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: NotificationId,
    /// The reader.
    #[schema(value_type = uuid::Uuid)]
    user_id: StaffId,
    /// Number in the reader's log: the cursor of the live socket and the bound of `mark-all-read`.
    seq: i64,
    /// Its type, e.g. `CUSTOMER_ASSIGNED`.
    #[serde(rename = "type")]
    kind: String,
    /// First line.
    title: String,
    /// The text.
    content: String,
    /// `HIGH`, `MEDIUM` or `LOW`.
    priority: &'static str,
    /// `SENT` or `READ`.
    status: &'static str,
    /// What programs compute with.
    data: Value,
    /// Name of the icon.
    icon: String,
    /// Colour of the icon.
    color: String,
    /// Path it leads to.
    action_url: String,
    /// Words on the button.
    action_text: String,
    /// When it was sent.
    #[schema(value_type = DateTime<Utc>)]
    sent_at: Millis,
    /// When it was first read.
    #[schema(value_type = Option<DateTime<Utc>>)]
    read_at: Option<Millis>,
    /// When its cause happened.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
    /// When it last changed.
    #[schema(value_type = DateTime<Utc>)]
    updated_at: Millis,
}

impl From<Notice> for Notification {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id,
            user_id: notice.recipient,
            seq: notice.seq,
            kind: notice.scene,
            title: notice.title,
            content: notice.content,
            priority: notice.priority.as_str(),
            status: notice.status.as_str(),
            data: notice.data,
            icon: notice.icon,
            color: notice.color,
            action_url: notice.action_url,
            action_text: notice.action_text,
            sent_at: Millis(notice.created_at),
            read_at: notice.read_at.map(Millis),
            created_at: Millis(notice.created_at),
            updated_at: Millis(notice.read_at.unwrap_or(notice.created_at)),
        }
    }
}

/// One page of notifications.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationPage {
    /// The rows, newest first.
    items: Vec<Notification>,
    /// Rows on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most rows of a page.
    page_size: u32,
    /// Number of pages.
    total_pages: i64,
}

/// How many.
#[derive(Debug, Serialize, ToSchema)]
pub struct Count {
    /// The number.
    count: i64,
}

/// Lists the caller's notifications, newest first.
#[utoipa::path(
    get, path = "/api/notifications", operation_id = "list_notifications", tag = "notifications",
    params(schemas::NotificationListQuery, schemas::ReadHeaders),
    responses(
        (status = 200, description = "One page", body = Enveloped<NotificationPage>),
        schemas::ReadProblems
    )
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let (filter, request) = parse(query.as_deref())?;
    let stale = fresh(&app, &caller, ReadModel::Inbox, min).await;
    let found = query::list(&app.db, caller.id, &filter, request).await;
    let found = found.map_err(|error| db_problem(&error))?;
    let page = NotificationPage {
        total_pages: found.total_pages(),
        total: found.total,
        page: found.page,
        page_size: found.limit,
        items: found.items.into_iter().map(Notification::from).collect(),
    };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

fn parse(query: Option<&str>) -> Result<(NoticeFilter, PageRequest), Problem> {
    // PENDING is never written, but system A's pages may ask for it: it means unread too.
    let statuses =
        [("SENT", NoticeStatus::Sent), ("PENDING", NoticeStatus::Sent), ("READ", NoticeStatus::Read)];
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION); // read by its own extractor
    let page = parameters.whole("page", 1..=PAGE_MAX).unwrap_or(1);
    let size_max = i64::from(PAGE_NOTICES_MAX);
    let size = parameters.whole("pageSize", 1..=size_max).unwrap_or(i64::from(PAGE_NOTICES));
    let filter = NoticeFilter {
        scene: parameters.text("type"),
        status: parameters.word("status", &statuses),
        from: parameters.from("startDate"),
        to: last(parameters.until("endDate")),
    };
    parameters.finish()?;
    Ok((filter, PageRequest::new(small(page), small(size), PAGE_NOTICES_MAX)))
}

/// How many notifications the caller has not read.
#[utoipa::path(
    get, path = "/api/notifications/unread-count", operation_id = "count_unread_notifications", tag = "notifications",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The number", body = Enveloped<Count>), schemas::ReadProblems)
)]
pub async fn unread_count(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, ReadModel::Inbox, min).await;
    let count = query::unread_count(&app.db, caller.id).await.map_err(|error| db_problem(&error))?;
    Ok(Answer::ok(COUNTED, &Count { count })?.read_at(stale))
}

/// Marks some of the caller's notifications as read.
#[utoipa::path(
    put, path = "/api/notifications/mark-read", operation_id = "mark_notifications_read", tag = "notifications",
    params(schemas::CommandHeaders),
    request_body = schemas::MarkReadBody,
    responses(
        (status = 200, description = "How many became read", body = Enveloped<Count>),
        schemas::CommandProblems
    )
)]
pub async fn mark_read(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[]);
    let form = forms::MarkRead::parse(request.body).map_err(Problem::fields)?;
    // What the caller marked a moment ago must not be counted again.
    fresh(&app, &caller, ReadModel::Inbox, MinPosition::default()).await;
    let unread = query::unread_among(&app.db, caller.id, &form.notification_ids).await;
    let unread = unread.map_err(|error| db_problem(&error))?;
    let count = u64::try_from(unread.len()).unwrap_or(u64::MAX);
    let command = InboxCommand::MarkRead { reader: caller.id, notifications: unread, at: context.at };
    let executed = inbox::mark(&app.bus, &context, caller.id, count, command).await;
    marked(&app, caller.id, &executed.map_err(inbox_problem)?)
}

/// Marks the caller's notifications as read, up to a bound: what arrives meanwhile stays unread.
#[utoipa::path(
    put, path = "/api/notifications/mark-all-read", operation_id = "mark_all_notifications_read", tag = "notifications",
    params(schemas::CommandHeaders),
    request_body(content = Option<schemas::MarkAllReadBody>),
    responses(
        (status = 200, description = "How many became read", body = Enveloped<Count>),
        schemas::CommandProblems
    )
)]
pub async fn mark_all_read(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[]);
    let bound = bound(request.body).map_err(Problem::fields)?;
    fresh(&app, &caller, ReadModel::Inbox, MinPosition::default()).await;
    let newest = query::last_seq(&app.db, caller.id).await.map_err(|error| db_problem(&error))?;
    let up_to = bound.map_or(newest, |bound| bound.min(newest));
    let count = query::unread_up_to(&app.db, caller.id, up_to).await.map_err(|error| db_problem(&error))?;
    let command = InboxCommand::MarkAllRead { reader: caller.id, up_to, at: context.at };
    let count = u64::try_from(count).unwrap_or(0);
    let executed = inbox::mark(&app.bus, &context, caller.id, count, command).await;
    marked(&app, caller.id, &executed.map_err(inbox_problem)?)
}

fn marked(app: &App, reader: StaffId, executed: &Executed<ReadReceipt>) -> Result<Answer, Problem> {
    app.writes.noted(reader, executed.position);
    let count = executed.result.count;
    let text = Text::with(
        format!("成功标记 {count} 条通知为已读"),
        format!("{count} notifications were marked as read"),
    );
    let count = Count { count: i64::try_from(count).unwrap_or(i64::MAX) };
    Ok(Answer::ok(text, &count)?.written(executed.position, executed.replayed))
}

/// The `upTo` of a body that may be missing altogether.
fn bound(body: Value) -> Result<Option<i64>, Vec<FieldError>> {
    let mut members = match body {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(vec![FieldError::new("", Rule::NotAnObject)]),
    };
    let bound = members.remove("upTo").unwrap_or_default();
    let mut errors: Vec<_> = members
        .into_iter()
        .take(FIELD_ERRORS_MAX)
        .map(|(key, _)| FieldError::new(key, Rule::UnknownField))
        .collect();
    let number = bound.as_i64().filter(|number| *number >= 0);
    if number.is_none() && !bound.is_null() {
        errors.push(FieldError::new("upTo", Rule::NotWhole));
    }
    if errors.is_empty() { Ok(number) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_bound_may_be_missing_but_not_wrong() {
        for (body, expected) in [
            (json!(null), Ok(None)),
            (json!({}), Ok(None)),
            (json!({ "upTo": null }), Ok(None)),
            (json!({ "upTo": 7 }), Ok(Some(7))),
            (json!({ "upTo": -1 }), Err("upTo")),
            (json!({ "upTo": "7" }), Err("upTo")),
            (json!({ "upTo": 1.5 }), Err("upTo")),
            (json!({ "upto": 1 }), Err("upto")),
            (json!([]), Err("")),
        ] {
            let read = bound(body.clone()).map_err(|errors| errors[0].path.clone());
            assert_eq!(read, expected.map_err(str::to_owned), "{body}");
        }
    }

    #[test]
    fn the_list_takes_system_as_parameters_only() {
        assert!(parse(Some("page=1&pageSize=20&type=CUSTOMER_ASSIGNED&status=SENT")).is_ok());
        for query in ["pageSize=101", "status=UNREAD", "limit=5", "startDate=soon"] {
            assert_eq!(parse(Some(query)).unwrap_err().kind.status, 400, "{query}");
        }
    }
}
