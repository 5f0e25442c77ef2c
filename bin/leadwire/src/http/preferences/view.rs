//! What is shown of preferences: the document as it was set, and what it comes to.

use std::collections::BTreeMap;

use application::bus::Versioned;
use application::preferences::{CRITICAL, language, quiet_until, resolve, route};
use application::texts::CATALOGUE;
use chrono::{DateTime, Utc};
use domain::notification::{Channel, Priority};
use domain::preferences::{Digest, Document, Language, Mode, Preferences};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::time::Millis;

/// Everything a person or a role says about being told.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreferencesDocument {
    /// Types and channels; the most specific rule wins.
    #[schema(max_items = 256)]
    rules: Vec<RuleDocument>,
    /// When nothing leaves but critical messages; no windows: never quiet; `null`: as the role says.
    quiet: Option<QuietDocument>,
    /// When what is collected is told; `null`: as the role says, else daily at 09:00.
    digest: Option<DigestDocument>,
    /// Channels to try in order, by type; an empty list means the inbox only.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    routes: BTreeMap<String, Vec<Channel>>,
    /// `zh-CN` or `en`; `null`: as the role says.
    #[schema(value_type = Option<String>)]
    locale: Option<Language>,
}

/// How types are told through channels.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleDocument {
    /// The type; every type when `null`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The channel; every one but `in_app` when `null`.
    #[schema(value_type = Option<String>)]
    channel: Option<Channel>,
    /// `on`, `off` or `digest`.
    #[schema(value_type = String)]
    mode: Mode,
}

/// When a person is not to be disturbed.
#[derive(Debug, Serialize, ToSchema)]
pub struct QuietDocument {
    /// IANA name; `Asia/Shanghai` when missing.
    #[schema(required = false)]
    zone: String,
    /// The windows; they may touch and overlap.
    #[schema(max_items = 21, required = false)]
    windows: Vec<WindowDocument>,
}

/// A stretch of some days of the week.
#[derive(Debug, Serialize, ToSchema)]
pub struct WindowDocument {
    /// The days it begins on: `mon` … `sun`.
    #[schema(min_items = 1, max_items = 7)]
    days: Vec<&'static str>,
    /// Its first minute, `22:00`.
    from: String,
    /// The minute it is over, `08:00`; not later than `from`: on the next day.
    to: String,
}

/// When what is collected is told.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DigestDocument {
    /// Once a day.
    Daily {
        /// `09:00`, in the zone of the quiet hours.
        at: String,
    },
    /// The first at once, what follows together.
    Burst {
        /// How long is collected.
        #[schema(minimum = 1, maximum = 1440)]
        minutes: u32,
    },
}

/// The document and what it comes to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreferencesView {
    /// As it was set.
    document: PreferencesDocument,
    /// What it comes to, for every type this service has a text for.
    effective: Vec<EffectiveType>,
    /// Types that are told at once whatever is set.
    locked_types: Vec<&'static str>,
    /// The language of the texts.
    #[schema(value_type = String)]
    locale: Language,
    /// Until when it is quiet now; `null` when it is not.
    #[schema(value_type = Option<DateTime<Utc>>)]
    quiet_until: Option<Millis>,
    /// When the document was set; `null` before.
    #[schema(value_type = Option<DateTime<Utc>>)]
    updated_at: Option<Millis>,
}

/// How one type is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectiveType {
    /// The type.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Its usual title.
    title: &'static str,
    /// `HIGH`, `MEDIUM` or `LOW`.
    #[schema(value_type = String)]
    priority: Priority,
    /// Through each channel.
    channels: Vec<EffectiveChannel>,
    /// The channels to try in order; `null`: the installation's.
    route: Option<EffectiveRoute>,
}

/// How one type is told through one channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectiveChannel {
    /// The channel.
    #[schema(value_type = String)]
    channel: Channel,
    /// `on`, `off` or `digest`.
    #[schema(value_type = String)]
    mode: Mode,
    /// What caused it, e.g. `preference:CUSTOMER_ASSIGNED×wecom_app`, `role_default:*×*`, `locked:critical`.
    setting: String,
    /// Whether nothing can change it.
    locked: bool,
}

/// The channels to try in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectiveRoute {
    /// The channels.
    #[schema(value_type = Vec<String>)]
    channels: Vec<Channel>,
    /// `preference` or `role_default`.
    setting: &'static str,
}

impl PreferencesView {
    /// What `own` and `role` come to at `now`; `found` is the one of them that is shown.
    pub(super) fn of(
        found: &Versioned<Preferences>,
        own: &Document,
        role: &Document,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            document: PreferencesDocument::from(&found.state.document),
            effective: effective(own, role),
            locked_types: CRITICAL.to_vec(),
            locale: language(own, role),
            quiet_until: quiet_until(own, role, now).map(Millis),
            updated_at: found.state.set_at.map(Millis),
        }
    }
}

fn effective(own: &Document, role: &Document) -> Vec<EffectiveType> {
    let mut types: Vec<EffectiveType> = Vec::new();
    for template in CATALOGUE {
        // A type with two templates, one of them for many leads, is one type.
        if types.iter().any(|known| known.kind == template.kind) {
            continue;
        }
        let channel = |channel: &Channel| {
            let resolved = resolve(own, role, template.kind, *channel, template.priority);
            EffectiveChannel {
                channel: *channel,
                mode: resolved.mode,
                setting: resolved.setting.to_string(),
                locked: resolved.is_locked(),
            }
        };
        types.push(EffectiveType {
            kind: template.kind,
            title: template.words(language(own, role)).title,
            priority: template.priority,
            channels: Channel::ALL.iter().map(channel).collect(),
            route: route(own, role, template.kind)
                .map(|(channels, setting)| EffectiveRoute { channels: channels.to_vec(), setting }),
        });
    }
    types
}

impl From<&Document> for PreferencesDocument {
    fn from(document: &Document) -> Self {
        let rule = |rule: &domain::preferences::Rule| RuleDocument {
            kind: rule.scene.clone(),
            channel: rule.channel,
            mode: rule.mode,
        };
        let window = |window: &domain::preferences::Window| WindowDocument {
            days: window.days.iter().map(|day| day.as_str()).collect(),
            from: window.from.to_string(),
            to: window.to.to_string(),
        };
        Self {
            rules: document.rules.iter().map(rule).collect(),
            quiet: document.quiet.as_ref().map(|quiet| QuietDocument {
                zone: quiet.zone.to_string(),
                windows: quiet.windows.iter().map(window).collect(),
            }),
            digest: document.digest.map(|digest| match digest {
                Digest::Daily { at } => DigestDocument::Daily { at: at.to_string() },
                Digest::Burst { minutes } => DigestDocument::Burst { minutes },
            }),
            routes: document.routes.clone(),
            locale: document.locale,
        }
    }
}
