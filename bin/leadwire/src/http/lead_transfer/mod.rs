//! `/api/lead-transfer`: rules that hand idle leads on, previews, runs and their records (existing-systems.md section
//! 5.4, with the corrections of transfer-and-recycle.md). A preview has a hash, and `execute-now` with that hash carries
//! out exactly that plan or says what changed.

pub mod bodies;
pub mod document;
pub mod execute;
pub mod executed;
mod ports;
pub mod predict;
pub mod records;
pub mod rules;
pub mod what_if;

use application::access::{Action, Caller, allows};
use application::bus::ExecuteError;
use application::forms::rule_violation;
use application::transfers::{
    RuleRefusal, TransferRefusal, WHAT_IF_EVENTS_MAX, WHAT_IF_LEADS_MAX, WHAT_IF_RUNS_MAX,
};
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use domain::TransferRuleId;
use domain::transfer_rule::plan::Change;
use serde_json::{Value, json};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use ports::Reads;

use super::problem::{self, Problem};
use super::refusals::execute_problem;
use super::text::{Language, Text};
use crate::app::SharedApp;

/// Changes of a preview that are named one by one; there may be as many as leads.
const CHANGES_TOLD_MAX: usize = 100;

/// The routes.
pub(super) fn routes() -> OpenApiRouter<SharedApp> {
    OpenApiRouter::new()
        .routes(routes!(rules::list, rules::create))
        .routes(routes!(rules::detail, rules::update, rules::delete))
        .routes(routes!(rules::toggle))
        .routes(routes!(predict::predict))
        .routes(routes!(execute::execute_now))
        .routes(routes!(what_if::what_if))
        .routes(routes!(records::records))
        .routes(routes!(records::statistics))
        .routes(routes!(records::user_statistics))
}

/// Refuses everybody who may not do this.
fn permitted(caller: &Caller, action: Action) -> Result<(), Problem> {
    if allows(caller.role, action) {
        return Ok(());
    }
    let forbidden = Problem::of(&problem::FORBIDDEN);
    Err(match action {
        Action::EditTransferRules | Action::RunTransferRules => forbidden.text(Text::new(
            "只有管理员或经理可以管理流转规则",
            "Only admins and managers manage transfer rules",
        )),
        _ => forbidden,
    })
}

/// The rule that the path names. What is no id names none: 404.
#[derive(Debug, Clone, Copy)]
pub struct RulePath(pub TransferRuleId);

impl FromRequestParts<SharedApp> for RulePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &SharedApp) -> Result<Self, Problem> {
        let unknown = || Problem::of(&problem::TRANSFER_RULE_NOT_FOUND);
        let Path(id) = Path::<String>::from_request_parts(parts, app).await.map_err(|_| unknown())?;
        id.parse().map(Self).map_err(|_| unknown())
    }
}

/// The rule that the path names.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub struct RuleIdPath {
    /// `_id` of the rule.
    pub id: Uuid,
}

/// Why a rule was not written, changed or deleted.
fn rule_problem(error: ExecuteError<RuleRefusal>) -> Problem {
    let ExecuteError::Refused(refusal) = error else { return execute_problem(error) };
    match &refusal {
        RuleRefusal::Forbidden(zh) => {
            let forbidden = Problem::of(&problem::FORBIDDEN);
            let en = forbidden.text.en.clone();
            forbidden.text(Text::with(*zh, en))
        }
        RuleRefusal::NotFound => Problem::of(&problem::TRANSFER_RULE_NOT_FOUND),
        RuleRefusal::AlreadyExists => Problem::of(&problem::CONFLICT),
        RuleRefusal::Stale { sequence } => Problem::of(&problem::VERSION_CONFLICT)
            .text(Text::with(refusal.to_string(), "Somebody else has changed this rule, please reload"))
            .details(json!({ "version": sequence })),
        RuleRefusal::Invalid(violations) => Problem::fields(violations.iter().map(rule_violation).collect()),
        RuleRefusal::UnknownPeople(people) => {
            Problem::of(&problem::TRANSFER_PEOPLE_NOT_FOUND).details(json!({ "userIds": people }))
        }
        RuleRefusal::InactiveTargets(people) => Problem::of(&problem::TRANSFER_TARGETS_INACTIVE)
            .details(json!({ "path": "targetUserIds", "userIds": people })),
    }
}

/// Why nothing was previewed, begun or tried; changes are told in the client's language.
fn transfer_problem(error: ExecuteError<TransferRefusal>, language: Language) -> Problem {
    let ExecuteError::Refused(refusal) = error else { return execute_problem(error) };
    match &refusal {
        TransferRefusal::Forbidden(zh) => {
            let forbidden = Problem::of(&problem::FORBIDDEN);
            let en = forbidden.text.en.clone();
            forbidden.text(Text::with(*zh, en))
        }
        TransferRefusal::RuleNotFound => Problem::of(&problem::TRANSFER_RULE_NOT_FOUND),
        TransferRefusal::RuleDisabled => Problem::of(&problem::TRANSFER_RULE_OFF),
        TransferRefusal::OtherModule => Problem::of(&problem::TRANSFER_RULE_OF_OTHER_MODULE),
        TransferRefusal::UnknownPlan => Problem::of(&problem::TRANSFER_PLAN_UNKNOWN),
        TransferRefusal::PlanChanged(changes) => {
            let en = format!("{} things changed since the preview: make another one", changes.len());
            let told: Vec<Value> =
                changes.iter().take(CHANGES_TOLD_MAX).map(|change| told(change, language)).collect();
            Problem::of(&problem::TRANSFER_PLAN_CHANGED)
                .text(Text::with(refusal.to_string(), en))
                .details(json!({ "count": changes.len(), "changes": told }))
        }
        TransferRefusal::Rule(refusal) => rule_problem(ExecuteError::Refused(refusal.clone())),
        TransferRefusal::TooMuchPast { .. }
        | TransferRefusal::TooMuchHappened { .. }
        | TransferRefusal::TooManyLooks { .. }
        | TransferRefusal::TooManyRuns => too_large(&refusal),
        TransferRefusal::Run(_) => Problem::of(&problem::CONFLICT),
    }
}

/// A question that would take too long: which place to change, and what it is held to.
fn too_large(refusal: &TransferRefusal) -> Problem {
    let (path, rule, max, found) = match *refusal {
        TransferRefusal::TooMuchPast { leads } => {
            ("sourceUserIds", "leads_max", WHAT_IF_LEADS_MAX, Some(leads))
        }
        TransferRefusal::TooMuchHappened { events } => {
            ("sourceUserIds", "events_max", WHAT_IF_EVENTS_MAX, Some(events))
        }
        TransferRefusal::TooManyLooks { leads, runs, max } => ("days", "looks_max", max, Some(leads * runs)),
        _ => ("days", "runs_max", WHAT_IF_RUNS_MAX as u64, None),
    };
    Problem::of(&problem::TRANSFER_WHAT_IF_TOO_LARGE)
        .text(Text::with(refusal.to_string(), too_large_in_english(refusal)))
        .details(json!({ "path": path, "rule": rule, "max": max, "found": found }))
}

/// The same in English, for the command line too.
pub(crate) fn too_large_in_english(refusal: &TransferRefusal) -> String {
    match refusal {
        TransferRefusal::TooMuchPast { leads } => format!(
            "The people of the rule had {leads} leads; one question looks at {WHAT_IF_LEADS_MAX}: name fewer people"
        ),
        TransferRefusal::TooMuchHappened { events } => format!(
            "{events} events happened to the leads of these people; one question reads {WHAT_IF_EVENTS_MAX}: name fewer people"
        ),
        TransferRefusal::TooManyLooks { leads, runs, max } => format!(
            "{leads} leads in {runs} runs are {} looks; a question with so many targets takes {max}: ask for fewer days, or name fewer people",
            leads * runs
        ),
        _ => format!("The rule would have run more than {WHAT_IF_RUNS_MAX} times: ask for fewer days"),
    }
}

/// One change, for programs and for people.
fn told(change: &Change, language: Language) -> Value {
    let text = Text::new(change.zh(), change.en());
    let name = |staff| ("userId", json!(staff));
    let lead = |customer| ("customerId", json!(customer));
    let more = match *change {
        Change::RuleRevised { from, to } => vec![("from", json!(from)), ("to", json!(to))],
        Change::AnotherDraw | Change::TargetsReordered => vec![],
        Change::LeadLeft { customer, owner } | Change::LeadCame { customer, owner } => {
            vec![lead(customer), name(owner)]
        }
        Change::LeadMoved { customer, from, to } => {
            vec![lead(customer), ("from", json!(from)), ("to", json!(to))]
        }
        Change::LeadTouched { customer } => vec![lead(customer)],
        Change::TargetLeft { staff } | Change::TargetCame { staff } | Change::TargetFull { staff } => {
            vec![name(staff)]
        }
        Change::RoomChanged { staff, from, to } => {
            vec![name(staff), ("from", json!(from)), ("to", json!(to))]
        }
        Change::BalanceChanged { staff, from, to } => {
            vec![name(staff), ("from", json!(from)), ("to", json!(to))]
        }
    };
    let mut told = json!({ "code": change.code(), "message": text.get(language) });
    for (key, value) in more {
        told[key] = value;
    }
    told
}

#[cfg(test)]
mod tests {
    use domain::transfer_rule::{RuleFault, RuleViolation};
    use domain::{CustomerId, StaffId};

    use super::*;

    #[test]
    fn every_refusal_of_a_rule_has_the_status_of_who_must_act() {
        use RuleRefusal as R;
        let path = "triggerConditions.inactiveHours";
        let bound = RuleViolation { path, fault: RuleFault::OutOfRange { min: 1, max: 720 } };
        for (refusal, status, code) in [
            (R::Forbidden("无权限"), 403, "FORBIDDEN"),
            (R::NotFound, 404, "TRANSFER_RULE_NOT_FOUND"),
            (R::AlreadyExists, 409, "CONFLICT"),
            (R::Stale { sequence: 3 }, 409, "VERSION_CONFLICT"),
            (R::UnknownPeople(vec![]), 422, "TRANSFER_PEOPLE_NOT_FOUND"),
            (R::InactiveTargets(vec![]), 422, "TRANSFER_TARGETS_INACTIVE"),
            (R::Invalid(vec![bound]), 422, "VALIDATION_FAILED"),
        ] {
            let problem = rule_problem(ExecuteError::Refused(refusal.clone()));
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
            match refusal {
                R::Invalid(_) => assert_eq!(problem.fields[0].path, path),
                R::AlreadyExists => {}
                refusal => assert_eq!(problem.text.zh, refusal.to_string()),
            }
        }
    }

    #[test]
    fn every_refusal_of_a_run_says_what_to_do() {
        use TransferRefusal as R;
        for (refusal, status, code) in [
            (R::Forbidden("无权限"), 403, "FORBIDDEN"),
            (R::RuleNotFound, 404, "TRANSFER_RULE_NOT_FOUND"),
            (R::RuleDisabled, 409, "TRANSFER_RULE_OFF"),
            (R::OtherModule, 409, "TRANSFER_RULE_OF_OTHER_MODULE"),
            (R::UnknownPlan, 409, "TRANSFER_PLAN_UNKNOWN"),
            (R::PlanChanged(vec![Change::TargetsReordered]), 409, "TRANSFER_PLAN_CHANGED"),
            (RuleRefusal::UnknownPeople(vec![]).into(), 422, "TRANSFER_PEOPLE_NOT_FOUND"),
            (R::TooMuchPast { leads: 60_000 }, 422, "TRANSFER_WHAT_IF_TOO_LARGE"),
            (R::TooMuchHappened { events: 500_000 }, 422, "TRANSFER_WHAT_IF_TOO_LARGE"),
            (R::TooManyLooks { leads: 20_000, runs: 744, max: 6_000_000 }, 422, "TRANSFER_WHAT_IF_TOO_LARGE"),
            (R::TooManyRuns, 422, "TRANSFER_WHAT_IF_TOO_LARGE"),
        ] {
            let problem = transfer_problem(ExecuteError::Refused(refusal.clone()), Language::Chinese);
            assert_eq!((problem.kind.status.as_u16(), problem.kind.code), (status, code), "{refusal:?}");
            assert_eq!(problem.text.zh, refusal.to_string());
        }
    }

    #[test]
    fn a_question_that_is_too_large_says_which_place_to_change_and_what_it_is_held_to() {
        use TransferRefusal as R;
        for (refusal, path, rule, found) in [
            (R::TooMuchPast { leads: 60_000 }, "sourceUserIds", "leads_max", json!(60_000)),
            (R::TooMuchHappened { events: 500_000 }, "sourceUserIds", "events_max", json!(500_000)),
            (
                R::TooManyLooks { leads: 20_000, runs: 744, max: 6_000_000 },
                "days",
                "looks_max",
                json!(14_880_000),
            ),
            (R::TooManyRuns, "days", "runs_max", Value::Null),
        ] {
            let problem = transfer_problem(ExecuteError::Refused(refusal), Language::English);
            let (details, max) = (&problem.details, problem.details["max"].to_string());
            assert_eq!((&details["path"], &details["rule"]), (&json!(path), &json!(rule)));
            assert_eq!(details["found"], found);
            assert!(problem.text.zh.contains(&max) && problem.text.en.contains(&max), "{problem:?}");
        }
    }

    #[test]
    fn changes_are_told_with_whom_they_are_about_and_no_more_than_anybody_reads() {
        let (customer, staff) = (CustomerId(Uuid::from_u128(1)), StaffId(Uuid::from_u128(2)));
        let left = told(&Change::LeadLeft { customer, owner: staff }, Language::English);
        let expected = json!({
            "code": "LEAD_LEFT", "message": "a lead no longer fits the rule", "customerId": customer, "userId": staff,
        });
        assert_eq!(left, expected);
        let full = told(&Change::RoomChanged { staff, from: None, to: Some(3) }, Language::Chinese);
        assert_eq!((&full["from"], &full["to"]), (&Value::Null, &json!(3)));
        let many = vec![Change::LeadTouched { customer }; CHANGES_TOLD_MAX + 1];
        let many = ExecuteError::Refused(TransferRefusal::PlanChanged(many));
        let problem = transfer_problem(many, Language::Chinese);
        assert_eq!(problem.details["count"], CHANGES_TOLD_MAX + 1);
        assert_eq!(problem.details["changes"].as_array().map(Vec::len), Some(CHANGES_TOLD_MAX));
    }
}
