//! What people were told: their inboxes over HTTP, and what became of each delivery.

use domain::notification::{Channel, DeliveryState};
use projections::queries::deliveries::{self, DELIVERIES_MAX, DeliveryCursor, DeliveryFilter, DeliveryRow};
use serde_json::Value;
use wechat_simulator::Received;

use super::{Node, Person, TestApp};

/// Type and text of a notice.
pub fn words(notice: &Value) -> (&str, &str) {
    (notice["type"].as_str().unwrap_or_default(), notice["content"].as_str().unwrap_or_default())
}

impl Node {
    /// Everything in a person's inbox, newest first.
    pub async fn inbox(&self, person: &Person) -> Vec<Value> {
        let mut notices = Vec::new();
        for page in 1.. {
            let path = format!("/api/notifications?pageSize=100&page={page}");
            let reply = self.get(&path).by(person).send().await;
            let data = reply.data();
            notices.extend(data["items"].as_array().expect("items").iter().cloned());
            if page >= data["totalPages"].as_i64().expect("totalPages") {
                break;
            }
        }
        notices
    }

    /// Types and texts in a person's inbox, oldest first, but for what is said about the person's own account: whoever
    /// is hired for a story is told of the WeChat that was bound.
    pub async fn told(&self, person: &Person) -> Vec<(String, String)> {
        let mut notices = self.inbox(person).await;
        notices.retain(|notice| notice["type"] != "ACCOUNT_SECURITY");
        let words = |notice: &Value| {
            let (kind, content) = words(notice);
            (kind.to_owned(), content.to_owned())
        };
        notices.iter().rev().map(words).collect()
    }

    /// How many notices a person has not read, as the person is told.
    pub async fn unread(&self, person: &Person) -> i64 {
        let reply = self.get("/api/notifications/unread-count").by(person).send().await;
        reply.data()["count"].as_i64().expect("a count")
    }

    /// Every delivery through the mini program's messages to a person, newest first.
    pub async fn wechat_deliveries(&self, person: &Person) -> Vec<DeliveryRow> {
        self.deliveries(person, Some(Channel::WechatSubscribe)).await
    }

    /// Every delivery to a person, newest first; through one channel or through all of them.
    pub async fn deliveries(&self, person: &Person, channel: Option<Channel>) -> Vec<DeliveryRow> {
        let mut filter = DeliveryFilter { channel, recipient: Some(person.id), ..DeliveryFilter::default() };
        let mut rows: Vec<DeliveryRow> = Vec::new();
        loop {
            let page = deliveries::list(&self.app().db, &filter, DELIVERIES_MAX).await.expect("deliveries");
            let full = page.len() == DELIVERIES_MAX as usize;
            rows.extend(page);
            if !full {
                return rows;
            }
            filter.cursor = rows.last().map(DeliveryCursor::behind);
        }
    }

    /// Deliveries through one channel to a person that were meant to be sent, newest first.
    pub async fn sendings_through(&self, person: &Person, channel: Channel) -> Vec<DeliveryRow> {
        let mut rows = self.deliveries(person, Some(channel)).await;
        rows.retain(|row| !matches!(row.state, DeliveryState::Suppressed | DeliveryState::Merged));
        rows
    }

    /// Deliveries through WeChat to a person that were meant to be sent, newest first.
    pub async fn sendings(&self, person: &Person) -> Vec<DeliveryRow> {
        self.sendings_through(person, Channel::WechatSubscribe).await
    }
}

impl TestApp {
    /// What WeChat really brought to a person, oldest first.
    pub fn messages(&self, person: &Person) -> Vec<Received> {
        self.wechat().received_by(&person.openid)
    }

    /// Everybody's messages after the first `skip`, oldest first.
    pub fn messages_after(&self, skip: usize) -> Vec<Received> {
        self.wechat().ledger().split_off(skip)
    }
}
