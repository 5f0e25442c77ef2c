//! One command on one customer: load, check, decide, count. Every use case on a single lead goes through here, so
//! that none of them forgets the version, the race or the counts.

use std::sync::OnceLock;

use domain::customer::{Customer, CustomerCommand, Ownership};
use domain::{Aggregate, CustomerId, Sequence, StreamId};

use super::limits::{Cap, Holding, recounted};
use super::{CustomerReceipt, Refusal, after, check_version, existing, stale};
use crate::bus::{CommandBus, ExecuteError, GuardChange, GuardKind, Plan, StreamAppend, Versioned};

/// Which customer, and what the caller saw of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Single {
    pub(super) customer: CustomerId,
    /// Version the caller saw.
    pub(super) expected: Option<Sequence>,
}

impl Single {
    /// The customer, if it is there and the caller saw its present version. For commands whose permission does not
    /// depend on the row: the others look first whether the caller may know of it.
    pub(super) async fn load<B: CommandBus>(
        self,
        bus: &B,
    ) -> Result<Versioned<Customer>, ExecuteError<Refusal>> {
        let found = self.find(bus).await?;
        self.check(&found)?;
        Ok(found)
    }

    /// The customer, if it is there.
    pub(super) async fn find<B: CommandBus>(
        self,
        bus: &B,
    ) -> Result<Versioned<Customer>, ExecuteError<Refusal>> {
        existing(bus, self.customer).await
    }

    /// Refuses when the caller saw another version.
    pub(super) fn check(self, found: &Versioned<Customer>) -> Result<(), ExecuteError<Refusal>> {
        check_version(found, self.expected).map_err(ExecuteError::Refused)
    }

    /// Decides and puts the plan together. `cap` is what a new owner is held to.
    pub(super) fn plan(
        self,
        found: &Versioned<Customer>,
        command: CustomerCommand,
        cap: Option<Cap>,
    ) -> Result<Plan<CustomerReceipt>, ExecuteError<Refusal>> {
        let events = found.state.decide(command).map_err(|refused| ExecuteError::Refused(refused.into()))?;
        let stream = StreamAppend::of(self.customer, found.sequence, &events)?;
        let written = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let now = after(&found.state, &events);
        let result = CustomerReceipt {
            customer: self.customer,
            sequence: found.sequence + written,
            changed: written > 0,
        };
        let guards = recounted(Holding::of(&found.state), Holding::of(&now), cap);
        Ok(Plan { streams: vec![stream], guards, result })
    }
}

/// Whoever had the lead when a command first looked: if somebody else moves it before the append, the command lost
/// the race and must not move it on.
#[derive(Debug, Default)]
pub(super) struct FirstSeen(OnceLock<Ownership>);

impl FirstSeen {
    /// Refuses when the lead has moved since.
    pub(super) fn check(&self, found: &Versioned<Customer>) -> Result<(), ExecuteError<Refusal>> {
        let first = self.0.get_or_init(|| found.state.ownership.clone());
        if *first == found.state.ownership { Ok(()) } else { Err(ExecuteError::Refused(stale(found))) }
    }
}

/// Gives back what only this customer could hold.
pub(super) fn released_guards(id: CustomerId, customer: &Customer) -> Vec<GuardChange> {
    let holder = StreamId::from(id);
    let release =
        |kind, key: &str| GuardChange::Release { kind, key: key.to_owned(), holder: holder.clone() };
    let phone =
        customer.profile.phone.as_ref().map(|phone| release(GuardKind::CustomerPhone, phone.as_str()));
    let wechat =
        customer.profile.wechat_id.as_ref().map(|wechat| release(GuardKind::CustomerWechat, wechat.as_str()));
    phone.into_iter().chain(wechat).collect()
}
