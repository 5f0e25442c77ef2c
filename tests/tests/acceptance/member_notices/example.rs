//! The example of docs/member-sources.md, as it stands there: a row by the `mariadb` client, and the card of the staff.

use std::io::Write as _;
use std::process::{Command, Stdio};

use application::intake::Engine;
use domain::notification::Channel;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use tests::sources::SourceDatabase;
use url::Url;

use super::{cards, people, set};

const PAGE: &str = include_str!("../../../../docs/member-sources.md");

/// What stands on the page between these two lines, behind the heading of the example.
fn shown(begin: &str, end: &str) -> &'static str {
    let example = PAGE.split_once("## A row, and what the staff reads\n").expect("the example").1;
    let rest = example.split_once(begin).expect("its beginning").1;
    rest.split_once(end).expect("its end").0
}

/// Runs statements with the program that every MariaDB comes with.
fn mariadb(url: &str, statements: &str) {
    let url = Url::parse(url).expect("an address");
    let mut client = Command::new("mariadb")
        .args(["--protocol=TCP", "--default-character-set=utf8mb4", "--user", url.username()])
        .args(["--host", url.host_str().expect("a host"), "--port", &url.port().expect("a port").to_string()])
        .arg(url.path().trim_start_matches('/'))
        .stdin(Stdio::piped())
        .spawn()
        .expect("the program `mariadb` (Debian: mariadb-client) is on the search path");
    let mut input = client.stdin.take().expect("its input");
    input.write_all(statements.as_bytes()).expect("it takes the statements");
    drop(input);
    assert!(client.wait().expect("it ends").success(), "{statements}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_what_the_staff_receives(#[values(Sqlite, Postgres)] on: Backend) {
    let database = SourceDatabase::create(Engine::Mysql).await;
    database.installed().await;
    let mut setup = Setup::through(&[Channel::WecomApp]);
    setup.more.push(("LEADWIRE_INTAKE__CRM__URL", database.url().to_owned()));
    let app = TestApp::start_with(on, setup).await;
    set(&app, &json!({ "notification_recipients": people(&app) })).await;

    mariadb(database.url(), shown("<<'SQL'\n", "SQL\n"));
    app.drain().await;
    app.settle().await;

    for person in [&app.team.manager, &app.team.operator] {
        let got = cards(&app, person);
        let [card] = got.as_slice() else { panic!("{} cards", got.len()) };
        let (_, lines) = card.data["description"].split_once("<div class=\"normal\">").expect("its lines");
        let lines = lines.trim_end_matches("</div>").replace("<br>", "\n");
        assert_eq!(format!("{}\n{lines}\n", card.data["title"]), shown("```text\n", "```"));
    }
    app.finish().await;
}
