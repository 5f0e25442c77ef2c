//! What must hold after every story, whatever it was about (product.md G2, G6, G8, G9, G10).
//!
//! Computed from the rows of the log and from WeChat's ledger, by the reader of the crash run: what the service
//! derived is compared with it, never trusted.

use std::collections::{BTreeMap, BTreeSet};

use domain::notification::{Channel, Decision, DeliveryState, NotificationRequested};
use domain::{EventId, StaffId};
use projections::ConsumerState;
use wechat_simulator::Received;

use super::{Node, Person, TestApp, channels};
use crate::crash::history::{Decided, History, Reader};

/// One person through one channel, and one lead; no lead for a summary.
type About = (Channel, String, String);

impl TestApp {
    /// Ends the story: nothing is left undone, nothing was lost or doubled, and the service stops in good order.
    pub async fn finish(self) {
        self.settle().await;
        let history = self.read_log().await;
        let unfinished: Vec<_> = history.deliveries.iter().filter(|(_, one)| !one.state.is_final()).collect();
        assert!(unfinished.is_empty(), "left over: {unfinished:?}");
        self.finish_with_leftovers().await;
    }

    /// Like [`finish`](Self::finish) for a story that leaves deliveries waiting on purpose.
    pub async fn finish_with_leftovers(mut self) {
        let node = self.take_node();
        node.settle().await;
        let history = self.read_log().await;
        assert_eq!(history.faults, Vec::<String>::new(), "the log has faults");
        assert_eq!(history.head, history.rows, "the log has holes");
        let mut reader = Reader::open(self.database.url()).await.expect("the database is read");
        let decided = reader.decisions().await.expect("decisions");
        assert_eq!(reader.parked().await.expect("parked events"), Vec::<String>::new(), "events are parked");
        drop(reader);
        each_notice_once(&history);
        each_decision_once(&history, &decided);
        self.each_message_once(&history);
        consumers_are_well(&node).await;
        self.counts_are_recounts(&node).await;
        node.stop().await;
    }

    /// The whole log, read from the database itself.
    pub async fn read_log(&self) -> History {
        let mut reader = Reader::open(self.database.url()).await.expect("the database is read");
        reader.read().await.expect("the log is read")
    }

    /// Every recorded decision.
    pub async fn decisions(&self) -> Vec<Decided> {
        let mut reader = Reader::open(self.database.url()).await.expect("the database is read");
        reader.decisions().await.expect("decisions")
    }

    /// What was accepted arrived once, what is unknown or between two attempts at most once, everything else never.
    fn each_message_once(&self, history: &History) {
        let people: BTreeMap<StaffId, Person> =
            self.reachable().into_iter().map(|person| (person.id, person)).collect();
        let mut known: BTreeMap<About, (usize, usize)> = BTreeMap::new();
        let mut of_members = (0, 0);
        for delivery in history.deliveries.values().filter(|one| one.channel != Channel::InApp) {
            let notice = &history.notices[delivery.notice];
            let customer = match notice.customers.as_slice() {
                [only] => only.to_string(),
                // Its one call names the first lead of a batch.
                [first, ..] if delivery.channel == Channel::WechatCloud => first.to_string(),
                _ => String::new(),
            };
            let person = people.get(&notice.recipient);
            let receiver = person.map(|p| p.receiver(delivery.channel)).unwrap_or_default();
            // The people of a corporation who hear of members have no account, and one message is for all of them.
            let is_of_members = person.is_none() && delivery.channel == Channel::WecomApp;
            let (accepted, maybe) = if is_of_members {
                (&mut of_members.0, &mut of_members.1)
            } else {
                let counts = known.entry((delivery.channel, receiver, customer)).or_default();
                (&mut counts.0, &mut counts.1)
            };
            match delivery.state {
                DeliveryState::Accepted | DeliveryState::Delivered => *accepted += 1,
                DeliveryState::Unknown | DeliveryState::Retry => *maybe += 1,
                _ => {}
            }
        }
        let mut arrived: BTreeMap<About, usize> = BTreeMap::new();
        let mut members_arrived = BTreeSet::new();
        for received in self.wechat().ledger() {
            if is_of_members(&received) {
                members_arrived.insert(received.message_id.clone());
                continue;
            }
            let customer = only_customer(&received);
            let about = (channels::road(received.channel), received.openid.clone(), customer);
            *arrived.entry(about).or_default() += 1;
        }
        let (accepted, maybe) = of_members;
        let fits = (accepted..=accepted + maybe).contains(&members_arrived.len());
        assert!(fits, "of members: {accepted} accepted, {maybe} unknown, {} arrived", members_arrived.len());
        for (about, (accepted, maybe)) in &known {
            let arrived = arrived.get(about).copied().unwrap_or(0);
            let fits = (*accepted..=accepted + maybe).contains(&arrived);
            assert!(fits, "{about:?}: {accepted} accepted, {maybe} unknown, {arrived} arrived");
        }
        let stray = arrived.keys().find(|about| !known.contains_key(*about));
        assert_eq!(stray, None, "a message that nobody was to get");
    }

    /// The unread count is what a recount of the list gives.
    async fn counts_are_recounts(&self, node: &Node) {
        for person in self.team.everybody() {
            let count = node.get("/api/notifications/unread-count").by(person).send().await;
            if count.problem() == (401, "ACCOUNT_SUSPENDED") || count.problem() == (401, "TOKEN_EXPIRED") {
                continue;
            }
            let list = node.get("/api/notifications?status=SENT&pageSize=1").by(person).send().await;
            assert_eq!(count.data()["count"], list.data()["total"], "unread notices of {}", person.username);
        }
    }
}

/// Whether the message leads to members: it is for people who hear of them, whoever they are.
fn is_of_members(received: &Received) -> bool {
    let leads = |text: &str| text.contains("crm.example.com/members");
    received.page.as_deref().is_some_and(leads) || received.data.values().any(|text| leads(text))
}

/// The customer whose page the message opens.
fn only_customer(received: &Received) -> String {
    channels::customers_of(received).first().map(ToString::to_string).unwrap_or_default()
}

fn each_notice_once(history: &History) {
    let mut seen = BTreeSet::new();
    for notice in &history.notices {
        let key = (notice.cause, notice.recipient, notice.scene.as_str());
        assert!(seen.insert(key), "{key:?} was requested twice");
    }
}

fn each_decision_once(history: &History, decided: &[Decided]) {
    let mut found: BTreeMap<(EventId, StaffId, &str, &str), &str> = BTreeMap::new();
    for one in decided {
        let key = (one.cause, one.recipient, one.scene.as_str(), one.channel.as_str());
        assert!(found.insert(key, &one.decision).is_none(), "{key:?} was decided twice");
    }
    for notice in &history.notices {
        // A digest follows from deliveries and not from an event: what was decided on those is recorded.
        if notice.digest_of.is_empty() {
            each_decision_recorded(notice, &found);
        }
        assert_eq!(notice.deliveries.len(), Channel::ALL.len(), "a channel without decision: {notice:?}");
    }
}

fn each_decision_recorded(
    notice: &NotificationRequested,
    found: &BTreeMap<(EventId, StaffId, &str, &str), &str>,
) {
    for planned in &notice.deliveries {
        let key = (notice.cause, notice.recipient, notice.scene.as_str(), planned.channel.as_str());
        let expected = match planned.decision {
            Decision::Deliver => "deliver",
            Decision::Standby { .. } => "standby",
            Decision::Merge { .. } => "merge",
            Decision::Hold { .. } => "hold",
            Decision::Suppress { .. } => "suppress",
        };
        assert_eq!(found.get(&key), Some(&expected), "the decision on {key:?}");
    }
}

async fn consumers_are_well(node: &Node) {
    for consumer in node.app().projections.status().await.expect("the consumers' rows") {
        assert_ne!(consumer.state, ConsumerState::Error, "{consumer:?}");
    }
}
