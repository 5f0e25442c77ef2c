//! The members, and the two ways by which they come.

use anyhow::Result;
use application::imports::{Cell, Sheet, SheetRow};
use application::intake::{check_file, import_file};
use application::ports::Clock as _;
use infrastructure::unique_values::StoredValues;
use leadwire::app::App;
use tests::kit::MovingClock;
use tests::sources::SourceDatabase;

use super::Moment;

/// Rows of one statement.
const ROWS_PER_INSERT: usize = 500;

/// What the file calls its columns.
const HEADER: [&str; 8] = ["会员编号", "昵称", "微信号", "手机号", "性别", "出生年份", "学历", "城市"];

/// What the table calls them.
const COLUMNS: &str = "member_no, nickname, wechat, phone, gender, birth_year, education, city";

/// The n-th member.
fn member(n: usize) -> [String; 8] {
    [
        format!("M{n}"),
        format!("会员{n}"),
        format!("wx{n}"),
        format!("139{n:08}"),
        if n.is_multiple_of(2) { "female" } else { "male" }.to_owned(),
        format!("{}", 1970 + n % 30),
        "BACHELOR".to_owned(),
        "杭州市".to_owned(),
    ]
}

/// Somebody else's program writes them in one transaction; the moment before its commit.
pub(crate) async fn into_table(source: &SourceDatabase, rows: usize, clock: &MovingClock) -> Result<Moment> {
    let mut somebody = source.session().await;
    somebody.run("BEGIN").await;
    let numbers: Vec<usize> = (1..=rows).collect();
    for some in numbers.chunks(ROWS_PER_INSERT) {
        let values: Vec<String> = some.iter().map(|n| format!("('{}')", member(*n).join("', '"))).collect();
        somebody.run(&format!("INSERT INTO members ({COLUMNS}) VALUES {}", values.join(", "))).await;
    }
    let began = clock.now();
    somebody.run("COMMIT").await;
    Ok(began)
}

/// A file brings them; the moment at which it was read.
pub(crate) async fn from_file(app: &App, rows: usize, clock: &MovingClock) -> Result<Moment> {
    let cells = |texts: &[String]| texts.iter().cloned().map(Cell::Text).collect::<Vec<_>>();
    let header = cells(&HEADER.map(str::to_owned));
    let numbered = (1..=rows).zip(2..).map(|(n, number)| SheetRow { number, cells: cells(&member(n)) });
    let checked = check_file(&Sheet { header, rows: numbered.collect() }, "bench")?;
    anyhow::ensure!(checked.faults.is_empty(), "{:?}", checked.faults.first());
    let unique = StoredValues::new(app.db.clone());
    let began = clock.now();
    let done = import_file(&app.bus, &unique, clock, "bench", &checked.rows, &|_| {}).await?;
    anyhow::ensure!(done.registered == u64::try_from(rows)?, "{done:?}");
    Ok(began)
}
