//! Members in a file: a sheet with a header, one person a row.
//!
//! A row is known by the file's digest and its number, so that the same file again has no effect. A row with a fault is not
//! taken in, and named with its column; whoever repairs the file brings the whole of it again, and those who are known
//! by then are refused for their number, phone or WeChat id.

use std::collections::{BTreeMap, HashSet};

use domain::contact::WechatId;
use domain::member::{
    Member, MemberField, MemberFields, MemberNumber, MemberPhone, OwnSource, REGISTERED_AT,
    REGISTERED_AT_LABEL, SourceKey,
};
use domain::{MemberId, StreamId};
use futures_util::future::join_all;

use crate::bus::{CommandBus, ExecuteError, GuardKind};
use crate::imports::{Sheet, UniqueValues};
use crate::members::{MemberRefusal, ReadRow, observation_context, observe, read_observation};
use crate::ports::Clock;

use super::row::ACTIVE;
use super::worker::AT_ONCE;

/// A row needs one of them: without any, nobody could find the person.
const IDENTITY: [MemberField; 3] = [MemberField::MemberNo, MemberField::Phone, MemberField::Wechat];

/// Rows whose values are looked up together.
const LOOKED_UP: usize = 500;

/// A row that can be taken in.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRow {
    /// Its number in the file; the header is 1.
    pub number: u32,
    /// What it says.
    pub read: ReadRow,
}

/// What is wrong with a row. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileFault {
    /// The row's number in the file.
    pub row: u32,
    /// The column, as members call it.
    pub column: String,
    /// The rule it breaks.
    pub rule: String,
}

/// A file that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CheckedFile {
    /// Rows that can be taken in.
    pub rows: Vec<FileRow>,
    /// What is wrong with the others.
    pub faults: Vec<FileFault>,
    /// Columns that mean nothing here.
    pub ignored: Vec<String>,
}

/// The header has no column that a person could be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header needs one of member_no (会员编号), phone (手机号) and wechat (微信号)")]
pub struct NobodyToFind;

/// What came of the rows of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileImported {
    /// Members who were registered.
    pub registered: u64,
    /// Rows that were taken in before.
    pub unchanged: u64,
    /// Rows that were refused.
    pub faults: Vec<FileFault>,
}

/// Reads a sheet whose header names columns as members do, or as people do in Chinese. `digest` tells this file from
/// every other.
///
/// # Errors
///
/// Nobody could be found by what the file says.
pub fn check_file(sheet: &Sheet, digest: &str) -> Result<CheckedFile, NobodyToFind> {
    let mut checked = CheckedFile::default();
    let mut columns: Vec<Option<&'static str>> = Vec::with_capacity(sheet.header.len());
    for cell in &sheet.header {
        let title = cell.text();
        let column = column_of(&title).filter(|column| !columns.contains(&Some(*column)));
        if column.is_none() && !title.is_empty() {
            checked.ignored.push(title);
        }
        columns.push(column);
    }
    if !IDENTITY.iter().any(|field| columns.contains(&Some(field.as_str()))) {
        return Err(NobodyToFind);
    }
    let mut seen: HashSet<(GuardKind, String)> = HashSet::new();
    for row in &sheet.rows {
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        for (column, cell) in columns.iter().zip(&row.cells) {
            if let Some(column) = column
                && !cell.is_blank()
            {
                texts.insert(column, cell.text());
            }
        }
        // Whoever comes without a status takes part, as with signed messages.
        texts.entry(MemberField::Status.as_str()).or_insert_with(|| ACTIVE.to_owned());
        let read = read_observation(
            key(digest, row.number),
            texts.iter().map(|(column, text)| (*column, Some(text.as_str()))),
            false,
            None,
        );
        let faults = faults(row.number, &read, &mut seen);
        if faults.is_empty() {
            checked.rows.push(FileRow { number: row.number, read });
        }
        checked.faults.extend(faults);
    }
    Ok(checked)
}

fn column_of(title: &str) -> Option<&'static str> {
    if title == REGISTERED_AT || title == REGISTERED_AT_LABEL {
        return Some(REGISTERED_AT);
    }
    let field = MemberField::ALL.iter().find(|field| title == field.as_str() || title == field.label());
    field.map(|field| field.as_str())
}

fn key(digest: &str, row: u32) -> SourceKey {
    SourceKey { source: OwnSource::File.to_string(), table: digest.to_owned(), key: row.to_string() }
}

fn faults(row: u32, read: &ReadRow, seen: &mut HashSet<(GuardKind, String)>) -> Vec<FileFault> {
    let fault =
        |column: &str, rule: &str| FileFault { row, column: column.to_owned(), rule: rule.to_owned() };
    let mut faults: Vec<FileFault> =
        read.faults.iter().map(|wrong| fault(&wrong.column, &wrong.rule.to_string())).collect();
    let values = values(&read.observation.fields);
    if values.is_empty() && faults.is_empty() {
        faults.push(fault(MemberField::Phone.as_str(), "会员编号、手机号、微信号至少填写一项"));
    }
    for (field, kind, value) in values {
        if !seen.insert((kind, value)) {
            faults.push(fault(field.as_str(), "与文件中前面的行重复"));
        }
    }
    faults
}

/// What only one member may have.
fn values(fields: &MemberFields) -> Vec<(MemberField, GuardKind, String)> {
    let kinds = [GuardKind::MemberNumber, GuardKind::MemberPhone, GuardKind::MemberWechat];
    let texts = [
        fields.member_no.as_ref().map(MemberNumber::as_str),
        fields.phone.as_ref().map(MemberPhone::as_str),
        fields.wechat.as_ref().map(WechatId::as_str),
    ];
    let all = IDENTITY.into_iter().zip(kinds).zip(texts);
    all.filter_map(|((field, kind), text)| Some((field, kind, text?.to_owned()))).collect()
}

/// Takes rows in. `told` hears how many are done.
///
/// # Errors
///
/// The log cannot be used; the same file again carries on.
pub async fn import_file<B: CommandBus>(
    bus: &B,
    unique: &dyn UniqueValues,
    clock: &dyn Clock,
    run: &str,
    rows: &[FileRow],
    told: &(dyn Fn(usize) + Sync),
) -> Result<FileImported, ExecuteError<MemberRefusal>> {
    let mut done = FileImported::default();
    let mut count = 0;
    for some in rows.chunks(LOOKED_UP) {
        let held = held(unique, some).await?;
        for few in some.chunks(AT_ONCE) {
            let ended = join_all(few.iter().map(|row| import_row(bus, clock, run, row, &held))).await;
            for one in ended {
                match one? {
                    Row::Registered => done.registered += 1,
                    Row::Known => done.unchanged += 1,
                    Row::Refused(fault) => done.faults.push(fault),
                }
            }
            count += few.len();
            told(count);
        }
    }
    Ok(done)
}

type Held = HashSet<(GuardKind, String)>;

async fn held(unique: &dyn UniqueValues, rows: &[FileRow]) -> Result<Held, ExecuteError<MemberRefusal>> {
    let mut keys: BTreeMap<GuardKind, Vec<String>> = BTreeMap::new();
    for (_, kind, value) in rows.iter().flat_map(|row| values(&row.read.observation.fields)) {
        keys.entry(kind).or_default().push(value);
    }
    let mut found = Held::new();
    for (kind, keys) in keys {
        found.extend(unique.held(kind, &keys).await?.into_iter().map(|value| (kind, value)));
    }
    Ok(found)
}

enum Row {
    Registered,
    Known,
    Refused(FileFault),
}

async fn import_row<B: CommandBus>(
    bus: &B,
    clock: &dyn Clock,
    run: &str,
    row: &FileRow,
    held: &Held,
) -> Result<Row, ExecuteError<MemberRefusal>> {
    let observation = row.read.observation.clone();
    let id = StreamId::from(MemberId::of_row(&observation.key));
    if bus.load::<Member>(&id).await?.state.registered.is_some() {
        return Ok(Row::Known);
    }
    let taken = values(&observation.fields)
        .into_iter()
        .find(|(_, kind, value)| held.contains(&(*kind, value.clone())));
    if let Some((field, ..)) = taken {
        let rule = "已被其他会员使用".to_owned();
        return Ok(Row::Refused(FileFault { row: row.number, column: field.as_str().to_owned(), rule }));
    }
    let context = observation_context(&observation.key, "row", run.to_owned(), clock.now());
    let executed = observe(bus, &context, observation).await?;
    Ok(if executed.replayed || !executed.result.member.changed { Row::Known } else { Row::Registered })
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::bus::LoadError;
    use crate::customers::tests::memory::{Memory, ready};
    use crate::imports::{Cell, SheetRow};

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> DateTime<Utc> {
            DateTime::UNIX_EPOCH
        }
    }

    /// These phones are taken.
    struct Taken(&'static [&'static str]);

    #[async_trait]
    impl UniqueValues for Taken {
        async fn held(&self, kind: GuardKind, keys: &[String]) -> Result<HashSet<String>, LoadError> {
            let phones =
                keys.iter().filter(|key| kind == GuardKind::MemberPhone && self.0.contains(&key.as_str()));
            Ok(phones.cloned().collect())
        }
    }

    fn sheet(header: &[&str], rows: &[&[&str]]) -> Sheet {
        let cells =
            |texts: &[&str]| texts.iter().map(|text| Cell::Text((*text).to_owned())).collect::<Vec<_>>();
        let rows = rows.iter().zip(2..).map(|(row, number)| SheetRow { number, cells: cells(row) });
        Sheet { header: cells(header), rows: rows.collect() }
    }

    #[test]
    fn each_fault_is_named_with_row_and_column_and_without_the_value() {
        let checked = check_file(
            &sheet(
                &["手机号", "nickname", "出生年份", "颜色", "手机号"],
                &[
                    &["13812340001", "小明", "1990", "红", "x"],
                    &["13812340002", "小红", "neunzig", "", ""],
                    &["13812340001", "小刚", "", "", ""],
                    &["", "无名", "", "", ""],
                ],
            ),
            "d",
        )
        .unwrap();
        assert_eq!(checked.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2]);
        let told: Vec<(u32, &str)> =
            checked.faults.iter().map(|fault| (fault.row, fault.column.as_str())).collect();
        assert_eq!(told, [(3, "birth_year"), (4, "phone"), (5, "phone")]);
        assert!(!format!("{:?}", checked.faults).contains("neunzig"));
        assert_eq!(checked.ignored, ["颜色", "手机号"]);
        assert_eq!(check_file(&sheet(&["nickname"], &[]), "d"), Err(NobodyToFind));
    }

    #[test]
    fn the_same_file_again_has_no_effect_and_who_is_known_is_refused() {
        let bus = Memory::default();
        let file = sheet(&["phone"], &[&["13812340001"], &["13812340002"]]);
        let checked = check_file(&file, "d").unwrap();
        let import =
            |taken| ready(import_file(&bus, &Taken(taken), &Fixed, "run", &checked.rows, &|_| {})).unwrap();
        let first = import(&["13812340002"]);
        assert_eq!((first.registered, first.unchanged), (1, 0));
        assert_eq!((first.faults[0].row, first.faults[0].column.as_str()), (3, "phone"));
        let again = import(&["13812340001"]);
        assert_eq!((again.registered, again.unchanged), (1, 1), "who was taken in is nobody else");
        assert_eq!(import(&["13812340001", "13812340002"]).unchanged, 2);
        assert_eq!(bus.events(MemberId::of_row(&key("d", 2))), ["MemberRegistered"]);
    }
}
