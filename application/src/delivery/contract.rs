//! What each channel promises, declared: how long the provider recognises a repetition, what is done about an arrival
//! nobody knows of, and how much may be sent (notifications.md sections 3 and 4, wechat-apis.md section 8).

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::Channel;

/// WeCom's longest duplicate check is four hours; ten minutes of it are left for clocks and slow answers.
const WECOM_DEDUPE: Duration = Duration::from_mins(4 * 60 - 10);
/// A template message's `client_msg_id` holds for ten minutes; two are left for clocks and slow answers.
const OFFICIAL_DEDUPE: Duration = Duration::from_mins(8);
/// The cloud function keeps what it did with a key; after a day a repetition would surprise people.
const CLOUD_DEDUPE: Duration = Duration::from_hours(24);
/// How long the proof of a message that was sent may take.
const GRACE: Duration = Duration::from_mins(2);

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// What is done about a delivery whose arrival nobody knows, once the time for a proof is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownPolicy {
    /// It is not sent again; the next channel of the route tells it, marked as possibly repeated.
    AtMostOnce,
    /// It is sent once more.
    AtLeastOnce,
}

/// At most so many messages in any stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Messages.
    pub max: u32,
    /// The stretch.
    pub per: Duration,
}

/// A channel's contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// How long after the first attempt the provider recognises the same bytes as a repetition.
    pub dedupe: Option<Duration>,
    /// How long the proof of an unknown message is waited for.
    pub grace: Duration,
    /// What is done then.
    pub unknown: UnknownPolicy,
    /// Limits of one receiver within one app. What is beyond them the provider may drop in silence.
    pub per_receiver: Vec<Limit>,
    /// Limits of the app.
    pub per_app: Vec<Limit>,
}

impl Contract {
    /// What the providers document.
    pub fn of(channel: Channel) -> Self {
        let base = Self {
            dedupe: None,
            grace: GRACE,
            unknown: UnknownPolicy::AtMostOnce,
            per_receiver: vec![],
            per_app: vec![],
        };
        match channel {
            Channel::InApp | Channel::WechatSubscribe => base,
            Channel::WechatCloud => Self { dedupe: Some(CLOUD_DEDUPE), grace: Duration::ZERO, ..base },
            Channel::WechatOfficial => Self { dedupe: Some(OFFICIAL_DEDUPE), ..base },
            Channel::WecomApp => Self {
                dedupe: Some(WECOM_DEDUPE),
                grace: Duration::ZERO,
                per_receiver: vec![Limit { max: 30, per: MINUTE }, Limit { max: 1000, per: HOUR }],
                ..base
            },
            // The provider's limit is 20 a minute; two are left for whoever else uses the robot.
            Channel::WecomRobot => {
                Self { grace: Duration::ZERO, per_app: vec![Limit { max: 18, per: MINUTE }], ..base }
            }
        }
    }

    /// Whether the provider still takes a message of `at` for a repetition of what was first sent at `first`.
    pub fn recognises(&self, first: Option<DateTime<Utc>>, at: DateTime<Utc>) -> bool {
        let window = self.dedupe.and_then(|window| TimeDelta::from_std(window).ok());
        let until = first.zip(window).and_then(|(first, window)| first.checked_add_signed(window));
        until.is_some_and(|until| at < until)
    }
}
