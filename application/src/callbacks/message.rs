//! What a callback says, whichever of its shapes it came in (wechat-apis.md section 7.2).

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Unreadable, tree};

/// Most entries of one event; a popup shows three templates.
const ENTRIES_MAX: usize = 100;

/// Longest template id, in bytes; real ones have 43.
const TEMPLATE_BYTES_MAX: usize = 128;

/// The containers in which the entries of an event may stand. Each event has its own, and one page of the provider
/// prints another one's, so every event may use any.
const CONTAINERS: [&str; 3] = ["SubscribeMsgPopupEvent", "SubscribeMsgChangeEvent", "SubscribeMsgSentEvent"];

/// A callback.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Who is told: the account's own id, or the corpid.
    pub to: String,
    /// Whom it is about: an openid or a userid.
    pub from: String,
    /// When the provider made it, in whole seconds.
    pub created_at: DateTime<Utc>,
    /// What happened.
    pub what: What,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq)]
pub enum What {
    /// Somebody answered a popup: `subscribe_msg_popup_event`.
    Answered(Vec<Entry>),
    /// Somebody changed a setting: `subscribe_msg_change_event`.
    Changed(Vec<Entry>),
    /// Messages went out or did not: `subscribe_msg_sent_event`.
    Sent(Vec<Entry>),
    /// A template message ended: `TEMPLATESENDJOBFINISH`.
    TemplateEnded {
        /// The provider's id of the message.
        message_id: u64,
        /// `success`, or why not.
        status: String,
    },
    /// Somebody wrote a text.
    Text(String),
    /// Something that nothing follows from.
    Other,
}

/// One entry of an event about templates.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The template.
    pub template: String,
    /// What the person chose, `accept` or `reject`; empty in a sent event.
    pub status: String,
    /// The provider's id of the message, in a sent event.
    pub message_id: Option<u64>,
    /// Whether it went out, in a sent event.
    pub succeeded: bool,
    /// The provider's code, in a sent event.
    pub code: Option<i64>,
}

/// Reads a decrypted body.
pub fn read(body: &str) -> Result<Message, Unreadable> {
    let tree = tree::parse(body)?;
    let needed = |name: &'static str| {
        tree::text(&tree, name).filter(|text| !text.is_empty()).ok_or(Unreadable::Field(name))
    };
    let created = needed("CreateTime")?.parse().ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let what = match (needed("MsgType")?.as_str(), tree::text(&tree, "Event")) {
        ("event", Some(event)) => event_of(&tree, &event)?,
        ("event", None) => return Err(Unreadable::Field("Event")),
        ("text", _) => What::Text(tree::text(&tree, "Content").ok_or(Unreadable::Field("Content"))?),
        _ => What::Other,
    };
    Ok(Message {
        to: needed("ToUserName")?,
        from: needed("FromUserName")?,
        created_at: created.ok_or(Unreadable::Field("CreateTime"))?,
        what,
    })
}

fn event_of(tree: &Value, event: &str) -> Result<What, Unreadable> {
    Ok(match event {
        "subscribe_msg_popup_event" => What::Answered(chosen(tree)?),
        "subscribe_msg_change_event" => What::Changed(chosen(tree)?),
        "subscribe_msg_sent_event" => What::Sent(entries(tree, sent)?),
        "TEMPLATESENDJOBFINISH" => What::TemplateEnded {
            // Older pages write `MsgId`.
            message_id: number(tree, "MsgID")
                .or_else(|| number(tree, "MsgId"))
                .ok_or(Unreadable::Field("MsgID"))?,
            status: tree::text(tree, "Status").ok_or(Unreadable::Field("Status"))?,
        },
        _ => What::Other,
    })
}

fn chosen(tree: &Value) -> Result<Vec<Entry>, Unreadable> {
    entries(tree, |entry| {
        let status = tree::text(entry, "SubscribeStatusString");
        let status = status.ok_or(Unreadable::Field("SubscribeStatusString"))?;
        if !matches!(status.as_str(), "accept" | "reject") {
            return Err(Unreadable::Field("SubscribeStatusString"));
        }
        Ok(Entry { template: template(entry)?, status, message_id: None, succeeded: false, code: None })
    })
}

fn sent(entry: &Value) -> Result<Entry, Unreadable> {
    let message_id = number(entry, "MsgID").ok_or(Unreadable::Field("MsgID"))?;
    let code = tree::text(entry, "ErrorCode").and_then(|code| code.parse::<i64>().ok());
    let status = tree::text(entry, "ErrorStatus").unwrap_or_default();
    let succeeded = code.map_or(status == "success", |code| code == 0);
    if code.is_none() && status.is_empty() {
        return Err(Unreadable::Field("ErrorCode"));
    }
    let template = template(entry)?;
    Ok(Entry { template, status: String::new(), message_id: Some(message_id), succeeded, code })
}

fn template(entry: &Value) -> Result<String, Unreadable> {
    let is_id = |id: &String| {
        (1..=TEMPLATE_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    };
    tree::text(entry, "TemplateId").filter(is_id).ok_or(Unreadable::Field("TemplateId"))
}

/// A number beyond what a float can hold, as number or text.
fn number(tree: &Value, name: &str) -> Option<u64> {
    tree::text(tree, name)?.parse().ok()
}

/// The entries: a `List` on top, a `List` in a container, or the container itself; one object, or an array.
fn entries(
    tree: &Value,
    read: impl Fn(&Value) -> Result<Entry, Unreadable>,
) -> Result<Vec<Entry>, Unreadable> {
    let container = CONTAINERS.iter().find_map(|name| tree.get(name));
    let list = tree.get("List").or_else(|| container.map(|inside| inside.get("List").unwrap_or(inside)));
    let entries = match list {
        Some(Value::Array(entries)) => entries.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Err(Unreadable::Field("List")),
    };
    if entries.is_empty() || entries.len() > ENTRIES_MAX {
        return Err(Unreadable::Field("List"));
    }
    entries.iter().map(read).collect()
}
