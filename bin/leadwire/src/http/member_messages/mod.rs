//! `POST /api/intake/members`: members that another program of the house sends (member-intake.md section 1).
//!
//! A message is believed when its sender shows a service token for it *and* has signed it with the secret that both share:
//! the token says who may, the signature says that nobody has changed what is said. A signature is good for a few minutes
//! and once, whichever process it reaches. Every message that is not believed is counted by its reason.

pub mod rows;
mod signed;

use application::forms::{self, MessageRow};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use futures_util::future::join_all;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::command;
use super::frame::RequestId;
use super::problem::{self, Problem};
use super::refusals::db_problem;
use super::schemas::{self, Enveloped};
use super::text::{Language, Text};
use crate::app::{App, SharedApp};
use crate::auth::{IntakeWrite, ServiceCaller};
use crate::metrics::NotBelieved;
use rows::{MessageTaken, RowTaken, Taking};
use signed::Signed;

/// Rows of one message that are taken in at the same time: they commit together.
const ROWS_AT_ONCE: usize = 16;

/// Who sends such messages, and to whom, where signatures are remembered.
const SENDER: &str = "intake";
const RECEIVER: &str = "members";

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new().routes(routes!(take))
}

/// Takes in rows of members. Needs a service token with the scope `intake:write` and the headers `X-Leadwire-Timestamp`
/// (seconds since 1970, at most 5 minutes away) and `X-Leadwire-Signature`: `sha256=` and HMAC-SHA256 of the timestamp, a
/// full stop and the body, in hexadecimal digits. A signature is good once: repeat a message with a new timestamp; rows that
/// say nothing new change nothing. Each row is answered for itself; if none could be taken in, the message is refused (422).
#[utoipa::path(
    post, path = "/api/intake/members", operation_id = "take_in_members", tag = "members",
    security(("bearer" = []), ("serviceSecret" = [])),
    params(schemas::MessageSignature),
    request_body = schemas::MemberMessageBody,
    responses(
        (status = 200, description = "What became of each row", body = Enveloped<MessageTaken>),
        schemas::CommandProblems
    )
)]
async fn take(
    State(app): State<SharedApp>,
    machine: Result<ServiceCaller<IntakeWrite>, Problem>,
    request: Request,
) -> Result<Answer, Problem> {
    let machine = machine.map_err(|problem| not_let_in(&app, problem))?;
    let (parts, body) = request.into_parts();
    let language = Language::of(&parts.headers);
    let body = command::read(body, &parts.headers, app.settings.server.body_bytes_max).await?;
    let signature = believed(&app, &parts.headers, &body).await?;
    let malformed = |problem| refuse(&app, NotBelieved::Malformed, problem);
    let body = command::parse(&parts.headers, &body).map_err(malformed)?;
    let message = forms::MemberMessage::parse(body).map_err(|errors| malformed(Problem::fields(errors)))?;
    let correlation = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let taking = Taking { app: &app, actor: machine.actor(), correlation, signature, language };
    answer(message.source, taken(&taking, message.rows).await?)
}

/// Every row in its order, each answered for itself; the first failure of the store ends it, and whoever repeats the message
/// repeats nothing.
async fn taken(taking: &Taking<'_>, rows: Vec<MessageRow>) -> Result<Vec<RowTaken>, Problem> {
    let mut rows = rows.into_iter().enumerate();
    let mut answers = Vec::new();
    loop {
        let together = rows.by_ref().take(ROWS_AT_ONCE);
        let together: Vec<_> = together.map(|(index, row)| taking.one(index, row)).collect();
        if together.is_empty() {
            return Ok(answers);
        }
        for row in join_all(together).await {
            answers.push(row?);
        }
    }
}

fn answer(source: String, rows: Vec<RowTaken>) -> Result<Answer, Problem> {
    let total = rows.len();
    let refused = rows.iter().filter(|row| row.is_refused()).count();
    if refused == total {
        return Err(Problem::of(&problem::MEMBER_ROWS_REFUSED).details(json!({ "results": rows })));
    }
    let text = Text::with(
        format!("已接收会员：{} 条，拒绝 {refused} 条", total - refused),
        format!("{} rows were taken in, {refused} refused", total - refused),
    );
    Answer::ok(text, &MessageTaken { source, total, accepted: total - refused, refused, results: rows })
}

/// The signature of a message that is believed; taken, so that nobody else can use it.
async fn believed(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<String, Problem> {
    let not = |why: NotBelieved| {
        let problem = match why {
            NotBelieved::Replayed => Problem::of(&problem::MESSAGE_REPLAYED),
            NotBelieved::NotConfigured => Problem::of(&problem::INTAKE_NOT_CONFIGURED),
            _ => Problem::of(&problem::MESSAGE_NOT_SIGNED).details(json!({ "reason": why.as_str() })),
        };
        refuse(app, why, problem)
    };
    let keys = app.settings.webhook.as_ref().ok_or_else(|| not(NotBelieved::NotConfigured))?;
    let signed = Signed::read(headers, app.clock.now()).map_err(not)?;
    let signed_with = keys.signed_with(&signed.signature, &signed.timestamp, body);
    let signed_with = signed_with.ok_or_else(|| not(NotBelieved::Forged))?;
    // In one spelling: the same signature in capitals is the same signature.
    let signature = signed.signature.to_ascii_lowercase();
    let store = app.callbacks.store();
    let first = store.take_signature(SENDER, RECEIVER, &signature, signed.good_until()).await;
    if !first.map_err(|error| db_problem(&error))? {
        return Err(not(NotBelieved::Replayed));
    }
    app.metrics.believed(signed_with);
    Ok(signature)
}

/// Counts a sender who is not let in. What the database could not say is not the sender's fault.
fn not_let_in(app: &App, problem: Problem) -> Problem {
    match problem.kind.status.as_u16() {
        401 => refuse(app, NotBelieved::NoToken, problem),
        403 => refuse(app, NotBelieved::OtherScope, problem),
        _ => problem,
    }
}

fn refuse(app: &App, why: NotBelieved, problem: Problem) -> Problem {
    app.metrics.not_believed(why);
    let reason = why.as_str();
    tracing::warn!(message.refusal = reason, "a message of members is refused: {reason}");
    problem
}
