//! A count of somebody's leads that went wrong: the nightly check names whose it is, and the command line makes it right.

use infrastructure::with_tx;
use leadwire::lifecycle::self_check;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, TestApp, http_client};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const RECOUNT: [&str; 2] = ["staff", "recount"];
const LOOK: [&str; 4] = ["staff", "recount", "--dry-run", "--json"];

/// What no command would do.
async fn spoil(app: &TestApp, person: &Person) {
    let mut tx = app.app().db.begin_write().await.expect("a transaction");
    let wrong = "UPDATE counts SET value = 9 WHERE kind = 'owned_leads' AND key = $1";
    let id = person.id.to_string();
    let rows = with_tx!(&mut tx, conn =>
        sqlx::query(wrong).bind(id).execute(conn).await.map(|done| done.rows_affected()));
    assert_eq!(rows.expect("an update"), 1);
    tx.commit().await.expect("a commit");
}

/// The nightly check of now: its sentence, what administrators see of it, and what monitors do.
async fn night(app: &TestApp) -> (String, Value, String) {
    let said = self_check::check(app.app(), app.now().date_naive()).await.expect("a check");
    let ready = app.get("/health/ready").by(&app.team.admin).send().await;
    let metrics = http_client().get(app.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let clean = metrics.lines().find(|line| line.starts_with("leadwire_self_check_clean")).expect("a sample");
    (said, ready.data()["checks"]["self_check"].clone(), clean.to_owned())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_count_that_went_wrong_is_named_by_the_night_and_made_right_by_hand(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = TestApp::start(on).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    for n in 0..2 {
        app.lead_of(&manager, &employee, n).await;
    }
    app.settle().await;
    let (said, seen, metric) = night(&app).await;
    assert!(said.ends_with("nothing is missing, nothing is doubled"), "{said}");
    assert_eq!((&seen["clean"], &seen["found"]["counts"]["leads"]), (&json!(true), &json!(2)), "{seen}");
    assert_eq!(metric, "leadwire_self_check_clean 1");

    spoil(&app, &employee).await;
    let wrong = json!([{ "staff": employee.id, "count": "owned_leads", "kept": 9, "counted": 2 }]);
    let (said, seen, metric) = night(&app).await;
    assert!(said.ends_with("there are differences, 1 of them counts of leads"), "{said}");
    assert_eq!((&seen["clean"], &seen["found"]["counts"]["differences"]), (&json!(false), &wrong), "{seen}");
    assert_eq!(seen["found"]["missing"], json!(0), "and what the check knew before is there too: {seen}");
    assert!(!seen.to_string().contains(&employee.name), "ids only: {seen}");
    assert_eq!(metric, "leadwire_self_check_clean 0");

    // Looking works beside the service, and changes nothing.
    let line = app.command_line().await;
    for _ in 0..2 {
        let printed = line.run(&LOOK).await;
        let found: Value = serde_json::from_str(&printed.out).expect("JSON");
        assert_eq!((printed.code, &found["dryRun"], &found["differences"]), (1, &json!(true), &wrong));
    }
    let table = line.run(&LOOK[..3]).await;
    assert!(table.out.contains("LOG SAYS") && table.out.contains(&employee.id.to_string()), "{table:?}");
    assert!(table.err.contains("leadwire staff recount"), "{table:?}");

    app.while_stopped(async |line| {
        let found = line.json(&RECOUNT).await;
        assert_eq!(
            (&found["dryRun"], &found["leads"], &found["differing"], &found["differences"]),
            (&json!(false), &json!(2), &json!(1), &wrong)
        );
        let again = line.done(&RECOUNT).await;
        assert!(again.contains("every count is what the log says"), "{again}");
        line.done(&LOOK).await;
    })
    .await;
    let (_, seen, metric) = night(&app).await;
    assert_eq!((&seen["clean"], metric.as_str()), (&json!(true), "leadwire_self_check_clean 1"), "{seen}");
    app.finish().await;
}
