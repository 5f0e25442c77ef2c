//! XML and JSON as one tree, so that everything behind it reads one shape.
//!
//! An element with elements in it is an object, elements of one name are an array, everything else is its text. There
//! is no document type, no entity but the five that XML knows by itself, and no depth worth an attack.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use super::Unreadable;

/// Largest body of a callback, in bytes; the longest message WeCom passes on has 2048 of text.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// Deepest element; callbacks have four levels.
const DEPTH_MAX: usize = 8;

/// Reads a body by its first character.
pub fn parse(body: &str) -> Result<Value, Unreadable> {
    let body = body.trim_start_matches('\u{feff}').trim();
    match body.as_bytes().first() {
        Some(b'<') => xml(body),
        Some(b'{') => serde_json::from_str(body).map_err(|_| Unreadable::Malformed),
        _ => Err(Unreadable::Malformed),
    }
}

/// A member that is text or a whole number, as text.
pub fn text(tree: &Value, name: &str) -> Option<String> {
    match tree.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

/// An element that is not closed yet.
struct Open {
    name: String,
    children: Map<String, Value>,
    text: String,
}

impl Open {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), children: Map::new(), text: String::new() }
    }

    fn add(&mut self, name: String, value: Value) {
        match self.children.get_mut(&name) {
            None => {
                self.children.insert(name, value);
            }
            Some(Value::Array(all)) => all.push(value),
            Some(first) => {
                let first_value = first.take();
                *first = Value::Array(vec![first_value, value]);
            }
        }
    }

    fn close(self) -> (String, Value) {
        let value =
            if self.children.is_empty() { Value::String(self.text) } else { Value::Object(self.children) };
        (self.name, value)
    }
}

fn xml(body: &str) -> Result<Value, Unreadable> {
    let mut reader = Reader::from_str(body);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|_| Unreadable::Malformed)? {
            Event::Start(_) if open.len() >= DEPTH_MAX => return Err(Unreadable::Suspicious),
            Event::Start(_) if open.is_empty() && root.is_some() => return Err(Unreadable::Malformed),
            Event::Start(start) => open.push(Open::new(start.name().as_ref())),
            Event::End(_) => {
                let (name, value) = open.pop().ok_or(Unreadable::Malformed)?.close();
                match open.last_mut() {
                    Some(parent) => parent.add(name, value),
                    None => root = Some(value),
                }
            }
            Event::Text(text) => write(&mut open, &text)?,
            Event::CData(text) => write(&mut open, &text)?,
            Event::GeneralRef(name) => {
                let by_number = name.resolve_char_ref().map_err(|_| Unreadable::Malformed)?;
                let character = by_number.or_else(|| predefined(&name)).ok_or(Unreadable::Suspicious)?;
                write(&mut open, character.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) | Event::PI(_) => return Err(Unreadable::Suspicious),
            Event::Decl(_) | Event::Comment(_) | Event::Empty(_) => {}
            Event::Eof => break,
        }
    }
    root.filter(|_| open.is_empty()).ok_or(Unreadable::Malformed)
}

fn write(open: &mut [Open], text: &str) -> Result<(), Unreadable> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(Unreadable::Malformed),
    }
    Ok(())
}

/// The entities that XML knows by itself.
fn predefined(name: &str) -> Option<char> {
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\'')]
        .into_iter()
        .find_map(|(known, character)| (known == name).then_some(character))
}
