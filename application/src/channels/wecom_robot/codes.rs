//! What `WeCom`'s answers to `webhook/send` mean (wechat-apis.md sections 6 and 8).

use chrono::{DateTime, Utc};
use domain::notification::FailureClass;

use super::super::verdict::{Verdict, judge, look_up};
use crate::delivery::{Answer, Outcome};

/// Every documented code.
pub const CODES: &[(i64, Verdict)] = &[
    (0, Verdict::Accepted),
    // Nothing recognises a repetition here, so "busy" may hide a message that was sent (wechat-apis.md section 0.4).
    (-1, Verdict::Uncertain),
    (45009, Verdict::Blocked),
    (45033, Verdict::Crowded),
    (40008, Verdict::Never(FailureClass::Content)),
    (40033, Verdict::Never(FailureClass::Content)),
    (40035, Verdict::Never(FailureClass::Content)),
    (40058, Verdict::Never(FailureClass::Content)),
    (44004, Verdict::Never(FailureClass::Content)),
    (45002, Verdict::Never(FailureClass::Content)),
    (85002, Verdict::Never(FailureClass::Content)),
    (93000, Verdict::Never(FailureClass::Config)),
    (93004, Verdict::Never(FailureClass::Config)),
    (93008, Verdict::Never(FailureClass::Config)),
];

/// What a code means. One that is not in the table is a definite no of unknown meaning.
pub fn verdict(code: i64) -> Verdict {
    look_up(CODES, code, Verdict::Busy)
}

/// What an answer means for the delivery.
pub fn outcome(answer: Answer, now: DateTime<Utc>) -> Outcome {
    judge(answer, verdict, now)
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::testing::check_table;
    use super::*;

    #[test]
    fn every_row_has_its_outcome() {
        use FailureClass::{Config, Content};
        check_table(
            CODES,
            outcome,
            &[
                (&[0], Verdict::Accepted),
                (&[-1], Verdict::Uncertain),
                (&[45009], Verdict::Blocked),
                (&[45033], Verdict::Crowded),
                (&[40008, 40033, 40035, 40058, 44004, 45002, 85002], Verdict::Never(Content)),
                (&[93000, 93004, 93008], Verdict::Never(Config)),
                (&[93_001, -7], Verdict::Busy),
            ],
        );
    }
}
