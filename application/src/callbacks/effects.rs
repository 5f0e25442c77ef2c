//! What follows from a callback for credits and deliveries.

use chrono::{DateTime, Utc};
use domain::contact::OpenId;
use domain::notification::{Failure, FailureClass};

use super::{Entry, Message, Unreadable, What};

/// Says that a subscribe message went out.
pub const SENT_EVENT: &str = "subscribe_msg_sent_event";
/// Says that a person changed what they agreed to.
pub const CHANGE_EVENT: &str = "subscribe_msg_change_event";
/// Says how a template message ended.
pub const TEMPLATE_EVENT: &str = "TEMPLATESENDJOBFINISH";

/// One thing that follows. Its place in the list names its command, so the order never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The person agreed to one more message.
    Grant {
        /// Who.
        openid: OpenId,
        /// To which template.
        template: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The person wants none any more.
    Revoke {
        /// Who.
        openid: OpenId,
        /// Of which template.
        template: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The provider says what became of a message.
    Report(Report),
}

/// What the provider says of a message it once took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose message.
    pub openid: OpenId,
    /// Of which template, where the event says so.
    pub template: Option<String>,
    /// The provider's id of the message.
    pub message_id: String,
    /// Which event says it.
    pub proof: &'static str,
    /// Why it did not arrive; `None`: it did.
    pub failure: Option<Failure>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What follows from a message, in its own order. Most messages change nothing.
pub fn effects(message: &Message) -> Result<Vec<Effect>, Unreadable> {
    let at = message.created_at;
    let whose = || OpenId::parse(&message.from).map_err(|_| Unreadable::Field("FromUserName"));
    match &message.what {
        // Saying no to a popup takes nothing back that was agreed to before.
        What::Answered(entries) => {
            let openid = whose()?;
            let accepted = entries.iter().filter(|entry| entry.status == "accept");
            Ok(accepted
                .map(|entry| Effect::Grant { openid: openid.clone(), template: entry.template.clone(), at })
                .collect())
        }
        // Only rejections are pushed; whoever switches it on again is asked by a popup.
        What::Changed(entries) => {
            let openid = whose()?;
            let rejected = entries.iter().filter(|entry| entry.status == "reject");
            Ok(rejected
                .map(|entry| Effect::Revoke { openid: openid.clone(), template: entry.template.clone(), at })
                .collect())
        }
        What::Sent(entries) => {
            let openid = whose()?;
            Ok(entries.iter().map(|entry| Effect::Report(sent(entry, &openid, at))).collect())
        }
        What::TemplateEnded { message_id, status } => Ok(vec![Effect::Report(Report {
            openid: whose()?,
            template: None,
            message_id: message_id.to_string(),
            proof: TEMPLATE_EVENT,
            failure: template_failure(status),
            at,
        })]),
        What::Text(_) | What::Other => Ok(vec![]),
    }
}

fn sent(entry: &Entry, openid: &OpenId, at: DateTime<Utc>) -> Report {
    // "失败仅包含因异步推送导致的系统失败": a failure is the provider's own.
    let failure = (!entry.succeeded).then(|| Failure {
        class: FailureClass::Busy,
        code: entry.code,
        detail: "the provider could not push it".to_owned(),
    });
    Report {
        openid: openid.clone(),
        template: Some(entry.template.clone()),
        message_id: entry.message_id.unwrap_or_default().to_string(),
        proof: SENT_EVENT,
        failure,
        at,
    }
}

/// `success`, `failed:user block`, `failed: system failed`, with or without the blank.
fn template_failure(status: &str) -> Option<Failure> {
    if status == "success" {
        return None;
    }
    let blocked = status.contains("user block");
    let (class, detail) = if blocked {
        (FailureClass::Recipient, "the person blocks the account")
    } else {
        (FailureClass::Busy, "the provider could not push it")
    };
    Some(Failure { class, code: None, detail: detail.to_owned() })
}
