//! What answers say of the channel itself: when it is left alone for a while, why, and that it works again.

use std::sync::PoisonError;
use std::time::Duration;

use application::delivery::Outcome;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Failure, FailureClass};

use super::attempt::Engine;

impl Engine {
    /// What an answer says about the channel.
    pub(super) fn note(&self, outcome: &Outcome) {
        let now = self.now();
        if let (Some(rest), Outcome::Retry { failure, .. }) = (outcome.rests_channel(), outcome) {
            self.rest(later(now, rest), failure);
        } else if let Some(failure) = outcome.blames_channel() {
            if let Some(until) = self.gate.failed(now) {
                self.rested(until, failure);
            }
        } else if self.gate.works(now) {
            self.lock_trouble().take();
            self.observer.recovered(self.tenant.channel);
            tracing::info!(channel = %self.tenant.channel, "the channel works again");
        }
    }

    pub(super) fn rest(&self, until: DateTime<Utc>, failure: &Failure) {
        if self.gate.rest(until) {
            self.rested(until, failure);
        }
    }

    fn rested(&self, until: DateTime<Utc>, failure: &Failure) {
        *self.lock_trouble() = Some(failure.clone());
        self.observer.rested(self.tenant.channel, failure.class, until);
        if matches!(failure.class, FailureClass::Config | FailureClass::Token) {
            // An alarm: it does not end by itself.
            tracing::error!(channel = %self.tenant.channel, failure.class = %failure.class, failure.code,
                "the channel cannot send until somebody mends its settings; next try {until}: {}", failure.detail);
        } else {
            tracing::warn!(channel = %self.tenant.channel, failure.class = %failure.class, failure.code,
                "the channel rests until {until}: {}", failure.detail);
        }
    }

    pub(super) fn lock_trouble(&self) -> std::sync::MutexGuard<'_, Option<Failure>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment so much later; the end of time, where there is none.
pub(super) fn later(at: DateTime<Utc>, wait: Duration) -> DateTime<Utc> {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
