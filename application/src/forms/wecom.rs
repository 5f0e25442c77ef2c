//! The form that says which member of the WeCom corporation a member of staff is.

use domain::contact::WecomUserId;
use serde_json::Value;

use super::fields::{Fields, Null};
use super::{FieldError, Rule};

/// `PUT /api/users/:id/wecom-binding`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WecomBinding {
    /// The member.
    pub user: WecomUserId,
}

impl WecomBinding {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let user = fields.required("userId", |value| match value {
            Value::String(text) => WecomUserId::parse(text.trim()).map_err(|_| Rule::WecomUserId),
            _ => Err(Rule::NotText),
        });
        fields.finish(user.map(|user| Self { user }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_userid_is_wecoms_or_the_form_says_why_not() {
        let user = WecomBinding::parse(json!({ "userId": " Zhang.San " })).unwrap().user;
        assert_eq!(user.as_str(), "Zhang.San");
        for (body, rule) in [
            (json!({}), Rule::Required),
            (json!({ "userId": "" }), Rule::Required),
            (json!({ "userId": 7 }), Rule::NotText),
            (json!({ "userId": "@all" }), Rule::WecomUserId),
            (json!({ "userId": "张三" }), Rule::WecomUserId),
            (json!({ "userId": "a|b" }), Rule::WecomUserId),
            (json!({ "userId": "z".repeat(65) }), Rule::WecomUserId),
        ] {
            let errors = WecomBinding::parse(body.clone()).unwrap_err();
            assert_eq!(
                (errors.len(), &errors[0].rule, errors[0].path.as_str()),
                (1, &rule, "userId"),
                "{body}"
            );
            assert!(errors[0].message_zh.contains("企业微信账号"), "{}", errors[0].message_zh);
        }
    }
}
