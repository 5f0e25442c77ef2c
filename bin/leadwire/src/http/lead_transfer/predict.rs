//! A preview 预览: what a rule would do now, as the plan that `execute-now` carries out when it is given the hash.

use std::collections::HashMap;

use application::access::Action;
use application::schedules::Grid;
use application::transfers::{self, Preview};
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use domain::transfer_rule::Window;
use domain::transfer_rule::run::{PersonMoves, Seed, people as parts};
use domain::{CustomerId, StaffId};
use infrastructure::db::{Db, DbError};
use infrastructure::scheduler;
use projections::ReadModel;
use projections::lead_transfer;
use projections::queries::transfers as query;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::document::{everybody, role};
use super::{Reads, RuleIdPath, RulePath, permitted, transfer_problem};
use crate::app::SharedApp;
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::query::Parameters;
use crate::http::reading::{MIN_POSITION, MinPosition, fresh};
use crate::http::refusals::{db_problem, load_problem};
use crate::http::schemas::{self, Enveloped};
use crate::http::text::{Language, Text};
use crate::http::time::Millis;

const PREVIEWED: Text = Text::new("获取流转预测成功", "Here is what the rule would do");

/// Openings of the window that are looked at for the next run: a schedule that never meets it in so many has no next run.
const OPENINGS_MAX: usize = 400;

/// Parameters of a preview.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; `Parameters` reads it")]
pub struct PredictQuery {
    /// What chance begins with; another one each time when missing.
    seed: Option<String>,
}

/// What a rule would do now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferPredictionDocument {
    /// When the schedule runs it next; `null` when it is off.
    #[schema(value_type = Option<DateTime<Utc>>)]
    next_execution_time: Option<Millis>,
    /// Leads that fit.
    pending_leads_count: usize,
    /// Everybody in its lists.
    user_predictions: Vec<TransferUserPrediction>,
    /// The plan, lead by lead, in the order of dealing.
    allocation_plan: Vec<TransferAllocation>,
    /// Leads that fit and that nobody gets.
    unplaced: Vec<TransferUnplacedDocument>,
    /// Names this plan.
    plan_hash: String,
    /// What its chances were drawn from, in digits.
    seed: String,
    /// The moment that idle times were measured by.
    #[schema(value_type = DateTime<Utc>)]
    planned_at: Millis,
    /// Which text of the rule it was made of.
    revision: i64,
    /// Whether the rule is on: otherwise the plan cannot be run.
    enabled: bool,
    /// Whether it is within the rule's hours. A run by hand does not ask.
    window_open: bool,
    /// Why the plan is empty, in one sentence.
    explanation: Option<String>,
}

/// What the plan means for one person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferUserPrediction {
    /// The person.
    #[schema(value_type = Uuid)]
    user_id: StaffId,
    /// Name on screens.
    user_name: String,
    /// `source`, `target` or `both`.
    role: &'static str,
    /// Leads the rule took so far minus leads it gave.
    current_balance: i64,
    /// Leads the plan takes.
    estimated_transfer_out: u32,
    /// Leads the plan gives.
    estimated_transfer_in: u32,
    /// The balance afterwards.
    estimated_new_balance: i64,
}

/// One lead of the plan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferAllocation {
    /// The lead.
    #[schema(value_type = Uuid)]
    customer_id: CustomerId,
    /// Whose it is.
    #[schema(value_type = Uuid)]
    source_user_id: StaffId,
    /// Name on screens.
    source_user_name: String,
    /// Who is to get it.
    #[schema(value_type = Uuid)]
    target_user_id: StaffId,
    /// Name on screens.
    target_user_name: String,
    /// 1, as in system A.
    count: u32,
}

/// A lead that nobody gets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferUnplacedDocument {
    /// The lead.
    #[schema(value_type = Uuid)]
    customer_id: CustomerId,
    /// Why, for programs.
    reason: &'static str,
    /// The same for people.
    message: &'static str,
}

/// What the rule would do now. Nothing moves; `execute-now` with the `planHash` carries out exactly this.
#[utoipa::path(
    get, path = "/api/lead-transfer/rules/{id}/predict", operation_id = "predict_transfers", tag = "lead transfer",
    params(RuleIdPath, PredictQuery, schemas::ReadHeaders),
    responses((status = 200, description = "The plan", body = Enveloped<TransferPredictionDocument>), schemas::ReadProblems)
)]
pub async fn predict(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    RulePath(id): RulePath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    min: MinPosition,
) -> Result<Answer, Problem> {
    permitted(&caller, Action::ViewTransferRules)?;
    let mut parameters = Parameters::of(query.as_deref());
    parameters.text(MIN_POSITION); // read by its own extractor
    let seed =
        parameters.read("seed", |text| text.parse::<Seed>().map_err(|_| application::forms::Rule::NotWhole));
    parameters.finish()?;
    let seed = seed.unwrap_or_else(|| Seed(app.ids.next().as_u64_pair().1));
    fresh(&app, &caller, ReadModel::TransferQuotas, min).await;
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let language = Language::of(&headers);
    let reads = Reads::of(&app).await.map_err(|error| load_problem(&error))?;
    let preview = transfers::predict(reads.stores(&app), reads.previews(), &caller, id, seed).await;
    let preview = preview.map_err(|error| transfer_problem(error, language))?;
    let quotas = query::quotas(&app.db, id).await.map_err(|error| db_problem(&error))?;
    let balances = quotas.into_iter().map(|quota| (quota.staff, quota.balance())).collect();
    let named = preview.plan.moves.iter().flat_map(|one| [one.from, one.to]);
    let named: Vec<StaffId> = named.chain(everybody(&preview.inputs.text)).collect();
    let people = People::find(&app, named).await?;
    let next = match schedule(&app.db).await.map_err(|error| db_problem(&error))? {
        Some(grid) if preview.enabled => next_run(&grid, preview.inputs.text.window, app.clock.now()),
        _ => None,
    };
    let document = TransferPredictionDocument::of(&preview, next, &balances, &people, language);
    Ok(Answer::ok(PREVIEWED, &document)?.read_at(stale))
}

impl TransferPredictionDocument {
    pub(crate) fn of(
        preview: &Preview,
        next: Option<DateTime<Utc>>,
        balances: &HashMap<StaffId, i64>,
        people: &People,
        language: Language,
    ) -> Self {
        let Preview { hash, inputs, plan, enabled, window_open, nothing } = preview;
        let parts = parts(&plan.moves);
        let allocations = plan.moves.iter().map(|one| TransferAllocation {
            customer_id: one.customer,
            source_user_id: one.from,
            source_user_name: people.shown(one.from),
            target_user_id: one.to,
            target_user_name: people.shown(one.to),
            count: 1,
        });
        let unplaced = plan.unplaced.iter().map(|one| TransferUnplacedDocument {
            customer_id: one.customer,
            reason: one.reason.as_str(),
            message: match language {
                Language::Chinese => one.reason.zh(),
                Language::English => one.reason.en(),
            },
        });
        let prediction = |user: StaffId| {
            let none = PersonMoves { staff: user, moved_out: 0, moved_in: 0 };
            let part = parts.iter().find(|part| part.staff == user).copied().unwrap_or(none);
            let balance = balances.get(&user).copied().unwrap_or_default();
            TransferUserPrediction {
                user_id: user,
                user_name: people.shown(user),
                role: role(&inputs.text, user),
                current_balance: balance,
                estimated_transfer_out: part.moved_out,
                estimated_transfer_in: part.moved_in,
                estimated_new_balance: balance + i64::from(part.moved_out) - i64::from(part.moved_in),
            }
        };
        Self {
            next_execution_time: next.map(Millis),
            pending_leads_count: inputs.candidates.len(),
            user_predictions: everybody(&inputs.text).into_iter().map(prediction).collect(),
            allocation_plan: allocations.collect(),
            unplaced: unplaced.collect(),
            plan_hash: hash.clone(),
            seed: inputs.seed.to_string(),
            planned_at: Millis(inputs.at),
            revision: inputs.revision,
            enabled: *enabled,
            window_open: *window_open,
            explanation: nothing.as_ref().map(|nothing| match language {
                Language::Chinese => nothing.zh(),
                Language::English => nothing.en(),
            }),
        }
    }
}

/// When the rules run, as the workers registered it; `None` before any worker ever ran.
pub(crate) async fn schedule(db: &Db) -> Result<Option<Grid>, DbError> {
    let row = scheduler::all(db).await?.into_iter().find(|row| row.name == lead_transfer::NAME);
    Ok(row.and_then(|row| Grid::stored(&row.cron, &row.zone)))
}

/// The first moment of the schedule after `now` that lies in the rule's hours.
pub(crate) fn next_run(grid: &Grid, window: Window, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let mut period = grid.next_after(now)?.0;
    for _ in 0..OPENINGS_MAX {
        if window.contains(period) {
            return Some(period);
        }
        // The next moment at which the window is open, or the next after that.
        period = grid.next_after(window.next_open(period)? - TimeDelta::microseconds(1))?.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_is_the_next_period_within_the_hours() {
        let zone = chrono_tz::Asia::Shanghai;
        for (cron, hours, now, expected) in [
            ("0 * * * *", "09:30-18:30", "2026-03-02T01:00:00Z", Some("2026-03-02T02:00:00Z")),
            ("0 * * * *", "09:30-18:30", "2026-03-02T10:00:00Z", Some("2026-03-03T02:00:00Z")),
            ("0 * * * *", "22:00-06:00", "2026-03-02T10:00:00Z", Some("2026-03-02T14:00:00Z")),
            ("0 3 * * *", "22:00-06:00", "2026-03-02T10:00:00Z", Some("2026-03-02T19:00:00Z")),
            ("0 3 * * *", "09:30-18:30", "2026-03-02T10:00:00Z", None),
        ] {
            let (start, end) = hours.split_once('-').unwrap();
            let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
            let window = Window { start, end, ..Window::default() };
            let next = next_run(&Grid::parse(cron, zone).unwrap(), window, now.parse().unwrap());
            assert_eq!(next, expected.map(|at| at.parse().unwrap()), "{cron} {hours}");
        }
    }
}
