//! The first page of the mini program: what there is to do today, and what was achieved. There are no contracts here;
//! a signed customer and its deal amount stand for one.

use application::access::{Caller, sees_everybodys_work};
use axum::extract::State;
use domain::staff::Staff;
use projections::ReadModel;
use projections::queries::staff;
use projections::queries::work::{self as query, Signed, Today, View};
use serde::Serialize;
use utoipa::ToSchema;

use super::fresh_both;
use crate::app::{App, SharedApp};
use crate::auth::Authenticated;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::reading::{MinPosition, fresh};
use crate::http::refusals::db_problem;
use crate::http::schemas::{self, Enveloped};
use crate::http::text::Text;
use crate::http::time::calendar;

const TO_DO: Text = Text::new("获取今日待办统计成功", "Here is what there is to do");
const PROGRESS: Text = Text::new("获取业绩进度成功", "Here is how far you are");
const CONTRACTS: Text = Text::new("获取合同统计成功", "Here is what was signed");

/// What a person is to make in a month when nobody set a target, in yuan (existing-systems.md section 2.3).
const MONTHLY_TARGET: f64 = 100_000.0;

/// What there is to do.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ToDo {
    /// Customers.
    total_leads: i64,
    /// Customers that came this month.
    month_assigned: i64,
    /// Customers that came today.
    today_assigned: i64,
    /// Customers that nobody ever followed up.
    pending_leads: i64,
    /// Customers signed today.
    today_signed: i64,
    /// Whether these are everybody's: for admins and managers.
    is_admin: bool,
}

/// What there is to do today; days and months are those in China.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/today-todo-stats", operation_id = "count_work_of_today",
    tag = "mini program",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The counts", body = Enveloped<ToDo>), schemas::ReadProblems)
)]
pub async fn today(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let (now, zone) = (app.clock.now(), app.limits().zone);
    let (day, month) = (calendar::day_start(now, zone), calendar::month_start(now, zone));
    let counted = query::today(app.projections.roster(), view(&caller), day, month).await;
    let Today { total_leads, month_assigned, today_assigned, pending_leads, today_signed } =
        counted.map_err(|error| db_problem(&error))?;
    let is_admin = sees_everybodys_work(caller.role);
    let to_do = ToDo { total_leads, month_assigned, today_assigned, pending_leads, today_signed, is_admin };
    Ok(Answer::ok(TO_DO, &to_do)?.read_at(stale))
}

/// How far the month's target is reached. Amounts in yuan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Performance {
    /// Customers signed this month.
    monthly_signed_count: i64,
    /// Their deal amounts.
    monthly_performance: f64,
    /// What it is to be.
    monthly_target: f64,
    /// Per cent of the target, with two decimals.
    completion_rate: f64,
    /// Whether these are everybody's: for admins and managers.
    is_admin: bool,
}

/// How far the month's target is reached.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/performance-progress", operation_id = "show_performance",
    tag = "mini program",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The progress", body = Enveloped<Performance>), schemas::ReadProblems)
)]
pub async fn performance(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh_both(&app, &caller, ReadModel::StaffDirectory, min).await;
    let signed = signed(&app, &caller).await?;
    let monthly_target = target(&app, &caller).await?;
    let performance = Performance {
        monthly_signed_count: signed.monthly_signed_count,
        monthly_performance: signed.monthly_performance,
        monthly_target,
        completion_rate: per_cent(signed.monthly_performance, monthly_target),
        is_admin: sees_everybodys_work(caller.role),
    };
    Ok(Answer::ok(PROGRESS, &performance)?.read_at(stale))
}

/// What was signed. Amounts in yuan.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Contracts {
    /// Customers that are signed.
    total_contracts: i64,
    /// Those signed this month.
    monthly_signed_count: i64,
    /// Those signed today.
    today_signed: i64,
    /// Deal amounts of all of them.
    total_amount: f64,
    /// Whether these are everybody's: for admins and managers.
    is_admin: bool,
}

/// What was signed.
#[utoipa::path(
    get, path = "/api/customers/miniprogram/contract-stats", operation_id = "count_contracts", tag = "mini program",
    params(schemas::ReadHeaders),
    responses((status = 200, description = "The counts", body = Enveloped<Contracts>), schemas::ReadProblems)
)]
pub async fn contracts(
    State(app): State<SharedApp>,
    Authenticated(caller): Authenticated,
    min: MinPosition,
) -> Result<Answer, Problem> {
    let stale = fresh(&app, &caller, ReadModel::CustomerList, min).await;
    let signed = signed(&app, &caller).await?;
    let contracts = Contracts {
        total_contracts: signed.total_contracts,
        monthly_signed_count: signed.monthly_signed_count,
        today_signed: signed.today_signed_count,
        total_amount: signed.total_amount,
        is_admin: sees_everybodys_work(caller.role),
    };
    Ok(Answer::ok(CONTRACTS, &contracts)?.read_at(stale))
}

fn view(caller: &Caller) -> View {
    if sees_everybodys_work(caller.role) { View::Everybody } else { View::Of(caller.id) }
}

async fn signed(app: &App, caller: &Caller) -> Result<Signed, Problem> {
    let (now, zone) = (app.clock.now(), app.limits().zone);
    let (day, month) = (calendar::day_start(now, zone), calendar::month_start(now, zone));
    let signed = query::achieved(app.projections.roster(), view(caller), day, month).await;
    signed.map_err(|error| db_problem(&error))
}

/// The month's target of the caller, or of everybody who works here.
async fn target(app: &App, caller: &Caller) -> Result<f64, Problem> {
    let staff = if sees_everybodys_work(caller.role) {
        staff::assignable(&app.db).await
    } else {
        staff::by_id(&app.db, caller.id).await.map(|row| row.into_iter().collect())
    };
    let staff = staff.map_err(|error| db_problem(&error))?;
    Ok(target_of(staff.iter().map(|row| &row.staff)))
}

fn target_of<'s>(staff: impl Iterator<Item = &'s Staff>) -> f64 {
    let (mut people, mut set) = (0_u32, 0.0);
    for person in staff {
        people += 1;
        set += person.account.as_ref().and_then(|account| account.monthly_task).map_or(0.0, f64::from);
    }
    if set > 0.0 { set } else { MONTHLY_TARGET * f64::from(people.max(1)) }
}

fn per_cent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 10_000.0).round() / 100.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use domain::staff::{Account, Role};

    fn person(monthly_task: Option<u32>) -> Staff {
        let account = Account {
            username: "u".into(),
            name: "U".into(),
            role: Role::Employee,
            department: None,
            phone: None,
            email: None,
            monthly_task,
            created_at: DateTime::UNIX_EPOCH,
        };
        Staff { account: Some(account), ..Staff::default() }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "sums of whole numbers are exact")]
    fn the_target_is_what_was_set_or_the_usual_one_for_each() {
        for (tasks, target) in [
            (vec![], 100_000.0),
            (vec![None], 100_000.0),
            (vec![None, None], 200_000.0),
            (vec![Some(50_000), None], 50_000.0),
            (vec![Some(50_000), Some(30_000)], 80_000.0),
            (vec![Some(0)], 100_000.0),
        ] {
            let staff: Vec<Staff> = tasks.iter().copied().map(person).collect();
            assert_eq!(target_of(staff.iter()), target, "{tasks:?}");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "rounded to two decimals")]
    fn a_rate_has_two_decimals() {
        for (part, whole, rate) in
            [(1.0, 3.0, 33.33), (0.0, 5.0, 0.0), (5.0, 0.0, 0.0), (150.0, 100.0, 150.0)]
        {
            assert_eq!(per_cent(part, whole), rate);
        }
    }
}
