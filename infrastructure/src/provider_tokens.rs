//! One access token for all processes: asked for by one of them, used by all (wechat-apis.md sections 1.1, 5.1, 8, 9).
//!
//! Inside the process one task at a time looks for a token; between processes a lease in the database lets one ask
//! the provider while the others wait for its result. The result replaces exactly the token it was asked for, so a slow
//! process can never put an old token over a newer one. A token that the provider refused is replaced only if it is
//! still the stored one: fifty sends that fail together lead to one question.

pub(crate) mod answer;
mod row;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use application::ports::{Clock, Ids};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Failure, FailureClass};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::db::{Db, DbError};
use row::{Key, TokenRow};

/// Every statement about tokens, for the test that prepares them.
pub const STATEMENTS: &[&str] = row::STATEMENTS;

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

/// How one provider gives out the token of one app.
#[async_trait]
pub trait TokenApi: Send + Sync {
    /// The provider, e.g. `wechat`; tokens of two providers are never mixed up.
    fn provider(&self) -> &'static str;
    /// The app.
    fn app(&self) -> &str;
    /// How long before its end a token is replaced; zero where asking early gives the same token again.
    fn early(&self) -> TimeDelta;
    /// Asks for the token, once.
    async fn ask(&self, now: DateTime<Utc>) -> Result<Granted, TokenProblem>;
}

/// A token as it was given out.
pub struct Granted {
    /// The token.
    pub token: SecretString,
    /// How long it is good.
    pub lives: Duration,
}

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
    api: Box<dyn TokenApi>,
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
        let (provider, app) = (self.api.provider(), self.api.app());
        f.debug_struct("TokenStore").field("provider", &provider).field("app", &app).finish_non_exhaustive()
    }
}

/// Why somebody wants a token.
enum Wanted<'a> {
    /// Any good one.
    Any,
    /// The provider refused this one.
    Instead(&'a AccessToken),
}

impl TokenStore {
    /// A store over this database of the tokens that `api` gives.
    pub fn over(db: Db, api: Box<dyn TokenApi>, clock: Arc<dyn Clock>, ids: &dyn Ids) -> Self {
        let owner = ids.next();
        Self { db, api, clock, owner, known: Mutex::default(), looking: tokio::sync::Mutex::default() }
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
            let row = row::read(&self.db, self.key()).await?;
            let now = self.clock.now();
            if let Some(until) = row.refused_until.filter(|until| *until > now) {
                return Ok(Err(self.same_token(until)));
            }
            if row.suits(wanted) && row.refresh_at > now {
                return Ok(Ok(self.remember(row)));
            }
            let lease = (now, now + LEASE);
            if row::take_lease(&self.db, self.key(), row.version, self.owner, lease).await? {
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

    /// Asks the provider, with the lease in hand.
    async fn refresh(
        &self,
        old: TokenRow,
        wanted: &Wanted<'_>,
    ) -> Result<Result<AccessToken, TokenProblem>, DbError> {
        let asked_at = self.clock.now();
        let granted = match self.api.ask(asked_at).await {
            Ok(granted) => granted,
            Err(problem) => {
                row::drop_lease(&self.db, self.key(), self.owner).await?;
                return Ok(Err(problem));
            }
        };
        let refused = matches!(wanted, Wanted::Instead(refused)
            if refused.secret.expose_secret() == granted.token.expose_secret());
        let mut new = TokenRow::of(granted, old.version, asked_at, self.api.early());
        if refused {
            let wait = TimeDelta::from_std(SAME_TOKEN_WAIT).unwrap_or(USED_MIN);
            new.refused_until = Some(asked_at + wait);
            new.refresh_at = asked_at + wait;
        }
        if !row::swap(&self.db, self.key(), self.owner, &new).await? {
            // The lease ended while we asked, and another process was faster: its token counts.
            let row = row::read(&self.db, self.key()).await?;
            return Ok(Ok(self.remember(row)));
        }
        new.version += 1;
        let Key { provider, app } = self.key();
        tracing::info!(channel.app = app, token.version = new.version, "{provider} gave an access token");
        match new.refused_until {
            Some(until) => Ok(Err(self.same_token(until))),
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

    fn same_token(&self, until: DateTime<Utc>) -> TokenProblem {
        let detail = format!("{} refused its own current token", self.api.provider());
        TokenProblem { failure: Failure { class: FailureClass::Token, code: None, detail }, until }
    }

    fn key(&self) -> Key<'_> {
        Key { provider: self.api.provider(), app: self.api.app() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TokenRow {
    fn of(granted: Granted, version: i64, now: DateTime<Utc>, early: TimeDelta) -> Self {
        let lives = TimeDelta::from_std(granted.lives).unwrap_or(TimeDelta::MAX);
        let expires_at = now.checked_add_signed(lives).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let refresh_at = (expires_at - early).max(now + USED_MIN).min(expires_at);
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

/// A problem that ends, as far as we know, after `wait`.
pub(crate) fn problem(
    class: FailureClass,
    code: Option<i64>,
    detail: String,
    wait: Duration,
    now: DateTime<Utc>,
) -> TokenProblem {
    let wait = TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX);
    let until = now.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC);
    TokenProblem { failure: Failure { class, code, detail }, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_early_and_never_at_once() {
        let now = DateTime::UNIX_EPOCH;
        for (early, lives, used) in [
            (5, 7200, 6900),
            (5, 345, 45),
            (5, 330, 30),
            (5, 300, 30),
            (5, 301, 30),
            (5, 10, 10),
            (0, 7200, 7200),
            (0, 10, 10),
        ] {
            let granted = Granted { token: "T".to_owned().into(), lives: Duration::from_secs(lives) };
            let row = TokenRow::of(granted, 0, now, TimeDelta::minutes(early));
            assert_eq!(row.refresh_at, now + TimeDelta::seconds(used), "{lives}");
        }
    }
}
