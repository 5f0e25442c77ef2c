//! What a dispatcher does to the policy's work, step by step, and what can be seen of it.

use application::bus::{AppendError, CommandBus, Draft, StreamAppend};
use application::ports::{Clock, Ids};
use domain::contact::OpenId;
use domain::notification::{
    Channel, Conclusion, DeliveryCancelled, DeliveryState, Failure, FailureClass, Notification,
    NotificationCommand,
};
use domain::subscription::{CreditsGranted, GrantSource, SubscriptionEvent, SubscriptionLedger};
use domain::{Actor, Aggregate, CommandId, EventId, Metadata, StreamId};
use infrastructure::bus::Bus;
use infrastructure::event_log::{Attachment, Filter};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::budget::Budget;
use infrastructure::outbox::fences::{CloseRow, StartRow};
use infrastructure::outbox::lease::{self, Leased, Tenant, Wanted};
use infrastructure::upcasters::Upcasters;
use infrastructure::with_pool;
use uuid::Uuid;

use super::super::kit::staff;
use super::kit::{APP, Office};

const TEMPLATE: &str = "template";

/// Whose delivery, where it stands, whether its text is still there.
pub(super) type Row = (Uuid, String, bool);

/// Which event took a delivery back, whose stream says so, and why.
#[derive(Debug, PartialEq)]
pub(super) struct Cancelled {
    pub(super) notice: StreamId,
    pub(super) because: Option<EventId>,
    pub(super) reason: String,
}

pub(super) fn row(who: u128, state: DeliveryState) -> Row {
    let keeps_text = state != DeliveryState::Cancelled && state != DeliveryState::Accepted;
    (staff(who).0, state.as_str().to_owned(), keeps_text)
}

fn ledger_of(who: u128) -> StreamId {
    StreamId::subscription(APP, &format!("openid-{who}"), TEMPLATE)
}

impl Office {
    fn bus(&self) -> Bus {
        Bus::new(self.world.log.clone(), std::sync::Arc::new(Upcasters::none()))
    }

    /// The work in the order in which it was gained.
    pub(super) async fn outbox(&self) -> Vec<Row> {
        let rows: Vec<(Option<Uuid>, String, bool)> = with_pool!(&self.world.db, pool => sqlx::query_as(
            "SELECT lead_owner, state, request_body IS NOT NULL FROM outbox ORDER BY cause_position, delivery_id")
            .fetch_all(pool).await)
        .unwrap();
        rows.into_iter().map(|(who, state, text)| (who.unwrap_or_default(), state, text)).collect()
    }

    pub(super) async fn cancelled(&self) -> Vec<Cancelled> {
        let events = self.world.log.page(0, 4096, Filter::Types(&["DeliveryCancelled"])).await.unwrap();
        let read = |event: &infrastructure::event_log::RecordedRaw| {
            let DeliveryCancelled { reason, .. } = serde_json::from_str(event.payload.get()).unwrap();
            Cancelled { notice: event.stream.clone(), because: event.metadata.causation, reason }
        };
        events.iter().map(read).collect()
    }

    /// Leases what is due; nobody else can start it.
    pub(super) async fn lease(&self) -> Vec<Leased> {
        let tenant = Tenant {
            owner: TimeOrderedIds.next(),
            channel: Channel::WechatSubscribe,
            app: APP.to_owned(),
            lease: std::time::Duration::from_mins(1),
        };
        let wanted = Wanted { state: DeliveryState::Pending, limit: 10, busy: &[] };
        let now = self.world.clock.now();
        lease::lease(&self.world.db, &tenant, wanted, TimeOrderedIds.next(), now).await.unwrap()
    }

    pub(super) async fn grant(&self, who: u128) {
        let granted: SubscriptionEvent = CreditsGranted {
            app: APP.to_owned(),
            openid: OpenId::parse(&format!("openid-{who}")).unwrap(),
            template: TEMPLATE.to_owned(),
            count: 1,
            source: GrantSource::Callback,
            at: self.world.clock.now(),
        }
        .into();
        self.command(vec![StreamAppend::of(ledger_of(who), 0, &[granted]).unwrap()]).await;
    }

    pub(super) async fn credits(&self, who: u128) -> (i64, usize) {
        let ledger = self.bus().load::<SubscriptionLedger>(&ledger_of(who)).await.unwrap().state;
        (ledger.available, ledger.reserved.len())
    }

    /// Bytes may leave from now on, unless somebody was faster.
    pub(super) async fn start(&self, leased: &Leased) -> Result<(), AppendError> {
        let at = self.world.clock.now();
        let stream = StreamId::from(leased.notification);
        let notice = self.bus().load::<Notification>(&stream).await.unwrap();
        let command = NotificationCommand::Start { delivery: leased.delivery, at };
        let events = notice.state.decide(command).map_err(|_| AppendError::Fenced)?;
        let mut streams = vec![StreamAppend::of(stream, notice.sequence, &events).unwrap()];
        let ledger = leased.ledger.clone().unwrap();
        let credits = self.bus().load::<SubscriptionLedger>(&ledger).await.unwrap();
        let reserve = domain::subscription::SubscriptionCommand::Reserve { delivery: leased.delivery, at };
        if let Ok(reserved) = credits.state.decide(reserve) {
            streams.push(StreamAppend::of(ledger, credits.sequence, &reserved).unwrap());
        }
        let (delivery, token, attempt) = (leased.delivery, leased.token, leased.attempt + 1);
        let expires_at = at + chrono::TimeDelta::seconds(60);
        let (budget, exhausted) = (Budget::default(), std::sync::Arc::default());
        let start = StartRow { delivery, token, attempt, expires_at, at, budget, exhausted };
        self.attach(streams, Box::new(start)).await
    }

    /// The provider is busy; the next attempt is due in a minute.
    pub(super) async fn fail(&self, leased: &Leased) {
        let due_at = self.world.clock.now() + chrono::TimeDelta::seconds(60);
        let failure = Failure { class: FailureClass::Busy, code: Some(-1), detail: "system busy".to_owned() };
        self.conclude(leased, Conclusion::Retry { failure, due_at, counted: true }, DeliveryState::Retry)
            .await;
    }

    /// The answer was lost: the message may have arrived, and is sent again in a minute.
    pub(super) async fn doubt(&self, leased: &Leased) {
        let due_at = self.world.clock.now() + chrono::TimeDelta::seconds(60);
        let failure = Failure { class: FailureClass::Uncertain, code: None, detail: "reset".to_owned() };
        self.conclude(leased, Conclusion::Retry { failure, due_at, counted: true }, DeliveryState::Retry)
            .await;
        self.execute("UPDATE outbox SET maybe_arrived = true WHERE state = 'retry'").await;
    }

    /// The provider took it.
    pub(super) async fn accept(&self, leased: &Leased) {
        let conclusion = Conclusion::Accepted { provider_message_id: None };
        self.conclude(leased, conclusion, DeliveryState::Accepted).await;
    }

    async fn conclude(&self, leased: &Leased, conclusion: Conclusion, state: DeliveryState) {
        let at = self.world.clock.now();
        let (stream, attempt) = (StreamId::from(leased.notification), leased.attempt + 1);
        let notice = self.bus().load::<Notification>(&stream).await.unwrap();
        let command = NotificationCommand::Conclude { delivery: leased.delivery, attempt, conclusion, at };
        let events = notice.state.decide(command).unwrap();
        let streams = vec![StreamAppend::of(stream, notice.sequence, &events).unwrap()];
        let close = CloseRow::new(leased, attempt, state, at + chrono::TimeDelta::seconds(60), 0);
        self.attach(streams, Box::new(close)).await.unwrap();
    }

    async fn attach(
        &self,
        streams: Vec<StreamAppend>,
        attachment: Box<dyn Attachment>,
    ) -> Result<(), AppendError> {
        let metadata = Metadata {
            command: CommandId(TimeOrderedIds.next()),
            correlation: "dispatch".to_owned(),
            causation: None,
            actor: Actor::System("dispatcher".to_owned()),
        };
        let recorded_at = self.world.clock.now();
        let draft = Draft { metadata, recorded_at, streams, guards: vec![], receipt: None };
        self.bus().append_with(draft, vec![attachment]).await.map(drop)
    }
}
