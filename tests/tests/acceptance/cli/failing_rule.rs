//! One of the rules cannot run: the others do, and whoever looks at the exit code learns of it.

use chrono::TimeDelta;
use infrastructure::with_tx;
use rstest::rstest;
use serde_json::json;
use tests::kit::TestApp;
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::transfer::{RULE, leads, owner, rule, two_days_ago};
use super::{NOBODY, finish};

const BROKEN: &str = "培训线索";

/// The list takes a rule for one about customers; no command would do that.
async fn spoil(app: &TestApp, rule: &str) {
    let mut tx = app.app().db.begin_write().await.expect("a transaction");
    let wrong = "UPDATE transfer_rules SET doc = replace(doc, '\"training\"', '\"customer\"') WHERE id = $1";
    let id: uuid::Uuid = rule.parse().expect("an id");
    let rows = with_tx!(&mut tx, conn =>
        sqlx::query(wrong).bind(id).execute(conn).await.map(|done| done.rows_affected()));
    assert_eq!(rows.expect("an update"), 1);
    tx.commit().await.expect("a commit");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_fails_holds_up_no_other_and_the_exit_code_says_so(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = two_days_ago(on).await;
    let mut ids = Vec::new();
    // The broken one is older, so that its turn comes first.
    for (name, module) in [(BROKEN, "training"), (RULE, "customer")] {
        let mut body = rule(&app);
        body["ruleName"] = json!(name);
        body["targetModule"] = json!(module);
        let created = app.post("/api/lead-transfer/rules", &body).by(&app.team.manager).send().await;
        assert_eq!(created.status, 201, "{created:?}");
        ids.push(created.id());
    }
    let leads = leads(&app, 2).await;
    app.advance(TimeDelta::days(2));
    app.while_stopped(async |line| line.done(&["transfer", "predict", RULE]).await).await; // the lists follow
    spoil(&app, &ids[0]).await;
    app.while_stopped(async |line| {
        let ran = line.run(&["transfer", "run", "--all", "--json"]).await;
        assert_eq!(ran.code, 1, "{ran:?}");
        let told: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON all the same");
        let runs = told["runs"].as_array().expect("runs");
        assert_eq!((runs.len(), &runs[0]["ruleName"]), (1, &json!(RULE)), "{told}");
        assert_eq!(runs[0]["transferredCount"], 2, "{told}");
        let failed = told["failed"].as_array().expect("rules that failed");
        assert_eq!((failed.len(), &failed[0]["ruleId"]), (1, &json!(ids[0])), "{told}");
        assert_eq!(failed[0]["error"], "the rule is not about customers", "{told}");

        let again = line.run(&["transfer", "run", "--all"]).await;
        assert_eq!(again.code, 1, "{again:?}");
        let error = format!("error: {BROKEN} ({}) failed: the rule is not about customers", ids[0]);
        assert!(again.err.contains(&error) && again.out.contains(RULE), "{again:?}");
        line.refused(1, &["transfer", "run", NOBODY]).await;
    })
    .await;
    for lead in &leads {
        assert_ne!(owner(&app, lead).await, json!(app.team.employee.id), "the other rule moved it");
    }
    finish(app).await;
}
