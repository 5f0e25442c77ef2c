//! Ten thousand leads for one person (F16): one message, and everybody else is told meanwhile.

use chrono::TimeDelta;
use domain::StreamId;
use domain::notification::Channel;
use domain::notification::DeliveryState::{Accepted, Merged};
use rstest::rstest;
use rust_xlsxwriter::Workbook;
use serde_json::json;
use tests::kit::{Setup, TestApp, eventually, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::super::imports::upload;

const ROWS: usize = 10_000;

/// Leads that others are given while the file comes in.
const OTHERS: usize = 10;

/// The id of the lead whose stream this is.
fn id_of(stream: &StreamId) -> String {
    stream.as_str().trim_start_matches("customer-").to_owned()
}

fn file(owner: &str) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, title) in (0..).zip(["姓名", "电话", "线索来源", "负责人"]) {
        sheet.write_string(0, column, title).expect("a title");
    }
    for n in 1..=ROWS {
        let cells = [format!("客户{n}"), phone(n), "抖音".to_owned(), owner.to_owned()];
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(u32::try_from(n).expect("a row"), column, cell).expect("a cell");
        }
    }
    book.save_to_buffer().expect("a file")
}

/// Gives a colleague leads one after the other: each is told before the next one is given, whatever else goes on.
async fn others_are_told(app: &TestApp) {
    let colleague = &app.team.colleague;
    for n in 0..OTHERS {
        app.lead_of(&app.team.operator, colleague, ROWS + 1 + n).await;
        eventually("a colleague is told", async || {
            (app.received(colleague, Channel::WecomApp).len() == n + 1).then_some(())
        })
        .await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_leads_are_one_message_and_hold_nobody_up(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let team = app.team.clone();
    let file = file("employee");
    let import = async {
        let reply = upload(&app, &team.manager, &file).key("crowd").send().await;
        assert_eq!(reply.data()["success"], ROWS, "{:?}", reply.data()["errors"]);
    };
    tokio::join!(import, others_are_told(&app));
    app.settle().await;
    let rows = app.sendings_through(&team.employee, Channel::WecomApp).await;
    assert_eq!(rows.len(), 1, "one summary: {rows:?}");
    assert_eq!(rows[0].state, Accepted);
    let received = app.received(&team.employee, Channel::WecomApp);
    assert_eq!(received.len(), 1);
    let says_how_many = received[0].data.values().any(|words| words.contains(&ROWS.to_string()));
    assert!(says_how_many, "{received:?}");
    assert_eq!(app.told(&team.employee).await.len(), 1);
    app.is_reconciled().await;
    app.finish().await;
}

/// Leads of one call of `batch-assign`, the most it takes.
const CALL: usize = 1_000;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_leads_in_ten_batches_are_one_digest_and_hold_nobody_up(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let team = app.team.clone();
    // They belong to whoever brings the file in, and the inbox of that person is not what this is about.
    let reply = upload(&app, &team.manager, &file("manager")).key("crowd").send().await;
    assert_eq!(reply.data()["success"], ROWS, "{:?}", reply.data()["errors"]);
    app.settle().await;
    let created = app.events_named("CustomerCreated", 0).await;
    let leads: Vec<String> = created.iter().map(|event| id_of(&event.stream)).collect();
    assert_eq!(leads.len(), ROWS);

    let collect = json!({
        "rules": [{ "type": "CUSTOMER_ASSIGNED", "mode": "digest" }], "digest": { "kind": "daily", "at": "09:00" },
    });
    let reply = app.put("/api/notifications/preferences", &collect).by(&team.employee).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    app.settle().await;
    let batches = async {
        for ids in leads.chunks(CALL) {
            let batch = json!({ "customerIds": ids, "assignedTo": team.employee.id });
            let reply = app.post("/api/customers/batch-assign", &batch).by(&team.admin).send().await;
            assert_eq!(reply.data()["success"], CALL, "{:?}", reply.data()["errors"]);
        }
    };
    tokio::join!(batches, others_are_told(&app));
    app.settle().await;
    assert_eq!(app.received(&team.employee, Channel::WecomApp).len(), 0, "tomorrow");
    app.advance(TimeDelta::hours(25));
    eventually("the digest comes", async || {
        (!app.received(&team.employee, Channel::WecomApp).is_empty()).then_some(())
    })
    .await;
    app.settle().await;
    assert_eq!(app.received(&team.employee, Channel::WecomApp).len(), 1, "one message for everything");
    let rows = app.deliveries(&team.employee, Some(Channel::WecomApp)).await;
    let merged = rows.iter().filter(|row| row.state == Merged && row.merged_into.is_some()).count();
    assert_eq!(merged, ROWS / CALL, "each summary points to it");
    app.is_reconciled().await;
    app.finish().await;
}
