//! Notices, and what readers do with them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::inbox::{
    AllNotificationsRead, Inbox, InboxEvent, NotificationSnoozed, NotificationsArchived, NotificationsRead,
    NotificationsUnarchived, Reading, ReadingUndone,
};
use domain::notification::{
    Channel, Decision, Message, NotificationEvent, NotificationRequested, PlannedDelivery, Priority,
};
use domain::{DeliveryId, EventId, NotificationId, Position};

use super::{World, customer, second, staff};

/// The n-th notice for a reader.
pub(in crate::tests) fn notice(n: u128, reader: u128) -> NotificationId {
    NotificationId::of(EventId(uuid::Uuid::from_u128(n)), staff(reader), "CUSTOMER_ASSIGNED")
}

pub(in crate::tests) fn wechat(n: u128, reader: u128) -> DeliveryId {
    DeliveryId::of(notice(n, reader), Channel::WechatSubscribe.as_str())
}

pub(in crate::tests) fn requested(n: u128, reader: u128, wechat_decision: Decision) -> NotificationEvent {
    let id = notice(n, reader);
    let planned = |channel: Channel, decision| PlannedDelivery {
        delivery: DeliveryId::of(id, channel.as_str()),
        channel,
        decision,
    };
    NotificationRequested {
        notification: id,
        cause: EventId(uuid::Uuid::from_u128(n)),
        recipient: staff(reader),
        scene: "CUSTOMER_ASSIGNED".to_owned(),
        priority: Priority::High,
        message: Message {
            title: "客户分配通知".to_owned(),
            content: format!("您有新的客户 {n}"),
            icon: "BellOutlined".to_owned(),
            color: "#ff4d4f".to_owned(),
            action_url: "/customers/1".to_owned(),
            action_text: "立即跟进".to_owned(),
            data: serde_json::Map::from_iter([("n".to_owned(), serde_json::json!(n.to_string()))]),
        },
        customers: vec![customer(n)],
        deliveries: vec![
            planned(Channel::InApp, Decision::Deliver),
            planned(Channel::WechatSubscribe, wechat_decision),
        ],
        template_version: 1,
        template: String::new(),
        rendered_hash: String::new(),
        digest_of: vec![],
        at: second(i64::try_from(n).unwrap()),
    }
    .into()
}

impl World {
    pub(in crate::tests) async fn notify(&self, n: u128, reader: u128) -> Position {
        self.append(notice(n, reader), &[requested(n, reader, Decision::Deliver)]).await
    }

    pub(in crate::tests) async fn read(&self, reader: u128, notices: &[u128], at: DateTime<Utc>) -> Position {
        let notifications = notices.iter().map(|n| notice(*n, reader)).collect();
        let event: InboxEvent = NotificationsRead { reader: staff(reader), notifications, at }.into();
        self.append(Inbox::stream(staff(reader)), &[event]).await
    }

    pub(in crate::tests) async fn read_all(&self, reader: u128, up_to: i64, at: DateTime<Utc>) -> Position {
        let event: InboxEvent = AllNotificationsRead { reader: staff(reader), up_to, at }.into();
        self.append(Inbox::stream(staff(reader)), &[event]).await
    }

    /// Something that a reader did; the number of its event in the reader's stream.
    pub(in crate::tests) async fn did(&self, reader: u128, event: InboxEvent) -> i64 {
        let stream = Inbox::stream(staff(reader));
        self.append(stream.clone(), &[event]).await;
        self.log.stream(&stream, 0, 4096).await.unwrap().last().unwrap().sequence
    }

    pub(in crate::tests) async fn archive(&self, reader: u128, notices: &[u128], at: DateTime<Utc>) -> i64 {
        let notifications = notices.iter().map(|n| notice(*n, reader)).collect();
        self.did(reader, NotificationsArchived { reader: staff(reader), notifications, at }.into()).await
    }

    pub(in crate::tests) async fn unarchive(&self, reader: u128, notices: &[u128], at: DateTime<Utc>) -> i64 {
        let notifications = notices.iter().map(|n| notice(*n, reader)).collect();
        self.did(reader, NotificationsUnarchived { reader: staff(reader), notifications, at }.into()).await
    }

    pub(in crate::tests) async fn snooze(
        &self,
        reader: u128,
        n: u128,
        until: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> i64 {
        let notification = notice(n, reader);
        self.did(reader, NotificationSnoozed { reader: staff(reader), notification, until, at }.into()).await
    }

    pub(in crate::tests) async fn undo(
        &self,
        reader: u128,
        undone: i64,
        reading: Reading,
        at: DateTime<Utc>,
    ) -> i64 {
        self.did(reader, ReadingUndone { reader: staff(reader), undone, reading, at }.into()).await
    }

    /// What a reader does with the n-th notice: everything that can be done, and part of it taken back.
    pub(super) async fn handle(&self, reader: u128, n: u128, at: DateTime<Utc>) {
        let archived = self.archive(reader, &[n], at).await;
        match n % 3 {
            0 => drop(self.undo(reader, archived, Reading::Archive, at).await),
            1 => drop(self.unarchive(reader, &[n], at).await),
            _ => {}
        }
        self.snooze(reader, n, at + TimeDelta::hours(1), at).await;
        let snoozed = self.snooze(reader, n, at + TimeDelta::hours(2), at).await;
        self.read_all(reader, 9, at).await;
        if n.is_multiple_of(2) {
            self.undo(reader, snoozed, Reading::Snooze, at).await;
            self.undo(reader, snoozed + 1, Reading::MarkAllRead, at).await;
        }
    }
}
