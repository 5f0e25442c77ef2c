//! One effect of a callback: decided on the streams as they are, appended under the callback's own name.

use application::bus::{AppendError, CONFLICT_RETRIES_MAX, CommandBus as _, Draft, LoadError, StreamAppend};
use application::callbacks::Effect;
use application::callbacks::effects::{CHANGE_EVENT, Report};
use domain::notification::{Channel, Notification, NotificationCommand, NotificationError};
use domain::subscription::{CreditsGranted, GrantSource, SubscriptionCommand, SubscriptionLedger};
use domain::{Actor, Aggregate as _, CommandId, DeliveryId, Metadata, NotificationId, StreamId};
use infrastructure::callbacks::Claimed;
use infrastructure::db::DbError;
use infrastructure::event_log::Attachment;
use infrastructure::outbox::follow::Follow;

use super::CallbackWorker;
use super::find::Found;

/// Who acts when a callback does.
const ACTOR: &str = "callbacks";

/// What came of an effect.
pub(super) enum Applied {
    /// What should be is.
    Done,
    /// It is about something that is not there yet.
    TooEarly(&'static str),
}

/// Why an effect was not applied.
pub(super) enum Trouble {
    /// The log did not take it; it will.
    Later(String),
    /// Trying again cannot help.
    Hopeless(String),
    /// The database failed.
    Database(DbError),
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unavailable(_) => Self::Later(error.to_string()),
            LoadError::Undecodable { .. } => Self::Hopeless(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(_: serde_json::Error) -> Self {
        Self::Hopeless("an event could not be encoded".to_owned())
    }
}

/// One try of an append.
enum Tried {
    Done,
    /// Somebody else wrote in between: decide again.
    Again,
}

impl CallbackWorker {
    /// A consent or a rejection.
    pub(super) async fn credit(&self, row: &Claimed, key: &str, effect: &Effect) -> Result<Applied, Trouble> {
        let (stream, command) = match effect {
            Effect::Grant { openid, template, at } => {
                let grant = CreditsGranted {
                    app: row.app.clone(),
                    openid: openid.clone(),
                    template: template.clone(),
                    count: 1,
                    source: GrantSource::Callback,
                    at: *at,
                };
                let stream = StreamId::subscription(&row.app, openid.as_str(), template);
                (stream, SubscriptionCommand::Grant(grant))
            }
            Effect::Revoke { openid, template, at } => {
                let stream = StreamId::subscription(&row.app, openid.as_str(), template);
                (stream, SubscriptionCommand::Revoke { reason: CHANGE_EVENT.to_owned(), at: *at })
            }
            Effect::Report(_) => return Ok(Applied::Done),
        };
        for _ in 0..CONFLICT_RETRIES_MAX {
            let ledger = self.bus.load::<SubscriptionLedger>(&stream).await?;
            let events =
                ledger.state.decide(command.clone()).map_err(|error| Trouble::Hopeless(error.to_string()))?;
            if events.is_empty() {
                return Ok(Applied::Done);
            }
            let streams = vec![StreamAppend::of(stream.clone(), ledger.sequence, &events)?];
            if let Tried::Done = self.append(key, streams, vec![]).await? {
                return Ok(Applied::Done);
            }
        }
        Err(Trouble::Later("too many others write to the ledger".to_owned()))
    }

    /// What the provider says of a message.
    pub(super) async fn report(
        &self,
        row: &Claimed,
        key: &str,
        channels: &[Channel],
        report: &Report,
    ) -> Result<Applied, Trouble> {
        let template = report.template.as_deref();
        let ledger = template.map(|id| StreamId::subscription(&row.app, report.openid.as_str(), id));
        let (delivery, notification) = match self.find(channels, report, ledger.as_ref()).await? {
            Found::One(delivery, notification) => (delivery, notification),
            Found::TooEarly(why) => return Ok(Applied::TooEarly(why)),
        };
        for _ in 0..CONFLICT_RETRIES_MAX {
            match self.tell(key, delivery, notification, report, ledger.as_ref()).await {
                Ok(Some(Tried::Done)) => return Ok(Applied::Done),
                Ok(Some(Tried::Again)) => {}
                Ok(None) => return Ok(Applied::TooEarly("the request is still under way")),
                Err(trouble) => return Err(trouble),
            }
        }
        Err(Trouble::Later("too many others write to the notice".to_owned()))
    }

    /// Tells the notice, and the ledger when it still holds a credit for the message. `None`: the attempt is not
    /// concluded yet.
    async fn tell(
        &self,
        key: &str,
        delivery: DeliveryId,
        notification: NotificationId,
        report: &Report,
        ledger: Option<&StreamId>,
    ) -> Result<Option<Tried>, Trouble> {
        let stream = StreamId::from(notification);
        let notice = self.bus.load::<Notification>(&stream).await?;
        let events = match notice.state.decide(command(delivery, report)) {
            Ok(events) => events,
            Err(NotificationError::UnderWay) => return Ok(None),
            Err(error) => return Err(Trouble::Hopeless(error.to_string())),
        };
        let mut streams = vec![];
        let mut follow: Vec<Box<dyn Attachment>> = vec![];
        if !events.is_empty() {
            streams.push(StreamAppend::of(stream, notice.sequence, &events)?);
            follow.push(Box::new(Follow::all(&events)));
        }
        if let Some(stream) = ledger {
            let ledger = self.bus.load::<SubscriptionLedger>(stream).await?;
            let at = report.at;
            let settles = match report.failure {
                None => SubscriptionCommand::Consume { delivery, at },
                Some(_) => SubscriptionCommand::Return { delivery, at },
            };
            let credited =
                ledger.state.decide(settles).map_err(|error| Trouble::Hopeless(error.to_string()))?;
            if !credited.is_empty() {
                streams.push(StreamAppend::of(stream.clone(), ledger.sequence, &credited)?);
            }
        }
        if streams.is_empty() {
            return Ok(Some(Tried::Done)); // it was told before
        }
        tracing::info!(delivery.id = %delivery, callback.event = report.proof,
            "WeChat says what became of delivery {delivery}");
        self.append(key, streams, follow).await.map(Some)
    }

    async fn append(
        &self,
        key: &str,
        streams: Vec<StreamAppend>,
        attachments: Vec<Box<dyn Attachment>>,
    ) -> Result<Tried, Trouble> {
        let command = CommandId::from_key(ACTOR, key);
        let metadata = Metadata {
            command,
            correlation: command.to_string(),
            causation: None,
            actor: Actor::System(ACTOR.to_owned()),
        };
        let draft = Draft { metadata, recorded_at: self.now(), streams, guards: vec![], receipt: None };
        match self.bus.append_with(draft, attachments).await {
            Ok(_) => Ok(Tried::Done),
            Err(AppendError::Conflict { .. }) => Ok(Tried::Again),
            Err(error @ (AppendError::Busy | AppendError::Unavailable(_))) => {
                Err(Trouble::Later(error.to_string()))
            }
            Err(error) => Err(Trouble::Hopeless(error.to_string())),
        }
    }
}

fn command(delivery: DeliveryId, report: &Report) -> NotificationCommand {
    let at = report.at;
    match &report.failure {
        Some(failure) => NotificationCommand::Refute { delivery, failure: failure.clone(), at },
        None => NotificationCommand::Confirm {
            delivery,
            proof: report.proof.to_owned(),
            provider_message_id: Some(report.message_id.clone()),
            at,
        },
    }
}
