//! The words of one kind of notice as an administrator wrote them 通知模板: drafted, published, rolled back
//! (notifications.md section 2).
//!
//! The code brings words of its own for every template; their versions end at [`BUILT_IN_VERSION_MAX`]. Published words
//! are numbered behind that. A number names the same words for ever and is never given twice, so the version that a
//! notice pins says what its reader saw, whatever was rolled back since.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::preferences::Language;
use crate::stored_events;

/// Versions up to here are the code's own words.
pub const BUILT_IN_VERSION_MAX: i64 = 1000;

/// Most published versions that can be rolled back to; older ones are forgotten by the state, not by the log.
pub const VERSIONS_MAX: usize = 100;

/// Most characters of a title with its placeholders: WeCom's `textcard` takes 128 (wechat-apis.md section 5.2).
pub const TITLE_CHARS_MAX: usize = 128;

/// Most bytes of a text with its placeholders: WeCom cuts `text` and `markdown` at 2048 (wechat-apis.md section 5.2).
pub const CONTENT_BYTES_MAX: usize = 2048;

/// Most characters on the button. WeCom shows four of them; the console has room for a few words.
pub const ACTION_TEXT_CHARS_MAX: usize = 32;

stored_events! {
    /// A fact about the words of one kind of notice.
    TemplateEvent {
        /// New words were written; nobody reads them yet.
        Drafted(TemplateDrafted) = 1,
        /// The draft became what people read.
        Published(TemplatePublished) = 1,
        /// People read earlier words again.
        RolledBack(TemplateRolledBack) = 1,
    }
}

/// Words in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Words {
    /// First line.
    pub title: String,
    /// The text.
    pub content: String,
    /// Words on the button.
    pub action_text: String,
}

/// Words in every language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wording {
    /// Chinese.
    #[serde(rename = "zh-CN")]
    pub zh_cn: Words,
    /// English.
    pub en: Words,
}

/// Words were drafted 起草模板.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateDrafted {
    /// The template.
    pub key: String,
    /// The words.
    pub wording: Wording,
    /// Who wrote them.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Words were published 发布模板.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplatePublished {
    /// The template.
    pub key: String,
    /// The number of these words.
    pub version: i64,
    /// The words, so that a reader needs no draft.
    pub wording: Wording,
    /// Who published them.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Earlier words are read again 回滚模板.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateRolledBack {
    /// The template.
    pub key: String,
    /// The words that are read now; `None`: the code's own, whatever their version is by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// Who decided.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Words with who wrote or published them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signed {
    /// The words.
    pub wording: Wording,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// A template as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoticeTemplate {
    /// What was drafted and not yet published.
    pub draft: Option<Signed>,
    /// What was published, the latest [`VERSIONS_MAX`].
    pub versions: BTreeMap<i64, Signed>,
    /// What people read; `None`: the code's own words.
    pub current: Option<i64>,
    /// The highest number ever given.
    pub last_version: i64,
}

impl NoticeTemplate {
    /// The published words that people read, and their number; `None`: the code's own.
    pub fn published(&self) -> Option<(i64, &Wording)> {
        let version = self.current?;
        Some((version, &self.versions.get(&version)?.wording))
    }
}

/// What may be asked of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum TemplateCommand {
    /// Write new words.
    Draft {
        /// The template.
        key: String,
        /// The words.
        wording: Wording,
        /// Who.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let people read the draft.
    Publish {
        /// The template.
        key: String,
        /// Who.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Let people read earlier words again.
    RollBack {
        /// The template.
        key: String,
        /// Which; `None`: the code's own.
        to: Option<i64>,
        /// Who.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Which words of a wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first line.
    Title,
    /// The text.
    Content,
    /// The button.
    ActionText,
}

impl Part {
    /// Its name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Content => "content",
            Self::ActionText => "actionText",
        }
    }
}

/// What words must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordsFault {
    /// Nothing to read.
    Blank,
    /// More characters than this.
    TooManyChars(usize),
    /// More bytes than this.
    TooManyBytes(usize),
    /// A control character other than a line break.
    ControlCharacter,
}

/// Why a template refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Words cannot be kept as they are.
    #[error("模板文案不符合规则：{}.{}", .language.as_str(), .part.as_str())]
    Words {
        /// In which language.
        language: Language,
        /// Which.
        part: Part,
        /// What is wrong.
        fault: WordsFault,
    },
    /// Nothing was drafted since the last publication.
    #[error("没有可发布的草稿")]
    NoDraft,
    /// No such version was published, or it is too old.
    #[error("没有这个模板版本")]
    NoSuchVersion,
}

impl Wording {
    /// The words in `language`.
    pub fn words(&self, language: Language) -> &Words {
        match language {
            Language::ZhCn => &self.zh_cn,
            Language::En => &self.en,
        }
    }

    /// Every place whose words cannot be kept.
    pub fn faults(&self) -> Vec<(Language, Part, WordsFault)> {
        let of = |language| self.words(language).faults().map(move |(part, fault)| (language, part, fault));
        Language::ALL.iter().copied().flat_map(of).collect()
    }
}

impl Words {
    fn faults(&self) -> impl Iterator<Item = (Part, WordsFault)> {
        [
            fault(&self.title, Size::Chars(TITLE_CHARS_MAX)).map(|fault| (Part::Title, fault)),
            fault(&self.content, Size::Bytes(CONTENT_BYTES_MAX)).map(|fault| (Part::Content, fault)),
            fault(&self.action_text, Size::Chars(ACTION_TEXT_CHARS_MAX))
                .map(|fault| (Part::ActionText, fault)),
        ]
        .into_iter()
        .flatten()
    }
}

#[derive(Clone, Copy)]
enum Size {
    Chars(usize),
    Bytes(usize),
}

fn fault(text: &str, size: Size) -> Option<WordsFault> {
    let too_large = match size {
        Size::Chars(max) => (text.chars().count() > max).then_some(WordsFault::TooManyChars(max)),
        Size::Bytes(max) => (text.len() > max).then_some(WordsFault::TooManyBytes(max)),
    };
    let is_control = |c: char| c.is_control() && c != '\n';
    if text.trim().is_empty() {
        Some(WordsFault::Blank)
    } else if text.chars().any(is_control) {
        Some(WordsFault::ControlCharacter)
    } else {
        too_large
    }
}

impl Aggregate for NoticeTemplate {
    const TYPE: &'static str = "template";
    type Command = TemplateCommand;
    type Event = TemplateEvent;
    type Error = TemplateError;

    fn decide(&self, command: TemplateCommand) -> Result<Vec<TemplateEvent>, TemplateError> {
        match command {
            TemplateCommand::Draft { key, wording, by, at } => {
                if let Some((language, part, fault)) = wording.faults().into_iter().next() {
                    return Err(TemplateError::Words { language, part, fault });
                }
                if self.draft.as_ref().is_some_and(|draft| draft.wording == wording) {
                    return Ok(vec![]);
                }
                Ok(vec![TemplateDrafted { key, wording, by, at }.into()])
            }
            TemplateCommand::Publish { key, by, at } => {
                let Some(draft) = &self.draft else { return Err(TemplateError::NoDraft) };
                let version = self.last_version.max(BUILT_IN_VERSION_MAX) + 1;
                let wording = draft.wording.clone();
                Ok(vec![TemplatePublished { key, version, wording, by, at }.into()])
            }
            TemplateCommand::RollBack { to: Some(version), .. } if !self.versions.contains_key(&version) => {
                Err(TemplateError::NoSuchVersion)
            }
            TemplateCommand::RollBack { to, .. } if self.current == to => Ok(vec![]),
            TemplateCommand::RollBack { key, to, by, at } => {
                Ok(vec![TemplateRolledBack { key, to, by, at }.into()])
            }
        }
    }

    fn evolve(&mut self, event: &TemplateEvent) {
        match event {
            TemplateEvent::Drafted(e) => {
                self.draft = Some(Signed { wording: e.wording.clone(), by: e.by.clone(), at: e.at });
            }
            TemplateEvent::Published(e) => {
                let signed = Signed { wording: e.wording.clone(), by: e.by.clone(), at: e.at };
                self.draft = None;
                self.versions.insert(e.version, signed);
                self.current = Some(e.version);
                self.last_version = self.last_version.max(e.version);
                while self.versions.len() > VERSIONS_MAX {
                    self.versions.pop_first();
                }
            }
            // What is read is never the oldest of too many: publishing makes the newest the one that is read.
            TemplateEvent::RolledBack(e) => self.current = e.to,
        }
    }
}

crate::adapt_to_cqrs_es!(NoticeTemplate);
