//! Databases that somebody else writes members into: `[intake.NAME]`, one section a table.

use std::path::Path;
use std::time::Duration;

use application::delivery::RetrySchedule;
use application::intake::worker::{BATCH_DEFAULT, LEASE_SECONDS_DEFAULT, Rules};
use application::intake::{CAPTURE_BATCH_MAX, Mapping, Mode, parse};
use domain::member::OwnSource;
use infrastructure::intake::{SourceSettings, engine_of};
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;
use super::service::within;

/// How long a worker rests when nothing is left, in seconds.
const INTERVAL_SECONDS: u64 = 2;
/// How long finished rows are kept in the source, in days.
const RETENTION_DAYS: u64 = 7;
/// From which age of the oldest row on somebody should look, in seconds.
const ALARM_SECONDS: u64 = 600;
/// How often source and store are compared, in hours.
const RECONCILE_HOURS: u64 = 24;

/// Longest name of a source.
const NAME_CHARS_MAX: usize = 32;

const INTERVALS: std::ops::RangeInclusive<u64> = 1..=24 * 60 * 60;
const RETENTIONS: std::ops::RangeInclusive<u64> = 0..=3650;
const LEASES: std::ops::RangeInclusive<u32> = 2..=3600;
const BATCHES: std::ops::RangeInclusive<u32> = 1..=CAPTURE_BATCH_MAX;

/// Reads every section; `schedule` has the waits between attempts.
pub(super) fn intake(reader: &mut Reader, schedule: &RetrySchedule) -> Vec<SourceSettings> {
    let names = reader.intake_sources();
    names.iter().filter_map(|name| source(reader, name, schedule)).collect()
}

fn source(reader: &mut Reader, name: &str, schedule: &RetrySchedule) -> Option<SourceSettings> {
    let at = |key: &str| format!("intake.{name}.{key}");
    if let Err(rule) = judge_name(name) {
        reader.problem(&format!("intake.{name}"), rule);
    }
    let url = url(reader, name);
    let table = reader.text(&at("table"));
    let file = reader.text(&at("mapping"));
    let mapping = match mapping(file.as_deref().map(Path::new), table.as_deref()) {
        Ok(mapping) => Some(mapping),
        Err(rule) => {
            reader.problem(&at(if file.is_some() { "mapping" } else { "table" }), rule);
            None
        }
    };
    let mode = match reader.text(&at("mode")).as_deref() {
        None | Some("triggers") => Some(Mode::Triggers),
        Some("poll") => Some(Mode::Poll),
        Some(other) => {
            reader.problem(&at("mode"), format!("is triggers or poll, not {other}"));
            None
        }
    };
    let most = attempts_most(schedule);
    let batch = number(reader, &at("batch"), BATCH_DEFAULT, &BATCHES, "rows");
    let attempts_max = number(reader, &at("attempts"), most, &(1..=most), "attempts");
    let lease_seconds = number(reader, &at("lease_seconds"), LEASE_SECONDS_DEFAULT, &LEASES, "seconds");
    let interval = number(reader, &at("interval_seconds"), INTERVAL_SECONDS, &INTERVALS, "seconds");
    let retention = number(reader, &at("retention_days"), RETENTION_DAYS, &RETENTIONS, "days");
    let alarm = number(reader, &at("alarm_seconds"), ALARM_SECONDS, &INTERVALS, "seconds");
    let reconcile = number(reader, &at("reconcile_hours"), RECONCILE_HOURS, &RETENTIONS, "hours")?;
    let (batch, lease_seconds, attempts_max) = (batch?, lease_seconds?, attempts_max?);
    Some(SourceSettings {
        name: name.to_owned(),
        url: url?,
        mapping: mapping?,
        mode: mode?,
        rules: Rules { batch, lease_seconds, schedule: schedule.clone(), attempts_max },
        interval: Duration::from_secs(interval?),
        retention: Duration::from_hours(24 * retention?),
        reconcile_every: (reconcile > 0).then(|| Duration::from_hours(reconcile)),
        alarm_age: Duration::from_secs(alarm?),
    })
}

/// A source of which nobody says more than its name and its address.
pub fn usual(name: String, url: SecretString, schedule: &RetrySchedule) -> SourceSettings {
    let (schedule, attempts_max) = (schedule.clone(), attempts_most(schedule));
    SourceSettings {
        name,
        url,
        mapping: Mapping::system_s(),
        mode: Mode::Triggers,
        rules: Rules { batch: BATCH_DEFAULT, lease_seconds: LEASE_SECONDS_DEFAULT, schedule, attempts_max },
        interval: Duration::from_secs(INTERVAL_SECONDS),
        retention: Duration::from_hours(24 * RETENTION_DAYS),
        reconcile_every: Some(Duration::from_hours(RECONCILE_HOURS)),
        alarm_age: Duration::from_secs(ALARM_SECONDS),
    }
}

/// As many attempts on a row as the schedule has.
fn attempts_most(schedule: &RetrySchedule) -> u32 {
    u32::try_from(schedule.attempts_max()).unwrap_or(u32::MAX)
}

fn url(reader: &mut Reader, name: &str) -> Option<SecretString> {
    let (direct, file) = (format!("intake.{name}.url"), format!("intake.{name}.url_file"));
    let url = match reader.text(&file) {
        Some(path) if reader.text(&direct).is_none() => reader.secret_file(&file, path.as_ref())?,
        Some(_) => {
            reader.problem(&file, format!("set either this or {direct}, not both"));
            return None;
        }
        None => {
            if let Some(url) = reader.text(&direct) {
                SecretString::from(url)
            } else {
                reader.problem(&direct, "is needed: mysql://…, postgres://… or sqlite:…");
                return None;
            }
        }
    };
    match engine_of(url.expose_secret()) {
        Ok(_) => Some(url),
        Err(error) => {
            reader.problem(&direct, error.to_string());
            None
        }
    }
}

fn number<T>(
    reader: &mut Reader,
    path: &str,
    default: T,
    bounds: &std::ops::RangeInclusive<T>,
    unit: &str,
) -> Option<T>
where
    T: for<'de> serde::Deserialize<'de> + PartialOrd + std::fmt::Display,
{
    if reader.value(path).is_none() {
        return Some(default);
    }
    reader.checked(path, |value| within(value, bounds, unit))
}

/// Whether a source may be called so.
pub fn judge_name(name: &str) -> Result<(), String> {
    let is_word = name.starts_with(|sign: char| sign.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && !name.contains("__")
        && name.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_');
    if !is_word {
        return Err(format!(
            "a source's name is 1 to {NAME_CHARS_MAX} of a-z, 0-9 and single _, and begins with a letter"
        ));
    }
    if name.parse::<OwnSource>().is_ok() {
        return Err(format!("members that came another way are counted as `{name}`; choose another name"));
    }
    Ok(())
}

/// What the columns of a table mean: as the file says, or as in system S's table, under whichever name.
pub fn mapping(file: Option<&Path>, table: Option<&str>) -> Result<Mapping, String> {
    let Some(file) = file else {
        let known = Mapping::system_s();
        return Ok(match table {
            Some(table) => Mapping { table: table.to_owned(), ..known },
            None => known,
        });
    };
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name} cannot be read: {error}"))?;
    let mapping = parse(&name, &text).map_err(|error| error.to_string())?;
    match table {
        Some(table) if table != mapping.table => {
            Err(format!("{name} describes the table `{}`, not `{table}`", mapping.table))
        }
        _ => Ok(mapping),
    }
}
