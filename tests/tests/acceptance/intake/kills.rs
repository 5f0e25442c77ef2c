//! A thousand rows from two connections while the program that works on them is killed twice: a thousand members, once
//! each, and one message about each of them (member-intake.md section 4).
//!
//! What is killed is the real `leadwire serve`, with everything that it does: draining, deciding, sending. Afterwards a
//! service in this process takes over, because `WeCom` brings nobody more than thirty messages a minute, and only its clock
//! can be moved through the half hour that this takes.

use std::collections::BTreeMap;
use std::time::Duration;

use application::intake::Engine;
use chrono::TimeDelta;
use futures_util::future::join_all;
use leadwire::wiring::Role;
use rstest::rstest;
use tests::crash::history::Reader;
use tests::kit::{CommandLine, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use tests::sources::{Session, SourceDatabase};
use tokio::time::timeout;
use wechat_simulator::DropReason;

use super::{about_members, draining, number_on, telling};

/// Rows of one connection.
const ROWS: usize = 500;

/// After how many members the first and the second process die.
const DEATHS: [i64; 2] = [200, 600];

/// Messages that `WeCom` brings to one person in a minute.
const PER_MINUTE: usize = 30;

/// A minute, and what the limits are rounded up by.
const NEXT_MINUTE: TimeDelta = TimeDelta::seconds(75);

/// Longer than the longest stretch of a limit. What a process sent right before it died is sent once more and counts
/// twice, so the thousand of an hour may be used up before the last message.
const NEXT_HOUR: TimeDelta = TimeDelta::minutes(61);

/// How long the messages of a minute may take before time passes all the same.
const MESSAGES_TAKE: Duration = Duration::from_secs(10);

async fn write(mut somebody: Session, from: usize) {
    for number in from..from + ROWS {
        somebody.insert(number, "ACTIVE").await;
    }
}

/// Starts the program and kills it, twice.
async fn die(line: &CommandLine, database: &str) {
    for count in DEATHS {
        let process = line.start(&["serve", "--roles", "api,worker"]);
        let reader = tokio::sync::Mutex::new(Reader::open(database).await.expect("the log is read"));
        eventually("so many members are known", async || {
            let known = reader.lock().await.count("MemberRegistered").await.expect("a count");
            (known >= count).then_some(())
        })
        .await;
        process.kill().await;
    }
}

#[rstest]
#[case::mysql_into_postgres(Engine::Mysql, Postgres)]
#[case::postgres_into_sqlite(Engine::Postgres, Sqlite)]
#[case::sqlite_into_sqlite(Engine::Sqlite, Sqlite)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_rows_are_a_thousand_members_and_a_thousand_messages(
    #[case] engine: Engine,
    #[case] own: Backend,
) {
    let database = SourceDatabase::create(engine).await;
    let source = database.installed().await;
    let (mut app, reader) = telling(own, draining(database.url(), &Role::ALL), 0).await;
    app.settle().await;

    let url = app.database_url().to_owned();
    let writers = [database.session().await, database.session().await].into_iter().enumerate();
    let writing = app
        .while_stopped(async |line| {
            let each = writers.map(|(n, somebody)| tokio::spawn(write(somebody, 1 + n * ROWS)));
            let writing: Vec<_> = each.collect();
            die(line, &url).await;
            writing
        })
        .await;
    // On PostgreSQL two of them at once, who never take the same row.
    let second = if own == Postgres { Some(app.second().await) } else { None };
    for written in join_all(writing).await {
        written.expect("every row is written");
    }
    eventually("everybody is known", async || (about_members(&app).await.len() >= 2 * ROWS).then_some(()))
        .await;
    eventually("nothing waits", async || {
        (source.backlog().await.expect("a backlog").waiting == 0).then_some(())
    })
    .await;
    let events = about_members(&app).await;
    let registered = events.iter().map(|event| (event.payload["fields"]["member_no"].as_str(), 1_usize));
    assert_eq!(events.len(), 2 * ROWS, "once each, and nothing else");
    assert_eq!(registered.collect::<BTreeMap<_, _>>().len(), 2 * ROWS);

    until_everybody_is_told(&app, || super::told(&app, &reader).len()).await;
    app.settle().await;
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for (_, card) in super::told(&app, &reader) {
        *told.entry(number_on(&card)).or_default() += 1;
    }
    let once: BTreeMap<String, usize> = (1..=2 * ROWS).map(|number| (format!("M{number}"), 1)).collect();
    assert_eq!(told, once, "one message about each of them");
    let lost = app.wechat().dropped().into_iter().filter(|one| one.reason != DropReason::Duplicate);
    assert_eq!(lost.count(), 0, "and none that WeCom threw away");
    if let Some(second) = second {
        app.settle().await;
        second.stop().await;
    }
    app.is_reconciled().await;
    app.finish().await;
}

/// Lets time pass until there are as many messages as members: a minute after a full one, an hour when something waits for
/// longer.
async fn until_everybody_is_told(app: &TestApp, told: impl Fn() -> usize) {
    let steps = 2 * (2 * ROWS).div_ceil(PER_MINUTE);
    let mut step = NEXT_MINUTE;
    for _ in 0..steps {
        let had = told();
        if had >= 2 * ROWS {
            return;
        }
        app.leap(step);
        let full = (had + PER_MINUTE).min(2 * ROWS);
        let came = timeout(MESSAGES_TAKE, app.wechat().until_received(full)).await;
        step = if came.is_ok() { NEXT_MINUTE } else { NEXT_HOUR };
    }
    panic!("{} of {} messages after {steps} steps", told(), 2 * ROWS);
}
