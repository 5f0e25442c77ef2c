//! The worker on a log and a source in memory: what becomes of each row, and who must hear of what does not work.

mod fake;

use std::sync::Mutex;

use super::*;
use crate::customers::tests::memory::ready;
use crate::intake::Operation;
use fake::{World, at};

const ACTIVE: (&str, &str) = ("state", "ACTIVE");

#[test]
fn a_captured_row_becomes_a_member_once_however_often_it_is_read() {
    let world = World::default();
    world.source.write("7", &[ACTIVE, ("name", "小明")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, registered: 1, ..Tally::default() });
    assert_eq!(world.source.ended(), ["1 done"]);
    // Its worker died before it was marked: somebody reads it again.
    world.source.capture(1, "7", Operation::Insert, 2);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, unchanged: 1, ..Tally::default() });
    assert_eq!(world.events("7"), ["MemberRegistered"]);
    assert_eq!(world.work().unwrap(), Tally::default());
}

#[test]
fn values_that_come_and_go_and_an_activation_are_told() {
    let world = World::default();
    world.source.write("7", &[("state", "PENDING"), ("name", "小明")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    world.work().unwrap();
    assert!(!world.member("7").is_active());
    for (number, columns) in
        [(2, vec![ACTIVE, ("name", "小明")]), (3, vec![ACTIVE]), (4, vec![ACTIVE, ("name", "小红")])]
    {
        world.source.write("7", &columns);
        world.source.capture(number, "7", Operation::Update, 1);
        assert_eq!(world.work().unwrap().changed, 1, "{number}");
    }
    let events = ["MemberRegistered", "MemberActivated", "MemberUpdated", "MemberUpdated"];
    assert_eq!(world.events("7"), events);
    assert_eq!(world.member("7").fields.nickname.as_deref(), Some("小红"));
}

#[test]
fn who_is_gone_before_anybody_looked_is_put_aside_with_the_reason() {
    let world = World::default();
    world.source.write("8", &[ACTIVE, ("gone", "1")]);
    for (number, key) in [(1, "7"), (2, "8")] {
        world.source.capture(number, key, Operation::Insert, 1);
    }
    assert_eq!(world.work().unwrap(), Tally { seen: 2, parked: 2, ..Tally::default() });
    assert_eq!(world.source.ended(), [format!("1 parked: {GONE}"), format!("2 parked: {GONE}")]);
    assert!(world.events("8").is_empty());
}

#[test]
fn a_deletion_is_noted_of_whoever_is_known_and_of_nobody_else() {
    let world = World::default();
    world.source.write("7", &[ACTIVE]);
    world.source.capture(1, "7", Operation::Insert, 1);
    world.work().unwrap();
    world.source.write("7", &[ACTIVE, ("gone", "1")]);
    world.source.capture(2, "7", Operation::Update, 1);
    world.source.capture(3, "8", Operation::Delete, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 2, changed: 1, unchanged: 1, ..Tally::default() });
    assert_eq!(world.events("7"), ["MemberRegistered", "MemberDeleted"]);
    assert!(world.events("8").is_empty());
}

#[test]
fn a_row_that_is_there_again_is_taken_as_it_is_whatever_was_done_to_it() {
    let world = World::default();
    world.source.write("7", &[ACTIVE, ("name", "小明")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    world.work().unwrap();
    // `REPLACE INTO`: removed and written anew in one statement.
    world.source.write("7", &[ACTIVE, ("name", "小红")]);
    world.source.capture(2, "7", Operation::Delete, 1);
    world.source.capture(3, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 2, changed: 1, unchanged: 1, ..Tally::default() });
    assert_eq!(world.events("7"), ["MemberRegistered", "MemberUpdated"]);
    assert_eq!(world.member("7").fields.nickname.as_deref(), Some("小红"));

    // Really removed; and tried again after somebody has written the row once more.
    world.source.rows.lock().unwrap().remove("7");
    world.source.capture(4, "7", Operation::Delete, 1);
    world.work().unwrap();
    world.source.write("7", &[ACTIVE, ("name", "小兰")]);
    world.source.capture(4, "7", Operation::Delete, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, changed: 1, ..Tally::default() });
    let events = ["MemberRegistered", "MemberUpdated", "MemberDeleted", "MemberRegistered"];
    assert_eq!(world.events("7"), events);

    // Somebody of whom a removal is the first that is heard.
    world.source.write("8", &[ACTIVE]);
    world.source.capture(5, "8", Operation::Delete, 1);
    assert_eq!(world.work().unwrap().registered, 1);
}

#[test]
fn a_member_whose_events_cannot_be_read_is_put_aside_and_keeps_nobody_else() {
    let world = World {
        rules: Rules { attempts_max: 2, ..Rules::default() },
        since: Some(at(0)),
        ..World::default()
    };
    for (number, key) in [(1, "1"), (2, "2")] {
        world.source.write(key, &[ACTIVE, ("made", "2025-12-02 08:00:00")]);
        world.source.capture(number, key, Operation::Insert, 1);
        world.book.known.lock().unwrap().push(World::key(key));
    }
    world.work().unwrap();
    world.bus.garble(MemberId::of_row(&World::key("1")));
    world.source.write("1", &[ACTIVE, ("name", "小明"), ("made", "2025-12-02 08:00:00")]);
    world.source.write("3", &[ACTIVE, ("made", "2025-12-02 08:00:00")]);
    let expected = Tally { seen: 3, registered: 1, known: 1, parked: 1, ..Tally::default() };
    assert_eq!(ready(polled(&world.desk())).unwrap().0, expected);
    assert!(world.book.aside.lock().unwrap()["1"].contains("cannot be read"));
    let expected = Tally { registered: 0, known: 2, ..expected };
    assert_eq!(World::compare(&world.desk()), (expected, None));
    // Its row is gone: the same, and whoever is behind it is heard of.
    for key in ["1", "2"] {
        world.source.rows.lock().unwrap().remove(key);
    }
    let expected = Tally { seen: 3, known: 1, changed: 1, parked: 1, ..Tally::default() };
    assert_eq!(World::compare(&world.desk()), (expected, None));
    assert_eq!(world.events("2"), ["MemberRegistered", "MemberDeleted"]);
}

#[test]
fn a_table_that_is_empty_for_a_moment_deletes_nobody() {
    const MEMBERS: i64 = 120;
    let world = World::default();
    let key = |number: i64| format!("{number:03}");
    for number in 0..MEMBERS {
        world.source.write(&key(number), &[ACTIVE]);
        world.source.capture(number, &key(number), Operation::Insert, 1);
        world.book.known.lock().unwrap().push(World::key(&key(number)));
    }
    while world.work().unwrap().seen > 0 {}
    // Those of another table of the source count for nothing.
    let other = SourceKey { table: "other".to_owned(), ..World::key("0") };
    world.book.known.lock().unwrap().push(other);
    let whole = std::mem::take(&mut *world.source.rows.lock().unwrap());
    world.source.write("new", &[ACTIVE]);
    let (tally, held) = World::compare(&world.desk());
    assert_eq!(held, Some(Held { gone: 120, known: 120 }));
    assert_eq!(tally, Tally { seen: 1, registered: 1, ..Tally::default() }, "what is there is compared");
    assert_eq!(world.events(&key(0)), ["MemberRegistered"]);

    // It is full again, but for a few.
    *world.source.rows.lock().unwrap() = whole;
    for number in 0..20 {
        world.source.rows.lock().unwrap().remove(&key(number));
    }
    let (tally, held) = World::compare(&world.desk());
    assert_eq!((tally.changed, held), (20, None));
    assert_eq!(world.events(&key(0)), ["MemberRegistered", "MemberDeleted"]);

    // Somebody has looked: all of them have really gone.
    world.source.rows.lock().unwrap().clear();
    world.book.known.lock().unwrap().drain(..20);
    let mut tally = Tally::default();
    assert_eq!(ready(reconciled(&world.desk(), Deletions::Accepted, &mut tally, &|_| {})), Ok(None));
    assert_eq!((tally.seen, tally.changed), (100, 100));
}

#[test]
fn a_column_that_cannot_be_read_keeps_nobody_from_hearing_of_the_member() {
    let world = World::default();
    world.source.write("7", &[ACTIVE, ("year", "neunzehnhundert")]);
    world.source.write("8", &[("state", "ASLEEP")]);
    for (number, key) in [(1, "7"), (2, "8")] {
        world.source.capture(number, key, Operation::Insert, 1);
    }
    let tally = world.work().unwrap();
    assert_eq!((tally.seen, tally.registered, tally.parked), (2, 2, 2));
    let ended = world.source.ended();
    assert!(ended[0].starts_with("1 parked: birth_year") && !ended[0].contains("neunzehn"), "{ended:?}");
    assert!(ended[1].starts_with("2 parked: status") && !ended[1].contains("ASLEEP"), "{ended:?}");
    // Repaired and tried again, under the same number.
    world.source.write("7", &[ACTIVE, ("year", "1990")]);
    world.source.capture(1, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap().changed, 1);
    assert_eq!(world.source.ended(), ["1 done"]);
    assert_eq!(world.member("7").fields.birth_year, Some(1990));
}

#[test]
fn a_row_that_fails_is_tried_again_by_the_schedule_and_given_up_at_its_end() {
    let world = World { rules: Rules { attempts_max: 3, ..Rules::default() }, ..World::default() };
    world.source.write("7", &[ACTIVE]);
    for (attempt, expected) in
        [(1, "1 after 1"), (2, "1 after 5"), (3, "1 parked: given up after 3 attempts")]
    {
        world.source.trouble.lock().unwrap().push_back(SourceError::Database("no such column".to_owned()));
        world.source.capture(1, "7", Operation::Insert, attempt);
        let tally = world.work().unwrap();
        assert_eq!((tally.put_off, tally.parked), if attempt < 3 { (1, 0) } else { (0, 1) });
        let ended = world.source.ended();
        assert!(ended[0].starts_with(expected), "{ended:?}");
    }
}

#[test]
fn an_outage_gives_back_what_was_claimed_and_is_told() {
    let world = World::default();
    let gone = SourceError::Unreachable("no route".to_owned());
    world.source.trouble.lock().unwrap().push_back(gone.clone());
    for number in 1..=20 {
        world.source.write(&number.to_string(), &[ACTIVE]);
    }
    for number in 1..=20 {
        world.source.capture(number, "1", Operation::Insert, 1);
    }
    // The first one fails, seven beside it work, twelve are given back.
    let tally = world.work().unwrap();
    assert_eq!(tally.noted(), 7);
    let ended = world.source.ended();
    assert_eq!(ended.iter().filter(|ended| ended.ends_with("after 0")).count(), 13, "{ended:?}");
    world.source.trouble.lock().unwrap().push_back(gone.clone());
    world.source.capture(21, "1", Operation::Insert, 1);
    assert_eq!(world.work(), Err(Outage::Source(gone)));
}

#[test]
fn rows_that_somebody_else_has_by_now_count_for_nobody() {
    let world = World::default();
    *world.source.lost.lock().unwrap() = true;
    world.source.capture(1, "7", Operation::Insert, 1);
    assert_eq!(world.work().unwrap(), Tally { seen: 1, lost: 1, ..Tally::default() });
}

#[test]
fn a_poll_goes_page_by_page_and_tells_of_what_is_new() {
    let world = World { rules: Rules { batch: 2, ..Rules::default() }, ..World::default() };
    for key in ["1", "2", "3"] {
        world.source.write(key, &[ACTIVE]);
    }
    let poll = || ready(polled(&world.desk())).unwrap();
    assert_eq!(poll(), (Tally { seen: 2, registered: 2, ..Tally::default() }, true));
    assert_eq!(poll(), (Tally { seen: 1, registered: 1, ..Tally::default() }, false));
    world.source.write("2", &[ACTIVE, ("name", "小明")]);
    assert_eq!(poll(), (Tally { seen: 2, known: 1, changed: 1, ..Tally::default() }, true));
    // The same value as once before is news all the same.
    world.source.write("2", &[ACTIVE]);
    *world.book.sweep.lock().unwrap() = Sweep::default();
    poll();
    assert_eq!(world.events("2"), ["MemberRegistered", "MemberUpdated", "MemberUpdated"]);
}

#[test]
fn what_a_poll_cannot_read_is_kept_aside_until_it_can() {
    let world = World::default();
    world.source.write("1", &[("state", "ASLEEP")]);
    ready(polled(&world.desk())).unwrap();
    assert!(world.book.aside.lock().unwrap()["1"].starts_with("status"));
    world.source.write("1", &[ACTIVE]);
    ready(polled(&world.desk())).unwrap();
    assert!(world.book.aside.lock().unwrap().is_empty());
    assert_eq!(world.events("1"), ["MemberRegistered", "MemberActivated"]);
}

#[test]
fn a_comparison_finds_what_nobody_captured_and_who_is_gone() {
    let world =
        World { rules: Rules { batch: 2, ..Rules::default() }, since: Some(at(0)), ..World::default() };
    for key in ["1", "2", "3"] {
        world.source.write(key, &[ACTIVE]);
        world.source.capture(key.parse().unwrap(), key, Operation::Insert, 1);
        world.book.known.lock().unwrap().push(World::key(key));
    }
    world.work().unwrap();
    world.source.write("2", &[ACTIVE, ("name", "小明")]);
    world.source.rows.lock().unwrap().remove("3");
    world.source.write("4", &[ACTIVE, ("made", "2025-12-02 08:00:00")]);
    world.source.write("5", &[ACTIVE, ("made", "2019-01-01 08:00:00")]);
    let pages = Mutex::new(Vec::new());
    let told = |tally: &Tally| pages.lock().unwrap().push(tally.seen);
    let mut tally = Tally::default();
    let held = ready(reconciled(&world.desk(), Deletions::Held, &mut tally, &told)).unwrap();
    assert_eq!(held, None, "one of three is not many");
    let expected = Tally { seen: 5, registered: 1, changed: 2, known: 1, older: 1, ..Tally::default() };
    assert_eq!(tally, expected);
    assert_eq!(*pages.lock().unwrap(), [2, 4, 5]);
    assert_eq!(world.events("3"), ["MemberRegistered", "MemberDeleted"]);
    assert_eq!(world.events("4"), ["MemberRegistered"]);
    assert!(world.events("5").is_empty());

    let all = Desk { since: None, ..world.desk() };
    assert_eq!(World::compare(&all).0.registered, 1);
    let again = World::compare(&all).0;
    assert_eq!((again.known, again.registered, again.changed), (4, 0, 0), "nothing is news twice");
}

#[test]
fn a_row_that_says_no_registration_goes_by_its_last_change() {
    const OLD: &str = "2019-01-01 08:00:00";
    const YOUNG: &str = "2025-12-02 08:00:00";
    let world = World { since: Some(at(0)), ..World::default() };
    world.source.write("1", &[ACTIVE, ("at", OLD)]);
    world.source.write("2", &[ACTIVE, ("at", YOUNG)]);
    world.source.write("3", &[ACTIVE, ("made", OLD), ("at", YOUNG)]);
    world.source.write("4", &[("state", "PENDING"), ("made", OLD), ("at", YOUNG)]);
    world.source.write("5", &[ACTIVE]);
    // Nobody tells a comparison from activations that triggers capture.
    let compared = World::compare(&world.desk()).0;
    assert_eq!(compared, Tally { seen: 5, registered: 1, older: 4, ..Tally::default() });
    assert_eq!(world.events("2"), ["MemberRegistered"]);

    let poll = || ready(polled(&world.desk())).unwrap().0;
    assert_eq!(poll(), Tally { seen: 5, registered: 1, known: 1, older: 3, ..Tally::default() });
    assert_eq!(world.events("3"), ["MemberRegistered"], "who was made active since is news");
    world.source.write("4", &[ACTIVE, ("made", OLD), ("at", YOUNG)]);
    assert_eq!(poll(), Tally { seen: 5, registered: 1, known: 2, older: 2, ..Tally::default() });
    assert_eq!(world.events("4"), ["MemberRegistered"]);
    assert!(world.events("1").is_empty() && world.events("5").is_empty(), "they were there before");

    // Everybody was swept: who comes now came since, although the row names no moment.
    world.source.write("6", &[ACTIVE]);
    poll();
    assert_eq!(world.events("6"), ["MemberRegistered"]);
    assert!(world.events("1").is_empty());
}

#[test]
fn what_a_comparison_put_aside_is_cleared_by_whoever_reads_it_next() {
    let world = World::default();
    for key in ["1", "2", "3"] {
        world.source.write(key, &[("state", "ASLEEP")]);
    }
    let compare = || World::compare(&world.desk()).0;
    let aside = || world.book.aside.lock().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(compare().parked, 3);
    // A captured row of a repaired member, and one of a member who still has the fault.
    world.source.write("1", &[ACTIVE]);
    world.source.capture(1, "1", Operation::Update, 1);
    world.source.capture(2, "2", Operation::Update, 1);
    assert_eq!(world.work().unwrap().parked, 1);
    assert_eq!(aside(), ["2", "3"]);
    // A comparison that finds a row as it was last seen keeps a fault and forgets one that is not there any more.
    world.book.aside.lock().unwrap().insert("1".to_owned(), "an earlier fault".to_owned());
    assert_eq!(compare().known, 3);
    assert_eq!(aside(), ["2", "3"]);
}
