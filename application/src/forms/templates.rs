//! The forms of templates: words to draft, a version to go back to, what a preview shows.

use std::collections::BTreeMap;

use domain::EventId;
use domain::preferences::Language;
use domain::template::{
    ACTION_TEXT_CHARS_MAX, CONTENT_BYTES_MAX, Part, TITLE_CHARS_MAX, Wording, Words, WordsFault,
};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{code, id, line, paragraphs, whole};
use super::{FieldError, Rule};
use crate::texts::{Template, TextFault, TextRule};

/// Most characters of one value in a preview.
const VALUE_CHARS_MAX: usize = 200;

/// Highest version number that is looked at.
const VERSION_MAX: i64 = 1_000_000;

/// `PUT /api/notifications/templates/{key}`: `{"zh-CN": {title, content, actionText}, "en": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftTemplate {
    /// The words in both languages.
    pub wording: Wording,
}

/// `POST …/{key}/roll-back`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollBackTemplate {
    /// The version whose words are read again.
    pub version: i64,
}

/// Which words a preview shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PreviewVersion {
    /// The draft, or what is read now when there is none.
    #[default]
    Latest,
    /// The words with this number.
    Numbered(i64),
}

/// `POST …/{key}/preview`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewTemplate {
    /// In which language.
    pub locale: Language,
    /// Which words.
    pub version: PreviewVersion,
    /// With the data of this event, as it was when it happened.
    pub event: Option<EventId>,
    /// Values for variables instead of the samples.
    pub variables: BTreeMap<String, String>,
}

impl DraftTemplate {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let mut read = |language: Language| {
            let key = language.as_str();
            let Some(value) = fields.take(key).filter(|value| !value.is_null()) else {
                fields.violated(key, Rule::Required);
                return None;
            };
            fields.inside(key, words(value))
        };
        let (zh_cn, en) = (read(Language::ZhCn), read(Language::En));
        fields.finish(zh_cn.zip(en).map(|(zh_cn, en)| Self { wording: Wording { zh_cn, en } }))
    }
}

fn words(value: Value) -> Result<Words, Vec<FieldError>> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let title = fields.required("title", line(TITLE_CHARS_MAX));
    let content = fields.required("content", |value| {
        let text = paragraphs(CONTENT_BYTES_MAX)(value)?.replace("\r\n", "\n");
        if text.len() > CONTENT_BYTES_MAX {
            return Err(Rule::TooManyBytes { max: CONTENT_BYTES_MAX });
        }
        if text.contains(['\r', '\t']) { Err(Rule::ControlCharacter) } else { Ok(text) }
    });
    let action_text = fields.required("actionText", line(ACTION_TEXT_CHARS_MAX));
    let words = title.zip(content).zip(action_text);
    fields.finish(words.map(|((title, content), action_text)| Words { title, content, action_text }))
}

impl RollBackTemplate {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let version = fields.required("version", whole(1..=VERSION_MAX));
        fields.finish(version.map(|version| Self { version }))
    }
}

impl PreviewTemplate {
    /// Reads the body, which may be missing. Only variables of `template` can be given.
    pub fn parse(body: Value, template: &Template) -> Result<Self, Vec<FieldError>> {
        let body = if body.is_null() { Value::Object(serde_json::Map::new()) } else { body };
        let mut fields = Fields::of(body, Null::Absent)?;
        let locale = fields.optional("locale", code(Language::ALL)).unwrap_or_default();
        let version = fields.optional("version", whole(1..=VERSION_MAX)).map(PreviewVersion::Numbered);
        let event = fields.optional("eventId", id);
        let given = fields.take("variables").filter(|value| !value.is_null());
        let variables = given.and_then(|value| fields.inside("variables", values(value, template)));
        let (version, variables) = (version.unwrap_or_default(), variables.unwrap_or_default());
        fields.finish(Some(Self { locale, version, event, variables }))
    }
}

fn values(value: Value, template: &Template) -> Result<BTreeMap<String, String>, Vec<FieldError>> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let read = |name: &&str| Some(((*name).to_owned(), fields.optional(name, line(VALUE_CHARS_MAX))?));
    let values = template.variables.iter().filter_map(read).collect();
    fields.finish(Some(values))
}

/// What keeps words from publication, for the sender.
pub fn text_error(template: &Template, fault: &TextFault) -> FieldError {
    let rule = match &fault.rule {
        TextRule::Words(WordsFault::Blank) => Rule::Required,
        TextRule::Words(WordsFault::TooManyChars(max)) => Rule::TooLong { max: *max },
        TextRule::Words(WordsFault::TooManyBytes(max)) => Rule::TooManyBytes { max: *max },
        TextRule::Words(WordsFault::ControlCharacter) => Rule::ControlCharacter,
        TextRule::UnknownVariable(name) => {
            Rule::UnknownVariable { name: shortened(name), allowed: template.variables }
        }
        TextRule::LooseBraces => Rule::LooseBraces,
        TextRule::TooLongFor { channel, max, unit } => {
            Rule::TooLongFor { channel: *channel, max: *max, unit: *unit }
        }
    };
    FieldError::new(path(fault.language, fault.part), rule)
}

fn path(language: Language, part: Part) -> String {
    format!("{}.{}", language.as_str(), part.as_str())
}

/// A variable's name as it is told: whole texts can stand between two pairs of braces.
pub(super) fn shortened(name: &str) -> String {
    const ECHOED_CHARS_MAX: usize = 32;
    name.chars().take(ECHOED_CHARS_MAX).collect()
}
