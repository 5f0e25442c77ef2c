//! The settings of the service.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use application::channels::Routes;
use application::delivery::RetrySchedule;
use infrastructure::db::DbOptions;
use infrastructure::intake::SourceSettings;
use infrastructure::settler;
use infrastructure::signed_messages::MessageKeys;
use projections::policy_runner;
use secrecy::{ExposeSecret as _, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;

use super::ConfigError;
use super::auth::{AuthSettings, auth};
use super::callbacks::{CallbackSettings, callbacks};
use super::channels::{
    self, WechatCloudSettings, WechatOfficialSettings, WechatSubscribeSettings, WecomAppSettings,
    WecomRobotSettings,
};
use super::intake::intake;
use super::limits::{LimitSettings, limits};
use super::protection::{ProtectionSettings, protection};
use super::reader::{Reader, Sources};
use super::schedules::{ScheduleSettings, schedules};
use super::webhook::webhook;

/// Bounds of the body limit, in bytes.
const BODY_BYTES: std::ops::RangeInclusive<usize> = 1024..=64 * 1024 * 1024;
/// Bounds of the connections of one process.
const CONNECTIONS: std::ops::RangeInclusive<u32> = 1..=256;
/// On PostgreSQL a transaction may look at the log beside itself.
const POSTGRES_CONNECTIONS: std::ops::RangeInclusive<u32> = 2..=256;
/// Bounds of the time a channel has before the next one speaks, in seconds.
const FALLBACK_SECONDS: std::ops::RangeInclusive<u64> = 5..=24 * 60 * 60;
/// Bounds of one wait between two attempts, in seconds.
const RETRY_SECONDS: std::ops::RangeInclusive<u64> = 1..=24 * 60 * 60;
/// Everything `leadwire serve` needs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where and how HTTP is served.
    pub server: ServerSettings,
    /// The database.
    pub database: DatabaseSettings,
    /// Tokens.
    pub auth: AuthSettings,
    /// What keeps floods and foreign pages out.
    pub protection: ProtectionSettings,
    /// What people are held to.
    pub limits: LimitSettings,
    /// The mini program's subscribe messages; `None` when not configured.
    pub wechat_subscribe: Option<WechatSubscribeSettings>,
    /// The mini program's cloud function; `None` when not configured.
    pub wechat_cloud: Option<WechatCloudSettings>,
    /// The service account; `None` when not configured.
    pub wechat_official: Option<WechatOfficialSettings>,
    /// The `WeCom` application; `None` when not configured.
    pub wecom_app: Option<WecomAppSettings>,
    /// The `WeCom` group robot; `None` when not configured.
    pub wecom_robot: Option<WecomRobotSettings>,
    /// Who is told through which channels.
    pub routes: Routes,
    /// The apps that may tell us something by themselves; empty when none is configured.
    pub callbacks: Vec<CallbackSettings>,
    /// Retries.
    pub delivery: DeliverySettings,
    /// When jobs run.
    pub schedules: ScheduleSettings,
    /// Databases that somebody else writes members into.
    pub intake: Vec<SourceSettings>,
    /// What other programs of the house sign messages of members with; `None` when not configured.
    pub webhook: Option<MessageKeys>,
    /// Log lines.
    pub log: LogSettings,
}

/// Where and how HTTP is served.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Origins whose pages may open a socket, e.g. `https://crm.example.com`; none means same origin only.
    pub allowed_origins: Vec<String>,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Where metrics and health are served besides, also by a process that answers no other request.
    pub metrics_listen: Option<SocketAddr>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `sqlite:path` or `postgres://…`, which may hold a password.
    pub url: SecretString,
    /// Sizes of the pools.
    pub options: DbOptions,
}

/// Retries, and what is done about arrivals that nobody knows of.
#[derive(Debug, Clone)]
pub struct DeliverySettings {
    /// The waits between attempts.
    pub schedule: RetrySchedule,
    /// Policies that differ from the channel's own.
    pub unknown: settler::Options,
    /// How long a channel has before the next one of the route speaks.
    pub fallback_after: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            schedule: RetrySchedule::default(),
            unknown: settler::Options::default(),
            fallback_after: policy_runner::FALLBACK_AFTER,
        }
    }
}

/// Log lines.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written, e.g. `info,leadwire=debug`.
    pub filter: String,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl Settings {
    /// Reads the settings of the service; names every mistake at once.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(sources);
        let read = Self::read(&mut reader);
        reader.finish(read)
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        // Every section is read before the first missing one ends the whole: all mistakes are named.
        let server = server(reader);
        let database = database(reader);
        let auth = auth(reader);
        let protection = protection(reader);
        let limits = limits(reader);
        let wechat_subscribe = channels::subscribe(reader);
        let wechat_cloud = channels::cloud(reader);
        let wechat_official = channels::official(reader);
        let wecom_app = channels::app(reader);
        let wecom_robot = channels::robot(reader);
        let routes = channels::routes(reader);
        let callbacks = callbacks(reader);
        let delivery = delivery(reader);
        let schedules = schedules(reader);
        let intake = intake(reader, &delivery.as_ref().map(|set| set.schedule.clone()).unwrap_or_default());
        let webhook = webhook(reader);
        let log = log(reader);
        Some(Self {
            server: server?,
            database: database?,
            auth: auth?,
            limits: limits?,
            protection: protection?,
            wechat_subscribe,
            wechat_cloud,
            wechat_official,
            wecom_app,
            wecom_robot,
            routes: routes?,
            callbacks,
            delivery: delivery?,
            schedules: schedules?,
            intake,
            webhook,
            log: log?,
        })
    }
}

fn server(reader: &mut Reader) -> Option<ServerSettings> {
    let address = |text: String| {
        text.parse().map_err(|_| "is not an address with a port, such as 127.0.0.1:3000".to_owned())
    };
    let listen = reader.checked("server.listen", address);
    let metrics_listen = match reader.text("server.metrics_listen") {
        Some(_) => reader.checked("server.metrics_listen", address),
        None => None,
    };
    let allowed_origins = reader.checked("server.allowed_origins", |origins: Vec<String>| {
        origins.into_iter().map(|text| origin(&text)).collect::<Result<Vec<_>, _>>()
    });
    let body_bytes_max = reader.checked("server.body_bytes_max", |n| within(n, &BODY_BYTES, "bytes"));
    if reader.text("server.public_url").is_some() {
        // Where the channels send people to; they take it from here.
        reader.checked("server.public_url", |text: String| http_url(&text));
    }
    Some(ServerSettings {
        listen: listen?,
        allowed_origins: allowed_origins?,
        body_bytes_max: body_bytes_max?,
        metrics_listen,
    })
}

pub(super) fn database(reader: &mut Reader) -> Option<DatabaseSettings> {
    let postgres =
        reader.checked("database.postgres_connections", |n| within(n, &POSTGRES_CONNECTIONS, "connections"));
    let sqlite = reader.checked("database.sqlite_readers", |n| within(n, &CONNECTIONS, "connections"));
    let url = match reader.text("database.url_file") {
        Some(file) => reader.secret_file("database.url_file", file.as_ref()),
        None => reader.text("database.url").map(SecretString::from),
    };
    let known = |url: &SecretString| {
        let scheme = url.expose_secret().split(':').next();
        matches!(scheme, Some("sqlite" | "postgres" | "postgresql"))
    };
    if url.as_ref().is_none_or(|url| !known(url)) {
        reader.problem("database.url", "begins with sqlite: or postgres://");
        return None;
    }
    let options = DbOptions { postgres_connections: postgres?, sqlite_readers: sqlite? };
    Some(DatabaseSettings { url: url?, options })
}

pub(super) fn delivery(reader: &mut Reader) -> Option<DeliverySettings> {
    let waits = reader.checked("delivery.retry_seconds", |waits: Vec<u64>| {
        let waits = waits.into_iter().map(|n| within(n, &RETRY_SECONDS, "seconds").map(Duration::from_secs));
        waits.collect::<Result<Vec<_>, _>>()
    });
    let jitter = reader.optional::<u8>("delivery.jitter_percent");
    let busy = reader.optional::<i64>("delivery.busy_answers_max");
    let unknown = reader.checked("delivery.unknown", |policies: BTreeMap<String, String>| {
        let policies = policies.iter().map(|(channel, policy)| (channel.as_str(), policy.as_str()));
        settler::Options::parse(policies).map_err(|error| error.to_string())
    });
    let fallback = reader.checked("delivery.fallback_seconds", |seconds: u64| {
        within(seconds, &FALLBACK_SECONDS, "seconds").map(Duration::from_secs)
    });
    match RetrySchedule::new(waits?, jitter?, busy?) {
        Ok(schedule) => Some(DeliverySettings {
            schedule,
            unknown: unknown.unwrap_or_default(),
            fallback_after: fallback?,
        }),
        Err(error) => {
            reader.problem("delivery", error.to_string());
            None
        }
    }
}

pub(super) fn log(reader: &mut Reader) -> Option<LogSettings> {
    let format = reader.checked("log.format", |text: String| match text.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is text or json".to_owned()),
    });
    let filter = reader.checked("log.filter", |text: String| {
        EnvFilter::try_new(&text)
            .map(|_| text)
            .map_err(|_| "is not a filter such as info,leadwire=debug".to_owned())
    });
    Some(LogSettings { format: format?, filter: filter? })
}

pub(super) fn within<T>(value: T, bounds: &std::ops::RangeInclusive<T>, unit: &str) -> Result<T, String>
where
    T: PartialOrd + std::fmt::Display,
{
    if bounds.contains(&value) {
        return Ok(value);
    }
    Err(format!("is {} to {} {unit}, not {value}", bounds.start(), bounds.end()))
}

pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim_end_matches('/')).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| "is not an http or https address".to_owned())?;
    // Addresses are shown, logged and sent to people.
    let is_bare = url.username().is_empty() && url.password().is_none();
    if is_bare { Ok(url) } else { Err("names a user or a password, which no address here may".to_owned()) }
}

fn origin(text: &str) -> Result<String, String> {
    let rule = || format!("`{text}` is not an origin such as https://crm.example.com");
    let url = http_url(text).map_err(|_| rule())?;
    let origin = url.origin().ascii_serialization();
    if origin == text.trim_end_matches('/') { Ok(origin) } else { Err(rule()) }
}
