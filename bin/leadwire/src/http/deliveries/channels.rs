//! How each channel does, and an operator's pause.

use application::access::Action;
use application::bus::Executed;
use application::delivery::Contract;
use application::forms;
use axum::extract::State;
use chrono::{DateTime, Utc};
use domain::notification::{Channel, DeliveryState};
use infrastructure::channel_control;
use projections::queries::deliveries::channels::{self as query, Depth, HealthRow, Pause, TokenRow};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::act::ReasonBody;
use super::{ChannelPath, control_problem, permitted};
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::command::CommandRequest;
use crate::http::problem::Problem;
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::{Millis, calendar};

const LISTED: Text = Text::new("获取渠道状态成功", "Here is how the channels do");
const PAUSED: Text = Text::new("渠道已暂停", "The channel is paused");
const RESUMED: Text = Text::new("渠道已恢复", "The channel works again");

/// The channel that the path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ChannelNamePath {
    /// `wechat_subscribe`, `wechat_cloud`, `wechat_official`, `wecom_app` or `wecom_robot`.
    pub name: String,
}

/// Every channel, and the access tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct Channels {
    /// In the order of the code table.
    channels: Vec<ChannelDocument>,
    /// Access tokens, without the tokens.
    tokens: Vec<TokenDocument>,
}

/// One channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChannelDocument {
    /// Its name.
    #[schema(value_type = String)]
    name: Channel,
    /// Whether it has settings.
    configured: bool,
    /// An operator's pause.
    #[schema(value_type = Option<Object>)]
    paused: Option<PauseDocument>,
    /// How the processes find it; nobody does when the list is empty.
    health: Vec<HealthDocument>,
    /// What waits.
    queue: QueueDocument,
    /// What its provider, or the inbox, took today.
    sent_today: i64,
    /// How much of the provider's limits was used.
    limits: Vec<Gauge>,
}

/// An operator's pause.
#[derive(Debug, Serialize, ToSchema)]
pub struct PauseDocument {
    /// Why.
    reason: String,
    /// Since when.
    #[schema(value_type = DateTime<Utc>)]
    since: Millis,
}

/// How one process finds a channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthDocument {
    /// The provider's app.
    app: String,
    /// The dispatcher of that process.
    owner: uuid::Uuid,
    /// open, resting or probing.
    state: String,
    /// End of a rest.
    #[schema(value_type = Option<DateTime<Utc>>)]
    until: Option<Millis>,
    /// Who must act.
    failure_class: Option<String>,
    /// The provider's code.
    failure_code: Option<i64>,
    /// What to know about it.
    detail: Option<String>,
    /// When it said so.
    #[schema(value_type = DateTime<Utc>)]
    updated_at: Millis,
}

/// What waits in a channel. Standbys are not counted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueDocument {
    /// The channel.
    #[schema(value_type = String)]
    channel: Channel,
    /// Waiting for the first attempt.
    pending: i64,
    /// Waiting for another one.
    retry: i64,
    /// Under way.
    in_flight: i64,
    /// Held for a time.
    held: i64,
    /// The sum of the first three.
    depth: i64,
    /// When the oldest of these was asked for.
    #[schema(value_type = Option<DateTime<Utc>>)]
    oldest_at: Option<Millis>,
    /// How long ago that was, in seconds.
    oldest_seconds: Option<i64>,
}

/// How much of a limit was used.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gauge {
    /// Most messages.
    max: u32,
    /// In so many seconds.
    per_seconds: u64,
    /// Messages in the last stretch.
    used: i64,
}

/// An access token, without the token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenDocument {
    /// Whose.
    provider: String,
    /// The app.
    app: String,
    /// valid, expired or refused.
    state: &'static str,
    /// When it ends.
    #[schema(value_type = DateTime<Utc>)]
    expires_at: Millis,
    /// Nobody tries before this.
    #[schema(value_type = Option<DateTime<Utc>>)]
    refused_until: Option<Millis>,
}

/// Which channel was paused or resumed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Controlled {
    /// The channel.
    #[schema(value_type = String)]
    name: Channel,
    /// Whether nothing leaves through it.
    paused: bool,
}

/// How every channel does at this moment.
#[utoipa::path(
    get, path = "/api/deliveries/channels", operation_id = "list_channels", tag = "deliveries",
    responses((status = 200, description = "The channels", body = Enveloped<Channels>), schemas::ReadProblems)
)]
pub async fn channels(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewDeliveries)?;
    let failed = |error| db_problem(&error);
    let now = app.clock.now();
    let settings = app.settings.channels();
    let mut pauses = query::pauses(&app.db).await.map_err(failed)?;
    let health = query::health(&app.db, now).await.map_err(failed)?;
    let sent =
        query::accepted_since(&app.db, calendar::day_start(now, app.limits().zone)).await.map_err(failed)?;
    let tokens = query::tokens(&app.db).await.map_err(failed)?;
    let mut documents = Vec::new();
    for queue in queues(&app, now).await? {
        let name = queue.channel;
        let mine = health.iter().filter(|row| row.channel == name.as_str());
        documents.push(ChannelDocument {
            name,
            configured: settings.is_configured(name),
            paused: pauses.remove(&name).map(PauseDocument::of),
            health: mine.map(HealthDocument::of).collect(),
            queue,
            sent_today: sent.get(&name).copied().unwrap_or(0),
            limits: gauges(&app, name, settings.app(name), now).await?,
        });
    }
    let tokens = tokens.into_iter().map(|token| TokenDocument::of(token, now)).collect();
    Answer::ok(LISTED, &Channels { channels: documents, tokens })
}

/// Lets nothing leave through a channel. What waits stays and uses up no attempt.
#[utoipa::path(
    post, path = "/api/deliveries/channels/{name}/pause", operation_id = "pause_channel", tag = "deliveries",
    params(ChannelNamePath, schemas::CommandHeaders),
    request_body = ReasonBody,
    responses((status = 200, description = "It is paused", body = Enveloped<Controlled>), schemas::CommandProblems)
)]
pub async fn pause(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    ChannelPath(channel): ChannelPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ActOnDeliveries)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[channel.as_str().to_owned()]);
    let reason = forms::Because::parse(request.body).map_err(Problem::fields)?.reason;
    let done = channel_control::pause(&app.bus, channel, reason, &context).await.map_err(control_problem)?;
    app.writes.noted(caller.id, done.position);
    controlled(PAUSED, channel, true, &done)
}

/// Lets messages leave again.
#[utoipa::path(
    post, path = "/api/deliveries/channels/{name}/resume", operation_id = "resume_channel", tag = "deliveries",
    params(ChannelNamePath, schemas::CommandHeaders),
    request_body(content = Option<super::act::RetryBody>),
    responses((status = 200, description = "It works again", body = Enveloped<Controlled>), schemas::CommandProblems)
)]
pub async fn resume(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    ChannelPath(channel): ChannelPath,
    request: CommandRequest,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ActOnDeliveries)?;
    let request = request.without_version()?;
    let context = request.context(&app, &caller, &[channel.as_str().to_owned()]);
    // A reason is accepted, as for a pause; the event of a resumption has none.
    forms::RetryDelivery::parse(request.body).map_err(Problem::fields)?;
    let done = channel_control::resume(&app.bus, channel, &context).await.map_err(control_problem)?;
    app.writes.noted(caller.id, done.position);
    controlled(RESUMED, channel, false, &done)
}

fn controlled(text: Text, name: Channel, paused: bool, done: &Executed<()>) -> Result<Answer, Problem> {
    Ok(Answer::ok(text, &Controlled { name, paused })?.written(done.position, done.replayed))
}

/// What waits in each channel that needs a provider.
pub(super) async fn queues(app: &App, now: DateTime<Utc>) -> Result<Vec<QueueDocument>, Problem> {
    let depth = query::depth(&app.db).await.map_err(|error| db_problem(&error))?;
    let of = |channel: &Channel| QueueDocument::of(*channel, &depth, now);
    Ok(Channel::ALL.iter().map(of).collect())
}

async fn gauges(
    app: &App,
    channel: Channel,
    provider_app: Option<String>,
    now: DateTime<Utc>,
) -> Result<Vec<Gauge>, Problem> {
    let Some(provider_app) = provider_app else { return Ok(vec![]) };
    let mut gauges = Vec::new();
    for limit in Contract::of(channel).per_app {
        let per_seconds = limit.per.as_secs();
        let seconds = i64::try_from(per_seconds).unwrap_or(i64::MAX);
        let used = query::used(&app.db, &provider_app, seconds, now).await;
        gauges.push(Gauge { max: limit.max, per_seconds, used: used.map_err(|error| db_problem(&error))? });
    }
    Ok(gauges)
}

impl QueueDocument {
    fn of(channel: Channel, depth: &[Depth], now: DateTime<Utc>) -> Self {
        let of = |state| depth.iter().find(|row| row.channel == channel && row.state == state);
        let count = |state| of(state).map_or(0, |row| row.count);
        let (pending, retry) = (count(DeliveryState::Pending), count(DeliveryState::Retry));
        let (in_flight, held) = (count(DeliveryState::InFlight), count(DeliveryState::Held));
        let going = [DeliveryState::Pending, DeliveryState::Retry, DeliveryState::InFlight];
        let oldest = going.into_iter().filter_map(|state| of(state)?.oldest).min();
        Self {
            channel,
            pending,
            retry,
            in_flight,
            held,
            depth: pending + retry + in_flight,
            oldest_at: oldest.map(Millis),
            oldest_seconds: oldest.map(|oldest| (now - oldest).num_seconds().max(0)),
        }
    }
}

impl PauseDocument {
    fn of(pause: Pause) -> Self {
        Self { reason: pause.reason, since: Millis(pause.since) }
    }
}

impl HealthDocument {
    fn of(row: &HealthRow) -> Self {
        Self {
            app: row.app.clone(),
            owner: row.owner,
            state: row.state.clone(),
            until: row.until.map(Millis),
            failure_class: row.failure_class.clone(),
            failure_code: row.failure_code,
            detail: row.detail.clone(),
            updated_at: Millis(row.updated_at),
        }
    }
}

impl TokenDocument {
    fn of(token: TokenRow, now: DateTime<Utc>) -> Self {
        Self {
            state: token.state(now),
            provider: token.provider,
            app: token.app,
            expires_at: Millis(token.expires_at),
            refused_until: token.refused_until.map(Millis),
        }
    }
}
