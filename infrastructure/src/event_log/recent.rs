//! The newest events that this process wrote, for the consumers of the same process: who follows the log closely asks
//! the database for nothing.
//!
//! The window has no hole. Where another process wrote in between it begins anew, and who has not read that far asks the
//! database. An event here is what a read of the log gives: its text is the text that was stored, its instants have the
//! microseconds that both databases keep.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use domain::Position;

use super::RecordedRaw;
use super::read::{Filter, Look};

/// Most events kept: a few pages of the slowest consumer.
const EVENTS_MAX: usize = 4096;

/// Most bytes of payload kept.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The end of the log as this process wrote it.
#[derive(Debug, Default)]
pub(super) struct Recent(RwLock<Window>);

#[derive(Debug, Default)]
struct Window {
    events: VecDeque<RecordedRaw>,
    bytes: usize,
}

impl Recent {
    /// Takes in what was committed, in the order of positions.
    pub(super) fn committed(&self, events: impl Iterator<Item = RecordedRaw>) {
        let mut window = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if window.events.back().is_some_and(|last| last.position + 1 != event.position) {
                *window = Window::default();
            }
            window.bytes += event.payload.get().len();
            window.events.push_back(event);
        }
        while window.events.len() > EVENTS_MAX || window.bytes > BYTES_MAX {
            let Some(oldest) = window.events.pop_front() else { break };
            window.bytes -= oldest.payload.get().len();
        }
    }

    /// What follows a position. `None` when memory holds nothing newer, or does not reach back that far.
    pub(super) fn after(&self, after: Position, limit: usize, filter: Filter<'_>) -> Option<Look> {
        let window = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let known = usize::try_from(after + 1 - window.events.front()?.position).ok()?;
        let head = window.events.back()?.position;
        if head <= after {
            return None;
        }
        let wanted = window.events.range(known..).filter(|event| filter.wants(event));
        Some(Look::new(wanted.take(limit).cloned().collect(), limit, head))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use domain::{Actor, CommandId, EventId, Metadata, Recorded, StreamId};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn event(position: Position) -> RecordedRaw {
        let kind = if position % 2 == 0 { "even" } else { "odd" };
        Recorded {
            position,
            event_id: EventId(Uuid::from_u128(position.unsigned_abs().into())),
            stream: StreamId::parse(&format!("{kind}-{}", Uuid::nil())).expect("a stream"),
            sequence: 1,
            event_type: format!("Event{}", position % 3),
            schema_version: 1,
            payload: RawValue::from_string("{}".to_owned()).expect("JSON"),
            metadata: Metadata {
                command: CommandId(Uuid::nil()),
                correlation: String::new(),
                causation: None,
                actor: Actor::System("test".to_owned()),
            },
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    fn window(positions: impl IntoIterator<Item = Position>) -> Recent {
        let recent = Recent::default();
        for position in positions {
            recent.committed([event(position)].into_iter());
        }
        recent
    }

    /// Positions of the page, where it ends, and whether it is full.
    fn found(
        recent: &Recent,
        after: Position,
        filter: Filter<'_>,
    ) -> Option<(Vec<Position>, Position, bool)> {
        let look = recent.after(after, 3, filter)?;
        Some((look.page.iter().map(|event| event.position).collect(), look.to, look.full))
    }

    #[test]
    fn what_follows_a_position_is_there_as_far_as_memory_reaches() {
        let recent = window(11..=15);
        assert_eq!(found(&recent, 9, Filter::All), None, "event 10 may be somebody else's");
        assert_eq!(found(&recent, 10, Filter::All), Some((vec![11, 12, 13], 13, true)));
        assert_eq!(found(&recent, 13, Filter::All), Some((vec![14, 15], 15, false)));
        assert_eq!(found(&recent, 15, Filter::All), None, "nothing newer");
        assert_eq!(found(&recent, 99, Filter::All), None, "the reader knows more");
        assert_eq!(found(&Recent::default(), 0, Filter::All), None);
    }

    #[test]
    fn a_filter_leaves_out_what_is_not_wanted_and_still_reads_to_the_end() {
        let recent = window(11..=15);
        assert_eq!(found(&recent, 10, Filter::StreamType("even")), Some((vec![12, 14], 15, false)));
        assert_eq!(found(&recent, 10, Filter::Types(&["Event0"])), Some((vec![12, 15], 15, false)));
        assert_eq!(found(&recent, 12, Filter::Types(&["Event9"])), Some((vec![], 15, false)));
    }

    #[test]
    fn a_hole_begins_a_new_window() {
        let recent = window([11, 12, 14, 15]);
        assert_eq!(found(&recent, 11, Filter::All), None);
        assert_eq!(found(&recent, 13, Filter::All), Some((vec![14, 15], 15, false)));
    }

    #[test]
    fn the_oldest_leave_when_there_are_too_many() {
        let last = Position::try_from(EVENTS_MAX).expect("fits") + 2;
        let recent = window(1..=last);
        assert_eq!(found(&recent, 1, Filter::All), None);
        assert_eq!(found(&recent, 2, Filter::All), Some((vec![3, 4, 5], 5, true)));
    }
}
