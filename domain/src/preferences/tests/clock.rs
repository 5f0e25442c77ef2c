//! Quiet hours and digests against the wall clock.

use chrono::{Datelike, TimeZone, Timelike};
use chrono_tz::Tz;

use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// 2026-11-21 is a Saturday; Shanghai is eight hours ahead.
fn shanghai(clock: &str) -> DateTime<Utc> {
    format!("2026-11-21T{clock}+08:00").parse().unwrap()
}

fn nights(zone: &str) -> QuietHours {
    quiet(zone, vec![window(Day::ALL, "22:00", "08:00")])
}

#[test]
fn the_night_begins_at_22_00_00_and_is_over_at_08_00_00() {
    let nights = nights("Asia/Shanghai");
    let morning = shanghai("08:00:00");
    let cases = [
        ("07:59:59", Some(morning)),
        ("08:00:00", None),
        ("21:59:59.999", None),
        ("22:00:00", Some(morning + TimeDelta::days(1))),
        ("23:59:59", Some(morning + TimeDelta::days(1))),
        ("00:00:00", Some(morning)),
    ];
    for (clock, until) in cases {
        assert_eq!(nights.until(shanghai(clock)), until, "{clock}");
    }
}

#[test]
fn another_zone_is_another_night() {
    let at = shanghai("07:59:59");
    assert!(nights("Asia/Shanghai").holds(at));
    assert!(!nights("Asia/Tokyo").holds(at), "it is 08:59:59 there");
    assert_eq!(nights("Asia/Kolkata").until(at), Some(utc("2026-11-21T02:30:00Z")));
}

#[test]
fn windows_that_touch_or_overlap_are_one_stretch() {
    let quiet = quiet(
        "Asia/Shanghai",
        vec![
            window(&[Day::Saturday], "12:00", "13:00"),
            window(&[Day::Saturday], "13:00", "22:30"),
            window(&[Day::Saturday], "22:00", "00:00"),
            window(&[Day::Sunday], "00:00", "06:15"),
        ],
    );
    assert_eq!(quiet.until(shanghai("12:30:00")), Some(shanghai("06:15:00") + TimeDelta::days(1)));
}

#[test]
fn a_window_belongs_to_the_day_it_begins_on_and_equal_times_are_a_whole_day() {
    let friday = quiet("Asia/Shanghai", vec![window(&[Day::Friday], "22:00", "08:00")]);
    assert!(friday.holds(shanghai("07:00:00")), "Saturday morning is Friday's night");
    assert!(!friday.holds(shanghai("22:00:00")));
    let whole = quiet("Asia/Shanghai", vec![window(&[Day::Saturday], "08:00", "08:00")]);
    assert_eq!(whole.until(shanghai("08:00:00")), Some(shanghai("08:00:00") + TimeDelta::days(1)));
    assert!(!whole.holds(shanghai("07:59:59")));
    assert_eq!(QuietHours::default().until(shanghai("00:00:00")), None);
}

#[test]
fn a_night_of_summer_time_is_as_long_as_the_clock_says() {
    // New York: 02:00 becomes 03:00 on 2026-03-08 (07:00 UTC), 02:00 becomes 01:00 on 2026-11-01 (06:00 UTC).
    let nights = nights("America/New_York");
    assert_eq!(nights.until(utc("2026-03-08T03:00:00Z")), Some(utc("2026-03-08T12:00:00Z")));
    assert_eq!(nights.until(utc("2026-11-01T02:00:00Z")), Some(utc("2026-11-01T13:00:00Z")));
    let skipped = quiet("America/New_York", vec![window(&[Day::Sunday], "01:00", "02:30")]);
    assert_eq!(skipped.until(utc("2026-03-08T06:30:00Z")), Some(utc("2026-03-08T07:00:00Z")));
    // In autumn the hour from one to two comes twice: the first time ends in the jump back to before the window.
    let repeated = quiet("America/New_York", vec![window(&[Day::Sunday], "01:30", "02:00")]);
    assert_eq!(repeated.until(utc("2026-11-01T05:45:00Z")), Some(utc("2026-11-01T06:00:00Z")));
    assert_eq!(repeated.until(utc("2026-11-01T06:45:00Z")), Some(utc("2026-11-01T07:00:00Z")));
}

#[test]
fn a_daily_digest_goes_out_at_its_time_of_the_persons_day() {
    let daily = Digest::Daily { at: time("09:00") };
    let until = |zone: &str, now| daily.until(now, zone.parse().unwrap(), None);
    assert_eq!(until("Asia/Shanghai", shanghai("08:59:59")), Some(shanghai("09:00:00")));
    assert_eq!(until("Asia/Shanghai", shanghai("09:00:00")), Some(shanghai("09:00:00")));
    let tomorrow = shanghai("09:00:00") + TimeDelta::days(1);
    assert_eq!(until("Asia/Shanghai", shanghai("09:00:01")), Some(tomorrow));
    assert_eq!(until("Asia/Tokyo", shanghai("08:59:59")), Some(tomorrow - TimeDelta::hours(1)));
    // 02:30 is jumped over in New York on 2026-03-08, and comes after the jump.
    let early = Digest::Daily { at: time("02:30") };
    let zone: Zone = "America/New_York".parse().unwrap();
    assert_eq!(early.until(utc("2026-03-08T06:00:00Z"), zone, None), Some(utc("2026-03-08T07:00:00Z")));
}

#[test]
fn the_first_of_a_burst_goes_out_at_once_and_the_rest_together() {
    let burst = Digest::Burst { minutes: 30 };
    let until = |last| burst.until(at(3600), Zone::default(), last);
    assert_eq!(until(None), None);
    assert_eq!(until(Some(at(3600 - 1800))), None, "half an hour ago is over");
    assert_eq!(until(Some(at(3600 - 1799))), Some(at(3601)));
}

/// Every minute of a week, Monday first, and whether it is quiet: the windows laid out one by one.
fn quiet_week(quiet: &QuietHours) -> Vec<bool> {
    let mut week = vec![false; 7 * 24 * 60];
    for window in &quiet.windows {
        let (from, to) = (usize::from(window.from.minutes()), usize::from(window.to.minutes()));
        let length = if to > from { to - from } else { to + 24 * 60 - from };
        for day in &window.days {
            for minute in from..from + length {
                week[(*day as usize * 24 * 60 + minute) % (7 * 24 * 60)] = true;
            }
        }
    }
    week
}

/// The minute of the week that the wall clock shows.
fn week_minute(zone: Tz, at: DateTime<Utc>) -> usize {
    let clock = zone.from_utc_datetime(&at.naive_utc());
    (clock.weekday().num_days_from_monday() * 24 * 60 + clock.hour() * 60 + clock.minute()) as usize
}

fn any_quiet() -> impl Strategy<Value = QuietHours> {
    let minute = || prop_oneof![Just("00:00"), Just("01:30"), Just("02:00"), Just("02:30"), Just("22:00")];
    let window = (subsequence(Day::ALL.to_vec(), 1..=7), minute(), minute());
    let zones = vec![
        Tz::Asia__Shanghai,
        Tz::America__New_York,
        Tz::Australia__Lord_Howe, // jumps by half an hour
        Tz::America__Santiago,    // jumps at midnight
        Tz::Pacific__Apia,        // left out 2011-12-30 altogether
    ];
    (select(zones), proptest::collection::vec(window, 0..4)).prop_map(|(zone, windows)| QuietHours {
        zone: Zone(zone),
        windows: windows
            .into_iter()
            .map(|(days, from, to)| Window {
                days: days.into_iter().collect(),
                from: time(from),
                to: time(to),
            })
            .collect(),
    })
}

/// Minutes around which clocks jump somewhere: early 2026 and late 2011.
fn any_now() -> impl Strategy<Value = DateTime<Utc>> {
    let starts = vec![
        utc("2026-03-06T12:00:00Z"),
        utc("2026-04-03T12:00:00Z"),
        utc("2026-09-04T12:00:00Z"),
        utc("2026-10-30T12:00:00Z"),
        utc("2011-12-28T12:00:00Z"),
    ];
    (select(starts), 0..4 * 24 * 60_i64).prop_map(|(start, minutes)| start + TimeDelta::minutes(minutes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_stretch_ends_where_walking_minute_by_minute_ends(quiet in any_quiet(), now in any_now()) {
        prop_assume!(!quiet.never_ends());
        let week = quiet_week(&quiet);
        let mut walked = now;
        while week[week_minute(quiet.zone.0, walked)] && walked < now + TimeDelta::days(14) {
            walked += TimeDelta::minutes(1);
        }
        prop_assert_eq!(quiet.until(now), (walked > now).then_some(walked));
    }
}
