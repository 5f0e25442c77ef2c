//! Why a planned lead stayed, in words: the codes are those that the end of a run says.

use crate::fates::UNREADABLE;

/// The words of a code, Chinese and English; `None` for a code this program does not know.
pub fn stayed_texts(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "touched" => ("线索在此期间有跟进或变更", "somebody did something with the lead meanwhile"),
        "gone" => ("线索已无负责人", "nobody owned the lead any more"),
        "contended" => ("线索正被频繁修改", "the lead was written to too often at that moment"),
        UNREADABLE => (
            "线索的记录无法读取，请联系管理员",
            "the record of the lead cannot be read; ask an administrator",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::errand::Fate;
    use super::*;

    #[test]
    fn every_reason_that_a_run_says_has_words() {
        let all = [Fate::Done, Fate::Touched, Fate::Gone, Fate::Known, Fate::Contended, Fate::Unreadable];
        for fate in all {
            assert!(fate.code().is_none_or(|code| stayed_texts(code).is_some()), "{fate:?}");
        }
        assert_eq!(stayed_texts("whim"), None);
    }
}
