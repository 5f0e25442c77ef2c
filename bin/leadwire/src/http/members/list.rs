//! The members: a page of them, and one.

use application::access::{Action, MemberView, member_view};
use application::forms::Rule;
use axum::extract::{RawQuery, State};
use chrono_tz::Tz;
use domain::member::{Gender, MemberCode, MemberEducation, MemberKind, MemberStatus};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::members::{self, MemberFilter, PAGE_MEMBERS, PAGE_MEMBERS_MAX};
use serde::Serialize;
use utoipa::ToSchema;

use super::document::MemberDocument;
use super::{MemberIdPath, MemberPath, may};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;

const LISTED: Text = Text::new("获取会员列表成功", "Here are the members");
const FOUND: Text = Text::new("获取会员详情成功", "Here is the member");

/// One page of members.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberPage {
    /// The rows, the last registered first.
    members: Vec<MemberDocument>,
    /// Rows on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most rows of a page.
    limit: u32,
    /// Number of pages.
    total_pages: i64,
}

/// Lists members, the last registered first.
#[utoipa::path(
    get, path = "/api/members", operation_id = "list_members", tag = "members",
    params(schemas::MemberListQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<MemberPage>), schemas::ReadProblems)
)]
pub(super) async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewMembers)?;
    let (filter, page) = wanted(query.as_deref(), app.limits().zone)?;
    let by_contact = member_view(caller.role) != MemberView::Base;
    let filter = MemberFilter { by_contact, ..filter };
    let stale = fresh(&app, &caller, ReadModel::Members, min).await;
    let found = members::page(&app.db, &filter, page).await.map_err(|error| db_problem(&error))?;
    let document = |row: &members::MemberRow| MemberDocument::of(&caller, row.id, &row.member);
    let page = MemberPage {
        members: found.items.iter().map(document).collect(),
        total: found.total,
        page: found.page,
        limit: found.limit,
        total_pages: found.total_pages(),
    };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

/// One member; 404 for one that is unknown or deleted.
#[utoipa::path(
    get, path = "/api/members/{id}", operation_id = "show_member", tag = "members",
    params(MemberIdPath, schemas::ReadHeaders),
    responses((status = 200, description = "The member", body = Enveloped<MemberDocument>), schemas::ReadProblems)
)]
pub(super) async fn show(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    MemberPath(id): MemberPath,
    min: MinPosition,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewMembers)?;
    let stale = fresh(&app, &caller, ReadModel::Members, min).await;
    let row = members::by_id(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let row = row.ok_or_else(|| Problem::of(&problem::MEMBER_NOT_FOUND))?;
    let document = MemberDocument::of(&caller, id, &row.member);
    Ok(Answer::ok(FOUND, &document)?.version(row.version).read_at(stale))
}

/// Reads the parameters; days are days of this zone.
fn wanted(query: Option<&str>, zone: Tz) -> Result<(MemberFilter, PageRequest), Problem> {
    let mut parameters = Parameters::of(query);
    parameters.text(MIN_POSITION); // read by its own extractor
    let (page, limit) = parameters.page("limit", PAGE_MEMBERS, PAGE_MEMBERS_MAX);
    let filter = MemberFilter {
        search: parameters.text("search"),
        by_contact: false,
        status: code::<MemberStatus>(&mut parameters, "status"),
        kind: code::<MemberKind>(&mut parameters, "type"),
        gender: code::<Gender>(&mut parameters, "gender"),
        education: code::<MemberEducation>(&mut parameters, "education"),
        province: parameters.text("province"),
        city: parameters.text("city"),
        source: parameters.text("source"),
        from: parameters.first("from", zone),
        to: parameters.last("to", zone),
    };
    parameters.finish()?;
    Ok((filter, PageRequest::new(page, limit, PAGE_MEMBERS_MAX)))
}

/// A code in any of its spellings. One of no table is refused here, although a row may hold it.
fn code<T: MemberCode>(parameters: &mut Parameters, key: &str) -> Option<String> {
    let allowed = || T::TABLE.iter().map(|value| value.code().to_owned()).collect();
    parameters.read(key, |text| {
        let known = T::read(text).map(|value| value.code().to_owned());
        known.ok_or_else(|| Rule::UnknownCode { allowed: allowed() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINA: Tz = chrono_tz::Asia::Shanghai;

    #[test]
    fn every_filter_is_read_and_codes_in_any_spelling() {
        let query = "page=2&limit=50&search=M1&status=active&type=%E5%B9%B4%E8%B4%B9%E4%BC%9A%E5%91%98&gender=m\
                     &education=DOCTOR&province=p&city=c&source=crm&from=2026-01-02&to=2026-01-02&minPosition=3";
        let (filter, page) = wanted(Some(query), CHINA).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let expected = MemberFilter {
            search: text("M1"),
            by_contact: false,
            status: text("ACTIVE"),
            kind: text("ANNUAL"),
            gender: text("male"),
            education: text("PHD"),
            province: text("p"),
            city: text("c"),
            source: text("crm"),
            from: "2026-01-01T16:00:00Z".parse().ok(),
            to: "2026-01-02T15:59:59.999999Z".parse().ok(),
        };
        assert_eq!((filter, page), (expected, PageRequest::new(2, 50, PAGE_MEMBERS_MAX)));
    }

    #[test]
    fn what_is_no_parameter_or_no_code_is_refused() {
        for query in ["limit=101", "page=0", "status=LOST", "type=GOLD", "sort=phone", "from=soon"] {
            assert_eq!(wanted(Some(query), CHINA).unwrap_err().kind.status, 400, "{query}");
        }
        assert!(wanted(None, CHINA).is_ok());
    }
}
