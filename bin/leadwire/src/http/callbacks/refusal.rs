//! Why a callback is not believed, and how often that happened.

use std::sync::atomic::{AtomicU64, Ordering};

use infrastructure::callbacks::Source;
use serde_json::json;

use crate::http::problem::{self, Problem};

/// Why a callback is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Signature, timestamp or nonce is missing or is none.
    Incomplete,
    /// The signature is not the provider's.
    Forged,
    /// It was sent too long ago, or will be.
    OutsideWindow,
    /// The signature was used for another body.
    Replayed,
    /// The signature is right, and what it signs cannot be decrypted: the keys differ.
    Undecryptable,
}

/// Every refusal, in the order in which they are counted.
const ALL: [Refusal; 5] =
    [Refusal::Incomplete, Refusal::Forged, Refusal::OutsideWindow, Refusal::Replayed, Refusal::Undecryptable];

/// Who sends callbacks, in the order in which their refusals are counted.
const SOURCES: [Source; 2] = [Source::Wechat, Source::Wecom];

impl Refusal {
    /// The name in metrics, logs and details.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Forged => "forged",
            Self::OutsideWindow => "outside_window",
            Self::Replayed => "replayed",
            Self::Undecryptable => "undecryptable",
        }
    }

    pub(super) fn problem(self) -> Problem {
        let kind = match self {
            Self::Undecryptable => &problem::CALLBACK_UNDECRYPTABLE,
            _ => &problem::CALLBACK_NOT_SIGNED,
        };
        Problem::of(kind).details(json!({ "reason": self.as_str() }))
    }
}

/// Refusals of this process since it started.
#[derive(Debug, Default)]
pub struct RefusalCounts([[AtomicU64; ALL.len()]; SOURCES.len()]);

impl RefusalCounts {
    pub(super) fn count(&self, source: Source, refusal: Refusal) {
        self.counter(source, refusal).fetch_add(1, Ordering::Relaxed);
    }

    /// How often callbacks of this source were refused for this reason.
    pub fn of(&self, source: Source, refusal: Refusal) -> u64 {
        self.counter(source, refusal).load(Ordering::Relaxed)
    }

    /// Every count: source, reason, how often.
    pub fn all(&self) -> impl Iterator<Item = (Source, Refusal, u64)> {
        let pairs = SOURCES.into_iter().flat_map(|source| ALL.map(|refusal| (source, refusal)));
        pairs.map(|(source, refusal)| (source, refusal, self.of(source, refusal)))
    }

    fn counter(&self, source: Source, refusal: Refusal) -> &AtomicU64 {
        let row = usize::from(source == Source::Wecom);
        let column = ALL.iter().position(|known| *known == refusal).unwrap_or_default();
        &self.0[row][column]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_of_every_source_has_a_count_of_its_own() {
        let counts = RefusalCounts::default();
        for (n, (source, refusal, _)) in counts.all().enumerate() {
            for _ in 0..=n {
                counts.count(source, refusal);
            }
        }
        let counted: Vec<u64> = counts.all().map(|(_, _, count)| count).collect();
        assert_eq!(counted, (1..=10).collect::<Vec<u64>>());
    }

    #[test]
    fn nobody_is_told_more_than_why() {
        for refusal in ALL {
            let problem = refusal.problem();
            let expected = if refusal == Refusal::Undecryptable { 400 } else { 401 };
            assert_eq!(problem.kind.status, expected);
            assert_eq!(problem.details, json!({ "reason": refusal.as_str() }));
        }
    }
}
