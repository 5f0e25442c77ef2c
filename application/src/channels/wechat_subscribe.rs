//! Subscribe messages of the mini program: the request rendered once, its fields cut to the provider's rules, and
//! outcomes by the provider's codes (wechat-apis.md section 2).

mod codes;
mod fields;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::contact::OpenId;

pub use codes::{CODES, Verdict, outcome, verdict};
pub use fields::{FieldKind, Value};

/// Keywords of a template: WeChat has templates of two to five.
const FIELDS: std::ops::RangeInclusive<usize> = 2..=5;

/// What a template field may show. A notice gives those it knows; a field whose value is not given shows a dash,
/// because WeChat refuses a message that lacks one of its template's fields.
pub const VALUE_NAMES: &[&str] = &[
    "title",
    "content",
    "customer_name",
    "customer_number",
    "phone_masked",
    "source",
    "assigner",
    "owner",
    "former_owner",
    "reason",
    "count",
    "assign_time",
];

/// Settings of the channel; the secret stays in `infrastructure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The mini program's app id.
    pub app: String,
    /// Template for assignment notices.
    pub template: String,
    /// Page that the card opens; `{customerId}` is replaced.
    pub page: String,
    /// Template key → what it shows, e.g. `thing1` → `customer_name`.
    pub fields: Vec<(String, String)>,
    /// `developer`, `trial` or `formal`.
    pub miniprogram_state: String,
}

/// Why settings are refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The app id or the template id is missing.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// A template has two to five fields.
    #[error("a subscribe template has two to five fields, not {0}")]
    FieldCount(usize),
    /// The key is not one of WeChat's, e.g. `thing1`.
    #[error("{0} is not a field key of a subscribe template, such as thing1 or time2")]
    FieldKey(String),
    /// The same key twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// No notice has such a value.
    #[error("{name} is not a value of a notice; known are {}", VALUE_NAMES.join(", "))]
    ValueName {
        /// What was configured.
        name: String,
    },
    /// Not `developer`, `trial` or `formal`.
    #[error("{0} is not developer, trial or formal")]
    State(String),
}

impl Settings {
    /// Checks what can be checked without asking WeChat, so that a wrong setting stops the start and not a notice.
    pub fn validate(&self) -> Result<(), SettingsError> {
        for (text, name) in [(&self.app, "the app id"), (&self.template, "the template id")] {
            if text.trim().is_empty() {
                return Err(SettingsError::Empty(name));
            }
        }
        if !FIELDS.contains(&self.fields.len()) {
            return Err(SettingsError::FieldCount(self.fields.len()));
        }
        for (at, (key, value)) in self.fields.iter().enumerate() {
            if FieldKind::of_key(key).is_none() {
                return Err(SettingsError::FieldKey(key.clone()));
            }
            if self.fields[..at].iter().any(|(earlier, _)| earlier == key) {
                return Err(SettingsError::Twice(key.clone()));
            }
            if !VALUE_NAMES.contains(&value.as_str()) {
                return Err(SettingsError::ValueName { name: value.clone() });
            }
        }
        match self.miniprogram_state.as_str() {
            "developer" | "trial" | "formal" => Ok(()),
            other => Err(SettingsError::State(other.to_owned())),
        }
    }
}

/// What one message is made of.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// Who receives it.
    pub openid: &'a OpenId,
    /// Replaces `{customerId}` in the page; empty when the notice is about several customers.
    pub customer_id: &'a str,
    /// Shown by time fields whose value is not given.
    pub at: DateTime<Utc>,
    /// The values by name, see [`VALUE_NAMES`].
    pub values: &'a BTreeMap<&'static str, Value>,
}

/// The exact request body, to be stored and sent as it is: fixed order of keys, raw UTF-8, every field of the
/// template, every value within the rules of its field.
pub fn render(settings: &Settings, input: &Input<'_>) -> String {
    let data: Vec<String> = settings
        .fields
        .iter()
        .map(|(key, name)| {
            // Only checked settings reach this; an unknown key is shown as the most tolerant kind.
            let kind = FieldKind::of_key(key).unwrap_or(FieldKind::Thing);
            let value = kind.show(input.values.get(name.as_str()), input.at);
            format!("{}:{{\"value\":{}}}", quoted(key), quoted(&value))
        })
        .collect();
    format!(
        "{{\"touser\":{},\"template_id\":{},\"page\":{},\"data\":{{{}}},\"miniprogram_state\":{},\"lang\":\"zh_CN\"}}",
        quoted(input.openid.as_str()),
        quoted(&settings.template),
        quoted(&settings.page.replace("{customerId}", input.customer_id)),
        data.join(","),
        quoted(&settings.miniprogram_state),
    )
}

/// A JSON string; characters outside ASCII stay as they are (WeChat refuses `\u` escapes with 40033).
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let fields =
            [("thing1", "customer_name"), ("phone_number2", "phone_masked"), ("time4", "assign_time")];
        Settings {
            app: "wx1".to_owned(),
            template: "T".to_owned(),
            page: "pages/customer/detail?id={customerId}".to_owned(),
            fields: fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            miniprogram_state: "formal".to_owned(),
        }
    }

    #[test]
    fn the_body_is_exact() {
        let openid = OpenId::parse("o-li_1").unwrap();
        let values = BTreeMap::from([
            ("customer_name", Value::from("张\"三\"\n")),
            ("phone_masked", Value::from("138****8999")),
        ]);
        let at = "2026-03-01T16:05:00Z".parse().unwrap();
        let input = Input { openid: &openid, customer_id: "c-1", at, values: &values };
        let body = render(&settings(), &input);
        assert_eq!(
            body,
            concat!(
                r#"{"touser":"o-li_1","template_id":"T","page":"pages/customer/detail?id=c-1","#,
                r#""data":{"thing1":{"value":"张\"三\""},"phone_number2":{"value":"138****8999"},"#,
                r#""time4":{"value":"2026年3月2日 00:05"}},"miniprogram_state":"formal","lang":"zh_CN"}"#
            )
        );
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    }

    fn check(change: impl FnOnce(&mut Settings), refusal: Option<SettingsError>) {
        let mut settings = settings();
        change(&mut settings);
        assert_eq!((settings.validate().err(), &settings), (refusal, &settings));
    }

    #[test]
    fn wrong_settings_are_refused() {
        let field = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        check(|_| {}, None);
        check(|s| s.app.clear(), Some(SettingsError::Empty("the app id")));
        check(|s| s.template = " ".to_owned(), Some(SettingsError::Empty("the template id")));
        check(|s| s.fields.truncate(1), Some(SettingsError::FieldCount(1)));
        check(|s| s.fields[0] = field("thing", "title"), Some(SettingsError::FieldKey("thing".to_owned())));
        check(|s| s.fields[0] = field("thin1", "title"), Some(SettingsError::FieldKey("thin1".to_owned())));
        check(|s| s.fields[0] = field("time4", "title"), Some(SettingsError::Twice("time4".to_owned())));
        check(
            |s| s.fields[0] = field("thing1", "weather"),
            Some(SettingsError::ValueName { name: "weather".to_owned() }),
        );
        check(|s| s.miniprogram_state = "live".to_owned(), Some(SettingsError::State("live".to_owned())));
    }
}
