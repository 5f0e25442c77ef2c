//! Messages of a `WeCom` application 企业微信应用消息: one receiver per call, rendered once, with the provider's own check
//! for duplicates on (wechat-apis.md section 5). That check compares contents, so every body holds the code of its
//! notice, and nothing in it depends on the attempt.

mod codes;
mod receivers;
mod sheet;

use serde::{Deserialize, Serialize};

pub use codes::{CODES, Reply, outcome, outcome_for_many, read, verdict};
pub use receivers::{EVERYBODY, Receivers, readdressed, receivers_of, speaks_to_many};
pub use sheet::{Line, OwnWords, Section, Sheet, plain, render_sheet};

use super::Notice;
use super::body::{rewritten, written};
use super::text::{framed, marked, page_url, tidy, tidy_line, within_bytes, without_markdown, without_tags};

/// Most bytes of a text or markdown message; a longer text is cut by `WeCom` without a word.
const CONTENT_BYTES_MAX: usize = 2048;
/// Most bytes of a card's title. The page says characters, older ones bytes: the stricter holds.
const TITLE_BYTES_MAX: usize = 128;
/// Most bytes of a card's description, likewise.
const DESCRIPTION_BYTES_MAX: usize = 512;
/// Most bytes of a card's link.
const URL_BYTES_MAX: usize = 2048;
/// Most characters of a card's button.
const BUTTON_CHARS_MAX: usize = 4;
/// What the button says when the notice's word for it is too long.
const BUTTON: &str = "详情";
/// The longest time `WeCom` compares, in seconds.
const DUPLICATE_CHECK_SECONDS: u32 = 14_400;

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Plain text with a link.
    Text,
    /// A card with a button.
    #[default]
    Textcard,
    /// Markdown, shown in `WeCom` only.
    Markdown,
}

impl Kind {
    /// Every kind, by the name `WeCom` gives it.
    pub const NAMES: [(&str, Self); 3] =
        [("text", Self::Text), ("textcard", Self::Textcard), ("markdown", Self::Markdown)];

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Textcard => "textcard",
            Self::Markdown => "markdown",
        }
    }
}

/// Settings of the channel; the secret stays in `infrastructure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The corporation's id.
    pub corp: String,
    /// The application's number.
    pub agent: i64,
    /// How a message looks.
    pub kind: Kind,
    /// Where people reach the console, e.g. `https://crm.example.com`.
    pub public_url: Option<String>,
}

/// Why settings are refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No corporation.
    #[error("the corporation's id is empty")]
    NoCorp,
    /// The corporation's id would not fit into the name of the app.
    #[error("a corporation's id has letters, digits, '_' and '-' only")]
    Corp,
    /// Not a number of an application.
    #[error("{0} is not the number of an application")]
    Agent(i64),
    /// A card is nothing without its link.
    #[error("a textcard needs server.public_url, which its button leads to; text and markdown do not")]
    NoPublicUrl,
}

impl Settings {
    /// Checks what can be checked without asking `WeCom`.
    pub fn validate(&self) -> Result<(), SettingsError> {
        if self.corp.is_empty() {
            return Err(SettingsError::NoCorp);
        }
        if !self.corp.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(SettingsError::Corp);
        }
        if self.agent <= 0 {
            return Err(SettingsError::Agent(self.agent));
        }
        if self.kind == Kind::Textcard && self.public_url.is_none() {
            return Err(SettingsError::NoPublicUrl);
        }
        Ok(())
    }

    /// The name of the app in the outbox and the token store: an application within a corporation.
    pub fn app(&self) -> String {
        format!("{}/{}", self.corp, self.agent)
    }
}

/// The request; its keys are written in this order.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    touser: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    toparty: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totag: Option<String>,
    msgtype: String,
    agentid: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    textcard: Option<Card>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    markdown: Option<Content>,
    enable_duplicate_check: u8,
    duplicate_check_interval: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    content: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Card {
    title: String,
    description: String,
    url: String,
    btntxt: String,
}

/// The exact request body, to be stored and sent as it is.
pub fn render(settings: &Settings, notice: &Notice<'_>) -> String {
    let mut body = Body {
        touser: notice.receiver.to_owned(),
        toparty: None,
        totag: None,
        msgtype: settings.kind.name().to_owned(),
        agentid: settings.agent,
        text: None,
        textcard: None,
        markdown: None,
        enable_duplicate_check: 1,
        duplicate_check_interval: DUPLICATE_CHECK_SECONDS,
    };
    match settings.kind {
        Kind::Text => body.text = Some(Content { content: text(settings, notice) }),
        Kind::Textcard => body.textcard = Some(card(settings, notice)),
        Kind::Markdown => body.markdown = Some(Content { content: markdown(settings, notice) }),
    }
    written(&body)
}

/// The body for a person who may have had the message by another channel.
pub(super) fn mark_possibly_repeated(body: &str) -> String {
    rewritten(body, |body: &mut Body| {
        for content in body.text.iter_mut().chain(&mut body.markdown) {
            // What stands at the end, the link and the code, is kept: the text in front of it is cut.
            content.content = marked_content(&content.content);
        }
        if let Some(card) = &mut body.textcard {
            card.title = within_bytes(&marked(&card.title), TITLE_BYTES_MAX);
        }
    })
}

fn marked_content(content: &str) -> String {
    let marked = marked(content);
    if marked.len() <= CONTENT_BYTES_MAX {
        return marked;
    }
    let tail = content.rmatch_indices('\n').nth(1).map_or("", |(at, _)| &content[at..]);
    let head = marked.strip_suffix(tail).unwrap_or(&marked);
    framed("", head, tail, CONTENT_BYTES_MAX)
}

fn text(settings: &Settings, notice: &Notice<'_>) -> String {
    let title = within_bytes(&without_tags(&tidy_line(notice.title)), TITLE_BYTES_MAX);
    let link = url(settings, notice).map(|url| {
        let words = without_tags(&tidy_line(notice.action_text));
        format!("<a href=\"{url}\">{words}</a>")
    });
    let behind = format!("\n{}\n{}", link.unwrap_or_default(), notice.stamp());
    framed(&format!("{title}\n"), &without_tags(&tidy(notice.content)), &behind, CONTENT_BYTES_MAX)
}

fn markdown(settings: &Settings, notice: &Notice<'_>) -> String {
    let title = within_bytes(&without_markdown(&tidy_line(notice.title)), TITLE_BYTES_MAX);
    let link = url(settings, notice).map(|url| {
        let words = without_markdown(&tidy_line(notice.action_text));
        format!("[{words}]({url})")
    });
    let stamp = notice.stamp();
    let behind = format!("\n{}\n<font color=\"comment\">{stamp}</font>", link.unwrap_or_default());
    framed(&format!("**{title}**\n"), &without_markdown(&tidy(notice.content)), &behind, CONTENT_BYTES_MAX)
}

fn card(settings: &Settings, notice: &Notice<'_>) -> Card {
    let before = format!("<div class=\"gray\">{}</div><div class=\"normal\">", notice.stamp());
    let behind = "</div>";
    let content = without_tags(&tidy(notice.content));
    let lines = content.replace('\n', "<br>");
    // A tag cut in half would be shown as letters: what must be cut stands on one line.
    let fits = before.len() + lines.len() + behind.len() <= DESCRIPTION_BYTES_MAX;
    let shown = if fits { lines } else { tidy_line(&content) };
    let action = tidy_line(notice.action_text);
    let fits = (1..=BUTTON_CHARS_MAX).contains(&action.chars().count());
    Card {
        title: within_bytes(&tidy_line(notice.title), TITLE_BYTES_MAX),
        description: framed(&before, &shown, behind, DESCRIPTION_BYTES_MAX),
        url: url(settings, notice).unwrap_or_default(),
        btntxt: if fits { action } else { BUTTON.to_owned() },
    }
}

/// The page of the notice; the console itself when that address is too long.
fn url(settings: &Settings, notice: &Notice<'_>) -> Option<String> {
    let base = settings.public_url.as_deref();
    let page = page_url(base, notice.action_url).filter(|url| url.len() <= URL_BYTES_MAX);
    page.or_else(|| page_url(base, ""))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check_body};
    use super::*;

    fn settings(kind: Kind) -> Settings {
        let public_url = Some("https://crm.example.com".to_owned());
        Settings { corp: "ww1".to_owned(), agent: 1_000_002, kind, public_url }
    }

    fn body(kind: Kind, case: &Case) -> serde_json::Value {
        let body = render(&settings(kind), &case.notice("ZhangSan"));
        check_body(&body);
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn every_kind_has_its_exact_body() {
        let case = Case::one_lead();
        for (kind, expected) in [
            (
                Kind::Textcard,
                concat!(
                    r#"{"touser":"ZhangSan","msgtype":"textcard","agentid":1000002,"textcard":{"#,
                    r#""title":"新客户分配","description":"<div class=\"gray\">2026-03-02 00:05 #0A1B2C3D</div>"#,
                    r#"<div class=\"normal\">您有一个新客户 张三，电话 138****8999</div>","#,
                    r#""url":"https://crm.example.com/customers/1","btntxt":"查看详情"},"#,
                    r#""enable_duplicate_check":1,"duplicate_check_interval":14400}"#
                ),
            ),
            (
                Kind::Text,
                concat!(
                    r#"{"touser":"ZhangSan","msgtype":"text","agentid":1000002,"text":{"content":"新客户分配\n"#,
                    r#"您有一个新客户 张三，电话 138****8999\n"#,
                    r#"<a href=\"https://crm.example.com/customers/1\">查看详情</a>\n2026-03-02 00:05 #0A1B2C3D"},"#,
                    r#""enable_duplicate_check":1,"duplicate_check_interval":14400}"#
                ),
            ),
            (
                Kind::Markdown,
                concat!(
                    r#"{"touser":"ZhangSan","msgtype":"markdown","agentid":1000002,"markdown":{"#,
                    r#""content":"**新客户分配**\n您有一个新客户 张三，电话 138＊＊＊＊8999\n"#,
                    r#"[查看详情](https://crm.example.com/customers/1)\n"#,
                    r#"<font color=\"comment\">2026-03-02 00:05 #0A1B2C3D</font>"},"#,
                    r#""enable_duplicate_check":1,"duplicate_check_interval":14400}"#
                ),
            ),
        ] {
            assert_eq!(render(&settings(kind), &case.notice("ZhangSan")), expected);
        }
    }

    #[test]
    fn nothing_is_longer_than_wecom_takes_and_what_is_cut_says_so() {
        let case = Case::endless();
        for (_, kind) in Kind::NAMES {
            let shown = body(kind, &case);
            let content = &shown[kind.name()]["content"];
            if let Some(content) = content.as_str() {
                assert!(content.len() <= CONTENT_BYTES_MAX && content.contains('…'), "{}", content.len());
                assert!(content.contains("#0A1B2C3D"), "the code survives: {content}");
            }
        }
        let card = &body(Kind::Textcard, &case)["textcard"];
        assert!(card["title"].as_str().unwrap().len() <= TITLE_BYTES_MAX);
        let description = card["description"].as_str().unwrap();
        assert!(
            description.len() <= DESCRIPTION_BYTES_MAX && description.ends_with("…</div>"),
            "{description}"
        );
        assert_eq!(card["url"], "https://crm.example.com");
        assert_eq!(card["btntxt"], "详情");
    }

    #[test]
    fn a_lead_cannot_write_tags_and_lines_stay_lines() {
        let mut case = Case::one_lead();
        case.content = "一<a href=\"x\">\r\n二".to_owned();
        let card = body(Kind::Textcard, &case);
        let description = card["textcard"]["description"].as_str().unwrap();
        assert!(
            description.ends_with("<div class=\"normal\">一＜a href=\"x\"＞<br>二</div>"),
            "{description}"
        );
    }

    #[test]
    fn two_notices_with_the_same_words_are_not_the_same_content() {
        let (one, mut other) = (Case::one_lead(), Case::one_lead());
        other.notification = domain::NotificationId(uuid::Uuid::from_u128(9));
        for (_, kind) in Kind::NAMES {
            let render = |case: &Case| render(&settings(kind), &case.notice("ZhangSan"));
            assert_eq!(render(&one), render(&one));
            assert_ne!(render(&one), render(&other));
        }
    }

    #[test]
    fn a_marked_body_says_so_within_the_limits_and_is_marked_once() {
        for (_, kind) in Kind::NAMES {
            for case in [Case::one_lead(), Case::endless()] {
                let plain = render(&settings(kind), &case.notice("ZhangSan"));
                let marked = mark_possibly_repeated(&plain);
                check_body(&marked);
                assert_ne!(marked, plain);
                assert_eq!(mark_possibly_repeated(&marked), marked);
                let read: serde_json::Value = serde_json::from_str(&marked).unwrap();
                let (words, max) = match kind {
                    Kind::Textcard => (&read["textcard"]["title"], TITLE_BYTES_MAX),
                    other => (&read[other.name()]["content"], CONTENT_BYTES_MAX),
                };
                let words = words.as_str().unwrap();
                assert!(words.starts_with("（可能重复）") && words.len() <= max, "{words}");
                assert!(marked.contains("#0A1B2C3D"), "{marked}");
            }
        }
        assert_eq!(mark_possibly_repeated("{}"), "{}");
    }

    #[test]
    fn wrong_settings_are_refused() {
        let check = |change: fn(&mut Settings), refusal| {
            let mut settings = settings(Kind::Textcard);
            change(&mut settings);
            assert_eq!(settings.validate().err(), refusal);
        };
        check(|_| {}, None);
        check(|s| s.corp.clear(), Some(SettingsError::NoCorp));
        check(|s| s.corp = "ww:1".to_owned(), Some(SettingsError::Corp));
        check(|s| s.agent = 0, Some(SettingsError::Agent(0)));
        check(|s| s.public_url = None, Some(SettingsError::NoPublicUrl));
        check(|s| (s.public_url, s.kind) = (None, Kind::Text), None);
        assert_eq!(settings(Kind::Text).app(), "ww1/1000002");
    }
}
