//! Messages that wait for a moment, and who lets them go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use application::bus::{CommandBus, StreamAppend};
use application::channels::Rendered;
use application::delivery::digest::{Collected, DigestWriter, WriteError, Written};
use application::ports::{Clock, Ids};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{
    Channel, Decision, Delivery, Message, Notification, NotificationEvent, NotificationRequested,
    PlannedDelivery, Priority,
};
use domain::{DeliveryId, NotificationId, StaffId, StreamId};
use infrastructure::bus::Bus;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::{NewWork, OutboxInsert, STANDBY, recipient_key};
use infrastructure::releaser::Releaser;
use infrastructure::{with_pool, with_tx};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::database::everything;
use crate::world::{Requested, World, draft, request};

/// The app of every scripted provider.
pub(crate) const APP: &str = "app";

/// How long a channel has before the next one tells a digest.
const FALLBACK: Duration = Duration::from_mins(5);

/// Somebody.
pub(crate) fn person(n: u128) -> StaffId {
    StaffId(Uuid::from_u128(1000 + n))
}

/// A message that waits, and the channel that stands by behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waits {
    pub(crate) who: StaffId,
    pub(crate) channel: Channel,
    pub(crate) reason: &'static str,
    pub(crate) minutes: i64,
    pub(crate) priority: Priority,
    pub(crate) standby: Option<Channel>,
}

impl Waits {
    /// Until quiet hours of `who` are over, in an hour.
    pub(crate) fn quiet(who: StaffId) -> Self {
        let (channel, priority) = (Channel::WecomApp, Priority::Medium);
        Self { who, channel, reason: "quiet_hours", minutes: 60, priority, standby: None }
    }
}

/// A notice with its delivery that waits and the one that stands by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) notification: NotificationId,
    pub(crate) delivery: DeliveryId,
    pub(crate) standby: Option<DeliveryId>,
}

impl World {
    pub(crate) async fn hold(&self, waits: Waits) -> Kept {
        self.hold_all(&[waits]).await[0]
    }

    /// All of them in one commit.
    pub(crate) async fn hold_all(&self, waits: &[Waits]) -> Vec<Kept> {
        let at = self.clock.now();
        let (mut kept, mut streams, mut work) = (vec![], vec![], vec![]);
        for (n, one) in waits.iter().enumerate() {
            let notification = NotificationId(TimeOrderedIds.next());
            let until = at + TimeDelta::minutes(one.minutes);
            let reason = one.reason.to_owned();
            let mut planned = vec![planned(notification, one.channel, Decision::Hold { until, reason })];
            work.push(row(notification, one, (one.channel, one.reason, until), at));
            if let Some(behind) = one.standby {
                let decision = Decision::Standby { after: one.channel };
                planned.push(self::planned(notification, behind, decision));
                work.push(row(notification, one, (behind, STANDBY, at), at));
            }
            kept.push(Kept {
                notification,
                delivery: planned[0].delivery,
                standby: planned.get(1).map(|planned| planned.delivery),
            });
            let mut requested = request(notification, planned, at);
            (requested.recipient, requested.priority) = (one.who, one.priority);
            requested.message.title = format!("消息{n}");
            let event: NotificationEvent = requested.into();
            streams.push(StreamAppend::of(StreamId::from(notification), 0, &[event]).unwrap());
        }
        let insert = OutboxInsert(work);
        self.process.bus.append_with(draft(streams, at), vec![Box::new(insert)]).await.unwrap();
        kept
    }

    pub(crate) fn releaser(&self, writer: &Arc<Words>) -> Releaser {
        self.releaser_of(&self.process.bus, writer)
    }

    pub(crate) fn releaser_of(&self, bus: &Bus, writer: &Arc<Words>) -> Releaser {
        let writer = Arc::clone(writer) as Arc<dyn DigestWriter>;
        Releaser::new(bus.clone(), writer, self.clock.clone(), FALLBACK)
    }

    pub(crate) async fn kept(&self, notification: NotificationId, delivery: DeliveryId) -> Delivery {
        let stream = StreamId::from(notification);
        let notice = self.process.bus.load::<Notification>(&stream).await.unwrap();
        notice.state.deliveries[&delivery].clone()
    }

    /// What the row says: its state, and whether it has its text.
    pub(crate) async fn row_of(&self, notification: NotificationId, delivery: DeliveryId) -> (String, bool) {
        let (state, text, _) = self.row(Requested { notification, delivery }).await;
        (state, text)
    }

    /// Every digest that was ever requested, in order.
    pub(crate) async fn digests(&self) -> Vec<NotificationRequested> {
        let requested = self.payloads("NotificationRequested").await;
        let requested = requested.into_iter().filter(|payload| payload["scene"] == "NOTICE_DIGEST");
        requested.map(|payload| serde_json::from_value(payload).unwrap()).collect()
    }

    /// Every event of this type.
    pub(crate) async fn payloads(&self, event_type: &str) -> Vec<Value> {
        let events = everything(self.process.bus.log()).await;
        let of_type = events.into_iter().filter(|event| event.event_type == event_type);
        of_type.map(|event| serde_json::from_str(event.payload.get()).unwrap()).collect()
    }

    /// Into which digest each message of a person was merged, in the order of the events.
    pub(crate) async fn merged_into(&self, kept: &[Kept]) -> Vec<Option<NotificationId>> {
        let merged = self.payloads("DeliveryMerged").await;
        let into = |delivery: DeliveryId| {
            let of = merged.iter().filter(|payload| payload["delivery"] == delivery.to_string());
            let into: Vec<NotificationId> =
                of.map(|payload| serde_json::from_value(payload["into"].clone()).unwrap()).collect();
            assert!(into.len() < 2, "{delivery} was merged twice");
            into.first().copied()
        };
        kept.iter().map(|kept| into(kept.delivery)).collect()
    }

    /// How many rows are in this state.
    pub(crate) async fn count_in(&self, state: &str) -> i64 {
        let sql = "SELECT count(*) FROM outbox WHERE state = $1";
        with_pool!(&self.database.db, pool => sqlx::query_scalar(sql).bind(state).fetch_one(pool).await)
            .unwrap()
    }

    /// The row of a notice that the log does not have.
    pub(crate) async fn forget_notice(&self, notification: NotificationId) {
        let sql = "UPDATE outbox SET notification_id = $2 WHERE notification_id = $1 AND state = 'unknown'";
        let mut tx = self.database.db.begin_write().await.unwrap();
        let nobodys = TimeOrderedIds.next();
        with_tx!(&mut tx, conn =>
            sqlx::query(sql).bind(notification.0).bind(nobodys).execute(conn).await.map(drop))
        .unwrap();
        tx.commit().await.unwrap();
    }

    /// The apps of the rows in this state, in order.
    pub(crate) async fn apps_in(&self, state: &str) -> Vec<String> {
        let sql = "SELECT app FROM outbox WHERE state = $1 ORDER BY app";
        with_pool!(&self.database.db, pool => sqlx::query_scalar(sql).bind(state).fetch_all(pool).await)
            .unwrap()
    }
}

fn planned(notification: NotificationId, channel: Channel, decision: Decision) -> PlannedDelivery {
    PlannedDelivery { delivery: DeliveryId::of(notification, channel.as_str()), channel, decision }
}

fn row(
    notification: NotificationId,
    waits: &Waits,
    (channel, held_for, due_at): (Channel, &str, DateTime<Utc>),
    at: DateTime<Utc>,
) -> NewWork {
    NewWork {
        delivery: DeliveryId::of(notification, channel.as_str()),
        notification,
        channel,
        app: APP.to_owned(),
        recipient: waits.who,
        recipient_key: recipient_key(APP, &waits.who.to_string()),
        ledger: None,
        request_body: format!("message {notification}"),
        due_at,
        created_at: at,
        gained: None,
        held_for: Some(held_for.to_owned()),
        subject: None,
        fallback: None,
    }
}

/// Writes digests in a few words.
#[derive(Debug, Default)]
pub(crate) struct Words {
    mood: Mutex<Mood>,
}

/// What a writer does.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Writes,
    /// Nobody can be reached.
    Finds,
    /// It never comes back.
    Hangs,
    /// It knows nothing at the moment.
    Fails,
}

impl Words {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn in_mood(self: &Arc<Self>, mood: Mood) -> Arc<Self> {
        *self.mood.lock().unwrap() = mood;
        Arc::clone(self)
    }
}

#[async_trait]
impl DigestWriter for Words {
    async fn digest(&self, collected: &Collected) -> Result<Option<Written>, WriteError> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Writes => {}
            Mood::Finds => return Ok(None),
            Mood::Hangs => std::future::pending().await,
            Mood::Fails => return Err(WriteError::Unavailable("not now".to_owned())),
        }
        let titles: Vec<&str> = collected.first.iter().map(|member| member.title.as_str()).collect();
        let message = Message {
            title: "通知汇总".to_owned(),
            content: titles.join("、"),
            icon: "bell".to_owned(),
            color: "blue".to_owned(),
            action_url: "/notifications".to_owned(),
            action_text: "查看".to_owned(),
            data: Map::new(),
        };
        let rendered = Rendered {
            app: APP.to_owned(),
            receiver: collected.recipient.to_string(),
            template: None,
            body: format!("digest {} of {}", collected.notification, collected.members.len()),
        };
        let standbys = collected.behind.iter().map(|channel| (*channel, rendered.clone())).collect();
        Ok(Some(Written { message, template_version: 1, rendered, standbys, unusable: vec![] }))
    }
}
