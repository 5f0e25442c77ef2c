use serde_json::json;

use super::*;

fn app(body: &Value) -> Result<Content, i64> {
    Content::of_app(body, &Switches::default()).map_err(|refusal| refusal.errcode())
}

fn robot(body: &Value) -> Result<Content, i64> {
    Content::of_robot(body).map_err(|refusal| refusal.errcode())
}

fn wrong(judged: Result<Content, i64>) -> i64 {
    judged.map_or_else(|errcode| errcode, |_| 0)
}

#[test]
fn app_messages() {
    let card = json!({ "title": "t", "description": "d", "url": "https://x" });
    let with = |key: &str, value: Value| {
        let mut card = card.clone();
        card[key] = value;
        json!({ "msgtype": "textcard", "textcard": card })
    };
    let items = |count: usize| {
        let item = json!({ "key": "k", "value": "v" });
        json!({ "msgtype": "miniprogram_notice", "miniprogram_notice":
            { "appid": "wx1", "title": "新会员登记", "content_item": vec![item; count] } })
    };
    let template = |card: Value| json!({ "msgtype": "template_card", "template_card": card });
    let button = json!({ "card_type": "button_interaction", "main_title": { "title": "t" } });
    let mut named = button.clone();
    named["task_id"] = json!("a_b-c@1");
    let mut misnamed = button.clone();
    misnamed["task_id"] = json!("a b");
    for (body, errcode) in [
        (json!({ "msgtype": "text", "text": { "content": "x" } }), 0),
        (json!({ "msgtype": "text", "text": {} }), 44004),
        (json!({ "msgtype": "text", "text": { "content": "" } }), 44004),
        (json!({ "msgtype": "markdown", "markdown": { "content": "a".repeat(2048) } }), 0),
        (json!({ "msgtype": "markdown", "markdown": { "content": "a".repeat(2049) } }), 45002),
        (json!({ "msgtype": "smoke" }), 40008),
        (json!({}), 40008),
        (with("url", json!("https://y")), 0),
        (with("title", Value::Null), 41016),
        (with("description", json!("")), 41033),
        (with("url", Value::Null), 41010),
        (with("url", json!("ftp://x")), 40058),
        (with("url", json!(format!("https://{}", "a".repeat(2048)))), 40058),
        (json!({ "msgtype": "news", "news": { "articles": [{ "title": "t", "url": "http://x" }] } }), 0),
        (json!({ "msgtype": "news", "news": { "articles": [] } }), 40058),
        (json!({ "msgtype": "image", "image": { "media_id": "m" } }), 0),
        (json!({ "msgtype": "image", "image": {} }), 40007),
        (items(10), 0),
        (items(11), 90201),
        (json!({ "msgtype": "miniprogram_notice", "miniprogram_notice": {} }), 90200),
        (
            template(
                json!({ "card_type": "text_notice", "main_title": { "title": "t" }, "card_action": { "type": 1, "url": "https://x" } }),
            ),
            0,
        ),
        (template(json!({ "card_type": "text_notice", "main_title": { "title": "t" } })), 40058),
        (template(button.clone()), 40058),
        (template(named), 0),
        (template(misnamed), 40058),
    ] {
        assert_eq!(wrong(app(&body)), errcode, "{body}");
    }
}

#[test]
fn a_long_text_is_cut_at_2048_bytes_between_characters() {
    let body = json!({ "msgtype": "text", "text": { "content": "客".repeat(700) } });
    let content = app(&body).unwrap();
    assert_eq!(content.data["content"], "客".repeat(682), "682 * 3 = 2046, one more does not fit");
}

#[test]
fn a_card_is_cut_by_characters_or_by_bytes() {
    let card = json!({ "title": "客".repeat(200), "description": "a".repeat(600), "url": "https://x", "btntxt": "查看会员资料" });
    let body = json!({ "msgtype": "textcard", "textcard": card });
    for (wecom_card_counts_bytes, title) in [(false, 128), (true, 42)] {
        let switches = Switches { wecom_card_counts_bytes, ..Switches::default() };
        let content = Content::of_app(&body, &switches).unwrap();
        assert_eq!(content.data["title"].chars().count(), title);
        assert_eq!(content.data["description"].len(), 512);
        assert_eq!(content.data["btntxt"], "查看会员");
    }
}

#[test]
fn robot_messages_are_refused_when_too_long() {
    let said = |msgtype: &str, length: usize| json!({ "msgtype": msgtype, msgtype: { "content": "a".repeat(length) } });
    for (body, errcode) in [
        (said("text", 2048), 0),
        (said("text", 2049), 40058),
        (said("markdown", 4096), 0),
        (said("markdown", 4097), 40058),
        (said("markdown_v2", 4096), 0),
        (said("text", 0), 44004),
        (said("textcard", 1), 40008),
        (json!({ "msgtype": "text", "text": { "content": "x", "mentioned_list": "lisi" } }), 40058),
    ] {
        assert_eq!(wrong(robot(&body)), errcode, "{body}");
    }
    let text = json!({ "content": "x", "mentioned_list": ["lisi", "@all"], "mentioned_mobile_list": [] });
    let content = robot(&json!({ "msgtype": "text", "text": text })).unwrap();
    assert_eq!(content.data["mentioned_list"], "lisi|@all");
    assert!(!content.data.contains_key("mentioned_mobile_list"));
}

#[test]
fn a_summary_is_one_short_line() {
    let texts = ["新会员\n登记".to_owned(), "a".repeat(99)];
    let line = summary(texts.iter());
    assert!(line.starts_with("新会员 登记 aaa") && line.chars().count() == 60, "{line}");
}
