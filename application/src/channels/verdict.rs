//! What a provider's code means for a message, and from there the outcome of the attempt. Every channel has a table
//! of codes; what the rows mean is the same everywhere and stands here (wechat-apis.md section 8).

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::notification::{Failure, FailureClass};

use crate::delivery::{Answer, Outcome, until_next_minute, until_tomorrow};

/// How long a channel rests whose settings an administrator must correct; then one delivery tries again.
const CONFIG_WAIT: Duration = Duration::from_mins(1);
/// How long to wait when a token was refused and the provider gave the same one again.
const TOKEN_WAIT: Duration = Duration::from_secs(30);
/// `WeCom` blocks for as long as the window of the limit that was passed, at least a minute (wechat-apis.md sections
/// 5.2 and 6); a little more, because its clock is not ours.
const BLOCKED_WAIT: Duration = Duration::from_secs(65);

/// What a code means for this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken.
    Accepted,
    /// The access token is no longer good: refresh it once and send again.
    Token,
    /// A definite no for good.
    Never(FailureClass),
    /// A definite no that has nothing to do with this message and that an administrator can end.
    AfterRepair,
    /// "Try again later"; after three of these the message is a dead letter, because each may have been carried
    /// out (wechat-apis.md section 0.4).
    Busy,
    /// Too many calls at the same time: try again by the schedule.
    Crowded,
    /// A quota that ends with the day in Beijing.
    UntilTomorrow,
    /// A quota that ends with the minute.
    UntilNextMinute,
    /// A limit on frequency that was passed: blocked for a while.
    Blocked,
    /// The provider itself does not know whether it was carried out.
    Uncertain,
}

/// What a table says of a code; `otherwise` when it does not name it.
pub(super) fn look_up(table: &[(i64, Verdict)], code: i64, otherwise: Verdict) -> Verdict {
    table.iter().find(|(known, _)| *known == code).map_or(otherwise, |(_, verdict)| *verdict)
}

/// What an answer means for the delivery, when `verdict` reads the codes.
pub(super) fn judge(answer: Answer, verdict: impl FnOnce(i64) -> Verdict, now: DateTime<Utc>) -> Outcome {
    match answer {
        Answer::Code { code, message, message_id } => {
            coded(verdict(code), Some(code), message, message_id, now)
        }
        Answer::NotSent(detail) | Answer::Gateway(detail) => {
            again(Failure { class: FailureClass::Unreachable, code: None, detail }, None, true)
        }
        Answer::NoAnswer(detail) => {
            Outcome::Unknown(Failure { class: FailureClass::Uncertain, code: None, detail })
        }
    }
}

/// What a verdict on a code means. A refused token arrives here only after it was refreshed once.
pub(super) fn coded(
    verdict: Verdict,
    code: Option<i64>,
    detail: String,
    message_id: Option<String>,
    now: DateTime<Utc>,
) -> Outcome {
    let failure = |class| Failure { class, code, detail };
    match verdict {
        Verdict::Accepted => Outcome::Accepted { provider_message_id: message_id },
        Verdict::Never(class) => Outcome::Rejected(failure(class)),
        Verdict::Token => again(failure(FailureClass::Token), Some(TOKEN_WAIT), false),
        Verdict::AfterRepair => again(failure(FailureClass::Config), Some(CONFIG_WAIT), false),
        Verdict::UntilTomorrow => again(failure(FailureClass::Quota), Some(until_tomorrow(now)), false),
        Verdict::UntilNextMinute => again(failure(FailureClass::Quota), Some(until_next_minute(now)), false),
        Verdict::Blocked => again(failure(FailureClass::Quota), Some(BLOCKED_WAIT), false),
        Verdict::Busy => again(failure(FailureClass::Busy), None, true),
        // Not `Busy`: a crowd is no reason to give up early.
        Verdict::Crowded => again(failure(FailureClass::Quota), None, true),
        Verdict::Uncertain => Outcome::Unknown(failure(FailureClass::Uncertain)),
    }
}

fn again(failure: Failure, after: Option<Duration>, counted: bool) -> Outcome {
    Outcome::Retry { failure, after, counted }
}

/// What the tables' tests share: one row says which codes end how.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// 22:59:30.5 in Beijing.
    pub(crate) fn now() -> DateTime<Utc> {
        "2026-03-01T14:59:30.5Z".parse().unwrap()
    }

    /// An answer with this code.
    pub(crate) fn code(code: i64) -> Answer {
        Answer::Code { code, message: "said".to_owned(), message_id: Some("9".to_owned()) }
    }

    /// The expectation a verdict stands for, spelled out once more, so that a changed wait is a failed test.
    pub(crate) fn expected(verdict: Verdict, code: Option<i64>) -> Outcome {
        let failure = |class| Failure { class, code, detail: "said".to_owned() };
        let wait = |class, ms: u64| Outcome::Retry {
            failure: failure(class),
            after: Some(Duration::from_millis(ms)),
            counted: false,
        };
        let soon = |class| Outcome::Retry { failure: failure(class), after: None, counted: true };
        match verdict {
            Verdict::Accepted => Outcome::Accepted { provider_message_id: Some("9".to_owned()) },
            Verdict::Never(class) => Outcome::Rejected(failure(class)),
            Verdict::Token => wait(FailureClass::Token, 30_000),
            Verdict::AfterRepair => wait(FailureClass::Config, 60_000),
            Verdict::UntilTomorrow => wait(FailureClass::Quota, 3_629_500),
            Verdict::UntilNextMinute => wait(FailureClass::Quota, 29_500),
            Verdict::Blocked => wait(FailureClass::Quota, 65_000),
            Verdict::Busy => soon(FailureClass::Busy),
            Verdict::Crowded => soon(FailureClass::Quota),
            Verdict::Uncertain => Outcome::Unknown(failure(FailureClass::Uncertain)),
        }
    }

    /// Every row of a specification's table has its outcome, and the table has no row that nobody expects.
    pub(crate) fn check_table(
        table: &[(i64, Verdict)],
        outcome: impl Fn(Answer, DateTime<Utc>) -> Outcome,
        rows: &[(&[i64], Verdict)],
    ) {
        for (codes, verdict) in rows {
            for known in *codes {
                assert_eq!(outcome(code(*known), now()), expected(*verdict, Some(*known)), "{known}");
            }
        }
        let tested: Vec<i64> = rows.iter().flat_map(|(codes, _)| codes.to_vec()).collect();
        for (at, (known, _)) in table.iter().enumerate() {
            assert!(tested.contains(known), "no expectation for {known}");
            assert!(table[..at].iter().all(|(earlier, _)| earlier != known), "{known} is named twice");
        }
        check_transport(outcome);
    }

    fn check_transport(outcome: impl Fn(Answer, DateTime<Utc>) -> Outcome) {
        let said = || "said".to_owned();
        let failure = |class| Failure { class, code: None, detail: said() };
        let unreachable =
            Outcome::Retry { failure: failure(FailureClass::Unreachable), after: None, counted: true };
        assert_eq!(outcome(Answer::NotSent(said()), now()), unreachable);
        assert_eq!(outcome(Answer::Gateway(said()), now()), unreachable);
        let uncertain = Outcome::Unknown(failure(FailureClass::Uncertain));
        assert_eq!(outcome(Answer::NoAnswer(said()), now()), uncertain);
    }
}
