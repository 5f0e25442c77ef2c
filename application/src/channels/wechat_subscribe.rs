//! Subscribe messages of the mini program: the request rendered once, its fields cut to the provider's rules, and
//! outcomes by the provider's codes (wechat-apis.md section 2).

mod codes;
mod fields;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::contact::OpenId;

pub use super::verdict::Verdict;
pub use codes::{CODES, outcome, verdict};
pub use fields::{FieldKind, Value};
use serde::{Deserialize, Serialize};

use super::Notice;
use super::body::{Fields, rewritten, written};
use super::fields::{FieldsError, check_fields, shown};

/// Keywords of a template: WeChat has templates of two to five.
const FIELDS: std::ops::RangeInclusive<usize> = 2..=5;
/// The language of the card around the message.
const LANGUAGE: &str = "zh_CN";

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
    /// The fields are wrong.
    #[error(transparent)]
    Fields(#[from] FieldsError),
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
        check_fields(&self.fields, &FIELDS)?;
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

/// The request; its keys are written in this order.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    touser: String,
    template_id: String,
    page: String,
    data: Fields,
    miniprogram_state: String,
    lang: String,
}

/// The exact request body, to be stored and sent as it is: fixed order of keys, raw UTF-8, every field of the
/// template, every value within the rules of its field.
pub fn render(settings: &Settings, input: &Input<'_>) -> String {
    let data = shown(&settings.fields, input.values, input.at);
    body(settings, input.openid.as_str(), input.customer_id, data)
}

/// The same for a notice.
pub(super) fn render_notice(settings: &Settings, notice: &Notice<'_>) -> String {
    let data = shown(&settings.fields, notice.values, notice.at);
    body(settings, notice.receiver, &notice.only_customer(), data)
}

fn body(settings: &Settings, openid: &str, customer_id: &str, data: Fields) -> String {
    written(&Body {
        touser: openid.to_owned(),
        template_id: settings.template.clone(),
        page: settings.page.replace("{customerId}", customer_id),
        data,
        miniprogram_state: settings.miniprogram_state.clone(),
        lang: LANGUAGE.to_owned(),
    })
}

/// The body for a person who may have had the message by another channel.
pub(super) fn mark_possibly_repeated(body: &str) -> String {
    rewritten(body, |body: &mut Body| body.data.mark())
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
        let marked = mark_possibly_repeated(&body);
        assert_eq!(marked, body.replace(r#"张\"三\""#, r#"（可能重复）张\"三\""#));
        assert_eq!(mark_possibly_repeated(&marked), marked);
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
        check(|s| s.fields.truncate(1), Some(FieldsError::Count { min: 2, max: 5, found: 1 }.into()));
        check(|s| s.fields[0] = field("thing", "title"), Some(FieldsError::Key("thing".to_owned()).into()));
        check(|s| s.fields[0] = field("thin1", "title"), Some(FieldsError::Key("thin1".to_owned()).into()));
        check(|s| s.fields[0] = field("time4", "title"), Some(FieldsError::Twice("time4".to_owned()).into()));
        check(
            |s| s.fields[0] = field("thing1", "weather"),
            Some(FieldsError::ValueName { name: "weather".to_owned() }.into()),
        );
        check(|s| s.miniprogram_state = "live".to_owned(), Some(SettingsError::State("live".to_owned())));
    }
}
