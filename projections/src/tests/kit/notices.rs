//! Notices, and what readers do with them.

use chrono::{DateTime, TimeDelta, Utc};
use domain::contact::OpenId;
use domain::inbox::{
    AllNotificationsRead, Inbox, InboxEvent, NotificationSnoozed, NotificationsArchived, NotificationsRead,
    NotificationsUnarchived, Reading, ReadingUndone,
};
use domain::notification::{
    Channel, Decision, DeliveryAccepted, DeliveryConfirmed, DeliveryDied, DeliveryDiscarded, DeliveryMerged,
    DeliveryRejected, DeliveryReleased, DeliveryRequeued, DeliveryRetryScheduled, DeliverySettled,
    DeliveryStarted, DeliveryUncertain, Failure, FailureClass, Message, NotificationEvent,
    NotificationRequested, PlannedDelivery, Priority, Settlement,
};
use domain::subscription::{CreditsGranted, CreditsZeroed, GrantSource, SubscriptionEvent};
use domain::{DeliveryId, EventId, NotificationId, Position, StreamId};

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

/// What becomes of the n-th delivery: every end there is.
pub(in crate::tests) fn fate(n: u128, delivery: DeliveryId, at: DateTime<Utc>) -> Vec<NotificationEvent> {
    let later = |seconds: i64| at + TimeDelta::seconds(seconds);
    let failure = || Failure { class: FailureClass::Busy, code: Some(-1), detail: "system busy".to_owned() };
    let (by, reason) = (super::by(1), "问过了".to_owned());
    let start = |attempt, at| DeliveryStarted { delivery, attempt, at }.into();
    let accepted = |attempt, at| {
        let provider_message_id = Some(format!("m{n}"));
        DeliveryAccepted { delivery, attempt, provider_message_id, at }.into()
    };
    let doubt = || DeliveryUncertain { delivery, attempt: 1, failure: failure(), at: later(2) }.into();
    let settle = |settlement| {
        DeliverySettled { delivery, settlement, by: by.clone(), reason: reason.clone(), at: later(5) }.into()
    };
    let mut fate: Vec<NotificationEvent> = vec![start(1, later(1))];
    match n % 12 {
        0 => fate.push(doubt()),
        1 => fate.extend([doubt(), settle(Settlement::Sent)]),
        2 => fate.extend([doubt(), settle(Settlement::Closed)]),
        3 => fate.extend([
            DeliveryDied { delivery, attempt: 1, failure: failure(), at: later(3) }.into(),
            DeliveryDiscarded { delivery, by: by.clone(), reason: reason.clone(), at: later(9) }.into(),
        ]),
        4 => fate.extend([
            DeliveryDied { delivery, attempt: 1, failure: failure(), at: later(3) }.into(),
            DeliveryRequeued { delivery, by: by.clone(), reason: reason.clone(), at: later(8) }.into(),
            start(2, later(9)),
            accepted(2, later(10)),
        ]),
        5 => fate.push(DeliveryRejected { delivery, attempt: 1, failure: failure(), at: later(2) }.into()),
        6 => {
            let proof = "subscribe_msg_sent_event".to_owned();
            let confirmed = DeliveryConfirmed { delivery, proof, provider_message_id: None, at: later(4) };
            fate.extend([accepted(1, later(2)), confirmed.into()]);
        }
        7 => {
            let channel = Channel::WechatSubscribe;
            let (reason, possibly_repeated) = ("after_wecom_app".to_owned(), true);
            let released = DeliveryReleased { delivery, channel, reason, possibly_repeated, at };
            fate = vec![released.into(), start(1, later(1)), accepted(1, later(2))];
        }
        8 => fate = vec![DeliveryMerged { delivery, into: notice(n + 1, 1), at: later(1) }.into()],
        9 => {
            let (failure, due_at) = (failure(), later(30));
            let retry = DeliveryRetryScheduled { delivery, attempt: 1, failure, due_at, counted: true, at };
            fate.push(retry.into());
        }
        10 => {}
        _ => fate.push(accepted(1, later(2))),
    }
    fate
}

impl World {
    /// Whether the person allows messages: most do, some change their minds, some messages find that out.
    pub(in crate::tests) async fn answer_of_person(&self, n: u128, at: DateTime<Utc>) {
        let (app, template) = ("wx1".to_owned(), format!("T{}", n % 2));
        let openid = format!("oABC-{:020}", n % 5);
        let stream = StreamId::subscription(&app, &openid, &template);
        let source = if n.is_multiple_of(7) { GrantSource::Operator } else { GrantSource::Callback };
        let openid = OpenId::parse(&openid).unwrap();
        let mut events: Vec<SubscriptionEvent> =
            vec![CreditsGranted { app, openid, template, count: 1, source, at }.into()];
        let reason = "subscribe_msg_change_event".to_owned();
        match n % 4 {
            0 => events.insert(0, CreditsZeroed { delivery: None, reason, kept: 0, at }.into()),
            1 => events.push(CreditsZeroed { delivery: Some(wechat(n, 1)), reason, kept: 0, at }.into()),
            _ => {}
        }
        self.append(stream, &events).await;
    }

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
