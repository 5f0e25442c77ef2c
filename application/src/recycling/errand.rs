//! What the system does with one lead: decide, append, and decide again when somebody touched the lead in between.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::customer::{
    Customer, CustomerCommand, CustomerError, CustomerEvent, FOLLOW_UP_REMINDER, RECYCLE_RULE,
};
use domain::recycle_rule::RecyclePolicy;
use domain::{Actor, Aggregate, CommandId, CustomerId, Metadata, StreamId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{Falling, RecycleError, Reminder, Stores, Warning};
use crate::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, Draft, ExecuteError, StreamAppend, Versioned,
};
use crate::customers::{Holding, after, recounted};

/// Leads that are read and asked together. Their commands commit in shared batches; more at once would make everybody
/// else's commands wait behind them.
pub(super) const LEADS_AT_ONCE: usize = 64;

/// What is to be done with one lead.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    /// Put it into the public pool.
    Fall { falling: Falling, terms: Arc<RecyclePolicy>, period: DateTime<Utc> },
    /// Warn its owner.
    Warn { warning: Warning, terms: Arc<RecyclePolicy>, period: DateTime<Utc> },
    /// Remind its owner.
    Remind(Reminder),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// Done, by this call or by an earlier one for the same period.
    Done,
    /// Somebody did something with it meanwhile, so it is not due, or not by that rule.
    Touched,
    /// It is nobody's any more: released, deleted.
    Gone,
    /// Its owner was told before.
    Known,
    /// It was written to so often at that moment that there was no getting through.
    Contended,
}

impl Errand {
    fn customer(&self) -> CustomerId {
        match self {
            Self::Fall { falling, .. } => falling.customer,
            Self::Warn { warning, .. } => warning.customer,
            Self::Remind(reminder) => reminder.customer,
        }
    }

    fn ask(&self, at: DateTime<Utc>) -> CustomerCommand {
        match self {
            Self::Fall { falling, terms, .. } => {
                CustomerCommand::Recycle { rule: falling.due.rule, terms: Arc::clone(terms), at }
            }
            Self::Warn { warning, terms, .. } => CustomerCommand::WarnOfRecycling {
                rule: warning.due.rule,
                terms: Arc::clone(terms),
                offset_hours: warning.offset_hours,
                due_at: warning.due.at,
                at,
            },
            Self::Remind(reminder) => CustomerCommand::RemindOfFollowUp { due: reminder.due, at },
        }
    }

    /// The command of the errand: whoever runs it, however often, means the same one.
    fn metadata(&self) -> Metadata {
        let moment = |at: &DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let customer = self.customer();
        let (part, what, of) = match self {
            Self::Fall { falling, period, .. } => (RECYCLE_RULE, "fall", (falling.due.rule, period)),
            Self::Warn { warning, period, .. } => (RECYCLE_RULE, "warn", (warning.due.rule, period)),
            Self::Remind(reminder) => {
                let key = format!("remind:{customer}:{}", moment(&reminder.due));
                return system(FOLLOW_UP_REMINDER, CommandId::from_key(FOLLOW_UP_REMINDER, &key), key);
            }
        };
        let (rule, period) = (of.0, moment(of.1));
        let command = CommandId::from_key(part, &format!("{what}:{period}:{rule}:{customer}"));
        system(part, command, format!("{part}:{period}"))
    }
}

fn system(part: &str, command: CommandId, correlation: String) -> Metadata {
    Metadata { command, correlation, causation: None, actor: Actor::System(part.to_owned()) }
}

/// Runs a page of errands: the leads are read set-wise, then each is a command of its own.
pub(super) async fn run_page<B: CommandBus>(
    stores: Stores<'_, B>,
    page: Vec<Errand>,
) -> Result<Vec<Fate>, RecycleError> {
    let streams: Vec<StreamId> = page.iter().map(|errand| StreamId::from(errand.customer())).collect();
    let found = stores.bus.load_many::<Customer>(&streams).await?;
    let errands = page.into_iter().zip(found);
    let errands = errands.map(|(errand, found)| run_one(stores, errand, found));
    stream::iter(errands).buffered(LEADS_AT_ONCE).try_collect().await
}

async fn run_one<B: CommandBus>(
    stores: Stores<'_, B>,
    errand: Errand,
    found: Versioned<Customer>,
) -> Result<Fate, RecycleError> {
    let mut found = found;
    for _ in 0..=CONFLICT_RETRIES_MAX {
        let draft = match decide(stores, &errand, &found)? {
            Ok(draft) => draft,
            Err(fate) => return fate_unless_done(stores, &errand, fate).await,
        };
        match stores.bus.append(draft).await {
            Ok(Appended::Committed { .. } | Appended::Replayed(_)) => return Ok(Fate::Done),
            // Somebody did something with the lead in between: whether it still is to be done is asked again.
            Err(AppendError::Conflict { .. }) => {
                found = stores.bus.load::<Customer>(&StreamId::from(errand.customer())).await?;
            }
            Err(error) => return Err(ExecuteError::Append(error)),
        }
    }
    Ok(Fate::Contended)
}

/// The draft, or why there is nothing to do.
fn decide<B: CommandBus>(
    stores: Stores<'_, B>,
    errand: &Errand,
    found: &Versioned<Customer>,
) -> Result<Result<Draft, Fate>, RecycleError> {
    let at = stores.clock.now();
    let events: Vec<CustomerEvent> = match found.state.decide(errand.ask(at)) {
        Ok(events) if events.is_empty() => return Ok(Err(Fate::Known)),
        Ok(events) => events,
        Err(CustomerError::NotDue { .. }) => return Ok(Err(Fate::Touched)),
        Err(_) => return Ok(Err(Fate::Gone)),
    };
    let (before, now) = (Holding::of(&found.state), Holding::of(&after(&found.state, &events)));
    let metadata = errand.metadata();
    let fingerprint = metadata.command.to_string();
    Ok(Ok(Draft {
        metadata,
        recorded_at: at,
        streams: vec![StreamAppend::of(errand.customer(), found.sequence, &events)?],
        guards: recounted(before, now, None),
        receipt: Some((fingerprint, serde_json::Value::Null)),
    }))
}

/// What is not to be done (any more) may be what an earlier call for the same period did before it was interrupted.
async fn fate_unless_done<B: CommandBus>(
    stores: Stores<'_, B>,
    errand: &Errand,
    fate: Fate,
) -> Result<Fate, RecycleError> {
    let receipt = stores.bus.receipt(errand.metadata().command).await?;
    Ok(receipt.map_or(fate, |_| Fate::Done))
}
