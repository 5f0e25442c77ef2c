//! The settings of the external channels: each is complete or not configured, and then decisions say so and nothing
//! else changes (product.md G7).

mod routes;
mod wechat;
mod wecom;

use std::collections::BTreeMap;
use std::time::Duration;

use application::channels::{
    ChannelSettings, wechat_cloud, wechat_official, wechat_subscribe, wecom_app, wecom_robot,
};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

pub use routes::doubts;
pub(super) use routes::routes;
pub(super) use wechat::{cloud, official, subscribe};
pub(super) use wecom::{app, robot};

use super::reader::Reader;
use super::service::{Settings, http_url, within};

/// Bounds of a provider timeout, in milliseconds.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 50..=60_000;

/// A configured channel and how to reach its provider.
#[derive(Debug, Clone)]
pub struct ProviderSettings<C> {
    /// What is not secret: app, template, fields.
    pub channel: C,
    /// The app's secret, or the robot's key.
    pub secret: SecretString,
    /// Where the provider is, without a slash at the end.
    pub base_url: Url,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for a whole call.
    pub request_timeout: Duration,
}

/// The mini program's subscribe messages.
pub type WechatSubscribeSettings = ProviderSettings<wechat_subscribe::Settings>;
/// The mini program's cloud function.
pub type WechatCloudSettings = ProviderSettings<wechat_cloud::Settings>;
/// The service account.
pub type WechatOfficialSettings = ProviderSettings<wechat_official::Settings>;
/// The `WeCom` application.
pub type WecomAppSettings = ProviderSettings<wecom_app::Settings>;
/// The `WeCom` group robot.
pub type WecomRobotSettings = ProviderSettings<wecom_robot::Settings>;

impl Settings {
    /// What is not secret of every configured channel.
    pub fn channels(&self) -> ChannelSettings {
        ChannelSettings {
            wechat_subscribe: self.wechat_subscribe.as_ref().map(|set| set.channel.clone()),
            wechat_cloud: self.wechat_cloud.as_ref().map(|set| set.channel.clone()),
            wechat_official: self.wechat_official.as_ref().map(|set| set.channel.clone()),
            wecom_app: self.wecom_app.as_ref().map(|set| set.channel.clone()),
            wecom_robot: self.wecom_robot.as_ref().map(|set| set.channel.clone()),
            routes: self.routes.clone(),
            zone: self.limits.limits.zone,
        }
    }
}

/// Where the settings of one provider stand.
struct Paths {
    base_url: &'static str,
    connect: &'static str,
    request: &'static str,
}

/// A channel with the ways to its provider; a mistake in them is noted.
fn provider<C>(
    reader: &mut Reader,
    paths: &Paths,
    channel: Option<C>,
    secret: Option<SecretString>,
) -> Option<ProviderSettings<C>> {
    let base_url = reader.checked(paths.base_url, |text: String| http_url(&text));
    let connect = reader.checked(paths.connect, |n| within(n, &TIMEOUT_MS, "ms"));
    let request = reader.checked(paths.request, |n| within(n, &TIMEOUT_MS, "ms"));
    Some(ProviderSettings {
        channel: channel?,
        secret: secret?,
        base_url: base_url?,
        connect_timeout: Duration::from_millis(connect?),
        request_timeout: Duration::from_millis(request?),
    })
}

/// Notes every part that is missing.
fn needed(reader: &mut Reader, parts: &[(&str, bool)], together: &str) {
    for (setting, _) in parts.iter().filter(|(_, set)| !set) {
        reader.problem(setting, format!("is needed: {together} are set together or not at all"));
    }
}

/// A secret that is not blank.
fn secret(reader: &mut Reader, path: &str, file_path: &str) -> Option<SecretString> {
    reader.secret(path, file_path).filter(|secret| !secret.expose_secret().is_empty())
}

/// Notes what a channel says against its settings.
fn checked<C, E: std::fmt::Display>(
    reader: &mut Reader,
    section: &str,
    channel: C,
    validate: impl FnOnce(&C) -> Result<(), E>,
) -> C {
    if let Err(error) = validate(&channel) {
        reader.problem(section, error.to_string());
    }
    channel
}

/// A kind by its name; the rule it breaks names all of them.
fn kind<K: Copy>(names: &[(&str, K)], text: &str) -> Result<K, String> {
    let found = names.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind);
    found.ok_or_else(|| {
        format!("is one of {}", names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
    })
}

/// The fields of a template; `otherwise` when none are configured.
fn fields(reader: &mut Reader, path: &str, otherwise: &[(&str, &str)]) -> Vec<(String, String)> {
    let fields = reader.optional::<BTreeMap<String, String>>(path).filter(|fields| !fields.is_empty());
    let default = || otherwise.iter().map(|(key, shows)| ((*key).to_owned(), (*shows).to_owned())).collect();
    fields.map_or_else(default, |fields| fields.into_iter().collect())
}

/// Where people reach the console; a mistake in it is noted where the server is read.
fn public_url(reader: &mut Reader) -> Option<String> {
    let text = reader.text("server.public_url")?;
    http_url(&text).ok().map(|url| url.to_string().trim_end_matches('/').to_owned())
}
