//! One access token for all processes: asked for by one of them, used by all (wechat-apis.md sections 1.1, 8, 9).
//!
//! Inside the process one task at a time looks for a token; between processes a lease in the database lets one ask
//! WeChat while the others wait for its result. The result replaces exactly the token it was asked for, so a slow
//! process can never put an old token over a newer one. A token that WeChat refused is replaced only if it is still
//! the stored one: fifty sends that fail together lead to one question.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use application::ports::{Clock, Ids};
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Failure, FailureClass};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::WechatSettings;
use super::token_api::{Granted, ask, problem};
use super::token_row::{self, TokenRow};
use crate::db::{Db, DbError};
use crate::provider_http::{ClientError, client};

/// A token is replaced this long before its end: both are good during that time.
const EARLY: TimeDelta = TimeDelta::minutes(5);
/// A token is used at least this long before another one is asked for, because a stable token may be given out with
/// no more than five minutes left: minus [`EARLY`] that would be nothing, and every send would ask.
const USED_MIN: TimeDelta = TimeDelta::seconds(30);
/// The same token again after a refusal: nobody asks before.
const SAME_TOKEN_WAIT: Duration = Duration::from_secs(30);
/// Right to refresh; longer than the question may take.
const LEASE: TimeDelta = TimeDelta::seconds(30);
/// How often and how long to look whether another process has the new token.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MAX: u32 = 50;
/// How long the database is left alone after it failed.
const DATABASE_WAIT: Duration = Duration::from_secs(1);

/// A token that was good when it was given out. Does not print itself.
#[derive(Debug, Clone)]
pub struct AccessToken {
    secret: SecretString,
}

impl AccessToken {
    /// The token itself; only for the URL of a call.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }
}

/// Why there is no token, and when asking may help. Concerns the channel, never one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenProblem {
    /// What is wrong.
    pub failure: Failure,
    /// When to ask again.
    pub until: DateTime<Utc>,
}

/// The token of one app. Share one per process.
pub struct TokenStore {
    db: Db,
    settings: WechatSettings,
    client: Client,
    clock: Arc<dyn Clock>,
    /// This store among all processes; a lease is taken in its name.
    owner: Uuid,
    known: Mutex<Known>,
    /// Held by the one task that looks for a token.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    row: Option<TokenRow>,
    problem: Option<TokenProblem>,
}

impl std::fmt::Debug for TokenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenStore").field("app", &self.settings.app).finish_non_exhaustive()
    }
}

/// Why somebody wants a token.
enum Wanted<'a> {
    /// Any good one.
    Any,
    /// WeChat refused this one.
    Instead(&'a AccessToken),
}

impl TokenStore {
    /// A store over this database.
    pub fn new(
        db: Db,
        settings: WechatSettings,
        clock: Arc<dyn Clock>,
        ids: &dyn Ids,
    ) -> Result<Self, ClientError> {
        let client = client(settings.timeouts)?;
        let owner = ids.next();
        Ok(Self {
            db,
            settings,
            client,
            clock,
            owner,
            known: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
        })
    }

    /// A token that should be good.
    pub async fn get(&self) -> Result<AccessToken, TokenProblem> {
        self.find(Wanted::Any).await
    }

    /// Another token than the refused one: the one somebody else got meanwhile, or a new one.
    pub async fn instead_of(&self, refused: &AccessToken) -> Result<AccessToken, TokenProblem> {
        self.find(Wanted::Instead(refused)).await
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<AccessToken, TokenProblem> {
        if let Some(known) = self.known(&wanted) {
            return known;
        }
        let _one_at_a_time = self.looking.lock().await;
        if let Some(known) = self.known(&wanted) {
            return known; // whoever looked before found it
        }
        let found = match self.look(&wanted).await {
            Ok(found) => found,
            Err(error) => {
                let detail = format!("the token store failed: {error}");
                Err(problem(FailureClass::Unreachable, None, detail, DATABASE_WAIT, self.clock.now()))
            }
        };
        if let Err(problem) = &found {
            self.lock().problem = Some(problem.clone());
        }
        found
    }

    /// What memory says; `None` when the database must be asked.
    fn known(&self, wanted: &Wanted<'_>) -> Option<Result<AccessToken, TokenProblem>> {
        let now = self.clock.now();
        let mut known = self.lock();
        known.problem.take_if(|problem| problem.until <= now);
        if let Some(problem) = &known.problem {
            return Some(Err(problem.clone()));
        }
        known.row.as_ref().filter(|row| row.suits(wanted) && row.refresh_at > now).map(|row| Ok(row.access()))
    }

    async fn look(&self, wanted: &Wanted<'_>) -> Result<Result<AccessToken, TokenProblem>, DbError> {
        for _ in 0..LOOKS_MAX {
            let row = token_row::read(&self.db, &self.settings.app).await?;
            let now = self.clock.now();
            if let Some(until) = row.refused_until.filter(|until| *until > now) {
                return Ok(Err(same_token(until)));
            }
            if row.suits(wanted) && row.refresh_at > now {
                return Ok(Ok(self.remember(row)));
            }
            if token_row::take_lease(
                &self.db,
                &self.settings.app,
                row.version,
                self.owner,
                (now, now + LEASE),
            )
            .await?
            {
                return self.refresh(row, wanted).await;
            }
            // Somebody else is asking. What is stored works a while longer, unless it is the refused one.
            if row.suits(wanted) && row.expires_at > now + USED_MIN {
                return Ok(Ok(row.access()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let detail = "another process did not finish refreshing the token".to_owned();
        Ok(Err(problem(FailureClass::Busy, None, detail, LOOK_EVERY, self.clock.now())))
    }

    /// Asks WeChat, with the lease in hand.
    async fn refresh(
        &self,
        old: TokenRow,
        wanted: &Wanted<'_>,
    ) -> Result<Result<AccessToken, TokenProblem>, DbError> {
        let asked_at = self.clock.now();
        let granted = match ask(&self.client, &self.settings, asked_at).await {
            Ok(granted) => granted,
            Err(problem) => {
                token_row::drop_lease(&self.db, &self.settings.app, self.owner).await?;
                return Ok(Err(problem));
            }
        };
        let refused = matches!(wanted, Wanted::Instead(refused)
            if refused.secret.expose_secret() == granted.token.expose_secret());
        let mut new = TokenRow::of(granted, old.version, asked_at);
        if refused {
            let wait = TimeDelta::from_std(SAME_TOKEN_WAIT).unwrap_or(USED_MIN);
            new.refused_until = Some(asked_at + wait);
            new.refresh_at = asked_at + wait;
        }
        if !token_row::swap(&self.db, &self.settings.app, self.owner, &new).await? {
            // The lease ended while we asked, and another process was faster: its token counts.
            let row = token_row::read(&self.db, &self.settings.app).await?;
            return Ok(Ok(self.remember(row)));
        }
        new.version += 1;
        tracing::info!(channel.app = %self.settings.app, token.version = new.version, "WeChat gave an access token");
        match new.refused_until {
            Some(until) => Ok(Err(same_token(until))),
            None => Ok(Ok(self.remember(new))),
        }
    }

    fn remember(&self, row: TokenRow) -> AccessToken {
        let access = row.access();
        let mut known = self.lock();
        // A slower look must not put an older token over a newer one.
        if known.row.as_ref().is_none_or(|known| known.version <= row.version) {
            known.row = Some(row);
        }
        access
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenRow {
    fn of(granted: Granted, version: i64, now: DateTime<Utc>) -> Self {
        let lives = TimeDelta::from_std(granted.lives).unwrap_or(EARLY);
        let expires_at = now.checked_add_signed(lives).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let refresh_at = (expires_at - EARLY).max(now + USED_MIN).min(expires_at);
        Self { token: granted.token, expires_at, refresh_at, refused_until: None, version }
    }

    /// Whether it is another token than the refused one.
    fn suits(&self, wanted: &Wanted<'_>) -> bool {
        match wanted {
            Wanted::Any => self.version > 0,
            Wanted::Instead(refused) => {
                self.version > 0 && self.token.expose_secret() != refused.secret.expose_secret()
            }
        }
    }

    fn access(&self) -> AccessToken {
        AccessToken { secret: self.token.clone() }
    }
}

fn same_token(until: DateTime<Utc>) -> TokenProblem {
    let detail = "WeChat refused its own current token".to_owned();
    TokenProblem { failure: Failure { class: FailureClass::Token, code: None, detail }, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_early_and_never_at_once() {
        let now = DateTime::UNIX_EPOCH;
        for (lives, used) in [(7200, 6900), (345, 45), (330, 30), (300, 30), (301, 30), (10, 10)] {
            let granted = Granted { token: "T".to_owned().into(), lives: Duration::from_secs(lives) };
            let row = TokenRow::of(granted, 0, now);
            assert_eq!(row.refresh_at, now + TimeDelta::seconds(used), "{lives}");
        }
    }
}
