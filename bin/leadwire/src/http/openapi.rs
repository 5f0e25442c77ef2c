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
        (name = "lead transfer", description = "Automatic moves 自动流转: rules, previews, runs and their records"),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Every type that is derived into the document, with its file: its name, or the one it goes by.
    fn schemas(text: &str) -> Vec<String> {
        let derived = text.split("#[derive(").skip(1);
        let derived =
            derived.filter(|rest| rest.split(")]").next().is_some_and(|it| it.contains("ToSchema")));
        let named = derived.filter_map(|rest| {
            let head = rest.split(['{', ';']).next()?;
            let alias = head.split("schema(as = ").nth(1).map(|rest| rest.split([')', ',']).next().unwrap());
            let own = head.split_once("struct ").or_else(|| head.split_once("enum "))?.1;
            Some(alias.unwrap_or(own.split(['<', '(', ' ', '\n']).next()?).to_owned())
        });
        named.collect()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    /// Of two types of one name only one would be in the document, and the other's routes would promise a wrong shape.
    #[test]
    fn no_two_types_share_a_name_in_the_document() {
        let mut places: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for file in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            for name in schemas(&text) {
                places.entry(name).or_default().push(file.clone());
            }
        }
        assert!(places.contains_key("DeliveryStatistics") && places.contains_key("Problem"), "{places:?}");
        places.retain(|_, files| files.len() > 1);
        assert!(places.is_empty(), "one name, several types: {places:?}");
    }

    #[test]
    fn a_type_goes_by_its_alias() {
        let text = "#[derive(Debug, ToSchema)]\n#[schema(as = Turned)]\nstruct Moved(u8);\n#[derive(Debug)]\nstruct Other;\n\
                    #[derive(\n    ToSchema,\n)]\npub enum Kind<T> {}\n";
        assert_eq!(schemas(text), ["Turned", "Kind"]);
    }
}
