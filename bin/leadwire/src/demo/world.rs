//! Everything the scenario is played on: the simulator, the service, the sample staff.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use application::channels::{Routes, wechat_subscribe};
use application::schedules::Grid;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use infrastructure::db::DbOptions;
use secrecy::SecretString;
use tempfile::TempDir;
use url::Url;
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, DEMO_TEMPLATE_FIELDS, RunningSimulator, Simulator,
};

use super::DemoArguments;
use super::people::{PASSWORD, People};
use crate::cli::say;
use crate::config::{
    AuthSettings, DatabaseSettings, DeliverySettings, LimitSettings, LogFormat, LogSettings,
    ProtectionSettings, ScheduleSettings, ServerSettings, Settings, WechatSubscribeSettings,
};
use crate::wiring::{Leadwire, Role, Running};

/// What the four fields of the simulator's template show.
const FIELD_VALUES: [&str; 4] = ["customer_name", "phone_masked", "reason", "assign_time"];
/// Largest request body, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a login is good.
const TOKEN_LIFE: Duration = Duration::from_hours(24);
/// Timeouts towards the simulator.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// When the nightly check is done, should somebody leave the demo on over night.
const NIGHTLY: &str = "0 3 * * *";

/// When leads fall.
const HOURLY: &str = "0 * * * *";

/// When owners are reminded of follow-ups.
const EACH_MINUTE: &str = "* * * * *";
/// Random bytes of the secret that signs the demo's tokens.
const SECRET_BYTES: usize = 32;

/// A running demo.
pub(super) struct World {
    /// The service.
    pub(super) leadwire: Running,
    /// WeChat.
    pub(super) simulator: RunningSimulator,
    /// The staff.
    pub(super) people: People,
    /// Address of the service, without a slash at the end.
    pub(super) base_url: String,
    /// Goes away with the demo.
    _temporary: Option<TempDir>,
}

impl World {
    /// Starts everything.
    pub(super) async fn start(arguments: &DemoArguments) -> Result<Self> {
        let (database, temporary) = database(arguments)?;
        // Port 0 takes free ones, for tests.
        let next_port = if arguments.port == 0 { 0 } else { arguments.port + 1 };
        let simulator_address = SocketAddr::new(arguments.host, next_port);
        let simulator = Simulator::start(simulator_address).await.with_context(|| {
            format!("the simulator cannot listen on {simulator_address}; choose another --port")
        })?;
        let listen = SocketAddr::new(arguments.host, arguments.port);
        let settings = settings(listen, database, simulator.base_url())?;
        let leadwire =
            Leadwire::start(settings, &Role::ALL).await.context("choose another --port or --data")?;
        let people = People::settle_in(leadwire.app(), simulator.handle()).await?;
        let address = leadwire.local_addr().unwrap_or(listen);
        let base_url = format!("http://{address}");
        Ok(Self { leadwire, simulator, people, base_url, _temporary: temporary })
    }

    /// Tells where everything is.
    pub(super) fn print_addresses(&self) -> Result<()> {
        say::line("")?;
        say::line(format_args!("API docs     {}/api/docs", self.base_url))?;
        say::line(format_args!("WeChat       {}/   (what each person received)", self.simulator.base_url()))?;
        let accounts: Vec<&str> = self.people.usernames().collect();
        say::line(format_args!("Accounts     {}", accounts.join(" ")))?;
        say::line(format_args!("Password     {PASSWORD}"))?;
        say::line("Ctrl-C ends the demo.")
    }

    /// Stops everything.
    pub(super) async fn stop(self) {
        self.leadwire.stop().await;
        self.simulator.stop().await;
    }
}

fn database(arguments: &DemoArguments) -> Result<(SecretString, Option<TempDir>)> {
    if let Some(url) = &arguments.database_url {
        return Ok((SecretString::from(url.as_str()), None));
    }
    let temporary = match &arguments.data {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("leadwire-demo-").tempdir()?),
    };
    let fresh = temporary.as_ref().map(|temporary| temporary.path().to_owned());
    let folder = arguments.data.clone().or(fresh).unwrap_or_default();
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be created", folder.display()))?;
    let file = folder.join("leadwire.db");
    let file = file.to_str().context("the path of --data is not Unicode")?;
    Ok((SecretString::from(format!("sqlite:{file}")), temporary))
}

fn settings(listen: SocketAddr, url: SecretString, wechat: &str) -> Result<Settings> {
    let fields = DEMO_TEMPLATE_FIELDS.iter().zip(FIELD_VALUES);
    let channel = wechat_subscribe::Settings {
        app: DEMO_APPID.to_owned(),
        template: DEMO_TEMPLATE.to_owned(),
        page: "pages/customer/detail?id={customerId}".to_owned(),
        fields: fields.map(|(key, shows)| ((*key).to_owned(), shows.to_owned())).collect(),
        miniprogram_state: "formal".to_owned(),
    };
    channel.validate()?;
    Ok(Settings {
        intake: Vec::new(),
        server: ServerSettings {
            listen,
            allowed_origins: vec![],
            body_bytes_max: BODY_BYTES_MAX,
            metrics_listen: None,
        },
        database: DatabaseSettings { url, options: DbOptions::default() },
        auth: AuthSettings { jwt_secret: secret(), token_life: TOKEN_LIFE, issuer: None },
        protection: ProtectionSettings::default(),
        limits: LimitSettings::default(),
        wechat_subscribe: Some(WechatSubscribeSettings {
            channel,
            secret: SecretString::from(DEMO_SECRET),
            base_url: Url::parse(wechat)?,
            connect_timeout: CONNECT_TIMEOUT,
            request_timeout: REQUEST_TIMEOUT,
        }),
        wechat_cloud: None,
        wechat_official: None,
        wecom_app: None,
        wecom_robot: None,
        routes: Routes::default(),
        callbacks: vec![],
        webhook: None,
        delivery: DeliverySettings::default(),
        schedules: ScheduleSettings {
            self_check: Grid::parse(NIGHTLY, chrono_tz::Asia::Shanghai)?,
            lead_transfer: Grid::parse(HOURLY, chrono_tz::Asia::Shanghai)?,
            transfer_runs: Grid::parse(EACH_MINUTE, chrono_tz::Asia::Shanghai)?,
            recycle: Grid::parse(HOURLY, chrono_tz::Asia::Shanghai)?,
            recycle_runs: Grid::parse(EACH_MINUTE, chrono_tz::Asia::Shanghai)?,
            follow_up_due: Grid::parse(EACH_MINUTE, chrono_tz::Asia::Shanghai)?,
        },
        log: LogSettings { format: LogFormat::Text, filter: super::LOG_FILTER.to_owned() },
    })
}

/// A secret nobody knows: tokens of one run are worth nothing in the next.
fn secret() -> SecretString {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    SecretString::from(URL_SAFE_NO_PAD.encode(bytes))
}
