//! How the staff hears of members 会员通知设置: who, in which form, in which words (existing-systems.md section 7.6).
//!
//! One document for the whole installation, replaced as a whole. Before it is set nobody is told anything: what happened
//! to members before somebody chose an audience is never announced later (docs/adr/0019).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::code_table;
use crate::contact::WecomUserId;
use crate::envelope::Actor;
use crate::staff::Role;
use crate::stored_events;

/// Most people of one `WeCom` message (wechat-apis.md section 5.2).
pub const USERS_MAX: usize = 1000;

/// Most departments, and most tags, of one `WeCom` message (the same).
pub const GROUPS_MAX: usize = 100;

/// Most characters of a template of one's own.
pub const TEMPLATE_CHARS_MAX: usize = 1000;

/// From which message within the time of a digest on the others are told together; 0: each is told by itself.
pub const DIGEST_FROM: RangeInclusive<i64> = 0..=1000;

/// What [`MemberNoticesText::digest_from`] is when nobody says: below the 30 messages a minute that `WeCom` brings.
pub const DIGEST_FROM_DEFAULT: i64 = 20;

/// Numbers of departments and tags.
pub const GROUP_NUMBERS: RangeInclusive<i64> = 1..=4_294_967_295;

code_table! {
    /// The form of a `WeCom` message 消息类型.
    MessageType {
        /// Plain text.
        Text = "text",
        /// A card with a button.
        Textcard = "textcard",
        /// Markdown, shown in WeCom only.
        Markdown = "markdown",
    }
}

/// Who of the corporation is told by `WeCom` 接收人. Nobody, unless somebody is named or everybody is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WecomAudience {
    /// Everybody who may see the application, `@all`. Never by default (fault S-23).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everybody: bool,
    /// Userids of people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Numbers of departments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<i64>,
    /// Numbers of tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<i64>,
}

impl WecomAudience {
    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        !self.everybody && self.users.is_empty() && self.parties.is_empty() && self.tags.is_empty()
    }
}

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberNoticesText {
    /// Whether `WeCom` messages leave; while not, they are held.
    pub enabled: bool,
    /// Who is told by `WeCom`.
    pub audience: WecomAudience,
    /// Whose inbox tells it too.
    pub roles: Vec<Role>,
    /// The form of the messages.
    pub message_type: MessageType,
    /// Words of one's own instead of those of the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// From which message within the time of a digest on the others are told together; 0: each by itself.
    pub digest_from: i64,
}

/// A place of the settings that breaks a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberNoticesViolation {
    /// A userid is none.
    User,
    /// Too many of them.
    TooManyUsers,
    /// A department's number is none.
    Party,
    /// Too many of them.
    TooManyParties,
    /// A tag's number is none.
    Tag,
    /// Too many of them.
    TooManyTags,
    /// Everybody, and somebody by name.
    EverybodyAndSome,
    /// The template is too long.
    Template,
    /// The number of messages is outside [`DIGEST_FROM`].
    DigestFrom,
}

impl Default for MemberNoticesText {
    /// Nobody is chosen.
    fn default() -> Self {
        Self {
            enabled: true,
            audience: WecomAudience::default(),
            roles: vec![],
            message_type: MessageType::Textcard,
            template: None,
            digest_from: DIGEST_FROM_DEFAULT,
        }
    }
}

impl MemberNoticesText {
    /// Whether anybody is told anything.
    pub fn has_audience(&self) -> bool {
        !self.audience.is_empty() || !self.roles.is_empty()
    }

    /// Everything that is wrong with them; nothing when they can be kept.
    pub fn violations(&self) -> BTreeSet<MemberNoticesViolation> {
        use MemberNoticesViolation as V;
        let WecomAudience { everybody, users, parties, tags } = &self.audience;
        let is_no_group = |number: &i64| !GROUP_NUMBERS.contains(number);
        let some = !users.is_empty() || !parties.is_empty() || !tags.is_empty();
        let template = self.template.as_deref().unwrap_or_default();
        let found = [
            (V::User, users.iter().any(|user| WecomUserId::parse(user).is_err())),
            (V::TooManyUsers, users.len() > USERS_MAX),
            (V::Party, parties.iter().any(is_no_group)),
            (V::TooManyParties, parties.len() > GROUPS_MAX),
            (V::Tag, tags.iter().any(is_no_group)),
            (V::TooManyTags, tags.len() > GROUPS_MAX),
            (V::EverybodyAndSome, *everybody && some),
            (V::Template, template.chars().count() > TEMPLATE_CHARS_MAX),
            (V::DigestFrom, !DIGEST_FROM.contains(&self.digest_from)),
        ];
        found.into_iter().filter(|(_, wrong)| *wrong).map(|(violation, _)| violation).collect()
    }
}

stored_events! {
    /// A fact about the settings.
    MemberNoticesEvent {
        /// All of them were replaced.
        Set(MemberNoticesSet) = 1,
        /// The application has another secret.
        SecretSet(WecomSecretSet) = 1,
        /// Somebody wants to see one message.
        Tested(MemberNoticeTested) = 1,
    }
}

/// Somebody said how the staff hears of members 设置会员通知.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberNoticesSet {
    /// All of it.
    pub text: MemberNoticesText,
    /// Who set it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Somebody typed another secret of the `WeCom` application 更换应用密钥. The event has it sealed, never in clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WecomSecretSet {
    /// The secret, sealed with a key that only the configuration has.
    pub sealed: String,
    /// Who set it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Somebody wants to see one message, sent to one person of the corporation 测试通知.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberNoticeTested {
    /// The person's userid.
    pub to: WecomUserId,
    /// Who wants it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// The settings as the events left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MemberNotices {
    /// What was set last; nobody is chosen before.
    pub text: MemberNoticesText,
    /// Who set it; `None` before.
    pub set_by: Option<Actor>,
    /// When it was set; `None` before.
    pub set_at: Option<DateTime<Utc>>,
    /// The secret that was typed last, sealed; `None`: that of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_secret: Option<String>,
}

/// What may be asked of the settings.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberNoticesCommand {
    /// Replace all of them.
    Set(MemberNoticesSet),
    /// Use another secret.
    SetSecret(WecomSecretSet),
    /// Send one message to one person.
    Test(MemberNoticeTested),
}

/// Why the settings refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberNoticesError {
    /// Places that break rules, each named.
    #[error("会员通知设置有{}处不符合要求", .0.len())]
    Invalid(BTreeSet<MemberNoticesViolation>),
}

impl Aggregate for MemberNotices {
    const TYPE: &'static str = "member_notices";
    type Command = MemberNoticesCommand;
    type Event = MemberNoticesEvent;
    type Error = MemberNoticesError;

    fn decide(&self, command: MemberNoticesCommand) -> Result<Vec<MemberNoticesEvent>, MemberNoticesError> {
        match command {
            MemberNoticesCommand::Set(set) => {
                let violations = set.text.violations();
                if !violations.is_empty() {
                    return Err(MemberNoticesError::Invalid(violations));
                }
                // The first one counts even if it chooses nobody: from then on the switch is somebody's word.
                if self.set_at.is_some() && self.text == set.text {
                    return Ok(vec![]);
                }
                Ok(vec![set.into()])
            }
            MemberNoticesCommand::SetSecret(set) if self.sealed_secret.as_ref() == Some(&set.sealed) => {
                Ok(vec![])
            }
            MemberNoticesCommand::SetSecret(set) => Ok(vec![set.into()]),
            MemberNoticesCommand::Test(test) => Ok(vec![test.into()]),
        }
    }

    fn evolve(&mut self, event: &MemberNoticesEvent) {
        match event {
            MemberNoticesEvent::Set(set) => {
                self.text = set.text.clone();
                self.set_by = Some(set.by.clone());
                self.set_at = Some(set.at);
            }
            MemberNoticesEvent::SecretSet(set) => self.sealed_secret = Some(set.sealed.clone()),
            MemberNoticesEvent::Tested(_) => {}
        }
    }
}

crate::adapt_to_cqrs_es!(MemberNotices);
