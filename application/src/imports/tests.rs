//! Tables of titles, cells and rows.

use chrono::NaiveDate;
use domain::StaffId;
use domain::customer::{ContractStatus, LeadLevel, LeadSource};
use domain::staff::Role;
use uuid::Uuid;

use super::*;
use crate::access::Caller;

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn texts(cells: &[&str]) -> Vec<Cell> {
    cells.iter().map(|cell| text(cell)).collect()
}

/// A sheet of these titles and rows, from row 2 on.
fn sheet(header: &[&str], rows: &[&[&str]]) -> Sheet {
    let row = |(number, cells): (u32, &&[&str])| SheetRow { number, cells: texts(cells) };
    Sheet { header: texts(header), rows: (2..).zip(rows).map(row).collect() }
}

const REQUIRED: [&str; 3] = ["姓名", "电话", "线索来源"];

/// The one row of a sheet with a good row and one more column.
fn with(title: &str, cell: Cell) -> Result<GoodRow, RowError> {
    let mut cells = texts(&["王女士", "13812345678", "抖音"]);
    cells.push(cell);
    let header = texts(&[REQUIRED[0], REQUIRED[1], REQUIRED[2], title]);
    let mut checked = check(Sheet { header, rows: vec![SheetRow { number: 2, cells }] }).unwrap();
    checked.good.pop().ok_or_else(|| checked.refused.remove(0))
}

fn lines(checked: &Checked) -> Vec<(String, &'static str)> {
    checked.refused.iter().map(|error| (error.zh(), error.refusal.code())).collect()
}

#[test]
fn titles_are_recognised_in_the_forms_people_write_them() {
    for (title, key) in [
        ("姓名", Some("name")),
        (" 姓 名 *", Some("name")),
        ("\u{feff}姓名（必填）", Some("name")),
        ("客户姓名:", Some("name")),
        ("Name", Some("name")),
        ("手机号", Some("phone")),
        ("Lead Source", Some("leadSource")),
        ("lead_source", Some("leadSource")),
        ("服务类别", Some("serviceCategory")),
        ("成交金额(元)", Some("dealAmount")),
        ("负责人", Some("owner")),
        ("星座", None),
        ("（必填）", None),
    ] {
        let titles = texts(&["name", "phone", "leadSource", title]);
        let found = Header::read(&titles[3..]).err().map(|missing| missing.0);
        let column = COLUMNS.iter().find(|column| Some(column.key) == key);
        let lacks: Vec<_> =
            COLUMNS.iter().filter(|c| c.required && Some(c.key) != key).map(|c| c.title).collect();
        assert_eq!(found.unwrap_or_default(), lacks, "{title}");
        let ignored = Header::read(&titles).unwrap().ignored;
        let is_new = column.is_some_and(|column| !column.required);
        assert_eq!(ignored.is_empty(), is_new, "{title}: {ignored:?}");
    }
}

#[test]
fn missing_columns_are_named_and_unknown_ones_are_told() {
    let missing = check(sheet(&["姓名", "星座"], &[])).unwrap_err();
    assert_eq!(missing.to_string(), "缺少必填列：电话、线索来源");
    let titles = ["姓名", "电话", "手机号", "线索来源", "星座", ""];
    let row: &[&str] = &["王女士", "13812345678", "13912345678", "抖音", "狮子"];
    let checked = check(sheet(&titles, &[row])).unwrap();
    assert_eq!(checked.ignored, ["手机号", "星座"], "of two phones the first one counts");
    assert_eq!(checked.good[0].form.profile.phone.as_ref().unwrap().as_str(), "13812345678");
}

#[test]
fn what_a_file_leaves_out_has_system_as_defaults() {
    let row = with("备注", text("  ")).unwrap();
    assert_eq!((row.form.contract_status, row.form.lead_level), (ContractStatus::Pending, LeadLevel::O));
    assert_eq!((row.form.profile.remarks, row.owner), (None, None));
    assert_eq!(with("客户状态", text("已签约")).unwrap().form.contract_status, ContractStatus::Signed);
    assert_eq!(with("线索等级", text(" B类 ")).unwrap().form.lead_level, LeadLevel::B);
}

#[test]
fn days_come_in_many_forms() {
    let expected = NaiveDate::from_ymd_opt(2025, 12, 1).unwrap();
    for cell in [
        Cell::Day(expected),
        Cell::Number(45_992.0),
        Cell::Number(45_992.75),
        Cell::Number(20_251_201.0),
        text("45992"),
        text("20251201"),
        text("2025-12-01"),
        text(" 2025-12-1 "),
        text("2025/12/1"),
        text("2025.12.01"),
        text("2025年12月1日"),
        text("2025年12月01日 10:30"),
        text("2025-12-01 00:00:00"),
        text("2025-12-01T08:00:00.000Z"),
    ] {
        let row = with("期望上户日期", cell.clone()).unwrap();
        let read = row.form.profile.expected_start_date.map(|at| at.date_naive());
        assert_eq!(read, Some(expected), "{cell:?}");
    }
    for cell in [
        text("明天"),
        text("2025-13-01"),
        text("12/1/2025"),
        Cell::Number(2025.0),
        Cell::Number(-1.0),
        text("2025"),
    ] {
        let error = with("预产期", cell.clone()).unwrap_err();
        assert_eq!(error.zh(), "第 2 行导入失败: 预产期必须是有效的日期（ISO 8601）", "{cell:?}");
    }
}

#[test]
fn numbers_are_texts_and_texts_are_numbers() {
    for cell in [Cell::Number(8000.0), text("8000"), text(" 8000.0 ")] {
        assert_eq!(with("薪资预算", cell).unwrap().form.profile.salary_budget, Some(8000));
    }
    assert_eq!(with("成交金额", Cell::Number(1234.5)).unwrap().form.profile.deal_amount, Some(1234.5));
    assert_eq!(
        with("身份证号", Cell::Number(12.0)).unwrap().form.profile.id_card_number.as_deref(),
        Some("12")
    );
    let day = NaiveDate::from_ymd_opt(2025, 12, 1).unwrap();
    assert_eq!(with("备注", Cell::Day(day)).unwrap().form.profile.remarks.as_deref(), Some("2025-12-01"));
    let cells = vec![text("王女士"), Cell::Number(13_812_345_678.0), text("抖音")];
    let checked =
        check(Sheet { header: texts(&REQUIRED), rows: vec![SheetRow { number: 2, cells }] }).unwrap();
    assert_eq!(checked.good[0].form.profile.phone.as_ref().unwrap().as_str(), "13812345678");
    assert_eq!(with("薪资预算", text("面议")).unwrap_err().zh(), "第 2 行导入失败: 薪资预算必须是数字");
    assert_eq!(
        with("家庭人口", Cell::Number(21.0)).unwrap_err().zh(),
        "第 2 行导入失败: 家庭人口必须在0到20之间"
    );
    assert_eq!(
        with("地址", Cell::Fault("#N/A".to_owned())).unwrap_err().zh(),
        "第 2 行导入失败: 地址的单元格是错误值"
    );
}

#[test]
fn rows_are_judged_by_the_rules_of_the_create_form_in_system_as_words() {
    let checked = check(sheet(
        &["姓名", "电话", "线索来源", "微信号"],
        &[
            &["王女士", "13812345678", "抖音", "wang"],
            &["", "13912345678", "抖音"],
            &["李先生", " ", "", ""],
            &["张三", "12345", "抖音"],
            &["赵六", "+86 138-1234-5678", "美团"],
            &["钱七", "13712345678", "不知道的来源", " wang "],
            &["孙八", "13612345678", "不知道的来源"],
        ],
    ))
    .unwrap();
    assert_eq!(
        lines(&checked),
        [
            ("第 3 行缺少必填字段".to_owned(), "MISSING_REQUIRED"),
            ("第 4 行缺少必填字段".to_owned(), "MISSING_REQUIRED"),
            ("第 5 行导入失败: 请输入有效的中国手机号码".to_owned(), "VALIDATION_FAILED"),
            ("第 6 行导入失败: 电话与第 2 行重复".to_owned(), "DUPLICATE_IN_FILE"),
            ("第 7 行导入失败: 微信号与第 2 行重复".to_owned(), "DUPLICATE_IN_FILE"),
        ]
    );
    assert_eq!(checked.refused[1].refusal.zh(), "缺少必填字段：电话、线索来源");
    assert_eq!(checked.good.iter().map(|row| row.number).collect::<Vec<_>>(), [2, 8]);
    assert_eq!(checked.good[1].form.profile.lead_source, Some(LeadSource::Other), "as system A coerces it");
}

#[test]
fn a_refused_row_keeps_no_phone_from_a_later_one() {
    let rows: [&[&str]; 2] = [&["", "13812345678", "抖音"], &["王女士", "13812345678", "抖音"]];
    let checked = check(sheet(&REQUIRED, &rows)).unwrap();
    assert_eq!((checked.good.len(), checked.refused.len()), (1, 1));
}

/// The largest number that a text names.
fn bound(text: &str) -> Option<usize> {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).max()
}

#[test]
fn the_template_names_the_bounds_that_the_form_has() {
    let mut bounded = 0;
    for column in COLUMNS.iter().filter(|column| column.kind != Kind::Day) {
        let (zh, en) = column.explanation;
        assert_eq!(bound(zh), bound(en), "{}", column.title);
        let Some(most) = bound(zh) else { continue };
        bounded += 1;
        for (size, is_good) in [(most, true), (most + 1, false)] {
            let value = if column.kind == Kind::Number { size.to_string() } else { "x".repeat(size) };
            let others = REQUIRED.into_iter().zip(["王女士", "13812345678", "抖音"]);
            let others = others.filter(|(title, _)| *title != column.title);
            let (titles, cells): (Vec<_>, Vec<_>) = others.chain([(column.title, &*value)]).unzip();
            let checked = check(sheet(&titles, &[&cells])).unwrap();
            assert_eq!(checked.refused.is_empty(), is_good, "{} {size}: {:?}", column.title, lines(&checked));
        }
    }
    assert!(bounded > 8, "only {bounded} columns name a bound");
}

#[test]
fn an_owner_is_found_by_user_name_or_by_name_and_only_for_who_may_pick() {
    let id = |n| StaffId(Uuid::from_u128(n));
    let staff = [
        (id(1), "li.lei", "李雷"),
        (id(2), "han", "韩梅"),
        (id(3), "han2", "韩梅"),
        (id(4), "韩梅2", "吴静"),
    ];
    let owners = Owners::of(staff);
    let placed = |role, owner: &str| {
        let caller = Caller { id: id(1), username: "li.lei".into(), name: "李雷".into(), role };
        let row = with("负责人", text(owner)).unwrap();
        owners.place(&caller, vec![row]).remove(0).owner
    };
    for (role, owner, expected) in [
        (Role::Manager, "", Ok(id(1))),
        (Role::Manager, " HAN ", Ok(id(2))),
        (Role::Manager, "吴静", Ok(id(4))),
        (Role::Manager, "韩梅2", Ok(id(4))),
        (Role::Manager, "韩梅", Err(StoreRefusal::StaffAmbiguous)),
        (Role::Manager, "谁", Err(StoreRefusal::StaffNotFound)),
        (Role::Employee, "han", Err(StoreRefusal::Forbidden)),
        (Role::Employee, "李雷", Ok(id(1))),
        (Role::Employee, "", Ok(id(1))),
    ] {
        assert_eq!(placed(role, owner), expected, "{role} names {owner:?}");
    }
}

/// Bytes of the two events of a row and their metadata, apart from the profile.
const REST: usize = 2400;

#[test]
fn a_full_chunk_fits_into_one_command() {
    use crate::bus::EVENTS_PER_COMMAND_MAX;
    const { assert!(2 * CHUNK_ROWS < EVENTS_PER_COMMAND_MAX) };
    let full = |column: &Column| match column.key {
        "remarks" => "\u{1f600}".repeat(2000),
        "address" => "\u{1f600}".repeat(200),
        "name" => "\u{1f600}".repeat(50),
        "idCardNumber" => "\u{1f600}".repeat(32),
        "wechatId" => "\u{1f600}".repeat(64),
        key if key.ends_with("Requirement") && column.codes.is_none() => "\u{1f600}".repeat(100),
        _ => column.example.to_owned(),
    };
    let header = COLUMNS.iter().map(|column| text(column.title)).collect();
    let row = SheetRow { number: 2, cells: COLUMNS.iter().map(|column| text(&full(column))).collect() };
    let checked = check(Sheet { header, rows: vec![row] }).unwrap();
    let profile = serde_json::to_string(&checked.good[0].form.profile).unwrap();
    assert!((profile.len() + REST) * CHUNK_ROWS < 8 * 1024 * 1024, "{}", profile.len());
}
