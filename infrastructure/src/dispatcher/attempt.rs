//! One attempt, line by line, and what a crash on each line leaves behind.
//!
//! ```text
//! 1 lease the row                     crash: the lease runs out, the row is leased again; nothing was sent
//! 2 prepare (token)                   crash: the same
//! 3 commit DeliveryStarted,           crash before the commit: as 1
//!   CreditReserved, row in_flight     crash after it: others end the lease, `take_over` gets it, records
//! 4 send                              that nobody can know whether bytes left: the same bytes again where the provider
//! 5 (answer in memory)                recognises them, DeliveryUncertain elsewhere; the credit stays reserved
//! 6 commit the conclusion, the        crash before the commit: as 3 to 5
//!   credit, row closed or waiting     crash after it: done; the row has its next due moment
//! ```
//!
//! A process that is slow instead of dead meets the same fences: its lease token is no longer the row's, or the
//! attempt it wants to conclude is no longer in flight, so its commit is refused whole. Commands are named by
//! delivery, attempt, step and lease token: a commit whose answer got lost is repeated without a second effect, and
//! another process's commit is never taken for one's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use application::bus::{CommandBus, Versioned};
use application::delivery::{
    Contract, CreditAction, History, Outcome, RetrySchedule, Rules, Settled, settle,
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{
    Conclusion, DeliveryState, Failure, FailureClass, Notification, NotificationCommand, NotificationError,
    NotificationEvent,
};
use domain::subscription::{SubscriptionCommand, SubscriptionLedger};
use domain::{Aggregate, StreamId};

use super::commit::{Trouble, streams};
use super::gate::Gate;
use super::observer::Observer;
use super::rest::later;
use super::slots::Slots;
use super::{Options, Ports, Provider};
use crate::bus::Bus;
use crate::event_log::Attachment;
use crate::outbox::budget::{Budget, Exhausted, Scope};
use crate::outbox::fences::{CloseRow, StartRow, close_alone};
use crate::outbox::follow::Follow;
use crate::outbox::lease::{self, Leased, Tenant};

/// Everything attempts share.
pub(super) struct Engine {
    pub(super) bus: Bus,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) ports: Ports,
    pub(super) tenant: Tenant,
    pub(super) schedule: RetrySchedule,
    pub(super) contract: Contract,
    pub(super) gate: Gate,
    /// Why it rests.
    pub(super) trouble: Mutex<Option<Failure>>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) slots: Slots,
}

/// How an attempt began.
enum Begun {
    /// It is on disk: go on and send. The lease is known to last until then; `None` when the row must be asked.
    Started { attempt: i64, leased_until: Option<DateTime<Utc>> },
    /// There is nothing to send.
    Over,
}

impl Engine {
    pub(super) fn new(
        bus: Bus,
        provider: Arc<dyn Provider>,
        ports: Ports,
        tenant: Tenant,
        options: &Options,
    ) -> Self {
        let contract = provider.contract();
        Self {
            bus,
            provider,
            ports,
            tenant,
            schedule: options.schedule.clone(),
            contract,
            gate: Gate::new(options.breaker),
            trouble: Mutex::default(),
            observer: Arc::clone(&options.observer),
            slots: Slots::new(options.concurrency),
        }
    }

    /// Lines 2 to 6 for a leased row.
    pub(super) async fn deliver(&self, row: Leased) {
        let turn = self.slots.turn(row.state).await;
        let admitted = turn.is_some() && self.gate.admits(self.now());
        let Some(turn) = turn.filter(|_| admitted) else {
            self.release(&row).await; // the dispatcher stops, or the channel rests since the row was leased
            return;
        };
        if let Err(rest) = self.provider.prepare().await {
            self.rest(rest.until, &rest.failure);
            self.release(&row).await;
            return;
        }
        if self.is_refused_receiver(&row).await {
            return;
        }
        let Some(row) = self.may_leave_now(row).await else { return };
        let begun = match self.tried(|| self.begin(&row)).await {
            Ok(begun) => begun,
            Err(trouble) => {
                trouble.log(&row, "did not begin");
                self.release(&row).await; // changes nothing when it did begin after all
                return;
            }
        };
        let Begun::Started { attempt, leased_until } = begun else { return };
        let call = self.slots.call().await;
        if !self.has_time(&row, attempt, leased_until).await {
            tracing::warn!(delivery.id = %row.delivery, "lost the lease before sending; nothing was sent");
            return;
        }
        let called_at = self.now();
        self.observer.started(self.tenant.channel, elapsed(row.due_at, called_at));
        let outcome = self.provider.send(&row.request_body).await;
        self.observer.ended(self.tenant.channel, &outcome, elapsed(called_at, self.now()));
        self.note(&outcome);
        drop((call, turn)); // somebody else's call need not wait for our words
        self.conclude(&row, attempt, outcome).await;
    }

    /// A row whose process died between lines 3 and 6.
    pub(super) async fn give_up(&self, row: &Leased) {
        let detail = "the sending process ended before the answer was recorded".to_owned();
        let failure = Failure { class: FailureClass::Uncertain, code: None, detail };
        self.conclude(row, row.attempt, Outcome::Unknown(failure)).await;
    }

    /// A waiting row whose time is over: the next channel speaks.
    pub(super) async fn give_way(&self, row: &Leased) {
        let detail = "no attempt succeeded before the next channel's turn".to_owned();
        let no_time = Failure { class: FailureClass::Busy, code: None, detail };
        let failure = self.lock_trouble().clone().unwrap_or(no_time);
        // A wait that ends after the row's time: there is no next attempt.
        let outcome = Outcome::Retry { failure, after: Some(Duration::MAX), counted: false };
        self.conclude(row, row.attempt, outcome).await;
    }

    /// Line 3: the attempt and its credit, or a refusal because there is no credit.
    async fn begin(&self, row: &Leased) -> Result<Begun, Trouble> {
        let at = self.now();
        let stream = StreamId::from(row.notification);
        let notice = self.bus.load::<Notification>(&stream).await?;
        let events = match notice.state.decide(NotificationCommand::Start { delivery: row.delivery, at }) {
            Ok(events) => events,
            Err(NotificationError::NotWaiting(state)) if state.is_final() => {
                self.close_alone(row, state, at).await;
                return Ok(Begun::Over);
            }
            // Our own commit whose answer got lost, or somebody else's: the token of the row will tell.
            Err(NotificationError::NotWaiting(DeliveryState::InFlight)) => {
                return Ok(Begun::Started { attempt: row.attempt + 1, leased_until: None });
            }
            Err(error) => return Err(Trouble::Broken(error.to_string())),
        };
        let ledger = self.ledger(row).await?;
        let reserved = match &ledger {
            None => vec![],
            Some((_, ledger)) => {
                match ledger.state.decide(SubscriptionCommand::Reserve { delivery: row.delivery, at }) {
                    Ok(events) => events,
                    Err(_) => return self.refuse_for_credit(row, &notice, ledger, at).await,
                }
            }
        };
        let attempt = row.attempt + 1;
        let expires_at = self.tenant.lease_end(at);
        let (delivery, token, exhausted) = (row.delivery, row.token, Arc::default());
        let budget = Budget::of(&self.contract, &self.tenant.app, &row.recipient_key);
        let start =
            StartRow { delivery, token, attempt, expires_at, at, budget, exhausted: Arc::clone(&exhausted) };
        let streams = streams(row, &notice, &events, ledger.as_ref().map(|(_, l)| l), &reserved)?;
        match self.append(row, attempt, "start", at, streams, vec![Box::new(start)]).await {
            Err(Trouble::Lost) if exhausted.get().is_some() => {}
            done => return done.map(|()| Begun::Started { attempt, leased_until: Some(expires_at) }),
        }
        if let Some(exhausted) = exhausted.get() {
            self.wait_for_room(row, *exhausted).await;
        }
        Ok(Begun::Over)
    }

    /// A limit is reached: no attempt is used up.
    async fn wait_for_room(&self, row: &Leased, Exhausted { scope, until }: Exhausted) {
        if scope == Scope::App {
            let detail = "our own limit for this app is reached".to_owned();
            self.rest(until, &Failure { class: FailureClass::Quota, code: None, detail });
        }
        if let Err(error) = lease::defer(self.bus.log().db(), &self.tenant, row, until).await {
            tracing::warn!(%error, delivery.id = %row.delivery, "the row stays leased for a moment longer");
        }
    }

    /// Nothing is asked of the provider: without a credit the answer would be 43101. The ledger's sequence goes into
    /// the commit, so a credit granted at this moment is seen.
    async fn refuse_for_credit(
        &self,
        row: &Leased,
        notice: &Versioned<Notification>,
        ledger: &Versioned<SubscriptionLedger>,
        at: DateTime<Utc>,
    ) -> Result<Begun, Trouble> {
        let failure = Failure { class: FailureClass::Consent, code: None, detail: "no_credit".to_owned() };
        let command = NotificationCommand::Conclude {
            delivery: row.delivery,
            attempt: row.attempt,
            conclusion: Conclusion::Rejected(failure),
            at,
        };
        let events = notice.state.decide(command).map_err(|_| Trouble::Lost)?;
        let streams = streams(row, notice, &events, Some(ledger), &[])?;
        let close =
            CloseRow::new(row, row.attempt, DeliveryState::Rejected, at, row.busy_answers).ended(at, None);
        self.append(row, row.attempt, "no_credit", at, streams, followed(close, &events, row)).await?;
        tracing::info!(delivery.id = %row.delivery, "no credit is left for delivery {}", row.delivery);
        Ok(Begun::Over)
    }

    /// Line 6.
    pub(super) async fn conclude(&self, row: &Leased, attempt: i64, outcome: Outcome) {
        let (at, chance) = (self.now(), self.ports.randomness.unit());
        match self.tried(|| self.end(row, attempt, &outcome, at, chance)).await {
            Ok(state) => {
                tracing::info!(delivery.id = %row.delivery, delivery.attempt = attempt,
                    "delivery {} is {state}", row.delivery);
            }
            Err(trouble) => trouble.log(row, "could not be concluded"),
        }
    }

    async fn end(
        &self,
        row: &Leased,
        attempt: i64,
        outcome: &Outcome,
        at: DateTime<Utc>,
        chance: f64,
    ) -> Result<DeliveryState, Trouble> {
        let stream = StreamId::from(row.notification);
        let notice = self.bus.load::<Notification>(&stream).await?;
        let counted = notice.state.delivery(row.delivery).map_err(|_| Trouble::Lost)?.counted;
        let busy_answers = row.busy_answers + i64::from(outcome.is_busy());
        let history = History {
            counted,
            busy_answers: row.busy_answers,
            maybe_arrived: row.maybe_arrived,
            first_attempt_at: row.first_attempt_at.or(Some(at)),
            fallback_at: row.fallback_at,
        };
        let rules = Rules { schedule: &self.schedule, contract: &self.contract };
        let Settled { conclusion, credit } = settle(outcome.clone(), history, rules, at, chance);
        let (state, due_at) = resting_place(&conclusion, at);
        let maybe_arrived = matches!(outcome, Outcome::Unknown(_));
        let command = NotificationCommand::Conclude { delivery: row.delivery, attempt, conclusion, at };
        let events = notice.state.decide(command).map_err(|_| Trouble::Lost)?;
        let ledger = self.ledger(row).await?;
        let credited = match (&ledger, credit_command(row, credit, at)) {
            (Some((_, ledger)), Some(command)) => {
                ledger.state.decide(command).map_err(|error| Trouble::Broken(error.to_string()))?
            }
            _ => vec![],
        };
        // Without an event of its own the ledger need not stand still.
        let touched = ledger.as_ref().map(|(_, ledger)| ledger).filter(|_| !credited.is_empty());
        let streams = streams(row, &notice, &events, touched, &credited)?;
        let settle_at = (state == DeliveryState::Unknown).then(|| later(at, self.contract.grace));
        let close = CloseRow::new(row, attempt, state, due_at, busy_answers)
            .maybe_arrived(maybe_arrived)
            .ended(at, settle_at);
        self.append(row, attempt, "conclude", at, streams, followed(close, &events, row)).await?;
        Ok(state)
    }

    async fn ledger(
        &self,
        row: &Leased,
    ) -> Result<Option<(StreamId, Versioned<SubscriptionLedger>)>, Trouble> {
        let Some(stream) = &row.ledger else { return Ok(None) };
        Ok(Some((stream.clone(), self.bus.load(stream).await?)))
    }

    /// Whether the started row is ours for long enough to send: half a lease, in which the heartbeat comes by twice.
    /// The row is asked only when the commit took so long that less is left, or when it is unclear whose commit it was.
    async fn has_time(&self, row: &Leased, attempt: i64, leased_until: Option<DateTime<Utc>>) -> bool {
        let now = self.now();
        let needed = TimeDelta::from_std(self.tenant.lease / 2).unwrap_or(TimeDelta::MAX);
        if leased_until.is_some_and(|until| until - now >= needed) {
            return true;
        }
        let until = self.tenant.lease_end(now);
        match lease::extend(self.bus.log().db(), row, attempt, until).await {
            Ok(held) => held,
            Err(error) => {
                tracing::error!(%error, delivery.id = %row.delivery, "the lease cannot be checked; not sending");
                false
            }
        }
    }

    pub(super) async fn release(&self, row: &Leased) {
        if let Err(error) = lease::release(self.bus.log().db(), row).await {
            tracing::warn!(%error, delivery.id = %row.delivery, "the row stays leased for a moment longer");
        }
    }

    async fn close_alone(&self, row: &Leased, state: DeliveryState, at: DateTime<Utc>) {
        let close = CloseRow::new(row, row.attempt, state, at, row.busy_answers);
        if let Err(error) = close_alone(self.bus.log().db(), close).await {
            tracing::warn!(%error, delivery.id = %row.delivery, "the row stays leased for a moment longer");
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.ports.clock.now()
    }
}

fn elapsed(from: DateTime<Utc>, to: DateTime<Utc>) -> Duration {
    (to - from).to_std().unwrap_or_default()
}

/// The row's own end, and what the events say of the channels behind it.
fn followed(close: CloseRow, events: &[NotificationEvent], row: &Leased) -> Vec<Box<dyn Attachment>> {
    vec![Box::new(close), Box::new(Follow::others(events, row.delivery))]
}

/// Where a conclusion leaves the row, and when it is due again.
fn resting_place(conclusion: &Conclusion, at: DateTime<Utc>) -> (DeliveryState, DateTime<Utc>) {
    match conclusion {
        Conclusion::Accepted { .. } => (DeliveryState::Accepted, at),
        Conclusion::Rejected(_) => (DeliveryState::Rejected, at),
        Conclusion::Retry { due_at, .. } => (DeliveryState::Retry, *due_at),
        Conclusion::Uncertain(_) => (DeliveryState::Unknown, at),
        Conclusion::Died(_) => (DeliveryState::Dead, at),
    }
}

fn credit_command(row: &Leased, credit: CreditAction, at: DateTime<Utc>) -> Option<SubscriptionCommand> {
    let delivery = row.delivery;
    match credit {
        CreditAction::Consume => Some(SubscriptionCommand::Consume { delivery, at }),
        CreditAction::Return => Some(SubscriptionCommand::Return { delivery, at }),
        CreditAction::Zero { reason } => Some(SubscriptionCommand::Zero { delivery, reason, at }),
        CreditAction::Keep => None,
    }
}
