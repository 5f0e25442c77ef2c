//! Which words people read now: those of the code, or those an administrator published.

use std::collections::BTreeMap;

use domain::Aggregate;
use domain::preferences::Language;
use domain::template::{NoticeTemplate, TemplateEvent, Wording};
use serde::{Deserialize, Serialize};

use super::Template;

/// Every template that was ever touched, folded from its events; the others read as the code has them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateBook {
    templates: BTreeMap<String, NoticeTemplate>,
}

/// A template with the words that are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Worded<'t> {
    /// What the code says of it: its kind, urgency, icon, link and variables.
    pub template: &'t Template,
    /// Number of the words; pinned by every notice.
    pub version: i64,
    /// The published words; `None`: the code's own.
    pub published: Option<&'t Wording>,
}

/// The words of a template in one language, wherever they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'t> {
    /// First line.
    pub title: &'t str,
    /// The text.
    pub content: &'t str,
    /// Words on the button.
    pub action_text: &'t str,
}

impl TemplateBook {
    /// Folds one event of any template; its key is in the event.
    pub fn evolve(&mut self, event: &TemplateEvent) {
        let key = match event {
            TemplateEvent::Drafted(e) => &e.key,
            TemplateEvent::Published(e) => &e.key,
            TemplateEvent::RolledBack(e) => &e.key,
        };
        self.templates.entry(key.clone()).or_default().evolve(event);
    }

    /// Puts the state of one template, loaded elsewhere, in its place.
    pub fn insert(&mut self, key: &str, state: NoticeTemplate) {
        self.templates.insert(key.to_owned(), state);
    }

    /// What was done to a template; `None`: nothing ever.
    pub fn state(&self, key: &str) -> Option<&NoticeTemplate> {
        self.templates.get(key)
    }

    /// The words people read of `template`, e.g. `book.template(&texts::ASSIGNED)`.
    pub fn template<'t>(&'t self, template: &'t Template) -> Worded<'t> {
        match self.state(template.key).and_then(NoticeTemplate::published) {
            Some((version, wording)) => Worded { template, version, published: Some(wording) },
            None => Worded::from(template),
        }
    }
}

impl<'t> From<&'t Template> for Worded<'t> {
    fn from(template: &'t Template) -> Self {
        Self { template, version: template.version, published: None }
    }
}

impl<'t> Worded<'t> {
    /// The words in `language`.
    pub fn words(&self, language: Language) -> Reading<'t> {
        if let Some(words) = self.published.map(|wording| wording.words(language)) {
            return Reading { title: &words.title, content: &words.content, action_text: &words.action_text };
        }
        let words = self.template.words(language);
        Reading { title: words.title, content: words.content, action_text: words.action_text }
    }
}

impl Template {
    /// The code's own words as an administrator would have written them: where a first draft begins.
    pub fn wording(&self) -> Wording {
        let owned = |language| {
            let words = self.words(language);
            domain::template::Words {
                title: words.title.to_owned(),
                content: words.content.to_owned(),
                action_text: words.action_text.to_owned(),
            }
        };
        Wording { zh_cn: owned(Language::ZhCn), en: owned(Language::En) }
    }
}
