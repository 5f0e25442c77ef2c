//! `/api/users`: the staff 员工 as system A's console manages them.

pub mod list;
pub mod password;
pub mod wecom;
pub mod write;

use application::access::{Action, Caller, allows};
use application::bus::ExecuteError;
use application::staff::{StaffReceipt, StaffRefusal};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::StaffId;
use domain::staff::{Role, Staff, StaffError};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{self, Problem};
use super::refusals::execute_problem;
use super::sessions::permissions;
use super::text::Text;
use super::time::Millis;
use crate::app::SharedApp;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(list::list, write::create))
        .routes(routes!(list::detail, write::update))
        .routes(routes!(write::suspend))
        .routes(routes!(write::activate))
        .routes(routes!(password::change))
        .routes(routes!(wecom::bind, wecom::unbind))
}

/// A member of staff as system A's console knows one. Which WeChat account it is stays with us.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a member of the JSON by itself")]
pub struct UserDocument {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    id: StaffId,
    /// Login name.
    username: String,
    /// Name on screens.
    name: String,
    /// Phone.
    phone: Option<String>,
    /// E-mail.
    email: Option<String>,
    /// Picture; none is kept.
    avatar: Option<String>,
    /// Role.
    #[schema(value_type = String)]
    role: Role,
    /// The role's Chinese name.
    role_name: &'static str,
    /// Department.
    department: Option<String>,
    /// System A's permission codes.
    permissions: Vec<&'static str>,
    /// Whether the account works.
    active: bool,
    /// The opposite.
    suspended: bool,
    /// Yuan a month the person is to bring in.
    monthly_task: Option<u32>,
    /// Whether a WeChat account is bound.
    wechat_bound: bool,
    /// Whether a member of a WeCom corporation is bound.
    wecom_bound: bool,
    /// When the account was made.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
    /// When it last changed.
    #[schema(value_type = DateTime<Utc>)]
    updated_at: Millis,
}

impl UserDocument {
    /// `None` before the account exists.
    fn of(id: StaffId, staff: Staff) -> Option<Self> {
        let active = staff.is_active();
        let Staff { account, suspended, openids, wecom, updated_at } = staff;
        let account = account?;
        Some(Self {
            id,
            username: account.username,
            name: account.name,
            phone: account.phone.map(|phone| phone.as_str().to_owned()),
            email: account.email,
            avatar: None,
            role: account.role,
            role_name: account.role.label(),
            department: account.department,
            permissions: permissions(account.role),
            active,
            suspended,
            monthly_task: account.monthly_task,
            wechat_bound: !openids.is_empty(),
            wecom_bound: !wecom.is_empty(),
            created_at: Millis(account.created_at),
            updated_at: Millis(updated_at.unwrap_or(account.created_at)),
        })
    }
}

/// The member of staff that the path names. What is no id names nobody: 404.
#[derive(Debug, Clone, Copy)]
pub struct UserPath(pub StaffId);

impl FromRequestParts<SharedApp> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::USER_NOT_FOUND);
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

/// Refuses everybody who may not do this with accounts.
pub(super) fn permitted(caller: &Caller, action: Action) -> Result<(), Problem> {
    if allows(caller.role, action) { Ok(()) } else { Err(Problem::of(&problem::FORBIDDEN)) }
}

/// Why a command on an account did not happen.
pub(super) fn staff_problem(error: ExecuteError<StaffRefusal>) -> Problem {
    let ExecuteError::Refused(refusal) = error else { return execute_problem(error) };
    let typed =
        |en: &'static str| Problem::of(&problem::REFUSED_VALUE).text(Text::with(refusal.to_string(), en));
    match &refusal {
        StaffRefusal::Rule(StaffError::NotFound) => Problem::of(&problem::USER_NOT_FOUND),
        StaffRefusal::Rule(StaffError::InvalidUsername) => typed("The user name is not valid"),
        StaffRefusal::Rule(StaffError::MissingName) => typed("The name must not be empty"),
        StaffRefusal::DuplicateUsername => Problem::of(&problem::DUPLICATE_USERNAME),
        StaffRefusal::OpenidTaken => Problem::of(&problem::WECHAT_TAKEN),
        StaffRefusal::WecomTaken => Problem::of(&problem::WECOM_TAKEN),
        StaffRefusal::OwnAccount => Problem::of(&problem::OWN_ACCOUNT),
        StaffRefusal::NotBound => Problem::of(&problem::WECHAT_NOT_BOUND),
        StaffRefusal::Rule(StaffError::AlreadyExists) | StaffRefusal::Credits(_) => {
            Problem::of(&problem::CONFLICT)
        }
    }
}

/// What the receipt of an account's command says, and where it stands.
type Written = application::bus::Executed<StaffReceipt>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_the_status_of_who_must_act() {
        for (refusal, status, code) in [
            (StaffRefusal::Rule(StaffError::NotFound), 404, "USER_NOT_FOUND"),
            (StaffRefusal::Rule(StaffError::AlreadyExists), 409, "CONFLICT"),
            (StaffRefusal::Rule(StaffError::InvalidUsername), 422, "VALIDATION_FAILED"),
            (StaffRefusal::Rule(StaffError::MissingName), 422, "VALIDATION_FAILED"),
            (StaffRefusal::DuplicateUsername, 409, "DUPLICATE_USERNAME"),
            (StaffRefusal::OpenidTaken, 409, "WECHAT_TAKEN"),
            (StaffRefusal::WecomTaken, 409, "WECOM_TAKEN"),
            (StaffRefusal::OwnAccount, 409, "OWN_ACCOUNT"),
        ] {
            let problem = staff_problem(ExecuteError::Refused(refusal.clone()));
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
        }
    }
}
