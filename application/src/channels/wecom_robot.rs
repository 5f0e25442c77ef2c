//! Messages of a `WeCom` group robot 群机器人: to a group, with the person mentioned (wechat-apis.md section 6). The
//! provider recognises no repetition and gives no message id, so a short code in the text lets people see one.

mod codes;

use serde::{Deserialize, Serialize};

pub use codes::{CODES, outcome, verdict};

use super::Notice;
use super::body::{rewritten, written};
use super::text::{framed, marked, page_url, tidy, tidy_line, within_bytes, without_markdown, without_tags};

/// Most bytes of a text; a longer one is refused.
const TEXT_BYTES_MAX: usize = 2048;
/// Most bytes of a markdown text; a longer one is refused.
const MARKDOWN_BYTES_MAX: usize = 4096;
/// Most bytes of the title within it.
const TITLE_BYTES_MAX: usize = 128;
/// Most bytes of a name in the outbox.
const NAME_BYTES_MAX: usize = 64;

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Plain text; whoever is mentioned is called by the client too.
    Text,
    /// Markdown with a link.
    #[default]
    Markdown,
}

impl Kind {
    /// Every kind, by the name `WeCom` gives it.
    pub const NAMES: [(&str, Self); 2] = [("text", Self::Text), ("markdown", Self::Markdown)];
}

/// Settings of the channel. The robot's key is its only secret and stays in `infrastructure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What we call the robot, in the outbox and on screens; the key must not be seen there.
    pub name: String,
    /// The corporation whose userids can be mentioned; `None` mentions nobody.
    pub corp: Option<String>,
    /// How a message looks.
    pub kind: Kind,
    /// Where people reach the console.
    pub public_url: Option<String>,
}

/// Why settings are refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The name is empty or too long.
    #[error("the robot's name has 1 to {NAME_BYTES_MAX} bytes")]
    Name,
}

impl Settings {
    /// Checks what can be checked without asking `WeCom`.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let fits = (1..=NAME_BYTES_MAX).contains(&self.name.trim().len());
        if fits { Ok(()) } else { Err(SettingsError::Name) }
    }
}

/// The request; its keys are written in this order.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    msgtype: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    markdown: Option<Markdown>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Text {
    content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentioned_list: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Markdown {
    content: String,
}

/// The exact request body, to be stored and sent as it is.
pub fn render(settings: &Settings, notice: &Notice<'_>) -> String {
    let mut body = Body { msgtype: String::new(), text: None, markdown: None };
    match settings.kind {
        Kind::Text => {
            body.msgtype.push_str("text");
            let mentioned = (!notice.receiver.is_empty()).then(|| notice.receiver.to_owned());
            let mentioned_list = mentioned.into_iter().collect();
            body.text = Some(Text { content: text(settings, notice), mentioned_list });
        }
        Kind::Markdown => {
            body.msgtype.push_str("markdown");
            body.markdown = Some(Markdown { content: markdown(settings, notice) });
        }
    }
    written(&body)
}

/// The body for a person who may have had the message by another channel.
pub(super) fn mark_possibly_repeated(body: &str) -> String {
    rewritten(body, |body: &mut Body| {
        if let Some(text) = &mut body.text {
            text.content = marked_content(&text.content, TEXT_BYTES_MAX);
        }
        if let Some(markdown) = &mut body.markdown {
            markdown.content = marked_content(&markdown.content, MARKDOWN_BYTES_MAX);
        }
    })
}

/// Room for the mark is made in the middle: the last line holds the code.
fn marked_content(content: &str, max: usize) -> String {
    let marked = marked(content);
    if marked.len() <= max {
        return marked;
    }
    let tail = content.rfind('\n').map_or("", |at| &content[at..]);
    let head = marked.strip_suffix(tail).unwrap_or(&marked);
    framed("", head, tail, max)
}

fn text(settings: &Settings, notice: &Notice<'_>) -> String {
    let title = within_bytes(&without_tags(&tidy_line(notice.title)), TITLE_BYTES_MAX);
    let link = page_url(settings.public_url.as_deref(), notice.action_url);
    let link = link.map(|url| format!("\n{url}")).unwrap_or_default();
    let behind = format!("{link}\n{}", notice.stamp());
    framed(&format!("{title}\n"), &without_tags(&tidy(notice.content)), &behind, TEXT_BYTES_MAX)
}

fn markdown(settings: &Settings, notice: &Notice<'_>) -> String {
    let title = within_bytes(&without_markdown(&tidy_line(notice.title)), TITLE_BYTES_MAX);
    let mention =
        if notice.receiver.is_empty() { String::new() } else { format!("\n<@{}>", notice.receiver) };
    let link = page_url(settings.public_url.as_deref(), notice.action_url).map(|url| {
        let words = without_markdown(&tidy_line(notice.action_text));
        format!("\n[{words}]({url})")
    });
    let stamp = notice.stamp();
    let behind = format!("{mention}{}\n<font color=\"comment\">{stamp}</font>", link.unwrap_or_default());
    framed(&format!("**{title}**\n"), &without_markdown(&tidy(notice.content)), &behind, MARKDOWN_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check_body};
    use super::*;

    fn settings(kind: Kind) -> Settings {
        Settings {
            name: "robot".to_owned(),
            corp: Some("ww1".to_owned()),
            kind,
            public_url: Some("https://crm.example.com".to_owned()),
        }
    }

    #[test]
    fn every_kind_has_its_exact_body() {
        let case = Case::one_lead();
        for (kind, receiver, expected) in [
            (
                Kind::Markdown,
                "ZhangSan",
                concat!(
                    r#"{"msgtype":"markdown","markdown":{"content":"**新客户分配**\n"#,
                    r#"您有一个新客户 张三，电话 138＊＊＊＊8999\n<@ZhangSan>\n"#,
                    r#"[查看详情](https://crm.example.com/customers/1)\n"#,
                    r#"<font color=\"comment\">2026-03-02 00:05 #0A1B2C3D</font>"}}"#
                ),
            ),
            (
                Kind::Text,
                "ZhangSan",
                concat!(
                    r#"{"msgtype":"text","text":{"content":"新客户分配\n您有一个新客户 张三，电话 138****8999\n"#,
                    r#"https://crm.example.com/customers/1\n2026-03-02 00:05 #0A1B2C3D","#,
                    r#""mentioned_list":["ZhangSan"]}}"#
                ),
            ),
            (
                Kind::Text,
                "",
                concat!(
                    r#"{"msgtype":"text","text":{"content":"新客户分配\n您有一个新客户 张三，电话 138****8999\n"#,
                    r#"https://crm.example.com/customers/1\n2026-03-02 00:05 #0A1B2C3D"}}"#
                ),
            ),
        ] {
            assert_eq!(render(&settings(kind), &case.notice(receiver)), expected);
        }
    }

    #[test]
    fn nothing_is_longer_than_the_robot_takes_marked_or_not() {
        for (kind, max, name) in
            [(Kind::Text, TEXT_BYTES_MAX, "text"), (Kind::Markdown, MARKDOWN_BYTES_MAX, "markdown")]
        {
            for case in [Case::one_lead(), Case::endless()] {
                let mut settings = settings(kind);
                settings.public_url = None;
                let plain = render(&settings, &case.notice("ZhangSan"));
                let marked = mark_possibly_repeated(&plain);
                assert_eq!(mark_possibly_repeated(&marked), marked);
                for body in [&plain, &marked] {
                    check_body(body);
                    let read: serde_json::Value = serde_json::from_str(body).unwrap();
                    let content = read[name]["content"].as_str().unwrap();
                    assert!(content.len() <= max, "{} bytes", content.len());
                    assert!(content.contains("#0A1B2C3D"), "{content}");
                    let is_long = case.content.len() > max;
                    assert_eq!(content.contains('…'), is_long);
                    assert_eq!(content.starts_with("（可能重复）"), body == &marked);
                }
            }
        }
    }

    #[test]
    fn a_robot_has_a_name() {
        for (name, refusal) in
            [("群", None), (" ", Some(SettingsError::Name)), (&"n".repeat(65), Some(SettingsError::Name))]
        {
            let settings = Settings { name: name.to_owned(), ..settings(Kind::Text) };
            assert_eq!(settings.validate().err(), refusal, "{name}");
        }
    }
}
