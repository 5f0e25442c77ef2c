//! Rules that hand idle leads on, over HTTP: written, previewed, run, and looked at afterwards.

mod by_hand;
mod console;
mod kills;
mod refused;
mod what_if;

use application::access::{Action, allows};
use chrono::{TimeDelta, Timelike as _};
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Reply, Setup, TestApp, Wechat};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const RULES: &str = "/api/lead-transfer/rules";
const EXECUTE: &str = "/api/lead-transfer/execute-now";
/// A rule that nobody knows.
const NOBODY: &str = "0190a1b2-0000-7000-8000-000000000000";

async fn start(on: Backend) -> TestApp {
    TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await
}

/// A rule whose hours are not now, so that nothing but the story runs it.
fn rule(app: &TestApp, sources: &[&Person], targets: &[&Person]) -> Value {
    let far = (app.now() + TimeDelta::hours(12)).with_timezone(&app.app().limits().zone);
    let minute = format!("{:02}:{:02}", far.hour(), far.minute());
    let ids = |people: &[&Person]| people.iter().map(|person| person.id).collect::<Vec<_>>();
    json!({
        "ruleName": "闲置线索", "description": "一小时没有跟进", "enabled": true, "targetModule": "customer",
        "triggerConditions": {
            "inactiveHours": 1, "transferCooldownHours": 0, "maxTransferCount": 0, "contractStatuses": ["待定"],
        },
        "executionWindow": { "enabled": true, "startTime": minute, "endTime": minute },
        "sourceUserIds": ids(sources), "targetUserIds": ids(targets),
        "distributionConfig": {
            "strategy": "round-robin", "enableCompensation": true, "compensationPriority": 5,
        },
    })
}

async fn write(app: &TestApp, body: &Value) -> Reply {
    let created = app.post(RULES, body).by(&app.team.manager).send().await;
    assert_eq!(created.status, 201, "{created:?}");
    created
}

/// So many leads of the employee that nobody has touched for more than an hour.
async fn idle_leads(app: &TestApp, count: usize) -> Vec<String> {
    let mut leads = Vec::new();
    for n in 0..count {
        leads.push(app.lead_of(&app.team.manager, &app.team.employee, n).await);
    }
    app.settle().await;
    app.advance(TimeDelta::minutes(90));
    app.settle().await;
    leads
}

async fn predicted(app: &TestApp, rule: &str) -> Value {
    let reply = app.get(&format!("{RULES}/{rule}/predict")).by(&app.team.operator).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.data().clone()
}

async fn owner(app: &TestApp, lead: &str) -> Value {
    let reply = app.get(&format!("/api/customers/{lead}")).by(&app.team.admin).send().await;
    reply.data()["assignedTo"].clone()
}

/// Path and rule of each violation.
fn violations(reply: &Reply) -> Vec<(String, String)> {
    let errors = reply.body["error"]["details"]["errors"].as_array().into_iter().flatten();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
    errors.map(|error| (text(error, "path"), text(error, "code"))).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_is_written_shown_changed_switched_and_deleted(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee, &team.dispatch], &[&team.colleague, &team.dispatch]);
    let created = write(&app, &body).await;
    assert_eq!((created.message(), created.version()), ("流转规则创建成功", 1));
    let id = created.id();
    let path = format!("{RULES}/{id}");
    is_shown_as_written(created.data(), &body);

    let other = write(&app, &rule(&app, &[&team.employee], &[&team.manager])).await;
    assert!(other.message().contains("重叠：闲置线索"), "{other:?}");
    assert_eq!(other.data()["overlaps"][0]["ruleId"], json!(id));
    assert_eq!(other.data()["overlaps"][0]["sourceUserIds"], json!([team.employee.id]));

    let change = json!({ "ruleName": "新名字", "triggerConditions": { "inactiveHours": 72 } });
    let changed = app.patch(&path, &change).by(&team.admin).if_match(1).send().await;
    assert_eq!(
        (changed.status, changed.message().starts_with("流转规则更新成功")),
        (200, true),
        "{changed:?}"
    );
    assert_eq!(changed.data()["triggerConditions"]["inactiveHours"], 72);
    assert_eq!(changed.data()["triggerConditions"]["contractStatuses"], json!(["待定"]));
    let stale = app.patch(&path, &change).by(&team.admin).if_match(1).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));

    let off =
        app.patch(&format!("{path}/toggle"), &json!({ "enabled": false })).by(&team.manager).send().await;
    assert_eq!((off.message(), &off.data()["enabled"]), ("规则已禁用", &json!(false)));
    let on = app.patch(&format!("{path}/toggle"), &json!({ "enabled": true })).by(&team.manager).send().await;
    assert!(on.message().starts_with("规则已启用"), "{on:?}");

    let listed = app.get(&format!("{RULES}?targetModule=customer")).by(&team.manager).send().await;
    let names: Vec<_> =
        listed.data().as_array().expect("rules").iter().map(|rule| rule["ruleName"].clone()).collect();
    assert_eq!(names, ["闲置线索", "新名字"], "newest first");
    let training = app.get(&format!("{RULES}?targetModule=training")).by(&team.operator).send().await;
    assert_eq!(training.data(), &json!([]));
    let detail = app.get(&path).by(&team.manager).send().await;
    assert_eq!((&detail.data()["ruleName"], detail.version()), (&json!("新名字"), 4));

    let gone = app.call(reqwest::Method::DELETE, &path).by(&team.manager).send().await;
    assert_eq!(gone.status, 204, "{gone:?}");
    for call in [
        app.get(&path),
        app.get(&format!("{path}/predict")),
        app.patch(&path, &change),
        app.patch(&format!("{path}/toggle"), &json!({ "enabled": true })),
        app.post(EXECUTE, &json!({ "ruleId": id })),
        app.get(&format!("{RULES}/{NOBODY}")),
        app.get(&format!("{RULES}/none")),
        app.call(reqwest::Method::DELETE, &format!("{RULES}/{NOBODY}")),
    ] {
        let reply = call.by(&team.manager).send().await;
        assert_eq!(reply.problem(), (404, "TRANSFER_RULE_NOT_FOUND"));
        assert_eq!(reply.message(), "规则不存在");
    }
    let listed = app.get(RULES).by(&team.manager).send().await;
    assert_eq!(listed.data().as_array().map(Vec::len), Some(1));
    app.finish().await;
}

/// The rule of the two who are sources and targets.
fn is_shown_as_written(shown: &Value, body: &Value) {
    for member in [
        "ruleName",
        "description",
        "enabled",
        "targetModule",
        "sourceUserIds",
        "targetUserIds",
        "distributionConfig",
    ] {
        assert_eq!(shown[member], body[member], "{member}");
    }
    assert_eq!(shown["triggerConditions"]["leadSources"], json!([]));
    assert_eq!(shown["executionWindow"]["zone"], "Asia/Shanghai");
    assert_eq!(shown["overlaps"], json!([]));
    assert_eq!(
        (&shown["createdBy"]["name"], &shown["createdBy"]["username"]),
        (&json!("钱伟"), &json!("manager"))
    );
    let quotas = shown["userQuotas"].as_array().expect("quotas");
    let roles: Vec<_> = quotas.iter().map(|one| (one["userName"].clone(), one["role"].clone())).collect();
    let expected = [("李雷", "source"), ("周涛", "both"), ("韩梅", "target")];
    assert_eq!(roles, expected.map(|(name, role)| (json!(name), json!(role))));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn routes_open_for_whom_the_table_says(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee], &[&team.colleague]);
    let path = format!("{RULES}/{}", write(&app, &body).await.id());
    let unknown = format!("{RULES}/{NOBODY}");
    for person in team.of_every_role() {
        let own = format!("/api/lead-transfer/user-statistics/{}", person.id);
        let of_another = format!("/api/lead-transfer/user-statistics/{}", team.colleague.id);
        for (action, call, passed) in [
            (Action::ViewTransferRules, app.get(RULES), 200),
            (Action::ViewTransferRules, app.get(&path), 200),
            (Action::ViewTransferRules, app.get(&format!("{path}/predict")), 200),
            (Action::ViewTransferRules, app.get("/api/lead-transfer/statistics"), 200),
            (Action::ViewTransferRules, app.get(&of_another), 200),
            (Action::ViewTransferRecords, app.get("/api/lead-transfer/records"), 200),
            (Action::ViewTransferRecords, app.get(&own), 200),
            (Action::EditTransferRules, app.post(RULES, &json!({})), 422),
            (Action::EditTransferRules, app.patch(&unknown, &json!({})), 404),
            (
                Action::EditTransferRules,
                app.patch(&format!("{unknown}/toggle"), &json!({"enabled": true})),
                404,
            ),
            (Action::EditTransferRules, app.call(reqwest::Method::DELETE, &unknown), 404),
            (Action::RunTransferRules, app.post(EXECUTE, &json!({ "ruleId": NOBODY })), 404),
        ] {
            let reply = call.by(person).send().await;
            let expected = if allows(person.role, action) { passed } else { 403 };
            assert_eq!(reply.status, expected, "{action:?} as {}: {reply:?}", person.username);
        }
    }
    let other = format!("/api/lead-transfer/user-statistics/{}", team.colleague.id);
    let refused = app.get(&other).by(&team.employee).send().await;
    assert_eq!((refused.problem(), refused.message()), ((403, "FORBIDDEN"), "只能查看自己的流转统计"));
    let refused = app.post(RULES, &body).by(&team.operator).send().await;
    assert_eq!(refused.message(), "只有管理员或经理可以管理流转规则");
    let nobody =
        app.get(&format!("/api/lead-transfer/user-statistics/{NOBODY}")).by(&team.admin).send().await;
    assert_eq!(nobody.problem(), (404, "USER_NOT_FOUND"));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rules_say_where(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let body = rule(&app, &[&team.employee], &[&team.colleague]);
    let path = format!("{RULES}/{}", write(&app, &body).await.id());
    let with = |pointer: &str, value: Value| {
        let mut body = body.clone();
        *body.pointer_mut(pointer).expect("a member") = value;
        body
    };
    for (pointer, value, status, violation) in [
        ("/triggerConditions/inactiveHours", json!(0), 422, "out_of_range"),
        ("/triggerConditions/contractStatuses", json!([]), 422, "required"),
        ("/distributionConfig/compensationPriority", json!(11), 422, "out_of_range"),
        ("/executionWindow/startTime", json!("25:00"), 422, "time_of_day"),
        ("/ruleName", json!(""), 422, "required"),
        ("/sourceUserIds", json!("x"), 400, "not_a_list"),
    ] {
        let field = pointer[1..].replace('/', ".");
        for refused in [
            app.post(RULES, &with(pointer, value.clone())).by(&team.admin).send().await,
            app.patch(&path, &with(pointer, value)).by(&team.admin).send().await,
        ] {
            if field == "ruleName" && refused.status == 200 {
                continue; // a blank text is none: the name stays
            }
            assert_eq!(refused.problem(), (status, "VALIDATION_FAILED"), "{field}");
            assert_eq!(violations(&refused), [(field.clone(), violation.to_owned())]);
        }
    }
    let unknown = app.post(RULES, &with("/sourceUserIds", json!([NOBODY]))).by(&team.admin).send().await;
    assert_eq!(
        (unknown.problem(), unknown.message()),
        ((422, "TRANSFER_PEOPLE_NOT_FOUND"), "部分用户不存在")
    );
    assert_eq!(unknown.body["error"]["details"]["userIds"], json!([NOBODY]));
    app.suspend(&team.admissions).await;
    let inactive =
        app.post(RULES, &with("/targetUserIds", json!([team.admissions.id]))).by(&team.admin).send().await;
    assert_eq!(inactive.problem(), (422, "TRANSFER_TARGETS_INACTIVE"));
    let query = app.get("/api/lead-transfer/records?status=lost&limit=500").by(&team.admin).send().await;
    assert_eq!(query.problem(), (400, "VALIDATION_FAILED"));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plan_that_was_shown_is_the_plan_that_runs(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague, &team.dispatch])).await.id();
    let leads = idle_leads(&app, 4).await;

    let plan = predicted(&app, &id).await;
    assert_eq!((&plan["pendingLeadsCount"], &plan["windowOpen"]), (&json!(4), &json!(false)));
    let estimated: Vec<_> = plan["userPredictions"]
        .as_array()
        .expect("people")
        .iter()
        .map(|one| {
            (one["role"].clone(), one["estimatedTransferOut"].clone(), one["estimatedTransferIn"].clone())
        })
        .collect();
    let expected = [("source", 4, 0), ("target", 0, 2), ("target", 0, 2)];
    assert_eq!(estimated, expected.map(|(role, out, into)| (json!(role), json!(out), json!(into))));
    let allocations = plan["allocationPlan"].as_array().expect("moves").clone();
    assert_eq!(allocations.len(), 4);
    for lead in &leads {
        assert_eq!(owner(&app, lead).await, json!(team.employee.id), "a preview moves nothing");
    }

    let run = json!({ "ruleId": id, "batchSize": 100, "planHash": plan["planHash"] });
    let ran = app.post(EXECUTE, &run).by(&team.manager).key("once").send().await;
    assert_eq!((ran.status, ran.message()), (200, "成功流转4条线索"), "{ran:?}");
    let done = ran.data().clone();
    assert_eq!((&done["transferredCount"], &done["completed"]), (&json!(4), &json!(true)));
    assert_eq!(done["userStats"].as_array().map(Vec::len), Some(3));
    app.settle().await;
    for one in &allocations {
        let lead = one["customerId"].as_str().expect("a lead");
        assert_eq!(owner(&app, lead).await, one["targetUserId"], "as it was planned");
    }
    let again = app.post(EXECUTE, &run).by(&team.manager).key("once").send().await;
    assert_eq!(again.data()["runs"], done["runs"], "the same request finds its run");
    assert!(again.is_replay() && !ran.is_replay());

    let moved = app.get(&format!("/api/lead-transfer/records?ruleId={id}")).by(&team.operator).send().await;
    assert_eq!(moved.data()["total"], 4);
    let row = &moved.data()["records"][0];
    assert_eq!(
        (&row["status"], &row["fromUserName"], &row["ruleName"]),
        (&json!("success"), &json!("李雷"), &json!("闲置线索"))
    );
    assert_eq!(
        (&row["snapshot"]["inactiveHours"], &row["snapshot"]["contractStatus"]),
        (&json!(1), &json!("待定"))
    );
    let own = app.get("/api/lead-transfer/records").by(&team.colleague).send().await;
    assert_eq!(own.data()["total"], 2, "who received sees what came");
    let counted = app.get("/api/lead-transfer/statistics").by(&team.operator).send().await;
    let expected = json!({ "totalCount": 4, "successCount": 4, "failedCount": 0, "successRate": "100.00" });
    assert_eq!(counted.data(), &expected);
    let own = format!("/api/lead-transfer/user-statistics/{}", team.employee.id);
    let own = app.get(&own).by(&team.employee).send().await;
    assert_eq!((&own.data()["transferredOut"], &own.data()["balance"]), (&json!(4), &json!(4)));
    let both = json!({ "sourceUserIds": [team.employee.id], "targetUserIds": [team.colleague.id] });
    let edited = app.patch(&format!("{RULES}/{id}"), &both).by(&team.manager).send().await;
    assert_eq!(edited.data()["userQuotas"][0]["transferredOut"], 4, "an edit of the lists resets nothing");
    assert_eq!(edited.data()["statistics"]["totalTransferred"], 4);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_that_is_out_of_date_is_refused_with_what_changed(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let id = write(&app, &rule(&app, &[&team.employee], &[&team.colleague])).await.id();
    let leads = idle_leads(&app, 3).await;
    let plan = predicted(&app, &id).await;
    let call = json!({ "type": "phone", "content": "客户下周回复" });
    let called =
        app.post(&format!("/api/customers/{}/follow-ups", leads[0]), &call).by(&team.employee).send().await;
    assert!(called.status < 300, "{called:?}");
    app.settle().await;

    let run = json!({ "planHash": plan["planHash"] });
    let refused = app.post(EXECUTE, &run).by(&team.manager).send().await;
    assert_eq!(refused.problem(), (409, "TRANSFER_PLAN_CHANGED"));
    let details = &refused.body["error"]["details"];
    assert_eq!((&details["count"], &details["changes"][0]["code"]), (&json!(1), &json!("LEAD_LEFT")));
    assert_eq!(details["changes"][0]["customerId"], json!(leads[0]));
    for lead in &leads {
        assert_eq!(owner(&app, lead).await, json!(team.employee.id), "nothing moved");
    }
    let unknown = json!({ "planHash": "0".repeat(64) });
    let unknown = app.post(EXECUTE, &unknown).by(&team.manager).send().await;
    assert_eq!(unknown.problem(), (409, "TRANSFER_PLAN_UNKNOWN"));

    // A batch of one takes the longest idle; then all that is left; then nothing, and it says why.
    for (batch, moved, left) in [(1, 1, 1), (0, 1, 0)] {
        let body = json!({ "ruleId": id, "batchSize": batch });
        let ran = app.post(EXECUTE, &body).by(&team.admin).send().await;
        assert_eq!(ran.data()["transferredCount"], moved, "{ran:?}");
        app.settle().await;
        assert_eq!(predicted(&app, &id).await["pendingLeadsCount"], left);
    }
    let nothing = app.post(EXECUTE, &json!({ "ruleId": id })).by(&team.admin).send().await;
    assert!(nothing.message().starts_with("流出人员名下的1条线索都不符合规则"), "{nothing:?}");
    // Without a rule, hours count: none is open.
    for all in [app.post(EXECUTE, &json!({})), app.call(reqwest::Method::POST, EXECUTE)] {
        let all = all.by(&team.admin).send().await;
        assert_eq!(
            (&all.data()["transferredCount"], all.message()),
            (&json!(0), "当前没有处于执行时段的启用规则")
        );
    }
    let off =
        app.patch(&format!("{RULES}/{id}/toggle"), &json!({ "enabled": false })).by(&team.admin).send().await;
    assert_eq!(off.status, 200);
    let refused = app.post(EXECUTE, &json!({ "ruleId": id })).by(&team.admin).send().await;
    assert_eq!((refused.problem(), refused.message()), ((409, "TRANSFER_RULE_OFF"), "规则未启用"));
    app.finish().await;
}
