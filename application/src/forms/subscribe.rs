//! The form in which the mini program tells what its popup came back with.

use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{line, whole};
use super::{FieldError, Rule};

/// Most consents of one report: a popup is one, and a page may show a few.
pub const REPORTED_CONSENTS_MAX: i64 = 10;

/// Most characters of a template id; real ones have 43.
const TEMPLATE_CHARS_MAX: usize = 128;

/// `POST /api/wechat/subscribe/confirm` (existing-systems.md section 6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeConfirm {
    /// The template; the configured one without it.
    pub template: Option<String>,
    /// Whether the person agreed.
    pub accepted: bool,
    /// How often.
    pub count: i64,
}

impl SubscribeConfirm {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let template = fields.optional("templateId", line(TEMPLATE_CHARS_MAX));
        let accepted = fields.required("action", |value| match value.as_str().map(str::trim) {
            Some("accept") => Ok(true),
            Some("reject") => Ok(false),
            Some(_) => Err(Rule::UnknownCode { allowed: vec!["accept".to_owned(), "reject".to_owned()] }),
            None => Err(Rule::NotText),
        });
        let count = fields.optional("count", whole(1..=REPORTED_CONSENTS_MAX)).unwrap_or(1);
        fields.finish(accepted.map(|accepted| Self { template, accepted, count }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_popup_said_is_read() {
        let form = |template: Option<&str>, accepted, count| {
            Ok(SubscribeConfirm { template: template.map(str::to_owned), accepted, count })
        };
        let rows = [
            (json!({ "action": "accept" }), form(None, true, 1)),
            (json!({ "action": "reject", "templateId": "T" }), form(Some("T"), false, 1)),
            (json!({ "action": "accept", "templateId": "", "count": "3" }), form(None, true, 3)),
        ];
        for (body, expected) in rows {
            assert_eq!(SubscribeConfirm::parse(body.clone()), expected, "{body}");
        }
        for (body, path) in [
            (json!({}), "action"),
            (json!({ "action": "ban" }), "action"),
            (json!({ "action": 1 }), "action"),
            (json!({ "action": "accept", "count": 0 }), "count"),
            (json!({ "action": "accept", "count": 11 }), "count"),
            (json!({ "action": "accept", "templateId": 7 }), "templateId"),
            (json!({ "action": "accept", "openid": "o1" }), "openid"),
        ] {
            let errors = SubscribeConfirm::parse(body.clone()).unwrap_err();
            assert_eq!(errors.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), [path], "{body}");
        }
    }
}
