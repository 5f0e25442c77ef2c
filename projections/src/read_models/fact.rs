//! An event of any aggregate that a read model may want, decoded.

use domain::batch::BatchEvent;
use domain::customer::CustomerEvent;
use domain::inbox::InboxEvent;
use domain::notification::NotificationEvent;
use domain::staff::StaffEvent;
use domain::subscription::SubscriptionEvent;
use domain::{Aggregate, Recorded, batch, customer, inbox, notification, staff, subscription};
use infrastructure::event_log::RecordedRaw;
use infrastructure::upcasters::Upcasters;

use crate::consumer::HandleError;

/// A decoded event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Customer(Box<Recorded<CustomerEvent>>),
    Staff(Box<Recorded<StaffEvent>>),
    Notification(Box<Recorded<NotificationEvent>>),
    Inbox(Box<Recorded<InboxEvent>>),
    Batch(Box<Recorded<BatchEvent>>),
    Subscription(Box<Recorded<SubscriptionEvent>>),
}

/// Decodes a page. An event that this program cannot read stops the consumer: skipping it would lose a fact.
pub(crate) fn decode_page(upcasters: &Upcasters, page: &[RecordedRaw]) -> Result<Vec<Fact>, HandleError> {
    page.iter().map(|event| decode(upcasters, event)).collect()
}

fn decode(upcasters: &Upcasters, event: &RecordedRaw) -> Result<Fact, HandleError> {
    let poison = |reason: String| HandleError::Poison { position: event.position, reason };
    macro_rules! read {
        ($variant:ident) => {
            upcasters
                .decode(event.clone())
                .map(|decoded| Fact::$variant(Box::new(decoded)))
                .map_err(|error| poison(error.to_string()))
        };
    }
    match event.stream.kind() {
        kind if kind == <customer::Customer as Aggregate>::TYPE => read!(Customer),
        kind if kind == <staff::Staff as Aggregate>::TYPE => read!(Staff),
        kind if kind == <notification::Notification as Aggregate>::TYPE => read!(Notification),
        kind if kind == <inbox::Inbox as Aggregate>::TYPE => read!(Inbox),
        kind if kind == <batch::Batch as Aggregate>::TYPE => read!(Batch),
        kind if kind == <subscription::SubscriptionLedger as Aggregate>::TYPE => read!(Subscription),
        kind => Err(poison(format!("no read model knows streams of the type {kind}"))),
    }
}
