//! Messages of a service account 服务号 (wechat-apis.md section 4, existing-systems.md section 6.2): template messages, whose
//! repetition WeChat recognises by `client_msg_id`, and subscribe messages (`bizsend`), which need the person's
//! consent for each and whose repetition nobody recognises.

mod codes;

use serde::{Deserialize, Serialize};

pub use codes::{CODES, outcome, verdict};

use super::Notice;
use super::body::{Fields, rewritten, written};
use super::fields::{FieldsError, check_fields, shown};
use super::text::page_url;

/// Keywords of a template message.
const TEMPLATE_FIELDS: std::ops::RangeInclusive<usize> = 1..=10;
/// Keywords of a subscribe message.
const SUBSCRIBE_FIELDS: std::ops::RangeInclusive<usize> = 2..=5;

/// Which API sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// `message/template/send`.
    #[default]
    Template,
    /// `message/subscribe/bizsend`.
    Subscribe,
}

impl Kind {
    /// Every kind, by its name in the settings.
    pub const NAMES: [(&str, Self); 2] = [("template", Self::Template), ("subscribe", Self::Subscribe)];
}

/// Settings of the channel; the secret stays in `infrastructure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The service account's app id.
    pub app: String,
    /// Which API sends.
    pub kind: Kind,
    /// The template of that API.
    pub template: String,
    /// Template key → what it shows, e.g. `thing1` → `customer_name`.
    pub fields: Vec<(String, String)>,
    /// Where people reach the console; a message without it leads nowhere.
    pub public_url: Option<String>,
    /// The mini program a message opens instead: app id and page, where `{customerId}` is replaced.
    pub mini_program: Option<(String, String)>,
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
}

impl Settings {
    /// Checks what can be checked without asking WeChat.
    pub fn validate(&self) -> Result<(), SettingsError> {
        for (text, name) in [(&self.app, "the app id"), (&self.template, "the template id")] {
            if text.trim().is_empty() {
                return Err(SettingsError::Empty(name));
            }
        }
        let count = match self.kind {
            Kind::Template => TEMPLATE_FIELDS,
            Kind::Subscribe => SUBSCRIBE_FIELDS,
        };
        Ok(check_fields(&self.fields, &count)?)
    }

    /// The template whose credits are counted; a template message needs none.
    pub fn credits(&self) -> Option<&str> {
        (self.kind == Kind::Subscribe).then_some(self.template.as_str())
    }
}

/// The request; its keys are written in this order.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    touser: String,
    template_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    miniprogram: Option<MiniProgram>,
    data: Fields,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_msg_id: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MiniProgram {
    appid: String,
    pagepath: String,
}

/// The exact request body, to be stored and sent as it is.
pub fn render(settings: &Settings, notice: &Notice<'_>) -> String {
    let link = page_url(settings.public_url.as_deref(), notice.action_url);
    let (url, page) = match settings.kind {
        Kind::Template => (link, None),
        Kind::Subscribe => (None, link),
    };
    let is_template = settings.kind == Kind::Template;
    written(&Body {
        touser: notice.receiver.to_owned(),
        template_id: settings.template.clone(),
        url,
        page,
        miniprogram: settings.mini_program.as_ref().map(|(appid, page)| MiniProgram {
            appid: appid.clone(),
            pagepath: page.replace("{customerId}", &notice.only_customer()),
        }),
        data: shown(&settings.fields, notice.values, notice.at),
        // The same for every attempt of this delivery, and for no other.
        client_msg_id: is_template.then(|| notice.delivery.0.simple().to_string()),
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

    fn settings(kind: Kind) -> Settings {
        let fields = [("thing1", "customer_name"), ("time3", "assign_time"), ("thing4", "assigner")];
        Settings {
            app: "wx2".to_owned(),
            kind,
            template: "T".to_owned(),
            fields: fields.map(|(key, shows)| (key.to_owned(), shows.to_owned())).to_vec(),
            public_url: Some("https://crm.example.com".to_owned()),
            mini_program: None,
        }
    }

    #[test]
    fn both_kinds_have_their_exact_body() {
        let case = Case::one_lead();
        let data = concat!(
            r#""data":{"thing1":{"value":"张三"},"time3":{"value":"2026年3月2日 00:05"},"#,
            r#""thing4":{"value":"王经理"}}"#
        );
        let template = format!(
            concat!(
                r#"{{"touser":"o-li","template_id":"T","url":"https://crm.example.com/customers/1",{},"#,
                r#""client_msg_id":"00000000000000000000000000000002"}}"#
            ),
            data
        );
        assert_eq!(render(&settings(Kind::Template), &case.notice("o-li")), template);
        let subscribe = format!(
            r#"{{"touser":"o-li","template_id":"T","page":"https://crm.example.com/customers/1",{data}}}"#
        );
        assert_eq!(render(&settings(Kind::Subscribe), &case.notice("o-li")), subscribe);
        let mut to_the_mini_program = settings(Kind::Subscribe);
        to_the_mini_program.public_url = None;
        to_the_mini_program.mini_program = Some(("wx1".to_owned(), "p/detail?id={customerId}".to_owned()));
        let expected = format!(
            concat!(
                r#"{{"touser":"o-li","template_id":"T","miniprogram":{{"appid":"wx1","#,
                r#""pagepath":"p/detail?id=00000000-0000-0000-0000-000000000005"}},{}}}"#
            ),
            data
        );
        assert_eq!(render(&to_the_mini_program, &case.notice("o-li")), expected);
    }

    #[test]
    fn a_marked_body_differs_in_its_first_words_only() {
        for kind in [Kind::Template, Kind::Subscribe] {
            let plain = render(&settings(kind), &Case::one_lead().notice("o-li"));
            let marked = mark_possibly_repeated(&plain);
            check_body(&marked);
            assert_eq!(marked, plain.replace("\"张三\"", "\"（可能重复）张三\""));
            assert_eq!(mark_possibly_repeated(&marked), marked);
        }
    }

    #[test]
    fn a_long_name_is_cut_to_the_field() {
        let body = render(&settings(Kind::Template), &Case::endless().notice("o-li"));
        check_body(&body);
        let read: serde_json::Value = serde_json::from_str(&body).unwrap();
        let name = read["data"]["thing1"]["value"].as_str().unwrap();
        assert!(name.chars().count() == 20 && name.ends_with('…'), "{name}");
    }

    #[test]
    fn wrong_settings_are_refused() {
        let check = |kind, change: fn(&mut Settings), refusal| {
            let mut settings = settings(kind);
            change(&mut settings);
            assert_eq!(settings.validate().err(), refusal);
        };
        check(Kind::Template, |_| {}, None);
        check(Kind::Template, |s| s.app.clear(), Some(SettingsError::Empty("the app id")));
        check(Kind::Template, |s| s.template.clear(), Some(SettingsError::Empty("the template id")));
        check(Kind::Template, |s| s.fields.truncate(1), None);
        check(
            Kind::Subscribe,
            |s| s.fields.truncate(1),
            Some(FieldsError::Count { min: 2, max: 5, found: 1 }.into()),
        );
        check(
            Kind::Template,
            |s| s.fields[0].0 = "keyword1".to_owned(),
            Some(FieldsError::Key("keyword1".to_owned()).into()),
        );
        assert_eq!(settings(Kind::Template).credits(), None);
        assert_eq!(settings(Kind::Subscribe).credits(), Some("T"));
    }
}
