//! The rules of an inbox.

use chrono::TimeDelta;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::testing::{after, at, given, play, staff};

fn notices(count: usize) -> Vec<NotificationId> {
    (1..=count as u128).map(|n| NotificationId(Uuid::from_u128(n))).collect()
}

fn mark(count: usize) -> InboxCommand {
    InboxCommand::MarkRead { reader: staff(1), notifications: notices(count), at: at(0) }
}

fn archive(count: usize) -> InboxCommand {
    InboxCommand::Archive { reader: staff(1), notifications: notices(count), at: at(0) }
}

fn unarchive(count: usize) -> InboxCommand {
    InboxCommand::Unarchive { reader: staff(1), notifications: notices(count), at: at(0) }
}

fn mark_all(unread: u64) -> InboxCommand {
    InboxCommand::MarkAllRead { reader: staff(1), up_to: 7, unread, at: at(0) }
}

fn snooze(until: chrono::DateTime<chrono::Utc>) -> InboxCommand {
    InboxCommand::Snooze { reader: staff(1), notification: notices(1)[0], until, at: at(0) }
}

fn all_read(seconds: i64) -> InboxEvent {
    AllNotificationsRead { reader: staff(1), up_to: 7, at: at(seconds) }.into()
}

fn undo(sequence: Sequence, seconds: i64) -> InboxCommand {
    InboxCommand::Undo { reader: staff(1), token: UndoToken::of(staff(1), sequence), at: at(seconds) }
}

fn undone(undone: Sequence, seconds: i64) -> InboxEvent {
    ReadingUndone { reader: staff(1), undone, reading: Reading::MarkAllRead, at: at(seconds) }.into()
}

#[test]
fn what_is_done_with_many_notices_is_one_event() {
    for command in [mark(MARK_READ_MAX), archive(MARK_READ_MAX), unarchive(MARK_READ_MAX)] {
        let decided = Inbox::default().decide(command).unwrap();
        let named = match decided.as_slice() {
            [InboxEvent::Read(e)] => &e.notifications,
            [InboxEvent::Archived(e)] => &e.notifications,
            [InboxEvent::Unarchived(e)] => &e.notifications,
            other => panic!("{} events", other.len()),
        };
        assert_eq!(named.len(), MARK_READ_MAX);
    }
}

#[test]
fn what_changes_nothing_is_no_event() {
    for command in [mark(0), mark_all(0), archive(0), unarchive(0)] {
        given::<Inbox>(vec![all_read(0)]).when(command).then_expect_events(vec![]);
    }
}

#[test]
fn more_than_the_limit_is_refused() {
    for command in [mark(MARK_READ_MAX + 1), archive(MARK_READ_MAX + 1), unarchive(MARK_READ_MAX + 1)] {
        given::<Inbox>(vec![]).when(command).then_expect_error(InboxError::TooMany);
    }
}

#[test]
fn all_may_be_read_again_up_to_the_same_notice_because_some_came_back() {
    given::<Inbox>(vec![all_read(0)]).when(mark_all(1)).then_expect_events(vec![all_read(0)]);
}

#[test]
fn a_notice_is_put_off_into_the_near_future_only() {
    let longest = at(0) + TimeDelta::days(SNOOZE_DAYS_MAX);
    for until in [at(1), longest] {
        let snoozed = NotificationSnoozed { reader: staff(1), notification: notices(1)[0], until, at: at(0) };
        given::<Inbox>(vec![]).when(snooze(until)).then_expect_events(vec![snoozed.into()]);
    }
    for (until, error) in [
        (at(0), InboxError::NotInFuture),
        (at(-1), InboxError::NotInFuture),
        (longest + TimeDelta::microseconds(1), InboxError::TooFarAway),
        (chrono::DateTime::<chrono::Utc>::MAX_UTC, InboxError::TooFarAway),
    ] {
        given::<Inbox>(vec![]).when(snooze(until)).then_expect_error(error);
    }
}

#[test]
fn what_was_done_is_taken_back_once_and_soon() {
    let done = || vec![all_read(0), all_read(5)];
    for (sequence, seconds) in [(1, 0), (1, UNDO_SECONDS), (2, 5), (2, 5 + UNDO_SECONDS)] {
        given::<Inbox>(done())
            .when(undo(sequence, seconds))
            .then_expect_events(vec![undone(sequence, seconds)]);
    }
    for (sequence, seconds) in [(1, UNDO_SECONDS + 1), (2, 5 + UNDO_SECONDS + 1)] {
        given::<Inbox>(done()).when(undo(sequence, seconds)).then_expect_error(InboxError::TooLate);
    }
    let taken_back = [done(), vec![undone(1, 6)]].concat();
    given::<Inbox>(taken_back.clone()).when(undo(1, 7)).then_expect_error(InboxError::AlreadyUndone);
    given::<Inbox>(taken_back).when(undo(2, 7)).then_expect_events(vec![undone(2, 7)]);
}

#[test]
fn a_token_is_good_for_its_reader_only() {
    let done = || vec![all_read(0)];
    for sequence in [-1, 0, 2, i64::MAX] {
        given::<Inbox>(done()).when(undo(sequence, 1)).then_expect_error(InboxError::UnknownToken);
    }
    let token = UndoToken::of(staff(2), 1);
    let foreign = InboxCommand::Undo { reader: staff(1), token, at: at(1) };
    given::<Inbox>(done()).when(foreign).then_expect_error(InboxError::UnknownToken);
}

#[test]
fn a_token_reads_as_it_was_written() {
    let token = UndoToken::of(staff(1), 31);
    assert_eq!(token.to_string().parse(), Ok(token));
    for text in ["", "1f", "1f-", "-", "x-00000000000000000000000000000001", "1f-1", "1f-😀"] {
        assert!(text.parse::<UndoToken>().is_err(), "{text}");
    }
}

#[test]
fn only_what_can_be_taken_back_is_remembered() {
    let many: Vec<_> = (0..UNDOABLE_MAX + 5).map(|_| all_read(0)).collect();
    let inbox = after::<Inbox>(&many);
    assert_eq!(inbox.undoable.len(), UNDOABLE_MAX);
    assert_eq!(inbox.undoable[0].sequence, 6, "the oldest are forgotten first");
    let later = after::<Inbox>(&[many, vec![all_read(UNDO_SECONDS + 1)]].concat());
    assert_eq!(later.undoable.len(), 1);
}

#[test]
fn every_reader_has_a_stream() {
    assert_eq!(Inbox::stream(staff(1)).as_str(), "inbox-00000000-0000-0000-0000-000000000001");
}

fn commands() -> impl Strategy<Value = InboxCommand> {
    prop_oneof![
        (0..4_usize).prop_map(mark),
        (0..3_u64).prop_map(mark_all),
        (0..4_usize).prop_map(archive),
        (0..4_usize).prop_map(unarchive),
        (-1..3_i64).prop_map(|seconds| snooze(at(seconds))),
        ((0..9_i64), (0..12_i64)).prop_map(|(sequence, seconds)| undo(sequence, seconds)),
    ]
}

proptest! {
    #[test]
    fn an_inbox_keeps_its_promises(commands in prop::collection::vec(commands(), 0..20)) {
        // Which notices a command still turns is the caller's knowledge, so naming them again is a new fact.
        let adds_up = |command: &InboxCommand| !matches!(command, InboxCommand::Undo { .. });
        play::<Inbox>(commands, adds_up, |inbox, history| {
            assert_eq!(inbox.sequence, i64::try_from(history.len()).unwrap());
            let taken_back: Vec<_> = history.iter().filter_map(|event| match event {
                InboxEvent::Undone(e) => Some(e.undone),
                _ => None,
            }).collect();
            let mut once = taken_back.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), taken_back.len(), "nothing is taken back twice");
        });
    }
}
