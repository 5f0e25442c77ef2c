//! From what use cases and storage say to what a client is told: the one table of it.
//!
//! What storage says goes to the log, once, here; the client learns only that it may try again.

use application::access::{self, Caller, RowScope};
use application::bus::{AppendError, CommandBus as _, ExecuteError, LoadError};
use application::customers::{BatchItemRefusal, Refusal};
use application::imports::ImportRefusal;
use chrono::{DateTime, Utc};
use domain::customer::CustomerError;
use domain::inbox::{InboxError, SNOOZE_DAYS_MAX};
use domain::staff::Staff;
use domain::{CustomerId, Sequence, StaffId, StreamId};
use infrastructure::db::DbError;
use serde_json::json;

use super::problem::{self, Kind, Problem};
use super::text::{Language, Text};
use super::time::Millis;
use crate::app::App;

/// Seconds after which a client may try again when the appender's queue is full: it drains within one.
const BUSY_SECONDS: u64 = 1;

/// Seconds after which a client may try again when the store is away.
const UNAVAILABLE_SECONDS: u64 = 5;

/// Why a customer command did not happen, in the caller's terms.
pub async fn customer_problem(app: &App, caller: &Caller, error: ExecuteError<Refusal>) -> Problem {
    match error {
        ExecuteError::Refused(Refusal::Stale { owner, sequence }) => {
            conflict(app, caller, owner, sequence).await
        }
        ExecuteError::Refused(refusal @ Refusal::ClaimTooSoon { until }) => {
            refused(&refusal).retry_after(seconds_until(until, app.clock.now()))
        }
        ExecuteError::Refused(refusal) => refused(&refusal),
        other => execute_problem(other),
    }
}

/// Why a command did not happen that nobody is logged in for.
pub fn anonymous_problem(error: ExecuteError<Refusal>) -> Problem {
    match error {
        ExecuteError::Refused(refusal) => refused(&refusal),
        other => execute_problem(other),
    }
}

/// Why nothing of a batch was done: as the first item when all say the same, else as a batch; item by item in the
/// details, in the client's language.
pub async fn nothing_done(
    app: &App,
    caller: &Caller,
    items: &[(CustomerId, BatchItemRefusal)],
    language: Language,
) -> Problem {
    let told = |(id, refusal): &(CustomerId, BatchItemRefusal)| json!({ "customerId": id, "code": refusal.code(), "error": item_text(refusal).get(language) });
    let errors: Vec<_> = items.iter().map(told).collect();
    let Some((_, first)) = items.first() else { return Problem::of(&problem::BATCH_REFUSED) };
    let alike = items.iter().all(|(_, refusal)| refusal.code() == first.code());
    let (problem, mut details) = if alike {
        item(app, caller, first).await
    } else {
        (Problem::of(&problem::BATCH_REFUSED), json!({}))
    };
    details["errors"] = json!(errors);
    problem.details(details)
}

/// What the refusal of one item is called in the catalogue.
fn item_kind(refusal: &BatchItemRefusal) -> &'static Kind {
    match refusal {
        BatchItemRefusal::CustomerNotFound => &problem::CUSTOMER_NOT_FOUND,
        BatchItemRefusal::VersionConflict => &problem::VERSION_CONFLICT,
        BatchItemRefusal::NotInPool { .. } => &problem::NOT_IN_POOL,
        BatchItemRefusal::AlreadyInPool => &problem::ALREADY_IN_POOL,
        BatchItemRefusal::NotOwned => &problem::NOT_OWNED,
        BatchItemRefusal::Frozen => &problem::FROZEN,
        BatchItemRefusal::NotYours => &problem::NOT_OWNER,
        BatchItemRefusal::HoldingLimit { .. } | BatchItemRefusal::OwnerHoldingLimit { .. } => {
            &problem::HOLDING_LIMIT
        }
        BatchItemRefusal::ClaimQuota { .. } => &problem::CLAIM_QUOTA,
        BatchItemRefusal::CoolOff { .. } => &problem::COOL_OFF,
    }
}

/// Why one item of a batch was not done.
pub fn item_text(refusal: &BatchItemRefusal) -> Text {
    Text::with(refusal.to_string(), item_kind(refusal).text.en.clone())
}

async fn item(app: &App, caller: &Caller, refusal: &BatchItemRefusal) -> (Problem, serde_json::Value) {
    let details = match refusal {
        BatchItemRefusal::NotInPool { owner } => json!({ "currentOwner": named(app, caller, *owner).await }),
        BatchItemRefusal::HoldingLimit { limit, current }
        | BatchItemRefusal::OwnerHoldingLimit { limit, current }
        | BatchItemRefusal::ClaimQuota { limit, current } => {
            json!({ "limit": limit, "current": current })
        }
        BatchItemRefusal::CoolOff { until } => json!({ "until": Millis(*until) }),
        _ => json!({}),
    };
    (Problem::of(item_kind(refusal)).text(item_text(refusal)), details)
}

/// Why an import did not happen.
pub fn import_problem(error: ExecuteError<ImportRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(ImportRefusal::Forbidden(zh)) => {
            let forbidden = Problem::of(&problem::FORBIDDEN);
            let en = forbidden.text.en.clone();
            forbidden.text(Text::with(zh, en))
        }
        other => execute_problem(other),
    }
}

/// Why something was not done with notices.
pub fn inbox_problem(error: ExecuteError<InboxError>) -> Problem {
    let ExecuteError::Refused(refusal) = error else { return execute_problem(error) };
    let until = |en: String| {
        let text = Text::with(refusal.to_string(), en);
        Problem::of(&problem::REFUSED_VALUE).text(text).details(json!({ "path": "until" }))
    };
    match refusal {
        InboxError::TooMany => Problem::of(&problem::INVALID_REQUEST)
            .text(Text::with(refusal.to_string(), "Too many notifications at once")),
        InboxError::NotInFuture => until("until must be an instant to come".to_owned()),
        InboxError::TooFarAway => until(format!("until must be at most {SNOOZE_DAYS_MAX} days away")),
        InboxError::UnknownToken => Problem::of(&problem::UNDO_TOKEN_UNKNOWN),
        InboxError::TooLate => Problem::of(&problem::UNDO_TOO_LATE),
        InboxError::AlreadyUndone => Problem::of(&problem::ALREADY_UNDONE),
    }
}

/// The conflict with who has the customer now, for those who may know.
async fn conflict(app: &App, caller: &Caller, owner: Option<StaffId>, sequence: Sequence) -> Problem {
    let owner = named(app, caller, owner).await;
    Problem::of(&problem::VERSION_CONFLICT).details(json!({ "currentOwner": owner, "version": sequence }))
}

/// Whole seconds to wait, at least one: who comes back then is not too soon again.
fn seconds_until(until: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
    let milliseconds = u64::try_from((until - now).num_milliseconds()).unwrap_or_default();
    milliseconds.div_ceil(1000).max(1)
}

/// Id and name of an owner, for those who may know.
async fn named(app: &App, caller: &Caller, owner: Option<StaffId>) -> serde_json::Value {
    let permitted = owner == Some(caller.id) || access::detail_scope(caller) == RowScope::All;
    match owner {
        Some(owner) if permitted => {
            let staff = app.bus.load::<Staff>(&StreamId::from(owner)).await.ok();
            let name = staff.and_then(|staff| staff.state.account).map(|account| account.name);
            json!({ "id": owner, "name": name })
        }
        _ => serde_json::Value::Null,
    }
}

fn refused(refusal: &Refusal) -> Problem {
    match refusal {
        Refusal::Rule(CustomerError::NotFound) => Problem::of(&problem::CUSTOMER_NOT_FOUND),
        Refusal::Rule(CustomerError::AlreadyExists) => Problem::of(&problem::CONFLICT),
        Refusal::Rule(CustomerError::MissingContact) => Problem::of(&problem::MISSING_CONTACT),
        Refusal::Rule(error @ CustomerError::MissingName) => Problem::of(&problem::REFUSED_VALUE)
            .text(Text::with(error.to_string(), "The name must not be empty")),
        Refusal::Rule(error @ CustomerError::EmptyFollowUp) => Problem::of(&problem::REFUSED_VALUE)
            .text(Text::with(error.to_string(), "The follow-up must say something")),
        Refusal::Rule(CustomerError::NotInPool) => Problem::of(&problem::NOT_IN_POOL),
        Refusal::Rule(CustomerError::AlreadyInPool) => Problem::of(&problem::ALREADY_IN_POOL),
        Refusal::Rule(CustomerError::NotOwned) => Problem::of(&problem::NOT_OWNED),
        Refusal::Rule(CustomerError::Frozen) => Problem::of(&problem::FROZEN),
        Refusal::Rule(CustomerError::AlreadyFrozen) => Problem::of(&problem::ALREADY_FROZEN),
        Refusal::Rule(CustomerError::NotFrozen) => Problem::of(&problem::NOT_FROZEN),
        Refusal::Rule(CustomerError::NotEligible(reason)) => Problem::of(&problem::CONFLICT)
            .text(Text::with(reason.zh(), reason.en()))
            .details(json!({ "reason": reason.code() })),
        Refusal::Rule(error @ CustomerError::NotDue { at }) => Problem::of(&problem::CONFLICT)
            .text(Text::with(error.to_string(), "It is not due yet"))
            .details(json!({ "dueAt": at.map(Millis) })),
        Refusal::Rule(CustomerError::CoolOff { until }) => {
            Problem::of(&problem::COOL_OFF).details(json!({ "until": Millis(*until) }))
        }
        Refusal::Forbidden(zh) => {
            let forbidden = Problem::of(&problem::FORBIDDEN);
            let en = forbidden.text.en.clone();
            forbidden.text(Text::with(*zh, en))
        }
        Refusal::NotOwner => Problem::of(&problem::NOT_OWNER),
        Refusal::StaffNotFound => Problem::of(&problem::STAFF_NOT_FOUND),
        Refusal::StaffInactive => Problem::of(&problem::STAFF_INACTIVE),
        Refusal::StaffNotAssignable => Problem::of(&problem::STAFF_NOT_ASSIGNABLE),
        Refusal::DuplicatePhone => Problem::of(&problem::DUPLICATE_PHONE),
        Refusal::DuplicateWechat => Problem::of(&problem::DUPLICATE_WECHAT),
        Refusal::PhoneTaken => Problem::of(&problem::DUPLICATE_PHONE)
            .text(Text::with(refusal.to_string(), "Another customer has this phone")),
        Refusal::WechatTaken => Problem::of(&problem::DUPLICATE_WECHAT)
            .text(Text::with(refusal.to_string(), "Another customer has this WeChat id")),
        Refusal::HoldingLimit { limit, current } => {
            let english = format!("The assignee has reached the holding limit of {limit} customers");
            Problem::of(&problem::HOLDING_LIMIT)
                .text(Text::with(refusal.to_string(), english))
                .details(json!({ "limit": limit, "current": current }))
        }
        // When to try again is told by who knows what time it is.
        Refusal::ClaimTooSoon { until } => {
            Problem::of(&problem::CLAIM_TOO_SOON).details(json!({ "until": Millis(*until) }))
        }
        Refusal::Batch(_) => Problem::of(&problem::BATCH_REFUSED),
        // Told with its details by the only caller that can load them.
        Refusal::Stale { sequence, .. } => {
            Problem::of(&problem::VERSION_CONFLICT).details(json!({ "version": sequence }))
        }
    }
}

pub(super) fn execute_problem<R: std::error::Error>(error: ExecuteError<R>) -> Problem {
    match error {
        ExecuteError::Append(error) => append_problem(&error),
        ExecuteError::Load(error) => load_problem(&error),
        ExecuteError::Encode(reason) => {
            tracing::error!(error = %reason, "an event or a receipt cannot be written or read");
            Problem::of(&problem::INTERNAL)
        }
        ExecuteError::Refused(refusal) => {
            tracing::error!(error = %refusal, "a refusal has no problem of its own");
            Problem::of(&problem::CONFLICT)
        }
    }
}

/// What the store says of a command.
pub(super) fn append_problem(error: &AppendError) -> Problem {
    match error {
        AppendError::Conflict { .. } | AppendError::Taken { .. } => Problem::of(&problem::CONFLICT),
        AppendError::KeyReused => Problem::of(&problem::IDEMPOTENCY_KEY_REUSED),
        AppendError::Busy => Problem::of(&problem::BUSY).retry_after(BUSY_SECONDS),
        other => {
            tracing::error!(error = %other, "an append failed");
            Problem::of(&problem::UNAVAILABLE).retry_after(UNAVAILABLE_SECONDS)
        }
    }
}

/// Why an aggregate cannot be shown.
pub fn load_problem(error: &LoadError) -> Problem {
    tracing::error!(error = %error, "an aggregate cannot be loaded");
    match error {
        LoadError::Undecodable { .. } => Problem::of(&problem::INTERNAL),
        LoadError::Unavailable(_) => Problem::of(&problem::UNAVAILABLE).retry_after(UNAVAILABLE_SECONDS),
    }
}

/// Why a read model cannot be asked.
pub fn db_problem(error: &DbError) -> Problem {
    tracing::error!(error = %error, "a query failed");
    match error {
        DbError::Corrupt { .. } => Problem::of(&problem::INTERNAL),
        _ => Problem::of(&problem::UNAVAILABLE).retry_after(UNAVAILABLE_SECONDS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_the_status_of_who_must_act() {
        for (refusal, status, code) in [
            (Refusal::Rule(CustomerError::NotFound), 404, "CUSTOMER_NOT_FOUND"),
            (Refusal::Rule(CustomerError::MissingContact), 422, "MISSING_CONTACT"),
            (Refusal::Rule(CustomerError::MissingName), 422, "VALIDATION_FAILED"),
            (Refusal::Rule(CustomerError::EmptyFollowUp), 422, "VALIDATION_FAILED"),
            (Refusal::Rule(CustomerError::NotInPool), 409, "NOT_IN_POOL"),
            (Refusal::Rule(CustomerError::AlreadyInPool), 409, "ALREADY_IN_POOL"),
            (Refusal::Rule(CustomerError::NotOwned), 409, "NOT_OWNED"),
            (Refusal::Rule(CustomerError::Frozen), 409, "FROZEN"),
            (Refusal::Rule(CustomerError::AlreadyFrozen), 409, "ALREADY_FROZEN"),
            (Refusal::Rule(CustomerError::NotFrozen), 409, "NOT_FROZEN"),
            (Refusal::Rule(CustomerError::CoolOff { until: chrono::DateTime::UNIX_EPOCH }), 409, "COOL_OFF"),
            (Refusal::Forbidden("无权限创建客户"), 403, "FORBIDDEN"),
            (Refusal::NotOwner, 403, "NOT_OWNER"),
            (Refusal::StaffNotFound, 422, "STAFF_NOT_FOUND"),
            (Refusal::StaffInactive, 422, "STAFF_INACTIVE"),
            (Refusal::StaffNotAssignable, 422, "STAFF_NOT_ASSIGNABLE"),
            (Refusal::DuplicatePhone, 409, "DUPLICATE_PHONE"),
            (Refusal::DuplicateWechat, 409, "DUPLICATE_WECHAT"),
            (Refusal::PhoneTaken, 409, "DUPLICATE_PHONE"),
            (Refusal::WechatTaken, 409, "DUPLICATE_WECHAT"),
            (Refusal::HoldingLimit { limit: 50, current: 50 }, 409, "HOLDING_LIMIT"),
            (Refusal::ClaimTooSoon { until: chrono::DateTime::UNIX_EPOCH }, 429, "CLAIM_TOO_SOON"),
            (Refusal::Batch(vec![]), 409, "BATCH_REFUSED"),
            (Refusal::Stale { owner: None, sequence: 3 }, 409, "VERSION_CONFLICT"),
        ] {
            let problem = refused(&refusal);
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
            assert_eq!(problem.text.zh, refusal.to_string(), "the words are system A's");
        }
    }

    #[test]
    fn every_refusal_of_an_inbox_has_its_words() {
        for (refusal, status, code) in [
            (InboxError::TooMany, 400, "VALIDATION_FAILED"),
            (InboxError::NotInFuture, 422, "VALIDATION_FAILED"),
            (InboxError::TooFarAway, 422, "VALIDATION_FAILED"),
            (InboxError::UnknownToken, 404, "UNDO_TOKEN_UNKNOWN"),
            (InboxError::AlreadyUndone, 409, "ALREADY_UNDONE"),
            (InboxError::TooLate, 410, "UNDO_TOO_LATE"),
        ] {
            let problem = inbox_problem(ExecuteError::Refused(refusal));
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
            assert_eq!(problem.text.zh, refusal.to_string());
        }
    }

    #[test]
    fn what_the_store_says_stays_with_us() {
        let secret = "password authentication failed for user leadwire";
        for problem in [
            append_problem(&AppendError::Unavailable(secret.into())),
            load_problem(&LoadError::Unavailable(secret.into())),
        ] {
            assert_eq!(problem.kind.status.as_u16(), 503);
            assert!(problem.retry_after_seconds.is_some());
            assert!(!format!("{problem:?}").contains("leadwire"));
        }
        assert_eq!(append_problem(&AppendError::Busy).kind.code, "BUSY");
        assert_eq!(append_problem(&AppendError::KeyReused).kind.status.as_u16(), 422);
    }
}
