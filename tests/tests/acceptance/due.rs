//! When a lead falls into the pool is said wherever the lead is shown, and signed customers take no room where the rules
//! of the pool say so.

use domain::customer::ContractStatus;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Setup, TestApp, Wechat};
use tests::scratch::Backend::{self, Postgres, Sqlite};

async fn start(on: Backend) -> TestApp {
    TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_that_shows_a_lead_says_when_it_falls(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let rule = json!({ "name": "两天未跟进", "kind": "no_follow_up", "days": 2 });
    let written = app.post("/api/recycle-rules", &rule).by(&team.admin).send().await;
    assert_eq!(written.status, 201, "{written:?}");
    app.settle().await;
    let lead = app.lead_of(&team.admin, &team.employee, 1).await;
    let path = format!("/api/customers/{lead}");
    let moved = app.assign(&lead, &team.colleague).by(&team.manager).send().await;
    assert_eq!(moved.status, 200, "{moved:?}");
    app.settle().await;
    let shown = app.get(&path).by(&team.admin).send().await;
    let due = shown.data()["poolDueAt"].clone();
    assert!(due.is_string(), "{shown:?}");
    let number = shown.data()["customerId"].as_str().expect("a number").to_owned();
    let changed = app.patch(&path, &json!({ "remarks": "电话已约" })).by(&team.admin).send().await;
    for reply in [
        moved,
        changed,
        app.get(&format!("/api/customers/miniprogram/{lead}")).by(&team.admin).send().await,
        app.get(&format!("/api/customers/customer-id/{number}")).by(&team.admin).send().await,
    ] {
        let seen = (&reply.data()["poolDueAt"], &reply.data()["poolDueRule"]);
        assert_eq!(seen, (&due, &json!("两天未跟进")), "{reply:?}");
    }
    let found = app.get("/api/customers/search?search=").by(&team.admin).send().await;
    assert_eq!(found.data()[0]["poolDueAt"], due, "{found:?}");
    let listed = app.get("/api/customers/miniprogram/list").by(&team.admin).send().await;
    assert_eq!(listed.data()["customers"][0]["poolDueAt"], due, "{listed:?}");
    // Nobody takes a signed customer away, and the answer says so at once.
    let signed = json!({ "contractStatus": ContractStatus::Signed.as_str() });
    let signed = app.patch(&path, &signed).by(&team.admin).send().await;
    assert_eq!((signed.status, &signed.data()["poolDueAt"]), (200, &Value::Null), "{signed:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signed_customers_take_no_room_once_the_rules_of_the_pool_say_so(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let team = app.team.clone();
    let rules =
        |ignores: bool| json!({ "holdingCap": 1, "assignmentsHeldToCap": true, "capIgnoresSigned": ignores });
    let first = app.lead_of(&team.admin, &team.employee, 1).await;
    let second = app.lead_of(&team.admin, &team.colleague, 2).await;
    let signed = json!({ "contractStatus": ContractStatus::Signed.as_str() });
    let signed = app.patch(&format!("/api/customers/{first}"), &signed).by(&team.admin).send().await;
    assert_eq!(signed.status, 200, "{signed:?}");
    for (ignores, count, status) in [(false, 1, 409), (true, 0, 200)] {
        let set = app.put("/api/pool-rules", &rules(ignores)).by(&team.admin).send().await;
        assert_eq!(
            (set.status, &set.data()["inForce"]["capIgnoresSigned"]),
            (200, &json!(ignores)),
            "{set:?}"
        );
        let held = app.get("/api/customers/my-customer-count").by(&team.employee).send().await;
        assert_eq!((&held.data()["count"], &held.data()["limit"]), (&json!(count), &json!(1)));
        let given = app.assign(&second, &team.employee).by(&team.admin).send().await;
        assert_eq!(given.status, status, "{given:?}");
    }
    app.finish().await;
}
