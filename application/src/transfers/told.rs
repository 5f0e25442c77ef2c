//! Why a run that is over moved nothing, in words: what kept its leads, and how many of them which reason.

use std::collections::BTreeMap;

use domain::transfer_rule::plan::Nothing;
use domain::transfer_rule::run::TransferRunCompleted;

use super::SkipReason;

/// One sentence, Chinese and English. `None` when leads moved, or the end says a code that this program does not know.
pub fn why_nothing(end: &TransferRunCompleted) -> Option<(String, String)> {
    let (zh, en) = Nothing::of_code(end.explanation.as_deref()?)?;
    let (mut chinese, mut english) = (Vec::new(), Vec::new());
    for (reason, count) in most_first(end) {
        let (zh, en) = SkipReason::texts(reason).unwrap_or((reason, reason));
        chinese.push(format!("{count}条{zh}"));
        english.push(format!("{count}: {en}"));
    }
    if end.unplaced_more > 0 {
        chinese.push(format!("另有{}条无人可接", end.unplaced_more));
        english.push(format!("{} more: nobody may get them", end.unplaced_more));
    }
    if chinese.is_empty() {
        return Some((zh.to_owned(), en.to_owned()));
    }
    Some((format!("{zh}：{}", chinese.join("；")), format!("{en} ({})", english.join("; "))))
}

/// How many leads stayed for which reason, the most frequent first.
fn most_first(end: &TransferRunCompleted) -> Vec<(&str, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for stayed in &end.skipped {
        *counts.entry(&stayed.reason).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|(this, a), (that, b)| b.cmp(a).then_with(|| this.cmp(that)));
    counts
}
