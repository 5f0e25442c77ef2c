//! Bearer tokens: HS256, signed by us, with the claims system A's clients know.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::StaffId;
use domain::staff::Role;
use infrastructure::sessions::SessionMark;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest token that is looked at, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 4096;

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
    /// The log-in it follows from.
    #[serde(flatten)]
    pub begun: Begun,
}

/// The log-in that a token follows from; all of it is absent in a token that was made without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The session: the same in every token that follows from one log-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// This token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// How often all sessions of the person had been ended by then.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "gen")]
    pub generation: Option<i64>,
    /// When the person proved who it is, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
}

/// The only claims that are relied on; whatever else stands in a token is not read.
#[derive(Deserialize)]
struct Relied {
    sub: StaffId,
    exp: i64,
    #[serde(default)]
    iat: i64,
    #[serde(flatten)]
    begun: Begun,
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
    /// Its session was ended: logged out, or the password was changed.
    #[error("the session has ended")]
    Ended,
}

/// Signs and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    sign: EncodingKey,
    check: DecodingKey,
    rules: Validation,
    life: TimeDelta,
}

/// Who gave a token out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// We did.
    Ours,
    /// The configured issuer did.
    Issuer,
}

/// A person, the end of the token that named it, and the log-in it followed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// The person.
    pub staff: StaffId,
    /// When the token ends.
    pub until: DateTime<Utc>,
    /// When the person proved who it is.
    pub since: DateTime<Utc>,
    /// What to look for among the ended sessions.
    pub mark: SessionMark,
    /// Who gave the token out.
    pub origin: Origin,
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

    /// How long a token is good.
    pub fn life(&self) -> TimeDelta {
        self.life
    }

    /// A token for somebody without a log-in behind it: for a tool or a test.
    pub fn issue(
        &self,
        staff: StaffId,
        username: &str,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<String, TokenError> {
        self.issue_for(Begun::default(), staff, username, role, now)
    }

    /// A token for somebody who has proved who it is.
    pub fn issue_for(
        &self,
        begun: Begun,
        staff: StaffId,
        username: &str,
        role: Role,
        now: DateTime<Utc>,
    ) -> Result<String, TokenError> {
        let (iat, exp) = (now.timestamp(), (now + self.life).timestamp());
        let claims = Claims { sub: staff, username: username.to_owned(), role, iat, exp, begun };
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).map_err(|_| TokenError::Invalid)
    }

    /// Whom a token names, and until when. Whether the session was ended meanwhile is another question.
    pub fn check(&self, token: &str, now: DateTime<Utc>) -> Result<Session, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let Relied { sub: staff, exp, iat, begun } =
            decode::<Relied>(token, &self.check, &self.rules).map_err(|_| TokenError::Invalid)?.claims;
        let until = ends_at(exp, now)?;
        let since = DateTime::from_timestamp(begun.auth_time.unwrap_or(iat), 0).ok_or(TokenError::Invalid)?;
        let text = id_of(token);
        let mark = SessionMark {
            staff,
            session: begun.sid.unwrap_or(text),
            token: begun.jti.unwrap_or(text),
            generation: begun.generation,
        };
        Ok(Session { staff, until, since, mark, origin: Origin::Ours })
    }
}

/// An id for a token that names none.
pub(super) fn id_of(token: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, token.as_bytes())
}

/// The end of a token that has not ended yet.
pub(super) fn ends_at(exp: i64, now: DateTime<Utc>) -> Result<DateTime<Utc>, TokenError> {
    let until = DateTime::from_timestamp(exp, 0).ok_or(TokenError::Invalid)?;
    if until <= now { Err(TokenError::Expired) } else { Ok(until) }
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
        let session = tokens.check(&token, NOW).unwrap();
        assert_eq!((session.staff, session.until, session.since), (staff(), until, NOW));
        assert_eq!(session.mark.generation, None);
        assert_eq!(session.mark.session, session.mark.token, "a token without a log-in is its own session");
        assert_eq!(tokens.check(&token, until), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_names_the_log_in_it_follows_from() {
        let tokens = tokens("a secret of at least thirty-two bytes");
        let [sid, jti] = [11, 12].map(Uuid::from_u128);
        let earlier = NOW.timestamp() - 500;
        let begun = Begun { sid: Some(sid), jti: Some(jti), generation: Some(3), auth_time: Some(earlier) };
        let token = tokens.issue_for(begun, staff(), "admin", Role::Admin, NOW).unwrap();
        let session = tokens.check(&token, NOW).unwrap();
        let mark = SessionMark { staff: staff(), session: sid, token: jti, generation: Some(3) };
        assert_eq!((session.mark, session.since.timestamp()), (mark, earlier));
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
