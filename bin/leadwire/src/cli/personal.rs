//! What is hidden of a person when events and states are printed.

use domain::contact::mask;
use serde_json::Value;

/// Members that are phones: masked, so that they can still be told apart.
const PHONES: [&str; 3] = ["phone", "customerPhone", "customer_phone"];
/// Members that are hidden as a whole.
const HIDDEN: [&str; 9] = [
    "openid",
    "openids",
    "email",
    "wechatId",
    "wechat_id",
    "idCardNumber",
    "address",
    "needServiceAddress",
    "request_body",
];
/// What stands for them.
const STARS: &str = "***";
/// Digits of a Chinese mobile number, which begins with a 1.
const MOBILE_DIGITS: usize = 11;

/// Masks phones and hides openids, addresses and the like, wherever they stand.
pub(crate) fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
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
        Value::String(text) => *text = without_mobiles(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with every mobile number in it masked. Numbers inside words, such as `CUS` and 11 digits, stay.
fn without_mobiles(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        if run == 0 {
            masked.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..run];
        let is_mobile =
            word.len() == MOBILE_DIGITS && first == '1' && word.bytes().all(|b| b.is_ascii_digit());
        masked.push_str(&if is_mobile { mask(word) } else { word.to_owned() });
        rest = &rest[run..];
    }
    masked
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
            })
        );
    }
}
