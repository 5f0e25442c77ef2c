//! `refresh` on its way to one client: changes of lists gathered, and told at most once a second.

use std::sync::Arc;
use std::time::Duration;

use application::access::Caller;
use chrono::{DateTime, Utc};
use domain::CustomerId;
use serde::Serialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Instant, sleep_until};

use super::lists::{Change, Changed};
use crate::http::time::Millis;

/// How often one client is told of one list: it reads the list again each time.
const EVERY_MS: u64 = 1000;

/// What a client may read again: the customer list, and the public pool.
const LISTS: [List; 2] = [
    List { event: "customerList", shows: Change::lists_for },
    List { event: "publicPool", shows: Change::pools_for },
];

struct List {
    /// System A's `eventType`.
    event: &'static str,
    /// Whether somebody sees a change on it.
    shows: fn(&Change, &Caller) -> bool,
}

/// System A's `refresh` (existing-systems.md section 4.5).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Refresh {
    /// Which list.
    event_type: &'static str,
    /// What happened on it last.
    data: Happened,
    /// When it was told.
    timestamp: Millis,
}

/// The last of the changes that one `refresh` stands for.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Happened {
    /// The customer; `null` when many changed at once.
    customer_id: Option<CustomerId>,
    /// What was done, in a word.
    action: &'static str,
    /// How many changes it stands for; 0 when they were not counted.
    count: u32,
}

/// What one client has yet to be told of its lists.
pub(super) struct Refreshes {
    changes: Receiver<Arc<Changed>>,
    due: [Option<Happened>; LISTS.len()],
    /// Not before.
    from: Instant,
}

impl Refreshes {
    /// Nothing to tell yet.
    pub(super) fn new(changes: Receiver<Arc<Changed>>) -> Self {
        Self { changes, due: Default::default(), from: Instant::now() }
    }

    /// Waits until there is something to tell, and may be told. Nothing is lost when this is dropped half-way.
    pub(super) async fn due(&mut self, caller: &Caller) {
        loop {
            let waits = self.due.iter().any(Option::is_some);
            tokio::select! {
                biased; // what is already known goes into one message
                changed = self.changes.recv() => match changed {
                    Ok(changed) => self.gather(&changed, caller),
                    Err(RecvError::Lagged(_)) => self.gather(&Changed::Everything, caller),
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                () = sleep_until(self.from), if waits => return,
            }
        }
    }

    /// Takes what is to be told now.
    pub(super) fn take(&mut self, now: DateTime<Utc>) -> Vec<Refresh> {
        self.from = Instant::now() + Duration::from_millis(EVERY_MS);
        let due = self.due.iter_mut().zip(&LISTS);
        due.filter_map(|(due, list)| {
            Some(Refresh { event_type: list.event, data: due.take()?, timestamp: Millis(now) })
        })
        .collect()
    }

    fn gather(&mut self, changed: &Changed, caller: &Caller) {
        for (due, list) in self.due.iter_mut().zip(&LISTS) {
            match changed {
                Changed::Everything => *due = Some(Happened { customer_id: None, action: "many", count: 0 }),
                Changed::Customers(each) => {
                    for change in each.iter().filter(|change| (list.shows)(change, caller)) {
                        let count = due.as_ref().map_or(0, |due| due.count) + 1;
                        let (customer_id, action) = (Some(change.customer), change.action);
                        *due = Some(Happened { customer_id, action, count });
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::StaffId;
    use domain::staff::Role;
    use futures_util::FutureExt as _;
    use serde_json::json;
    use tokio::sync::broadcast;
    use uuid::Uuid;

    fn caller() -> Caller {
        Caller { id: StaffId(Uuid::from_u128(1)), username: "u".into(), name: "n".into(), role: Role::Admin }
    }

    #[tokio::test]
    async fn many_changes_are_one_message_and_the_next_one_waits() {
        let (sender, changes) = broadcast::channel(4);
        let mut refreshes = Refreshes::new(changes);
        assert!(refreshes.due(&caller()).now_or_never().is_none(), "nothing happened");
        for n in 1..=3 {
            let change = Change::of_test(CustomerId(Uuid::from_u128(n)), "assign");
            sender.send(Arc::new(Changed::Customers(vec![change]))).unwrap();
        }
        refreshes.due(&caller()).await;
        let told = refreshes.take(DateTime::UNIX_EPOCH);
        let last = Some(CustomerId(Uuid::from_u128(3)));
        let data = Happened { customer_id: last, action: "assign", count: 3 };
        let timestamp = Millis(DateTime::UNIX_EPOCH);
        assert_eq!(told, [Refresh { event_type: "customerList", data, timestamp }]);

        sender.send(Arc::new(Changed::Everything)).unwrap();
        assert!(refreshes.due(&caller()).now_or_never().is_none(), "not twice in a second");
        let told: Vec<_> =
            refreshes.take(DateTime::UNIX_EPOCH).into_iter().map(|told| told.event_type).collect();
        assert_eq!(told, ["customerList", "publicPool"], "but it is kept");
    }

    #[tokio::test]
    async fn who_lags_behind_is_told_that_many_things_changed() {
        let (sender, changes) = broadcast::channel(1);
        let mut refreshes = Refreshes::new(changes);
        for n in 1..=3 {
            let change = Change::of_test(CustomerId(Uuid::from_u128(n)), "assign");
            sender.send(Arc::new(Changed::Customers(vec![change]))).unwrap();
        }
        refreshes.due(&caller()).await;
        let told = refreshes.take(DateTime::UNIX_EPOCH);
        assert_eq!(told.len(), 2, "{told:?}");
    }

    #[test]
    fn a_refresh_looks_as_system_as_pages_expect() {
        let customer = CustomerId(Uuid::from_u128(7));
        let data = Happened { customer_id: Some(customer), action: "statusUpdate", count: 1 };
        let timestamp = Millis(DateTime::UNIX_EPOCH);
        let refresh = Refresh { event_type: "customerList", data, timestamp };
        let expected = json!({
            "eventType": "customerList",
            "data": { "customerId": customer, "action": "statusUpdate", "count": 1 },
            "timestamp": "1970-01-01T00:00:00.000Z",
        });
        assert_eq!(serde_json::to_value(refresh).unwrap(), expected);
    }
}
