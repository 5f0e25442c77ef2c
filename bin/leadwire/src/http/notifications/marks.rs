//! What a reader does with notifications: read, put aside, put off. Each answer tells how to take it back.

use application::access::Caller;
use application::bus::{CommandContext, Executed};
use application::forms;
use application::inbox::{self, ReadReceipt};
use axum::extract::State;
use domain::inbox::{InboxCommand, UndoToken};
use projections::queries::inbox as query;

use super::shapes::{NoticeIdPath, SnoozeBody, Turned};
use super::{INBOX, NoticePath, own};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::{db_problem, inbox_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const ARCHIVED: Text = Text::new("通知已归档", "The notification was archived");
const UNARCHIVED: Text = Text::new("通知已取消归档", "The notification was taken out of the archive");
const SNOOZED: Text = Text::new("已设置稍后提醒", "The notification was put off");

/// Marks some of the caller's notifications as read.
#[utoipa::path(
    put, path = "/api/notifications/mark-read", operation_id = "mark_notifications_read", tag = "notifications",
    params(schemas::CommandHeaders),
    request_body = schemas::MarkReadBody,
    responses(
        (status = 200, description = "How many became read", body = Enveloped<Turned>),
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
    fresh(&app, &caller, INBOX, MinPosition::default()).await;
    let found = query::to_read(&app.db, caller.id, &form.notification_ids, context.at).await;
    let found = found.map_err(|error| db_problem(&error))?;
    let count = u64::try_from(found.unread).unwrap_or(u64::MAX);
    let (reader, at) = (caller.id, context.at);
    let command = InboxCommand::MarkRead { reader, notifications: found.notices, at };
    let executed = execute(&app, &caller, &context, count, command).await?;
    answer(&caller, &executed, counted(&executed))
}

/// Marks the caller's notifications as read, up to a bound: what arrives meanwhile stays unread, and so does what is put
/// aside or off.
#[utoipa::path(
    put, path = "/api/notifications/mark-all-read", operation_id = "mark_all_notifications_read", tag = "notifications",
    params(schemas::CommandHeaders),
    request_body(content = Option<schemas::MarkAllReadBody>),
    responses(
        (status = 200, description = "How many became read", body = Enveloped<Turned>),
        schemas::CommandProblems
    )
)]
pub async fn mark_all_read(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[]);
    let form = forms::MarkAllRead::parse(request.body).map_err(Problem::fields)?;
    fresh(&app, &caller, INBOX, MinPosition::default()).await;
    let newest = query::last_seq(&app.db, caller.id).await.map_err(|error| db_problem(&error))?;
    let up_to = form.up_to.map_or(newest, |bound| bound.min(newest));
    let unread = query::unread_up_to(&app.db, caller.id, up_to, context.at).await;
    let unread = u64::try_from(unread.map_err(|error| db_problem(&error))?).unwrap_or(0);
    let command = InboxCommand::MarkAllRead { reader: caller.id, up_to, unread, at: context.at };
    let executed = execute(&app, &caller, &context, unread, command).await?;
    answer(&caller, &executed, counted(&executed))
}

/// Puts one of the caller's notifications aside: it leaves the list and the count.
#[utoipa::path(
    put, path = "/api/notifications/{id}/archive", operation_id = "archive_notification", tag = "notifications",
    params(NoticeIdPath, schemas::CommandHeaders),
    responses(
        (status = 200, description = "It is put aside; `count` is 0 when it was before", body = Enveloped<Turned>),
        schemas::CommandProblems
    )
)]
pub async fn archive(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    NoticePath(id): NoticePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[id.to_string()]);
    forms::Empty::parse(request.body).map_err(Problem::fields)?;
    fresh(&app, &caller, INBOX, MinPosition::default()).await;
    let notice = own(&app, caller.id, id).await?;
    let notifications = if notice.archived_at.is_none() { vec![id] } else { vec![] };
    let count = notifications.len() as u64;
    let command = InboxCommand::Archive { reader: caller.id, notifications, at: context.at };
    let executed = execute(&app, &caller, &context, count, command).await?;
    answer(&caller, &executed, ARCHIVED)
}

/// Takes one of the caller's notifications out of the archive.
#[utoipa::path(
    put, path = "/api/notifications/{id}/unarchive", operation_id = "unarchive_notification", tag = "notifications",
    params(NoticeIdPath, schemas::CommandHeaders),
    responses(
        (status = 200, description = "It is back; `count` is 0 when it was before", body = Enveloped<Turned>),
        schemas::CommandProblems
    )
)]
pub async fn unarchive(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    NoticePath(id): NoticePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[id.to_string()]);
    forms::Empty::parse(request.body).map_err(Problem::fields)?;
    fresh(&app, &caller, INBOX, MinPosition::default()).await;
    let notice = own(&app, caller.id, id).await?;
    let notifications = if notice.archived_at.is_some() { vec![id] } else { vec![] };
    let count = notifications.len() as u64;
    let command = InboxCommand::Unarchive { reader: caller.id, notifications, at: context.at };
    let executed = execute(&app, &caller, &context, count, command).await?;
    let nothing_to_undo = ReadReceipt { sequence: None, ..executed.result };
    answer(&caller, &Executed { result: nothing_to_undo, ..executed }, UNARCHIVED)
}

/// Puts one of the caller's notifications off: until then it is neither listed nor counted.
#[utoipa::path(
    put, path = "/api/notifications/{id}/snooze", operation_id = "snooze_notification", tag = "notifications",
    params(NoticeIdPath, schemas::CommandHeaders),
    request_body = SnoozeBody,
    responses(
        (status = 200, description = "It is put off", body = Enveloped<Turned>),
        schemas::CommandProblems
    )
)]
pub async fn snooze(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    NoticePath(notification): NoticePath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let context = request.context(&app, &caller, &[notification.to_string()]);
    let form = forms::Snooze::parse(request.body).map_err(Problem::fields)?;
    fresh(&app, &caller, INBOX, MinPosition::default()).await;
    own(&app, caller.id, notification).await?;
    let (reader, until, at) = (caller.id, form.until, context.at);
    let command = InboxCommand::Snooze { reader, notification, until, at };
    let executed = execute(&app, &caller, &context, 1, command).await?;
    answer(&caller, &executed, SNOOZED)
}

async fn execute(
    app: &App,
    caller: &Caller,
    context: &CommandContext,
    count: u64,
    command: InboxCommand,
) -> Result<Executed<ReadReceipt>, Problem> {
    let executed = inbox::mark(&app.bus, context, caller.id, count, command).await.map_err(inbox_problem)?;
    app.writes.noted(caller.id, executed.position);
    Ok(executed)
}

fn counted(executed: &Executed<ReadReceipt>) -> Text {
    let count = executed.result.count;
    Text::with(format!("成功标记 {count} 条通知为已读"), format!("{count} notifications were marked as read"))
}

fn answer(caller: &Caller, executed: &Executed<ReadReceipt>, text: Text) -> Result<Answer, Problem> {
    let turned = Turned {
        count: i64::try_from(executed.result.count).unwrap_or(i64::MAX),
        undo_token: executed.result.sequence.map(|event| UndoToken::of(caller.id, event).to_string()),
    };
    Ok(Answer::ok(text, &turned)?.written(executed.position, executed.replayed))
}
