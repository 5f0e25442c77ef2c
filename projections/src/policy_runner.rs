//! The policy runner: every event is answered once, and what follows from it commits together.
//!
//! A consumer named `policy`, but a reactor: it is never rebuilt, and a new one starts where it is registered. For a
//! page of events it asks the pure policy who learns what, and commits the notices, the record of every decision, the
//! work for the dispatcher and its own checkpoint in one transaction of the log (notifications.md section 1).
//!
//! Why a repetition is harmless, on every line: the ids of notices and deliveries derive from the event; a notice's
//! stream begins with its request, so a second request conflicts and is dropped; decisions and work are inserted
//! unless they are there; and a runner that lost its lease is fenced off as a whole.

mod audit;
mod backdrop;
mod chunk;
mod commit;
mod decisions;
mod parked;
mod planner;
mod preview;
mod recall;
mod reconcile;
mod repair;
mod start;
mod states;

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use application::channels::ChannelSettings;
use application::policies::POLICY;
use application::ports::Clock;
use async_trait::async_trait;
use domain::batch::BatchEvent;
use domain::customer::CustomerEvent;
use domain::member::MemberEvent;
use domain::member_notices::MemberNoticesEvent;
use domain::notice_order::NoticeOrderEvent;
use domain::preferences::PreferencesEvent;
use domain::recycle_rule::run::RecycleRunEvent;
use domain::staff::StaffEvent;
use domain::template::TemplateEvent;
use domain::transfer_rule::run::TransferRunEvent;
use domain::{Position, StoredEvent};
use infrastructure::bus::Bus;
use infrastructure::db::{Db, DbError};
use infrastructure::event_log::{EventLog, Filter, RecordedRaw};

use crate::consumer::{Consumer, ConsumerState, Consumers, HandleError, Handler, Lease};
use chunk::Chunk;
use commit::{Committer, Fence};
use planner::Planner;

pub use decisions::{DecisionRecord, decisions_of_event, decisions_of_notification};
pub use parked::{PARKED_MAX, ParkedEvent, Retried, parked, retry_parked};
pub use preview::{PreviewError, preview_of_event};
pub use reconcile::{MISSING_SHOWN_MAX, Missing, MissingRow, Reconciliation, reconcile};
pub use repair::{Repaired, repair};

/// Most events answered from one look at the log: enough to share the price of a commit among hundreds of notices,
/// few enough that the append lock is held for milliseconds.
pub const PAGE_EVENTS: usize = 500;

/// How long a channel has to tell a person before the next one of the route speaks, unless it is configured otherwise.
pub const FALLBACK_AFTER: Duration = Duration::from_mins(5);

/// What the policy reads: the events it answers and those it learns names, roles, owners, wishes and words from.
static TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let runs = [BatchEvent::TYPES, TransferRunEvent::TYPES, RecycleRunEvent::TYPES].concat();
    let types = [CustomerEvent::TYPES, &runs, StaffEvent::TYPES];
    let wishes = [PreferencesEvent::TYPES, TemplateEvent::TYPES, NoticeOrderEvent::TYPES];
    let members = [MemberEvent::TYPES, MemberNoticesEvent::TYPES];
    let types = [types.concat(), wishes.concat(), members.concat()].concat();
    types.into_iter().map(|(name, _)| name).collect()
});

/// Every statement of the runner's tables for PostgreSQL, for the test that prepares them.
pub fn postgres_statements() -> Vec<&'static str> {
    [decisions::POSTGRES_STATEMENTS, parked::POSTGRES_STATEMENTS, start::STATEMENTS].concat()
}

/// Every statement of the runner's tables for SQLite, for the test that prepares them.
pub fn sqlite_statements() -> Vec<&'static str> {
    [decisions::SQLITE_STATEMENTS, parked::SQLITE_STATEMENTS, start::STATEMENTS].concat()
}

/// What the runner works with. Cheap to clone.
#[derive(Clone)]
pub struct PolicyRunner {
    bus: Bus,
    consumers: Consumers,
    channels: Arc<ChannelSettings>,
    clock: Arc<dyn Clock>,
    fallback_after: Duration,
}

impl fmt::Debug for PolicyRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyRunner").field("consumers", &self.consumers).finish_non_exhaustive()
    }
}

impl PolicyRunner {
    /// The policy of this process, with the channels of this installation.
    pub fn new(
        bus: Bus,
        consumers: Consumers,
        channels: Arc<ChannelSettings>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { bus, consumers, channels, clock, fallback_after: FALLBACK_AFTER }
    }

    /// The same policy with another time until the next channel of a route speaks.
    #[must_use]
    pub fn with_fallback_after(self, fallback_after: Duration) -> Self {
        Self { fallback_after, ..self }
    }

    /// The handler for the consumer's loop; see [`tuned`] for the consumer.
    pub fn handler(&self) -> PolicyHandler {
        PolicyHandler { planner: self.planner(), committer: self.committer() }
    }

    fn db(&self) -> &Db {
        self.bus.log().db()
    }

    fn planner(&self) -> Planner {
        Planner::new(self.bus.clone(), self.channels.clone())
    }

    fn committer(&self) -> Committer {
        Committer::new(self.bus.clone(), self.consumers.clone(), self.clock.clone(), self.fallback_after)
    }
}

/// Makes the policy known; it answers what happens from now on. Call it in every process right after the migration,
/// whatever its role: a command accepted before that is never answered, and nobody misses it ([`reconcile`](reconcile())).
/// Nothing happens when it is known already.
pub async fn register(log: &EventLog, consumers: &Consumers) -> Result<(), DbError> {
    let head = log.head().await?;
    let mut tx = consumers.db().begin_write().await?;
    if consumers.register_within(&mut tx, POLICY, head).await? {
        start::record(&mut tx, head).await?;
    }
    tx.commit().await
}

/// The consumer the handler belongs to, with the page it is made for: `tuned(projections.consumer(POLICY))`.
#[must_use]
pub fn tuned(consumer: Consumer) -> Consumer {
    consumer.with_page(PAGE_EVENTS)
}

/// The policy as a consumer.
#[derive(Debug)]
pub struct PolicyHandler {
    planner: Planner,
    committer: Committer,
}

#[async_trait]
impl Handler for PolicyHandler {
    fn filter(&self) -> Filter<'static> {
        Filter::Types(&TYPES)
    }

    async fn handle(
        &mut self,
        lease: &Lease,
        page: &[RecordedRaw],
        to: Position,
        state: ConsumerState,
    ) -> Result<(), HandleError> {
        let blocked = parked::blocked_streams(self.planner.log().db()).await?;
        let answers = self.planner.answer(page, lease.position, blocked).await?;
        let mut lease = lease.clone();
        for chunk in Chunk::cut(answers, to) {
            let reached = chunk.to;
            self.committer.commit(Fence::Lease(lease.clone(), state), chunk).await?;
            lease.position = reached;
        }
        self.planner.reached(to);
        Ok(())
    }
}
