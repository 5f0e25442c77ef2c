//! Bearer tokens: HS256, signed by us, with the claims system A's clients know.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::StaffId;
use domain::staff::Role;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4096;

/// What a token says. The role is for clients; the server reads it from the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The person.
    pub sub: StaffId,
    /// Login name.
    pub username: String,
    /// Role when the token was made.
    pub role: Role,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

/// The only claims that are relied on; whatever else an issuer puts into a token is not read.
#[derive(Deserialize)]
struct Relied {
    sub: StaffId,
    exp: i64,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not a token, or not signed by us.
    #[error("the token is not valid")]
    Invalid,
    /// It has ended.
    #[error("the token has expired")]
    Expired,
}

/// Signs and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    sign: EncodingKey,
    check: DecodingKey,
    rules: Validation,
    life: TimeDelta,
}

/// A person and the end of the token that named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The person.
    pub staff: StaffId,
    /// When the token ends.
    pub until: DateTime<Utc>,
}

impl Tokens {
    /// Tokens signed with `secret` that are good for `life`.
    pub fn new(secret: &SecretString, life: Duration) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let mut rules = Validation::new(Algorithm::HS256);
        // The end is compared with the Clock port below, so that a test can move the time.
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["exp", "sub"]);
        Self {
            sign: EncodingKey::from_secret(secret),
            check: DecodingKey::from_secret(secret),
            rules,
            life: TimeDelta::from_std(life).unwrap_or(TimeDelta::days(1)),
        }
    }

    /// A token for somebody who has just proved who it is.
    pub fn issue(
        &self,
        staff: StaffId,
        username: &str,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<String, TokenError> {
        let exp = (now + self.life).timestamp();
        let claims = Claims { sub: staff, username: username.to_owned(), role, iat: now.timestamp(), exp };
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).map_err(|_| TokenError::Invalid)
    }

    /// Whom a token names, and until when.
    pub fn check(&self, token: &str, now: DateTime<Utc>) -> Result<Session, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let claims =
            decode::<Relied>(token, &self.check, &self.rules).map_err(|_| TokenError::Invalid)?.claims;
        let until = DateTime::from_timestamp(claims.exp, 0).ok_or(TokenError::Invalid)?;
        if until <= now { Err(TokenError::Expired) } else { Ok(Session { staff: claims.sub, until }) }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("life", &self.life).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).unwrap();

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&SecretString::from(secret), Duration::from_hours(24))
    }

    fn staff() -> StaffId {
        StaffId(uuid::Uuid::from_u128(7))
    }

    #[test]
    fn a_token_is_good_until_its_end() {
        let tokens = tokens("a secret of at least thirty-two bytes");
        let token = tokens.issue(staff(), "admin", Role::Admin, NOW).unwrap();
        let until = NOW + TimeDelta::hours(24);
        assert_eq!(tokens.check(&token, NOW), Ok(Session { staff: staff(), until }));
        assert_eq!(tokens.check(&token, until), Err(TokenError::Expired));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let ours = tokens("a secret of at least thirty-two bytes");
        let theirs = tokens("another secret, just as long as ours");
        let forged = theirs.issue(staff(), "admin", Role::Admin, NOW).unwrap();
        assert_eq!(ours.check(&forged, NOW), Err(TokenError::Invalid));

        let good = ours.issue(staff(), "admin", Role::Admin, NOW).unwrap();
        let claims = good.split('.').nth(1).unwrap();
        let unsigned = format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
        for token in [unsigned.as_str(), "", "x", "a.b.c", &good[..good.len() - 4], &"x".repeat(5000)] {
            assert_eq!(ours.check(token, NOW), Err(TokenError::Invalid), "{token}");
        }
    }
}
