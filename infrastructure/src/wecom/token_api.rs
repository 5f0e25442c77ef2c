//! `GET /cgi-bin/gettoken`, and what its errors mean (wechat-apis.md section 5.1). Asked again before its end it gives the
//! same token, so nobody asks early; and `WeCom` may end a token whenever it likes, so a refused one is asked for anew.

use std::sync::Arc;
use std::time::Duration;

use application::delivery::until_next_minute;
use application::ports::{Clock, Ids};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::FailureClass;
use reqwest::Client;
use secrecy::ExposeSecret;
use serde::Deserialize;

use super::WecomSettings;
use crate::db::Db;
use crate::provider_http::{ClientError, Exchange, client, exchange, safe_detail};
use crate::provider_tokens::{Granted, TokenApi, TokenProblem, TokenStore, problem};

/// How long to wait for an administrator before asking again: too many failing calls block the address for an hour.
const CONFIG_WAIT: Duration = Duration::from_mins(1);
/// How long to wait when the token API is busy or cannot be reached.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// What a code of the token API means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    ForRepair,
    Busy,
    UntilNextMinute,
}

/// The documented codes; an unknown one is treated like "busy".
const CODES: &[(i64, Wait)] = &[
    (-1, Wait::Busy),
    (40001, Wait::ForRepair),
    (40013, Wait::ForRepair),
    (40056, Wait::ForRepair),
    (40091, Wait::ForRepair),
    (41002, Wait::ForRepair),
    (41004, Wait::ForRepair),
    (48004, Wait::ForRepair),
    (50003, Wait::ForRepair),
    (60020, Wait::ForRepair),
    (301_042, Wait::ForRepair),
    (2_000_002, Wait::ForRepair),
    (45009, Wait::UntilNextMinute),
    (45033, Wait::Busy),
];

/// The tokens of one application.
struct AppTokens {
    client: Client,
    settings: WecomSettings,
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

#[async_trait]
impl TokenApi for AppTokens {
    fn provider(&self) -> &'static str {
        "wecom"
    }

    fn app(&self) -> &str {
        &self.settings.app
    }

    fn early(&self) -> TimeDelta {
        TimeDelta::zero()
    }

    async fn ask(&self, now: DateTime<Utc>) -> Result<Granted, TokenProblem> {
        let request = self.client.get(self.settings.endpoint("cgi-bin/gettoken")).query(&[
            ("corpid", self.settings.corp.as_str()),
            ("corpsecret", self.settings.secret.expose_secret()),
        ]);
        granted(exchange(request).await, now)
    }
}

impl TokenStore {
    /// The tokens of a `WeCom` application.
    pub fn of_wecom(
        db: Db,
        settings: WecomSettings,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
    ) -> Result<Self, ClientError> {
        let client = client(settings.timeouts)?;
        Ok(Self::over(db, Box::new(AppTokens { client, settings }), clock, ids))
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
        Wait::UntilNextMinute => (FailureClass::Quota, until_next_minute(now)),
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
        let granted = answer(r#"{"errcode":0,"errmsg":"ok","access_token":"T","expires_in":7200}"#);
        let granted = granted.ok().unwrap();
        assert_eq!((granted.token.expose_secret(), granted.lives), ("T", Duration::from_hours(2)));
    }

    #[test]
    fn every_refusal_has_a_class_and_an_end() {
        use FailureClass::{Busy, Config, Quota, Unreachable};
        let rows: Vec<(&[i64], FailureClass, i64)> = vec![
            (
                &[40001, 40013, 40056, 40091, 41002, 41004, 48004, 50003, 60020, 301_042, 2_000_002],
                Config,
                60,
            ),
            (&[45009], Quota, 30),
            (&[-1, 45033, 12_345], Busy, 5),
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
