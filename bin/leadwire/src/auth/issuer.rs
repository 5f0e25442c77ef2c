//! Tokens of an existing issuer: who it says somebody is. Role and state are ours to know.

use chrono::{DateTime, Utc};
use infrastructure::jwks::{Jwks, KeyProblem, VerifyingKey};
use infrastructure::provider_http::ClientError;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::tokens::{TOKEN_BYTES_MAX, TokenError, ends_at, id_of};
use crate::config::{IssuerKeys, IssuerSettings};

/// How far the issuer's clock may be ahead of ours, in seconds.
const CLOCK_SKEW_SECONDS: i64 = 60;

/// An issuer whose tokens name our staff.
#[derive(Debug, Clone)]
pub struct Issuer {
    name: String,
    audience: String,
    keys: Keys,
    username_claim: Option<String>,
}

#[derive(Debug, Clone)]
enum Keys {
    One(Box<VerifyingKey>),
    Set(Jwks),
}

/// Whom a foreign token names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// A member of staff by id.
    Id(domain::StaffId),
    /// A member of staff by login name.
    Username(String),
}

/// A foreign token that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// Whom it names.
    pub named: Named,
    /// When it was made.
    pub since: DateTime<Utc>,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Its id.
    pub id: Uuid,
}

/// Why a foreign token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignError {
    /// It is not good.
    Token(TokenError),
    /// The issuer's keys were never fetched, so nobody can tell.
    NoKeys,
}

impl From<TokenError> for ForeignError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// Whether a token says that it is signed with a key pair: then it cannot be one of ours.
pub(super) fn is_foreign(token: &str) -> bool {
    token.len() <= TOKEN_BYTES_MAX
        && decode_header(token).is_ok_and(|header| matches!(header.alg, Algorithm::RS256 | Algorithm::ES256))
}

impl Issuer {
    /// With these settings; the keys of a set are fetched by the task of [`Self::key_set`].
    pub fn new(settings: &IssuerSettings) -> Result<Self, ClientError> {
        let keys = match &settings.keys {
            IssuerKeys::One(key) => Keys::One(Box::new(key.clone())),
            IssuerKeys::Set(url) => Keys::Set(Jwks::new(url.clone())?),
        };
        let IssuerSettings { name, audience, username_claim, .. } = settings.clone();
        Ok(Self { name, audience, keys, username_claim })
    }

    /// The key set that is to be kept up to date in the background.
    pub fn key_set(&self) -> Option<&Jwks> {
        match &self.keys {
            Keys::One(_) => None,
            Keys::Set(set) => Some(set),
        }
    }

    /// Whom a token names, and until when.
    pub async fn check(&self, token: &str, now: DateTime<Utc>) -> Result<Foreign, ForeignError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let key = match &self.keys {
            Keys::One(key) => (**key).clone(),
            Keys::Set(set) => {
                let id = header.kid.as_deref().ok_or(TokenError::Invalid)?;
                set.key(id).await.map_err(|problem| match problem {
                    KeyProblem::Unknown => ForeignError::Token(TokenError::Invalid),
                    KeyProblem::Unavailable => ForeignError::NoKeys,
                })?
            }
        };
        // The key decides which algorithm it is used with, never the token.
        let mut rules = Validation::new(key.algorithm);
        rules.set_issuer(&[&self.name]);
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        rules.validate_exp = false;
        let claims = decode::<Map<String, Value>>(token, &key.key, &rules);
        let claims = claims.map_err(|_| TokenError::Invalid)?.claims;
        self.read(&claims, token, now).map_err(ForeignError::Token)
    }

    fn read(
        &self,
        claims: &Map<String, Value>,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Foreign, TokenError> {
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
        let seconds = |claim: &str| claims.get(claim).and_then(Value::as_f64).map(whole_seconds);
        let until = ends_at(seconds("exp").ok_or(TokenError::Invalid)?, now)?;
        if seconds("nbf").is_some_and(|from| from > now.timestamp() + CLOCK_SKEW_SECONDS) {
            return Err(TokenError::Invalid);
        }
        let named = if let Some(claim) = &self.username_claim {
            let username = text(claim).ok_or(TokenError::Invalid)?;
            let username = domain::staff::normalise_username(username);
            Named::Username(username.map_err(|_| TokenError::Invalid)?)
        } else {
            let id = text("sub").and_then(|sub| sub.parse().ok());
            Named::Id(id.ok_or(TokenError::Invalid)?)
        };
        let since = seconds("iat").and_then(|at| DateTime::from_timestamp(at, 0)).unwrap_or(now);
        let id = text("jti").map_or_else(|| id_of(token), |jti| id_of(&format!("{} {jti}", self.name)));
        Ok(Foreign { named, since, until, id })
    }
}

/// RFC 7519 allows fractions of a second.
#[expect(clippy::cast_possible_truncation, reason = "a time that does not fit is far from any that is good")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.floor() as i64
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
