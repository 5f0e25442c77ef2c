//! People who sleep at night, what is told to them, and why a message waits.

use std::sync::Arc;
use std::time::Duration;

use application::bus::{CommandBus, StreamAppend};
use application::delivery::spread;
use application::ports::Clock as _;
use chrono::{DateTime, Utc};
use domain::Actor;
use domain::notification::{Channel, NotificationCommand};
use domain::preferences::{
    Day, Document, Preferences, PreferencesEvent, PreferencesSet, QuietHours, Whose, Window,
};
use infrastructure::outbox::decide::decide;
use infrastructure::with_pool;

use crate::scripted::{Scripted, Step, Told, unreachable};
use crate::world::{World, draft};

/// How long a channel has before the next one speaks.
pub(crate) const FALLBACK: Option<Duration> = Some(Duration::from_mins(5));

/// The channels of the stories, the first usable one first.
pub(crate) const ROUTE: [Step; 3] = [
    Step { channel: Channel::WecomApp, fallback: FALLBACK },
    Step { channel: Channel::WechatCloud, fallback: FALLBACK },
    Step { channel: Channel::WechatOfficial, fallback: None },
];

/// A moment in Beijing, where the story's people sleep from ten to eight.
pub(crate) fn clock(time: &str) -> DateTime<Utc> {
    format!("2026-03-{}+08:00", time.replace(' ', "T")).parse().unwrap()
}

pub(crate) fn quiet(from: &str, to: &str) -> QuietHours {
    let window = Window {
        days: Day::ALL.iter().copied().collect(),
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    QuietHours { windows: vec![window], ..QuietHours::default() }
}

pub(crate) fn nights() -> Document {
    Document { quiet: Some(quiet("22:00", "08:00")), ..Document::default() }
}

/// When a person whose night ends at eight hears of what waited.
pub(crate) fn morning(told: &Told) -> DateTime<Utc> {
    spread(clock("02 08:00:00"), told.person())
}

impl World {
    pub(crate) async fn wish(&self, whose: Whose, document: Document) {
        let (by, at) = (Actor::System("test".to_owned()), self.clock.now());
        let known = self.process.bus.load::<Preferences>(&whose.stream()).await.unwrap();
        let set: PreferencesEvent = PreferencesSet { whose, document, by, at }.into();
        let append = StreamAppend::of(whose.stream(), known.sequence, &[set]).unwrap();
        self.process.bus.append(draft(vec![append], at)).await.unwrap();
    }

    /// A message to somebody who sleeps at night.
    pub(crate) async fn tell_sleeper(&self, route: &[Step]) -> Told {
        let told = self.tell("li", route, None).await;
        self.wish(Whose::Staff(told.person()), nights()).await;
        told
    }

    /// The same, after an attempt right before the night that did not reach the provider.
    pub(crate) async fn tell_at_bedtime(&self, provider: &Arc<Scripted>) -> Told {
        provider.answers([unreachable()]);
        self.clock.set(clock("01 21:59:58"));
        let told = self.tell_sleeper(&ROUTE).await;
        self.drain(provider).await;
        told
    }

    pub(crate) async fn drain(&self, provider: &Arc<Scripted>) {
        self.scripted(provider).drain_once().await.unwrap();
    }

    /// Why a row waits, and when it and the channel behind it are due.
    pub(crate) async fn waits(
        &self,
        told: &Told,
        place: usize,
    ) -> (Option<String>, DateTime<Utc>, Option<DateTime<Utc>>) {
        let sql = "SELECT held_for, due_at, fallback_at FROM outbox WHERE delivery_id = $1";
        with_pool!(&self.database.db, pool =>
            sqlx::query_as(sql).bind(told.delivery(place).0).fetch_one(pool).await)
        .unwrap()
    }

    pub(crate) async fn requeue(&self, told: &Told, place: usize) {
        let at = self.clock.now();
        let metadata = draft(vec![], at).metadata;
        let (delivery, by, reason) = (told.delivery(place), metadata.actor.clone(), "重发".to_owned());
        let command = NotificationCommand::Requeue { delivery, by, reason, at };
        decide(&self.process.bus, delivery, command, metadata, at).await.unwrap();
    }
}

/// Why a row says that it waits.
pub(crate) fn quiet_hours() -> String {
    "quiet_hours".to_owned()
}
