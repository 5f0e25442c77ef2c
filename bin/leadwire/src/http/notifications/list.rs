//! Reading the inbox: the list, one notification, how many are unread.

use axum::extract::{RawQuery, State};
use chrono_tz::Tz;
use projections::queries::PageRequest;
use projections::queries::inbox::{
    self as query, NoticeFilter, NoticeStatus, PAGE_NOTICES, PAGE_NOTICES_MAX,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::Notification;
use super::shapes::{Count, NoticeIdPath};
use super::{INBOX, NoticePath, own};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取通知列表成功", "Here are your notifications");
const COUNTED: Text = Text::new("获取未读数量成功", "Here is how many you have not read");
const SHOWN: Text = Text::new("获取通知成功", "Here is the notification");

const YES_OR_NO: [(&str, bool); 2] = [("true", true), ("false", false)];

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
    let (filter, request) = parse(query.as_deref(), app.limits().zone)?;
    let stale = fresh(&app, &caller, INBOX, min).await;
    let found = query::list(&app.db, caller.id, &filter, request, app.clock.now()).await;
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

fn parse(query: Option<&str>, zone: Tz) -> Result<(NoticeFilter, PageRequest), Problem> {
    // PENDING is never written, but system A's pages may ask for it: it means unread too.
    let statuses =
        [("SENT", NoticeStatus::Sent), ("PENDING", NoticeStatus::Sent), ("READ", NoticeStatus::Read)];
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION); // read by its own extractor
    let (page, size) = parameters.page("pageSize", PAGE_NOTICES, PAGE_NOTICES_MAX);
    let filter = NoticeFilter {
        scene: parameters.text("type"),
        status: parameters.word("status", &statuses),
        from: parameters.first("startDate", zone),
        to: parameters.last("endDate", zone),
        archived: parameters.word("archived", &YES_OR_NO).unwrap_or(false),
        snoozed: parameters.word("snoozed", &YES_OR_NO).unwrap_or(false),
    };
    parameters.finish()?;
    Ok((filter, PageRequest::new(page, size, PAGE_NOTICES_MAX)))
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
    let stale = fresh(&app, &caller, INBOX, min).await;
    let count = query::unread_count(&app.db, caller.id, app.clock.now()).await;
    let count = count.map_err(|error| db_problem(&error))?;
    Ok(Answer::ok(COUNTED, &Count { count })?.read_at(stale))
}

/// One of the caller's notifications, wherever it was put.
#[utoipa::path(
    get, path = "/api/notifications/{id}", operation_id = "get_notification", tag = "notifications",
    params(NoticeIdPath, schemas::ReadHeaders),
    responses(
        (status = 200, description = "The notification", body = Enveloped<Notification>),
        schemas::ReadProblems
    )
)]
pub async fn detail(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    NoticePath(id): NoticePath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, INBOX, min).await;
    let notice = own(&app, caller.id, id).await?;
    Ok(Answer::ok(SHOWN, &Notification::from(notice))?.read_at(stale))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINA: Tz = chrono_tz::Asia::Shanghai;

    #[test]
    fn the_list_takes_known_parameters_only() {
        assert!(parse(Some("page=1&pageSize=20&type=CUSTOMER_ASSIGNED&status=SENT"), CHINA).is_ok());
        for (query, archived, snoozed) in
            [("", false, false), ("archived=true", true, false), ("snoozed=true&archived=false", false, true)]
        {
            let (filter, _) = parse(Some(query), CHINA).unwrap();
            assert_eq!((filter.archived, filter.snoozed), (archived, snoozed), "{query}");
        }
        for query in
            ["pageSize=101", "status=UNREAD", "limit=5", "startDate=soon", "archived=1", "snoozed=yes"]
        {
            assert_eq!(parse(Some(query), CHINA).unwrap_err().kind.status, 400, "{query}");
        }
    }
}
