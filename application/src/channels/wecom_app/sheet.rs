//! A message of many labelled lines to people of a corporation, in each of its forms (existing-systems.md section 7.7).
//!
//! What other people typed stands in it, so every value is made harmless for its form; and whatever must be cut is cut
//! between characters and never inside a tag.

use super::super::text::{framed, page_url, tidy_line, within_bytes, without_markdown, without_tags};
use super::{
    BUTTON, BUTTON_CHARS_MAX, Body, CONTENT_BYTES_MAX, Card, Content, DESCRIPTION_BYTES_MAX,
    DUPLICATE_CHECK_SECONDS, Kind, Receivers, Settings, TITLE_BYTES_MAX, URL_BYTES_MAX,
};
use crate::channels::body::written;
use crate::texts::filled_with;

/// Most bytes of a card's line that stays when others are left out.
const KEPT_LINE_BYTES_MAX: usize = 150;

/// Below this a cut line says nothing.
const CUT_LINE_BYTES_MIN: usize = 24;

/// Begins a new line of a card.
const BREAK: &str = "<br>";

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
    let mut body = Body {
        touser: String::new(),
        toparty: None,
        totag: None,
        msgtype: kind.name().to_owned(),
        agentid: settings.agent,
        text: None,
        textcard: None,
        markdown: None,
        enable_duplicate_check: 1,
        duplicate_check_interval: DUPLICATE_CHECK_SECONDS,
    };
    receivers.address(&mut body);
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
mod tests;
