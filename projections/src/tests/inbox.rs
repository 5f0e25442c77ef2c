//! What readers do with their notices, and taking it back.

use chrono::{DateTime, TimeDelta, Utc};
use domain::inbox::{Inbox, Reading};
use rstest::rstest;

use super::kit::{Backend, World, dawn, notice, second, staff};
use crate::queries::PageRequest;
use crate::queries::inbox::{self, Notice, NoticeFilter, NoticeStatus, PAGE_NOTICES_MAX};

/// The reader of these stories.
const ME: u128 = 1;

/// A world with notices 1 to `count` for the reader, numbered the same.
async fn world(backend: Backend, count: u128) -> World {
    let world = World::new(backend).await;
    for n in 1..=count {
        world.notify(n, ME).await;
    }
    world
}

/// Brings the read model up to date between any two events, or lets it see all of them in one page.
struct Pages<'w> {
    world: &'w World,
    one: bool,
}

impl Pages<'_> {
    async fn turn(&self) {
        if !self.one {
            self.world.settle().await;
        }
    }
}

async fn one(world: &World, n: u128) -> Notice {
    inbox::by_id(&world.db, staff(ME), notice(n, ME)).await.unwrap().unwrap()
}

/// Numbers on the list, newest first; its total and the count of unread ones must agree with it.
async fn listed(world: &World, archived: bool, snoozed: bool, now: DateTime<Utc>) -> Vec<i64> {
    let filter = NoticeFilter { archived, snoozed, ..NoticeFilter::default() };
    let page = PageRequest::new(1, 100, PAGE_NOTICES_MAX);
    let found = inbox::list(&world.db, staff(ME), &filter, page, now).await.unwrap();
    assert_eq!(found.total, i64::try_from(found.items.len()).unwrap());
    if !archived && !snoozed {
        let unread = found.items.iter().filter(|notice| notice.status == NoticeStatus::Sent).count();
        let counted = inbox::unread_count(&world.db, staff(ME), now).await.unwrap();
        assert_eq!(counted, i64::try_from(unread).unwrap(), "the count is what the list shows");
    }
    found.items.iter().map(|notice| notice.seq).collect()
}

async fn unread(world: &World) -> Vec<i64> {
    let filter = NoticeFilter { status: Some(NoticeStatus::Sent), ..NoticeFilter::default() };
    let page = PageRequest::new(1, 100, PAGE_NOTICES_MAX);
    let found = inbox::list(&world.db, staff(ME), &filter, page, second(999)).await.unwrap();
    found.items.iter().map(|notice| notice.seq).collect()
}

async fn read(world: &World, notices: &[u128], at: DateTime<Utc>) -> i64 {
    world.read(ME, notices, at).await;
    number(world).await
}

async fn read_all(world: &World, up_to: i64, at: DateTime<Utc>) -> i64 {
    world.read_all(ME, up_to, at).await;
    number(world).await
}

/// Number of the reader's last event.
async fn number(world: &World) -> i64 {
    world.log.stream(&Inbox::stream(staff(ME)), 0, 4096).await.unwrap().last().unwrap().sequence
}

#[rstest]
#[tokio::test]
async fn what_is_put_off_comes_back_with_the_clock(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] one_page: bool,
) {
    let world = world(backend, 4).await;
    let pages = Pages { world: &world, one: one_page };
    pages.turn().await;
    world.snooze(ME, 2, second(3600), second(10)).await;
    pages.turn().await;
    world.snooze(ME, 3, second(7200), second(11)).await;
    world.settle().await;
    let just_before = second(3600) - TimeDelta::microseconds(1);
    for (now, shown, put_off) in [
        (second(20), vec![4, 1], vec![3, 2]),
        (just_before, vec![4, 1], vec![3, 2]),
        (second(3600), vec![4, 2, 1], vec![3]),
        (second(7200), vec![4, 3, 2, 1], vec![]),
    ] {
        assert_eq!(listed(&world, false, false, now).await, shown, "{now}");
        assert_eq!(listed(&world, false, true, now).await, put_off, "{now}");
        assert_eq!(listed(&world, true, false, now).await, [] as [i64; 0]);
    }
    // All up to 4 are read while two are put off: those come back unread.
    world.read_all(ME, 4, second(3700)).await;
    world.settle().await;
    assert_eq!(unread(&world).await, [] as [i64; 0], "3 is still put off at the time of the list");
    assert_eq!(one(&world, 3).await.status, NoticeStatus::Sent);
    assert_eq!(one(&world, 2).await.status, NoticeStatus::Read, "it was back by then");
    assert_eq!(inbox::unread_up_to(&world.db, staff(ME), 3, second(7199)).await.unwrap(), 0);
    assert_eq!(inbox::unread_up_to(&world.db, staff(ME), 2, second(7200)).await.unwrap(), 0);
    assert_eq!(inbox::unread_up_to(&world.db, staff(ME), 3, second(7200)).await.unwrap(), 1);
}

#[rstest]
#[tokio::test]
async fn what_is_put_aside_is_neither_listed_nor_counted(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] one_page: bool,
) {
    let world = world(backend, 4).await;
    let pages = Pages { world: &world, one: one_page };
    world.notify(5, 2).await;
    pages.turn().await;
    world.archive(ME, &[1, 3, 5], second(10)).await; // 5 is somebody else's
    pages.turn().await;
    world.archive(ME, &[3], second(11)).await;
    world.snooze(ME, 3, second(900), second(12)).await;
    world.settle().await;
    assert_eq!(listed(&world, false, false, second(20)).await, [4, 2]);
    assert_eq!(listed(&world, true, false, second(20)).await, [3, 1]);
    assert_eq!(listed(&world, true, true, second(20)).await, [3]);
    assert_eq!(one(&world, 3).await.archived_at, Some(second(10)), "the first time counts");
    assert_eq!(inbox::unread_count(&world.db, staff(2), second(20)).await.unwrap(), 1);
    // What is put aside is not read with all the others, but it can be by itself.
    world.read_all(ME, 4, second(30)).await;
    world.read(ME, &[3], second(31)).await;
    pages.turn().await;
    world.unarchive(ME, &[1, 3, 4], second(40)).await;
    world.settle().await;
    assert_eq!(listed(&world, false, false, second(900)).await, [4, 3, 2, 1]);
    assert_eq!(listed(&world, true, false, second(900)).await, [] as [i64; 0]);
    assert_eq!(unread(&world).await, [1]);
    let (taken_out, untouched) = (one(&world, 1).await, one(&world, 4).await);
    assert_eq!((taken_out.archived_at, taken_out.updated_at), (None, second(40)));
    assert_eq!(untouched.updated_at, second(30), "it was not put aside");
}

#[rstest]
#[tokio::test]
async fn taking_back_restores_exactly_what_was_turned(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] one_page: bool,
) {
    let world = world(backend, 6).await;
    let pages = Pages { world: &world, one: one_page };
    pages.turn().await;
    read(&world, &[2], second(50)).await;
    pages.turn().await;
    let all = read_all(&world, 5, second(100)).await;
    pages.turn().await;
    world.notify(7, ME).await;
    let some = read(&world, &[6, 1], second(103)).await; // 1 was read a moment ago, by something that goes
    pages.turn().await;
    world.undo(ME, all, Reading::MarkAllRead, second(110)).await;
    world.settle().await;
    assert_eq!(unread(&world).await, [7, 5, 4, 3], "2 was read before, 1 again meanwhile");
    assert_eq!(one(&world, 2).await.read_at, Some(second(50)));
    assert_eq!(one(&world, 1).await.read_at, Some(second(103)), "by what stands");
    let restored = one(&world, 3).await;
    assert_eq!((restored.read_at, restored.updated_at), (None, second(110)));
    world.undo(ME, some, Reading::MarkRead, second(111)).await;
    world.settle().await;
    assert_eq!(unread(&world).await, [7, 6, 5, 4, 3, 1], "the other one is taken back as well");
}

#[rstest]
#[tokio::test]
async fn two_readings_are_taken_back_in_either_order(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] one_page: bool,
    #[values(false, true)] later_first: bool,
) {
    let world = world(backend, 2).await;
    let pages = Pages { world: &world, one: one_page };
    pages.turn().await;
    let first = (read(&world, &[1], second(100)).await, Reading::MarkRead);
    let then = (read_all(&world, 2, second(105)).await, Reading::MarkAllRead);
    pages.turn().await;
    let order = if later_first { [then, first] } else { [first, then] };
    world.undo(ME, order[0].0, order[0].1, second(106)).await;
    world.settle().await;
    assert_eq!(one(&world, 1).await.status, NoticeStatus::Read, "one of the two stands");
    let when = if later_first { second(100) } else { second(105) };
    assert_eq!(one(&world, 1).await.read_at, Some(when));
    world.undo(ME, order[1].0, order[1].1, second(107)).await;
    world.settle().await;
    assert_eq!(unread(&world).await, [2, 1]);
}

#[rstest]
#[tokio::test]
async fn putting_aside_and_off_are_taken_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(false, true)] one_page: bool,
) {
    let world = world(backend, 3).await;
    let pages = Pages { world: &world, one: one_page };
    world.archive(ME, &[3], second(50)).await;
    pages.turn().await;
    let aside = world.archive(ME, &[1, 2, 3], second(100)).await;
    world.unarchive(ME, &[1], second(101)).await;
    world.archive(ME, &[1], second(102)).await;
    pages.turn().await;
    world.undo(ME, aside, Reading::Archive, second(103)).await;
    world.settle().await;
    assert_eq!(listed(&world, true, false, second(200)).await, [3, 1], "3 before, 1 again since");

    let early = world.snooze(ME, 2, second(3600), second(110)).await;
    pages.turn().await;
    let late = world.snooze(ME, 2, second(7200), second(111)).await;
    pages.turn().await;
    world.undo(ME, late, Reading::Snooze, second(112)).await;
    world.settle().await;
    assert_eq!(one(&world, 2).await.snoozed_until, Some(second(3600)), "as it was before");
    world.undo(ME, early, Reading::Snooze, second(113)).await;
    world.settle().await;
    assert_eq!(one(&world, 2).await.snoozed_until, None);
    let early = world.snooze(ME, 2, second(3600), second(120)).await;
    let late = world.snooze(ME, 2, second(7200), second(121)).await;
    world.undo(ME, early, Reading::Snooze, second(122)).await;
    world.undo(ME, late, Reading::Snooze, second(123)).await;
    world.settle().await;
    assert_eq!(one(&world, 2).await.snoozed_until, None, "the other way round");
}

/// In small pages as they came, in large ones from the log: byte for byte the same.
#[rstest]
#[tokio::test]
async fn a_rebuild_in_large_pages_gives_the_same_rows(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    use crate::ReadModel;
    use crate::rebuild::{RebuildOptions, rebuild};
    let world = world(backend, 3).await;
    for n in 4..=30_u128 {
        let at = dawn() + TimeDelta::seconds(i64::try_from(n).unwrap());
        world.notify(n, ME).await;
        let all = read_all(&world, i64::try_from(n / 2).unwrap(), at).await;
        let aside = world.archive(ME, &[n, n - 1], at).await;
        world.snooze(ME, n - 2, at + TimeDelta::seconds(5), at).await;
        if n.is_multiple_of(3) {
            world.settle().await;
        }
        if n.is_multiple_of(2) {
            world.undo(ME, all, Reading::MarkAllRead, at).await;
            world.undo(ME, aside, Reading::Archive, at).await;
        }
    }
    world.settle().await;
    let before = world.dump(ReadModel::Inbox).await;
    let cancel = tokio_util::sync::CancellationToken::new();
    let done = rebuild(&world.projections, ReadModel::Inbox, RebuildOptions::default(), &cancel, |_| {});
    assert!(done.await.unwrap().differences.is_empty());
    assert_eq!(world.dump(ReadModel::Inbox).await, before);
}
