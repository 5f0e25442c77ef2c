//! `/api/intake/statistics`: how many members came by which way, and which of their codes nobody knows.

use application::access::{Action, allows};
use axum::extract::State;
use projections::queries::members::statistics::{SourceCount, UnknownCode, sources, unknown_codes};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::Millis;

const COUNTED: Text = Text::new("获取会员来源统计成功", "Here is where members came from");

/// Where members came from 会员来源统计.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberStatistics {
    /// Every way that a member came by.
    sources: Vec<MembersOfSource>,
    /// Codes that no table has a word for, the most frequent first; they are kept as they stand.
    unknown_codes: Vec<UnknownMemberCode>,
}

/// How many members came by one way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MembersOfSource {
    /// `staff`, `public`, `file`, or the name of the database or of the program.
    source: String,
    /// `staff`, `public` (the form), `file` (imports), `database` (captured) or `message` (signed messages).
    way: &'static str,
    /// All of them, the deleted ones too.
    members: i64,
    /// Those that take part.
    members_active: i64,
    /// Those that were deleted.
    members_deleted: i64,
    /// When Leadwire last learnt of one.
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_learnt_at: Option<Millis>,
}

/// How many members have a code that nobody knows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnknownMemberCode {
    /// The column.
    field: String,
    /// The code as it stands there.
    code: String,
    /// How many members have it.
    members: i64,
}

impl From<SourceCount> for MembersOfSource {
    fn from(count: SourceCount) -> Self {
        Self {
            source: count.source,
            way: count.way.as_str(),
            members: count.total,
            members_active: count.active,
            members_deleted: count.deleted,
            last_learnt_at: count.last_learnt_at.map(Millis),
        }
    }
}

impl From<UnknownCode> for UnknownMemberCode {
    fn from(UnknownCode { field, code, members }: UnknownCode) -> Self {
        Self { field, code, members }
    }
}

/// How many members came by which way, and the codes in their rows that nobody knows.
#[utoipa::path(
    get, path = "/api/intake/statistics", operation_id = "count_members_by_source", tag = "operations",
    responses(
        (status = 200, description = "The counts", body = Enveloped<MemberStatistics>),
        schemas::ReadProblems
    )
)]
pub(super) async fn count(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
) -> Result<Answer, Problem> {
    if !allows(caller.role, Action::ViewSchedules) {
        return Err(Problem::of(&problem::FORBIDDEN));
    }
    let sources = sources(&app.db).await.map_err(|error| db_problem(&error))?;
    let codes = unknown_codes(&app.db).await.map_err(|error| db_problem(&error))?;
    let statistics = MemberStatistics {
        sources: sources.into_iter().map(Into::into).collect(),
        unknown_codes: codes.into_iter().map(Into::into).collect(),
    };
    Answer::ok(COUNTED, &statistics)
}
