//! What the staff reads of members 会员通知, and the settings that say who reads it (existing-systems.md sections 7.6
//! and 7.7).
//!
//! A message goes to the configured people of a corporation as one message, whoever they are: it is a notice to an
//! [`audience`], which has an id but no account and no inbox. Who is told when is [`crate::policies`].

mod content;
mod leaving;
mod own_words;
mod settings;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use domain::StaffId;
use domain::contact::WecomUserId;
use domain::member_notices::{MemberNoticesText, MessageType, WecomAudience};

pub(crate) use content::{NO_NUMBER, change, known};
pub use content::{
    Subject, activated, card, digest, registered, revoked, tested, told_changes, updated, upgraded,
};
pub use leaving::{Leaving, Waiting, leaving};
pub use own_words::{NAMEABLE, OwnWordsFault, own_words_fault};
pub use settings::{MemberNoticesRefusal, MemberNoticesResult, set_member_notices, test_member_notice};

use crate::channels::wecom_app::{EVERYBODY, Kind, Receivers, Settings};
use crate::texts::kinds;

/// The kind of notice that a test is.
pub const TESTED_SCENE: &str = kinds::MEMBER_NOTICE_TEST;

/// How long a message waits while the switch is off. What is older then is given up: a wave of old registrations greets
/// nobody.
pub const OFF_HELD_MAX: TimeDelta = TimeDelta::days(7);

/// The time of a digest: what follows `digest_from` messages within it is told together at its end.
pub const DIGEST_WINDOW: TimeDelta = TimeDelta::minutes(10);

/// Whom the messages about members are for.
pub fn audience() -> StaffId {
    StaffId::of_audience("members")
}

/// Whom one test message is for: a person of the corporation, who needs no account.
pub fn tested_person(user: &WecomUserId) -> StaffId {
    StaffId::of_audience(&format!("member_test:{}", user.as_str().to_ascii_lowercase()))
}

/// The receivers of a message to the audience.
pub fn receivers(audience: &WecomAudience) -> Receivers {
    let numbers = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join("|");
    let users = if audience.everybody { EVERYBODY.to_owned() } else { audience.users.join("|") };
    Receivers { users, parties: numbers(&audience.parties), tags: numbers(&audience.tags) }
}

/// The form of the messages of this installation. A card is nothing without its link.
pub(crate) fn form(settings: &Settings, text: &MemberNoticesText) -> Kind {
    match text.message_type {
        MessageType::Textcard if settings.public_url.is_none() => Kind::Text,
        message_type => kind(message_type),
    }
}

/// Who receives it, in the outbox: sends to the audience are made one after the other.
pub(crate) const AUDIENCE_RECEIVER: &str = "members";

/// The form of a message at the provider.
fn kind(message_type: MessageType) -> Kind {
    match message_type {
        MessageType::Text => Kind::Text,
        MessageType::Textcard => Kind::Textcard,
        MessageType::Markdown => Kind::Markdown,
    }
}
