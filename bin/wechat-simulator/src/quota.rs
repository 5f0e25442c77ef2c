//! Call counters in day and minute windows of the virtual clock (wechat-apis.md §1.2).

use std::collections::HashMap;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};

use crate::{calls::Endpoint, errcode::Refusal, switches::Limits};

const CHINA_OFFSET_SECONDS: i32 = 8 * 60 * 60;
const MINUTE_SECONDS: i64 = 60;

/// The day in China, in which quotas run from 0 to 24 h.
pub(crate) fn day(now: DateTime<Utc>) -> NaiveDate {
    let china = FixedOffset::east_opt(CHINA_OFFSET_SECONDS);
    china.map_or_else(|| now.date_naive(), |china| now.with_timezone(&china).date_naive())
}

/// The calls of one app to one endpoint in the current windows.
#[derive(Debug, Default)]
struct Used {
    day: NaiveDate,
    in_day: u64,
    minute: i64,
    in_minute: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Quota {
    used: HashMap<(String, Endpoint), Used>,
    /// Other things counted by day, by name.
    counted: HashMap<String, (NaiveDate, u64)>,
}

impl Quota {
    /// Counts several of something in a day, or refuses them all without counting.
    pub(crate) fn take_many(
        &mut self,
        what: &str,
        count: u64,
        per_day: Option<u64>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let today = day(now);
        let (day, in_day) = self.counted.entry(what.to_owned()).or_default();
        if *day != today {
            (*day, *in_day) = (today, 0);
        }
        if per_day.is_some_and(|limit| *in_day + count > limit) {
            return Err(Refusal::DayQuota);
        }
        *in_day += count;
        Ok(())
    }

    /// Counts one call, or refuses it without counting.
    pub(crate) fn take(
        &mut self,
        appid: &str,
        endpoint: Endpoint,
        limits: &Limits,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let (per_minute, per_day) = match endpoint {
            Endpoint::Token => (None, limits.token_per_day),
            Endpoint::StableToken => (limits.stable_token_per_minute, limits.stable_token_per_day),
            Endpoint::SubscribeSend => (limits.send_per_minute, limits.send_per_day),
            Endpoint::CodeToSession => (limits.code_to_session_per_minute, None),
            Endpoint::TemplateSend => (None, limits.template_send_per_day),
            Endpoint::BizSend => (None, limits.bizsend_per_day),
            Endpoint::CloudFunction => (limits.cloud_per_minute, None),
            Endpoint::GetToken | Endpoint::WecomSend | Endpoint::WecomRecall | Endpoint::RobotSend => {
                (None, None)
            }
        };
        let used = self.used.entry((appid.to_owned(), endpoint)).or_default();
        let (day, minute) = (day(now), now.timestamp().div_euclid(MINUTE_SECONDS));
        if used.day != day {
            (used.day, used.in_day) = (day, 0);
        }
        if used.minute != minute {
            (used.minute, used.in_minute) = (minute, 0);
        }
        if per_day.is_some_and(|limit| used.in_day >= limit) {
            return Err(Refusal::DayQuota);
        }
        if per_minute.is_some_and(|limit| used.in_minute >= limit) {
            return Err(Refusal::MinuteQuota);
        }
        used.in_day += 1;
        used.in_minute += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_open_again_with_the_clock() {
        let limits = Limits { send_per_minute: Some(2), send_per_day: Some(3), ..Limits::default() };
        let mut quota = Quota::default();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (time, expected) in [
            ("2026-01-01T15:00:00Z", Ok(())),
            ("2026-01-01T15:00:10Z", Ok(())),
            ("2026-01-01T15:00:59Z", Err(Refusal::MinuteQuota)),
            ("2026-01-01T15:01:00Z", Ok(())),
            ("2026-01-01T15:59:59Z", Err(Refusal::DayQuota)),
            // 16:00 UTC is midnight in China.
            ("2026-01-01T16:00:00Z", Ok(())),
        ] {
            assert_eq!(quota.take("wx1", Endpoint::SubscribeSend, &limits, at(time)), expected, "{time}");
        }
        let other = quota.take("wx2", Endpoint::SubscribeSend, &limits, at("2026-01-01T15:01:00Z"));
        assert_eq!(other, Ok(()), "each app has its own quota");
    }
}
