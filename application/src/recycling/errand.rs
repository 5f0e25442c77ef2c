//! What the system does with one lead: decide, append, and decide again when somebody touched the lead in between.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::customer::{
    Customer, CustomerCommand, CustomerError, CustomerEvent, FOLLOW_UP_REMINDER, RECYCLE_RULE,
};
use domain::recycle_rule::RecyclePolicy;
use domain::recycle_rule::run::PlannedFall;
use domain::{Actor, Aggregate, CommandId, CustomerId, Metadata, RecycleRunId, StreamId};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{RecycleError, Reminder, Stores, Warning};
use crate::bus::{
    AppendError, Appended, CONFLICT_RETRIES_MAX, CommandBus, Draft, ExecuteError, Receipt, StreamAppend,
    Versioned,
};
use crate::customers::{Holding, after, recounted};
use crate::fates::{self, UNREADABLE, keep, load_each, load_readable};

/// Leads that are read and asked together. Their commands commit in shared batches; more at once would make everybody
/// else's commands wait behind them.
pub(super) const LEADS_AT_ONCE: usize = 64;

/// What is to be done with one lead.
#[derive(Debug, Clone)]
pub(super) enum Errand {
    /// Put it into the public pool.
    Fall { planned: PlannedFall, terms: Arc<RecyclePolicy>, run: RecycleRunId },
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
    /// What is stored about it cannot be read by this program.
    Unreadable,
}

impl Fate {
    /// Why a planned lead stayed, with the codes that the end of a run says.
    const STAYED: [(Self, &'static str); 4] = [
        (Self::Touched, "touched"),
        (Self::Gone, "gone"),
        (Self::Contended, "contended"),
        (Self::Unreadable, UNREADABLE),
    ];

    /// Why the lead stayed, as a code.
    pub(super) fn code(self) -> Option<&'static str> {
        Self::STAYED.iter().find(|(fate, _)| *fate == self).map(|(_, code)| *code)
    }

    /// What a code says.
    pub(super) fn of_code(code: &str) -> Self {
        Self::STAYED.iter().find(|(_, known)| *known == code).map_or(Self::Touched, |(fate, _)| *fate)
    }

    /// What was decided before, by whoever it was.
    fn of(receipt: Receipt) -> Self {
        fates::Fate::of(receipt).into()
    }
}

impl From<fates::Fate> for Fate {
    fn from(decided: fates::Fate) -> Self {
        match decided {
            fates::Fate::Done => Self::Done,
            fates::Fate::Stayed(code) => Self::of_code(&code),
        }
    }
}

impl Errand {
    fn customer(&self) -> CustomerId {
        match self {
            Self::Fall { planned, .. } => planned.customer,
            Self::Warn { warning, .. } => warning.customer,
            Self::Remind(reminder) => reminder.customer,
        }
    }

    fn ask(&self, at: DateTime<Utc>) -> CustomerCommand {
        match self {
            Self::Fall { planned, terms, run } => {
                CustomerCommand::Recycle { rule: planned.rule, terms: Arc::clone(terms), run: Some(*run), at }
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
        match self {
            Self::Fall { run, .. } => {
                system(RECYCLE_RULE, CommandId::of_fall(*run, customer), run.to_string())
            }
            Self::Warn { warning, period, .. } => {
                let (rule, period) = (warning.due.rule, moment(period));
                let command = CommandId::from_key(RECYCLE_RULE, &format!("warn:{period}:{rule}:{customer}"));
                system(RECYCLE_RULE, command, format!("{RECYCLE_RULE}:{period}"))
            }
            Self::Remind(reminder) => {
                let key = format!("remind:{customer}:{}", moment(&reminder.due));
                system(FOLLOW_UP_REMINDER, CommandId::from_key(FOLLOW_UP_REMINDER, &key), key)
            }
        }
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
    let found = load_each(stores.bus, &streams).await?;
    let errands = page.into_iter().zip(found);
    let errands = errands.map(|(errand, found)| run_one(stores, errand, found));
    stream::iter(errands).buffered(LEADS_AT_ONCE).try_collect().await
}

async fn run_one<B: CommandBus>(
    stores: Stores<'_, B>,
    errand: Errand,
    found: Option<Versioned<Customer>>,
) -> Result<Fate, RecycleError> {
    let mut found = found;
    for _ in 0..=CONFLICT_RETRIES_MAX {
        let Some(lead) = &found else { return settled(stores, &errand, Fate::Unreadable).await };
        let draft = match decide(stores, &errand, lead)? {
            Ok(draft) => draft,
            Err(fate) => return settled(stores, &errand, fate).await,
        };
        match stores.bus.append(draft).await {
            Ok(Appended::Committed { .. }) => return Ok(Fate::Done),
            Ok(Appended::Replayed(receipt)) => return Ok(Fate::of(receipt)),
            // Somebody did something with the lead in between: whether it still is to be done is asked again.
            Err(AppendError::Conflict { .. }) => {
                found = load_readable(stores.bus, &StreamId::from(errand.customer())).await?;
            }
            Err(error) => return Err(ExecuteError::Append(error)),
        }
    }
    settled(stores, &errand, Fate::Contended).await
}

/// The draft, or why there is nothing to do.
fn decide<B: CommandBus>(
    stores: Stores<'_, B>,
    errand: &Errand,
    found: &Versioned<Customer>,
) -> Result<Result<Draft, Fate>, RecycleError> {
    let at = stores.clock.now();
    if let Errand::Fall { planned, .. } = errand
        && found.state.owner().is_some_and(|owner| owner != planned.from)
    {
        // Whose it is now was not planned to lose it, however long it lay since.
        return Ok(Err(Fate::Touched));
    }
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
///
/// That a planned lead does not fall is written down: another process on the same run finds it, so that the end of the
/// run never says that a lead stayed which fell.
async fn settled<B: CommandBus>(
    stores: Stores<'_, B>,
    errand: &Errand,
    fate: Fate,
) -> Result<Fate, RecycleError> {
    let metadata = errand.metadata();
    let (Errand::Fall { .. }, Some(code)) = (errand, fate.code()) else {
        let receipt = stores.bus.receipt(metadata.command).await?;
        return Ok(receipt.map_or(fate, Fate::of));
    };
    let fingerprint = metadata.command.to_string();
    keep(stores.bus, (metadata, fingerprint), code, stores.clock.now()).await.map(Fate::from)
}
