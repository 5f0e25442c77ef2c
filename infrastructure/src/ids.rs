//! The one place that makes fresh ids.

use application::ports::Ids;
use uuid::Uuid;

/// UUIDv7: ordered by time, so that indexes grow at their end.
#[derive(Debug, Clone, Copy, Default)]
pub struct TimeOrderedIds;

impl Ids for TimeOrderedIds {
    #[expect(clippy::disallowed_methods, reason = "the adapter of the Ids port")]
    fn next(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_and_distinct() {
        let ids: Vec<Uuid> = (0..1000).map(|_| TimeOrderedIds.next()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
