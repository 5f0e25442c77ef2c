//! What a notice says on the phone: the request to WeChat, rendered once and stored, so that every attempt sends the
//! same bytes.

use std::collections::BTreeMap;

use domain::DeliveryId;
use domain::contact::OpenId;
use domain::notification::{Channel, Decision};
use serde_json::Value as Json;

use super::{PolicyEvent, Reaction, View};
use crate::channels::wechat_subscribe::{self, Input, Settings, Value};

/// A message that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The channel.
    pub channel: Channel,
    /// The provider's app.
    pub app: String,
    /// Who the recipient is to that app.
    pub openid: OpenId,
    /// The provider's template, whose credits are counted apart.
    pub template: String,
    /// The request body, byte for byte.
    pub body: String,
}

impl Reaction {
    /// The messages that must be sent for it to arrive. The inbox needs none: the request itself is the delivery.
    pub fn outgoing(&self, cause: &PolicyEvent, view: &View<'_>) -> Vec<Outgoing> {
        let sent = |(channel, decision): &(Channel, Decision)| match (channel, decision) {
            (Channel::WechatSubscribe, Decision::Deliver) => self.wechat(cause, view),
            _ => None,
        };
        self.decisions.iter().filter_map(sent).collect()
    }

    fn wechat(&self, cause: &PolicyEvent, view: &View<'_>) -> Option<Outgoing> {
        let settings: &Settings = view.channels.wechat_subscribe.as_ref()?;
        let openid = view.staff.get(self.recipient)?.openids.get(&settings.app)?;
        let values = self.values(cause)?;
        let customer_id = match self.customers.as_slice() {
            [only] => only.to_string(),
            _ => String::new(),
        };
        let input = Input { openid, customer_id: &customer_id, at: cause.at, values: &values };
        Some(Outgoing {
            delivery: DeliveryId::of(self.notification(cause.id), Channel::WechatSubscribe.as_str()),
            channel: Channel::WechatSubscribe,
            app: settings.app.clone(),
            openid: openid.clone(),
            template: settings.template.clone(),
            body: wechat_subscribe::render(settings, &input),
        })
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
