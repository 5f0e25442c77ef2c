//! `GET /sns/jscode2session`: who a one-time code of `wx.login` stands for.
//!
//! The answer also holds a `session_key`, which decrypts what the person's phone sends. Nothing here needs it, so it is
//! never read: what is not there cannot leak.

use std::sync::Arc;
use std::time::Duration;

use application::delivery::until_next_minute;
use application::ports::Clock;
use domain::contact::OpenId;
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::WechatSettings;
use crate::provider_http::{ClientError, Exchange, client, exchange, safe_detail};

const PATH: &str = "sns/jscode2session";

/// How long a client should wait when WeChat is busy or cannot be reached.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long a client should wait when only an administrator can help.
const CONFIG_WAIT: Duration = Duration::from_mins(1);

/// Exchanges codes. A login waits for it, so its time limits are the provider's.
pub struct CodeExchange {
    settings: WechatSettings,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for CodeExchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CodeExchange").field("app", &self.settings.app).finish_non_exhaustive()
    }
}

/// Why nobody is known to stand behind a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeProblem {
    /// The code is wrong, too old, or was used before.
    Refused,
    /// WeChat blocks this person (40226).
    Blocked,
    /// Nothing is known: try again with a fresh code after this time.
    Unavailable {
        /// How long to wait.
        wait: Duration,
        /// What happened, for the log; holds neither code nor openid.
        detail: String,
    },
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    openid: String,
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    errmsg: String,
}

impl CodeExchange {
    /// With connections of its own.
    pub fn new(settings: WechatSettings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        Ok(Self { client: client(settings.timeouts)?, settings, clock })
    }

    /// The mini program's app id.
    pub fn app(&self) -> &str {
        &self.settings.app
    }

    /// Who the code stands for. A code is good once: this is never repeated by itself.
    pub async fn openid(&self, code: &SecretString) -> Result<OpenId, CodeProblem> {
        let request = self.client.get(self.settings.endpoint(PATH)).query(&[
            ("appid", self.settings.app.as_str()),
            ("secret", self.settings.secret.expose_secret()),
            ("js_code", code.expose_secret()),
            ("grant_type", "authorization_code"),
        ]);
        self.read(exchange(request).await)
    }

    fn read(&self, exchange: Exchange) -> Result<OpenId, CodeProblem> {
        let unavailable = |wait, detail| Err(CodeProblem::Unavailable { wait, detail });
        let (status, body) = match exchange {
            Exchange::NotSent(detail) | Exchange::NoAnswer(detail) => return unavailable(BUSY_WAIT, detail),
            Exchange::Answered { status, body } => (status, body),
        };
        let Ok(body) = serde_json::from_slice::<Body>(&body) else {
            return unavailable(BUSY_WAIT, format!("HTTP {status} without a readable answer"));
        };
        let detail = || format!("errcode {}: {}", body.errcode, safe_detail(&body.errmsg));
        match body.errcode {
            0 => OpenId::parse(&body.openid)
                .or_else(|_| unavailable(BUSY_WAIT, format!("HTTP {status} without an openid"))),
            40029 | 40163 => Err(CodeProblem::Refused),
            40226 => Err(CodeProblem::Blocked),
            45011 => unavailable(until_next_minute(self.clock.now()), detail()),
            -1 => unavailable(BUSY_WAIT, detail()),
            _ => unavailable(CONFIG_WAIT, detail()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::TestClock;
    use crate::provider_http::Timeouts;

    fn exchange() -> CodeExchange {
        let settings = WechatSettings {
            base_url: "http://127.0.0.1:1".parse().unwrap(),
            app: "wx1".into(),
            secret: "s".into(),
            timeouts: Timeouts::default(),
        };
        let clock = TestClock::at("2026-03-01T15:59:30Z".parse().unwrap());
        CodeExchange::new(settings, Arc::new(clock)).unwrap()
    }

    fn check(status: u16, body: &str, expected: Result<&str, (u64, &str)>) {
        let read = exchange().read(Exchange::Answered { status, body: body.as_bytes().to_vec() });
        let expected = match expected {
            Ok(openid) => Ok(OpenId::parse(openid).unwrap()),
            Err((0, "refused")) => Err(CodeProblem::Refused),
            Err((0, _)) => Err(CodeProblem::Blocked),
            Err((seconds, detail)) => Err(CodeProblem::Unavailable {
                wait: Duration::from_secs(seconds),
                detail: detail.to_owned(),
            }),
        };
        assert_eq!(read, expected, "{body}");
    }

    #[test]
    fn every_answer_has_a_meaning() {
        check(200, r#"{"openid":"o1","session_key":"k=="}"#, Ok("o1"));
        check(200, r#"{"openid":"o1","session_key":"k==","errcode":0,"errmsg":"ok"}"#, Ok("o1"));
        check(200, r#"{"errcode":40029,"errmsg":"invalid code"}"#, Err((0, "refused")));
        check(200, r#"{"errcode":40163,"errmsg":"code been used"}"#, Err((0, "refused")));
        check(200, r#"{"errcode":40226,"errmsg":"code blocked"}"#, Err((0, "blocked")));
        check(200, r#"{"errcode":45011,"errmsg":"slower"}"#, Err((30, "errcode 45011: slower")));
        check(200, r#"{"errcode":-1,"errmsg":"system error"}"#, Err((5, "errcode -1: system error")));
        check(
            200,
            r#"{"errcode":40125,"errmsg":"invalid appsecret"}"#,
            Err((60, "errcode 40125: invalid appsecret")),
        );
        check(200, "{}", Err((5, "HTTP 200 without an openid")));
        check(502, "<html>", Err((5, "HTTP 502 without a readable answer")));
    }
}
