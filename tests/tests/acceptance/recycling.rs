//! Nobody cares for a lead: its owner is warned, then it waits in the public pool for somebody else. Who may write the
//! rules, what they would do, and that what people are held to follows the rules of the pool at once.

mod kills;
mod refused;
mod summary;

use chrono::{DateTime, TimeDelta, Utc};
use domain::staff::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::log::types;
use tests::kit::{Person, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const RULES: &str = "/api/recycle-rules";

/// Two days without a follow-up; a warning the day before.
fn two_days() -> Value {
    json!({ "name": "两天未跟进", "kind": "no_follow_up", "days": 2, "warnBeforeHours": [24] })
}

/// A token of this moment: those of the team do not last for the days of a story.
fn token(app: &TestApp, person: &Person, role: Role) -> String {
    app.app().auth.tokens.issue(person.id, &person.username, role, app.now()).expect("a token")
}

fn moment(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a moment").parse().expect("a moment")
}

async fn happened(app: &TestApp, lead: &str, event: &str) {
    eventually(event, async || types(&app.history(lead).await).contains(&event).then_some(())).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_cares_for_a_lead_so_it_goes_back_into_the_pool(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let lead = app.lead_of(&team.admin, &team.employee, 1).await;
    let cared_for = app.lead_of(&team.admin, &team.employee, 2).await;
    let written = app.post(RULES, &two_days()).by(&team.admin).key("rule").send().await;
    assert_eq!(written.status, 201, "{written:?}");
    let again = app.post(RULES, &two_days()).by(&team.admin).key("rule").send().await;
    assert!(again.is_replay() && again.id() == written.id(), "{again:?}");
    app.settle().await;

    let seen = app.get(&format!("/api/customers/{lead}")).by(&team.employee).send().await;
    let due = moment(&seen.data()["poolDueAt"]);
    assert_eq!(seen.data()["poolDueRule"], json!("两天未跟进"));
    assert!(due > app.now() + TimeDelta::hours(47) && due <= app.now() + TimeDelta::days(2), "{due}");
    let listed = app.get("/api/customers").by(&team.employee).send().await;
    assert!(
        listed.data()["customers"].as_array().expect("rows").iter().all(|row| row["poolDueAt"].is_string())
    );

    app.advance(TimeDelta::hours(25));
    happened(&app, &lead, "RecycleWarned").await;
    happened(&app, &cared_for, "RecycleWarned").await;
    let owner = token(&app, &team.employee, Role::Employee);
    let next = (app.now() + TimeDelta::hours(30)).to_rfc3339();
    let call = json!({ "type": "phone", "content": "客户下周回复", "nextFollowUpDate": next });
    let called =
        app.post(&format!("/api/customers/{cared_for}/follow-ups"), &call).token(&owner).send().await;
    assert_eq!(called.status, 201, "{called:?}");
    app.settle().await;
    let told = app.get("/api/notifications").token(&owner).send().await;
    assert!(told.body.to_string().contains("CUSTOMER_RECYCLE_WARNING"), "{told:?}");

    app.advance(TimeDelta::hours(24));
    happened(&app, &lead, "CustomerRecycled").await;
    app.settle().await;
    let admin = token(&app, &team.admin, Role::Admin);
    let pool = app.get("/api/customers/public-pool").token(&admin).send().await;
    let rows = pool.data()["customers"].as_array().expect("rows").clone();
    assert_eq!(rows.iter().map(|row| row["_id"].as_str().unwrap_or_default()).collect::<Vec<_>>(), [&lead]);
    assert_eq!(rows[0]["publicPoolEntryReason"], json!("超过2天未跟进，自动回收"));
    assert!(rows[0].get("poolDueAt").is_none(), "{rows:?}");
    let owner = token(&app, &team.employee, Role::Employee);
    let held = app.get("/api/customers/my-customer-count").token(&owner).send().await;
    assert_eq!(held.data()["count"], json!(1));
    let told = app.get("/api/notifications").token(&owner).send().await;
    assert!(told.body.to_string().contains("CUSTOMER_RECLAIMED"), "{told:?}");
    let kept = app.get(&format!("/api/customers/{cared_for}")).token(&owner).send().await;
    assert!(moment(&kept.data()["poolDueAt"]) > app.now(), "{kept:?}");

    app.advance(TimeDelta::hours(8));
    happened(&app, &cared_for, "FollowUpDue").await;
    app.settle().await;
    let owner = token(&app, &team.employee, Role::Employee);
    let told = app.get("/api/notifications").token(&owner).send().await;
    assert!(told.body.to_string().contains("CUSTOMER_FOLLOW_UP_DUE"), "{told:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_write_rules_managers_and_operators_see_them(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    app.lead_of(&team.admin, &team.employee, 1).await;
    app.settle().await;
    let until = (app.now() + TimeDelta::days(3)).to_rfc3339();
    let draft = json!({ "rule": two_days(), "until": until });
    let preview = app.post("/api/recycle-rules/preview", &draft).by(&team.operator).send().await;
    assert_eq!(preview.status, 200, "{preview:?}");
    assert_eq!((&preview.data()["total"], &preview.data()["more"]), (&json!(1), &json!(false)));
    assert_eq!(preview.data()["people"][0]["staffId"], json!(team.employee.id));

    let wrong = json!({ "name": "", "kind": "whim", "days": 0 });
    let refused = app.post(RULES, &wrong).by(&team.admin).send().await;
    assert_eq!(refused.problem(), (422, "VALIDATION_FAILED"), "{refused:?}");
    let rule = app.post(RULES, &two_days()).by(&team.admin).send().await.id();
    let path = format!("{RULES}/{rule}");
    for person in [&team.manager, &team.operator] {
        let listed = app.get(RULES).by(person).send().await;
        assert_eq!(listed.status, 200, "{listed:?}");
        let refused = app.post(RULES, &two_days()).by(person).send().await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{refused:?}");
    }
    for person in [&team.dispatch, &team.employee, &team.admissions] {
        for path in [RULES, "/api/pool-rules", &path] {
            let refused = app.get(path).by(person).send().await;
            assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{refused:?}");
        }
    }
    let mut longer = two_days();
    longer["days"] = json!(9);
    let stale = app.put(&path, &longer).by(&team.admin).if_match(7).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"), "{stale:?}");
    let revised = app.put(&path, &longer).by(&team.admin).if_match(1).send().await;
    assert_eq!((revised.version(), &revised.data()["days"]), (2, &json!(9)), "{revised:?}");
    let off = app.patch(&format!("{path}/toggle"), &json!({ "enabled": false })).by(&team.admin).send().await;
    assert_eq!((off.version(), &off.data()["enabled"]), (3, &json!(false)), "{off:?}");
    app.settle().await;
    let listed = app.get(RULES).by(&team.manager).send().await;
    assert_eq!((&listed.data()[0]["_id"], &listed.data()[0]["version"]), (&json!(rule), &json!(3)));
    let gone = app.call(reqwest::Method::DELETE, &path).by(&team.admin).send().await;
    assert_eq!(gone.status, 200, "{gone:?}");
    let unknown = app.get(&path).by(&team.admin).send().await;
    assert_eq!(unknown.problem(), (404, "RECYCLE_RULE_NOT_FOUND"), "{unknown:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rules_of_the_pool_hold_for_the_very_next_claim(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut leads = vec![];
    for n in 0..3 {
        let lead = app.lead_of(&team.admin, &team.employee, n).await;
        let release = format!("/api/customers/{lead}/release-to-pool");
        let done = app.post(&release, &json!({ "reason": "客户不需要了" })).by(&team.admin).send().await;
        assert_eq!(done.status, 200, "{done:?}");
        leads.push(lead);
    }
    let claim = async |n: usize| {
        let body = json!({ "customerIds": [leads[n]] });
        app.post("/api/customers/public-pool/claim", &body).by(&team.colleague).send().await
    };
    let before = app.get("/api/pool-rules").by(&team.manager).send().await;
    assert_eq!((before.version(), &before.data()["inForce"]["holdingCap"]), (0, &json!(50)), "{before:?}");
    assert_eq!(claim(0).await.status, 200);

    let refused = app.put("/api/pool-rules", &json!({ "holdingCap": 1 })).by(&team.manager).send().await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{refused:?}");
    let wrong = app.put("/api/pool-rules", &json!({ "holdingCap": 0 })).by(&team.admin).send().await;
    assert_eq!(wrong.problem(), (422, "VALIDATION_FAILED"), "{wrong:?}");
    let set =
        app.put("/api/pool-rules", &json!({ "holdingCap": 1 })).by(&team.admin).if_match(0).send().await;
    assert_eq!((set.version(), &set.data()["rules"]["holdingCap"]), (1, &json!(1)), "{set:?}");
    let full = claim(1).await;
    assert_eq!(full.problem(), (409, "HOLDING_LIMIT"), "{full:?}");
    let held = app.get("/api/customers/my-customer-count").by(&team.colleague).send().await;
    assert_eq!(held.data(), &json!({ "count": 1, "limit": 1 }));

    let stale = app.put("/api/pool-rules", &json!({})).by(&team.admin).if_match(0).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"), "{stale:?}");
    let reset = app.put("/api/pool-rules", &json!({ "claimsPerDay": 1 })).by(&team.admin).send().await;
    assert_eq!(reset.data()["inForce"]["holdingCap"], json!(50), "{reset:?}");
    let quota = claim(1).await;
    assert_eq!(quota.problem(), (409, "CLAIM_QUOTA"), "{quota:?}");
    app.put("/api/pool-rules", &json!({})).by(&team.admin).send().await;
    assert_eq!(claim(1).await.status, 200);
    app.finish().await;
}
