//! From the outcome of an attempt to what is recorded of it. The one place that decides between "again", "never"
//! and "nobody knows", and what becomes of the credit.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Conclusion, Failure, FailureClass};

use super::{Outcome, RetrySchedule};

/// Least wait before an attempt that did not count is repeated.
const UNCOUNTED_WAIT: Duration = Duration::from_secs(30);

/// What happened to the delivery before and with this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    /// Attempts that count, this one included.
    pub counted: i64,
    /// How often the provider said "busy" before.
    pub busy_answers: i64,
    /// Whether an earlier attempt may have arrived: an operator asked to send it again all the same.
    pub maybe_arrived: bool,
}

/// What becomes of the reserved credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditAction {
    /// Spent: the message was taken.
    Consume,
    /// Back: the message was definitely not taken and will not be tried again.
    Return,
    /// The provider says that the person has none.
    Zero {
        /// The provider's code, in words.
        reason: String,
    },
    /// Stays reserved: another attempt needs it, or nobody knows whether it was spent.
    Keep,
}

/// What is recorded of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// For the notice.
    pub conclusion: Conclusion,
    /// For the ledger.
    pub credit: CreditAction,
}

/// Judges one attempt. `chance` in `0.0..1.0` moves the next one within the schedule's jitter.
pub fn settle(
    outcome: Outcome,
    history: History,
    schedule: &RetrySchedule,
    now: DateTime<Utc>,
    chance: f64,
) -> Settled {
    match outcome {
        Outcome::Accepted { provider_message_id } => Settled {
            conclusion: Conclusion::Accepted { provider_message_id },
            credit: CreditAction::Consume,
        },
        Outcome::Unknown(failure) => {
            Settled { conclusion: Conclusion::Uncertain(failure), credit: CreditAction::Keep }
        }
        Outcome::Rejected(failure) => rejected(failure, history),
        Outcome::Retry { failure, after, counted } => {
            retry(failure, after.unwrap_or_default(), counted, history, schedule, now, chance)
        }
    }
}

fn rejected(failure: Failure, history: History) -> Settled {
    if failure.class != FailureClass::Consent {
        return Settled { conclusion: Conclusion::Rejected(failure), credit: CreditAction::Return };
    }
    let reason = failure.code.map_or_else(|| "no_credit".to_owned(), |code| code.to_string());
    // The earlier attempt may have arrived and used the last credit: then the person did not refuse anything
    // (wechat-apis.md section 8.2).
    let conclusion =
        if history.maybe_arrived { Conclusion::Uncertain(failure) } else { Conclusion::Rejected(failure) };
    Settled { conclusion, credit: CreditAction::Zero { reason } }
}

fn retry(
    failure: Failure,
    after: Duration,
    counted: bool,
    history: History,
    schedule: &RetrySchedule,
    now: DateTime<Utc>,
    chance: f64,
) -> Settled {
    let too_busy =
        counted && failure.class == FailureClass::Busy && schedule.is_too_busy(history.busy_answers + 1);
    let wait = if counted { schedule.wait(history.counted, chance) } else { Some(UNCOUNTED_WAIT) };
    let Some(wait) = wait.filter(|_| !too_busy) else {
        return Settled { conclusion: Conclusion::Died(failure), credit: CreditAction::Return };
    };
    // A hint for a wait that does not count is exact (the end of a quota's window), one beside the schedule only
    // delays it.
    let wait = if !counted && !after.is_zero() { after } else { wait.max(after) };
    let due_at = TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait));
    let due_at = due_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    Settled { conclusion: Conclusion::Retry { failure, due_at, counted }, credit: CreditAction::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn failure(class: FailureClass, code: Option<i64>) -> Failure {
        Failure { class, code, detail: "why".to_owned() }
    }

    fn check(outcome: Outcome, history: History, conclusion: Conclusion, credit: CreditAction) {
        let what = format!("{outcome:?} {history:?}");
        let settled = settle(outcome, history, &RetrySchedule::default(), now(), 0.5);
        assert_eq!(settled, Settled { conclusion, credit }, "{what}");
    }

    fn first() -> History {
        History { counted: 1, ..History::default() }
    }

    fn again(class: FailureClass, after: Option<u64>, counted: bool) -> Outcome {
        Outcome::Retry { failure: failure(class, None), after: after.map(Duration::from_secs), counted }
    }

    fn due(class: FailureClass, seconds: i64, counted: bool) -> Conclusion {
        let due_at = now() + TimeDelta::seconds(seconds);
        Conclusion::Retry { failure: failure(class, None), due_at, counted }
    }

    #[test]
    fn definite_answers_settle_the_credit() {
        let id = Some("7".to_owned());
        check(
            Outcome::Accepted { provider_message_id: id.clone() },
            first(),
            Conclusion::Accepted { provider_message_id: id },
            CreditAction::Consume,
        );
        let content = failure(FailureClass::Content, Some(47003));
        check(
            Outcome::Rejected(content.clone()),
            first(),
            Conclusion::Rejected(content),
            CreditAction::Return,
        );
        let refused = failure(FailureClass::Consent, Some(43101));
        let zero = CreditAction::Zero { reason: "43101".to_owned() };
        check(
            Outcome::Rejected(refused.clone()),
            first(),
            Conclusion::Rejected(refused.clone()),
            zero.clone(),
        );
        let twice = History { maybe_arrived: true, ..first() };
        check(Outcome::Rejected(refused.clone()), twice, Conclusion::Uncertain(refused), zero);
    }

    #[test]
    fn nobody_knows_keeps_the_credit() {
        let why = failure(FailureClass::Uncertain, None);
        check(Outcome::Unknown(why.clone()), first(), Conclusion::Uncertain(why), CreditAction::Keep);
    }

    #[test]
    fn retries_follow_the_schedule_and_hints_only_delay() {
        use FailureClass::{Busy, Quota, Token, Unreachable};
        let keep = || CreditAction::Keep;
        check(again(Unreachable, None, true), first(), due(Unreachable, 1, true), keep());
        check(again(Unreachable, Some(90), true), first(), due(Unreachable, 90, true), keep());
        let fifth = History { counted: 5, ..History::default() };
        check(again(Unreachable, Some(3), true), fifth, due(Unreachable, 60, true), keep());
        check(again(Token, None, false), fifth, due(Token, 30, false), keep());
        check(again(Quota, Some(7), false), fifth, due(Quota, 7, false), keep());
        let last = History { counted: 10, ..History::default() };
        check(again(Quota, Some(3600), false), last, due(Quota, 3600, false), keep());
        let dead = Conclusion::Died(failure(Unreachable, None));
        check(again(Unreachable, None, true), last, dead, CreditAction::Return);
        let busy = |busy_answers| History { counted: 1, busy_answers, maybe_arrived: false };
        check(again(Busy, None, true), busy(1), due(Busy, 1, true), keep());
        check(again(Busy, Some(5), false), busy(9), due(Busy, 5, false), keep());
        let dead = Conclusion::Died(failure(Busy, None));
        check(again(Busy, None, true), busy(2), dead, CreditAction::Return);
    }
}
