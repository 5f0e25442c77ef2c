//! Machine callers: a service token and what it is good for.
//!
//! A route says in its signature which scope it needs: `ServiceCaller<IntakeWrite>`. The token comes as a bearer token,
//! or where system A's machine callers show their one shared secret: in `X-Service-Secret`.

use std::marker::PhantomData;

use application::forms::ServiceScope;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use domain::Actor;
use infrastructure::service_tokens::{SERVICE_TOKEN_PREFIX, ServiceToken};
use serde_json::json;

use super::caller::{bearer, caller_of};
use crate::app::SharedApp;
use crate::http::refusals::db_problem;
use crate::http::{Problem, problem};

/// Where system A's machine callers show who they are.
const X_SERVICE_SECRET: &str = "x-service-secret";

/// The scope a route needs; `None`: any good service token will do.
pub trait RequiredScope: Send {
    /// The scope.
    const SCOPE: Option<ServiceScope>;
}

/// Any good service token.
#[derive(Debug, Clone, Copy)]
pub struct AnyScope;
/// `intake:write`.
#[derive(Debug, Clone, Copy)]
pub struct IntakeWrite;
/// `notifications:request`.
#[derive(Debug, Clone, Copy)]
pub struct NotificationsRequest;
/// `queue:process`.
#[derive(Debug, Clone, Copy)]
pub struct QueueProcess;
/// `customers:read`.
#[derive(Debug, Clone, Copy)]
pub struct CustomersRead;

impl RequiredScope for AnyScope {
    const SCOPE: Option<ServiceScope> = None;
}

impl RequiredScope for IntakeWrite {
    const SCOPE: Option<ServiceScope> = Some(ServiceScope::IntakeWrite);
}

impl RequiredScope for NotificationsRequest {
    const SCOPE: Option<ServiceScope> = Some(ServiceScope::NotificationsRequest);
}

impl RequiredScope for QueueProcess {
    const SCOPE: Option<ServiceScope> = Some(ServiceScope::QueueProcess);
}

impl RequiredScope for CustomersRead {
    const SCOPE: Option<ServiceScope> = Some(ServiceScope::CustomersRead);
}

/// A machine that showed a good service token with the scope `S`.
#[derive(Debug, Clone)]
pub struct ServiceCaller<S> {
    /// Its token, as far as it is kept.
    pub token: ServiceToken,
    scope: PhantomData<S>,
}

impl<S> ServiceCaller<S> {
    /// Who the log says did it.
    pub fn actor(&self) -> Actor {
        Actor::System(format!("service:{}", self.token.name))
    }
}

impl<S: RequiredScope> FromRequestParts<SharedApp> for ServiceCaller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let text = shown(&parts.headers).ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
        if !text.starts_with(SERVICE_TOKEN_PREFIX) {
            // A person's token is looked at, so that a bad one is told what is wrong with it.
            caller_of(app, text).await?;
            return Err(missing(S::SCOPE));
        }
        let token = app.auth.service_tokens.find(text).await.map_err(|error| db_problem(&error))?;
        let token = token.filter(|token| token.is_good(app.clock.now()));
        let token = token.ok_or_else(|| Problem::of(&problem::UNAUTHORIZED))?;
        match S::SCOPE {
            Some(scope) if !token.scopes.contains(&scope) => Err(missing(Some(scope))),
            _ => Ok(Self { token, scope: PhantomData }),
        }
    }
}

/// The token of a request. In `X-Service-Secret` nothing but a service token is looked at: a person's token has its
/// place already.
fn shown(headers: &HeaderMap) -> Option<&str> {
    bearer(headers).or_else(|| {
        let secret = headers.get(X_SERVICE_SECRET)?.to_str().ok()?.trim();
        secret.starts_with(SERVICE_TOKEN_PREFIX).then_some(secret)
    })
}

fn missing(scope: Option<ServiceScope>) -> Problem {
    Problem::of(&problem::INSUFFICIENT_SCOPE).details(json!({ "scope": scope }))
}
