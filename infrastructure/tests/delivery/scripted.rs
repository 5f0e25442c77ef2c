//! A provider that answers as it is told, and notices with a route.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use application::bus::{CommandBus, StreamAppend};
use application::delivery::{Contract, Outcome};
use application::ports::{Clock, Ids};
use async_trait::async_trait;
use domain::notification::{
    Channel, Decision, Delivery, Failure, FailureClass, Notification, NotificationEvent, PlannedDelivery,
};
use domain::{CustomerId, DeliveryId, NotificationId, StaffId, StreamId};
use infrastructure::dispatcher::{Dispatcher, Options, Provider, Rest};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::{Gained, NewWork, OutboxInsert, STANDBY, recipient_key};

use crate::world::{World, draft, request};

/// The app of every scripted provider.
const APP: &str = "app";

/// Says what it is told to; then it accepts everything.
pub(crate) struct Scripted {
    channel: Channel,
    contract: Contract,
    answers: Mutex<VecDeque<Outcome>>,
    rest: Mutex<Option<Rest>>,
    sent: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn new(channel: Channel) -> Arc<Self> {
        Arc::new(Self {
            channel,
            contract: Contract::of(channel),
            answers: Mutex::default(),
            rest: Mutex::default(),
            sent: Mutex::default(),
        })
    }

    pub(crate) fn answers(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.answers.lock().unwrap().extend(outcomes);
    }

    /// Nothing can be sent, e.g. for want of a token.
    pub(crate) fn rests(&self, rest: Option<Rest>) {
        *self.rest.lock().unwrap() = rest;
    }

    /// What was sent, in order.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }
}

#[async_trait]
impl Provider for Scripted {
    fn channel(&self) -> Channel {
        self.channel
    }

    fn app(&self) -> &str {
        APP
    }

    fn contract(&self) -> Contract {
        self.contract.clone()
    }

    async fn prepare(&self) -> Result<(), Rest> {
        self.rest.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    async fn send(&self, body: &str) -> Outcome {
        self.sent.lock().unwrap().push(body.to_owned());
        self.answers.lock().unwrap().pop_front().unwrap_or(Outcome::Accepted { provider_message_id: None })
    }
}

pub(crate) fn failure(class: FailureClass) -> Failure {
    Failure { class, code: None, detail: "as told".to_owned() }
}

pub(crate) fn no() -> Outcome {
    Outcome::Rejected(failure(FailureClass::Recipient))
}

pub(crate) fn unreachable() -> Outcome {
    Outcome::Retry { failure: failure(FailureClass::Unreachable), after: None, counted: true }
}

pub(crate) fn doubt() -> Outcome {
    Outcome::Unknown(failure(FailureClass::Uncertain))
}

/// One step of a route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) channel: Channel,
    pub(crate) fallback: Option<Duration>,
}

/// A notice, to be told to a person through a route.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) notification: NotificationId,
    deliveries: Vec<DeliveryId>,
}

impl Told {
    /// Who is told.
    pub(crate) fn person(&self) -> StaffId {
        StaffId(self.notification.0)
    }

    /// One of its deliveries, by its place in the route.
    pub(crate) fn delivery(&self, place: usize) -> DeliveryId {
        self.deliveries[place]
    }
}

/// What a notice tells.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    /// Its type; that of an assigned lead if nothing is said.
    pub(crate) scene: Option<&'static str>,
    pub(crate) subject: Option<CustomerId>,
    pub(crate) gained: Option<Gained>,
}

impl World {
    pub(crate) fn scripted(&self, provider: &Arc<Scripted>) -> Dispatcher {
        self.scripted_with(provider, Options::default())
    }

    pub(crate) fn scripted_with(&self, provider: &Arc<Scripted>, options: Options) -> Dispatcher {
        let provider: Arc<dyn Provider> = Arc::clone(provider) as Arc<dyn Provider>;
        Dispatcher::new(self.process.bus.clone(), provider, self.process.ports(), options)
    }

    /// The first channel of the route is due; the others stand by.
    pub(crate) async fn tell(&self, person: &str, route: &[Step], subject: Option<CustomerId>) -> Told {
        self.tell_about(person, route, About { subject, ..About::default() }).await
    }

    /// The same of a notice about something.
    pub(crate) async fn tell_about(&self, person: &str, route: &[Step], about: About) -> Told {
        let About { scene, subject, gained } = about;
        let (at, notification) = (self.clock.now(), NotificationId(TimeOrderedIds.next()));
        let mut planned = Vec::new();
        let mut work = Vec::new();
        let mut before = None;
        for step in route {
            let delivery = DeliveryId::of(notification, step.channel.as_str());
            let decision = before.map_or(Decision::Deliver, |after| Decision::Standby { after });
            planned.push(PlannedDelivery { delivery, channel: step.channel, decision });
            work.push(NewWork {
                delivery,
                notification,
                channel: step.channel,
                app: APP.to_owned(),
                recipient: StaffId(notification.0),
                recipient_key: recipient_key(APP, person),
                ledger: None,
                request_body: format!(r#"{{"text":{{"content":"{} {notification}"}}}}"#, step.channel),
                due_at: at,
                created_at: at,
                gained,
                held_for: before.map(|_| STANDBY.to_owned()),
                subject,
                fallback: step.fallback,
            });
            before = Some(step.channel);
        }
        let deliveries = planned.iter().map(|planned| planned.delivery).collect();
        let mut requested = request(notification, planned, at);
        scene.unwrap_or("CUSTOMER_ASSIGNED").clone_into(&mut requested.scene);
        let requested: NotificationEvent = requested.into();
        let append = StreamAppend::of(StreamId::from(notification), 0, &[requested]).unwrap();
        let insert = OutboxInsert(work);
        self.process.bus.append_with(draft(vec![append], at), vec![Box::new(insert)]).await.unwrap();
        Told { notification, deliveries }
    }

    /// What the notice says of the delivery at this place of the route.
    pub(crate) async fn step(&self, told: &Told, place: usize) -> Delivery {
        let stream = StreamId::from(told.notification);
        let notice = self.process.bus.load::<Notification>(&stream).await.unwrap();
        notice.state.deliveries[&told.deliveries[place]].clone()
    }

    /// The state of each row of the route.
    pub(crate) async fn rows(&self, told: &Told) -> Vec<String> {
        let mut states = Vec::new();
        for delivery in &told.deliveries {
            let requested = crate::world::Requested { notification: told.notification, delivery: *delivery };
            states.push(self.row(requested).await.0);
        }
        states
    }
}
