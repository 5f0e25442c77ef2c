//! The doctor: everything that no command would do is named, what is derived is made anew, and what is not stays broken.

use infrastructure::with_tx;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tests::kit::{Printed, Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::Endpoint;

const LOOK: [&str; 2] = ["doctor", "--json"];
const FIX: [&str; 3] = ["doctor", "--fix", "--json"];

/// The first event of the first lead goes.
const REMOVED: &str = "DELETE FROM events WHERE position = \
    (SELECT min(position) FROM events WHERE event_type = 'CustomerCreated')";

/// WeCom's "try again later".
const BUSY: i64 = -1;

/// What somebody with a database client may do.
async fn by_hand(app: &TestApp, statement: &str) {
    let mut tx = app.app().db.begin_write().await.expect("a transaction");
    let sql = AssertSqlSafe(statement.to_owned());
    with_tx!(&mut tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).expect(statement);
    tx.commit().await.expect("a commit");
}

/// The checks that are not sound, with their verdicts.
fn unsound(printed: &Printed) -> Vec<(String, String)> {
    let told: Value = serde_json::from_str(&printed.out).expect("JSON");
    let answers = told["answers"].as_array().expect("answers").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let answers = answers.map(|answer| (text(&answer["check"]), text(&answer["verdict"])));
    answers.filter(|(_, verdict)| verdict != "sound").collect()
}

fn broken(checks: &[&str]) -> Vec<(String, String)> {
    checks.iter().map(|check| ((*check).to_owned(), "broken".to_owned())).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_and_what_is_derived_is_made_anew(#[values(Sqlite, Postgres)] on: Backend) {
    // Nothing is sent, so that messages wait.
    let mut app = TestApp::start_with(on, Setup { roles: vec![Role::Api], ..Setup::default() }).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    for n in 0..3 {
        app.lead_of(&manager, &employee, n).await;
    }
    app.while_stopped(async |line| {
        line.done(&["deliveries", "process"]).await;
        let sound = line.run(&LOOK).await;
        assert_eq!((sound.code, unsound(&sound)), (0, Vec::new()), "{sound:?}");
        let table = line.done(&LOOK[..1]).await;
        assert!(table.contains("positions") && table.contains("without a hole"), "{table}");
    })
    .await;

    by_hand(&app, "UPDATE counts SET value = 9 WHERE kind = 'owned_leads'").await;
    by_hand(&app, "UPDATE consumers SET position = 1000000 WHERE name = 'customer_list'").await;
    by_hand(&app, "DELETE FROM decisions WHERE channel = 'in_app'").await;
    let wrong = broken(&["consumers", "notices", "counts"]);
    app.while_stopped(async |line| {
        let named = line.run(&LOOK).await;
        assert_eq!((named.code, unsound(&named)), (1, wrong.clone()), "{named:?}");
        assert!(named.out.contains("customer_list"), "{named:?}");
        let told = line.run(&LOOK[..1]).await;
        assert!(told.out.contains("BROKEN") && told.err.contains("leadwire doctor --fix"), "{told:?}");

        let fixed = line.run(&FIX).await;
        assert_eq!((fixed.code, unsound(&fixed)), (0, Vec::new()), "{fixed:?}");
        let told: Value = serde_json::from_str(&fixed.out).expect("JSON");
        assert_eq!(told["fixed"].as_array().map(Vec::len), Some(3), "{told}");
        let again = line.json(&FIX[..2]).await;
        assert_eq!(again["fixed"], json!([]), "nothing is left to do");
    })
    .await;
    let list = app.get("/api/customers").by(&manager).send().await;
    assert_eq!(list.data()["total"], json!(3), "{list:?}");

    super::finish(app).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_log_is_named_and_stays(#[values(Sqlite, Postgres)] on: Backend) {
    let setup = Setup { roles: vec![Role::Api], mortal: true, ..Setup::default() };
    let mut app = TestApp::start_with(on, setup).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    app.lead_of(&manager, &employee, 1).await;
    let unguarded = match on {
        Sqlite => "DROP TRIGGER events_refuse_delete",
        Postgres => "DROP TRIGGER events_refuse_update_and_delete ON events",
    };
    by_hand(&app, unguarded).await;
    by_hand(&app, REMOVED).await;
    app.while_stopped(async |line| {
        for look in [&LOOK[..], &FIX[..]] {
            let named = line.run(look).await;
            let checks: Vec<String> = unsound(&named).into_iter().map(|(check, _)| check).collect();
            assert_eq!(named.code, 1, "{named:?}");
            assert_eq!(
                checks.get(..2),
                Some(&["positions".to_owned(), "sequences".to_owned()][..]),
                "{named:?}"
            );
            assert!(named.out.contains("customer-"), "the stream is named: {named:?}");
        }
        let told = line.run(&FIX[..2]).await;
        assert!(told.out.contains("Nothing was made anew"), "not from a log with holes: {told:?}");
    })
    .await;
    // Nothing of what every story ends with holds here.
    app.kill();
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_no_notice_goes_and_that_of_its_notice_comes_back(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut app = super::start(on, super::through_wecom()).await;
    let (manager, employee) = (app.team.manager.clone(), app.team.employee.clone());
    app.lead_of(&manager, &employee, 1).await;
    super::fails(&app, Endpoint::WecomSend, BUSY);
    app.while_stopped(async |line| drop(line.done(&["deliveries", "process"]).await)).await;
    by_hand(&app, "UPDATE outbox SET position = 1").await;
    app.while_stopped(async |line| {
        let named = line.run(&LOOK).await;
        assert_eq!((named.code, unsound(&named)), (1, broken(&["work"])), "{named:?}");
        let fixed = line.run(&FIX).await;
        assert_eq!((fixed.code, unsound(&fixed)), (0, Vec::new()), "the notice has its row again: {fixed:?}");
    })
    .await;
    super::finish(app).await;
}
