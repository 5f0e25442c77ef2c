//! The form of an order for a notice: what another system wants whom to be told (http-api.md section 4).
//!
//! ```json
//! { "type": "CONTRACT_SIGNED", "recipients": ["01937f00-…"],
//!   "variables": { "customerName": "王女士", "contractNumber": "HT7", "contractId": "7" } }
//! { "type": "CONTRACT_EXPIRING_SOON", "recipients": ["01937f00-…"], "title": "合同即将到期",
//!   "content": "合同 HT7 还有30天到期", "priority": "HIGH", "actionUrl": "/contracts/7", "data": { "days": 30 } }
//! ```
//!
//! A type that has a published text is told with it, in each person's language, when its variables are given; any type
//! is told in the sender's own words when a title and a content are given. Phones are masked before anything is kept:
//! notices are read on lock screens and by providers (product.md G16).

use domain::StaffId;
use domain::contact::mask_mobiles;
use domain::notice_order::{ORDER_RECIPIENTS_MAX, OrderedWords};
use domain::notification::Priority;
use serde_json::{Map, Value};

use super::fields::{Fields, Null};
use super::scalars::{breaks_a_text, code, id, line, paragraphs};
use super::{FieldError, Rule};
use crate::texts::{self, Template, kinds};

/// Most characters of a title: what providers show of one, and more.
pub const ORDER_TITLE_CHARS_MAX: usize = 64;

/// Most characters of a content. Each channel cuts what its provider does not take.
pub const ORDER_CONTENT_CHARS_MAX: usize = 1000;

/// Most characters of the words on the button.
pub const ORDER_ACTION_TEXT_CHARS_MAX: usize = 16;

/// Most characters of a path in the console.
pub const ORDER_ACTION_URL_CHARS_MAX: usize = 200;

/// Most characters of one variable and of one text of the data.
pub const ORDER_VALUE_CHARS_MAX: usize = 200;

/// Most members of the data: it travels with every copy of the notice.
pub const ORDER_DATA_MEMBERS_MAX: usize = 30;

/// Most characters of their names and texts together: the notices of an order have to fit into one append.
pub const ORDER_DATA_CHARS_MAX: usize = 4000;

/// Most characters of the name of one of them.
const DATA_NAME_CHARS_MAX: usize = 64;

/// The members that are the sender's own words.
const OWN_WORDS: [&str; 5] = ["title", "content", "priority", "actionUrl", "actionText"];

/// `POST /api/notifications`.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderNotice {
    /// The type of notice; see [`kinds`].
    pub scene: &'static str,
    /// Who is to be told, in the order given, each once; at least one.
    pub recipients: Vec<StaffId>,
    /// What they read.
    pub words: OrderedWords,
    /// What clients may compute with.
    pub data: Map<String, Value>,
}

impl OrderNotice {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        Self::read(body).map_err(|errors| errors.into_iter().map(called_as_here).collect())
    }

    fn read(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let scene = fields.required("type", kind);
        let recipients = fields.list("recipients", ORDER_RECIPIENTS_MAX, id);
        if recipients.as_ref().is_some_and(Vec::is_empty) {
            fields.violated("recipients", Rule::Required);
        }
        let words = words(&mut fields, scene);
        let given = fields.take("data").filter(|value| !value.is_null());
        let data = given.and_then(|value| fields.inside("data", data(value))).unwrap_or_default();
        let form = scene.zip(recipients).zip(words);
        fields.finish(form.map(|((scene, recipients), words)| Self { scene, recipients, words, data }))
    }
}

/// The type; what happens to leads and accounts is told by this service alone.
#[expect(
    clippy::needless_pass_by_value,
    reason = "what reads a field is given the value, as all of them are"
)]
fn kind(value: Value) -> Result<&'static str, Rule> {
    let text = value.as_str().ok_or(Rule::NotText)?.trim();
    let unknown = || Rule::UnknownCode { allowed: kinds::orderable().map(str::to_owned).collect() };
    kinds::orderable().find(|kind| *kind == text).ok_or_else(unknown)
}

fn words(fields: &mut Fields, scene: Option<&'static str>) -> Option<OrderedWords> {
    let own = OWN_WORDS.iter().any(|key| fields.has(key));
    match scene.map(texts::of_kind) {
        None if !own => {
            // Whether the type has a text is not known: neither way is called wrong.
            fields.take("variables");
            None
        }
        Some(Some(template)) if !own => {
            let given = fields.take("variables").filter(|value| !value.is_null());
            let given = given.unwrap_or_else(|| Value::Object(Map::new()));
            let variables = fields.inside("variables", variables(given, template))?;
            Some(OrderedWords::Text { variables })
        }
        _ => own_words(fields),
    }
}

fn own_words(fields: &mut Fields) -> Option<OrderedWords> {
    let title = fields.required("title", line(ORDER_TITLE_CHARS_MAX));
    let content = fields.required("content", paragraphs(ORDER_CONTENT_CHARS_MAX));
    let priority = fields.optional("priority", code(Priority::ALL)).unwrap_or(Priority::Medium);
    let action_url = fields.optional("actionUrl", console_path);
    let action_text = fields.optional("actionText", line(ORDER_ACTION_TEXT_CHARS_MAX));
    let words = title.zip(content).map(|(title, content)| OrderedWords::Own {
        title: mask_mobiles(&title),
        content: mask_mobiles(&content),
        priority,
        action_url: action_url.as_deref().map(mask_mobiles),
        action_text: action_text.as_deref().map(mask_mobiles),
    })?;
    Some(words)
}

/// Every variable of the template and no other.
fn variables(value: Value, template: &Template) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut fields = Fields::of(value, Null::Absent)?;
    let mut read = |name: &&'static str| {
        let text = match *name {
            "actionUrl" => fields.required(name, console_path),
            "content" => fields.required(name, paragraphs(ORDER_CONTENT_CHARS_MAX)),
            _ => fields.required(name, line(ORDER_VALUE_CHARS_MAX)),
        };
        Some(((*name).to_owned(), Value::from(mask_mobiles(&text?))))
    };
    let values = template.variables.iter().filter_map(&mut read).collect();
    fields.finish(Some(values))
}

/// Texts, numbers, yes and no by name; nothing inside of anything.
fn data(value: Value) -> Result<Map<String, Value>, Vec<FieldError>> {
    let Value::Object(members) = value else { return Err(vec![FieldError::new("", Rule::NotAnObject)]) };
    if members.len() > ORDER_DATA_MEMBERS_MAX {
        return Err(vec![FieldError::new("", Rule::TooMany { max: ORDER_DATA_MEMBERS_MAX })]);
    }
    let text = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    if members.iter().map(|(name, value)| name.chars().count() + text(value)).sum::<usize>()
        > ORDER_DATA_CHARS_MAX
    {
        return Err(vec![FieldError::new("", Rule::TooLong { max: ORDER_DATA_CHARS_MAX })]);
    }
    let (mut kept, mut errors) = (Map::new(), Vec::new());
    for (name, value) in members {
        let read = match value {
            _ if name.chars().count() > DATA_NAME_CHARS_MAX => {
                Err(Rule::TooLong { max: DATA_NAME_CHARS_MAX })
            }
            _ if name.contains(breaks_a_text) => Err(Rule::ControlCharacter),
            Value::Null => continue,
            Value::String(text) if text.chars().count() > ORDER_VALUE_CHARS_MAX => {
                Err(Rule::TooLong { max: ORDER_VALUE_CHARS_MAX })
            }
            Value::String(text) if text.contains(breaks_a_text) => Err(Rule::ControlCharacter),
            Value::String(text) => Ok(Value::from(mask_mobiles(&text))),
            Value::Number(number) => Ok(masked_number(number)),
            yes_or_no @ Value::Bool(_) => Ok(yes_or_no),
            Value::Array(_) | Value::Object(_) => Err(Rule::NotAScalar),
        };
        match read {
            Ok(value) => drop(kept.insert(mask_mobiles(&name), value)),
            Err(rule) => errors.push(FieldError::new(name, rule)),
        }
    }
    if errors.is_empty() { Ok(kept) } else { Err(errors) }
}

/// A phone that was written as a number becomes a masked text.
fn masked_number(number: serde_json::Number) -> Value {
    let text = number.to_string();
    let masked = mask_mobiles(&text);
    if masked == text { Value::Number(number) } else { Value::from(masked) }
}

/// A path of the console: a notice never leads to another site.
fn console_path(value: Value) -> Result<String, Rule> {
    let path = line(ORDER_ACTION_URL_CHARS_MAX)(value)?;
    let inside = path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', ' ']);
    if inside { Ok(path) } else { Err(Rule::ConsolePath) }
}

/// A violation as it is said of a notice.
fn called_as_here(error: FieldError) -> FieldError {
    let field = error.path.clone();
    error.called_as_in("notice", &field)
}
