//! From a bearer token to the person behind it.

use application::access::Caller;
use application::bus::CommandBus as _;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::staff::Staff;
use domain::{StaffId, StreamId};

use super::TokenError;
use crate::app::{App, SharedApp};
use crate::http::{Problem, load_problem, problem};

pub use super::tokens::Session;

/// Somebody who is logged in and may use the system at this moment.
#[derive(Debug, Clone)]
pub struct Authenticated(pub Caller);

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
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Token(TokenError::Expired) => Self::of(&problem::TOKEN_EXPIRED),
            Refused::Token(TokenError::Invalid) | Refused::Unknown => Self::of(&problem::UNAUTHORIZED),
            Refused::Suspended => Self::of(&problem::ACCOUNT_SUSPENDED),
            Refused::Unavailable(error) => load_problem(&error),
        }
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
    let session = app.auth.tokens.check(token, app.clock.now()).map_err(Refused::Token)?;
    Ok((staff_caller(app, session.staff).await?, session))
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

impl FromRequestParts<SharedApp> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
        let (caller, _) = caller_of(app, token).await?;
        Ok(Self(caller))
    }
}
