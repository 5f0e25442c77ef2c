//! A notice as every channel gets it, and the request a channel makes of it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Asia::Shanghai;
use domain::{CustomerId, DeliveryId, NotificationId, StaffId};

use super::wechat_subscribe::Value;

/// Letters of the code that makes a notice's content its own.
const CODE_CHARS: usize = 8;

/// One notice for one person, before any channel put it into its form.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The notice.
    pub notification: NotificationId,
    /// Its share of this channel: what a provider recognises a repetition by.
    pub delivery: DeliveryId,
    /// What it is about, e.g. `CUSTOMER_ASSIGNED`.
    pub scene: &'a str,
    /// Its title.
    pub title: &'a str,
    /// Its text.
    pub content: &'a str,
    /// What its button says.
    pub action_text: &'a str,
    /// Where its button leads, a path of the console.
    pub action_url: &'a str,
    /// When it happened: never the time of an attempt.
    pub at: DateTime<Utc>,
    /// Who learns of it.
    pub recipient: StaffId,
    /// Who that is to the provider ([`super::ChannelSettings::receiver`]).
    pub receiver: &'a str,
    /// The customers it is about.
    pub customers: &'a [CustomerId],
    /// What template fields may show, see [`super::wechat_subscribe::VALUE_NAMES`].
    pub values: &'a BTreeMap<&'static str, Value>,
}

impl Notice<'_> {
    /// A short code that no other notice has, as far as people and providers can tell: equal words of two notices must
    /// not count as one message (wechat-apis.md section 8.2).
    pub fn code(&self) -> String {
        code(self.notification)
    }

    /// When it happened, in Beijing time, and its code.
    pub(super) fn stamp(&self) -> String {
        stamp(self.at, self.notification)
    }

    /// The one customer it is about; empty when there are several or none.
    pub(super) fn only_customer(&self) -> String {
        match self.customers {
            [only] => only.to_string(),
            _ => String::new(),
        }
    }
}

/// When it happened, in Beijing time, and the code of the notice.
pub(crate) fn stamp(at: DateTime<Utc>, notification: NotificationId) -> String {
    format!("{} #{}", at.with_timezone(&Shanghai).format("%Y-%m-%d %H:%M"), code(notification))
}

fn code(notification: NotificationId) -> String {
    let digits = notification.0.simple().to_string().to_uppercase();
    digits.chars().take(CODE_CHARS).collect()
}

/// What a channel asks its provider for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The provider's app.
    pub app: String,
    /// Who receives it, within that app; sends to the same one are made one after the other.
    pub receiver: String,
    /// The template whose credits it costs; `None` when it costs none.
    pub template: Option<String>,
    /// The request body, byte for byte.
    pub body: String,
}
