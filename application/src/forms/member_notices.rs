//! The form of how the staff hears of members, with the names that system S's console sends (existing-systems.md section
//! 7.6). What is missing stays as it is; a blank text or `null` clears.
//!
//! ```json
//! { "member_notification_enabled": true, "notification_recipients": "ZhangSan|LiSi", "message_type": "textcard",
//!   "custom_message_template": "", "notification_parties": [2], "notification_tags": [],
//!   "notification_roles": ["manager"], "digest_from": 20 }
//! ```

use domain::contact::WecomUserId;
use domain::member_notices::{
    DIGEST_FROM, GROUP_NUMBERS, GROUPS_MAX, MemberNoticesText, MemberNoticesViolation, MessageType,
    TEMPLATE_CHARS_MAX, USERS_MAX,
};
use domain::staff::Role;
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{boolean, breaks_a_text, code, whole};
use super::templates::shortened;
use super::{FieldError, Rule};
use crate::channels::wecom_app::EVERYBODY;
use crate::member_notices::{NAMEABLE, OwnWordsFault};

const RECIPIENTS: &str = "notification_recipients";
const PARTIES: &str = "notification_parties";
const TAGS: &str = "notification_tags";
const TEMPLATE: &str = "custom_message_template";
const DIGEST: &str = "digest_from";

/// What the console sends back as it got it, or blank. Another value belongs into the configuration.
const OF_THE_CONFIGURATION: [&str; 4] = ["corp_id", "agent_id", "token", "encoding_aes_key"];

/// Most bytes of a secret; those of WeCom have 43.
const SECRET_BYTES_MAX: usize = 128;

const SECRET: &str = "secret";

/// `PUT` and `POST /api/wecom/config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetMemberNotices {
    enabled: Option<bool>,
    recipients: Option<Recipients>,
    parties: Option<Vec<i64>>,
    tags: Option<Vec<i64>>,
    roles: Option<Vec<Role>>,
    message_type: Option<MessageType>,
    template: Option<String>,
    digest_from: Option<i64>,
    secret: Option<NewSecret>,
}

/// A secret that somebody typed. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
struct NewSecret(String);

impl std::fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewSecret(***)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Recipients {
    Everybody,
    Users(Vec<String>),
}

/// What the installation's configuration says of the application; its secret is not shown and not taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfiguredApp {
    /// The corporation's id.
    pub corp_id: Option<String>,
    /// The application's number.
    pub agent_id: Option<i64>,
}

impl SetMemberNotices {
    /// Reads the body.
    pub fn parse(body: Value, app: &ConfiguredApp) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        of_the_configuration(&mut fields, app);
        let form = Self {
            enabled: fields.optional("member_notification_enabled", switch),
            recipients: fields.take(RECIPIENTS).and_then(|value| fields.read(RECIPIENTS, value, recipients)),
            parties: groups(&mut fields, PARTIES),
            tags: groups(&mut fields, TAGS),
            roles: list(&mut fields, "notification_roles", Role::ALL.len(), code(Role::ALL)),
            message_type: fields.optional("message_type", code(MessageType::ALL)),
            template: fields.take(TEMPLATE).and_then(|value| fields.read(TEMPLATE, value, template)),
            digest_from: fields.optional(DIGEST, whole(DIGEST_FROM)),
            secret: secret(&mut fields, app),
        };
        fields.finish(Some(form))
    }

    /// The secret that was typed, to be sealed at once; `None`: the old one stays.
    pub fn secret(&self) -> Option<&str> {
        self.secret.as_ref().map(|secret| secret.0.as_str())
    }

    /// The settings with what the form says.
    #[must_use]
    pub fn over(&self, now: &MemberNoticesText) -> MemberNoticesText {
        let mut text = now.clone();
        if let Some(recipients) = &self.recipients {
            text.audience.everybody = *recipients == Recipients::Everybody;
            text.audience.users = match recipients {
                Recipients::Everybody => vec![],
                Recipients::Users(users) => users.clone(),
            };
        }
        if let Some(parties) = &self.parties {
            text.audience.parties.clone_from(parties);
        }
        if let Some(tags) = &self.tags {
            text.audience.tags.clone_from(tags);
        }
        if let Some(roles) = &self.roles {
            text.roles.clone_from(roles);
        }
        if let Some(template) = &self.template {
            text.template = Some(template.clone()).filter(|template| !template.is_empty());
        }
        text.enabled = self.enabled.unwrap_or(text.enabled);
        text.message_type = self.message_type.unwrap_or(text.message_type);
        text.digest_from = self.digest_from.unwrap_or(text.digest_from);
        text
    }
}

/// A blank keeps the old one. Without an application in the configuration there is nothing whose secret it could be, and
/// nothing to seal it with.
fn secret(fields: &mut Fields, app: &ConfiguredApp) -> Option<NewSecret> {
    let typed = match fields.take(SECRET)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => return None,
        _ => {
            fields.violated(SECRET, Rule::NotText);
            return None;
        }
    };
    if typed.is_empty() {
        return None;
    }
    if app.corp_id.is_none() {
        fields.violated(SECRET, Rule::Configured);
    } else if typed.len() > SECRET_BYTES_MAX {
        fields.violated(SECRET, Rule::TooManyBytes { max: SECRET_BYTES_MAX });
    } else if !typed.bytes().all(|b| b.is_ascii_graphic()) {
        fields.violated(SECRET, Rule::ControlCharacter);
    }
    Some(NewSecret(typed))
}

/// The corporation and the application stand in the configuration, like those of every other channel: their name is that
/// of every message in the outbox.
fn of_the_configuration(fields: &mut Fields, app: &ConfiguredApp) {
    for name in OF_THE_CONFIGURATION {
        let Some(value) = fields.take(name) else { continue };
        let said = match &value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null => String::new(),
            _ => "?".to_owned(),
        };
        let known = match name {
            "corp_id" => app.corp_id.clone(),
            "agent_id" => app.agent_id.map(|agent| agent.to_string()),
            _ => None,
        };
        if !said.is_empty() && known.as_deref() != Some(said.as_str()) {
            fields.violated(name, Rule::Configured);
        }
    }
    // What the console was shown and sends back.
    for shown in ["has_secret", "secret_from", "app_type", "set_by", "set_at", "configured", "id"] {
        fields.take(shown);
    }
}

/// The switch; system S's database says 0 and 1 (fault S-06).
fn switch(value: Value) -> Result<bool, Rule> {
    match value.as_i64() {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => boolean(value),
    }
}

fn recipients(value: Value) -> Result<Recipients, Rule> {
    let text = match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        _ => return Err(Rule::NotText),
    };
    if text.trim() == EVERYBODY {
        return Ok(Recipients::Everybody);
    }
    let named = text.split('|').map(str::trim).filter(|user| !user.is_empty());
    let users = named.map(|user| WecomUserId::parse(user).map(|id| id.as_str().to_owned()));
    let mut users: Vec<String> = users.collect::<Result<_, _>>().map_err(|_| Rule::WecomUserId)?;
    users.dedup();
    if users.len() > USERS_MAX { Err(Rule::TooMany { max: USERS_MAX }) } else { Ok(Recipients::Users(users)) }
}

/// Blank when the words of the program hold again.
fn template(value: Value) -> Result<String, Rule> {
    let text = match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        _ => return Err(Rule::NotText),
    };
    if text.chars().count() > TEMPLATE_CHARS_MAX {
        return Err(Rule::TooLong { max: TEMPLATE_CHARS_MAX });
    }
    if text.contains(breaks_a_text) {
        return Err(Rule::ControlCharacter);
    }
    Ok(if text.trim().is_empty() { String::new() } else { text })
}

fn groups(fields: &mut Fields, key: &str) -> Option<Vec<i64>> {
    list(fields, key, GROUPS_MAX, whole(GROUP_NUMBERS))
}

/// A list that may be missing; `null` is as if it were.
fn list<T: PartialEq + Ord + Copy>(
    fields: &mut Fields,
    key: &str,
    max: usize,
    parse: impl Fn(Value) -> Result<T, Rule>,
) -> Option<Vec<T>> {
    if fields.has(key) { fields.list(key, max, parse) } else { fields.take(key).and(None) }
}

/// `POST /api/wecom/test-notification`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestMemberNotice {
    /// Who gets it.
    pub to: WecomUserId,
}

impl TestMemberNotice {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let to = fields.required("testUser", |value| match value {
            Value::String(text) => WecomUserId::parse(text.trim()).map_err(|_| Rule::WecomUserId),
            _ => Err(Rule::NotText),
        });
        fields.finish(to.map(|to| Self { to }))
    }
}

/// What the settings break, for the sender.
pub fn member_notices_violation(violation: MemberNoticesViolation) -> FieldError {
    use MemberNoticesViolation as V;
    let (path, rule) = match violation {
        V::User => (RECIPIENTS, Rule::WecomUserId),
        V::TooManyUsers => (RECIPIENTS, Rule::TooMany { max: USERS_MAX }),
        V::Party => (PARTIES, Rule::NotANumber),
        V::TooManyParties => (PARTIES, Rule::TooMany { max: GROUPS_MAX }),
        V::Tag => (TAGS, Rule::NotANumber),
        V::TooManyTags => (TAGS, Rule::TooMany { max: GROUPS_MAX }),
        V::EverybodyAndSome => (RECIPIENTS, Rule::SaidTwice),
        V::Template => (TEMPLATE, Rule::TooLong { max: TEMPLATE_CHARS_MAX }),
        V::DigestFrom => (DIGEST, Rule::OutOfRange { min: *DIGEST_FROM.start(), max: *DIGEST_FROM.end() }),
    };
    FieldError::new(path, rule)
}

/// What words of one's own break, for the sender.
pub fn own_words_violation(fault: &OwnWordsFault) -> FieldError {
    let rule = match fault {
        OwnWordsFault::Unknown(name) => Rule::UnknownVariable { name: shortened(name), allowed: &NAMEABLE },
        OwnWordsFault::Sensitive(field) => Rule::SensitiveVariable { name: field.as_str() },
        OwnWordsFault::LooseBraces => Rule::LooseBraces,
    };
    FieldError::new(TEMPLATE, rule)
}

#[cfg(test)]
mod tests {
    use domain::member_notices::WecomAudience;
    use serde_json::json;

    use super::*;

    fn app() -> ConfiguredApp {
        ConfiguredApp { corp_id: Some("ww1".to_owned()), agent_id: Some(7) }
    }

    fn over(body: Value) -> MemberNoticesText {
        SetMemberNotices::parse(body, &app()).unwrap().over(&MemberNoticesText::default())
    }

    #[test]
    fn what_system_s_sends_is_understood() {
        let text = over(json!({
            "corp_id": "ww1", "agent_id": "7", "secret": "", "has_secret": true, "app_type": "self_built",
            "member_notification_enabled": 0, "notification_recipients": "ZhangSan| LiSi |",
            "message_type": "markdown", "custom_message_template": "{{nickname}}"
        }));
        assert!(!text.enabled);
        assert_eq!(text.audience.users, ["ZhangSan", "LiSi"]);
        assert_eq!(text.message_type, MessageType::Markdown);
        assert_eq!(text.template.as_deref(), Some("{{nickname}}"));
        assert_eq!(over(json!({})), MemberNoticesText::default(), "what is missing stays");
    }

    #[test]
    fn everybody_is_chosen_by_name_only_and_blanks_clear() {
        assert!(over(json!({ "notification_recipients": "@all" })).audience.everybody);
        let before = over(json!({
            "notification_recipients": "a", "notification_parties": [2], "notification_roles": ["admin"],
            "custom_message_template": "x"
        }));
        let clear = json!({
            "notification_recipients": "", "notification_parties": [], "notification_roles": [],
            "custom_message_template": ""
        });
        let text = SetMemberNotices::parse(clear, &app()).unwrap().over(&before);
        assert_eq!((text.audience, text.template), (WecomAudience::default(), None));
        assert!(!over(json!({})).audience.everybody);
    }

    #[test]
    fn a_secret_is_taken_and_shown_to_nobody_and_a_blank_one_keeps_the_old() {
        let form = SetMemberNotices::parse(json!({ "secret": " s3cr3t " }), &app()).unwrap();
        assert_eq!(form.secret(), Some("s3cr3t"));
        assert!(!format!("{form:?}").contains("s3cr3t"));
        assert_eq!(SetMemberNotices::parse(json!({ "secret": "" }), &app()).unwrap().secret(), None);
        let nowhere = ConfiguredApp::default();
        let errors = SetMemberNotices::parse(json!({ "secret": "s3cr3t" }), &nowhere).unwrap_err();
        assert_eq!((errors[0].path.as_str(), errors[0].rule.code()), ("secret", "configured"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, path, rule) in [
            (json!({ "notification_recipients": "张三" }), "notification_recipients", "wecom_userid"),
            (json!({ "notification_recipients": "a|@all" }), "notification_recipients", "wecom_userid"),
            (json!({ "message_type": "image" }), "message_type", "unknown_code"),
            (json!({ "notification_roles": ["boss"] }), "notification_roles[0]", "unknown_code"),
            (json!({ "notification_tags": [0] }), "notification_tags[0]", "out_of_range"),
            (json!({ "digest_from": -1 }), "digest_from", "out_of_range"),
            (json!({ "secret": "s3cr3t s3cr3t" }), "secret", "control_character"),
            (json!({ "secret": "s".repeat(129) }), "secret", "too_many_bytes"),
            (json!({ "secret": 7 }), "secret", "not_text"),
            (json!({ "token": "t" }), "token", "configured"),
            (json!({ "corp_id": "ww2" }), "corp_id", "configured"),
            (json!({ "suite_id": "x" }), "suite_id", "unknown_field"),
        ] {
            let errors = SetMemberNotices::parse(body.clone(), &app()).unwrap_err();
            assert_eq!((errors[0].path.as_str(), errors[0].rule.code()), (path, rule), "{body}");
            assert!(!errors[0].message_zh.contains("s3cr3t") && !errors[0].message_en.contains("s3cr3t"));
        }
        let errors = TestMemberNotice::parse(json!({ "testUser": "@all" })).unwrap_err();
        assert_eq!((errors[0].path.as_str(), errors[0].rule.code()), ("testUser", "wecom_userid"));
    }
}
