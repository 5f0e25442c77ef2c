//! `POST /cgi-bin/stable_token` in normal mode, and what its errors mean (wechat-apis.md section 1.1). Forced refresh
//! is never asked for: it has twenty uses a day and takes the token away from everybody else.

use std::sync::Arc;

use application::ports::{Clock, Ids};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::json;

use super::WechatSettings;
use crate::db::Db;
use crate::provider_http::{ClientError, client, exchange};
use crate::provider_tokens::answer::{Wait, granted};
use crate::provider_tokens::{Granted, TokenApi, TokenProblem, TokenStore};

/// A token is replaced this long before its end: both are good during that time.
const EARLY: TimeDelta = TimeDelta::minutes(5);

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
        granted(exchange(request).await, CODES, now)
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

#[cfg(test)]
mod tests {
    use domain::notification::FailureClass::{Busy, Config, Quota};

    use super::*;
    use crate::provider_tokens::answer::testing::check_table;

    #[test]
    fn every_refusal_has_a_class_and_an_end() {
        let repair: &[i64] =
            &[40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 61004, 89501, 89503];
        let rows: [(&[i64], _, _); 5] = [
            (repair, Config, 60),
            (&[89506], Config, 86_400),
            (&[89507], Config, 3_600),
            (&[45009, 45011], Quota, 30),
            (&[-1, 12_345], Busy, 5),
        ];
        check_table(CODES, &rows);
    }
}
