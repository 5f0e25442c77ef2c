//! `/api/wecom/config` and `/api/wecom/test-notification`: how the staff hears of members (existing-systems.md sections
//! 7.6 and 7.8). Administrators only.
//!
//! No request waits for `WeCom`, and no answer holds a secret. The corporation and the application stand in the
//! configuration; a secret that is typed here is sealed before it is an event, and used from the next token on.

mod view;

use application::access::{Action, Caller, allows};
use application::bus::{CommandBus as _, ExecuteError, Versioned};
use application::forms::{self, ConfiguredApp, member_notices_violation, own_words_violation};
use application::member_notices::{self as use_case, MemberNoticesRefusal};
use axum::extract::State;
use domain::member_notices::{MemberNotices, MemberNoticesError, MemberNoticesText};
use domain::{EventId, NotificationId, StreamId};
use infrastructure::wecom::sealed::{open, seal};
use secrecy::SecretString;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use view::{MemberNoticesBody, MemberNoticesSaved, MemberNoticesView, TestNoticeBody, TestNoticeView};

use self::view::SecretFrom;
use super::answer::Answer;
use super::command::CommandRequest;
use super::problem::{self, Problem};
use super::refusals::{execute_problem, load_problem};
use super::schemas::{self, Enveloped};
use super::text::Text;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;

const SHOWN: Text = Text::new("获取企业微信通知配置成功", "Here is how the staff hears of members");
const SET: Text = Text::new("企业微信通知配置已保存", "How the staff hears of members was saved");
const TESTED: Text = Text::new("测试消息已排队发送", "The test message will be sent");
const NOT_CONFIGURED: Text = Text::new(
    "未配置企业微信应用（wecom_app），无法发送测试消息",
    "The WeCom application (wecom_app) is not configured, so nothing can be sent",
);

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(show, replace, upsert)).routes(routes!(test))
}

/// Shows who hears of members, and whether the application is configured. Never a secret.
#[utoipa::path(
    get, path = "/api/wecom/config", operation_id = "show_member_notices", tag = "members",
    responses(
        (status = 200, description = "The settings", body = Enveloped<MemberNoticesView>),
        schemas::ReadProblems
    )
)]
async fn show(State(app): State<SharedApp>, Authenticated(caller): Authenticated) -> Result<Answer, Problem> {
    permitted(&caller)?;
    let found = app.bus.load::<MemberNotices>(&StreamId::member_notices()).await;
    answer(&app, SHOWN, &found.map_err(|error| load_problem(&error))?)
}

/// A change as it comes in.
type Change = (State<SharedApp>, Authenticated, CommandRequest);

/// Changes who hears of members and how; what is missing stays as it is. Counts for everything that happens from now on.
#[utoipa::path(
    put, path = "/api/wecom/config", operation_id = "set_member_notices", tag = "members",
    params(schemas::CommandHeaders, schemas::VersionHeader),
    request_body = MemberNoticesBody,
    responses(MemberNoticesSaved, schemas::CommandProblems)
)]
async fn replace(change: Change) -> Result<Answer, Problem> {
    set(change).await
}

/// The same, as system S's page sends it.
#[utoipa::path(
    post, path = "/api/wecom/config", operation_id = "upsert_member_notices", tag = "members",
    params(schemas::CommandHeaders, schemas::VersionHeader),
    request_body = MemberNoticesBody,
    responses(MemberNoticesSaved, schemas::CommandProblems)
)]
async fn upsert(change: Change) -> Result<Answer, Problem> {
    set(change).await
}

async fn set((State(app), Authenticated(caller), request): Change) -> Result<Answer, Problem> {
    permitted(&caller)?;
    let context = request.context(&app, &caller, &[]);
    let expected = request.expected;
    let form = forms::SetMemberNotices::parse(request.body, &configured(&app)).map_err(Problem::fields)?;
    let change = |now: &MemberNoticesText| form.over(now);
    let sealed = form.secret().and_then(|typed| {
        let configured = &app.settings.wecom_app.as_ref()?.secret;
        seal(configured, &SecretString::from(typed.to_owned()))
    });
    let change = (change, sealed.as_deref());
    let done = use_case::set_member_notices(&app.bus, &caller, &context, change, expected).await;
    let done = done.map_err(refused)?;
    app.writes.noted(caller.id, done.position);
    let found = app.bus.load_at::<MemberNotices>(&StreamId::member_notices(), done.result.sequence).await;
    let found = found.map_err(|error| load_problem(&error))?;
    Ok(answer(&app, SET, &found)?.written(done.position, done.replayed))
}

/// Has one message sent to one person of the corporation, in the form and the words that are set, also while messages are
/// switched off. What becomes of it is seen among the deliveries.
#[utoipa::path(
    post, path = "/api/wecom/test-notification", operation_id = "test_member_notice", tag = "members",
    params(schemas::CommandHeaders),
    request_body = TestNoticeBody,
    responses(
        (status = 200, description = "It is on its way", body = Enveloped<TestNoticeView>),
        schemas::CommandProblems
    )
)]
async fn test(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller)?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::TestMemberNotice::parse(request.body).map_err(Problem::fields)?;
    if app.settings.wecom_app.is_none() {
        return Err(Problem::of(&problem::CHANNEL_NOT_FOUND).text(NOT_CONFIGURED));
    }
    let done = use_case::test_member_notice(&app.bus, &caller, &context, &form.to).await;
    let done = done.map_err(refused)?;
    let cause = EventId::of_command(context.metadata.command, 0);
    let recipient = use_case::tested_person(&form.to);
    let view = TestNoticeView {
        test_user: form.to.as_str().to_owned(),
        notification_id: NotificationId::of(cause, recipient, use_case::TESTED_SCENE).0,
    };
    Ok(Answer::ok(TESTED, &view)?.written(done.position, done.replayed))
}

fn permitted(caller: &Caller) -> Result<(), Problem> {
    if allows(caller.role, Action::SetNotices) { Ok(()) } else { Err(Problem::of(&problem::FORBIDDEN)) }
}

fn configured(app: &App) -> ConfiguredApp {
    let wecom = app.settings.wecom_app.as_ref().map(|set| &set.channel);
    ConfiguredApp { corp_id: wecom.map(|set| set.corp.clone()), agent_id: wecom.map(|set| set.agent) }
}

fn answer(app: &App, text: Text, found: &Versioned<MemberNotices>) -> Result<Answer, Problem> {
    let sealed = found.state.sealed_secret.as_deref();
    let wecom = app.settings.wecom_app.as_ref();
    // One that was sealed with another configuration is older than the configured one, which holds.
    let typed = sealed.zip(wecom).and_then(|(sealed, set)| open(&set.secret, sealed));
    let from = if typed.is_some() { SecretFrom::Console } else { SecretFrom::Configuration };
    let view = MemberNoticesView::of(configured(app), from, &found.state);
    Ok(Answer::ok(text, &view)?.version(found.sequence))
}

fn refused(error: ExecuteError<MemberNoticesRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(MemberNoticesRefusal::Rule(MemberNoticesError::Invalid(violations))) => {
            Problem::fields(violations.into_iter().map(member_notices_violation).collect())
        }
        ExecuteError::Refused(MemberNoticesRefusal::OwnWords(fault)) => {
            Problem::fields(vec![own_words_violation(&fault)])
        }
        ExecuteError::Refused(MemberNoticesRefusal::Forbidden) => Problem::of(&problem::FORBIDDEN),
        ExecuteError::Refused(refusal @ MemberNoticesRefusal::Stale { sequence }) => {
            let english = "Somebody else has changed these settings, please reload";
            Problem::of(&problem::VERSION_CONFLICT)
                .text(Text::with(refusal.to_string(), english))
                .details(json!({ "version": sequence }))
        }
        other => execute_problem(other),
    }
}
