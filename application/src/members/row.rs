//! What a row of texts says about a member, and which of its columns cannot be taken as they stand (docs/adr/0028).

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use domain::member::{
    Code, FieldFault, MemberField, MemberFields, Observation, REGISTERED_AT, RowFingerprint, SourceKey,
};

/// Seconds by which the clocks of both systems are ahead of UTC: a moment without an offset is one in China.
const CHINA_SECONDS: i32 = 8 * 3600;

/// How databases and files write a moment without an offset.
const MOMENTS: [&str; 3] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y/%m/%d %H:%M:%S%.f"];

/// How MySQL writes that there is no moment.
const NO_DAY: &str = "0000-00-00";

/// Years in which people register; what lies outside is a mistake in the row.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// How files write a day.
const DAYS: [&str; 2] = ["%Y-%m-%d", "%Y/%m/%d"];

/// A column that cannot be taken as it stands, and why. Holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column}: {rule}")]
pub struct ColumnFault {
    /// The column.
    pub column: String,
    /// The rule it breaks.
    pub rule: ColumnRule,
}

/// What a column may do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColumnRule {
    /// It is no value of its type.
    #[error("{0}")]
    Value(FieldFault),
    /// It is no moment.
    #[error("必须是有效的日期时间")]
    Moment,
    /// It is a status that nobody knows, and the status decides whether a member is announced.
    #[error("不是已知的会员状态")]
    Status,
    /// No member has such a field.
    #[error("不是会员的字段")]
    Unknown,
}

/// A row as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadRow {
    /// What could be read. It can always be observed, and should be: whoever registered is told of, whatever else
    /// stands in the row. Columns that could not be read keep what they had.
    pub observation: Observation,
    /// The columns that somebody must look at, in the order of the row; empty where all was taken as it stands. An intake
    /// parks the capture with them after it has observed the row (member-intake.md section 2).
    pub faults: Vec<ColumnFault>,
}

impl ReadRow {
    /// The codes that no table has, by column. They are kept and shown as they stand and counted by the read model
    /// (domain.md section 4); only an unknown status is a fault besides.
    pub fn unknown_codes(&self) -> Vec<(MemberField, &str)> {
        self.observation.fields.unknown_codes()
    }

    /// Why somebody must look at the row: its columns with the rules they break, never a value. `None`: nobody must.
    pub fn reason(&self) -> Option<String> {
        let faults: Vec<String> = self.faults.iter().map(ToString::to_string).collect();
        (!faults.is_empty()).then(|| faults.join("; "))
    }
}

/// Reads a row, given by the members' own names of its columns. A column that is not given says nothing, unlike one that
/// is NULL. `fingerprint` is the intake's hash of the whole row; without one, or where a column could not be read, it is
/// taken over what was read.
///
/// Never fails: a column that cannot be read costs the row that column and is named in [`ReadRow::faults`].
pub fn read_observation<'a>(
    key: SourceKey,
    columns: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    deleted: bool,
    fingerprint: Option<String>,
) -> ReadRow {
    let mut fields = MemberFields::default();
    let mut silent = MemberField::ALL.to_vec();
    let (mut registered_at, mut faults) = (None, vec![]);
    for (column, text) in columns {
        let mut fault = |rule| faults.push(ColumnFault { column: column.to_owned(), rule });
        if column == REGISTERED_AT {
            let text = text.and_then(written_moment);
            registered_at = text.and_then(moment);
            if text.is_some() && registered_at.is_none() {
                fault(ColumnRule::Moment);
            }
            continue;
        }
        let Ok(field) = column.parse::<MemberField>() else {
            fault(ColumnRule::Unknown);
            continue;
        };
        match fields.read(field, text) {
            Ok(()) => silent.retain(|one| *one != field),
            Err(wrong) => fault(ColumnRule::Value(wrong)),
        }
        if field == MemberField::Status && matches!(fields.status, Some(Code::Unknown(_))) {
            fault(ColumnRule::Status);
        }
    }
    let whole = fingerprint.filter(|_| faults.is_empty());
    let fingerprint = whole.map_or_else(|| RowFingerprint::of(&fields, deleted), RowFingerprint::taken);
    ReadRow { observation: Observation { key, fields, silent, deleted, fingerprint, registered_at }, faults }
}

/// The text of a moment, unless it says that there is none.
fn written_moment(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty() && !text.starts_with(NO_DAY))
}

/// Reads a moment as the rows of a source write it; `None` when it is none, or cannot be read.
pub fn read_moment(text: &str) -> Option<DateTime<Utc>> {
    written_moment(text).and_then(moment)
}

/// Reads a moment in whole microseconds; without an offset it is one in China.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let china = FixedOffset::east_opt(CHINA_SECONDS)?;
    let local = |naive: NaiveDateTime| naive.and_local_timezone(china).single().map(|at| at.to_utc());
    let day = |format: &&str| NaiveDate::parse_from_str(text, format).ok();
    let at = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .map(|at| at.to_utc())
        .ok()
        .or_else(|| {
            MOMENTS.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).and_then(local)
        })
        .or_else(|| DAYS.iter().find_map(day).and_then(|day| local(day.and_time(chrono::NaiveTime::MIN))))?;
    DateTime::from_timestamp_micros(at.timestamp_micros()).filter(|at| YEARS.contains(&at.year()))
}
