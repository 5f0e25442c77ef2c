//! A template and its variables become a message.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::notification::Message;
use serde_json::{Map, Value};

use super::{Language, Worded};

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// Values by variable name.
pub type Variables<'v> = BTreeMap<&'static str, Cow<'v, str>>;

/// A text asks for a variable nobody gave. Such a notice is not sent half-filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the text of {kind} needs the variable {variable}")]
pub struct MissingVariable {
    /// The notification type.
    pub kind: &'static str,
    /// The variable.
    pub variable: String,
}

/// Writes the message, with the words of the code or those an administrator published. `data` is what clients may
/// compute with; it is kept as it is.
pub fn render<'t>(
    template: impl Into<Worded<'t>>,
    language: Language,
    variables: &Variables<'_>,
    data: Map<String, Value>,
) -> Result<Message, MissingVariable> {
    let worded: Worded<'t> = template.into();
    let (template, words) = (worded.template, worded.words(language));
    let fill = |text| fill(template.kind, text, variables);
    Ok(Message {
        title: fill(words.title)?,
        content: fill(words.content)?,
        icon: template.icon.to_owned(),
        color: template.color.to_owned(),
        action_url: fill(template.action_url)?,
        action_text: fill(words.action_text)?,
        data,
    })
}

/// The variable names a text asks for, in order.
pub fn placeholders(text: &str) -> Vec<&str> {
    pieces(text)
        .filter_map(|piece| match piece {
            Piece::Variable(name) => Some(name),
            Piece::Text(_) => None,
        })
        .collect()
}

/// The text with what `value` says in the place of each variable, in one pass.
pub(crate) fn filled_with(text: &str, value: impl Fn(&str) -> String) -> String {
    let piece = |piece| match piece {
        Piece::Text(text) => text.to_owned(),
        Piece::Variable(name) => value(name),
    };
    pieces(text).map(piece).collect()
}

/// Whether a text holds braces of a placeholder that is none: readers would see them.
pub(crate) fn has_loose_braces(text: &str) -> bool {
    pieces(text)
        .any(|piece| matches!(piece, Piece::Text(text) if text.contains(OPEN) || text.contains(CLOSE)))
}

/// One pass from left to right: a value that looks like a placeholder (a customer's name, say) is not filled again.
fn fill(kind: &'static str, text: &str, variables: &Variables<'_>) -> Result<String, MissingVariable> {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Variable(name) => match variables.get(name) {
                Some(value) => out.push_str(value),
                None => return Err(MissingVariable { kind, variable: name.to_owned() }),
            },
        }
    }
    Ok(out)
}

enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

fn pieces(mut rest: &str) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some(inside) = rest.strip_prefix(OPEN)
            && let Some((name, after)) = inside.split_once(CLOSE)
        {
            rest = after;
            return Some(Piece::Variable(name));
        }
        // Look behind the first byte, so that an unclosed `{{` is text and the loop moves on.
        let at = rest.char_indices().skip(1).find(|(at, _)| rest[*at..].starts_with(OPEN));
        let (text, after) = rest.split_at(at.map_or(rest.len(), |(at, _)| at));
        rest = after;
        Some(Piece::Text(text))
    })
}
