//! Shapes of callbacks and of subscriptions, for the OpenAPI document only.

use utoipa::{IntoParams, IntoResponses, ToSchema};

use super::ProblemSchema;

/// What proves a plain callback; an encrypted one has `msg_signature` and `encrypt_type` too.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackSignature {
    /// SHA-1 of token, timestamp and nonce, sorted, in hex. Not looked at where an EncodingAESKey is configured.
    pub signature: Option<String>,
    /// SHA-1 of token, timestamp, nonce and `Encrypt`, sorted, in hex.
    pub msg_signature: Option<String>,
    /// When it was sent, in seconds since 1970.
    pub timestamp: String,
    /// Anything, once.
    pub nonce: String,
}

/// What proves WeChat's question.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CallbackVerification {
    /// SHA-1 of token, timestamp and nonce, sorted, in hex.
    pub signature: String,
    /// When it was sent, in seconds since 1970.
    pub timestamp: String,
    /// Anything, once.
    pub nonce: String,
    /// What is to be answered.
    pub echostr: String,
}

/// What proves an encrypted callback.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EncryptedSignature {
    /// SHA-1 of token, timestamp, nonce and `Encrypt`, sorted, in hex.
    pub msg_signature: String,
    /// When it was sent, in seconds since 1970.
    pub timestamp: String,
    /// Anything, once.
    pub nonce: String,
}

/// What proves WeCom's question.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EncryptedVerification {
    /// SHA-1 of token, timestamp, nonce and `echostr`, sorted, in hex.
    pub msg_signature: String,
    /// When it was sent, in seconds since 1970.
    pub timestamp: String,
    /// Anything, once.
    pub nonce: String,
    /// What is to be answered, encrypted.
    pub echostr: String,
}

/// What a callback may be refused with.
#[derive(IntoResponses)]
pub enum CallbackProblems {
    /// The signature is right, and what it signs cannot be decrypted.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemSchema),
    /// Signature, timestamp or nonce is missing, wrong, too old, or was used for something else.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemSchema),
    /// No callbacks are configured for this app.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemSchema),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemSchema),
    /// Try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemSchema),
}

/// What `wx.requestSubscribeMessage` came back with.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubscribeConfirmBody {
    /// The template; the configured one when missing.
    #[schema(max_length = 128)]
    pub template_id: Option<String>,
    /// `accept` or `reject`.
    #[schema(pattern = "^(accept|reject)$")]
    pub action: String,
    /// How many consents.
    #[schema(minimum = 1, maximum = 10, default = 1)]
    pub count: Option<i64>,
}
