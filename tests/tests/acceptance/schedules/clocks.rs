//! Several schedulers whose clocks are five minutes apart, over hours, midnights and a change of the zone: every job runs
//! once for each of its periods, and what follows from a run follows once (faults.md F9).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use leadwire::lifecycle::recycling::{FOLLOW_UP_DUE, RECYCLE};
use leadwire::lifecycle::self_check;
use projections::lead_transfer;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Node, Person, Setup, TestApp, Wechat, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::desk::{Desk, Tally, setup};
use super::named;

/// How far clocks go wrong, in minutes.
pub(super) const SKEW: i64 = 5;

pub(super) const SHANGHAI: &str = "Asia/Shanghai";
/// Where full hours are a quarter past those of Shanghai.
pub(super) const KATHMANDU: &str = "Asia/Kathmandu";

/// A moment on the wall clock of Shanghai in March 2027.
pub(super) fn march(day: u32, hour: u32, minute: u32) -> DateTime<Utc> {
    let local = format!("2027-03-{day:02}T{hour:02}:{minute:02}:00+08:00");
    local.parse::<DateTime<Utc>>().expect("a moment")
}

fn march_hours(hours: &[(u32, u32)]) -> Vec<DateTime<Utc>> {
    hours.iter().map(|(day, hour)| march(*day, *hour, 0)).collect()
}

pub(super) fn until(app: &TestApp, at: DateTime<Utc>) {
    app.advance(at - app.now());
}

/// Walks from six minutes before an hour to six minutes after it; at each minute every scheduler looks, all at once.
async fn walk_over(app: &TestApp, desks: &[Desk], hour: DateTime<Utc>) {
    until(app, hour - TimeDelta::minutes(SKEW + 1));
    app.settle().await;
    for _ in 0..2 * (SKEW + 1) {
        join_all(desks.iter().map(Desk::look)).await;
        app.advance(TimeDelta::minutes(1));
    }
    join_all(desks.iter().map(Desk::look)).await;
    app.settle().await;
}

/// On PostgreSQL three processes, each with a wrong clock of its own; on SQLite three schedulers of the one process.
pub(super) async fn others(app: &TestApp, on: Backend) -> Vec<Node> {
    match on {
        Postgres => {
            vec![
                app.second_beside(TimeDelta::minutes(-SKEW)).await,
                app.second_beside(TimeDelta::minutes(SKEW)).await,
            ]
        }
        Sqlite => vec![],
    }
}

async fn desks(app: &TestApp, others: &[Node], zone: &str, tally: &Tally) -> Vec<Desk> {
    let mut desks = vec![Desk::open(app, TimeDelta::zero(), zone, tally).await];
    for node in others {
        desks.push(Desk::open(node, TimeDelta::zero(), zone, tally).await);
    }
    if others.is_empty() {
        for by in [-SKEW, SKEW] {
            desks.push(Desk::open(app, TimeDelta::minutes(by), zone, tally).await);
        }
    }
    desks
}

/// A rule without hours of its own.
async fn transfer_rule(app: &TestApp, name: &str, from: &Person, to: &Person) -> String {
    let body = json!({
        "ruleName": name, "enabled": true, "targetModule": "customer",
        "triggerConditions": {
            "inactiveHours": 1, "transferCooldownHours": 0, "maxTransferCount": 0, "contractStatuses": ["待定"],
        },
        "executionWindow": { "enabled": false },
        "sourceUserIds": [from.id], "targetUserIds": [to.id],
        "distributionConfig": { "strategy": "round-robin" },
    });
    let written = app.post("/api/lead-transfer/rules", &body).by(&app.team.manager).send().await;
    assert_eq!(written.status, 201, "{written:?}");
    written.id()
}

async fn recycle_rule(app: &TestApp) {
    let body = json!({ "name": "两天未跟进", "kind": "no_follow_up", "days": 2, "warnBeforeHours": [24, 6] });
    let written = app.post("/api/recycle-rules", &body).by(&app.team.admin).send().await;
    assert_eq!(written.status, 201, "{written:?}");
}

async fn call_back_at(app: &TestApp, lead: &str, owner: &Person, at: DateTime<Utc>) {
    let call = json!({ "type": "phone", "content": "客户晚点回复", "nextFollowUpDate": at.to_rfc3339() });
    let called = app.post(&format!("/api/customers/{lead}/follow-ups"), &call).by(owner).send().await;
    assert_eq!(called.status, 201, "{called:?}");
}

/// Rule and period of every run that began, with how often.
async fn runs(app: &TestApp) -> BTreeMap<(String, String), usize> {
    let mut runs = BTreeMap::new();
    for event in app.events_named("TransferRunStarted", 0).await {
        let text = |key: &str| event.payload[key].as_str().expect("a text").to_owned();
        *runs.entry((text("rule"), text("period"))).or_default() += 1;
    }
    runs
}

/// How often each of these leads was part of an event of this name, and what `part` says of it.
async fn facts(app: &TestApp, lead: &str, name: &str, part: impl Fn(&Value) -> Value) -> Vec<Value> {
    let events = app.history(lead).await;
    events.iter().filter(|event| event.event_type == name).map(|event| part(&event.payload)).collect()
}

async fn told(app: &TestApp, person: &Person, kind: &str) -> usize {
    app.told(person).await.iter().filter(|(told, _)| told == kind).count()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_clocks_say_each_period_of_each_job_is_run_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, setup(march(9, 20, 30))).await;
    let others = others(&app, on).await;
    let team = app.team.clone();
    let rules = [
        transfer_rule(&app, "甲", &team.dispatch, &team.operator).await,
        transfer_rule(&app, "乙", &team.operator, &team.dispatch).await,
    ];
    recycle_rule(&app).await;
    let idle = app.lead_of(&team.admin, &team.employee, 1).await;
    let cared_for = app.lead_of(&team.admin, &team.colleague, 2).await;
    let handed_on = app.lead_of(&team.admin, &team.dispatch, 3).await;
    call_back_at(&app, &cared_for, &team.colleague, march(10, 22, 3)).await;
    let tally = Tally::default();
    let looking = desks(&app, &others, SHANGHAI, &tally).await;

    for hour in [march(10, 21, 0), march(10, 22, 0), march(11, 0, 0), march(11, 3, 0), march(11, 15, 0)] {
        walk_over(&app, &looking, hour).await;
    }
    tally.each_period_once();
    let hours = [(10, 20), (10, 21), (10, 22), (10, 23), (11, 0), (11, 2), (11, 3), (11, 14), (11, 15)];
    let hours = march_hours(&hours);
    assert_eq!(tally.periods(lead_transfer::NAME), hours, "of missed hours the last one, late");
    assert_eq!(tally.periods(RECYCLE), hours);
    assert_eq!(tally.periods(self_check::NAME), march_hours(&[(11, 3)]));
    assert_eq!(
        facts(&app, &cared_for, "FollowUpDue", |fact| fact["to"].clone()).await,
        [json!(team.colleague.id)]
    );
    assert_eq!(told(&app, &team.colleague, "CUSTOMER_FOLLOW_UP_DUE").await, 1);
    let offsets = facts(&app, &idle, "RecycleWarned", |fact| fact["offset_hours"].clone()).await;
    assert_eq!(offsets, [json!(24), json!(6)], "each warning once");
    assert_eq!(told(&app, &team.employee, "CUSTOMER_RECYCLE_WARNING").await, 2);

    // The service moves to Kathmandu at twenty past: what was run stays run, and the quarter past was no period.
    until(&app, march(11, 15, 20));
    let moved = desks(&app, &others, KATHMANDU, &tally).await;
    join_all(moved.iter().map(Desk::look)).await;
    assert_eq!(tally.periods(lead_transfer::NAME), hours, "the next moment of the new grid is next");
    walk_over(&app, &moved, march(11, 16, 15)).await;
    walk_over(&app, &moved, march(11, 21, 15)).await;
    tally.each_period_once();
    let quarters = [march(11, 16, 15), march(11, 20, 15), march(11, 21, 15)];
    assert_eq!(tally.periods(lead_transfer::NAME), [&hours[..], &quarters].concat());
    assert_eq!(facts(&app, &idle, "CustomerRecycled", |fact| fact["from"].clone()).await.len(), 1);
    assert_eq!(told(&app, &team.employee, "CUSTOMER_RECLAIMED").await, 1);

    // A run of each rule for each of these periods.
    let runs = runs(&app).await;
    let periods = tally.periods(lead_transfer::NAME);
    assert_eq!(runs.len(), rules.len() * periods.len(), "{runs:?}");
    assert!(runs.values().all(|began| *began == 1), "{runs:?}");
    assert_eq!(app.events_named("TransferRunCompleted", 0).await.len(), runs.len());
    // The lead that they hand back and forth moved at most once in an hour.
    let moves = facts(&app, &handed_on, "CustomerTransferred", |fact| fact["at"].clone()).await;
    let hours: BTreeSet<String> = moves.iter().map(|at| at.to_string().chars().take(14).collect()).collect();
    assert!(moves.len() > 2 && hours.len() == moves.len(), "{moves:?}");
    for node in others {
        node.stop().await;
    }
    app.finish().await;
}

/// The same without anybody's hand: three processes as they are, on one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_with_wrong_clocks_run_each_hour_once() {
    let more = vec![("LEADWIRE_AUTH__TOKEN_SECONDS", "2592000".to_owned())];
    let at = Some(march(9, 21, 50));
    let setup = Setup { wechat: Wechat::Unconfigured, more, stands_at: at, ..Setup::default() };
    let app = TestApp::start_with(Postgres, setup).await;
    let others = others(&app, Postgres).await;
    let team = app.team.clone();
    let rule = transfer_rule(&app, "甲", &team.employee, &team.dispatch).await;
    recycle_rule(&app).await;
    let idle = app.lead_of(&team.admin, &team.colleague, 1).await;
    let mut leads = vec![];
    for n in 0..3 {
        leads.push(app.lead_of(&team.admin, &team.employee, 10 + n).await);
    }
    app.settle().await;
    // Over midnight; then the day of the warning, then the one on which it falls.
    let hours = march_hours(&[(9, 22), (9, 23), (10, 0), (10, 22), (11, 22)]);
    for hour in &hours {
        // The one that is ahead is over the hour, then everybody is.
        for minutes in [-4, 6] {
            until(&app, *hour + TimeDelta::minutes(minutes));
            for name in [lead_transfer::NAME, RECYCLE, FOLLOW_UP_DUE] {
                let job = eventually("the hour was run", async || {
                    let job = named(&app, name).await;
                    let period: DateTime<Utc> = job["last"]["period"].as_str()?.parse().ok()?;
                    (job["state"] == "waiting" && period >= *hour).then_some(job)
                })
                .await;
                assert_eq!((&job["last"]["succeeded"], &job["attempt"]), (&json!(true), &json!(1)));
            }
        }
        app.settle().await;
    }
    let runs = runs(&app).await;
    let periods: Vec<DateTime<Utc>> = runs.keys().map(|(_, at)| at.parse().expect("a moment")).collect();
    // Whoever is behind may make up for the hour before one of these.
    assert!(hours.iter().all(|hour| periods.contains(hour)), "{periods:?}");
    assert!(runs.iter().all(|((of, _), began)| *of == rule && *began == 1), "{runs:?}");
    assert_eq!(app.events_named("TransferRunCompleted", 0).await.len(), runs.len());
    for lead in &leads {
        assert_eq!(facts(&app, lead, "CustomerTransferred", |fact| fact["to"].clone()).await.len(), 1);
    }
    assert_eq!(told(&app, &team.employee, "LEAD_AUTO_TRANSFER_OUT").await, 1, "one summary");
    let offsets = facts(&app, &idle, "RecycleWarned", |fact| fact["offset_hours"].clone()).await;
    assert_eq!(offsets, [json!(24)], "at six hours before nobody was awake");
    assert_eq!(facts(&app, &idle, "CustomerRecycled", |fact| fact["from"].clone()).await.len(), 1);
    for node in others {
        node.stop().await;
    }
    app.finish().await;
}
