//! A rule is tried on the past before anybody writes it: who would have gained and lost what, and nothing happens.

use application::access::{Action, allows};
use chrono::TimeDelta;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Reply, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{NOBODY, owner, rule, start, violations, write};

const WHAT_IF: &str = "/api/lead-transfer/what-if";

/// A rule for every hour of the day, tried on the last day.
fn candidate(app: &TestApp) -> Value {
    let mut body = rule(app, &[&app.team.employee], &[&app.team.colleague, &app.team.dispatch]);
    body["executionWindow"] = json!({ "enabled": false });
    body["days"] = json!(1);
    body
}

/// So many leads of the employee that nobody has touched for three hours.
async fn idle_leads(app: &TestApp, count: usize) -> Vec<String> {
    let mut leads = Vec::new();
    for n in 0..count {
        leads.push(app.lead_of(&app.team.manager, &app.team.employee, n).await);
    }
    app.advance(TimeDelta::hours(3));
    app.settle().await;
    leads
}

async fn asked(app: &TestApp, body: &Value) -> Reply {
    app.post(WHAT_IF, body).by(&app.team.operator).send().await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_would_have_gained_and_lost_what_is_told_and_nothing_happens(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let team = app.team.clone();
    let leads = idle_leads(&app, 3).await;
    let head = app.app().bus.log().head().await.expect("the log");
    let told = asked(&app, &candidate(&app)).await;
    assert_eq!((told.status, told.message()), (200, "流转规则假设分析成功"), "{told:?}");
    let data = told.data();
    assert_eq!((&data["ruleName"], &data["days"]), (&json!("闲置线索"), &json!(1)));
    assert_eq!((&data["leadsCount"], &data["transferredCount"]), (&json!(3), &json!(3)));
    assert!(data["runsCount"].as_u64().is_some_and(|runs| (23..=25).contains(&runs)), "{data}");
    assert_eq!(data["explanation"], Value::Null);
    let users = data["userStats"].as_array().expect("people");
    let parts: Vec<_> = users
        .iter()
        .map(|one| (one["userName"].clone(), one["role"].clone(), one["transferredOut"].clone()))
        .collect();
    assert_eq!(parts[0], (json!("李雷"), json!("source"), json!(3)));
    assert_eq!((parts.len(), &parts[1].1, &parts[1].2), (3, &json!("target"), &json!(0)));
    let gained: u64 = users.iter().filter_map(|one| one["transferredIn"].as_u64()).sum();
    assert_eq!(gained, 3);
    let moves = data["moves"].as_array().expect("moves");
    let mut moved: Vec<_> = moves.iter().map(|one| one["customerId"].clone()).collect();
    moved.sort_by_key(ToString::to_string);
    let mut expected: Vec<_> = leads.iter().map(|lead| json!(lead)).collect();
    expected.sort_by_key(ToString::to_string);
    assert_eq!(moved, expected);
    assert!(
        moves.iter().all(|one| one["fromUserName"] == "李雷" && one["toUserId"] != json!(team.employee.id))
    );
    assert_eq!(asked(&app, &candidate(&app)).await.data()["userStats"], data["userStats"], "the same lots");
    for lead in &leads {
        assert_eq!(owner(&app, lead).await, json!(team.employee.id));
    }
    assert_eq!(app.app().bus.log().head().await.expect("the log"), head, "nothing was written");

    // A rule that is there, and off; what somebody really did counts, and a rule that waits longer moves nothing yet.
    let mut kept = candidate(&app);
    kept["enabled"] = json!(false);
    kept.as_object_mut().expect("a body").remove("days");
    let id = write(&app, &kept).await.id();
    let told = asked(&app, &json!({ "ruleId": id, "days": 1 })).await;
    assert_eq!(told.data()["leadsCount"], 3, "{told:?}");
    let mut patient = candidate(&app);
    patient["triggerConditions"]["inactiveHours"] = json!(48);
    let told = asked(&app, &patient).await;
    assert_eq!(told.data()["transferredCount"], 0);
    assert_eq!(
        told.data()["explanation"],
        "流出人员名下的3条线索都不符合规则：3条线索近期有跟进或变更",
        "{told:?}"
    );
    let mut never = candidate(&app);
    never["executionWindow"] = json!({ "enabled": true, "startTime": "00:15", "endTime": "00:45" });
    let told = app.post(WHAT_IF, &never).by(&team.admin).header("accept-language", "en").send().await;
    assert_eq!(
        (&told.data()["runsCount"], told.message()),
        (&json!(0), "This is what the rule would have done")
    );
    assert_eq!(told.data()["explanation"], "No run of the schedule lay in the rule's hours during that time");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_for_whom_sees_rules_and_bad_ones_say_where(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    for person in team.of_every_role() {
        let reply = app.post(WHAT_IF, &candidate(&app)).by(person).send().await;
        let expected = if allows(person.role, Action::ViewTransferRules) { 200 } else { 403 };
        assert_eq!(reply.status, expected, "{}: {reply:?}", person.username);
    }
    let with = |pointer: &str, value: Value| {
        let mut body = candidate(&app);
        match pointer.split_once('/') {
            Some((member, key)) => body[member][key] = value,
            None => body[pointer] = value,
        }
        body
    };
    for (pointer, value, status, field, violation) in [
        ("days", json!(0), 422, "days", "out_of_range"),
        ("days", json!(32), 422, "days", "out_of_range"),
        ("days", Value::Null, 422, "days", "required"),
        ("triggerConditions/inactiveHours", json!(0), 422, "triggerConditions.inactiveHours", "out_of_range"),
        ("ruleId", json!("x"), 400, "ruleId", "id"),
        ("colour", json!(1), 400, "colour", "unknown_field"),
    ] {
        let refused = asked(&app, &with(pointer, value)).await;
        assert_eq!(refused.problem(), (status, "VALIDATION_FAILED"), "{pointer}: {refused:?}");
        let found = violations(&refused);
        assert!(found.contains(&(field.to_owned(), violation.to_owned())), "{pointer}: {found:?}");
    }
    for (body, problem) in [
        (json!({ "ruleId": NOBODY, "days": 1 }), (404, "TRANSFER_RULE_NOT_FOUND")),
        (with("sourceUserIds", json!([NOBODY])), (422, "TRANSFER_PEOPLE_NOT_FOUND")),
        (with("targetModule", json!("training")), (409, "TRANSFER_RULE_OF_OTHER_MODULE")),
        (with("ruleId", json!(NOBODY)), (400, "VALIDATION_FAILED")),
    ] {
        let refused = asked(&app, &body).await;
        assert_eq!(refused.problem(), problem, "{body}: {refused:?}");
    }
    app.finish().await;
}
