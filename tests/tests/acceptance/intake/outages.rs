//! A source that is away for a while, and our own database: everything arrives afterwards, in order.

use application::intake::Engine;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{TestApp, eventually};
use tests::scratch::Backend::{Postgres, Sqlite};
use tests::sources::{Line, SourceDatabase};

use super::{SOURCE, about_members, changed, draining, until_told};

/// Waits until the list of sources says that ours is away; what it shows.
async fn until_seen_away(app: &TestApp) -> Value {
    eventually("somebody can see that it is away", async || {
        let reply = app.get("/api/intake/sources").by(&app.team.admin).send().await;
        let source = reply.data()[0].clone();
        source["failure"].is_string().then_some(source)
    })
    .await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_away_is_waited_for(#[values(Engine::Mysql, Engine::Postgres)] engine: Engine) {
    let database = SourceDatabase::create(engine).await;
    database.installed().await;
    let (url, line) = database.behind_a_line().await;
    let app = TestApp::start_with(Sqlite, draining(&url, &Role::ALL)).await;
    let mut somebody = database.session().await;
    somebody.insert(1, "ACTIVE").await;
    until_told(&app, 1, &["MemberRegistered"]).await;

    line.cut();
    for city in ["杭州", "上海"] {
        somebody.run(&format!("UPDATE members SET city = '{city}' WHERE member_no = 'M1'")).await;
    }
    somebody.insert(2, "ACTIVE").await;
    let failure = until_seen_away(&app).await;
    assert_eq!((&failure["source"], &failure["table"]), (&json!(SOURCE), &json!("members")));
    assert_eq!(app.get("/health/ready").send().await.status, 200, "the service works all the same");

    line.mend();
    until_told(&app, 1, &["MemberRegistered", "MemberUpdated"]).await;
    until_told(&app, 2, &["MemberRegistered"]).await;
    let events = about_members(&app).await;
    let update = events.iter().find(|event| event.event_type == "MemberUpdated").expect("an update");
    assert_eq!(changed(update), [(json!("city"), json!("上海"))], "what it is now");
    app.finish().await;
}

/// A program has the file to itself for longer than the worker waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_somebody_keeps_is_waited_for() {
    let database = SourceDatabase::create(Engine::Sqlite).await;
    let source = database.installed().await;
    let app = TestApp::start_with(Sqlite, draining(database.url(), &Role::ALL)).await;
    let mut somebody = database.session().await;
    somebody.insert(1, "ACTIVE").await;
    until_told(&app, 1, &["MemberRegistered"]).await;

    somebody.run("BEGIN EXCLUSIVE").await;
    somebody.insert(2, "ACTIVE").await;
    somebody.run("UPDATE members SET city = '杭州' WHERE member_no = 'M1'").await;
    let failure = until_seen_away(&app).await;
    assert!(failure["failure"].as_str().expect("words").contains("locked"), "{failure}");

    somebody.run("COMMIT").await;
    until_told(&app, 1, &["MemberRegistered", "MemberUpdated"]).await;
    until_told(&app, 2, &["MemberRegistered"]).await;
    let backlog = source.backlog().await.expect("a backlog");
    assert_eq!((backlog.waiting, backlog.parked), (0, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_captured_while_our_own_database_is_away_waits_in_the_source() {
    let database = SourceDatabase::create(Engine::Sqlite).await;
    let source = database.installed().await;
    let app = TestApp::start_with(Postgres, draining(database.url(), &[Role::Api])).await;
    let (url, line) = Line::to(app.database_url()).await;
    let worker = app.second_with("LEADWIRE_DATABASE__URL", &url).await;
    let mut somebody = database.session().await;
    somebody.insert(1, "ACTIVE").await;
    until_told(&app, 1, &["MemberRegistered"]).await;

    line.cut();
    somebody.run("UPDATE members SET status = 'INACTIVE'").await;
    somebody.run("UPDATE members SET status = 'ACTIVE', city = '杭州'").await;
    somebody.insert(2, "ACTIVE").await;
    assert_eq!(source.backlog().await.expect("a backlog").waiting, 3);
    assert_eq!(about_members(&app).await.len(), 1);

    line.mend();
    until_told(&app, 1, &["MemberRegistered", "MemberUpdated"]).await;
    until_told(&app, 2, &["MemberRegistered"]).await;
    eventually("nothing waits", async || {
        (source.backlog().await.expect("a backlog").waiting == 0).then_some(())
    })
    .await;
    assert_eq!(source.backlog().await.expect("a backlog").parked, 0);
    app.settle().await;
    worker.stop().await;
    let last = app.second().await;
    app.settle().await;
    last.stop().await;
    app.finish().await;
}
