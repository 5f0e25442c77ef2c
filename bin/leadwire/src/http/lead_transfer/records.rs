//! What rules moved: record by record, counted, and for one person. Whoever manages no rules sees the own part only.

use application::access::{Action, Caller, sees_everybodys_transfers};
use application::transfers::SkipReason;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use domain::{CustomerId, StaffId, TransferRuleId, TransferRunId};
use projections::ReadModel;
use projections::queries::PageRequest;
use projections::queries::transfers::{
    self as query, PAGE_RECORDS_MAX, RecordFilter, RecordStatus, Snapshot, TransferRecord,
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::permitted;
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::path::PathText;
use crate::http::people::People;
use crate::http::problem::{self, Problem};
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};
use crate::http::time::Millis;

const LISTED: Text = Text::new("获取流转记录成功", "Here are the transfer records");
const COUNTED: Text = Text::new("获取流转统计成功", "Here are the transfer statistics");
const NOT_YOURS: Text = Text::new("只能查看自己的流转统计", "You can see your own transfer statistics only");

/// Records of a page when the caller does not say.
const PAGE_RECORDS: u32 = 20;

/// Parameters of the records.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct TransferRecordQuery {
    /// Of this rule.
    rule_id: Option<Uuid>,
    /// Of this run.
    run_id: Option<Uuid>,
    /// Of this lead.
    customer_id: Option<Uuid>,
    /// Out of this person's hands.
    from_user_id: Option<Uuid>,
    /// Into this person's hands.
    to_user_id: Option<Uuid>,
    /// success, failed (it stayed) or planned (its run is under way).
    status: Option<String>,
    /// On this day (in `limits.zone`) or at this instant, or later.
    start_date: Option<String>,
    /// On this day (in `limits.zone`) or at this instant, or earlier.
    end_date: Option<String>,
    /// From 1.
    #[param(minimum = 1)]
    page: Option<u32>,
    /// Records of a page.
    #[param(minimum = 1, maximum = 200, default = 20)]
    limit: Option<u32>,
}

/// Parameters of the statistics.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct TransferStatisticsQuery {
    /// Of this rule.
    rule_id: Option<Uuid>,
    /// On this day (in `limits.zone`) or at this instant, or later.
    start_date: Option<String>,
    /// On this day (in `limits.zone`) or at this instant, or earlier.
    end_date: Option<String>,
}

/// A lead that fitted a rule, what was planned for it, and what came of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRecordDocument {
    /// Id.
    #[serde(rename = "_id")]
    id: Uuid,
    /// The rule.
    #[schema(value_type = Uuid)]
    rule_id: TransferRuleId,
    /// What it was called then.
    rule_name: String,
    /// The run.
    #[schema(value_type = Uuid)]
    run_id: TransferRunId,
    /// The lead.
    #[schema(value_type = Uuid)]
    customer_id: CustomerId,
    /// Its number.
    customer_number: String,
    /// Its name.
    customer_name: String,
    /// Who had it.
    #[schema(value_type = Uuid)]
    from_user_id: StaffId,
    /// Name on screens.
    from_user_name: String,
    /// Who was to get it; `null` when nobody was: `reason` says why.
    #[schema(value_type = Option<Uuid>)]
    to_user_id: Option<StaffId>,
    /// Name on screens.
    to_user_name: Option<String>,
    /// When.
    #[schema(value_type = DateTime<Utc>)]
    transferred_at: Millis,
    /// success, failed or planned.
    #[schema(value_type = String)]
    status: RecordStatus,
    /// Why it stayed, for people.
    error_message: Option<String>,
    /// The same for programs.
    reason: Option<String>,
    /// The lead as it was.
    snapshot: TransferSnapshotDocument,
}

/// What a lead was like when its move was planned.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferSnapshotDocument {
    /// Its number.
    customer_number: String,
    /// Its name.
    customer_name: String,
    /// How far the contract was.
    contract_status: Option<&'static str>,
    /// For how many whole hours nobody had done anything for it.
    inactive_hours: i64,
    /// When anybody last had.
    #[schema(value_type = Option<DateTime<Utc>>)]
    last_activity_at: Option<Millis>,
    /// When it was created.
    #[schema(value_type = DateTime<Utc>)]
    created_at: Millis,
}

/// One page of records.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferRecordPage {
    /// The rows, newest first.
    records: Vec<TransferRecordDocument>,
    /// Rows on all pages.
    total: i64,
    /// Number of this page, from 1.
    page: u32,
    /// Most rows of a page.
    limit: u32,
    /// Number of pages.
    total_pages: i64,
}

/// How many leads that fitted came to which end.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferStatisticsDocument {
    /// All that came to an end.
    total_count: i64,
    /// Leads that moved.
    success_count: i64,
    /// Leads that stayed: touched before they could be moved, or nobody was to get them.
    failed_count: i64,
    /// How many of a hundred moved: `99.50`.
    success_rate: String,
}

/// What one person lost and gained by all rules.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserTransfersDocument {
    /// The person.
    #[schema(value_type = Uuid)]
    user_id: StaffId,
    /// Name on screens.
    user_name: String,
    /// Leads rules took.
    transferred_out: i64,
    /// Leads rules gave.
    transferred_in: i64,
    /// Out minus in.
    balance: i64,
}

/// Which leads rules moved or would have moved, newest first.
#[utoipa::path(
    get, path = "/api/lead-transfer/records", operation_id = "list_transfer_records", tag = "lead transfer",
    params(TransferRecordQuery, schemas::ReadHeaders),
    responses((status = 200, description = "One page", body = Enveloped<TransferRecordPage>), schemas::ReadProblems)
)]
pub async fn records(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRecords)?;
    let zone = app.limits().zone;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION); // read by its own extractor
    let filter = RecordFilter {
        rule: parameters.id("ruleId"),
        run: parameters.id("runId"),
        customer: parameters.id("customerId"),
        from: parameters.id("fromUserId"),
        to: parameters.id("toUserId"),
        status: parameters.code("status", RecordStatus::ALL),
        since: parameters.first("startDate", zone),
        until: parameters.last("endDate", zone),
        reader: reader(&caller),
    };
    let (page, limit) = parameters.page("limit", PAGE_RECORDS, PAGE_RECORDS_MAX);
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::TransferRecords, min).await;
    let page = query::records(&app.db, &filter, PageRequest::new(page, limit, PAGE_RECORDS_MAX)).await;
    let page = page.map_err(|error| db_problem(&error))?;
    let people: Vec<StaffId> =
        page.items.iter().flat_map(|record| [Some(record.from), record.to]).flatten().collect();
    let people = People::find(&app, people).await?;
    let language = Language::of(&headers);
    let (total, number, limit, total_pages) = (page.total, page.page, page.limit, page.total_pages());
    let records =
        page.items.into_iter().map(|record| TransferRecordDocument::of(record, &people, language)).collect();
    let page = TransferRecordPage { records, total, page: number, limit, total_pages };
    Ok(Answer::ok(LISTED, &page)?.read_at(stale))
}

/// How many planned moves came to which end.
#[utoipa::path(
    get, path = "/api/lead-transfer/statistics", operation_id = "transfer_statistics", tag = "lead transfer",
    params(TransferStatisticsQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The counts", body = Enveloped<TransferStatisticsDocument>), schemas::ReadProblems)
)]
pub async fn statistics(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RawQuery(query): RawQuery,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRules)?;
    let zone = app.limits().zone;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION); // read by its own extractor
    let filter = RecordFilter {
        rule: parameters.id("ruleId"),
        since: parameters.first("startDate", zone),
        until: parameters.last("endDate", zone),
        ..RecordFilter::default()
    };
    parameters.finish()?;
    let stale = fresh(&app, &caller, ReadModel::TransferRecords, min).await;
    let counted = query::statistics(&app.db, &filter).await.map_err(|error| db_problem(&error))?;
    let document = TransferStatisticsDocument {
        total_count: counted.total(),
        success_count: counted.success,
        failed_count: counted.failed,
        success_rate: counted.success_rate(),
    };
    Ok(Answer::ok(COUNTED, &document)?.read_at(stale))
}

/// What one person lost and gained.
#[utoipa::path(
    get, path = "/api/lead-transfer/user-statistics/{userId}", operation_id = "transfer_statistics_of_user",
    tag = "lead transfer",
    params(("userId" = Uuid, Path, description = "`_id` of the user"), schemas::ReadHeaders),
    responses(
        (status = 200, description = "The counts", body = Enveloped<UserTransfersDocument>),
        schemas::ReadProblems
    )
)]
pub async fn user_statistics(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    PathText(user): PathText,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRecords)?;
    let unknown = || Problem::of(&problem::USER_NOT_FOUND);
    let user = user.parse::<StaffId>().ok();
    if reader(&caller).is_some_and(|own| user != Some(own)) {
        return Err(Problem::of(&problem::FORBIDDEN).text(NOT_YOURS));
    }
    let user = user.ok_or_else(unknown)?;
    let stale = fresh(&app, &caller, ReadModel::TransferQuotas, min).await;
    let name = People::find(&app, [user]).await?.name(Some(user)).ok_or_else(unknown)?;
    let counted = query::user_statistics(&app.db, user).await.map_err(|error| db_problem(&error))?;
    let document = UserTransfersDocument {
        user_id: user,
        user_name: name.name,
        transferred_out: counted.transferred_out,
        transferred_in: counted.transferred_in,
        balance: counted.balance(),
    };
    Ok(Answer::ok(COUNTED, &document)?.read_at(stale))
}

/// Whose part is shown, when it is not everybody's.
fn reader(caller: &Caller) -> Option<StaffId> {
    (!sees_everybodys_transfers(caller.role)).then_some(caller.id)
}

impl TransferRecordDocument {
    fn of(record: TransferRecord, people: &People, language: Language) -> Self {
        let why = |code: &String| match SkipReason::texts(code) {
            Some((zh, en)) => Text::new(zh, en).get(language).to_owned(),
            None => code.clone(),
        };
        Self {
            id: record.id,
            rule_id: record.rule,
            rule_name: record.rule_name,
            run_id: record.run,
            customer_id: record.customer,
            customer_number: record.snapshot.customer_number.clone(),
            customer_name: record.snapshot.customer_name.clone(),
            from_user_id: record.from,
            from_user_name: people.shown(record.from),
            to_user_id: record.to,
            to_user_name: record.to.map(|to| people.shown(to)),
            transferred_at: Millis(record.at),
            status: record.status,
            error_message: record.reason.as_ref().map(why),
            reason: record.reason,
            snapshot: TransferSnapshotDocument::of(record.snapshot),
        }
    }
}

impl TransferSnapshotDocument {
    fn of(snapshot: Snapshot) -> Self {
        Self {
            customer_number: snapshot.customer_number,
            customer_name: snapshot.customer_name,
            contract_status: snapshot.contract_status.map(domain::customer::ContractStatus::as_str),
            inactive_hours: snapshot.inactive_hours,
            last_activity_at: snapshot.last_activity_at.map(Millis),
            created_at: Millis(snapshot.created_at),
        }
    }
}
