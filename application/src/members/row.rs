//! What a row of texts says about a member, or the column that cannot be read.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Utc};
use domain::member::{FieldFault, MemberField, MemberFields, Observation, RowFingerprint, SourceKey};

/// The column that says when the person registered.
const REGISTERED_AT: &str = "created_at";

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

/// A column that cannot be read, and why. Holds no value.
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
    /// No member has such a field.
    #[error("不是会员的字段")]
    Unknown,
}

/// Reads a row, given by the members' own names of its columns. `fingerprint` is the intake's hash of the whole row;
/// without one it is taken over what was read.
///
/// # Errors
///
/// The first column that cannot be read.
pub fn read_observation<'a>(
    key: SourceKey,
    columns: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    deleted: bool,
    fingerprint: Option<String>,
) -> Result<Observation, ColumnFault> {
    let mut fields = MemberFields::default();
    let mut registered_at = None;
    for (column, text) in columns {
        let fault = |rule| ColumnFault { column: column.to_owned(), rule };
        if column == REGISTERED_AT {
            let text = text.map(str::trim).filter(|text| !text.is_empty() && !text.starts_with(NO_DAY));
            registered_at =
                text.map(|text| moment(text).ok_or_else(|| fault(ColumnRule::Moment))).transpose()?;
            continue;
        }
        let field: MemberField = column.parse().map_err(|_| fault(ColumnRule::Unknown))?;
        fields.read(field, text).map_err(|wrong| fault(ColumnRule::Value(wrong)))?;
    }
    let fingerprint = fingerprint.map_or_else(|| RowFingerprint::of(&fields, deleted), RowFingerprint::taken);
    Ok(Observation { key, fields, deleted, fingerprint, registered_at })
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
