//! What a message says, by its `msgtype`: the rules of app messages and of robot messages differ
//! (wechat-apis.md §5.2, §6).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    channel::Channel,
    errcode::Refusal,
    ledger::{ClientSaw, Received},
    subscribe::text,
    switches::Switches,
};

const TEXT_MAX_BYTES: usize = 2048;
const APP_MARKDOWN_MAX_BYTES: usize = 2048;
const ROBOT_MARKDOWN_MAX_BYTES: usize = 4096;
const URL_MAX_BYTES: usize = 2048;
const TITLE_MAX: usize = 128;
const DESCRIPTION_MAX: usize = 512;
const BUTTON_MAX_CHARS: usize = 4;
const ARTICLES_MAX: usize = 8;
const NOTICE_ITEMS_MAX: usize = 10;
const NOTICE_KEY_MAX_CHARS: usize = 10;
const NOTICE_VALUE_MAX_CHARS: usize = 30;
const NOTICE_TITLE_CHARS: std::ops::RangeInclusive<usize> = 4..=12;
const TASK_ID_MAX_BYTES: usize = 128;
/// The one-line summary ends here.
const SUMMARY_MAX_CHARS: usize = 60;

const BAD_PARAMETER: Refusal = Refusal::Plain(40058);

/// What a member sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    msgtype: String,
    data: BTreeMap<String, String>,
    url: Option<String>,
    /// Of a template card that can be answered.
    pub(super) task_id: Option<String>,
}

/// How the limits of a card count; the official pages disagree with the SDKs.
#[derive(Clone, Copy)]
enum Unit {
    Characters,
    Bytes,
}

impl Unit {
    /// The beginning of a text that fits, as WeCom cuts it.
    fn cut(self, text: &str, max: usize) -> String {
        match self {
            Self::Characters => text.chars().take(max).collect(),
            Self::Bytes => text[..text.floor_char_boundary(max)].to_owned(),
        }
    }
}

/// A text that is there and not empty.
fn required<'a>(object: &'a Value, key: &str, errcode: i64) -> Result<&'a str, Refusal> {
    text(object, key).filter(|text| !text.is_empty()).ok_or(Refusal::Plain(errcode))
}

fn link(object: &Value) -> Result<String, Refusal> {
    let url = required(object, "url", 41010)?;
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    if is_web && url.len() <= URL_MAX_BYTES { Ok(url.to_owned()) } else { Err(BAD_PARAMETER) }
}

impl Content {
    /// Of an app message.
    pub(super) fn of_app(body: &Value, switches: &Switches) -> Result<Self, Refusal> {
        let unit = if switches.wecom_card_counts_bytes { Unit::Bytes } else { Unit::Characters };
        let msgtype = text(body, "msgtype").unwrap_or_default();
        let mut content = Self { msgtype: msgtype.to_owned(), ..Self::default() };
        let object = &body[msgtype];
        match msgtype {
            "text" => {
                let words = required(object, "content", 44004)?;
                content.say("content", Unit::Bytes.cut(words, TEXT_MAX_BYTES));
            }
            "markdown" => {
                let markdown = required(object, "content", 44004)?;
                if markdown.len() > APP_MARKDOWN_MAX_BYTES {
                    return Err(Refusal::Plain(45002));
                }
                content.say("content", markdown.to_owned());
            }
            "textcard" => content.textcard(object, unit)?,
            "news" => content.news(object)?,
            "miniprogram_notice" => content.notice(object)?,
            "template_card" => content.template_card(object)?,
            "image" | "voice" | "video" | "file" => {
                content.say("media_id", required(object, "media_id", 40007)?.to_owned());
            }
            _ => return Err(Refusal::Plain(40008)),
        }
        Ok(content)
    }

    /// Of a robot message: what is too long is refused, not cut.
    pub(super) fn of_robot(body: &Value) -> Result<Self, Refusal> {
        let msgtype = text(body, "msgtype").unwrap_or_default();
        let mut content = Self { msgtype: msgtype.to_owned(), ..Self::default() };
        let object = &body[msgtype];
        match msgtype {
            "text" | "markdown" | "markdown_v2" => {
                let max = if msgtype == "text" { TEXT_MAX_BYTES } else { ROBOT_MARKDOWN_MAX_BYTES };
                let words = required(object, "content", 44004)?;
                if words.len() > max {
                    let text = format!(
                        "{msgtype}.content exceed max length {max}. Invalid input invalid Request Parameter"
                    );
                    return Err(Refusal::Said { errcode: 40058, text });
                }
                content.say("content", words.to_owned());
                for key in ["mentioned_list", "mentioned_mobile_list"] {
                    content.mentions(object, key)?;
                }
            }
            "image" => {
                required(object, "md5", 40058)?;
                content
                    .say("image", format!("{} base64 characters", required(object, "base64", 40058)?.len()));
            }
            "news" => content.news(object)?,
            "file" | "voice" => content.say("media_id", required(object, "media_id", 40007)?.to_owned()),
            "template_card" => content.template_card(object)?,
            _ => return Err(Refusal::Plain(40008)),
        }
        Ok(content)
    }

    fn say(&mut self, key: &str, words: String) {
        self.data.insert(key.to_owned(), words);
    }

    fn mentions(&mut self, object: &Value, key: &str) -> Result<(), Refusal> {
        let Some(list) = object.get(key) else { return Ok(()) };
        let names: Option<Vec<&str>> =
            list.as_array().and_then(|list| list.iter().map(Value::as_str).collect());
        let names = names.ok_or(BAD_PARAMETER)?;
        if !names.is_empty() {
            self.say(key, names.join("|"));
        }
        Ok(())
    }

    fn textcard(&mut self, card: &Value, unit: Unit) -> Result<(), Refusal> {
        self.say("title", unit.cut(required(card, "title", 41016)?, TITLE_MAX));
        self.say("description", unit.cut(required(card, "description", 41033)?, DESCRIPTION_MAX));
        self.url = Some(link(card)?);
        let button = text(card, "btntxt").filter(|words| !words.is_empty()).unwrap_or("详情");
        self.say("btntxt", Unit::Characters.cut(button, BUTTON_MAX_CHARS));
        Ok(())
    }

    fn news(&mut self, news: &Value) -> Result<(), Refusal> {
        let articles = news["articles"].as_array().filter(|list| (1..=ARTICLES_MAX).contains(&list.len()));
        for (place, article) in articles.ok_or(BAD_PARAMETER)?.iter().enumerate() {
            let title = Unit::Bytes.cut(required(article, "title", 41016)?, TITLE_MAX);
            self.say(&format!("article{}.title", place + 1), title);
            let description =
                Unit::Bytes.cut(text(article, "description").unwrap_or_default(), DESCRIPTION_MAX);
            self.say(&format!("article{}.description", place + 1), description);
            if text(article, "appid").is_none() {
                let url = link(article)?;
                self.url.get_or_insert(url);
            }
        }
        Ok(())
    }

    fn notice(&mut self, notice: &Value) -> Result<(), Refusal> {
        required(notice, "appid", 90200)?;
        let title = required(notice, "title", 41016)?;
        let description = text(notice, "description").unwrap_or_default();
        for words in [title, description] {
            if !words.is_empty() && !NOTICE_TITLE_CHARS.contains(&words.chars().count()) {
                return Err(BAD_PARAMETER);
            }
        }
        self.say("title", title.to_owned());
        self.say("description", description.to_owned());
        self.url = text(notice, "page").map(str::to_owned);
        let items = notice["content_item"].as_array().map_or(&[][..], Vec::as_slice);
        if items.len() > NOTICE_ITEMS_MAX {
            return Err(Refusal::Plain(90201));
        }
        for item in items {
            let (key, value) = (required(item, "key", 90202)?, required(item, "value", 90203)?);
            if key.chars().count() > NOTICE_KEY_MAX_CHARS {
                return Err(Refusal::Plain(90202));
            }
            if value.chars().count() > NOTICE_VALUE_MAX_CHARS {
                return Err(Refusal::Plain(90203));
            }
            self.say(key, value.to_owned());
        }
        Ok(())
    }

    fn template_card(&mut self, card: &Value) -> Result<(), Refusal> {
        let kind = required(card, "card_type", 40058)?;
        let answered = matches!(kind, "button_interaction" | "vote_interaction" | "multiple_interaction");
        if !answered && !matches!(kind, "text_notice" | "news_notice") {
            return Err(BAD_PARAMETER);
        }
        let title = card
            .pointer("/main_title/title")
            .and_then(Value::as_str)
            .or_else(|| text(card, "sub_title_text"));
        self.say("title", title.filter(|title| !title.is_empty()).ok_or(BAD_PARAMETER)?.to_owned());
        if !answered && !card["card_action"].is_object() {
            return Err(BAD_PARAMETER);
        }
        self.url = card.pointer("/card_action/url").and_then(Value::as_str).map(str::to_owned);
        self.task_id = text(card, "task_id").map(str::to_owned);
        match &self.task_id {
            None if answered => Err(BAD_PARAMETER),
            Some(task_id) if !is_task_id(task_id) => Err(BAD_PARAMETER),
            _ => Ok(()),
        }
    }

    /// A ledger entry with these words; who and by what is the caller's to fill in.
    pub(super) fn received(&self, now: DateTime<Utc>) -> Received {
        Received {
            seq: 0,
            time: now,
            channel: Channel::WecomApp,
            appid: String::new(),
            openid: String::new(),
            template_id: self.msgtype.clone(),
            data: self.data.clone(),
            page: self.url.clone(),
            miniprogram_state: None,
            lang: None,
            msgid: 0,
            message_id: String::new(),
            summary: summary(["title", "content"].iter().filter_map(|key| self.data.get(*key))),
            recalled_at: None,
            client_saw: ClientSaw::Accepted,
        }
    }
}

/// A message in one line.
pub(crate) fn summary<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let texts: Vec<&str> = texts.map(String::as_str).collect();
    let line: Vec<&str> = texts.iter().flat_map(|text| text.split_whitespace()).collect();
    line.join(" ").chars().take(SUMMARY_MAX_CHARS).collect()
}

fn is_task_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-@".contains(&byte);
    (1..=TASK_ID_MAX_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
