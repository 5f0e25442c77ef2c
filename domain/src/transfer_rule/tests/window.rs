//! When a rule may run, on the wall clock of its zone; the server's zone is nowhere asked.

use super::*;

#[test]
fn a_window_holds_its_first_and_its_last_minute() {
    let day = window("09:30", "18:30", "Asia/Shanghai");
    let rows = [
        ("2026-03-01T01:29:59Z", false),
        ("2026-03-01T01:30:00Z", true),
        ("2026-03-01T10:30:59Z", true),
        ("2026-03-01T10:31:00Z", false),
    ];
    for (instant, open) in rows {
        assert_eq!(day.contains(utc(instant)), open, "{instant}");
    }
}

#[test]
fn a_window_over_midnight_is_open_on_both_sides_of_it() {
    let night = window("22:00", "06:00", "Asia/Shanghai");
    let rows = [
        ("2026-03-01T13:59:59Z", false), // 21:59:59
        ("2026-03-01T14:00:00Z", true),  // 22:00
        ("2026-03-01T16:00:00Z", true),  // midnight
        ("2026-03-01T22:00:59Z", true),  // 06:00:59
        ("2026-03-01T22:01:00Z", false), // 06:01
        ("2026-03-02T04:00:00Z", false), // noon
    ];
    for (instant, open) in rows {
        assert_eq!(night.contains(utc(instant)), open, "{instant}");
    }
}

#[test]
fn a_window_that_is_off_is_always_open() {
    let off = Window { enabled: false, ..window("09:30", "09:31", "Asia/Shanghai") };
    let night = utc("2026-03-01T19:00:00Z");
    assert!(off.contains(night));
    assert_eq!(off.next_open(night), Some(night));
}

#[test]
fn a_window_of_one_minute_is_open_for_that_minute() {
    let minute = window("12:00", "12:00", "UTC");
    assert!(minute.contains(utc("2026-03-01T12:00:59Z")));
    assert!(!minute.contains(utc("2026-03-01T12:01:00Z")));
}

#[test]
fn the_next_opening_is_the_first_moment_from_then_on() {
    let check = |window: Window, from: &str, expected: &str| {
        assert_eq!(window.next_open(utc(from)), Some(utc(expected)), "{window:?} after {from}");
    };
    let day = window("09:30", "18:30", "Asia/Shanghai");
    check(day, "2026-03-01T03:00:00Z", "2026-03-01T03:00:00Z"); // open
    check(day, "2026-02-28T20:00:00Z", "2026-03-01T01:30:00Z"); // before it opens
    check(day, "2026-03-01T11:00:00Z", "2026-03-02T01:30:00Z"); // after it closed
    let night = window("22:00", "06:00", "Asia/Shanghai");
    check(night, "2026-03-01T22:30:00Z", "2026-03-02T14:00:00Z"); // 06:30, to 22:00 of the same day
    // In Berlin the clock jumps from 02:00 to 03:00 on 29 March 2026, and shows 02:30 twice on 25 October.
    let early = window("02:30", "04:00", "Europe/Berlin");
    check(early, "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z"); // 03:00, the first minute after the jump
    check(early, "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"); // the first 02:30
    let swallowed = window("02:15", "02:45", "Europe/Berlin");
    check(swallowed, "2026-03-28T23:00:00Z", "2026-03-30T00:15:00Z"); // not open on that day
    // Apia skipped 30 December 2011 altogether.
    check(window("12:00", "13:00", "Pacific/Apia"), "2011-12-30T09:00:00Z", "2011-12-30T22:00:00Z");
}
