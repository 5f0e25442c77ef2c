//! Customers brought in a file: every row judged, the good ones in, each owner told once, whatever dies on the way.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use application::bus::{CommandBus as _, CommandContext, CountKind, ExecuteError, GuardKind, LoadError};
use application::imports::{
    ABANDONED_AFTER, CHUNK_ROWS, Cell, Import, ImportRefusal, Imported, Owners, Sheet, SheetRow, Stores,
    UniqueValues, check, run,
};
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{Actor, BatchId, CommandId, Metadata, StreamId};
use infrastructure::unique_values::StoredValues;
use leadwire::lifecycle::imports::close_abandoned;
use rstest::rstest;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};
use tests::kit::{Call, Node, Person, TestApp, eventually, log, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const HEADER: [&str; 4] = ["姓名", "电话", "线索来源", "负责人"];

const BOUNDARY: &str = "----leadwire-story";

/// Rows of the large file, and every which of them is bad.
const ROWS: usize = 10_000;
const BAD_EVERY: usize = 100;

pub(super) fn upload<'n>(node: &'n Node, by: &Person, file: &[u8]) -> Call<'n> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"leads.xlsx\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let form = [head.as_bytes(), file, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    node.post("/api/customers/import-excel", &Value::Null).by(by).bytes(&kind, form)
}

/// The n-th row of the large file, from 1, and what is said of it when it is bad.
fn row(n: usize, owner: &str) -> ([String; 4], Option<&'static str>) {
    let good = [format!("客户{n}"), phone(n), "抖音".to_owned(), owner.to_owned()];
    if !n.is_multiple_of(BAD_EVERY) {
        return (good, None);
    }
    let [name, number, source, owner] = good;
    match n / BAD_EVERY % 4 {
        0 => ([String::new(), number, source, owner], Some("MISSING_REQUIRED")),
        1 => ([name, "12345".to_owned(), source, owner], Some("VALIDATION_FAILED")),
        2 => ([name, phone(n - 1), source, owner], Some("DUPLICATE_IN_FILE")),
        _ => ([name, number, source, "谁也不是".to_owned()], Some("STAFF_NOT_FOUND")),
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rows_with_a_hundred_bad_ones(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let known = app.own_lead(&team.manager, 1).await;
    app.settle().await;
    let (before, told) = (app.head().await, app.told(&team.employee).await.len());

    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, title) in (0..).zip(HEADER) {
        sheet.write_string(0, column, title).expect("a title");
    }
    let mut expected = vec![(2, "DUPLICATE_PHONE")]; // the manager's own lead has the first row's phone
    for n in 1..=ROWS {
        // Every second row is the employee's, the rest the importer's.
        let (cells, bad) = row(n, if n.is_multiple_of(2) { "employee" } else { "" });
        let number = u32::try_from(n).expect("a row");
        expected.extend(bad.map(|code| (number + 1, code)));
        for (column, cell) in (0..).zip(cells) {
            sheet.write_string(number, column, cell).expect("a cell");
        }
    }
    let file = book.save_to_buffer().expect("a file");

    let reply = upload(&app, &team.manager, &file).key("large").send().await;
    let created = ROWS - expected.len();
    assert_eq!(reply.data()["success"], created);
    assert_eq!(reply.data()["fail"], expected.len());
    let rows = reply.data()["rows"].as_array().expect("rows");
    let rows: Vec<_> = rows.iter().map(|row| (row["row"].as_u64(), row["code"].as_str())).collect();
    let exact: Vec<_> = expected.iter().map(|(row, code)| (Some(u64::from(*row)), Some(*code))).collect();
    assert_eq!(rows, exact);
    assert_eq!(reply.data()["errors"][1], "第 101 行导入失败: 请输入有效的中国手机号码");

    app.settle().await;
    let of_import = app.events_named("CustomerCreated", before).await;
    assert_eq!(of_import.len(), created);
    let numbers: HashSet<_> = of_import.iter().map(|event| event.payload["number"].to_string()).collect();
    assert_eq!(numbers.len(), created, "each with a number of its own");
    assert_eq!(app.events_named("ImportChunkStored", before).await.len(), ROWS.div_ceil(CHUNK_ROWS));
    let completed = app.events_named("ImportCompleted", before).await;
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].payload["created"].as_array().map(Vec::len), Some(created));
    for (person, others) in [(&team.manager, 1), (&team.employee, 0)] {
        let list =
            app.get(&format!("/api/customers?limit=1&assignedTo={}", person.id)).by(&team.admin).send().await;
        let owned =
            app.app().bus.count(CountKind::OwnedLeads, &person.id.to_string()).await.expect("a count");
        assert_eq!(list.data()["total"], owned, "what is counted is what is owned");
        let from_file = completed[0].payload["created"].as_array().expect("leads");
        let from_file = from_file.iter().filter(|lead| lead["owner"] == json!(person.id)).count();
        assert_eq!(owned, i64::try_from(from_file + others).expect("a count"));
    }
    assert_eq!(app.told(&team.employee).await.len(), told + 1, "one summary for all of them");
    let repeated = upload(&app, &team.manager, &file).key("large").send().await;
    assert!(repeated.is_replay());
    assert_eq!(repeated.data(), reply.data());
    assert_eq!(app.events_named("CustomerCreated", before).await.len(), created);
    assert_eq!(log::types(&app.history(&known).await).len(), 2, "the known lead stayed as it was");
    app.finish().await;
}

/// The store of a process that dies after so many chunks: each asks once, for its phones.
struct Dying {
    values: StoredValues,
    chunks_left: AtomicUsize,
}

#[async_trait]
impl UniqueValues for Dying {
    async fn held(&self, kind: GuardKind, keys: &[String]) -> Result<HashSet<String>, LoadError> {
        let alive = |left: usize| left.checked_sub(1);
        if self.chunks_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, alive).is_err() {
            return Err(LoadError::Unavailable("killed".to_owned()));
        }
        self.values.held(kind, keys).await
    }
}

/// A request with a key, as the front door builds its context.
fn keyed(app: &TestApp, by: &Person, key: &str) -> CommandContext {
    let command = CommandId::from_key(&by.id.to_string(), key);
    let metadata =
        Metadata { command, correlation: key.to_owned(), causation: None, actor: Actor::Staff(by.id) };
    CommandContext { metadata, at: app.now(), fingerprint: Some("the file".to_owned()) }
}

/// Imports `rows` leads, with a process that dies after `chunks` chunks.
async fn import(
    app: &TestApp,
    by: &Person,
    context: &CommandContext,
    rows: usize,
    chunks: usize,
) -> Result<Imported, ExecuteError<ImportRefusal>> {
    let text = |text: &str| Cell::Text(text.to_owned());
    let header = HEADER.map(text).to_vec();
    let row = |n: usize| SheetRow {
        number: u32::try_from(n + 1).expect("a row"),
        cells: [format!("客户{n}"), phone(n), "抖音".to_owned()].iter().map(|cell| text(cell)).collect(),
    };
    let good = check(Sheet { header, rows: (1..=rows).map(row).collect() }).expect("columns").good;
    let account = application::access::Caller {
        id: by.id,
        username: by.username.clone(),
        name: by.name.clone(),
        role: by.role,
    };
    let rows = Owners::default().place(&account, good);
    let process = app.app();
    let unique = Dying { values: StoredValues::new(process.db.clone()), chunks_left: chunks.into() };
    let (numbers, ids) = (process.numbers.as_ref(), process.ids.as_ref());
    let stores = Stores { bus: &process.bus, unique: &unique, numbers, ids };
    run(&stores, &account, context, &Import { batch: BatchId(context.metadata.command.0), rows }).await
}

/// Rows of an import that is cut off: three chunks and a bit.
const CUT_OFF: usize = 3 * CHUNK_ROWS + 7;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_whose_process_died_ends_once_and_its_owner_is_told(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let employee = app.team.employee.clone();
    let context = keyed(&app, &employee, "cut off");
    let died = import(&app, &employee, &context, CUT_OFF, 2).await;
    assert!(matches!(died, Err(ExecuteError::Load(LoadError::Unavailable(_)))), "{died:?}");
    app.settle().await;
    assert_eq!(app.events_named("CustomerCreated", 0).await.len(), 2 * CHUNK_ROWS);
    assert_eq!(close_abandoned(app.app()).await.expect("a look"), 0, "it may still live");
    assert_eq!(app.told(&employee).await.len(), 0, "nobody knows yet");

    app.advance(ABANDONED_AFTER + TimeDelta::seconds(1));
    // Two look at once, beside the one that looks by itself.
    let (one, two) = tokio::join!(close_abandoned(app.app()), close_abandoned(app.app()));
    assert!(one.is_ok() && two.is_ok());
    eventually("the import ends", async || {
        (app.events_named("ImportCompleted", 0).await.len() == 1).then_some(())
    })
    .await;
    app.settle().await;
    let completed = app.events_named("ImportCompleted", 0).await;
    assert_eq!(completed.len(), 1);
    assert_eq!(completed[0].payload["created"].as_array().map(Vec::len), Some(2 * CHUNK_ROWS));
    assert_eq!(completed[0].payload["by"], json!({ "kind": "staff", "id": employee.id }));
    assert_eq!(app.told(&employee).await.len(), 1, "one summary of what went in");
    assert_eq!(close_abandoned(app.app()).await.expect("a look"), 0);

    // The upload comes again after all: what went in is not created twice, the rest is told row by row.
    let again = import(&app, &employee, &context, CUT_OFF, usize::MAX).await.expect("an answer");
    assert_eq!(again.created, 2 * CHUNK_ROWS);
    let left: Vec<_> = again.refused.iter().map(|error| (error.row, error.refusal.code())).collect();
    let expected: Vec<_> = (2 * CHUNK_ROWS + 1..=CUT_OFF)
        .map(|n| (u32::try_from(n + 1).expect("a row"), "INTERRUPTED"))
        .collect();
    assert_eq!(left, expected);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_upload_carries_on_where_it_was_cut_off(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let employee = app.team.employee.clone();
    let context = keyed(&app, &employee, "carried on");
    import(&app, &employee, &context, CUT_OFF, 1).await.expect_err("the process died");
    let whole = import(&app, &employee, &context, CUT_OFF, usize::MAX).await.expect("the rest");
    assert_eq!((whole.created, whole.refused.len(), whole.replayed), (CUT_OFF, 0, false));
    let again = import(&app, &employee, &context, CUT_OFF, usize::MAX).await.expect("the same answer");
    assert_eq!(again, Imported { replayed: true, ..whole });
    let batch = app.events(&StreamId::from(BatchId(context.metadata.command.0))).await;
    let chunks = vec!["ImportChunkStored"; 4];
    assert_eq!(log::types(&batch), [vec!["ImportStarted"], chunks, vec!["ImportCompleted"]].concat());
    app.settle().await;
    assert_eq!(app.told(&employee).await.len(), 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_of_the_same_phones_at_the_same_time_share_them(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let (one, two) = (app.team.employee.clone(), app.team.colleague.clone());
    let contexts = [keyed(&app, &one, "k"), keyed(&app, &two, "k"), keyed(&app, &one, "k")];
    let rows = CHUNK_ROWS + 20;
    let (first, second, twin) = tokio::join!(
        import(&app, &one, &contexts[0], rows, usize::MAX),
        import(&app, &two, &contexts[1], rows, usize::MAX),
        import(&app, &one, &contexts[2], rows, usize::MAX),
    );
    let [first, second, twin] = [first, second, twin].map(|imported| imported.expect("an answer"));
    assert_eq!((first.created, &first.refused), (twin.created, &twin.refused), "one key, one answer");
    assert_eq!(first.created + second.created, rows, "every phone is somebody's");
    let taken = first.refused.iter().chain(&second.refused);
    let codes: BTreeSet<_> = taken.map(|error| error.refusal.code()).collect();
    assert_eq!(codes, BTreeSet::from(["DUPLICATE_PHONE"]));
    app.settle().await;
    assert_eq!(app.events_named("CustomerCreated", 0).await.len(), rows);
    assert_eq!(app.events_named("ImportCompleted", 0).await.len(), 2);
    app.finish().await;
}
