//! What an operator may set, read once at start: defaults, then `leadwire.toml`, then the environment.
//!
//! An environment variable is `LEADWIRE_SECTION__KEY`; the names system A gave to WeChat's settings are understood too. Secrets come from the environment or from a file of their own, never from `leadwire.toml`,
//! which people copy around (product.md G16). Reading never stops at the first mistake: every one is named with
//! its rule.

mod auth;
mod callbacks;
mod channels;
mod intake;
mod keys;
mod limits;
mod print;
mod protection;
mod reader;
mod schedules;
mod service;
mod tool;
mod webhook;

pub use auth::{AuthSettings, IssuerKeys, IssuerSettings};
pub use callbacks::{CallbackKind, CallbackSettings};
pub use channels::doubts;
pub use channels::{
    ProviderSettings, WechatCloudSettings, WechatOfficialSettings, WechatSubscribeSettings, WecomAppSettings,
    WecomRobotSettings,
};
pub use intake::{judge_name, mapping, usual};
pub use limits::LimitSettings;
pub use print::effective;
pub use protection::ProtectionSettings;
pub use reader::Sources;
pub use schedules::ScheduleSettings;
pub use service::{DatabaseSettings, DeliverySettings, LogFormat, LogSettings, ServerSettings, Settings};
pub use tool::ToolSettings;

#[cfg(test)]
mod tests;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "leadwire.toml";

/// Fewest bytes of the secret that signs tokens: as many as the HS256 key has.
pub const JWT_SECRET_BYTES_MIN: usize = 32;

/// What holds without anybody setting it.
const DEFAULTS: &str = r#"
[server]
listen = "127.0.0.1:3000"
allowed_origins = []
body_bytes_max = 1048576

[database]
url = "sqlite:leadwire.db"
postgres_connections = 16
sqlite_readers = 8

[auth]
token_seconds = 86400

[protection]
login_per_minute = 60
public_form_per_minute = 10
registrations_per_minute = 600
trusted_proxies = []
hsts_seconds = 0

[limits]
holding_cap = 50
cap_ignores_signed = "no"
assignments_held_to_cap = "no"
claims_per_day = 0
claim_gap_seconds = 0
cool_off_hours = 0
awaited_moves = 1000
zone = "Asia/Shanghai"

[wechat_subscribe]
page = "pages/customer/detail?id={customerId}"
miniprogram_state = "formal"
base_url = "https://api.weixin.qq.com"
connect_timeout_ms = 3000
request_timeout_ms = 10000

[wechat_cloud]
function = "quickstartFunctions"
base_url = "https://api.weixin.qq.com"
connect_timeout_ms = 3000
request_timeout_ms = 10000

[wechat_official]
base_url = "https://api.weixin.qq.com"
connect_timeout_ms = 3000
request_timeout_ms = 10000

[wecom_app]
kind = "textcard"
base_url = "https://qyapi.weixin.qq.com"
connect_timeout_ms = 3000
request_timeout_ms = 10000

[wecom_robot]
name = "robot"
kind = "markdown"
base_url = "https://qyapi.weixin.qq.com"
connect_timeout_ms = 3000
request_timeout_ms = 10000

[routes]
default = ["wecom_app", "wechat_subscribe", "wechat_official", "wechat_cloud"]

[delivery]
retry_seconds = [1, 5, 15, 30, 60, 120, 300, 600, 900]
jitter_percent = 20
busy_answers_max = 3
fallback_seconds = 300

[schedules]
self_check = "0 3 * * *"
lead_transfer = "0 * * * *"
transfer_runs = "* * * * *"
recycle = "0 * * * *"
recycle_runs = "* * * * *"
follow_up_due = "* * * * *"

[log]
format = "text"
filter = "info"
"#;

/// One mistake in the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, as it is written in `leadwire.toml`, or the variable.
    pub setting: String,
    /// The rule it breaks.
    pub rule: String,
}

/// Every mistake in the settings. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the settings cannot be used:")?;
        for Problem { setting, rule } in &self.0 {
            write!(f, "\n  {setting}: {rule}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
