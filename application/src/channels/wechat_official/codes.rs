//! What WeChat's answers to `template/send` and `subscribe/bizsend` mean (wechat-apis.md sections 1.2, 2.3, 4 and 8).

use chrono::{DateTime, Utc};
use domain::notification::FailureClass;

use super::super::verdict::{Verdict, judge, look_up};
use crate::delivery::{Answer, Outcome};

/// Every documented code.
pub const CODES: &[(i64, Verdict)] = &[
    (0, Verdict::Accepted),
    (-1, Verdict::Uncertain), // "busy", and nobody rules out that it was carried out (wechat-apis.md section 8)
    (40001, Verdict::Token),
    (40014, Verdict::Token),
    (42001, Verdict::Token),
    (40003, Verdict::Never(FailureClass::Recipient)),
    (43004, Verdict::Never(FailureClass::Recipient)),
    (43101, Verdict::Never(FailureClass::Consent)),
    (43108, Verdict::Crowded),
    (40033, Verdict::Never(FailureClass::Content)),
    (44002, Verdict::Never(FailureClass::Content)),
    (45168, Verdict::Never(FailureClass::Content)),
    (47001, Verdict::Never(FailureClass::Content)),
    (47003, Verdict::Never(FailureClass::Content)),
    (45009, Verdict::UntilTomorrow),
    (48006, Verdict::UntilTomorrow),
    (45011, Verdict::UntilNextMinute),
    (40164, Verdict::AfterRepair),
    (45035, Verdict::AfterRepair),
    (61004, Verdict::AfterRepair),
    (40036, Verdict::Never(FailureClass::Config)),
    (40037, Verdict::Never(FailureClass::Config)),
    (41001, Verdict::Never(FailureClass::Config)),
    (41030, Verdict::Never(FailureClass::Config)),
    (43002, Verdict::Never(FailureClass::Config)),
    (43107, Verdict::Never(FailureClass::Config)),
    (43116, Verdict::Never(FailureClass::Config)),
    (45109, Verdict::Never(FailureClass::Config)),
    (48001, Verdict::Never(FailureClass::Config)),
    (48004, Verdict::Never(FailureClass::Config)),
    (50002, Verdict::Never(FailureClass::Config)),
];

/// What a code means. One that is not in the table is a definite no of unknown meaning.
pub fn verdict(code: i64) -> Verdict {
    look_up(CODES, code, Verdict::Busy)
}

/// What an answer means for the delivery. A refused token arrives here only after it was refreshed once.
pub fn outcome(answer: Answer, now: DateTime<Utc>) -> Outcome {
    judge(answer, verdict, now)
}

#[cfg(test)]
mod tests {
    use super::super::super::verdict::testing::check_table;
    use super::*;

    #[test]
    fn every_row_has_its_outcome() {
        use FailureClass::{Config, Consent, Content, Recipient};
        check_table(
            CODES,
            outcome,
            &[
                (&[0], Verdict::Accepted),
                (&[40003, 43004], Verdict::Never(Recipient)),
                (&[43101], Verdict::Never(Consent)),
                (&[40033, 44002, 45168, 47001, 47003], Verdict::Never(Content)),
                (
                    &[40036, 40037, 41001, 41030, 43002, 43107, 43116, 45109, 48001, 48004, 50002],
                    Verdict::Never(Config),
                ),
                (&[40001, 40014, 42001], Verdict::Token),
                (&[40164, 45035, 61004], Verdict::AfterRepair),
                (&[45009, 48006], Verdict::UntilTomorrow),
                (&[45011], Verdict::UntilNextMinute),
                (&[43108], Verdict::Crowded),
                (&[-1], Verdict::Uncertain),
                (&[99_999], Verdict::Busy),
            ],
        );
    }
}
