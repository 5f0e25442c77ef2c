//! Where days and months begin for the people of the installation, wherever the server stands.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;

/// The first instant of the day of `now`.
pub fn day_start(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    midnight(now.with_timezone(&zone).date_naive(), zone)
}

/// The first instant of the month of `now`.
pub fn month_start(now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let day = now.with_timezone(&zone).date_naive();
    midnight(day.with_day(1).unwrap_or(day), zone)
}

/// The first instant of a day, and the first one after it.
pub fn day(day: NaiveDate, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    (midnight(day, zone), midnight(day.succ_opt().unwrap_or(day), zone))
}

fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    // Where the clock leaps over midnight, the day begins within the hour; nobody in China is asked.
    zone.from_local_datetime(&midnight).earliest().map_or_else(|| midnight.and_utc(), |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_months_begin_where_people_live() {
        let zone = chrono_tz::Asia::Shanghai;
        for (now, day, month) in [
            ("2026-03-01T15:59:59Z", "2026-02-28T16:00:00Z", "2026-02-28T16:00:00Z"),
            ("2026-03-01T16:00:00Z", "2026-03-01T16:00:00Z", "2026-02-28T16:00:00Z"),
            ("2026-12-31T16:00:00Z", "2026-12-31T16:00:00Z", "2026-12-31T16:00:00Z"),
        ] {
            let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
            assert_eq!(day_start(at(now), zone), at(day), "{now}");
            assert_eq!(month_start(at(now), zone), at(month), "{now}");
        }
    }

    #[test]
    fn a_day_may_be_longer_than_another() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let hours = |zone, text: &str| {
            let (from, next) = day(text.parse().unwrap(), zone);
            (from, (next - from).num_hours())
        };
        let in_china = hours(chrono_tz::Asia::Shanghai, "2026-03-29");
        assert_eq!(in_china, (at("2026-03-28T16:00:00Z"), 24));
        let in_berlin = hours(chrono_tz::Europe::Berlin, "2026-03-29");
        assert_eq!(in_berlin, (at("2026-03-28T23:00:00Z"), 23));
    }
}
