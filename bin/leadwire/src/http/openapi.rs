//! The contract as a document: `/api/openapi.json`, made from the handlers, and `/api/docs`, a page that
//! shows it.

use std::sync::Arc;

use axum::Extension;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::schemas::{ProblemError, ProblemSchema};
use crate::app::SharedApp;

/// The page: plain HTML that reads the document; nothing is loaded from elsewhere.
const PAGE: &str = include_str!("docs.html");

/// What the page may do: run its own inline script and style, and read the document.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// What is true of every route.
#[derive(OpenApi)]
#[openapi(
    info(title = "Leadwire", description = "Assigns leads, tells their owners once, and can replay it."),
    security(("bearer" = [])),
    modifiers(&Tokens),
    components(schemas(ProblemSchema, ProblemError)),
    tags(
        (name = "auth", description = "Logging in"),
        (name = "users", description = "Staff 员工, WeChat bindings, service tokens"),
        (name = "customers", description = "Customers 客户"),
        (name = "public pool", description = "The public pool 公海: in, out, and what waits"),
        (name = "mini program", description = "What the mini program 小程序 asks for"),
        (name = "notifications", description = "The inbox 通知, and the live socket"),
        (name = "callbacks", description = "What WeChat and WeCom tell by themselves 回调"),
        (name = "deliveries", description = "Deliveries 投递: what became of each message, and what an operator may do"),
        (name = "operations", description = "Health and this document"),
    )
)]
pub(super) struct Base;

/// Where a token may stand.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", bearer);
        let about = "A service token, where system A's machine callers show their shared secret";
        let secret = ApiKeyValue::with_description("X-Service-Secret", about);
        components.add_security_scheme("serviceSecret", SecurityScheme::ApiKey(ApiKey::Header(secret)));
    }
}

/// The document, written once.
#[derive(Debug, Clone)]
pub(super) struct Written(Arc<str>);

impl Written {
    /// Writes the document.
    pub(super) fn of(document: &Document) -> Self {
        let json = document.to_json().unwrap_or_else(|error| {
            tracing::error!(error = %error, "the OpenAPI document cannot be written");
            "{}".to_owned()
        });
        Self(json.into())
    }
}

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(document)).routes(routes!(docs))
}

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", operation_id = "openapi", tag = "operations", security(()),
    responses((status = 200, content_type = "application/json", description = "OpenAPI 3.1"))
)]
async fn document(Extension(Written(json)): Extension<Written>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

/// A page that shows this document.
#[utoipa::path(
    get, path = "/api/docs", operation_id = "docs", tag = "operations", security(()),
    responses((status = 200, content_type = "text/html", description = "HTML"))
)]
async fn docs() -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], PAGE).into_response()
}
