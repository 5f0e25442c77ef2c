//! A thousand rows from two connections while the worker is killed twice: a thousand members, once each.

use std::collections::BTreeSet;

use application::intake::Engine;
use futures_util::future::join_all;
use leadwire::wiring::Role;
use rstest::rstest;
use tests::kit::{Node, TestApp, eventually};
use tests::scratch::Backend::Postgres;
use tests::sources::{Session, SourceDatabase};

use super::{about_members, draining};

/// Rows of one connection.
const ROWS: usize = 500;

/// After how many members the first and the second worker die.
const DEATHS: [usize; 2] = [200, 600];

async fn registered(node: &Node) -> usize {
    node.events_named("MemberRegistered", 0).await.len()
}

async fn write(mut somebody: Session, from: usize) {
    for number in from..from + ROWS {
        somebody.insert(number, "ACTIVE").await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_rows_are_a_thousand_members_whoever_dies(
    #[values(Engine::Mysql, Engine::Postgres, Engine::Sqlite)] engine: Engine,
) {
    let database = SourceDatabase::create(engine).await;
    let source = database.installed().await;
    let app = TestApp::start_with(Postgres, draining(database.url(), &[Role::Api])).await;
    let writers = [database.session().await, database.session().await];
    let writing = tokio::spawn(join_all(
        writers.into_iter().enumerate().map(|(n, somebody)| tokio::spawn(write(somebody, 1 + n * ROWS))),
    ));
    for count in DEATHS {
        let doomed = app.doomed().await;
        eventually("so many members are known", async || (registered(&app).await >= count).then_some(()))
            .await;
        doomed.kill();
    }
    // Two of them at once, who never take the same row.
    let heirs = [app.second().await, app.second().await];
    for written in writing.await.expect("they write") {
        written.expect("every row is written");
    }
    eventually("everybody is known", async || (registered(&app).await >= 2 * ROWS).then_some(())).await;
    eventually("nothing waits", async || {
        (source.status().await.expect("a status").waiting == 0).then_some(())
    })
    .await;
    let events = about_members(&app).await;
    assert_eq!(events.len(), 2 * ROWS, "once each, and nothing else");
    let numbers: BTreeSet<String> =
        events.iter().map(|event| event.payload["fields"]["member_no"].to_string()).collect();
    assert_eq!(numbers.len(), 2 * ROWS);
    let [first, second] = heirs;
    first.stop().await;
    app.settle().await;
    second.stop().await;
    let last = app.second().await;
    app.settle().await;
    last.stop().await;
    app.finish().await;
}
