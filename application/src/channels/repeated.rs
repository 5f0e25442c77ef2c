//! A message that may repeat what another channel already told says so (notifications.md section 4): the bytes are
//! marked before their first attempt, and stored.

use domain::notification::Channel;
use serde_json::Value;

/// Stands in front of such a message.
const MARK: &str = "（可能重复）";
/// WeChat's longest `thing` (wechat-apis.md section 2.5).
const THING_CHARS_MAX: usize = 20;
/// WeCom's longest text, in bytes (wechat-apis.md section 5.2).
const WECOM_BYTES_MAX: usize = 2048;
/// WeCom's longest card title.
const CARD_TITLE_CHARS_MAX: usize = 128;

/// The body with the mark; unchanged when it has no place for one.
pub fn mark_possibly_repeated(channel: Channel, body: &str) -> String {
    let Ok(mut request) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    match place(channel, &mut request) {
        Some((Value::String(text), fits)) if !text.starts_with(MARK) => {
            let mut marked = format!("{MARK}{text}");
            while !fits(&marked) {
                marked.pop(); // the ellipsis of the round before, or the last character
                marked.pop();
                marked.push('…');
            }
            *text = marked;
            request.to_string()
        }
        _ => body.to_owned(),
    }
}

type Fits = fn(&str) -> bool;

/// Where the mark goes, and what the provider allows there.
fn place(channel: Channel, request: &mut Value) -> Option<(&mut Value, Fits)> {
    match channel {
        Channel::InApp => None,
        Channel::WechatSubscribe | Channel::WechatOfficial => {
            let fields = request.get_mut("data")?.as_object_mut()?;
            let (_, first) = fields.iter_mut().find(|(key, _)| key.starts_with("thing"))?;
            Some((first.get_mut("value")?, |text| text.chars().count() <= THING_CHARS_MAX))
        }
        Channel::WechatCloud => {
            let name = request.get_mut("notificationData")?.get_mut("customerName")?;
            Some((name, |text| text.chars().count() <= THING_CHARS_MAX))
        }
        Channel::WecomApp | Channel::WecomRobot => {
            if request.get("textcard").is_some() {
                let title = request.get_mut("textcard")?.get_mut("title")?;
                return Some((title, |text| text.chars().count() <= CARD_TITLE_CHARS_MAX));
            }
            let kind = if request.get("markdown").is_some() { "markdown" } else { "text" };
            let content = request.get_mut(kind)?.get_mut("content")?;
            Some((content, |text| text.len() <= WECOM_BYTES_MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mark_stands_where_the_person_looks_first() {
        let long = "客".repeat(20);
        let cut = format!("（可能重复）{}…", "客".repeat(13));
        let rows = [
            (
                Channel::WechatSubscribe,
                json!({"data": {"thing1": {"value": "王女士"}}}),
                "/data/thing1/value",
                "（可能重复）王女士",
            ),
            (
                Channel::WechatOfficial,
                json!({"data": {"thing1": {"value": long}}}),
                "/data/thing1/value",
                cut.as_str(),
            ),
            (
                Channel::WechatCloud,
                json!({"notificationData": {"customerName": "3个客户"}}),
                "/notificationData/customerName",
                "（可能重复）3个客户",
            ),
            (
                Channel::WecomApp,
                json!({"textcard": {"title": "新客户"}}),
                "/textcard/title",
                "（可能重复）新客户",
            ),
            (
                Channel::WecomApp,
                json!({"text": {"content": "新客户"}}),
                "/text/content",
                "（可能重复）新客户",
            ),
            (
                Channel::WecomRobot,
                json!({"markdown": {"content": "新客户"}}),
                "/markdown/content",
                "（可能重复）新客户",
            ),
        ];
        for (channel, body, at, expected) in rows {
            let once = mark_possibly_repeated(channel, &body.to_string());
            let marked: Value = serde_json::from_str(&once).unwrap();
            assert_eq!(marked.pointer(at).and_then(Value::as_str), Some(expected), "{channel}");
            assert_eq!(mark_possibly_repeated(channel, &once), once, "one mark is enough");
        }
        assert_eq!(mark_possibly_repeated(Channel::WecomApp, "not json"), "not json");
    }
}
