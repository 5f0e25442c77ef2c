//! A call with an access token: a refused token is replaced once, and the same bytes are sent once more.

use std::sync::Arc;

use application::delivery::Outcome;
use application::ports::Clock;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use url::Url;

use super::{Exchange, exchange};
use crate::dispatcher::Rest;
use crate::provider_tokens::{AccessToken, TokenProblem, TokenStore};

/// The body of every call: raw UTF-8.
pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// One path of a provider that takes JSON and an access token in the address.
pub(crate) struct Authorised {
    pub(crate) client: Client,
    /// With every part of its query but the token.
    pub(crate) url: Url,
    pub(crate) tokens: Arc<TokenStore>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Authorised {
    /// Makes sure that there is a token, before an attempt begins.
    pub(crate) async fn prepare(&self) -> Result<(), Rest> {
        self.tokens.get().await.map(drop).map_err(Rest::from)
    }

    /// Two calls at most, with a look for a token before each. The error is what the attempt ends with when there was
    /// no token to call with.
    pub(crate) async fn send<R>(
        &self,
        body: &str,
        read: fn(Exchange) -> R,
        is_refused_token: fn(&R) -> bool,
    ) -> Result<R, Outcome> {
        let token = self.tokens.get().await.map_err(|problem| self.without_token(problem))?;
        let first = read(self.call(&token, body).await);
        if !is_refused_token(&first) {
            return Ok(first);
        }
        // The call was refused before it was carried out, so sending again in the same attempt is safe, once.
        let fresh = self.tokens.instead_of(&token).await.map_err(|problem| self.without_token(problem))?;
        Ok(read(self.call(&fresh, body).await))
    }

    async fn call(&self, token: &AccessToken, body: &str) -> Exchange {
        let request = self
            .client
            .post(self.url.clone())
            .query(&[("access_token", token.secret().expose_secret())])
            .header(CONTENT_TYPE, JSON)
            .body(body.to_owned());
        exchange(request).await
    }

    /// Nothing was sent, or what was sent was refused before it was carried out.
    fn without_token(&self, problem: TokenProblem) -> Outcome {
        let wait = (problem.until - self.clock.now()).to_std().unwrap_or_default();
        Outcome::Retry { failure: problem.failure, after: Some(wait), counted: false }
    }
}

impl From<TokenProblem> for Rest {
    fn from(problem: TokenProblem) -> Self {
        Self { failure: problem.failure, until: problem.until }
    }
}
