//! The jobs on the command line: those of the installation, as `GET /api/schedules` has them.

use chrono::{DateTime, TimeDelta, Utc};
use leadwire::lifecycle::self_check;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{finish, start};

const LIST: [&str; 2] = ["schedules", "list"];

fn night(jobs: &Value) -> Value {
    let jobs = jobs.as_array().expect("jobs");
    jobs.iter().find(|job| job["name"] == self_check::NAME).expect("the job").clone()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_any_worker_there_is_no_job(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on, Setup::default()).await;
    let line = app.command_line().await;
    assert_eq!(line.json(&LIST).await, json!([]));
    let printed = line.run(&LIST).await;
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(printed.err.contains("they appear when a worker first starts"), "{printed:?}");
    line.refused(2, &["schedules"]).await;
    line.refused(2, &["schedules", "list", "--limit", "1"]).await;
    finish(app).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_listed_with_its_next_run_and_what_came_of_the_last(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let line = app.command_line().await;
    let waiting = night(&line.json(&LIST).await);
    assert_eq!((&waiting["state"], &waiting["last"]), (&json!("waiting"), &Value::Null));
    let next: DateTime<Utc> = waiting["nextAt"].as_str().expect("a moment").parse().expect("a moment");
    let listed = || async {
        let answer = app.get("/api/schedules").by(&app.team.manager).send().await;
        answer.data().clone()
    };
    let known = listed().await;
    let names = |jobs: &Value| -> Vec<Value> {
        jobs.as_array().expect("jobs").iter().map(|job| job["name"].clone()).collect()
    };
    assert_eq!(names(&line.json(&LIST).await), names(&known), "every job, in the same order");

    app.advance(next - app.now() + TimeDelta::minutes(5));
    let over = eventually("the night is checked", async || {
        let job = night(&listed().await);
        (!job["last"].is_null()).then_some(job)
    })
    .await;
    let spoken = night(&line.json(&LIST).await);
    for member in ["cron", "zone", "misfire", "period", "last"] {
        assert_eq!(spoken[member], over[member], "{member}");
    }
    let table = line.done(&LIST).await;
    let (head, rows) = table.split_once('\n').expect("a head");
    for part in ["NAME", "WHEN", "STATE", "NEXT", "LAST ENDED", "RESULT", "OUTCOME"] {
        assert!(head.contains(part), "{part}: {head}");
    }
    let row = rows.lines().find(|row| row.starts_with(self_check::NAME)).expect("a row");
    let outcome = over["last"]["outcome"].as_str().expect("a sentence");
    for part in ["0 3 * * * Asia/Shanghai", "waiting", " ok ", outcome] {
        assert!(row.contains(part), "{part}: {row}");
    }
    finish(app).await;
}
