//! What people read: the registry of notification types, their texts, and how a text becomes a message.
//!
//! System A's clients filter, colour and link notices by these types and fields, so both are a contract
//! (existing-systems.md section 4.2). Two faults of A end here: a missing variable is an error and never a literal
//! `{{word}}` on somebody's screen, and a text changed in the code reaches everybody with the next version
//! (fault A-23c).
//!
//! The texts of the code are the [`CATALOGUE`]. An administrator may publish others; [`TemplateBook`] knows which words
//! people read now.

mod book;
mod catalogue;
mod check;
mod digest;
mod edit;
pub mod kinds;
mod render;
mod samples;
#[cfg(test)]
mod tests;

use domain::notification::Priority;

pub use book::{Reading, TemplateBook, Worded};
pub use catalogue::{
    ACCOUNT_SECURITY, ASSIGNED, ASSIGNED_FROM_POOL, ASSIGNED_FROM_POOL_SUMMARY, ASSIGNED_SUMMARY,
    AUTO_TRANSFER_IN, AUTO_TRANSFER_OUT, CATALOGUE, CONTRACT_SIGNED, CREATED, CREATED_SUMMARY, DIGEST,
    FOLLOW_UP_ADDED, FOLLOW_UP_DUE, FORM_SUBMISSION, FORM_SUBMISSION_ADMIN, MEMBER_ACTIVATED,
    MEMBER_REGISTERED, MEMBER_REVOKED, MEMBER_UPDATED, MEMBER_UPGRADED, PERMISSION_CHANGED, RECLAIMED,
    RECLAIMED_SUMMARY, RECYCLE_WARNING, STATUS_CHANGED, SYSTEM_ANNOUNCEMENT, TRANSFERRED, TRANSFERRED_OUT,
    TRANSFERRED_OUT_SUMMARY,
};
#[cfg(test)]
pub(crate) use check::inbox_bytes_max;
pub use check::{TextFault, TextRule, Unit, check};
pub use digest::{DIGEST_LINES_MAX, digest_list};
pub use domain::preferences::Language;
pub use edit::{Edit, TemplateRefusal, edit};
pub use render::{MissingVariable, Variables, placeholders, render};
pub(crate) use render::{filled_with, has_loose_braces};
pub use samples::samples;

/// Stands in a Chinese text where nothing is known.
pub(crate) const NOT_GIVEN: &str = "未填写";

/// The words of a template in one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// First line.
    pub title: &'static str,
    /// The text.
    pub content: &'static str,
    /// Words on the button.
    pub action_text: &'static str,
}

/// How one kind of notice looks. A type can have two: for one lead, and a summary for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// Its own name: a type can have two.
    pub key: &'static str,
    /// The notification type; see [`kinds`].
    pub kind: &'static str,
    /// Goes up when any field here changes; every notice keeps the version it was rendered with.
    pub version: i64,
    /// How urgent.
    pub priority: Priority,
    /// Ant Design name of the icon.
    pub icon: &'static str,
    /// Colour of the icon.
    pub color: &'static str,
    /// Path in the web console; may hold placeholders.
    pub action_url: &'static str,
    /// Every variable the texts and the path use.
    pub variables: &'static [&'static str],
    /// Chinese.
    pub zh_cn: Words,
    /// English.
    pub en: Words,
}

impl Template {
    /// The words in `language`.
    pub fn words(&self, language: Language) -> &Words {
        match language {
            Language::ZhCn => &self.zh_cn,
            Language::En => &self.en,
        }
    }
}

/// The template with this name.
pub fn template(key: &str) -> Option<&'static Template> {
    CATALOGUE.iter().copied().find(|template| template.key == key)
}

/// The one template of a type that is told with one.
pub fn of_kind(kind: &str) -> Option<&'static Template> {
    let mut found = CATALOGUE.iter().copied().filter(|template| template.kind == kind);
    found.next().filter(|_| found.next().is_none())
}
