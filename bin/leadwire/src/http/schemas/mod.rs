//! Shapes that exist for the OpenAPI document only: bodies (read by [`application::forms`]), headers,
//! problems, and the envelope. Nothing is parsed or written with them; tests hold them against what is.

mod bodies;
mod callbacks;
mod members;
mod parameters;

use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};

pub use bodies::{
    AssignBody, AutoTransferBody, BatchAssignBody, BatchReleaseBody, ClaimBody, CreateCustomerBody,
    FollowUpBody, FreezeBody, LoginBody, MarkAllReadBody, MarkReadBody, PoolAssignBody, ProfileSchema,
    ReleaseBody, UpdateCustomerBody, WebsiteLeadBody,
};
pub use bodies::{
    ChangePasswordBody, CreateUserBody, ServiceTokenBody, UpdateUserBody, WechatCodeBody, WecomBindingBody,
};
pub use callbacks::{
    CallbackProblems, CallbackSignature, CallbackVerification, EncryptedSignature, EncryptedVerification,
    SubscribeConfirmBody,
};
pub use members::{
    MemberColumns, MemberListQuery, MemberMessageBody, MemberMessageRow, MessageSignature, MyselfColumns,
    RevokeMemberBody, UpgradeMemberBody,
};
pub use parameters::{
    CommandHeaders, CustomerListQuery, IdPath, NotificationListQuery, ReadHeaders, VersionHeader,
};

/// The envelope of every good answer.
#[derive(ToSchema)]
pub struct Enveloped<T: ToSchema> {
    /// `true`.
    pub success: bool,
    /// For people, in the language of `Accept-Language`.
    pub message: String,
    /// What was asked for.
    pub data: T,
    /// When it was answered, in milliseconds since 1970.
    pub timestamp: i64,
}

/// A problem: the members of RFC 9457 and of the envelope in one object.
#[derive(ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub struct ProblemSchema {
    /// Address of the kind's description.
    #[serde(rename = "type")]
    pub kind: String,
    /// Short English title of the kind.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// For people.
    pub detail: String,
    /// For programs.
    pub code: String,
    /// `false`.
    pub success: bool,
    /// The same as `detail`.
    pub message: String,
    /// `null`.
    pub data: Option<Value>,
    /// The same code, and what can be computed with.
    pub error: ProblemError,
    /// Id of the request, as in `X-Request-Id`.
    pub request_id: String,
    /// When it was answered, in milliseconds since 1970.
    pub timestamp: i64,
}

/// Code and details of a problem.
#[derive(ToSchema)]
pub struct ProblemError {
    /// For programs.
    pub code: String,
    /// Depends on the code: `errors[] {path, code, message}`, `currentOwner`, `version`, `bytesMax` …
    pub details: Value,
}

/// What a command may be refused with.
#[derive(IntoResponses)]
pub enum CommandProblems {
    /// The sender's program is wrong: unreadable body, unknown key, malformed header.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemSchema),
    /// Not logged in, or the account is cut off.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemSchema),
    /// The role may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemSchema),
    /// Unknown, or not visible to the caller.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemSchema),
    /// Somebody else was faster, or a unique value is taken.
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemSchema),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemSchema),
    /// The body is not declared to be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemSchema),
    /// A value is refused, or the idempotency key was used for another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemSchema),
    /// Too many in too short a time: try again after `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemSchema),
    /// Try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemSchema),
}

/// What a read may be refused with.
#[derive(IntoResponses)]
pub enum ReadProblems {
    /// The sender's program is wrong: unknown or malformed parameter.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemSchema),
    /// Not logged in, or the account is cut off.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemSchema),
    /// The role may not do this.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemSchema),
    /// Unknown, or not visible to the caller.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(ProblemSchema),
    /// Try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemSchema),
}

/// What logging in may be refused with.
#[derive(IntoResponses)]
pub enum LoginProblems {
    /// The sender's program is wrong.
    #[response(status = 400, content_type = "application/problem+json")]
    BadRequest(ProblemSchema),
    /// Wrong user name or password, or the account is cut off.
    #[response(status = 401, content_type = "application/problem+json")]
    Unauthorized(ProblemSchema),
    /// The WeChat account is not bound, or blocked by WeChat.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(ProblemSchema),
    /// The body is too large.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemSchema),
    /// The body is not declared to be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(ProblemSchema),
    /// A value is refused.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemSchema),
    /// Five failures within 15 minutes, or too many requests of one address: try again after `Retry-After`.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemSchema),
    /// Try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemSchema),
}
