//! `/api/wechat/subscribe/*`: to how many messages people have agreed (existing-systems.md section 6.4). Read from the
//! ledgers themselves, not from a list that may be behind.

use application::access::Action;
use application::bus::{CommandBus as _, ExecuteError};
use application::forms;
use application::staff::{self as use_case, StaffRefusal};
use axum::extract::State;
use domain::contact::{OpenId, mask};
use domain::staff::{Role, Staff};
use domain::subscription::{GrantSource, SubscriptionLedger};
use domain::{StaffId, StreamId};
use projections::queries;
use projections::queries::staff::StaffRow;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::command::CommandRequest;
use super::problem::{self, Problem};
use super::refusals::{db_problem, load_problem};
use super::schemas::{self, Enveloped};
use super::text::Text;
use super::time::Millis;
use super::users::{permitted, staff_problem};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::config::CallbackKind;

const CREDIT: Text = Text::new("获取订阅额度成功", "Here is how many messages you have agreed to");
const LISTED: Text = Text::new("获取订阅用户列表成功", "Here is who has agreed to how many messages");
const COUNTED: Text = Text::new("订阅确认成功", "Your consent is counted");
const DECLINED: Text = Text::new("已取消订阅", "You have not agreed; nothing is counted");
const COUNTED_BY_CALLBACK: Text = Text::new(
    "已收到，订阅额度以微信回调为准",
    "Received; consents are counted when WeChat itself tells of them",
);

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(show_credit))
        .routes(routes!(list_subscribers))
        .routes(routes!(confirm))
}

/// How many messages the caller may get.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Credit {
    /// Whether a WeChat account is bound.
    bound: bool,
    /// The caller's own openid.
    openid: Option<String>,
    /// Messages that can still be sent.
    remaining: i64,
    /// The configured template.
    template_id: Option<String>,
    /// The configured mini program.
    appid: Option<String>,
}

/// What is left after a report.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Confirmed {
    /// Messages that can still be sent.
    remaining: i64,
    /// Consents so far.
    total_subscribed: i64,
}

/// Who has agreed to what.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscribers {
    /// The people with a bound account, by name.
    list: Vec<Subscriber>,
    /// How many.
    total: usize,
    /// The configured template.
    template_id: Option<String>,
    /// The configured mini program.
    appid: Option<String>,
}

/// A person with a bound account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscriber {
    /// Id of the account.
    #[schema(value_type = uuid::Uuid)]
    user_id: StaffId,
    /// Login name.
    username: String,
    /// Name on screens.
    name: String,
    /// Role.
    #[schema(value_type = String)]
    role: Role,
    /// Department.
    department: Option<String>,
    /// Whether the account works.
    active: bool,
    /// The openid, masked: nobody needs to read it.
    wechat_open_id: String,
    /// Not known: WeChat does not tell it any more.
    wechat_nickname: Option<String>,
    /// Messages that can still be sent.
    remaining: i64,
    /// Consents so far.
    total_subscribed: i64,
    /// Messages that used one up.
    total_sent: i64,
    /// The last consent.
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_subscribed_at: Option<Millis>,
    /// The last message that used one up.
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_sent_at: Option<Millis>,
}

/// The configured mini program and its template.
fn configured(app: &App) -> Option<(&str, &str)> {
    let channel = &app.settings.wechat_subscribe.as_ref()?.channel;
    Some((channel.app.as_str(), channel.template.as_str()))
}

async fn ledger(
    app: &App,
    appid: &str,
    openid: &OpenId,
    template: &str,
) -> Result<SubscriptionLedger, Problem> {
    let stream = StreamId::subscription(appid, openid.as_str(), template);
    let ledger = app.bus.load::<SubscriptionLedger>(&stream).await;
    Ok(ledger.map_err(|error| load_problem(&error))?.state)
}

async fn openid_of(app: &App, caller: StaffId, appid: &str) -> Result<Option<OpenId>, Problem> {
    let staff = app.bus.load::<Staff>(&StreamId::from(caller)).await;
    Ok(staff.map_err(|error| load_problem(&error))?.state.openids.remove(appid))
}

/// How many messages can still be sent to the caller.
#[utoipa::path(
    get, path = "/api/wechat/subscribe/credit", operation_id = "show_subscribe_credit", tag = "users",
    responses((status = 200, description = "The credit", body = Enveloped<Credit>), schemas::ReadProblems)
)]
pub async fn show_credit(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    let Some((appid, template)) = configured(&app) else {
        let none = Credit { bound: false, openid: None, remaining: 0, template_id: None, appid: None };
        return Answer::ok(CREDIT, &none);
    };
    let openid = openid_of(&app, caller.id, appid).await?;
    let remaining = match &openid {
        Some(openid) => ledger(&app, appid, openid, template).await?.available,
        None => 0,
    };
    let credit = Credit {
        bound: openid.is_some(),
        openid: openid.map(|openid| openid.as_str().to_owned()),
        remaining,
        template_id: Some(template.to_owned()),
        appid: Some(appid.to_owned()),
    };
    Answer::ok(CREDIT, &credit)
}

/// Everybody with a bound account, and how many messages can still be sent to each.
#[utoipa::path(
    get, path = "/api/wechat/subscribe/subscribers", operation_id = "list_subscribers", tag = "users",
    responses((status = 200, description = "The subscribers", body = Enveloped<Subscribers>), schemas::ReadProblems)
)]
pub async fn list_subscribers(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::EditStaff)?;
    let Some((appid, template)) = configured(&app) else {
        return Answer::ok(LISTED, &Subscribers { list: vec![], total: 0, template_id: None, appid: None });
    };
    let rows = queries::staff::all(&app.db).await.map_err(|error| db_problem(&error))?;
    let bound: Vec<(StaffRow, OpenId)> = rows
        .into_iter()
        .filter_map(|mut row| row.staff.openids.remove(appid).map(|openid| (row, openid)))
        .collect();
    let stream = |(_, openid): &(StaffRow, OpenId)| StreamId::subscription(appid, openid.as_str(), template);
    let streams: Vec<StreamId> = bound.iter().map(stream).collect();
    let ledgers = app.bus.load_many::<SubscriptionLedger>(&streams).await;
    let ledgers = ledgers.map_err(|error| load_problem(&error))?;
    let people = bound.into_iter().zip(ledgers);
    let list: Vec<Subscriber> =
        people.filter_map(|((row, openid), ledger)| subscriber(row, &openid, &ledger.state)).collect();
    let total = list.len();
    let (template_id, appid) = (Some(template.to_owned()), Some(appid.to_owned()));
    Answer::ok(LISTED, &Subscribers { list, total, template_id, appid })
}

/// `None` where there is no account.
fn subscriber(row: StaffRow, openid: &OpenId, ledger: &SubscriptionLedger) -> Option<Subscriber> {
    let active = row.staff.is_active();
    let account = row.staff.account?;
    Some(Subscriber {
        user_id: row.id,
        username: account.username,
        name: account.name,
        role: account.role,
        department: account.department,
        active,
        wechat_open_id: mask(openid.as_str()),
        wechat_nickname: None,
        remaining: ledger.available,
        total_subscribed: ledger.granted,
        total_sent: ledger.spent,
        last_subscribed_at: ledger.last_granted_at.map(Millis),
        last_sent_at: ledger.last_spent_at.map(Millis),
    })
}

/// Takes what the popup of the mini program came back with. Counted only while no callbacks are configured: with them,
/// WeChat itself tells of the consent, and counting both would double it.
#[utoipa::path(
    post, path = "/api/wechat/subscribe/confirm", operation_id = "confirm_subscription", tag = "users",
    request_body = schemas::SubscribeConfirmBody,
    responses((status = 200, description = "What is left", body = Enveloped<Confirmed>), schemas::CommandProblems)
)]
pub async fn confirm(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[]);
    let form = forms::SubscribeConfirm::parse(request.body).map_err(Problem::fields)?;
    let Some((appid, default_template)) = configured(&app) else {
        return Err(Problem::of(&problem::WECHAT_NOT_CONFIGURED));
    };
    let not_bound = || Problem::of(&problem::SUBSCRIPTION_NOT_BOUND);
    let openid = openid_of(&app, caller.id, appid).await?.ok_or_else(not_bound)?;
    let template = form.template.as_deref().unwrap_or(default_template);
    let told_by_wechat = app.callbacks.app_of(CallbackKind::MiniProgram) == Some(appid);
    let mut written = None;
    let text = match (form.accepted, told_by_wechat) {
        (false, _) => DECLINED,
        (true, true) => COUNTED_BY_CALLBACK,
        (true, false) => {
            let source = GrantSource::ClientReport;
            let granted =
                use_case::grant_credits(&app.bus, &context, caller.id, appid, template, form.count, source)
                    .await;
            let granted = granted.map_err(|error| match error {
                ExecuteError::Refused(StaffRefusal::NotBound) => not_bound(),
                other => staff_problem(other),
            })?;
            app.writes.noted(caller.id, granted.position);
            written = Some((granted.position, granted.replayed));
            COUNTED
        }
    };
    let ledger = ledger(&app, appid, &openid, template).await?;
    let left = Confirmed { remaining: ledger.available, total_subscribed: ledger.granted };
    let answer = Answer::ok(text, &left)?;
    Ok(match written {
        Some((position, replayed)) => answer.written(position, replayed),
        None => answer,
    })
}
