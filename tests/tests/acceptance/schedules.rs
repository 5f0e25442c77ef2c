//! A night passes: the job runs for its period, and everybody who may look sees the same. That it runs once, whatever
//! happens to any number of processes, is `infrastructure/tests/conformance/scheduler.rs`.

mod clocks;
mod desk;
mod hours;
mod quotas;

use chrono::{DateTime, TimeDelta, Utc};
use leadwire::lifecycle::self_check;
use rstest::rstest;
use tests::kit::{TestApp, eventually, http_client};
use tests::scratch::Backend::{self, Postgres, Sqlite};

async fn job(app: &TestApp) -> serde_json::Value {
    named(app, self_check::NAME).await
}

async fn named(app: &TestApp, name: &str) -> serde_json::Value {
    let listed = app.get("/api/schedules").by(&app.team.manager).send().await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let jobs = listed.data().as_array().expect("jobs").clone();
    jobs.into_iter().find(|job| job["name"] == name).expect("the job")
}

fn moment(job: &serde_json::Value, member: &str) -> DateTime<Utc> {
    job[member].as_str().expect("a moment").parse().expect("a moment")
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_night_is_checked_once_and_everybody_sees_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let before = job(&app).await;
    assert_eq!((&before["state"], &before["last"]), (&"waiting".into(), &serde_json::Value::Null));
    assert_eq!((&before["cron"], &before["zone"]), (&"0 3 * * *".into(), &"Asia/Shanghai".into()));
    let next = moment(&before, "nextAt");
    assert!(next > app.now() && next <= app.now() + TimeDelta::days(1));

    app.advance(next - app.now() + TimeDelta::minutes(5));
    let after = eventually("the night is checked", async || {
        let job = job(&app).await;
        (!job["last"].is_null()).then_some(job)
    })
    .await;
    assert_eq!(moment(&after["last"], "period"), next, "the period, not the moment it ran at");
    assert_eq!((&after["last"]["succeeded"], &after["attempt"]), (&true.into(), &1.into()));
    assert_eq!(moment(&after, "nextAt"), next + TimeDelta::days(1));

    let metrics = http_client().get(app.url("/metrics")).send().await.expect("an answer");
    let metrics = metrics.text().await.expect("text");
    let name = self_check::NAME;
    for line in [
        format!("leadwire_job_succeeded{{job=\"{name}\"}} 1\n"),
        format!("leadwire_job_next_seconds{{job=\"{name}\"}} {}\n", (next + TimeDelta::days(1)).timestamp()),
        format!("leadwire_job_ended_seconds{{job=\"{name}\"}} "),
        format!("leadwire_job_took_seconds{{job=\"{name}\"}} "),
        "leadwire_self_check_clean 1\n".to_owned(), // although the staff is older than the policy
    ] {
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    let refused = app.get("/api/schedules").by(&app.team.employee).send().await;
    assert_eq!(refused.status, 403, "{refused:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfer_rules_run_at_every_full_hour(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let before = named(&app, "lead_transfer").await;
    assert_eq!((&before["cron"], &before["zone"]), (&"0 * * * *".into(), &"Asia/Shanghai".into()));
    let next = moment(&before, "nextAt");
    app.advance(next - app.now() + TimeDelta::minutes(1));
    let after = eventually("the hour is over", async || {
        let job = named(&app, "lead_transfer").await;
        (!job["last"].is_null()).then_some(job)
    })
    .await;
    assert_eq!(moment(&after["last"], "period"), next);
    assert_eq!(
        (&after["last"]["succeeded"], &after["last"]["outcome"]),
        (&true.into(), &"0 leads moved by 0 rules".into())
    );
    app.finish().await;
}
