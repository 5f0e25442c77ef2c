//! What a notice says outside: the request to a provider, rendered once and stored, so that every attempt sends the
//! same bytes. A channel that stands by or waits for a time has its request ready too: what follows later needs no
//! policy any more.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::DeliveryId;
use domain::notification::{Channel, Decision};
use serde_json::Value as Json;

use super::{PolicyEvent, ReactError, Reaction, View, members};
use crate::channels::wechat_subscribe::Value;
use crate::channels::{self, Rendered};

/// A message that waits to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The channel.
    pub channel: Channel,
    /// The provider's app.
    pub app: String,
    /// Who the recipient is to that app.
    pub receiver: String,
    /// The provider's template whose credits it costs; `None` when it costs none.
    pub template: Option<String>,
    /// The request body, byte for byte.
    pub body: String,
    /// What it waits for; `None`: it leaves at once.
    pub held: Option<Wait>,
    /// Whether another channel stands by behind it.
    pub fallback: bool,
}

/// What a message waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wait {
    /// The channel before it in the route, which may tell the person.
    Standby,
    /// A moment.
    Until {
        /// Why, e.g. `quiet_hours`.
        reason: String,
        /// When it may leave.
        until: DateTime<Utc>,
    },
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The receiver and the body name a person.
        f.debug_struct("Outgoing").field("delivery", &self.delivery).finish_non_exhaustive()
    }
}

impl Reaction {
    /// The messages that must be sent for it to arrive. The inbox needs none: the request itself is the delivery.
    pub fn outgoing(&self, cause: &PolicyEvent, view: &View<'_>) -> Result<Vec<Outgoing>, ReactError> {
        if self.notice.is_none() {
            return Ok(Vec::new());
        }
        let values = self.values(cause);
        let send = |(channel, decision): &(Channel, Decision)| {
            let held = match decision {
                _ if *channel == Channel::InApp => return None,
                Decision::Deliver => None,
                Decision::Hold { until, reason } => {
                    Some(Wait::Until { reason: reason.clone(), until: *until })
                }
                Decision::Standby { .. } => Some(Wait::Standby),
                Decision::Merge { .. } | Decision::Suppress { .. } => return None,
            };
            let rendered = match members::addressed(self, cause, view) {
                Some(to) => members::request(self, cause, view, to),
                None => self.rendered(cause, view, *channel, values.as_ref()?),
            };
            let Some(Rendered { app, receiver, template, body }) = rendered else {
                return Some(Err(ReactError::NoBody(*channel)));
            };
            let (delivery, fallback) = (self.delivery(cause, *channel), self.has_standby(*channel));
            let channel = *channel;
            Some(Ok(Outgoing { delivery, channel, app, receiver, template, body, held, fallback }))
        };
        self.decisions.iter().filter_map(send).collect()
    }

    fn delivery(&self, cause: &PolicyEvent, channel: Channel) -> DeliveryId {
        DeliveryId::of(self.notification(cause.id), channel.as_str())
    }

    fn has_standby(&self, channel: Channel) -> bool {
        self.decisions.iter().any(|(_, decision)| *decision == Decision::Standby { after: channel })
    }

    fn rendered(
        &self,
        cause: &PolicyEvent,
        view: &View<'_>,
        channel: Channel,
        values: &BTreeMap<&'static str, Value>,
    ) -> Option<Rendered> {
        let message = &self.notice.as_ref()?.message;
        let notice = channels::Notice {
            notification: self.notification(cause.id),
            delivery: self.delivery(cause, channel),
            scene: self.scene,
            title: &message.title,
            content: &message.content,
            action_text: &message.action_text,
            action_url: &message.action_url,
            at: cause.at,
            recipient: self.recipient,
            receiver: view.channels.receiver(channel, view.staff.get(self.recipient)?)?,
            customers: &self.customers,
            values,
        };
        channels::render(view.channels, channel, &notice)
    }

    /// What the fields of a template may show (`wechat_subscribe::VALUE_NAMES`).
    fn values(&self, cause: &PolicyEvent) -> Option<BTreeMap<&'static str, Value>> {
        let message = &self.notice.as_ref()?.message;
        let fact = |name: &str| message.data.get(name).and_then(Json::as_str);
        let count = self.customers.len();
        let name = fact("customerName").map_or(Value::Leads(count), Value::from);
        let mut values = BTreeMap::from([
            ("title", Value::from(message.title.as_str())),
            ("content", Value::from(message.content.as_str())),
            ("customer_name", name),
            ("count", Value::Number(i64::try_from(count).unwrap_or(i64::MAX))),
            ("assign_time", Value::Time(cause.at)),
        ]);
        let facts = [
            ("customer_number", fact("customerNumber")),
            ("phone_masked", fact("customerPhone")),
            // For a batch there is no one source of a lead: what stands in its place is why it was given.
            ("source", fact("leadSource").or(fact("source"))),
            ("assigner", fact("assignerName")),
            ("owner", fact("newOwner")),
            ("former_owner", fact("oldOwner")),
            ("reason", fact("source")),
        ];
        values.extend(facts.into_iter().filter_map(|(name, fact)| Some((name, Value::from(fact?)))));
        if fact("customerName").is_none() {
            values.insert("phone_masked", Value::Leads(count)); // a summary has no one number to show
        }
        Some(values)
    }
}
