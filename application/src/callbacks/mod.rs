//! What WeChat and WeCom tell us by themselves: consents, rejections, proofs of arrival, questions of members
//! (wechat-apis.md section 7).
//!
//! [`read`] turns a decrypted body, XML or JSON, into a [`Message`]; [`effects()`] says what follows from it, and
//! [`members`] answers whoever asks for a member. All of it is pure: signatures, storage and the consumer are
//! elsewhere.

pub mod effects;
pub mod members;
mod message;
pub mod reply;
mod tree;

#[cfg(test)]
mod tests;

pub use effects::{Effect, effects};
pub use message::{Entry, Message, What, read};
pub use tree::{BODY_BYTES_MAX, parse, text};

/// Why a callback cannot be read. Never holds a part of it: bodies hold openids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither XML nor JSON.
    #[error("the body is neither XML nor JSON")]
    Malformed,
    /// A document type, an entity of its own, or an element inside too many others.
    #[error("the XML declares or nests what no callback needs")]
    Suspicious,
    /// Something is missing or is not what it must be.
    #[error("{0} is missing or not what it must be")]
    Field(&'static str),
}
