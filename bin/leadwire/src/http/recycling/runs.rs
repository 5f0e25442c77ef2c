//! The runs of the recycle rules: which there were, which leads each was to let fall, and what became of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use application::access::Action;
use application::bus::CommandBus as _;
use application::recycling::stayed_texts;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use domain::recycle_rule::run::{NamedRule, RecycleRun};
use domain::{CustomerId, RecycleRuleId, RecycleRunId, StaffId, StreamId};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::recycling::{self as query, RUNS_PAGE_MAX, RecycleRunRow, RunRule};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::may;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::path::PathText;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取回收执行列表成功", "Here are the runs of the recycle rules");
const SHOWN: Text = Text::new("获取回收执行成功", "Here is the run of the recycle rules");

/// Runs of a page when the caller does not say.
const PAGE_RUNS: u32 = 20;

/// Leads of a run on one page.
const LEADS_PAGE_MAX: u32 = 1000;

/// Parameters of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct RecycleRunQuery {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Runs of a page.
    #[param(minimum = 1, maximum = 50, default = 20)]
    limit: Option<u32>,
}

/// Parameters of one run.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct RecycleRunLeadsQuery {
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Leads of a page.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// A run of the recycle rules 回收执行. An hour in which nothing is due has none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunDocument {
    /// Id.
    #[serde(rename = "_id")]
    #[schema(value_type = uuid::Uuid)]
    pub(crate) id: RecycleRunId,
    /// The hour it is the run of.
    #[schema(value_type = DateTime<Utc>)]
    pub(crate) period: Millis,
    /// When its plan was written.
    #[schema(value_type = DateTime<Utc>)]
    pub(crate) started_at: Millis,
    /// When it ended; `null` while it is under way, or was left and is carried on.
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub(crate) completed_at: Option<Millis>,
    /// The rules by which leads were to fall, as they were called.
    pub(crate) rules: Vec<RecycleRunRule>,
    /// Leads that were to fall.
    pub(crate) planned_count: usize,
    /// Leads that fell; known when it is over.
    pub(crate) recycled_count: usize,
    /// Leads that stayed; known when it is over.
    pub(crate) skipped_count: usize,
}

/// A rule of a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunRule {
    /// The rule.
    #[schema(value_type = uuid::Uuid)]
    rule_id: RecycleRuleId,
    /// What it was called then.
    pub(crate) rule_name: String,
    /// Leads that were to fall by it.
    pub(crate) planned_count: usize,
}

/// A run with everything that became of its leads.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunExplained {
    /// The run.
    #[serde(flatten)]
    pub(crate) run: RecycleRunDocument,
    /// What each owner lost, the most first.
    pub(crate) people: Vec<RecycleRunLoss>,
    /// For which reasons leads stayed, the most frequent first.
    pub(crate) skipped: Vec<RecycleRunReason>,
    /// One page of the leads, in the order of the plan.
    pub(crate) leads: Vec<RecycleRunLead>,
    /// Number of this page, from 1.
    page: u32,
    /// Most leads of a page.
    limit: u32,
    /// Number of pages.
    total_pages: usize,
}

/// What one owner lost in a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunLoss {
    /// The person.
    #[schema(value_type = uuid::Uuid)]
    staff_id: StaffId,
    /// Name on screens.
    pub(crate) name: String,
    /// Leads that fell.
    pub(crate) count: usize,
}

/// Why leads of a run stayed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunReason {
    /// For programs.
    reason: String,
    /// For people.
    pub(crate) message: String,
    /// How many leads.
    pub(crate) count: usize,
}

/// One lead of a run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunLead {
    /// The lead.
    #[schema(value_type = uuid::Uuid)]
    pub(crate) customer_id: CustomerId,
    /// Whose it was.
    #[schema(value_type = uuid::Uuid)]
    pub(crate) owner: StaffId,
    /// Name on screens.
    pub(crate) owner_name: String,
    /// The rule by which it was to fall.
    #[schema(value_type = uuid::Uuid)]
    rule_id: RecycleRuleId,
    /// `planned` while the run is under way, then `recycled` or `stayed`.
    pub(crate) state: &'static str,
    /// Why it stayed, for programs.
    reason: Option<String>,
    /// The same for people.
    pub(crate) message: Option<String>,
}

/// One page of runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecycleRunPage {
    /// The runs, the latest hour first.
    runs: Vec<RecycleRunDocument>,
    /// Runs on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most runs of a page.
    limit: u32,
    /// Number of pages.
    total_pages: i64,
}

/// The runs of the recycle rules, the latest hour first.
#[utoipa::path(
    get, path = "/api/recycle-runs", operation_id = "list_recycle_runs", tag = "public pool",
    params(RecycleRunQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<RecycleRunPage>), schemas::ReadProblems)
)]
pub async fn list(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewRecycleRules)?;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION); // read by its own extractor
    let (page, limit) = parameters.page("limit", PAGE_RUNS, RUNS_PAGE_MAX);
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::OpenRecycleRuns, min).await;
    let page = query::runs(&app.db, PageRequest::new(page, limit, RUNS_PAGE_MAX)).await;
    let page = page.map_err(|error| db_problem(&error))?;
    let (total, number, limit, total_pages) = (page.total, page.page, page.limit, page.total_pages());
    let runs = page.items.into_iter().map(RecycleRunDocument::from).collect();
    let page = RecycleRunPage { runs, total, page: number, limit, total_pages };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

/// One run, with what became of its leads, page by page.
#[utoipa::path(
    get, path = "/api/recycle-runs/{id}", operation_id = "explain_recycle_run", tag = "public pool",
    params(("id" = uuid::Uuid, Path, description = "`_id` of the run"), RecycleRunLeadsQuery),
    responses(
        (status = 200, description = "The run", body = Enveloped<RecycleRunExplained>),
        schemas::ReadProblems
    )
)]
pub async fn explain(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Answer, Problem> {
    may(&caller, Action::ViewRecycleRules)?;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION); // a run is read out of the log, which is never behind
    let page = parameters.page("limit", LEADS_PAGE_MAX, LEADS_PAGE_MAX);
    parameters.finish()?;
    let unknown = || Problem::of(&problem::RECYCLE_RUN_NOT_FOUND);
    let id: RecycleRunId = id.parse().map_err(|_| unknown())?;
    let run = app.bus.load::<RecycleRun>(&StreamId::from(id)).await;
    let run = run.map_err(|error| load_problem(&error))?.state;
    let people = People::find(&app, owners(&run)).await?;
    let language = Language::of(&headers);
    let document = RecycleRunExplained::of(id, &run, &people, page, language).ok_or_else(unknown)?;
    Answer::ok(SHOWN, &document)
}

/// Everybody who had a lead of the run.
pub(crate) fn owners(run: &RecycleRun) -> BTreeSet<StaffId> {
    run.falls.iter().map(|planned| planned.from).collect()
}

impl From<RecycleRunRow> for RecycleRunDocument {
    fn from(run: RecycleRunRow) -> Self {
        let count = |leads: u64| usize::try_from(leads).unwrap_or(usize::MAX);
        let rule = |one: RunRule| RecycleRunRule {
            rule_id: RecycleRuleId(one.rule),
            rule_name: one.name,
            planned_count: count(one.planned),
        };
        Self {
            id: run.id,
            period: Millis(run.period),
            started_at: Millis(run.started_at),
            completed_at: run.completed_at.map(Millis),
            rules: run.rules.into_iter().map(rule).collect(),
            planned_count: count(run.planned),
            recycled_count: count(run.fallen),
            skipped_count: count(run.stayed),
        }
    }
}

impl RecycleRunDocument {
    /// `None` when it did not begin.
    fn of(id: RecycleRunId, run: &RecycleRun) -> Option<Self> {
        let (started, completed) = (run.started.as_ref()?, run.completed.as_ref());
        let rule = |NamedRule { rule, name }: &NamedRule| RecycleRunRule {
            rule_id: *rule,
            rule_name: name.clone(),
            planned_count: run.falls.iter().filter(|planned| planned.rule == *rule).count(),
        };
        Some(Self {
            id,
            period: Millis(started.period),
            started_at: Millis(started.at),
            completed_at: completed.map(|end| Millis(end.at)),
            rules: started.rules.iter().map(rule).collect(),
            planned_count: run.falls.len(),
            recycled_count: completed.map_or(0, |end| end.fallen.len()),
            skipped_count: completed.map_or(0, |end| end.skipped.len()),
        })
    }
}

impl RecycleRunExplained {
    /// `None` when it did not begin.
    pub(crate) fn of(
        id: RecycleRunId,
        run: &RecycleRun,
        people: &People,
        (page, limit): (u32, u32),
        language: Language,
    ) -> Option<Self> {
        let told = |code: &str| match stayed_texts(code) {
            Some((zh, en)) => Text::new(zh, en).get(language).to_owned(),
            None => code.to_owned(),
        };
        let completed = run.completed.as_ref();
        let stayed: HashMap<CustomerId, &str> = completed
            .iter()
            .flat_map(|end| end.skipped.iter().map(|one| (one.customer, one.reason.as_str())))
            .collect();
        let lost = completed.iter().flat_map(|end| end.fallen.iter().map(|one| one.from));
        let people_lost = counted(lost).into_iter().map(|(staff, count)| RecycleRunLoss {
            staff_id: staff,
            name: people.shown(staff),
            count,
        });
        let reasons = counted(stayed.values().copied()).into_iter().map(|(code, count)| RecycleRunReason {
            reason: code.to_owned(),
            message: told(code),
            count,
        });
        let most = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let before = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(most);
        let leads = run.falls.iter().skip(before).take(most).map(|planned| {
            let reason = stayed.get(&planned.customer).copied();
            RecycleRunLead {
                customer_id: planned.customer,
                owner: planned.from,
                owner_name: people.shown(planned.from),
                rule_id: planned.rule,
                state: match (completed, reason) {
                    (None, _) => "planned",
                    (Some(_), None) => "recycled",
                    (Some(_), Some(_)) => "stayed",
                },
                reason: reason.map(str::to_owned),
                message: reason.map(told),
            }
        });
        Some(Self {
            run: RecycleRunDocument::of(id, run)?,
            people: people_lost.collect(),
            skipped: reasons.collect(),
            leads: leads.collect(),
            page,
            limit,
            total_pages: run.falls.len().div_ceil(most),
        })
    }
}

/// How often each occurs, the most frequent first.
fn counted<T: Ord + Copy>(all: impl Iterator<Item = T>) -> Vec<(T, usize)> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
