//! What a token API says: both providers answer in the same form, and their codes mean one of a few waits
//! (wechat-apis.md sections 1.1 and 5.1).

use std::time::Duration;

use application::delivery::{until_next_minute, until_tomorrow};
use chrono::{DateTime, Utc};
use domain::notification::FailureClass;
use serde::Deserialize;

use super::{Granted, TokenProblem, problem};
use crate::provider_http::{Exchange, safe_detail};

/// How long to wait for an administrator before asking again: too many failing calls block the address for an hour.
const CONFIG_WAIT: Duration = Duration::from_mins(1);
/// How long to wait when the token API is busy or cannot be reached.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// WeChat blocks an address for a day after two refusals, for an hour after one.
const BLOCKED_DAY: Duration = Duration::from_hours(24);
const BLOCKED_HOUR: Duration = Duration::from_hours(1);

/// What a code of a token API means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    ForRepair,
    Busy,
    UntilTomorrow,
    UntilNextMinute,
    Day,
    Hour,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: u64,
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

/// Reads an answer by the provider's table of codes; one that is not in it is treated like "busy".
pub(crate) fn granted(
    exchange: Exchange,
    codes: &[(i64, Wait)],
    now: DateTime<Utc>,
) -> Result<Granted, TokenProblem> {
    let (status, body) = match exchange {
        // Asking for a token has no effect that could be doubled, so the two are the same here.
        Exchange::NotSent(detail) | Exchange::NoAnswer(detail) => {
            return Err(problem(FailureClass::Unreachable, None, detail, BUSY_WAIT, now));
        }
        Exchange::Answered { status, body } => (status, body),
    };
    let unreadable = || {
        let detail = format!("the token API answered HTTP {status} without a token");
        problem(FailureClass::Unreachable, None, detail, BUSY_WAIT, now)
    };
    let body: Body = serde_json::from_slice(&body).map_err(|_| unreadable())?;
    if body.errcode != 0 {
        let wait =
            codes.iter().find(|(known, _)| *known == body.errcode).map_or(Wait::Busy, |(_, wait)| *wait);
        let (class, wait) = match wait {
            Wait::ForRepair => (FailureClass::Config, CONFIG_WAIT),
            Wait::Busy => (FailureClass::Busy, BUSY_WAIT),
            Wait::UntilTomorrow => (FailureClass::Quota, until_tomorrow(now)),
            Wait::UntilNextMinute => (FailureClass::Quota, until_next_minute(now)),
            Wait::Day => (FailureClass::Config, BLOCKED_DAY),
            Wait::Hour => (FailureClass::Config, BLOCKED_HOUR),
        };
        return Err(problem(class, Some(body.errcode), safe_detail(&body.errmsg), wait, now));
    }
    if body.access_token.is_empty() || body.expires_in == 0 {
        return Err(unreadable());
    }
    Ok(Granted { token: body.access_token.into(), lives: Duration::from_secs(body.expires_in) })
}

/// What the tests of the tables share.
#[cfg(test)]
pub(crate) mod testing {
    use chrono::TimeDelta;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T15:59:30Z".parse().unwrap()
    }

    pub(crate) fn answer(codes: &[(i64, Wait)], body: &str) -> Result<Granted, TokenProblem> {
        granted(Exchange::Answered { status: 200, body: body.as_bytes().to_vec() }, codes, now())
    }

    /// Every row has its class and its wait in seconds, and the table has no row that nobody expects.
    pub(crate) fn check_table(codes: &[(i64, Wait)], rows: &[(&[i64], FailureClass, i64)]) {
        for (some, class, seconds) in rows {
            for code in *some {
                let said = format!(r#"{{"errcode":{code},"errmsg":"no"}}"#);
                let problem = answer(codes, &said).err().unwrap();
                assert_eq!((problem.failure.class, problem.failure.code), (*class, Some(*code)));
                assert_eq!(problem.until, now() + TimeDelta::seconds(*seconds), "{code}");
            }
        }
        let tested: Vec<i64> = rows.iter().flat_map(|(some, ..)| some.to_vec()).collect();
        assert!(codes.iter().all(|(code, _)| tested.contains(code)));
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::testing::answer;
    use super::*;

    #[test]
    fn a_token_is_read_with_its_life_and_anything_else_is_no_token() {
        for (body, lives) in [
            (r#"{"access_token":"T","expires_in":345}"#, 345),
            (r#"{"errcode":0,"errmsg":"ok","access_token":"T","expires_in":7200}"#, 7200),
        ] {
            let granted = answer(&[], body).ok().unwrap();
            assert_eq!((granted.token.expose_secret(), granted.lives), ("T", Duration::from_secs(lives)));
        }
        for body in ["", "<html>", "{}", r#"{"access_token":"T","expires_in":0}"#] {
            assert_eq!(answer(&[], body).err().unwrap().failure.class, FailureClass::Unreachable, "{body}");
        }
    }
}
