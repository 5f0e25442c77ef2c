//! From the outcome of an attempt to what is recorded of it. The one place that decides between "again", "never"
//! and "nobody knows", and what becomes of the credit.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Conclusion, Failure, FailureClass};

use super::{Contract, Outcome, RetrySchedule};

/// Least wait before an attempt that did not count is repeated.
const UNCOUNTED_WAIT: Duration = Duration::from_secs(30);

/// What happened to the delivery before and with this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct History {
    /// Attempts that count, this one included.
    pub counted: i64,
    /// How often the provider said "busy" before.
    pub busy_answers: i64,
    /// Whether an earlier attempt may have arrived.
    pub maybe_arrived: bool,
    /// When the first attempt began.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// From here on the next channel of the route speaks instead; `None` when none stands by.
    pub fallback_at: Option<DateTime<Utc>>,
}

/// By what an attempt is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// When to try again.
    pub schedule: &'r RetrySchedule,
    /// What the channel promises.
    pub contract: &'r Contract,
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
    rules: Rules<'_>,
    now: DateTime<Utc>,
    chance: f64,
) -> Settled {
    match outcome {
        Outcome::Accepted { provider_message_id } => Settled {
            conclusion: Conclusion::Accepted { provider_message_id },
            credit: CreditAction::Consume,
        },
        Outcome::Unknown(failure) => unknown(failure, history, rules, now, chance),
        Outcome::Rejected(failure) => rejected(failure, history),
        Outcome::Retry { failure, after, counted } => {
            let wait = wait(&failure, after.unwrap_or_default(), counted, history, rules.schedule, chance);
            again(failure, wait, counted, history, now)
        }
    }
}

/// Sent again only while the provider recognises the repetition.
fn unknown(failure: Failure, history: History, rules: Rules<'_>, now: DateTime<Utc>, chance: f64) -> Settled {
    let due_at = rules.schedule.wait(history.counted, chance).and_then(|wait| later(now, wait));
    match due_at {
        Some(due_at) if rules.contract.recognises(history.first_attempt_at, due_at) => Settled {
            conclusion: Conclusion::Retry { failure, due_at, counted: true },
            credit: CreditAction::Keep,
        },
        _ => Settled { conclusion: Conclusion::Uncertain(failure), credit: CreditAction::Keep },
    }
}

/// An earlier attempt may have arrived, and used the last credit: then nobody refused anything (wechat-apis.md
/// section 8.2).
fn rejected(failure: Failure, history: History) -> Settled {
    let credit = if failure.class == FailureClass::Consent {
        let reason = failure.code.map_or_else(|| "no_credit".to_owned(), |code| code.to_string());
        CreditAction::Zero { reason }
    } else if history.maybe_arrived {
        CreditAction::Keep
    } else {
        CreditAction::Return
    };
    let conclusion =
        if history.maybe_arrived { Conclusion::Uncertain(failure) } else { Conclusion::Rejected(failure) };
    Settled { conclusion, credit }
}

/// How long to wait for the next attempt; `None` when there is none.
fn wait(
    failure: &Failure,
    after: Duration,
    counted: bool,
    history: History,
    schedule: &RetrySchedule,
    chance: f64,
) -> Option<Duration> {
    if !counted {
        // A hint for a wait that does not count is exact (the end of a quota's window).
        return Some(if after.is_zero() { UNCOUNTED_WAIT } else { after });
    }
    let too_busy = failure.class == FailureClass::Busy && schedule.is_too_busy(history.busy_answers + 1);
    // A hint beside the schedule only delays it.
    schedule.wait(history.counted, chance).filter(|_| !too_busy).map(|wait| wait.max(after))
}

/// Another attempt, unless none is left or the next channel would speak before it.
fn again(
    failure: Failure,
    wait: Option<Duration>,
    counted: bool,
    history: History,
    now: DateTime<Utc>,
) -> Settled {
    let due_at = wait.map(|wait| later(now, wait).unwrap_or(DateTime::<Utc>::MAX_UTC));
    match due_at.filter(|due_at| history.fallback_at.is_none_or(|fallback| *due_at < fallback)) {
        Some(due_at) => {
            Settled { conclusion: Conclusion::Retry { failure, due_at, counted }, credit: CreditAction::Keep }
        }
        None if history.maybe_arrived => {
            Settled { conclusion: Conclusion::Uncertain(failure), credit: CreditAction::Keep }
        }
        None => Settled { conclusion: Conclusion::Died(failure), credit: CreditAction::Return },
    }
}

fn later(now: DateTime<Utc>, wait: Duration) -> Option<DateTime<Utc>> {
    TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait))
}

#[cfg(test)]
mod tests {
    use domain::notification::Channel;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn failure(class: FailureClass, code: Option<i64>) -> Failure {
        Failure { class, code, detail: "why".to_owned() }
    }

    fn check(outcome: Outcome, history: History, conclusion: Conclusion, credit: CreditAction) {
        let what = format!("{outcome:?} {history:?}");
        let contract = Contract::of(Channel::WechatSubscribe);
        let rules = Rules { schedule: &RetrySchedule::default(), contract: &contract };
        let settled = settle(outcome, history, rules, now(), 0.5);
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
        let busy = |busy_answers| History { counted: 1, busy_answers, ..History::default() };
        check(again(Busy, None, true), busy(1), due(Busy, 1, true), keep());
        check(again(Busy, Some(5), false), busy(9), due(Busy, 5, false), keep());
        let dead = Conclusion::Died(failure(Busy, None));
        check(again(Busy, None, true), busy(2), dead, CreditAction::Return);
    }

    #[test]
    fn the_next_channel_speaks_when_the_next_attempt_would_come_too_late() {
        use FailureClass::{Quota, Unreachable};
        let standing_by =
            |seconds| History { fallback_at: Some(now() + TimeDelta::seconds(seconds)), ..first() };
        let dead = |class| Conclusion::Died(failure(class, None));
        check(again(Unreachable, None, true), standing_by(2), due(Unreachable, 1, true), CreditAction::Keep);
        check(again(Unreachable, None, true), standing_by(1), dead(Unreachable), CreditAction::Return);
        check(again(Quota, Some(3600), false), standing_by(300), dead(Quota), CreditAction::Return);
        let maybe = History { maybe_arrived: true, ..standing_by(1) };
        let unknown = Conclusion::Uncertain(failure(Unreachable, None));
        check(again(Unreachable, None, true), maybe, unknown, CreditAction::Keep);
    }

    #[test]
    fn an_unknown_arrival_is_repeated_only_while_the_provider_recognises_it() {
        let why = || failure(FailureClass::Uncertain, None);
        let began = |ago| History { first_attempt_at: Some(now() - TimeDelta::seconds(ago)), ..first() };
        let again =
            || Conclusion::Retry { failure: why(), due_at: now() + TimeDelta::seconds(1), counted: true };
        let rows = [
            (Channel::WecomApp, 0, true),
            (Channel::WecomApp, 4 * 3600 - 602, true),
            (Channel::WecomApp, 4 * 3600 - 601, false),
            (Channel::WechatOfficial, 478, true),
            (Channel::WechatOfficial, 479, false),
            (Channel::WechatCloud, 3600, true),
            (Channel::WechatSubscribe, 0, false),
            (Channel::WecomRobot, 0, false),
        ];
        for (channel, ago, repeated) in rows {
            let contract = Contract::of(channel);
            let rules = Rules { schedule: &RetrySchedule::default(), contract: &contract };
            let settled = settle(Outcome::Unknown(why()), began(ago), rules, now(), 0.5);
            let conclusion = if repeated { again() } else { Conclusion::Uncertain(why()) };
            assert_eq!(settled, Settled { conclusion, credit: CreditAction::Keep }, "{channel} {ago}");
        }
        let unknown = Outcome::Unknown(why());
        check(unknown, first(), Conclusion::Uncertain(why()), CreditAction::Keep);
    }
}
