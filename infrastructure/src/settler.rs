//! The settler: decides on deliveries whose arrival nobody knows, when the time for a proof is over, as the channel's
//! policy says (notifications.md section 4).
//!
//! - At most once: the next channel of the route tells it, marked as possibly repeated; where none stands by, the
//!   delivery is closed. It stays `unknown`, visible, and an operator may still decide otherwise.
//! - At least once: it is sent once more, and the second time treated as above.
//!
//! Either way the credit of a subscribe message stays reserved: nobody knows whether WeChat spent it. A proof that comes
//! later spends it, and so does an operator who says that it arrived.
//!
//! Any number of processes may run one: the decision is an event of the notice, and its sequence lets one of them be
//! first. If the process dies on any line, the row is as due as before, or decided.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use application::delivery::{Contract, UnknownPolicy};
use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, NotificationCommand, NotificationError, NotificationEvent, Settlement};
use domain::{Actor, CommandId, Metadata, StreamId};
use tokio_util::sync::CancellationToken;

use crate::bus::Bus;
use crate::db::{Db, DbError};
use crate::event_log::Until;
use crate::outbox::decide::{DecideError, decide};
use crate::outbox::unknown::{self, Unknown};

/// The name of this part of the system.
const SETTLER: &str = "settler";
/// Rows looked at together.
const PAGE: i64 = 100;
/// How often to look when nothing is due earlier.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a row is left alone that could not be decided on.
const ANOTHER_LOOK: TimeDelta = TimeDelta::minutes(5);
/// How long the database is left alone after it failed.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// Reason of a decision that the person shall be told through the next channel.
const NO_PROOF: &str = "no_proof_in_time";
/// Reason of a decision where there is no next channel.
const NO_PROOF_NO_STANDBY: &str = "no_proof_in_time_no_standby";
/// Reason of the one repetition.
const AT_LEAST_ONCE: &str = "at_least_once";

/// What an operator may set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Policies that differ from the channel's contract.
    pub policies: BTreeMap<Channel, UnknownPolicy>,
}

/// Why a setting is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// There is no such channel, or it needs no provider.
    #[error("{0} is not an external channel")]
    Channel(String),
    /// There is no such policy.
    #[error("{0} is not a policy: at_most_once or at_least_once")]
    Policy(String),
}

impl Options {
    /// Reads settings such as `wechat_subscribe = "at_least_once"`.
    pub fn parse<'s>(settings: impl IntoIterator<Item = (&'s str, &'s str)>) -> Result<Self, InvalidPolicy> {
        let read = |(channel, policy): (&str, &str)| {
            let channel = channel
                .parse()
                .ok()
                .filter(|channel| Channel::EXTERNAL.contains(channel))
                .ok_or_else(|| InvalidPolicy::Channel(channel.to_owned()))?;
            let policy = match policy {
                "at_most_once" => UnknownPolicy::AtMostOnce,
                AT_LEAST_ONCE => UnknownPolicy::AtLeastOnce,
                other => return Err(InvalidPolicy::Policy(other.to_owned())),
            };
            Ok((channel, policy))
        };
        Ok(Self { policies: settings.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    fn policy(&self, channel: Channel) -> UnknownPolicy {
        self.policies.get(&channel).copied().unwrap_or_else(|| Contract::of(channel).unknown)
    }
}

/// Decides on unknown arrivals.
pub struct Settler {
    bus: Bus,
    clock: Arc<dyn Clock>,
    options: Options,
}

impl std::fmt::Debug for Settler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settler").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Settler {
    /// A settler that does nothing yet.
    pub fn new(bus: Bus, clock: Arc<dyn Clock>, options: Options) -> Self {
        Self { bus, clock, options }
    }

    /// Works until told to stop. Dropping the future is a crash: what was not decided is decided later.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let work = async {
                self.drain_once().await?;
                self.wait().await
            };
            let wait = tokio::select! {
                () = stop.cancelled() => return,
                waited = work => waited.unwrap_or_else(|error| {
                    tracing::error!(%error, "unknown deliveries cannot be looked for");
                    DATABASE_WAIT
                }),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Decides on everything that is due; how many deliveries that were, those included on which somebody else decided the
    /// same at this moment.
    pub async fn drain_once(&self) -> Result<usize, DbError> {
        let mut decided = 0;
        loop {
            let now = self.clock.now();
            let rows = unknown::due(self.db(), now, PAGE).await?;
            if rows.is_empty() {
                return Ok(decided);
            }
            for row in &rows {
                match self.settle(row, now).await {
                    Ok(()) => decided += 1,
                    Err(error) => self.leave(row, now, error).await?,
                }
            }
        }
    }

    async fn wait(&self) -> Result<Duration, DbError> {
        let now = self.clock.now();
        let next = unknown::next_due(self.db()).await?;
        Ok(next.and_then(|at| (at - now).to_std().ok()).unwrap_or(PERIOD).min(PERIOD))
    }

    async fn settle(&self, row: &Unknown, at: DateTime<Utc>) -> Result<(), DecideError> {
        if self.sends_again(row).await? {
            match self.put(row, requeue(row, at), at).await {
                Err(DecideError::BodyGone) => {} // its text went away at this moment: nothing to send again
                done => return done,
            }
        }
        match self.put(row, settle(row, Settlement::Escalated, NO_PROOF, at), at).await {
            Err(DecideError::Refused(NotificationError::NoStandby)) => {
                self.put(row, settle(row, Settlement::Closed, NO_PROOF_NO_STANDBY, at), at).await
            }
            done => done,
        }
    }

    /// Whether the channel's policy asks for one more attempt that was not made yet.
    async fn sends_again(&self, row: &Unknown) -> Result<bool, DecideError> {
        if self.options.policy(row.channel) == UnknownPolicy::AtMostOnce || !row.has_body {
            return Ok(false);
        }
        let stream = StreamId::from(row.notification);
        for event in self.bus.log().stream_until(&stream, 0, Until::Now).await? {
            // What this program cannot read is not its own decision; `decide` says so loudly right after.
            if let Ok(event) = self.bus.upcasters().decode::<NotificationEvent>(event)
                && let NotificationEvent::Requeued(again) = event.payload
                && again.delivery == row.delivery
                && again.by == system()
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn put(
        &self,
        row: &Unknown,
        command: NotificationCommand,
        at: DateTime<Utc>,
    ) -> Result<(), DecideError> {
        let what = match &command {
            NotificationCommand::Requeue { .. } => AT_LEAST_ONCE,
            NotificationCommand::Settle { settlement, .. } => settlement.as_str(),
            _ => "",
        };
        let key = format!("{}:{}:{what}", row.delivery, row.settle_at.timestamp_micros());
        let metadata = Metadata {
            command: CommandId::from_key(SETTLER, &key),
            correlation: row.correlation.clone(),
            causation: row.causation,
            actor: system(),
        };
        decide(&self.bus, row.delivery, command, metadata, at).await?;
        tracing::info!(delivery.id = %row.delivery, channel = %row.channel, decision = what,
            "nobody knows whether delivery {} arrived: {what}", row.delivery);
        Ok(())
    }

    /// Nothing could be decided. A row that another process or an operator decided on moved with that decision;
    /// everything else is looked at again later, so that it does not keep those behind it waiting.
    async fn leave(&self, row: &Unknown, now: DateTime<Utc>, error: DecideError) -> Result<(), DbError> {
        if let DecideError::Db(error) = error {
            return Err(error);
        }
        if !matches!(error, DecideError::Refused(_)) {
            tracing::error!(%error, delivery.id = %row.delivery,
                "delivery {} stays unknown and undecided for now", row.delivery);
        }
        unknown::postpone(self.db(), row, now, now + ANOTHER_LOOK).await
    }

    fn db(&self) -> &Db {
        self.bus.log().db()
    }
}

fn system() -> Actor {
    Actor::System(SETTLER.to_owned())
}

fn requeue(row: &Unknown, at: DateTime<Utc>) -> NotificationCommand {
    let (by, reason) = (system(), AT_LEAST_ONCE.to_owned());
    NotificationCommand::Requeue { delivery: row.delivery, by, reason, at }
}

fn settle(row: &Unknown, settlement: Settlement, reason: &str, at: DateTime<Utc>) -> NotificationCommand {
    let (by, reason) = (system(), reason.to_owned());
    NotificationCommand::Settle { delivery: row.delivery, settlement, by, reason, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(channel: &str, policy: &str, expected: Result<(Channel, UnknownPolicy), InvalidPolicy>) {
        let expected = expected.map(|entry| Options { policies: BTreeMap::from([entry]) });
        assert_eq!(Options::parse([(channel, policy)]), expected, "{channel} = {policy}");
    }

    #[test]
    fn policies_are_read_by_name() {
        let subscribe = Channel::WechatSubscribe;
        check("wechat_subscribe", "at_least_once", Ok((subscribe, UnknownPolicy::AtLeastOnce)));
        check("wecom_robot", "at_most_once", Ok((Channel::WecomRobot, UnknownPolicy::AtMostOnce)));
        check("in_app", "at_most_once", Err(InvalidPolicy::Channel("in_app".to_owned())));
        check("sms", "at_most_once", Err(InvalidPolicy::Channel("sms".to_owned())));
        check("wecom_app", "twice", Err(InvalidPolicy::Policy("twice".to_owned())));
    }

    #[test]
    fn without_a_setting_the_contract_counts() {
        let options = Options::parse([("wechat_subscribe", "at_least_once")]).unwrap();
        assert_eq!(options.policy(Channel::WechatSubscribe), UnknownPolicy::AtLeastOnce);
        assert_eq!(options.policy(Channel::WecomRobot), UnknownPolicy::AtMostOnce);
    }
}
