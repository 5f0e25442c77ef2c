//! `POST /cgi-bin/stable_token` in normal mode, and what its errors mean (wechat-apis.md section 1.1). Forced refresh
//! is never asked for: it has twenty uses a day and takes the token away from everybody else.

use std::sync::Arc;
use std::time::Duration;

use application::delivery::{until_next_minute, until_tomorrow};
use application::ports::{Clock, Ids};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::FailureClass;
use reqwest::Client;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::WechatSettings;
use crate::db::Db;
use crate::provider_http::{ClientError, Exchange, client, exchange, safe_detail};
use crate::provider_tokens::{Granted, TokenApi, TokenProblem, TokenStore, problem};

/// A token is replaced this long before its end: both are good during that time.
const EARLY: TimeDelta = TimeDelta::minutes(5);

/// How long to wait for an administrator before asking again.
const CONFIG_WAIT: Duration = Duration::from_mins(1);
/// How long to wait when the token API is busy or cannot be reached.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// The provider blocks an address for a day after two refusals, for an hour after one.
const BLOCKED_DAY: Duration = Duration::from_hours(24);
const BLOCKED_HOUR: Duration = Duration::from_hours(1);

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

/// What a code of the token API means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    ForRepair,
    Busy,
    UntilTomorrow,
    UntilNextMinute,
    Day,
    Hour,
}

/// The documented codes; an unknown one is treated like "busy".
const CODES: &[(i64, Wait)] = &[
    (-1, Wait::Busy),
    (40001, Wait::ForRepair),
    (40002, Wait::ForRepair),
    (40013, Wait::ForRepair),
    (40125, Wait::ForRepair),
    (40164, Wait::ForRepair),
    (40243, Wait::ForRepair),
    (41002, Wait::ForRepair),
    (41004, Wait::ForRepair),
    (43002, Wait::ForRepair),
    (61004, Wait::ForRepair),
    (89501, Wait::ForRepair),
    (89503, Wait::ForRepair),
    (89506, Wait::Day),
    (89507, Wait::Hour),
    (45009, Wait::UntilTomorrow),
    (45011, Wait::UntilNextMinute),
];

/// WeChat's stable tokens of one app.
struct StableTokens {
    client: Client,
    settings: WechatSettings,
}

#[async_trait]
impl TokenApi for StableTokens {
    fn provider(&self) -> &'static str {
        "wechat"
    }

    fn app(&self) -> &str {
        &self.settings.app
    }

    fn early(&self) -> TimeDelta {
        EARLY
    }

    async fn ask(&self, now: DateTime<Utc>) -> Result<Granted, TokenProblem> {
        let body = json!({
            "grant_type": "client_credential",
            "appid": self.settings.app,
            "secret": self.settings.secret.expose_secret(),
            "force_refresh": false,
        });
        let request = self.client.post(self.settings.endpoint("cgi-bin/stable_token")).json(&body);
        granted(exchange(request).await, now)
    }
}

impl TokenStore {
    /// The tokens of a mini program or a service account.
    pub fn new(
        db: Db,
        settings: WechatSettings,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
    ) -> Result<Self, ClientError> {
        let client = client(settings.timeouts)?;
        Ok(Self::over(db, Box::new(StableTokens { client, settings }), clock, ids))
    }
}

fn granted(exchange: Exchange, now: DateTime<Utc>) -> Result<Granted, TokenProblem> {
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
        return Err(refused(body.errcode, &body.errmsg, now));
    }
    if body.access_token.is_empty() || body.expires_in == 0 {
        return Err(unreadable());
    }
    Ok(Granted { token: body.access_token.into(), lives: Duration::from_secs(body.expires_in) })
}

fn refused(code: i64, message: &str, now: DateTime<Utc>) -> TokenProblem {
    let wait = CODES.iter().find(|(known, _)| *known == code).map_or(Wait::Busy, |(_, wait)| *wait);
    let (class, wait) = match wait {
        Wait::ForRepair => (FailureClass::Config, CONFIG_WAIT),
        Wait::Busy => (FailureClass::Busy, BUSY_WAIT),
        Wait::UntilTomorrow => (FailureClass::Quota, until_tomorrow(now)),
        Wait::UntilNextMinute => (FailureClass::Quota, until_next_minute(now)),
        Wait::Day => (FailureClass::Config, BLOCKED_DAY),
        Wait::Hour => (FailureClass::Config, BLOCKED_HOUR),
    };
    problem(class, Some(code), safe_detail(message), wait, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-03-01T15:59:30Z".parse().unwrap()
    }

    fn answer(body: &str) -> Result<Granted, TokenProblem> {
        granted(Exchange::Answered { status: 200, body: body.as_bytes().to_vec() }, now())
    }

    #[test]
    fn a_token_is_read_with_its_life() {
        let granted = answer(r#"{"access_token":"T","expires_in":345}"#).ok().unwrap();
        assert_eq!((granted.token.expose_secret(), granted.lives), ("T", Duration::from_secs(345)));
    }

    #[test]
    fn every_refusal_has_a_class_and_an_end() {
        use FailureClass::{Busy, Config, Quota, Unreachable};
        let rows: Vec<(&[i64], FailureClass, i64)> = vec![
            (
                &[40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 61004, 89501, 89503],
                Config,
                60,
            ),
            (&[89506], Config, 86_400),
            (&[89507], Config, 3_600),
            (&[45009, 45011], Quota, 30),
            (&[-1, 12_345], Busy, 5),
        ];
        for (codes, class, seconds) in &rows {
            for code in *codes {
                let problem = answer(&format!(r#"{{"errcode":{code},"errmsg":"no"}}"#)).err().unwrap();
                assert_eq!((problem.failure.class, problem.failure.code), (*class, Some(*code)));
                assert_eq!(problem.until, now() + TimeDelta::seconds(*seconds), "{code}");
            }
        }
        let tested: Vec<i64> = rows.iter().flat_map(|(codes, ..)| codes.to_vec()).collect();
        assert!(CODES.iter().all(|(code, _)| tested.contains(code)));
        for body in ["", "<html>", "{}", r#"{"access_token":"T","expires_in":0}"#] {
            assert_eq!(answer(body).err().unwrap().failure.class, Unreachable, "{body}");
        }
    }
}
