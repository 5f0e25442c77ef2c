//! What WeChat's answers to `subscribe/send` mean (wechat-apis.md sections 1.2, 2.3 and 8). The table is data; the
//! test walks through every row of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::notification::{Failure, FailureClass};

use crate::delivery::{Answer, Outcome, until_next_minute, until_tomorrow};

/// How long a channel rests whose settings an administrator must correct; then one delivery tries again.
const CONFIG_WAIT: Duration = Duration::from_mins(1);

/// How long to wait when a token was refused and the provider gave the same one again.
const TOKEN_WAIT: Duration = Duration::from_secs(30);

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
    /// Somebody else is sending to this person right now: try again by the schedule.
    Crowded,
    /// A quota that ends with the day in Beijing.
    UntilTomorrow,
    /// A quota that ends with the minute.
    UntilNextMinute,
}

/// Every documented code. A code that is not here is a definite no of unknown meaning: it is treated as
/// [`Verdict::Busy`], so it is tried a few times and then shown to a person with its code.
pub const CODES: &[(i64, Verdict)] = &[
    (0, Verdict::Accepted),
    (-1, Verdict::Busy),
    (40001, Verdict::Token),
    (40014, Verdict::Token),
    (42001, Verdict::Token),
    (40003, Verdict::Never(FailureClass::Recipient)),
    (40037, Verdict::Never(FailureClass::Config)),
    (41001, Verdict::Never(FailureClass::Config)),
    (41030, Verdict::Never(FailureClass::Config)),
    (43002, Verdict::Never(FailureClass::Config)),
    (43101, Verdict::Never(FailureClass::Consent)),
    (43107, Verdict::Never(FailureClass::Config)),
    (43108, Verdict::Crowded),
    (44002, Verdict::Never(FailureClass::Content)),
    (45168, Verdict::Never(FailureClass::Content)),
    (47001, Verdict::Never(FailureClass::Content)),
    (47003, Verdict::Never(FailureClass::Content)),
    (45009, Verdict::UntilTomorrow),
    (45011, Verdict::UntilNextMinute),
    (40164, Verdict::AfterRepair),
    (45035, Verdict::AfterRepair),
    (61004, Verdict::AfterRepair),
    (45109, Verdict::Never(FailureClass::Config)),
    (48001, Verdict::Never(FailureClass::Config)),
    (48004, Verdict::Never(FailureClass::Config)),
    (50002, Verdict::Never(FailureClass::Config)),
];

/// What a code means.
pub fn verdict(code: i64) -> Verdict {
    CODES.iter().find(|(known, _)| *known == code).map_or(Verdict::Busy, |(_, verdict)| *verdict)
}

/// What an answer means for the delivery. A refused token arrives here only after it was refreshed once.
pub fn outcome(answer: Answer, now: DateTime<Utc>) -> Outcome {
    let (code, message, message_id) = match answer {
        Answer::Code { code, message, message_id } => (code, message, message_id),
        Answer::NotSent(detail) | Answer::Gateway(detail) => {
            return again(FailureClass::Unreachable, None, detail, None, true);
        }
        Answer::NoAnswer(detail) => {
            return Outcome::Unknown(Failure { class: FailureClass::Uncertain, code: None, detail });
        }
    };
    let wait = |class, after, counted| again(class, Some(code), message.clone(), after, counted);
    match verdict(code) {
        Verdict::Accepted => Outcome::Accepted { provider_message_id: message_id },
        Verdict::Never(class) => Outcome::Rejected(Failure { class, code: Some(code), detail: message }),
        Verdict::Token => wait(FailureClass::Token, Some(TOKEN_WAIT), false),
        Verdict::AfterRepair => wait(FailureClass::Config, Some(CONFIG_WAIT), false),
        Verdict::UntilTomorrow => wait(FailureClass::Quota, Some(until_tomorrow(now)), false),
        Verdict::UntilNextMinute => wait(FailureClass::Quota, Some(until_next_minute(now)), false),
        Verdict::Busy => wait(FailureClass::Busy, None, true),
        // Not `Busy`: a crowd is no reason to give up early.
        Verdict::Crowded => wait(FailureClass::Quota, None, true),
    }
}

fn again(
    class: FailureClass,
    code: Option<i64>,
    detail: String,
    after: Option<Duration>,
    counted: bool,
) -> Outcome {
    Outcome::Retry { failure: Failure { class, code, detail }, after, counted }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected = Box<dyn Fn(i64) -> Outcome>;

    fn now() -> DateTime<Utc> {
        "2026-03-01T15:59:30.5Z".parse().unwrap()
    }

    fn code(code: i64) -> Answer {
        Answer::Code { code, message: "said".to_owned(), message_id: Some("9".to_owned()) }
    }

    fn failure(class: FailureClass, code: Option<i64>) -> Failure {
        Failure { class, code, detail: "said".to_owned() }
    }

    fn retry(class: FailureClass, code: Option<i64>, after_ms: Option<u64>, counted: bool) -> Outcome {
        let after = after_ms.map(Duration::from_millis);
        Outcome::Retry { failure: failure(class, code), after, counted }
    }

    #[test]
    fn every_row_has_its_outcome() {
        use FailureClass::{Busy, Config, Consent, Content, Quota, Recipient, Token};
        let never = |class| move |code| Outcome::Rejected(failure(class, Some(code)));
        let wait = |class, after, counted| -> Expected {
            Box::new(move |code| retry(class, Some(code), after, counted))
        };
        let rows: Vec<(&[i64], Expected)> = vec![
            (&[0], Box::new(|_| Outcome::Accepted { provider_message_id: Some("9".to_owned()) })),
            (&[40003], Box::new(never(Recipient))),
            (&[43101], Box::new(never(Consent))),
            (&[44002, 45168, 47001, 47003], Box::new(never(Content))),
            (&[40037, 41001, 41030, 43002, 43107, 45109, 48001, 48004, 50002], Box::new(never(Config))),
            (&[40001, 40014, 42001], wait(Token, Some(30_000), false)),
            (&[40164, 45035, 61004], wait(Config, Some(60_000), false)),
            (&[45009], wait(Quota, Some(29_500), false)),
            (&[45011], wait(Quota, Some(29_500), false)),
            (&[43108], wait(Quota, None, true)),
            (&[-1, 99_999, i64::MIN], wait(Busy, None, true)),
        ];
        for (codes, expected) in &rows {
            for known in *codes {
                assert_eq!(outcome(code(*known), now()), expected(*known), "{known}");
            }
        }
        let tested: Vec<i64> = rows.iter().flat_map(|(codes, _)| codes.to_vec()).collect();
        for (known, _) in CODES {
            assert!(tested.contains(known), "no expectation for {known}");
        }
    }

    #[test]
    fn transport_failures_have_their_outcome() {
        let said = || "said".to_owned();
        let unreachable = retry(FailureClass::Unreachable, None, None, true);
        assert_eq!(outcome(Answer::NotSent(said()), now()), unreachable);
        assert_eq!(outcome(Answer::Gateway(said()), now()), unreachable);
        let uncertain = Outcome::Unknown(failure(FailureClass::Uncertain, None));
        assert_eq!(outcome(Answer::NoAnswer(said()), now()), uncertain);
    }

    #[test]
    fn only_what_concerns_everybody_rests_the_channel() {
        let rests = |answer| outcome(answer, now()).rests_channel().is_some();
        for resting in [40001, 40014, 42001, 40164, 45009, 45011] {
            assert!(rests(code(resting)), "{resting}");
        }
        for going_on in [0, -1, 40003, 43101, 43108, 47003, 12_345] {
            assert!(!rests(code(going_on)), "{going_on}");
        }
        assert!(!rests(Answer::NotSent(String::new())));
    }
}
