//! Ten thousand leads for one person (F16): one message, and everybody else is told meanwhile.

use domain::notification::Channel;
use domain::notification::DeliveryState::Accepted;
use rstest::rstest;
use rust_xlsxwriter::Workbook;
use tests::kit::{Setup, TestApp, eventually, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::super::imports::upload;

const ROWS: usize = 10_000;

/// Leads that others are given while the file comes in.
const OTHERS: usize = 10;

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
    let others = async {
        // One after the other: each is told before the next one is given anything, whatever the file does.
        for n in 0..OTHERS {
            app.lead_of(&team.operator, &team.colleague, ROWS + 1 + n).await;
            eventually("a colleague is told", async || {
                (app.received(&team.colleague, Channel::WecomApp).len() == n + 1).then_some(())
            })
            .await;
        }
    };
    tokio::join!(import, others);
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
