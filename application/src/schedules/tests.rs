use chrono_tz::{Asia, Europe};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const HOURLY: &str = "0 * * * *";
const NIGHTLY: &str = "0 3 * * *";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn period(text: &str) -> Period {
    Period(at(text))
}

fn grid(cron: &str, zone: Tz) -> Grid {
    Grid::parse(cron, zone).unwrap()
}

fn job(cron: &str, zone: Tz, misfire: Misfire) -> Job {
    Job { name: "job", grid: grid(cron, zone), misfire }
}

const SKIP: Misfire = Misfire::Skip { later_than: TimeDelta::hours(3) };

/// The periods that a process runs which looks at these moments, one after the other.
fn runs(job: &Job, last: &str, looks: &[&str]) -> Vec<String> {
    let mut last = period(last);
    let mut ran = Vec::new();
    for look in looks {
        if let Some(due) = job.due(last, at(look)) {
            ran.push(due.to_string());
            last = due;
        }
    }
    ran
}

#[test]
fn a_period_is_run_once_however_often_somebody_looks() {
    let hourly = job(HOURLY, Asia::Shanghai, Misfire::RunOnce);
    let looks =
        ["2026-03-01T00:59:59Z", "2026-03-01T01:00:00Z", "2026-03-01T01:00:01Z", "2026-03-01T01:59:59.9Z"];
    assert_eq!(runs(&hourly, "2026-03-01T00:00:00Z", &looks), ["2026-03-01T01:00:00Z"]);
}

#[test]
fn a_day_begins_where_the_zone_says() {
    let nightly = job(NIGHTLY, Asia::Shanghai, Misfire::RunOnce);
    let looks = ["2026-03-01T18:59:59Z", "2026-03-01T19:00:00Z", "2026-03-02T03:00:00Z"];
    assert_eq!(runs(&nightly, "2026-02-28T19:00:00Z", &looks), ["2026-03-01T19:00:00Z"]);
}

#[test]
fn what_was_missed_is_run_once_or_not_at_all() {
    for (misfire, look, expected) in [
        (Misfire::RunOnce, "2026-03-05T12:34:56Z", Some("2026-03-04T19:00:00Z")),
        (SKIP, "2026-03-04T19:00:00Z", Some("2026-03-04T19:00:00Z")),
        (SKIP, "2026-03-04T22:00:00Z", Some("2026-03-04T19:00:00Z")),
        (SKIP, "2026-03-04T22:00:01Z", None),
        (SKIP, "2026-03-05T12:34:56Z", None),
    ] {
        let job = job(NIGHTLY, Asia::Shanghai, misfire);
        assert_eq!(
            job.due(period("2026-03-01T19:00:00Z"), at(look)),
            expected.map(period),
            "{misfire:?} {look}"
        );
    }
}

/// F9: processes whose clocks are five minutes apart, and a clock that is set.
#[test]
fn clocks_that_disagree_run_each_period_once() {
    let hourly = job(HOURLY, Asia::Shanghai, Misfire::RunOnce);
    // Ahead, right, behind; ahead, right, behind.
    let looks = [
        "2026-03-01T01:03:00Z", // 00:58, five minutes ahead: early
        "2026-03-01T00:58:00Z",
        "2026-03-01T00:53:00Z",
        "2026-03-01T01:07:00Z",
        "2026-03-01T01:02:00Z",
        "2026-03-01T00:57:00Z",
        "2026-03-01T02:01:00Z",
    ];
    let expected = ["2026-03-01T01:00:00Z", "2026-03-01T02:00:00Z"];
    assert_eq!(runs(&hourly, "2026-03-01T00:00:00Z", &looks), expected);
}

/// F9: a leap to the next day is one late period, and the way back repeats none of them.
#[test]
fn a_leap_to_the_next_day_runs_one_period_and_the_way_back_none() {
    let hourly = job(HOURLY, Asia::Shanghai, Misfire::RunOnce);
    let looks = [
        "2026-03-01T01:30:00Z",
        "2026-03-02T01:30:00Z",
        "2026-03-01T01:31:00Z",
        "2026-03-01T02:00:00Z",
        "2026-03-02T01:59:59Z",
        "2026-03-02T02:00:00Z",
    ];
    let expected = ["2026-03-01T01:00:00Z", "2026-03-02T01:00:00Z", "2026-03-02T02:00:00Z"];
    assert_eq!(runs(&hourly, "2026-03-01T00:00:00Z", &looks), expected);
}

/// F9: another zone is another grid; what was run stays run.
#[test]
fn another_zone_repeats_nothing() {
    let looks = ["2026-03-01T19:00:00Z"];
    let shanghai = job(NIGHTLY, Asia::Shanghai, Misfire::RunOnce);
    assert_eq!(runs(&shanghai, "2026-02-28T19:00:00Z", &looks), ["2026-03-01T19:00:00Z"]);
    let berlin = job(NIGHTLY, Europe::Berlin, Misfire::RunOnce);
    let looks = ["2026-03-01T19:00:01Z", "2026-03-02T01:59:59Z", "2026-03-02T02:00:00Z"];
    assert_eq!(runs(&berlin, "2026-03-01T19:00:00Z", &looks), ["2026-03-02T02:00:00Z"]);
}

/// All periods of a stretch, one after the other.
fn periods(grid: &Grid, from: &str, until: &str) -> Vec<String> {
    let (mut at, until, mut found) = (at(from), at(until), Vec::new());
    while let Some(next) = grid.next_after(at).filter(|next| next.0 <= until) {
        assert_eq!(grid.last_until(next.0), Some(next), "both ways the same moments");
        if !found.is_empty() {
            assert_eq!(grid.last_until(next.0 - TimeDelta::seconds(1)), Some(Period(at)));
        }
        found.push(next.to_string());
        at = next.0;
    }
    found
}

/// Berlin: 2026-03-29 has no 02:00–03:00, 2026-10-25 has it twice.
#[test]
fn summer_time_skips_no_day_and_repeats_no_time_of_day() {
    for (cron, from, until, expected) in [
        (
            "30 2 * * *",
            "2026-03-28T00:00:00Z",
            "2026-03-30T12:00:00Z",
            vec!["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "30 2 * * *",
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
            vec!["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            HOURLY,
            "2026-03-28T23:30:00Z",
            "2026-03-29T02:30:00Z",
            vec!["2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        ),
        (
            HOURLY,
            "2026-10-24T23:30:00Z",
            "2026-10-25T02:30:00Z",
            vec!["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"],
        ),
    ] {
        assert_eq!(periods(&grid(cron, Europe::Berlin), from, until), expected, "{cron} {from}");
    }
}

#[test]
fn what_is_no_grid_is_refused() {
    for text in
        ["", "0", "0 * * *", "0 0 * * * *", "0 0 0 * * * 2026", "60 * * * *", "0 0 30 2 *", "每小时 * * * *"]
    {
        assert_eq!(Grid::parse(text, Asia::Shanghai), Err(InvalidCron), "{text}");
    }
    assert_eq!(grid("  0   * * *  * ", Asia::Shanghai).text(), HOURLY);
}

#[test]
fn a_grid_and_a_misfire_are_written_down_and_the_grid_is_read_again() {
    let hourly = grid(HOURLY, Europe::Berlin);
    assert_eq!(Grid::stored(hourly.text(), hourly.zone().name()), Some(hourly));
    assert_eq!(Grid::stored(HOURLY, "Mars/Olympus"), None);
    assert_eq!(Grid::stored("hourly", "UTC"), None);
    assert_eq!(
        (Misfire::RunOnce.to_string(), SKIP.to_string()),
        ("run_once".to_owned(), "skip_after_180_min".to_owned())
    );
}

proptest! {
    /// Whatever clocks say: periods of the grid, each once, in order.
    #[test]
    fn periods_only_grow_and_stand_on_the_grid(
        cron in select(vec![HOURLY, NIGHTLY, "*/20 * * * *", "30 2 * * 1-5", "15 1 1 * *"]),
        zone in select(vec![Asia::Shanghai, Europe::Berlin, Tz::UTC]),
        skips in any::<bool>(),
        looks in proptest::collection::vec(0..400_000_i64, 1..60),
    ) {
        let job = job(cron, zone, if skips { SKIP } else { Misfire::RunOnce });
        // Around the end of summer time in Berlin.
        let start = at("2026-10-23T00:00:00Z");
        let mut last = Period(start);
        for seconds in looks {
            let now = start + TimeDelta::seconds(seconds);
            let Some(due) = job.due(last, now) else { continue };
            prop_assert!(due > last && due.0 <= now);
            prop_assert_eq!(job.grid.last_until(due.0), Some(due));
            prop_assert!(job.grid.next_after(due.0).is_some_and(|next| next.0 > now));
            last = due;
        }
    }
}
