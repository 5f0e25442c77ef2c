//! An instant as people type it: RFC 3339, or a local date and time with its zone.

use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _, Utc};
use chrono_tz::Tz;

/// Forms of a local date and time.
const LOCAL_FORMS: [&str; 4] =
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) DateTime<Utc>);

/// Why a text is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidMoment {
    /// Neither form.
    #[error("write 2026-11-21T09:00:00+08:00 or '2026-11-21 09:00 Asia/Shanghai'")]
    Form,
    /// The clock of that zone never showed this time, or showed it twice.
    #[error("this time does not exist or is ambiguous in {0}; write it with an offset such as +08:00")]
    Ambiguous(Tz),
}

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, InvalidMoment> {
        let text = text.trim();
        if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self(instant.to_utc()));
        }
        let (local, zone) = text.rsplit_once(' ').ok_or(InvalidMoment::Form)?;
        let local = local_time(local.trim()).ok_or(InvalidMoment::Form)?;
        if let Ok(offset) = zone.parse::<chrono::FixedOffset>() {
            return offset
                .from_local_datetime(&local)
                .single()
                .map(|at| Self(at.to_utc()))
                .ok_or(InvalidMoment::Form);
        }
        let zone: Tz = zone.parse().map_err(|_| InvalidMoment::Form)?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) => Ok(Self(at.to_utc())),
            LocalResult::Ambiguous(..) | LocalResult::None => Err(InvalidMoment::Ambiguous(zone)),
        }
    }
}

fn local_time(text: &str) -> Option<NaiveDateTime> {
    let dated = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN));
    LOCAL_FORMS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).or_else(dated)
}

/// An instant as it is printed: UTC, milliseconds.
pub(crate) fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_in_every_form_that_names_its_zone() {
        let rows = [
            ("2026-11-21T09:00:00+08:00", "2026-11-21T01:00:00.000Z"),
            ("2026-11-21T01:00:00.5Z", "2026-11-21T01:00:00.500Z"),
            ("2026-11-21 09:00 Asia/Shanghai", "2026-11-21T01:00:00.000Z"),
            ("2026-11-21T09:00:30 Asia/Shanghai", "2026-11-21T01:00:30.000Z"),
            ("2026-11-21 09:00:00 +08:00", "2026-11-21T01:00:00.000Z"),
            ("2026-11-21 UTC", "2026-11-21T00:00:00.000Z"),
        ];
        for (text, expected) in rows {
            assert_eq!(
                text.parse::<Moment>().map(|moment| shown(moment.0)),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_without_zone_or_that_never_was_is_refused() {
        for text in
            ["", "2026-11-21 09:00", "2026-11-21T09:00:00", "yesterday UTC", "2026-11-21 09:00 Mars/Base"]
        {
            assert_eq!(text.parse::<Moment>(), Err(InvalidMoment::Form), "{text}");
        }
        for text in ["2026-03-29 02:30 Europe/Berlin", "2026-10-25 02:30 Europe/Berlin"] {
            assert_eq!(text.parse::<Moment>(), Err(InvalidMoment::Ambiguous(Tz::Europe__Berlin)), "{text}");
        }
    }
}
