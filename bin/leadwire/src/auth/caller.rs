//! From a bearer token to the person behind it.

use application::access::Caller;
use application::bus::CommandBus as _;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::staff::Staff;
use domain::{StaffId, StreamId};
use infrastructure::db::DbError;
use infrastructure::sessions::SessionMark;

use super::TokenError;
use super::issuer::{ForeignError, Named, is_foreign};
use super::tokens::Origin;
use crate::app::{App, SharedApp};
use crate::http::{Problem, load_problem, problem, refusals};

pub use super::tokens::Session;

/// Seconds after which somebody may try again whom an unreachable issuer keeps out.
const ISSUER_SECONDS: u64 = 5;

/// Somebody who is logged in and may use the system at this moment.
#[derive(Debug, Clone)]
pub struct Authenticated(pub Caller);

/// The same with the session: for what is about the session itself.
#[derive(Debug, Clone)]
pub struct LoggedIn(pub Caller, pub Session);

/// Why somebody with a token is not let in.
#[derive(Debug)]
pub enum Refused {
    /// The token is not good.
    Token(TokenError),
    /// There is no such account any more.
    Unknown,
    /// The account is cut off.
    Suspended,
    /// The directory cannot be asked at this moment.
    Unavailable(application::bus::LoadError),
    /// The database cannot be asked at this moment.
    Store(DbError),
    /// The keys of the issuer are not known yet.
    NoKeys,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Token(TokenError::Expired) => Self::of(&problem::TOKEN_EXPIRED),
            Refused::Token(TokenError::Ended) => Self::of(&problem::SESSION_ENDED),
            Refused::Token(TokenError::Invalid) | Refused::Unknown => Self::of(&problem::UNAUTHORIZED),
            Refused::Suspended => Self::of(&problem::ACCOUNT_SUSPENDED),
            Refused::Unavailable(error) => load_problem(&error),
            Refused::Store(error) => refusals::db_problem(&error),
            Refused::NoKeys => Self::of(&problem::UNAVAILABLE).retry_after(ISSUER_SECONDS),
        }
    }
}

impl Refused {
    /// Whether the person is not let in for good, rather than for want of an answer.
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Unavailable(_) | Self::Store(_) | Self::NoKeys)
    }
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The person behind a token, if the person may use the system at this moment.
pub async fn caller_of(app: &App, token: &str) -> Result<(Caller, Session), Refused> {
    let session = session_of(app, token).await?;
    Ok((still_good(app, &session).await?, session))
}

/// The person of an open session, if neither token nor session have ended and the person may use the system at this
/// moment. Asked again and again while a socket is open; [`Sessions::changes`] tells when to ask besides.
///
/// [`Sessions::changes`]: infrastructure::sessions::Sessions::changes
pub async fn still_good(app: &App, session: &Session) -> Result<Caller, Refused> {
    if session.until <= app.clock.now() {
        return Err(Refused::Token(TokenError::Expired));
    }
    if app.auth.sessions.is_ended(&session.mark).await.map_err(Refused::Store)? {
        return Err(Refused::Token(TokenError::Ended));
    }
    staff_caller(app, session.staff).await
}

/// The person, if the person may use the system at this moment.
pub async fn staff_caller(app: &App, id: StaffId) -> Result<Caller, Refused> {
    let staff = app.bus.load::<Staff>(&StreamId::from(id)).await.map_err(Refused::Unavailable)?.state;
    if staff.suspended {
        return Err(Refused::Suspended);
    }
    let account = staff.account.ok_or(Refused::Unknown)?;
    Ok(Caller { id, username: account.username, name: account.name, role: account.role })
}

/// What a token says, ours or the issuer's.
async fn session_of(app: &App, token: &str) -> Result<Session, Refused> {
    let now = app.clock.now();
    let Some(issuer) = app.auth.issuer.as_ref().filter(|_| is_foreign(token)) else {
        return app.auth.tokens.check(token, now).map_err(Refused::Token);
    };
    let foreign = issuer.check(token, now).await.map_err(|error| match error {
        ForeignError::Token(error) => Refused::Token(error),
        ForeignError::NoKeys => Refused::NoKeys,
    })?;
    let staff = match foreign.named {
        Named::Id(id) => id,
        Named::Username(username) => {
            let found = app.auth.credentials.staff_named(&username).await.map_err(Refused::Store)?;
            found.ok_or(Refused::Unknown)?
        }
    };
    let mark = SessionMark { staff, session: foreign.id, token: foreign.id, generation: None };
    Ok(Session { staff, until: foreign.until, since: foreign.since, mark, origin: Origin::Issuer })
}

impl FromRequestParts<SharedApp> for LoggedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
        let (caller, session) = caller_of(app, token).await?;
        Ok(Self(caller, session))
    }
}

impl FromRequestParts<SharedApp> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let LoggedIn(caller, _) = LoggedIn::from_request_parts(parts, app).await?;
        Ok(Self(caller))
    }
}
