//! A message of many labelled lines to people of a corporation, in each of its forms (existing-systems.md section 7.7).
//!
//! What other people typed stands in it, so every value is made harmless for its form; and whatever must be cut is cut
//! between characters and never inside a tag.

use super::super::text::{framed, page_url, tidy_line, within_bytes, without_markdown, without_tags};
use super::{
    BUTTON, BUTTON_CHARS_MAX, Body, CONTENT_BYTES_MAX, Card, Content, DESCRIPTION_BYTES_MAX,
    DUPLICATE_CHECK_SECONDS, Kind, Settings, TITLE_BYTES_MAX, URL_BYTES_MAX,
};
use crate::channels::body::written;
use crate::texts::filled_with;

/// Most bytes of a card's line that stays when others are left out.
const KEPT_LINE_BYTES_MAX: usize = 150;

/// Below this a cut line says nothing.
const CUT_LINE_BYTES_MIN: usize = 24;

/// Begins a new line of a card.
const BREAK: &str = "<br>";

/// Who receives one message, as `WeCom` wants it: ids with a bar between them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Receivers {
    /// Userids, or `@all`.
    pub users: String,
    /// Numbers of departments.
    pub parties: String,
    /// Numbers of tags.
    pub tags: String,
}

impl std::fmt::Debug for Receivers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receivers(***)") // they name people
    }
}

/// A value and what it is called; without a name it stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is called; empty: nothing.
    pub label: &'static str,
    /// The value, as somebody typed it.
    pub value: String,
}

/// Lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The heading.
    pub heading: &'static str,
    /// The lines.
    pub lines: Vec<Line>,
}

/// Words of one's own with what they may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnWords {
    /// The words, with placeholders.
    pub template: String,
    /// What each placeholder stands for.
    pub values: Vec<(&'static str, String)>,
}

/// A message before it has a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// First line of a card.
    pub card_title: &'static str,
    /// First line of a text and of markdown.
    pub title: &'static str,
    /// The lines of a card; what stands on one line has a bar between.
    pub card: Vec<Vec<Line>>,
    /// How many lines at the end of a card stay when there is no room for all.
    pub kept: usize,
    /// A text.
    pub text: Vec<Section>,
    /// Markdown.
    pub markdown: Vec<Section>,
    /// Last words of a text and of markdown; may be empty.
    pub closing: &'static str,
    /// Words instead of all the lines.
    pub own: Option<OwnWords>,
    /// Where the button leads, a path of the console.
    pub path: String,
    /// What the button says.
    pub button: &'static str,
}

/// The exact request body. `stamp` has the time and a code of its own, by which it differs from any other message.
pub fn render_sheet(
    settings: &Settings,
    kind: Kind,
    receivers: &Receivers,
    stamp: &str,
    sheet: &Sheet,
) -> String {
    let some = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut body = Body {
        touser: receivers.users.clone(),
        toparty: some(&receivers.parties),
        totag: some(&receivers.tags),
        msgtype: kind.name().to_owned(),
        agentid: settings.agent,
        text: None,
        textcard: None,
        markdown: None,
        enable_duplicate_check: 1,
        duplicate_check_interval: DUPLICATE_CHECK_SECONDS,
    };
    match kind {
        Kind::Text => body.text = Some(Content { content: text(settings, stamp, sheet) }),
        Kind::Textcard => body.textcard = Some(card(settings, stamp, sheet)),
        Kind::Markdown => body.markdown = Some(Content { content: markdown(settings, stamp, sheet) }),
    }
    written(&body)
}

/// What the sheet says, for those who read it in the console.
pub fn plain(sheet: &Sheet) -> String {
    content(sheet, &sheet.text, Form::Text)
}

/// Whether a stored body goes to several people: then those who were not reached do not make it a failure.
pub fn speaks_to_many(body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<Body>(body) else { return false };
    body.toparty.is_some() || body.totag.is_some() || body.touser.contains('|') || body.touser == EVERYBODY
}

/// Everybody who may see the application.
pub const EVERYBODY: &str = "@all";

#[derive(Clone, Copy)]
enum Form {
    Text,
    Markdown,
}

impl Form {
    fn value(self, value: &str) -> String {
        let line = tidy_line(value);
        match self {
            Self::Text => without_tags(&line),
            Self::Markdown => without_markdown(&line),
        }
    }

    fn heading(self, heading: &str) -> String {
        match self {
            Self::Text => format!("【{heading}】"),
            Self::Markdown => format!("### {heading}"),
        }
    }

    fn line(self, Line { label, value }: &Line) -> String {
        let value = self.value(value);
        match (self, label.is_empty()) {
            (Self::Text, true) => value,
            (Self::Text, false) => format!("• {label}：{value}"),
            (Self::Markdown, true) => format!("> {value}"),
            (Self::Markdown, false) => format!("> {label}：{value}"),
        }
    }
}

/// Words of one's own, or the sections.
fn content(sheet: &Sheet, sections: &[Section], form: Form) -> String {
    if let Some(own) = &sheet.own {
        return own.filled(form);
    }
    let section = |section: &Section| {
        let lines = section.lines.iter().map(|line| form.line(line));
        std::iter::once(form.heading(section.heading)).chain(lines).collect::<Vec<_>>().join("\n")
    };
    sections.iter().map(section).collect::<Vec<_>>().join("\n")
}

impl OwnWords {
    /// The words of an administrator may hold the signs of their form; the values of members may not.
    fn filled(&self, form: Form) -> String {
        let value = |name: &str| {
            let known = self.values.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| form.value(value)).unwrap_or_default()
        };
        let words = match form {
            Form::Text => without_tags(&self.template),
            Form::Markdown => self.template.clone(),
        };
        filled_with(&words.replace('\r', ""), value)
    }
}

fn text(settings: &Settings, stamp: &str, sheet: &Sheet) -> String {
    let link = url(settings, sheet).map(|url| format!("\n<a href=\"{url}\">{}</a>", sheet.button));
    whole(sheet, &content(sheet, &sheet.text, Form::Text), sheet.title, &link.unwrap_or_default(), stamp)
}

fn markdown(settings: &Settings, stamp: &str, sheet: &Sheet) -> String {
    let link = url(settings, sheet).map(|url| format!("\n[{}]({url})", sheet.button));
    let stamp = format!("<font color=\"comment\">{stamp}</font>");
    let title = format!("**{}**", sheet.title);
    whole(sheet, &content(sheet, &sheet.markdown, Form::Markdown), &title, &link.unwrap_or_default(), &stamp)
}

/// Title, link and stamp stay whole; what stands between is cut.
fn whole(sheet: &Sheet, content: &str, title: &str, link: &str, stamp: &str) -> String {
    let closing = if sheet.closing.is_empty() || sheet.own.is_some() {
        String::new()
    } else {
        format!("\n{}", sheet.closing)
    };
    framed(&format!("{title}\n"), content, &format!("{closing}{link}\n{stamp}"), CONTENT_BYTES_MAX)
}

fn card(settings: &Settings, stamp: &str, sheet: &Sheet) -> Card {
    let before = format!("<div class=\"gray\">{stamp}</div><div class=\"normal\">");
    let behind = "</div>";
    let room = DESCRIPTION_BYTES_MAX.saturating_sub(before.len() + behind.len());
    let (lines, kept) = card_lines(sheet);
    let shown = fitted(&lines, kept, room);
    let fits = (1..=BUTTON_CHARS_MAX).contains(&sheet.button.chars().count());
    Card {
        title: within_bytes(sheet.card_title, TITLE_BYTES_MAX),
        description: format!("{before}{shown}{behind}"),
        url: url(settings, sheet).unwrap_or_default(),
        btntxt: if fits { sheet.button } else { BUTTON }.to_owned(),
    }
}

fn card_lines(sheet: &Sheet) -> (Vec<String>, usize) {
    if let Some(own) = &sheet.own {
        return (own.filled(Form::Text).lines().map(str::to_owned).collect(), 0);
    }
    let one = |Line { label, value }: &Line| {
        let value = Form::Text.value(value);
        if label.is_empty() { value } else { format!("{label}：{value}") }
    };
    let line = |line: &Vec<Line>| line.iter().map(one).collect::<Vec<_>>().join(" | ");
    (sheet.card.iter().map(line).collect(), sheet.kept)
}

/// As many lines as there is room for: those at the end stay, the last one before them is cut.
fn fitted(lines: &[String], kept: usize, room: usize) -> String {
    let (front, end) = lines.split_at(lines.len().saturating_sub(kept));
    let mut end: Vec<String> = end.iter().map(|line| within_bytes(line, KEPT_LINE_BYTES_MAX)).collect();
    let size = |lines: &[String]| lines.iter().map(|line| line.len() + BREAK.len()).sum::<usize>();
    while size(&end) > room && !end.is_empty() {
        end.remove(0);
    }
    let mut left = room.saturating_sub(size(&end));
    let mut shown = Vec::new();
    for line in front {
        let cost = line.len() + BREAK.len();
        if cost <= left {
            left -= cost;
            shown.push(line.clone());
            continue;
        }
        if left >= CUT_LINE_BYTES_MIN {
            shown.push(within_bytes(line, left - BREAK.len()));
        }
        break;
    }
    shown.extend(end);
    shown.join(BREAK)
}

fn url(settings: &Settings, sheet: &Sheet) -> Option<String> {
    let base = settings.public_url.as_deref();
    let page = page_url(base, &sheet.path).filter(|url| url.len() <= URL_BYTES_MAX);
    page.or_else(|| page_url(base, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::channels::testing::check_body;
    use crate::channels::wecom_app::mark_possibly_repeated;

    fn settings() -> Settings {
        let public_url = Some("https://crm.example.com".to_owned());
        Settings { corp: "ww1".to_owned(), agent: 7, kind: Kind::Textcard, public_url }
    }

    fn line(label: &'static str, value: &str) -> Line {
        Line { label, value: value.to_owned() }
    }

    fn sheet(value: &str) -> Sheet {
        let lines = vec![line("昵称", value), line("", value)];
        let sections = vec![Section { heading: "会员信息", lines: lines.clone() }];
        Sheet {
            card_title: "🎉 新会员登记通知",
            title: "🎉 新会员登记通知",
            card: vec![lines, vec![line("说明", value)], vec![line("登记时间", "2026-03-02 00:05")]],
            kept: 1,
            text: sections.clone(),
            markdown: sections,
            closing: "请及时跟进",
            own: None,
            path: "/members/1".to_owned(),
            button: "查看详情",
        }
    }

    const STAMP: &str = "2026-03-02 00:05 #0A1B2C3D";

    fn body(kind: Kind, sheet: &Sheet) -> serde_json::Value {
        let receivers = Receivers { users: "a|b".to_owned(), ..Receivers::default() };
        let body = render_sheet(&settings(), kind, &receivers, STAMP, sheet);
        check_body(&body);
        assert!(speaks_to_many(&body));
        serde_json::from_str(&body).unwrap()
    }

    #[test]
    fn every_form_has_its_exact_words() {
        let sheet = sheet("小<b>王*");
        for (kind, words) in [
            (
                Kind::Textcard,
                "<div class=\"gray\">2026-03-02 00:05 #0A1B2C3D</div><div class=\"normal\">昵称：小＜b＞王* | \
                 小＜b＞王*<br>说明：小＜b＞王*<br>登记时间：2026-03-02 00:05</div>",
            ),
            (
                Kind::Text,
                "🎉 新会员登记通知\n【会员信息】\n• 昵称：小＜b＞王*\n小＜b＞王*\n请及时跟进\n\
                 <a href=\"https://crm.example.com/members/1\">查看详情</a>\n2026-03-02 00:05 #0A1B2C3D",
            ),
            (
                Kind::Markdown,
                "**🎉 新会员登记通知**\n### 会员信息\n> 昵称：小＜b＞王＊\n> 小＜b＞王＊\n请及时跟进\n\
                 [查看详情](https://crm.example.com/members/1)\n<font color=\"comment\">2026-03-02 00:05 #0A1B2C3D</font>",
            ),
        ] {
            let body = body(kind, &sheet);
            let shown = match kind {
                Kind::Textcard => &body["textcard"]["description"],
                kind => &body[kind.name()]["content"],
            };
            assert_eq!(shown, words);
            assert_eq!((&body["touser"], &body["agentid"]), (&"a|b".into(), &7.into()));
        }
    }

    #[test]
    fn receivers_stand_where_wecom_looks_for_them() {
        for (receivers, expected, many) in [
            (("zhang", "", ""), r#"{"touser":"zhang","msgtype""#, false),
            (("@all", "", ""), r#"{"touser":"@all","msgtype""#, true),
            (("", "2|3", "9"), r#"{"toparty":"2|3","totag":"9","msgtype""#, true),
            (("a", "2", ""), r#"{"touser":"a","toparty":"2","msgtype""#, true),
        ] {
            let (users, parties, tags) = receivers;
            let receivers = Receivers { users: users.into(), parties: parties.into(), tags: tags.into() };
            let body = render_sheet(&settings(), Kind::Text, &receivers, STAMP, &sheet("x"));
            assert!(body.starts_with(expected), "{body}");
            assert_eq!(speaks_to_many(&body), many, "{body}");
        }
        assert!(!speaks_to_many("{}"));
    }

    #[test]
    fn words_of_ones_own_replace_the_lines_and_members_write_no_signs_into_them() {
        let own = OwnWords {
            template: "**{{nickname}}**\n<b>{{unknown}}".to_owned(),
            values: vec![("nickname", "*王*".to_owned())],
        };
        let sheet = Sheet { own: Some(own), ..sheet("x") };
        let markdown = body(Kind::Markdown, &sheet);
        let content = markdown["markdown"]["content"].as_str().unwrap();
        assert!(content.starts_with("**🎉 新会员登记通知**\n**＊王＊**\n<b>\n["), "{content}");
        let card = body(Kind::Textcard, &sheet);
        let description = card["textcard"]["description"].as_str().unwrap();
        assert!(description.ends_with("<div class=\"normal\">***王***<br>＜b＞</div>"), "{description}");
    }

    proptest! {
        #[test]
        fn nothing_is_longer_than_wecom_takes_and_no_tag_is_cut(
            value in "[\\PC]{0,900}|[汉🧧<>*\\n]{0,900}",
            own in proptest::option::of("[汉{}<>a\\n]{0,1000}"),
        ) {
            let own = own.map(|template| OwnWords { template, values: vec![("a", value.clone())] });
            let sheet = Sheet { own, ..sheet(&value) };
            for (_, kind) in Kind::NAMES {
                let receivers = Receivers { users: "a".to_owned(), ..Receivers::default() };
                let plain = render_sheet(&settings(), kind, &receivers, STAMP, &sheet);
                for body in [plain.clone(), mark_possibly_repeated(&plain)] {
                    let read: serde_json::Value = serde_json::from_str(&body).unwrap();
                    let (shown, max) = match kind {
                        Kind::Textcard => (&read["textcard"]["description"], DESCRIPTION_BYTES_MAX),
                        other => (&read[other.name()]["content"], CONTENT_BYTES_MAX),
                    };
                    let shown = shown.as_str().unwrap();
                    prop_assert!(shown.len() <= max, "{} bytes", shown.len());
                    prop_assert!(shown.contains("#0A1B2C3D"));
                    if kind != Kind::Markdown || sheet.own.is_none() {
                        prop_assert_eq!(shown.matches('<').count(), shown.matches('>').count() - quotes(kind, shown));
                        prop_assert!(!shown.replace(BREAK, "").contains("<b"), "{}", shown);
                    }
                }
            }
        }
    }

    /// Markdown begins its quotations with `>`.
    fn quotes(kind: Kind, shown: &str) -> usize {
        if kind == Kind::Markdown { shown.lines().filter(|line| line.starts_with('>')).count() } else { 0 }
    }
}
