//! What `WeCom`'s answers to `message/send` mean (wechat-apis.md sections 5.2, 5.3 and 8). A code of 0 is not enough:
//! the receiver must not stand among those that were not reached.

use chrono::{DateTime, Utc};
use domain::notification::FailureClass;
use serde::Deserialize;

use super::super::verdict::{Verdict, coded, judge, look_up};
use crate::delivery::{Answer, Outcome};

/// Every documented code.
pub const CODES: &[(i64, Verdict)] = &[
    (0, Verdict::Accepted),
    (-1, Verdict::Busy),
    (6000, Verdict::Busy),
    (40014, Verdict::Token),
    (42001, Verdict::Token),
    // The secret, the address we call from: an administrator can end it, and then the same message is sent.
    (40001, Verdict::AfterRepair),
    (60020, Verdict::AfterRepair),
    (301_042, Verdict::AfterRepair),
    (45009, Verdict::Blocked),
    (45033, Verdict::Crowded),
    (40003, Verdict::Never(FailureClass::Recipient)),
    (46004, Verdict::Never(FailureClass::Recipient)),
    (60111, Verdict::Never(FailureClass::Recipient)),
    (301_021, Verdict::Never(FailureClass::Recipient)),
    (50002, Verdict::Never(FailureClass::Recipient)),
    (60011, Verdict::Never(FailureClass::Recipient)),
    (92000, Verdict::Never(FailureClass::Recipient)),
    (81012, Verdict::Never(FailureClass::Recipient)),
    (81013, Verdict::Never(FailureClass::Recipient)),
    (82001, Verdict::Never(FailureClass::Recipient)),
    (701_008, Verdict::Never(FailureClass::Recipient)),
    (40008, Verdict::Never(FailureClass::Content)),
    (40031, Verdict::Never(FailureClass::Content)),
    (40032, Verdict::Never(FailureClass::Content)),
    (40033, Verdict::Never(FailureClass::Content)),
    (40035, Verdict::Never(FailureClass::Content)),
    (40057, Verdict::Never(FailureClass::Content)),
    (40058, Verdict::Never(FailureClass::Content)),
    (40063, Verdict::Never(FailureClass::Content)),
    (41016, Verdict::Never(FailureClass::Content)),
    (41033, Verdict::Never(FailureClass::Content)),
    (44004, Verdict::Never(FailureClass::Content)),
    (45002, Verdict::Never(FailureClass::Content)),
    (82002, Verdict::Never(FailureClass::Content)),
    (82003, Verdict::Never(FailureClass::Content)),
    (85002, Verdict::Never(FailureClass::Content)),
    (90200, Verdict::Never(FailureClass::Content)),
    (90201, Verdict::Never(FailureClass::Content)),
    (90202, Verdict::Never(FailureClass::Content)),
    (90203, Verdict::Never(FailureClass::Content)),
    (90204, Verdict::Never(FailureClass::Content)),
    (90205, Verdict::Never(FailureClass::Content)),
    (90206, Verdict::Never(FailureClass::Content)),
    (90207, Verdict::Never(FailureClass::Content)),
    (90208, Verdict::Never(FailureClass::Content)),
    (40056, Verdict::Never(FailureClass::Config)),
    (41001, Verdict::Never(FailureClass::Config)),
    (41011, Verdict::Never(FailureClass::Config)),
    (48002, Verdict::Never(FailureClass::Config)),
    (48004, Verdict::Never(FailureClass::Config)),
    (48006, Verdict::Never(FailureClass::Config)),
    (50003, Verdict::Never(FailureClass::Config)),
    (60031, Verdict::Never(FailureClass::Config)),
    (301_002, Verdict::Never(FailureClass::Config)),
    (2_000_002, Verdict::Never(FailureClass::Config)),
];

/// What a code means. One that is not in the table is a definite no of unknown meaning: it is tried a few times and
/// then shown to a person with its code.
pub fn verdict(code: i64) -> Verdict {
    look_up(CODES, code, Verdict::Busy)
}

/// What `WeCom` said, and whether it reached the receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Code, text and message id.
    pub answer: Answer,
    /// Why the one receiver was passed over although the code is 0.
    pub missed: Option<Missed>,
}

/// Why a receiver was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// No member of the corporation, or out of the application's sight.
    Invalid,
    /// The corporation has no licence for the member.
    Unlicensed,
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self { answer, missed: None }
    }
}

/// The documented answer.
#[derive(Deserialize)]
struct Body {
    errcode: Option<i64>,
    #[serde(default)]
    errmsg: String,
    #[serde(default)]
    msgid: Option<String>,
    #[serde(default)]
    invaliduser: Option<String>,
    #[serde(default)]
    unlicenseduser: Option<String>,
}

/// Reads an answer; `None` when it is none of `WeCom`'s.
pub fn read(body: &[u8]) -> Option<Reply> {
    let Body { errcode, errmsg, msgid, invaliduser, unlicenseduser } = serde_json::from_slice(body).ok()?;
    let names_somebody = |list: Option<String>| list.is_some_and(|list| !list.trim().is_empty());
    let missed = if names_somebody(invaliduser) {
        Some(Missed::Invalid)
    } else {
        names_somebody(unlicenseduser).then_some(Missed::Unlicensed)
    };
    let message_id = msgid.filter(|id| !id.is_empty());
    let answer = Answer::Code { code: errcode?, message: errmsg, message_id };
    Some(Reply { answer, missed })
}

/// What an answer means for the delivery. A refused token arrives here only after it was refreshed once.
pub fn outcome(reply: Reply, now: DateTime<Utc>) -> Outcome {
    let passed_over = match (&reply.answer, reply.missed) {
        (Answer::Code { code: 0, .. }, Some(Missed::Invalid)) => "the receiver is in invaliduser",
        (Answer::Code { code: 0, .. }, Some(Missed::Unlicensed)) => "the receiver is in unlicenseduser",
        _ => return judge(reply.answer, verdict, now),
    };
    coded(Verdict::Never(FailureClass::Recipient), Some(0), passed_over.to_owned(), None, now)
}

/// The same for a message to several people: whoever was reached has it, and it is never sent again for the others.
pub fn outcome_for_many(reply: Reply, now: DateTime<Utc>) -> Outcome {
    outcome(Reply { missed: None, ..reply }, now)
}

#[cfg(test)]
mod tests {
    use domain::notification::Failure;

    use super::super::super::verdict::testing::{check_table, now};
    use super::*;

    #[test]
    fn every_row_has_its_outcome() {
        use FailureClass::{Config, Content, Recipient};
        check_table(
            CODES,
            |answer, now| outcome(answer.into(), now),
            &[
                (&[0], Verdict::Accepted),
                (&[-1, 6000, 123_456, i64::MAX], Verdict::Busy),
                (&[40014, 42001], Verdict::Token),
                (&[40001, 60020, 301_042], Verdict::AfterRepair),
                (&[45009], Verdict::Blocked),
                (&[45033], Verdict::Crowded),
                (
                    &[40003, 46004, 60111, 301_021, 50002, 60011, 92000, 81012, 81013, 82001, 701_008],
                    Verdict::Never(Recipient),
                ),
                (
                    &[
                        40008, 40031, 40032, 40033, 40035, 40057, 40058, 40063, 41016, 41033, 44004, 45002,
                        82002, 82003, 85002, 90200, 90201, 90202, 90203, 90204, 90205, 90206, 90207, 90208,
                    ],
                    Verdict::Never(Content),
                ),
                (
                    &[40056, 41001, 41011, 48002, 48004, 48006, 50003, 60031, 301_002, 2_000_002],
                    Verdict::Never(Config),
                ),
            ],
        );
    }

    #[test]
    fn a_code_of_zero_with_the_receiver_among_the_missed_is_a_refusal() {
        let refused = |detail: &str| {
            Outcome::Rejected(Failure {
                class: FailureClass::Recipient,
                code: Some(0),
                detail: detail.to_owned(),
            })
        };
        let accepted = Outcome::Accepted { provider_message_id: Some("m1".to_owned()) };
        for (body, expected) in [
            (r#"{"errcode":0,"errmsg":"ok","msgid":"m1"}"#, accepted.clone()),
            (
                r#"{"errcode":0,"errmsg":"ok","invaliduser":"","unlicenseduser":"","msgid":"m1"}"#,
                accepted.clone(),
            ),
            (r#"{"errcode":0,"errmsg":"ok","invaliduser":null,"invalidparty":"1","msgid":"m1"}"#, accepted),
            (
                r#"{"errcode":0,"errmsg":"ok","invaliduser":"zhangsan","msgid":"m1"}"#,
                refused("the receiver is in invaliduser"),
            ),
            (
                r#"{"errcode":0,"errmsg":"ok","unlicenseduser":"zhangsan"}"#,
                refused("the receiver is in unlicenseduser"),
            ),
        ] {
            assert_eq!(outcome(read(body.as_bytes()).unwrap(), now()), expected, "{body}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_no_answer() {
        for body in ["", "<html>", "{}", r#"{"errmsg":"ok"}"#, r#"{"errcode":0,"errm"#] {
            assert_eq!(read(body.as_bytes()), None, "{body}");
        }
        let refused = read(br#"{"errcode":60111,"errmsg":"userid not found","invaliduser":"a"}"#).unwrap();
        assert!(matches!(outcome(refused, now()), Outcome::Rejected(failure) if failure.code == Some(60111)));
    }

    #[test]
    fn a_message_to_several_is_taken_although_some_were_passed_over() {
        for missed in ["invaliduser", "unlicenseduser"] {
            let body = format!(r#"{{"errcode":0,"errmsg":"ok","{missed}":"somebody","msgid":"m1"}}"#);
            let reply = read(body.as_bytes()).unwrap();
            let taken = Outcome::Accepted { provider_message_id: Some("m1".to_owned()) };
            assert_eq!(outcome_for_many(reply.clone(), now()), taken);
            assert!(matches!(outcome(reply, now()), Outcome::Rejected(_)));
        }
        let nobody = read(br#"{"errcode":81013,"errmsg":"nobody"}"#).unwrap();
        assert!(matches!(outcome_for_many(nobody, now()), Outcome::Rejected(_)));
    }
}
