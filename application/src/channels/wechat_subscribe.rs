//! Subscribe messages of the mini program: the request rendered once, its fields cut to the provider's rules, and
//! outcomes by the provider's codes (wechat-apis.md section 2).

mod codes;
mod fields;

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
pub fn render(settings: &Settings, notice: &Notice<'_>) -> String {
    written(&Body {
        touser: notice.receiver.to_owned(),
        template_id: settings.template.clone(),
        page: settings.page.replace("{customerId}", &notice.only_customer()),
        data: shown(&settings.fields, notice.values, notice.at),
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
    use super::super::testing::{Case, check_body};
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
        let mut case = Case::one_lead();
        case.values.insert("customer_name", Value::from("张\"三\"\n"));
        case.values.remove("assign_time");
        let body = render(&settings(), &case.notice("o-li_1"));
        assert_eq!(
            body,
            concat!(
                r#"{"touser":"o-li_1","template_id":"T","#,
                r#""page":"pages/customer/detail?id=00000000-0000-0000-0000-000000000005","#,
                r#""data":{"thing1":{"value":"张\"三\""},"phone_number2":{"value":"138****8999"},"#,
                r#""time4":{"value":"2026年3月2日 00:05"}},"miniprogram_state":"formal","lang":"zh_CN"}"#
            )
        );
        check_body(&body);
        let marked = mark_possibly_repeated(&body);
        assert_eq!(marked, body.replace(r#"张\"三\""#, r#"（可能重复）张\"三\""#));
        assert_eq!(mark_possibly_repeated(&marked), marked);
        let many = render(&settings(), &Case::many_leads().notice("o-li_1"));
        assert!(many.contains(r#""page":"pages/customer/detail?id=""#), "{many}");
        assert!(many.contains(r#""thing1":{"value":"3个客户"}"#), "{many}");
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
