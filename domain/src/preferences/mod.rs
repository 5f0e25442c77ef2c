//! How a person wants to be told 通知偏好: which kinds through which channels, when not, and in what language
//! (notifications.md section 5).
//!
//! One document per person and one per role, replaced as a whole. What the two together mean for one notice is
//! resolved in `application::preferences`.

mod check;
mod digest;
mod quiet;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::ids::{StaffId, StreamId};
use crate::notification::Channel;
use crate::staff::Role;
use crate::{code_table, stored_events};

pub use check::{Fault, Violation};
pub use digest::Digest;
pub use quiet::{Day, InvalidTimeOfDay, QuietHours, TimeOfDay, UnknownZone, Window, Zone};

/// Most rules of a document: every registered type in every channel a person really uses fits.
pub const RULES_MAX: usize = 256;

/// Most kinds with a channel list of their own.
pub const ROUTES_MAX: usize = 64;

/// Most weekly windows of quiet hours: three a day.
pub const WINDOWS_MAX: usize = 21;

/// Most characters of a notification type's name.
pub const SCENE_CHARS_MAX: usize = 64;

/// Shortest and longest time that a burst is collected for, in minutes.
pub const BURST_MINUTES: std::ops::RangeInclusive<u32> = 1..=1440;

code_table! {
    /// How a kind of notice is told through a channel.
    Mode {
        /// At once.
        On = "on",
        /// Not at all.
        Off = "off",
        /// Collected into a digest.
        Digest = "digest",
    }
}

code_table! {
    /// The language a notice is written in.
    #[derive(Default)]
    Language {
        /// Simplified Chinese, what the staff of both agencies read.
        #[default]
        ZhCn = "zh-CN",
        /// English.
        En = "en",
    }
}

stored_events! {
    /// A fact about somebody's preferences.
    PreferencesEvent {
        /// The whole document was replaced.
        Set(PreferencesSet) = 1,
    }
}

/// Whose preferences a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// One person's own.
    Staff(StaffId),
    /// Those of everybody with this role who has not said otherwise.
    Role(Role),
}

/// Somebody said how to be told 设置通知偏好.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreferencesSet {
    /// Whose.
    pub whose: Whose,
    /// All of it.
    pub document: Document,
    /// Who set it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Everything a person or a role says about being told. What is missing is left to the role, then to the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Kinds and channels; the most specific rule wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// When nothing leaves; no windows means "never quiet", also where the role says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<QuietHours>,
    /// When what is collected is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Channels to try, in order, by kind; an empty list means "only the inbox".
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, Vec<Channel>>,
    /// In what language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locale: Option<Language>,
}

/// How kinds of notices are told through channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The notification type; `None`: every type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scene: Option<String>,
    /// The channel; `None`: every channel but the inbox, which cannot be turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// How.
    pub mode: Mode,
}

impl Rule {
    /// Whether it speaks of this kind in this channel.
    pub fn applies(&self, scene: &str, channel: Channel) -> bool {
        let of_kind = self.scene.as_deref().is_none_or(|own| own == scene);
        let in_channel = self.channel.map_or(channel != Channel::InApp, |own| own == channel);
        of_kind && in_channel
    }

    /// More is more specific: a named kind counts more than a named channel, both together most.
    pub fn specificity(&self) -> u8 {
        2 * u8::from(self.scene.is_some()) + u8::from(self.channel.is_some())
    }
}

impl Document {
    /// The most specific rule about this kind in this channel.
    pub fn rule(&self, scene: &str, channel: Channel) -> Option<&Rule> {
        self.rules.iter().filter(|rule| rule.applies(scene, channel)).max_by_key(|rule| rule.specificity())
    }
}

impl Whose {
    /// Where the document is kept.
    pub fn stream(self) -> StreamId {
        match self {
            Self::Staff(staff) => StreamId::preferences(staff),
            Self::Role(role) => StreamId::role_preferences(role.as_str()),
        }
    }
}

/// Preferences as the events left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Preferences {
    /// What was set last; empty before.
    pub document: Document,
    /// When it was set; `None` before.
    pub set_at: Option<DateTime<Utc>>,
}

/// What may be asked of preferences.
#[derive(Debug, Clone, PartialEq)]
pub enum PreferencesCommand {
    /// Replace the whole document.
    Set(PreferencesSet),
}

/// Why preferences refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreferencesError {
    /// Places of the document that break a rule, each named.
    #[error("通知偏好有{}处不符合规则", .0.len())]
    Invalid(Vec<Violation>),
}

impl Aggregate for Preferences {
    const TYPE: &'static str = "preferences";
    type Command = PreferencesCommand;
    type Event = PreferencesEvent;
    type Error = PreferencesError;

    fn decide(&self, command: PreferencesCommand) -> Result<Vec<PreferencesEvent>, PreferencesError> {
        let PreferencesCommand::Set(set) = command;
        let violations = set.document.violations();
        if !violations.is_empty() {
            return Err(PreferencesError::Invalid(violations));
        }
        if self.document == set.document {
            return Ok(vec![]);
        }
        Ok(vec![set.into()])
    }

    fn evolve(&mut self, event: &PreferencesEvent) {
        let PreferencesEvent::Set(set) = event;
        self.document = set.document.clone();
        self.set_at = Some(set.at);
    }
}

crate::adapt_to_cqrs_es!(Preferences);
