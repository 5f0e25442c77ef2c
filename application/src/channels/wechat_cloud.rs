//! A cloud function of the mini program 云函数 (wechat-apis.md section 3, existing-systems.md sections 3 and 6.1): it gets system
//! A's body and tells the person by its own means. Beside A's body stands a key that is the same for every attempt,
//! so that a function which keeps what it did for a key can be asked again.

mod codes;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};

pub use codes::{CODES, INNER_CODES, Inner, Reply, inner_verdict, outcome, read, verdict};

use super::Notice;
use super::body::{rewritten, written};
use super::text::{marked, tidy_line, within_bytes};
use super::wechat_subscribe::Value;

/// What A's function is told to do.
const ASSIGNED: &str = "sendCustomerAssignNotify";
/// Who assigned, when nobody did.
const BY_THE_SYSTEM: &str = "系统分配";
/// Most bytes of a name or a reason; the function cuts to its template's fields by itself.
const WORDS_BYTES_MAX: usize = 512;

/// Settings of the channel; the secret stays in `infrastructure`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The mini program's app id.
    pub app: String,
    /// The cloud environment.
    pub env: String,
    /// The function's name.
    pub function: String,
}

/// Why settings are refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Something is missing.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// WeChat answers such a name with -501007.
    #[error("{0} is not the name of a cloud function: letters, digits, '_' and '-'")]
    Function(String),
}

impl Settings {
    /// Checks what can be checked without asking WeChat.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let parts =
            [(&self.app, "the app id"), (&self.env, "the environment"), (&self.function, "the function")];
        if let Some((_, name)) = parts.iter().find(|(text, _)| text.trim().is_empty()) {
            return Err(SettingsError::Empty(name));
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if self.function.bytes().all(allowed) {
            Ok(())
        } else {
            Err(SettingsError::Function(self.function.clone()))
        }
    }
}

/// The request; its keys are written in this order, A's first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    r#type: String,
    notification_data: NotificationData,
    idempotency_key: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationData {
    assigned_to_id: String,
    customer_name: String,
    source: String,
    assigner_name: String,
    customer_id: String,
    assign_time: String,
}

/// The exact request body, to be stored and sent as it is. Several leads are one call: how many, and the first one's
/// id.
pub fn render(notice: &Notice<'_>) -> String {
    let words = |name: &str| match notice.values.get(name)? {
        Value::Text(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Leads(count) => Some(format!("{count}个客户")),
        Value::Time(_) => None,
    };
    let assigned_at = match notice.values.get("assign_time") {
        Some(Value::Time(at)) => *at,
        _ => notice.at,
    };
    let short = |text: Option<String>, otherwise: &str| {
        within_bytes(&tidy_line(text.as_deref().unwrap_or(otherwise)), WORDS_BYTES_MAX)
    };
    written(&Body {
        r#type: ASSIGNED.to_owned(),
        notification_data: NotificationData {
            assigned_to_id: notice.recipient.to_string(),
            customer_name: short(words("customer_name"), notice.title),
            source: short(words("reason"), notice.title),
            assigner_name: short(words("assigner"), BY_THE_SYSTEM),
            customer_id: notice.customers.first().map(ToString::to_string).unwrap_or_default(),
            assign_time: assigned_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        },
        idempotency_key: notice.delivery.to_string(),
    })
}

/// The body for a person who may have had the message by another channel.
pub(super) fn mark_possibly_repeated(body: &str) -> String {
    rewritten(body, |body: &mut Body| {
        let name = &mut body.notification_data.customer_name;
        *name = within_bytes(&marked(name), WORDS_BYTES_MAX);
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Case, check_body};
    use super::*;

    #[test]
    fn the_body_is_system_as_with_a_key() {
        assert_eq!(
            render(&Case::one_lead().notice("")),
            concat!(
                r#"{"type":"sendCustomerAssignNotify","notificationData":{"#,
                r#""assignedToId":"00000000-0000-0000-0000-000000000003","customerName":"张三","#,
                r#""source":"老客户转介绍","assignerName":"王经理","#,
                r#""customerId":"00000000-0000-0000-0000-000000000005","#,
                r#""assignTime":"2026-03-01T16:05:00.000Z"},"#,
                r#""idempotencyKey":"00000000-0000-0000-0000-000000000002"}"#
            )
        );
    }

    #[test]
    fn several_leads_are_one_call() {
        let body = render(&Case::many_leads().notice(""));
        assert!(body.contains(r#""customerName":"3个客户""#), "{body}");
        assert!(body.contains(r#""customerId":"00000000-0000-0000-0000-000000000005""#), "{body}");
        assert!(body.contains(r#""assignerName":"系统分配""#), "{body}");
        assert!(body.contains(r#""source":"新客户分配""#), "{body}");
    }

    #[test]
    fn a_marked_body_says_so_and_keeps_its_key() {
        for case in [Case::one_lead(), Case::endless()] {
            let plain = render(&case.notice(""));
            let marked = mark_possibly_repeated(&plain);
            check_body(&marked);
            assert!(marked.contains(r#""customerName":"（可能重复）"#), "{marked}");
            assert!(marked.contains(r#""idempotencyKey":"00000000-0000-0000-0000-000000000002""#));
            assert_eq!(mark_possibly_repeated(&marked), marked);
        }
    }

    #[test]
    fn wrong_settings_are_refused() {
        let settings = |app: &str, env: &str, function: &str| Settings {
            app: app.to_owned(),
            env: env.to_owned(),
            function: function.to_owned(),
        };
        for (settings, refusal) in [
            (settings("wx1", "prod-1", "quickstartFunctions"), None),
            (settings("", "prod-1", "f"), Some(SettingsError::Empty("the app id"))),
            (settings("wx1", " ", "f"), Some(SettingsError::Empty("the environment"))),
            (settings("wx1", "prod-1", ""), Some(SettingsError::Empty("the function"))),
            (settings("wx1", "prod-1", "f&x=1"), Some(SettingsError::Function("f&x=1".to_owned()))),
        ] {
            assert_eq!(settings.validate().err(), refusal, "{settings:?}");
        }
    }
}
