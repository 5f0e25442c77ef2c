//! `/api/wechat/callback/{app}` and `/api/wecom/callback/{app}`: what the providers tell us by themselves (http-api.md
//! section 6, wechat-apis.md section 7).
//!
//! A callback is believed because of its signature and nothing else. It is stored, `success` is answered at once, and a
//! consumer does the rest (`projections::callbacks`): whoever answers late is told nothing for a minute. Only a member's
//! question to the WeCom application gets more than `success`, because WeCom shows the answer of this very request.

mod refusal;
mod signed;

use std::sync::Arc;

use application::callbacks::members::{self, MemberCards};
use application::callbacks::{self, BODY_BYTES_MAX, What, reply};
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use infrastructure::callbacks::{CallbackStore, NewCallback, Received, Source};
use infrastructure::db::Db;
use projections::queries::member_cards::StoredCards;
use secrecy::{ExposeSecret as _, SecretString};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::command;
use super::path::PathText;
use super::problem::{self, Problem};
use super::refusals::db_problem;
use super::schemas;
use crate::app::{App, SharedApp};
use crate::config::{CallbackKind, CallbackSettings};
pub use refusal::{Refusal, RefusalCounts};
use signed::Signed;

/// What the providers want to hear.
const SUCCESS: &str = "success";
const PLAIN_TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const XML: HeaderValue = HeaderValue::from_static("application/xml; charset=utf-8");

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(verify_wechat, push_wechat)).routes(routes!(verify_wecom, push_wecom))
}

/// The callbacks of this process.
pub struct Callbacks {
    apps: Vec<CallbackSettings>,
    store: CallbackStore,
    refused: RefusalCounts,
    cards: Arc<dyn MemberCards>,
}

impl Callbacks {
    /// Takes the callbacks of the configured apps.
    pub fn new(apps: Vec<CallbackSettings>, db: Db) -> Self {
        let cards = Arc::new(StoredCards::new(db.clone()));
        let (store, refused) = (CallbackStore::new(db), RefusalCounts::default());
        Self { apps, store, refused, cards }
    }

    /// The stored callbacks; waiting for one wakes when this process stores it.
    pub fn store(&self) -> &CallbackStore {
        &self.store
    }

    /// What was refused, for metrics.
    pub fn refused(&self) -> &RefusalCounts {
        &self.refused
    }

    /// The app of a kind, if its callbacks are taken.
    pub fn app_of(&self, kind: CallbackKind) -> Option<&str> {
        self.apps.iter().find(|app| app.kind == kind).map(|app| app.app.as_str())
    }

    fn app(&self, source: Source, name: &str) -> Result<&CallbackSettings, Problem> {
        let found = self.apps.iter().find(|app| app.kind.source() == source && app.app == name);
        found.ok_or_else(|| Problem::of(&problem::CALLBACK_NOT_CONFIGURED))
    }

    /// Counts a refusal, and says it.
    fn refuse(&self, app: &CallbackSettings, refusal: Refusal) -> Problem {
        let source = app.kind.source();
        self.refused.count(source, refusal);
        tracing::warn!(
            callback.source = source.as_str(),
            callback.app = app.app,
            callback.refusal = refusal.as_str(),
            "a callback is refused: {}",
            refusal.as_str()
        );
        refusal.problem()
    }
}

fn plain(text: String) -> Response {
    ([(header::CONTENT_TYPE, PLAIN_TEXT)], text).into_response()
}

/// Answers WeChat's question whether the address is ours.
#[utoipa::path(
    get, path = "/api/wechat/callback/{app}", operation_id = "verify_wechat_callback", tag = "callbacks", security(()),
    params(("app" = String, Path, description = "The appid; for WeCom the number of the application"), schemas::CallbackVerification),
    responses((status = 200, description = "`echostr` as it came", body = String, content_type = "text/plain"), schemas::CallbackProblems)
)]
pub async fn verify_wechat(
    State(app): State<SharedApp>,
    PathText(name): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let configured = app.callbacks.app(Source::Wechat, &name)?;
    let refuse = |refusal| app.callbacks.refuse(configured, refusal);
    let asked = Signed::read(query.as_deref(), "signature", app.clock.now()).map_err(refuse)?;
    let echo = asked.echostr().map_err(refuse)?;
    if !configured.keys.is_signed(&asked.signature, &asked.timestamp, &asked.nonce, None) {
        return Err(refuse(Refusal::Forged));
    }
    Ok(plain(echo.to_owned()))
}

/// Takes a push of WeChat, in plain, compatible or safe mode. Where an EncodingAESKey is configured, only what it
/// encrypts is believed.
#[utoipa::path(
    post, path = "/api/wechat/callback/{app}", operation_id = "push_wechat_callback", tag = "callbacks", security(()),
    params(("app" = String, Path, description = "The appid; for WeCom the number of the application"), schemas::CallbackSignature), request_body(content = String, content_type = "text/xml"),
    responses((status = 200, description = "`success`", body = String, content_type = "text/plain"), schemas::CallbackProblems)
)]
pub async fn push_wechat(
    State(app): State<SharedApp>,
    PathText(name): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let configured = app.callbacks.app(Source::Wechat, &name)?;
    let body = read(body, &headers).await?;
    take(&app, configured, query.as_deref(), &body).await?;
    Ok(plain(SUCCESS.to_owned()))
}

/// Answers WeCom's question whether the address is ours.
#[utoipa::path(
    get, path = "/api/wecom/callback/{app}", operation_id = "verify_wecom_callback", tag = "callbacks", security(()),
    params(("app" = String, Path, description = "The appid; for WeCom the number of the application"), schemas::EncryptedVerification),
    responses((status = 200, description = "`echostr` decrypted", body = String, content_type = "text/plain"), schemas::CallbackProblems)
)]
pub async fn verify_wecom(
    State(app): State<SharedApp>,
    PathText(name): PathText,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let configured = app.callbacks.app(Source::Wecom, &name)?;
    let refuse = |refusal| app.callbacks.refuse(configured, refusal);
    let asked = Signed::read(query.as_deref(), "msg_signature", app.clock.now()).map_err(refuse)?;
    let echo = asked.echostr().map_err(refuse)?;
    if !configured.keys.is_signed(&asked.signature, &asked.timestamp, &asked.nonce, Some(echo)) {
        return Err(refuse(Refusal::Forged));
    }
    let echo = configured.keys.decrypt(echo).map_err(|_| refuse(Refusal::Undecryptable))?;
    Ok(plain(echo))
}

/// Takes a push of WeCom. A text of a member is answered with the member it asks for.
#[utoipa::path(
    post, path = "/api/wecom/callback/{app}", operation_id = "push_wecom_callback", tag = "callbacks", security(()),
    params(("app" = String, Path, description = "The appid; for WeCom the number of the application"), schemas::EncryptedSignature), request_body(content = String, content_type = "text/xml"),
    responses((status = 200, description = "`success`, or an encrypted answer as XML", body = String, content_type = "text/plain"), schemas::CallbackProblems)
)]
pub async fn push_wecom(
    State(app): State<SharedApp>,
    PathText(name): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let configured = app.callbacks.app(Source::Wecom, &name)?;
    let body = read(body, &headers).await?;
    let message = take(&app, configured, query.as_deref(), &body).await?;
    match answer(&app, configured, &message).await? {
        Some(answer) => Ok(([(header::CONTENT_TYPE, XML)], answer).into_response()),
        None => Ok(plain(SUCCESS.to_owned())),
    }
}

/// A body that is small enough. What is no text is refused with the signature it cannot have.
async fn read(body: Body, headers: &HeaderMap) -> Result<String, Problem> {
    let bytes = command::read(body, headers, BODY_BYTES_MAX).await?;
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

/// Checks a push and stores it; the decrypted body.
async fn take(
    app: &App,
    configured: &CallbackSettings,
    query: Option<&str>,
    body: &str,
) -> Result<SecretString, Problem> {
    let (callbacks, now) = (&app.callbacks, app.clock.now());
    let refuse = |refusal| callbacks.refuse(configured, refusal);
    let encrypted = configured.keys.is_encrypted();
    let name = if encrypted { "msg_signature" } else { "signature" };
    let signed = Signed::read(query, name, now).map_err(refuse)?;
    // A body that cannot be read has no signature that fits; nothing else is said about it.
    let sealed = if encrypted {
        let tree = callbacks::parse(body).map_err(|_| refuse(Refusal::Forged))?;
        Some(callbacks::text(&tree, "Encrypt").ok_or_else(|| refuse(Refusal::Forged))?)
    } else {
        None
    };
    if !configured.keys.is_signed(&signed.signature, &signed.timestamp, &signed.nonce, sealed.as_deref()) {
        return Err(refuse(Refusal::Forged));
    }
    let message = match &sealed {
        Some(sealed) => configured.keys.decrypt(sealed).map_err(|_| refuse(Refusal::Undecryptable))?,
        None => body.to_owned(),
    };
    // No database keeps it, and no callback has it.
    if message.contains('\0') {
        return Err(refuse(Refusal::Undecryptable));
    }
    let message = SecretString::from(message);
    let new = NewCallback {
        id: app.ids.next(),
        source: configured.kind.source(),
        app: &configured.app,
        signature: &signed.signature,
        signature_until: signed.good_until(),
        body: &message,
    };
    match callbacks.store.receive(new, now).await.map_err(|error| db_problem(&error))? {
        Received::New | Received::Again => Ok(message),
        Received::Replayed => Err(refuse(Refusal::Replayed)),
    }
}

/// The encrypted answer to a text; nothing else is answered. What cannot be read is the consumer's to park.
async fn answer(
    app: &App,
    configured: &CallbackSettings,
    body: &SecretString,
) -> Result<Option<String>, Problem> {
    let Ok(message) = callbacks::read(body.expose_secret()) else { return Ok(None) };
    let What::Text(content) = &message.what else { return Ok(None) };
    let now = app.clock.now();
    let text = members::answer(app.callbacks.cards.as_ref(), content).await;
    let sealed = configured.keys.seal(&reply::text(&message, &text, now)).map_err(|error| {
        tracing::error!(%error, "an answer cannot be encrypted");
        Problem::of(&problem::INTERNAL)
    })?;
    let (timestamp, nonce) = (now.timestamp().to_string(), app.ids.next().simple().to_string());
    let signature = configured.keys.signature(&timestamp, &nonce, Some(&sealed));
    Ok(Some(reply::sealed(&sealed, &signature, &timestamp, &nonce)))
}
