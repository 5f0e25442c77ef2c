//! The forms of an operator: send once more, give up, decide what an unknown arrival counts as, pause a channel.

use chrono::{DateTime, Utc};
use domain::StaffId;
use domain::notification::{Channel, DeliveryState, FailureClass};
use serde_json::Value;

use super::fields::{Fields, Null};
use super::scalars::{boolean, code, date, id, line, paragraphs, whole};
use super::{FieldError, REASON_CHARS_MAX, Rule, SHORT_TEXT_CHARS_MAX};

/// Most deliveries that one request sends once more.
pub const RETRIES_MAX: i64 = 10_000;

domain::code_table! {
    /// What an unknown arrival is to count as (notifications.md section 4).
    SettleAs {
        /// It arrived.
        Sent = "sent",
        /// It did not: it is sent once more.
        Resend = "resend",
        /// The next channel of the route tells it, marked as possibly repeated.
        Switch = "switch",
        /// Nothing more is done.
        Closed = "closed",
    }
}

/// `POST /api/deliveries/:id/retry`; a body is not needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryDelivery {
    /// Why.
    pub reason: Option<String>,
}

/// `POST /api/deliveries/:id/discard`, `POST /api/deliveries/channels/:name/pause`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// Why.
    pub reason: String,
}

/// `POST /api/deliveries/:id/settle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleDelivery {
    /// As what.
    pub as_what: SettleAs,
    /// Why.
    pub reason: String,
}

/// `POST /api/deliveries/retry`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryDeliveries {
    /// Which.
    pub filter: RetryFilter,
    /// Whether only to count them.
    pub dry_run: bool,
    /// How many the sender was told there are; not needed to count them.
    pub expected: Option<i64>,
    /// Why.
    pub reason: Option<String>,
}

/// Which deliveries are sent once more; those that could not be are never among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetryFilter {
    /// Where they stand: dead, rejected or unknown.
    pub state: Option<DeliveryState>,
    /// The way.
    pub channel: Option<Channel>,
    /// Type of the notice.
    pub scene: Option<String>,
    /// Whose.
    pub recipient: Option<StaffId>,
    /// Who must act on the failure.
    pub class: Option<FailureClass>,
    /// Requested at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Requested at this instant or earlier.
    pub to: Option<DateTime<Utc>>,
}

impl RetryDelivery {
    /// Reads the body; none at all is a body without a reason.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        if body.is_null() {
            return Ok(Self::default());
        }
        let mut fields = Fields::of(body, Null::Absent)?;
        let reason = fields.optional("reason", paragraphs(REASON_CHARS_MAX));
        fields.finish(Some(Self { reason }))
    }
}

impl Because {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let reason = fields.required("reason", paragraphs(REASON_CHARS_MAX));
        fields.finish(reason.map(|reason| Self { reason }))
    }
}

impl SettleDelivery {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let as_what = fields.required("as", code(SettleAs::ALL));
        let reason = fields.required("reason", paragraphs(REASON_CHARS_MAX));
        fields.finish(as_what.zip(reason).map(|(as_what, reason)| Self { as_what, reason }))
    }
}

impl RetryDeliveries {
    /// Reads the body.
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let filter = fields.required("filter", Ok).unwrap_or(Value::Object(serde_json::Map::new()));
        let filter = fields.inside("filter", RetryFilter::parse(filter));
        let dry_run = fields.optional("dryRun", boolean).unwrap_or(false);
        let expected = fields.optional("expectedCount", whole(0..=i64::MAX));
        if !dry_run && expected.is_none() && !fields.is_violated("expectedCount") {
            fields.violated("expectedCount", Rule::Required);
        }
        let reason = fields.optional("reason", paragraphs(REASON_CHARS_MAX));
        fields.finish(filter.map(|filter| Self { filter, dry_run, expected, reason }))
    }
}

impl RetryFilter {
    fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let filter = Self {
            state: fields.optional("state", retryable),
            channel: fields.optional("channel", code(Channel::ALL)),
            scene: fields.optional("type", line(SHORT_TEXT_CHARS_MAX)),
            recipient: fields.optional("recipient", id),
            class: fields.optional("class", code(FailureClass::ALL)),
            from: fields.optional("from", date),
            to: fields.optional("to", date),
        };
        fields.finish(Some(filter))
    }
}

/// What ended without arriving.
#[expect(clippy::needless_pass_by_value, reason = "the shape of every reader of a field")]
fn retryable(value: Value) -> Result<DeliveryState, Rule> {
    const STATES: [DeliveryState; 3] = [DeliveryState::Dead, DeliveryState::Rejected, DeliveryState::Unknown];
    let allowed = || STATES.iter().map(|state| state.as_str().to_owned()).collect();
    let state = value.as_str().and_then(|text| text.parse().ok()).filter(|state| STATES.contains(state));
    state.ok_or_else(|| Rule::UnknownCode { allowed: allowed() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(errors: &[FieldError]) -> Vec<(&str, &str)> {
        errors.iter().map(|error| (error.path.as_str(), error.rule.code())).collect()
    }

    #[test]
    fn a_reason_is_needed_to_give_up_and_to_settle() {
        assert_eq!(paths(&Because::parse(json!({"reason": " "})).unwrap_err()), [("reason", "required")]);
        let errors = SettleDelivery::parse(json!({"as": "lost", "why": "x"})).unwrap_err();
        let expected = [("as", "unknown_code"), ("reason", "required"), ("why", "unknown_field")];
        assert_eq!(paths(&errors), expected);
        let form = SettleDelivery::parse(json!({"as": "switch", "reason": "催过了"})).unwrap();
        assert_eq!(form, SettleDelivery { as_what: SettleAs::Switch, reason: "催过了".to_owned() });
        assert_eq!(RetryDelivery::parse(Value::Null).unwrap(), RetryDelivery::default());
    }

    #[test]
    fn many_are_sent_once_more_only_by_who_knows_how_many() {
        let filter = json!({"state": "dead", "channel": "wecom_app"});
        let counted = RetryDeliveries::parse(json!({"filter": filter, "dryRun": true})).unwrap();
        assert_eq!((counted.dry_run, counted.expected), (true, None));
        assert_eq!(counted.filter.channel, Some(Channel::WecomApp));
        let errors = RetryDeliveries::parse(json!({"filter": filter})).unwrap_err();
        assert_eq!(paths(&errors), [("expectedCount", "required")]);
        let errors = RetryDeliveries::parse(json!({
            "filter": {"state": "accepted", "channel": "fax", "color": 1}, "expectedCount": "many"
        }))
        .unwrap_err();
        let expected = [
            ("filter.state", "unknown_code"),
            ("filter.channel", "unknown_code"),
            ("filter.color", "unknown_field"),
            ("expectedCount", "not_a_number"),
        ];
        assert_eq!(paths(&errors), expected);
        assert_eq!(
            paths(&RetryDeliveries::parse(json!({"dryRun": true})).unwrap_err()),
            [("filter", "required")]
        );
    }
}
