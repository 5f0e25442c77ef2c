//! `/api/members`: the members of system S, typed in by the staff or by themselves (domain.md section 4). What other
//! programs send comes through `super::member_messages`.

pub mod act;
pub mod document;
pub mod list;
pub mod public;
pub mod register;

use application::access::{Action, Caller, allows};
use application::bus::{CommandBus as _, ExecuteError, Executed};
use application::members::{MemberReceipt, MemberRefusal, MemberResult};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::member::{Member, MemberError};
use domain::{MemberId, StreamId};
use serde_json::json;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use super::problem::{self, Kind, Problem};
use super::refusals::{execute_problem, load_problem};
use super::text::Text;
use crate::app::{App, SharedApp};
use document::MemberDocument;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(register::register, list::list))
        .routes(routes!(public::register_myself))
        .routes(routes!(list::show, act::update, act::delete))
        .routes(routes!(act::activate))
        .routes(routes!(act::upgrade))
        .routes(routes!(act::revoke))
}

/// The member that the path names. What is no id names nobody: 404, and nothing is made of the digits in it (fault S-17).
#[derive(Debug, Clone, Copy)]
struct MemberPath(MemberId);

impl FromRequestParts<SharedApp> for MemberPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::MEMBER_NOT_FOUND);
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

/// The member, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct MemberIdPath {
    /// `id` of the member.
    #[expect(dead_code, reason = "only described")]
    id: uuid::Uuid,
}

fn may(caller: &Caller, action: Action) -> Result<(), Problem> {
    if allows(caller.role, action) { Ok(()) } else { Err(Problem::of(&problem::FORBIDDEN)) }
}

/// The member right after a command, as the caller sees it, so that a repetition shows the same again.
async fn after(app: &App, caller: &Caller, receipt: &MemberReceipt) -> Result<MemberDocument, Problem> {
    let stream = StreamId::from(receipt.member);
    let found = app.bus.load_at::<Member>(&stream, receipt.sequence).await;
    let member = found.map_err(|error| load_problem(&error))?.state;
    Ok(MemberDocument::of(caller, receipt.member, &member))
}

/// Adds version and position, and remembers the position for the caller's next read.
fn written(app: &App, caller: &Caller, answer: Answer, executed: &Executed<MemberReceipt>) -> Answer {
    app.writes.noted(caller.id, executed.position);
    answer.version(executed.result.sequence).written(executed.position, executed.replayed)
}

/// What was done, or why it was not.
fn done(result: MemberResult<MemberReceipt>) -> Result<Executed<MemberReceipt>, Problem> {
    result.map_err(member_problem)
}

/// Why a member command did not happen.
fn member_problem(error: ExecuteError<MemberRefusal>) -> Problem {
    match error {
        ExecuteError::Refused(refusal) => refused(&refusal),
        other => execute_problem(other),
    }
}

fn refused(refusal: &MemberRefusal) -> Problem {
    use MemberError as Rule;
    let of = |kind: &'static Kind, english: &'static str| {
        Problem::of(kind).text(Text::with(refusal.to_string(), english))
    };
    match refusal {
        MemberRefusal::Rule(Rule::NotFound) => Problem::of(&problem::MEMBER_NOT_FOUND),
        MemberRefusal::Rule(Rule::AlreadyExists) => of(&problem::CONFLICT, "The member exists already"),
        MemberRefusal::Rule(Rule::MissingIdentity) => {
            of(&problem::REFUSED_VALUE, "Number, WeChat id and phone of a member are required")
        }
        MemberRefusal::Rule(Rule::NotAField) => {
            of(&problem::REFUSED_VALUE, "Type and status of a member have commands of their own")
        }
        MemberRefusal::Rule(Rule::NotAnUpgrade) => {
            of(&problem::NOT_AN_UPGRADE, "A member can only be upgraded to more")
        }
        MemberRefusal::Rule(Rule::NotARenewal) => {
            of(&problem::NOT_AN_UPGRADE, "A renewal cannot end before what was paid for")
        }
        MemberRefusal::Rule(Rule::Revoked) => Problem::of(&problem::MEMBER_REVOKED),
        MemberRefusal::Forbidden(zh) => {
            let forbidden = Problem::of(&problem::FORBIDDEN);
            let en = forbidden.text.en.clone();
            forbidden.text(Text::with(*zh, en))
        }
        MemberRefusal::DuplicateNumber => Problem::of(&problem::DUPLICATE_MEMBER_NO),
        MemberRefusal::DuplicatePhone => of(&problem::DUPLICATE_PHONE, "Another member has this phone"),
        MemberRefusal::DuplicateWechat => of(&problem::DUPLICATE_WECHAT, "Another member has this WeChat id"),
        MemberRefusal::Stale { sequence } => {
            of(&problem::VERSION_CONFLICT, "Somebody else has changed this member, please reload")
                .details(json!({ "version": sequence }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_the_status_of_who_must_act_and_its_own_words() {
        for (refusal, status, code) in [
            (MemberRefusal::Rule(MemberError::NotFound), 404, "MEMBER_NOT_FOUND"),
            (MemberRefusal::Rule(MemberError::AlreadyExists), 409, "CONFLICT"),
            (MemberRefusal::Rule(MemberError::MissingIdentity), 422, "VALIDATION_FAILED"),
            (MemberRefusal::Rule(MemberError::NotAField), 422, "VALIDATION_FAILED"),
            (MemberRefusal::Rule(MemberError::NotAnUpgrade), 409, "NOT_AN_UPGRADE"),
            (MemberRefusal::Rule(MemberError::NotARenewal), 409, "NOT_AN_UPGRADE"),
            (MemberRefusal::Rule(MemberError::Revoked), 409, "MEMBER_REVOKED"),
            (MemberRefusal::Forbidden("无权限登记会员"), 403, "FORBIDDEN"),
            (MemberRefusal::DuplicateNumber, 409, "DUPLICATE_MEMBER_NO"),
            (MemberRefusal::DuplicatePhone, 409, "DUPLICATE_PHONE"),
            (MemberRefusal::DuplicateWechat, 409, "DUPLICATE_WECHAT"),
            (MemberRefusal::Stale { sequence: 3 }, 409, "VERSION_CONFLICT"),
        ] {
            let problem = refused(&refusal);
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
            assert_eq!(problem.text.zh, refusal.to_string());
        }
    }
}
