//! When the quotas of WeChat and WeCom begin anew (wechat-apis.md section 1.2).

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Asia::Shanghai;

/// Until 00:00 in Beijing, when daily quotas begin anew.
pub fn until_tomorrow(now: DateTime<Utc>) -> Duration {
    let tomorrow = now.with_timezone(&Shanghai).date_naive().checked_add_days(Days::new(1));
    let midnight =
        tomorrow.and_then(|day| day.and_time(NaiveTime::MIN).and_local_timezone(Shanghai).earliest());
    let wait = midnight.map_or(TimeDelta::days(1), |midnight| midnight.with_timezone(&Utc) - now);
    wait.to_std().unwrap_or_default()
}

/// Until the next whole minute, when minute quotas begin anew.
pub fn until_next_minute(now: DateTime<Utc>) -> Duration {
    const MINUTE: i64 = 60;
    let next = (now.timestamp().div_euclid(MINUTE) + 1) * MINUTE;
    DateTime::from_timestamp(next, 0).and_then(|next| (next - now).to_std().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quota_windows_end_with_the_day_in_beijing_and_with_the_minute() {
        for (at, day, minute) in [
            ("2026-03-01T16:00:00Z", 86_400_000, 60_000),
            ("2026-03-01T15:59:59.999Z", 1, 1),
            ("2026-03-01T00:00:01Z", 57_599_000, 59_000),
        ] {
            let at = at.parse().unwrap();
            assert_eq!(until_tomorrow(at), Duration::from_millis(day), "{at}");
            assert_eq!(until_next_minute(at), Duration::from_millis(minute), "{at}");
        }
    }
}
