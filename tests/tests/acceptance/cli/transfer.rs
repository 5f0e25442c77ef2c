//! Transfer rules on the command line: the plan that is shown is the plan that runs, what a run did and why, and a rule
//! that is tried on the past before anybody writes it.

use application::bus::CommandBus as _;
use application::ports::Clock as _;
use chrono::TimeDelta;
use domain::customer::Customer;
use domain::{CustomerId, StreamId};
use infrastructure::clock::SystemClock;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{CommandLine, Setup, TestApp, Wechat};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{NOBODY, finish};

pub(super) const RULE: &str = "闲置线索";

/// A service whose days are two behind those of the command line, so that what happens there is long ago here.
pub(super) async fn two_days_ago(on: Backend) -> TestApp {
    let then = SystemClock.now() - TimeDelta::days(2);
    let setup = Setup { wechat: Wechat::Unconfigured, stands_at: Some(then), ..Setup::default() };
    TestApp::start_with(on, Setup { roles: vec![Role::Api], ..setup }).await
}

/// Every hour, from the employee to two others.
pub(super) fn rule(app: &TestApp) -> Value {
    let team = &app.team;
    json!({
        "ruleName": RULE,
        "triggerConditions": { "inactiveHours": 24, "transferCooldownHours": 0, "contractStatuses": ["待定"] },
        "executionWindow": { "enabled": false },
        "sourceUserIds": [team.employee.id], "targetUserIds": [team.colleague.id, team.dispatch.id],
        "distributionConfig": { "strategy": "round-robin" },
    })
}

async fn written(app: &TestApp) -> String {
    let created = app.post("/api/lead-transfer/rules", &rule(app)).by(&app.team.manager).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    created.id()
}

pub(super) async fn leads(app: &TestApp, count: usize) -> Vec<String> {
    let mut leads = Vec::new();
    for n in 0..count {
        leads.push(app.lead_of(&app.team.manager, &app.team.employee, n).await);
    }
    leads
}

/// Whose the lead is; everybody's log-in has ended in those two days.
pub(super) async fn owner(app: &TestApp, lead: &str) -> Value {
    let id: CustomerId = lead.parse().expect("an id");
    let found = app.app().bus.load::<Customer>(&StreamId::from(id)).await.expect("the lead");
    json!(found.state.owner())
}

/// Lead, from and to of each move, under the names that the document gives them.
fn ways(moves: &Value, names: [&str; 3]) -> Vec<[Value; 3]> {
    let moves = moves.as_array().expect("moves").iter();
    moves.map(|one| names.map(|name| one[name].clone())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_that_is_shown_runs_once_and_every_run_explains_itself(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = two_days_ago(on).await;
    let team = app.team.clone();
    let id = written(&app).await;
    let leads = leads(&app, 3).await;
    app.advance(TimeDelta::days(2));
    let beside = app.command_line().await;
    if on == Sqlite {
        let busy = beside.refused(1, &["transfer", "predict", &id]).await;
        assert!(busy.contains("Stop the service"), "{busy}");
    }
    assert!(beside.done(&["transfer", "explain", &id]).await.contains("It never ran."));
    let planned = app
        .while_stopped(async |line| {
            let shown = line.done(&["transfer", "predict", &id]).await;
            assert!(shown.contains("3 → 0") && shown.contains(&team.employee.name), "{shown}");
            let plan = line.json(&["transfer", "predict", RULE, "--seed", "7"]).await;
            assert_eq!((&plan["seed"], &plan["pendingLeadsCount"]), (&json!("7"), &json!(3)));
            let employee = json!({ "userId": team.employee.id, "now": 3, "after": 0 });
            assert_eq!(plan["owned"][0], employee, "{plan}");
            let hash = plan["planHash"].as_str().expect("a hash").to_owned();
            let planned = ways(&plan["allocationPlan"], ["customerId", "sourceUserId", "targetUserId"]);
            assert_eq!(planned.len(), 3);

            let with_hash = ["transfer", "run", RULE, "--plan-hash", &hash];
            let clerk = line.refused(1, &[&with_hash[..], &["--by", &team.employee.username]].concat()).await;
            assert!(clerk.contains("only admins and managers"), "{clerk}");
            let ran = line.json(&[&with_hash[..], &["--by", &team.manager.username]].concat()).await;
            let run = &ran["runs"][0];
            assert_eq!(ways(&run["moves"], ["customerId", "fromUserId", "toUserId"]), planned);
            assert_eq!((&run["planHash"], &run["transferredCount"]), (&json!(hash), &json!(3)), "{run}");
            assert_eq!((&run["startedBy"], &run["seed"]), (&json!(team.manager.name), &json!("7")));

            let late = line.refused(1, &with_hash).await;
            for part in
                ["changed since the preview", "a lead no longer fits the rule: CUS", "transfer predict"]
            {
                assert!(late.contains(part), "{late}");
            }
            let run_id = run["runId"].as_str().expect("a run");
            let told = line.json(&["transfer", "explain", run_id]).await;
            assert_eq!((&told["moves"], &told["completedAt"]), (&run["moves"], &run["completedAt"]));
            let text = line.done(&["transfer", "explain", run_id]).await;
            assert!(text.contains(&team.colleague.name) && text.contains("moved     3 leads"), "{text}");

            let nothing = line.done(&["transfer", "predict", RULE]).await;
            assert!(nothing.contains("Nothing moved: the people named as sources own no lead."), "{nothing}");
            let empty = line.json(&["transfer", "run", "--all"]).await;
            let empty = &empty["runs"][0];
            assert_eq!((&empty["startedBy"], &empty["plannedCount"]), (&json!("cli"), &json!(0)));
            let why = line.done(&["transfer", "explain", empty["runId"].as_str().expect("a run")]).await;
            assert!(why.contains("Nothing moved: the people named as sources owned no lead"), "{why}");
            let of_rule = line.done(&["transfer", "explain", RULE]).await;
            assert!(of_rule.contains(run_id) && of_rule.contains("0 of the 0 leads"), "{of_rule}");
            assert!(line.done(&["transfer", "list"]).await.contains(RULE));

            what_is_no_run_is_refused(line).await;
            planned
        })
        .await;
    for [lead, _, to] in planned {
        let lead = lead.as_str().expect("a lead");
        assert!(leads.iter().any(|known| known == lead));
        assert_eq!(owner(&app, lead).await, to, "as it was planned");
    }
    finish(app).await;
}

async fn what_is_no_run_is_refused(line: &CommandLine) {
    let unknown = line.refused(1, &["transfer", "run", RULE, "--plan-hash", &"0".repeat(64)]).await;
    assert!(unknown.contains("transfer predict"), "{unknown}");
    for arguments in [&["transfer", "run", "没有"][..], &["transfer", "explain", NOBODY]] {
        let unknown = line.refused(1, arguments).await;
        assert!(unknown.contains("transfer list"), "{unknown}");
    }
    line.refused(2, &["transfer", "run"]).await;
    line.refused(2, &["transfer", "run", RULE, "--all"]).await;
}

fn file(line: &CommandLine, name: &str, body: &str) -> String {
    let path = line.folder().join(name);
    std::fs::write(&path, body).expect("a file");
    path.to_str().expect("a path").to_owned()
}

/// `good`: a file with a rule.
async fn what_is_no_question_is_refused(line: &CommandLine, good: &str) {
    let missing = line.refused(1, &["transfer", "what-if", "--file", "none.json", "--days", "3"]).await;
    assert!(missing.contains("none.json"), "{missing}");
    for wrong in [
        &["transfer", "what-if", RULE, "--days", "32"][..],
        &["transfer", "what-if", RULE],
        &["transfer", "what-if", "--days", "3"],
        &["transfer", "what-if", RULE, "--file", good, "--days", "3"],
    ] {
        line.refused(2, wrong).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_tried_before_it_is_written_and_says_why_leads_stay(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = two_days_ago(on).await;
    let team = app.team.clone();
    let id = written(&app).await;
    let leads = leads(&app, 3).await;
    let freeze = json!({ "reason": "核实中" });
    let frozen =
        app.patch(&format!("/api/customers/{}/freeze", leads[0]), &freeze).by(&team.admin).send().await;
    assert!(frozen.status < 300, "{frozen:?}");
    app.advance(TimeDelta::days(2));
    let candidate = rule(&app);
    app.while_stopped(async |line| {
        line.done(&["transfer", "predict", &id]).await; // the lists follow
        let file = |name: &str, body: &str| file(line, name, body);
        let with = |pointer: &str, value: Value| {
            let mut body = candidate.clone();
            *body.pointer_mut(pointer).expect("a member") = value;
            body.to_string()
        };
        let good = file("candidate-rule.json", &candidate.to_string());
        let told = line.json(&["transfer", "what-if", "--file", &good, "--days", "3"]).await;
        assert_eq!((&told["leadsCount"], &told["transferredCount"]), (&json!(2), &json!(2)), "{told}");
        let users = told["userStats"].as_array().expect("people");
        let parts: Vec<_> = users.iter().map(|one| [&one["transferredOut"], &one["transferredIn"]]).collect();
        assert_eq!(json!(parts), json!([[2, 0], [0, 1], [0, 1]]));
        assert!(ways(&told["moves"], ["customerId", "at", "at"]).iter().all(|[lead, ..]| lead != &leads[0]));
        let text = line.done(&["transfer", "what-if", RULE, "--days", "3"]).await;
        assert!(text.contains("2 leads would have moved, 2 times") && text.contains("CUS"), "{text}");
        let stays = with("/triggerConditions/inactiveHours", json!(72));
        let stays =
            line.done(&["transfer", "what-if", "--file", &file("long.json", &stays), "--days", "1"]).await;
        assert!(
            stays.contains("2: somebody did something for the lead lately; 1: the lead is frozen"),
            "{stays}"
        );

        for (name, body, parts) in [
            (
                "hours.json",
                with("/triggerConditions/inactiveHours", json!(0)),
                ["triggerConditions.inactiveHours must be between 1 and 720", "out_of_range"],
            ),
            ("people.json", with("/sourceUserIds", json!([NOBODY])), [NOBODY, "staff list"]),
            ("broken.json", "{".to_owned(), ["broken.json", "no JSON"]),
        ] {
            let wrong =
                line.refused(1, &["transfer", "what-if", "--file", &file(name, &body), "--days", "3"]).await;
            assert!(parts.iter().all(|part| wrong.contains(part)), "{name}: {wrong}");
        }
        what_is_no_question_is_refused(line, &good).await;

        let explained = line.done(&["transfer", "explain", RULE]).await;
        let sentence = "2 of the 3 leads of the sources fit the rule (1: the lead is frozen).";
        assert!(explained.contains("2 leads would move.") && explained.contains(sentence), "{explained}");
        let counted = line.json(&["transfer", "explain", &id]).await;
        assert_eq!((&counted["fitting"], &counted["ineligible"][0]["reason"]), (&json!(2), &json!("frozen")));
        assert_eq!(counted["runs"], json!([]), "nothing ran");
    })
    .await;
    for lead in &leads {
        assert_eq!(owner(&app, lead).await, json!(team.employee.id), "a question moves nothing");
    }
    finish(app).await;
}
