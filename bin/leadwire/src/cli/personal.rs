//! What is hidden of a person when events and states are printed.

use domain::contact::{mask, mask_mobiles};
use serde_json::Value;

/// Members that are phones: masked, so that they can still be told apart.
const PHONES: [&str; 3] = ["phone", "customerPhone", "customer_phone"];
/// Members that are hidden as a whole.
const HIDDEN: [&str; 15] = [
    "openid",
    "openids",
    "email",
    "wechatId",
    "wechat_id",
    "idCardNumber",
    "address",
    "needServiceAddress",
    "request_body",
    "wechat",
    "wechat_qrcode",
    "id_card",
    "real_name",
    "sexual_orientation",
    "user_id",
];

/// A changed field of a member names itself beside its values.
const FIELD: &str = "field";
/// Its values, before and now.
const VALUES: [&str; 2] = ["old", "new"];
/// What stands for them.
const STARS: &str = "***";

/// Masks phones and hides openids, addresses and the like, wherever they stand.
pub(crate) fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let field = members.get(FIELD).and_then(Value::as_str).map(str::to_owned);
            for (name, member) in members.iter_mut() {
                let name = match &field {
                    Some(field) if VALUES.contains(&name.as_str()) => field,
                    _ => name,
                };
                match member {
                    Value::String(text) if PHONES.contains(&name.as_str()) => *text = mask(text),
                    Value::String(text) if HIDDEN.contains(&name.as_str()) => STARS.clone_into(text),
                    Value::Object(inner) if HIDDEN.contains(&name.as_str()) => {
                        inner.values_mut().for_each(|value| *value = Value::from(STARS));
                    }
                    _ => hide(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) => *text = mask_mobiles(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_is_hidden_wherever_it_stands() {
        let mut value = json!({
            "number": "CUS13800008999",
            "profile": { "name": "王女士", "phone": "13800008999", "wechatId": "wx_1", "address": "北京" },
            "openids": { "wx1": "oAbc" },
            "message": { "content": "客户王女士（电话：13800008999）" },
            "list": ["13800008999", "x-13800008999"],
            "count": 13_800_008_999_i64,
            "changed": [
                { "field": "phone", "old": "13800008999" },
                { "field": "id_card", "new": "110101199003070000" },
                { "field": "city", "old": "北京", "new": "杭州" },
            ],
        });
        hide(&mut value);
        assert_eq!(
            value,
            json!({
                "number": "CUS13800008999",
                "profile": { "name": "王女士", "phone": "138****8999", "wechatId": "***", "address": "***" },
                "openids": { "wx1": "***" },
                "message": { "content": "客户王女士（电话：138****8999）" },
                "list": ["138****8999", "x-13800008999"],
                "count": 13_800_008_999_i64,
                "changed": [
                    { "field": "phone", "old": "138****8999" },
                    { "field": "id_card", "new": "***" },
                    { "field": "city", "old": "北京", "new": "杭州" },
                ],
            })
        );
    }
}
