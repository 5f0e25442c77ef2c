//! `GET /cgi-bin/gettoken`, and what its errors mean (wechat-apis.md section 5.1). Asked again before its end it gives the
//! same token, so nobody asks early; and `WeCom` may end a token whenever it likes, so a refused one is asked for anew.

use std::sync::Arc;
use std::time::Duration;

use application::bus::LoadError;
use application::ports::{Clock, Ids};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::FailureClass;
use reqwest::Client;
use secrecy::ExposeSecret;

use super::WecomSettings;
use super::sealed::CurrentSecret;
use crate::db::Db;
use crate::provider_http::{ClientError, client, exchange};
use crate::provider_tokens::answer::{Wait, granted};
use crate::provider_tokens::{Granted, TokenApi, TokenProblem, TokenStore, problem};

/// How long to wait when our own database does not say which secret it is.
const SECRET_WAIT: Duration = Duration::from_secs(5);

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
    /// `None`: the secret of the settings.
    secrets: Option<Arc<dyn CurrentSecret>>,
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
        let secret = match &self.secrets {
            Some(secrets) => secrets.secret().await.map_err(|error| unreadable(&error, now))?,
            None => self.settings.secret.clone(),
        };
        let request = self
            .client
            .get(self.settings.endpoint("cgi-bin/gettoken"))
            .query(&[("corpid", self.settings.corp.as_str()), ("corpsecret", secret.expose_secret())]);
        granted(exchange(request).await, CODES, now)
    }
}

/// An outage of our own: nobody is asked, and the channel rests for a moment.
fn unreadable(error: &LoadError, now: DateTime<Utc>) -> TokenProblem {
    let detail = format!("the secret of the application cannot be read: {error}");
    problem(FailureClass::Unreachable, None, detail, SECRET_WAIT, now)
}

impl TokenStore {
    /// The tokens of a `WeCom` application.
    pub fn of_wecom(
        db: Db,
        settings: WecomSettings,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
    ) -> Result<Self, ClientError> {
        let tokens = AppTokens { client: client(settings.timeouts)?, settings, secrets: None };
        Ok(Self::over(db, Box::new(tokens), clock, ids))
    }

    /// The tokens of a `WeCom` application whose secret may change while the process runs.
    pub fn of_wecom_with(
        db: Db,
        settings: WecomSettings,
        secrets: Arc<dyn CurrentSecret>,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
    ) -> Result<Self, ClientError> {
        let tokens = AppTokens { client: client(settings.timeouts)?, settings, secrets: Some(secrets) };
        Ok(Self::over(db, Box::new(tokens), clock, ids))
    }
}

#[cfg(test)]
mod tests {
    use super::FailureClass::{Busy, Config, Quota};
    use super::*;
    use crate::provider_tokens::answer::testing::check_table;

    #[test]
    fn every_refusal_has_a_class_and_an_end() {
        let repair: &[i64] =
            &[40001, 40013, 40056, 40091, 41002, 41004, 48004, 50003, 60020, 301_042, 2_000_002];
        check_table(CODES, &[(repair, Config, 60), (&[45009], Quota, 30), (&[-1, 45033, 12_345], Busy, 5)]);
    }
}
