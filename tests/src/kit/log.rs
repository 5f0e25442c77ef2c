//! What was recorded: events as JSON, and aggregates as their events left them.

use domain::subscription::SubscriptionLedger;
use domain::{Aggregate, CustomerId, Recorded, StreamId};
use infrastructure::event_log::{Filter, PAGE_MAX, RecordedRaw, Until};
use serde_json::Value;
use wechat_simulator::{DEMO_APPID, DEMO_TEMPLATE};

use super::{Node, Person};

/// An event with its payload as JSON.
pub type Event = Recorded<Value>;

/// The stream of a customer, by the id in its JSON.
pub fn customer(id: &str) -> StreamId {
    StreamId::from(id.parse::<CustomerId>().expect("the id of a customer"))
}

/// The names of events, in order.
pub fn types(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.event_type.as_str()).collect()
}

fn read(raw: RecordedRaw) -> Event {
    let payload = serde_json::from_str(raw.payload.get()).expect("a payload is JSON");
    raw.with(payload)
}

impl Node {
    /// Position of the last event.
    pub async fn head(&self) -> i64 {
        self.app().bus.log().head().await.expect("the log is read")
    }

    /// The events of a stream.
    pub async fn events(&self, stream: &StreamId) -> Vec<Event> {
        let events = self.app().bus.log().stream_until(stream, 0, Until::Now).await.expect("the log is read");
        events.into_iter().map(read).collect()
    }

    /// The events of a customer.
    pub async fn history(&self, lead: &str) -> Vec<Event> {
        self.events(&customer(lead)).await
    }

    /// Every event with this name after a position, in order.
    pub async fn events_named(&self, name: &str, after: i64) -> Vec<Event> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let from = events.last().map_or(after, |last| last.position);
            let page = self.app().bus.log().page(from, PAGE_MAX, Filter::Types(&[name])).await;
            let page = page.expect("the log is read");
            let full = page.len() == PAGE_MAX;
            events.extend(page.into_iter().map(read));
            if !full {
                return events;
            }
        }
    }

    /// An aggregate at a moment.
    pub async fn state<A: Aggregate>(&self, stream: &StreamId, until: Until) -> A {
        self.app().bus.load_until::<A>(stream, until).await.expect("an aggregate").state
    }

    /// Credits that are free and credits that are held.
    pub async fn credits(&self, person: &Person) -> (i64, usize) {
        let stream = StreamId::subscription(DEMO_APPID, &person.openid, DEMO_TEMPLATE);
        let ledger = self.state::<SubscriptionLedger>(&stream, Until::Now).await;
        (ledger.available, ledger.reserved.len())
    }
}
