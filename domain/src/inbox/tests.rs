//! The rules of an inbox.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::testing::{after, at, given, play, staff};

fn mark(count: usize) -> InboxCommand {
    let notifications = (1..=count as u128).map(|n| NotificationId(Uuid::from_u128(n))).collect();
    InboxCommand::MarkRead { reader: staff(1), notifications, at: at(0) }
}

fn mark_all(up_to: i64) -> InboxCommand {
    InboxCommand::MarkAllRead { reader: staff(1), up_to, at: at(0) }
}

fn all_read(up_to: i64) -> InboxEvent {
    AllNotificationsRead { reader: staff(1), up_to, at: at(0) }.into()
}

#[test]
fn reading_many_notices_is_one_event() {
    let decided = Inbox::default().decide(mark(MARK_READ_MAX)).unwrap();
    let [InboxEvent::Read(read)] = decided.as_slice() else { panic!("{} events", decided.len()) };
    assert_eq!(read.notifications.len(), MARK_READ_MAX);
}

#[test]
fn reading_nothing_is_no_event() {
    given::<Inbox>(vec![]).when(mark(0)).then_expect_events(vec![]);
}

#[test]
fn more_than_the_limit_is_refused() {
    given::<Inbox>(vec![]).when(mark(MARK_READ_MAX + 1)).then_expect_error(InboxError::TooMany);
}

#[test]
fn the_bound_of_what_was_read_only_rises() {
    given::<Inbox>(vec![]).when(mark_all(7)).then_expect_events(vec![all_read(7)]);
    given::<Inbox>(vec![all_read(7)]).when(mark_all(9)).then_expect_events(vec![all_read(9)]);
    for stale in [7, 3, 0, -1] {
        given::<Inbox>(vec![all_read(7)]).when(mark_all(stale)).then_expect_events(vec![]);
    }
    assert_eq!(after::<Inbox>(&[all_read(7), all_read(3)]).read_up_to, 7);
}

#[test]
fn every_reader_has_a_stream() {
    assert_eq!(Inbox::stream(staff(1)).as_str(), "inbox-00000000-0000-0000-0000-000000000001");
}

proptest! {
    #[test]
    fn an_inbox_keeps_its_promises(
        commands in prop::collection::vec(prop_oneof![(0..4_usize).prop_map(mark), (-2..9_i64).prop_map(mark_all)], 0..20),
    ) {
        // Which of some notices are unread is the caller's knowledge, so naming them again is a new fact.
        let adds_up = |command: &InboxCommand| matches!(command, InboxCommand::MarkRead { .. });
        play::<Inbox>(commands, adds_up, |inbox, history| {
            let mut bounds = history.iter().filter_map(|event| match event {
                InboxEvent::AllRead(e) => Some(e.up_to),
                InboxEvent::Read(_) => None,
            });
            assert!(bounds.clone().is_sorted_by(|a, b| a < b));
            assert_eq!(inbox.read_up_to, bounds.next_back().unwrap_or(0));
        });
    }
}
