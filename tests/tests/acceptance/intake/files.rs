//! `leadwire intake import`: the members of a file, what is said of its bad rows, and what the staff reads of the others.

use std::path::PathBuf;

use rstest::rstest;
use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};
use tests::kit::{CommandLine, Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::super::member_notices::AFTER_DIGEST;
use super::{about_members, number_on, telling, told};

/// So many cards leave by themselves.
const ALONE: usize = 3;

/// A file with a column that means nothing here, and rows 3, 4 and 6 that cannot be taken in.
const MEMBERS: &str = "会员编号,手机号,昵称,出生年份,颜色
F1,13812340001,小明,1990,红
F2,13812340002,小红,neunzig,
F3,13812340001,小刚,1991,
F4,13812340004,小李,1992,
,,无名,,
";

/// The same after somebody repaired it.
const REPAIRED: &str = "会员编号,手机号,昵称,出生年份
F1,13812340001,小明,1990
F2,13812340002,小红,1990
F3,13812340003,小刚,1991
F4,13812340004,小李,1992
";

/// Rows of the sheet.
const SHEET: [(&str, &str, f64); 4] = [
    ("F5", "13812340005", 1985.0),
    ("F6", "13812340006", 1986.0),
    ("F7", "13812340007", 1987.0),
    ("F8", "13812340008", 1988.0),
];

/// Commands that write run beside the service on PostgreSQL; on SQLite it is stopped first.
async fn beside<T>(app: &mut TestApp, on: Backend, work: impl AsyncFnOnce(&CommandLine) -> T) -> T {
    match on {
        Sqlite => Box::pin(app.while_stopped(work)).await, // a whole service starts in it
        Postgres => work(&app.command_line().await).await,
    }
}

fn written(line: &CommandLine, name: &str, bytes: &[u8]) -> String {
    let path: PathBuf = line.folder().join(name);
    std::fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

fn sheet() -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, title) in (0..).zip(["member_no", "phone", "birth_year"]) {
        sheet.write_string(0, column, title).expect("a title");
    }
    for (row, (number, phone, year)) in (1..).zip(SHEET) {
        sheet.write_string(row, 0, number).expect("a cell");
        sheet.write_string(row, 1, phone).expect("a cell");
        sheet.write_number(row, 2, year).expect("a cell");
    }
    book.save_to_buffer().expect("a file")
}

/// Runs an import that leaves rows out; what it says for machines.
async fn partly(line: &CommandLine, file: &str) -> Value {
    let printed = line.run(&["intake", "import", file, "--json"]).await;
    assert_eq!(printed.code, 1, "rows were refused: {printed:?}");
    serde_json::from_str(&printed.out).expect("JSON")
}

/// Where the faults are.
fn places(said: &Value) -> Vec<(u64, &str)> {
    let faults = said["faults"].as_array().expect("faults").iter();
    faults
        .map(|one| (one["row"].as_u64().expect("a row"), one["column"].as_str().expect("a column")))
        .collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_rows_are_registered_and_bad_ones_named_and_the_staff_hears_of_each_member_once(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let (mut app, reader) = telling(on, Setup::default(), ALONE).await;

    let line = app.command_line().await;
    let file = written(&line, "members.csv", MEMBERS.as_bytes());
    let tried = line.run(&["intake", "import", &file, "--dry-run"]).await;
    assert_eq!(tried.out, "2 rows can be taken in, 3 cannot; nothing was written.\n", "{tried:?}");
    if on == Sqlite {
        let busy = line.refused(1, &["intake", "import", &file]).await;
        assert!(busy.contains("Stop the service"), "{busy}");
    }
    assert!(about_members(&app).await.is_empty());

    let (first, again) = beside(&mut app, on, async |line| {
        (line.run(&["intake", "import", &file]).await, partly(line, &file).await)
    })
    .await;
    assert_eq!(first.code, 1, "rows were refused: {first:?}");
    assert_eq!(first.out, "2 members registered, 0 rows were known, 3 rows were refused.\n");
    for said in ["the column 颜色", "row 3, birth_year: ", "row 4, phone: ", "row 6, phone: "] {
        assert!(first.err.contains(said), "{said}: {first:?}");
    }
    assert!(!first.err.contains("neunzig") && !first.err.contains("1381234"), "{first:?}");
    assert_eq!(
        (&again["registered"], &again["unchanged"], &again["refused"]),
        (&json!(0), &json!(2), &json!(3))
    );
    assert_eq!(places(&again), [(3, "birth_year"), (4, "phone"), (6, "phone")]);
    app.settle().await;
    assert_eq!(about_members(&app).await.len(), 2, "the same file again has no effect");
    let numbers =
        |app: &TestApp| told(app, &reader).iter().map(|(_, card)| number_on(card)).collect::<Vec<_>>();
    let mut cards = numbers(&app);
    cards.sort();
    assert_eq!(cards, ["F1", "F4"]);

    // Whoever is known by now is somebody else's number in another file.
    let line = app.command_line().await;
    let (repaired, book) =
        (written(&line, "repaired.csv", REPAIRED.as_bytes()), written(&line, "more.xlsx", &sheet()));
    let (repaired, fresh, again) = beside(&mut app, on, async |line| {
        let import = ["intake", "import", &book];
        (partly(line, &repaired).await, line.json(&import).await, line.done(&import).await)
    })
    .await;
    assert_eq!(repaired["registered"], json!(2), "{repaired}");
    assert_eq!(places(&repaired), [(2, "member_no"), (5, "member_no")]);
    let expected =
        json!({ "dryRun": false, "good": 4, "registered": 4, "unchanged": 0, "refused": 0, "faults": [] });
    assert_eq!(fresh, expected);
    assert_eq!(again, "0 members registered, 4 rows were known, 0 rows were refused.\n");
    app.settle().await;
    let events = about_members(&app).await;
    assert_eq!(events.len(), 8);
    assert!(events.iter().all(|event| event.payload["fields"]["status"] == "ACTIVE"), "{events:?}");

    // The first of them are told by themselves, the others as one.
    assert_eq!(numbers(&app).len(), ALONE);
    app.advance(AFTER_DIGEST);
    app.settle().await;
    let cards = told(&app, &reader);
    assert_eq!(cards.len(), ALONE + 1, "{cards:?}");
    let (title, digest) = &cards[ALONE];
    assert!(title == "📋 会员通知汇总" && digest.contains("共 5 条会员通知"), "{title}: {digest}");
    app.is_reconciled().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_none_says_what_to_do() {
    let app = TestApp::start(Sqlite).await;
    let line = app.command_line().await;
    let nobody = written(&line, "nobody.csv", "昵称,城市\n小明,杭州\n".as_bytes());
    let damaged = written(&line, "damaged.xlsx", b"PK\x03\x04 and nothing behind it");
    for (file, expected) in [
        ("missing.csv", "cannot be read"),
        (nobody.as_str(), "the header needs one of member_no (会员编号), phone (手机号) and wechat (微信号)"),
        (damaged.as_str(), "damaged.xlsx: "),
    ] {
        let said = line.refused(1, &["intake", "import", file, "--dry-run"]).await;
        assert!(said.contains(expected), "{file}: {said}");
    }
    assert!(about_members(&app).await.is_empty());
    app.finish().await;
}
