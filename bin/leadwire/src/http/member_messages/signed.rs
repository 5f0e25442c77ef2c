//! What stands in the headers of a signed message: when it was sent, and the signature.

use axum::http::{HeaderMap, HeaderName};
use chrono::{DateTime, TimeDelta, Utc};

use crate::metrics::NotBelieved;

/// How far from now a message may have been sent: for clocks that go wrong, and for a slow way here.
const WINDOW: TimeDelta = TimeDelta::minutes(5);

/// Most characters of a header that is looked at.
const VALUE_CHARS_MAX: usize = 128;

/// When it was sent, in seconds since 1970.
const TIMESTAMP: HeaderName = HeaderName::from_static("x-leadwire-timestamp");

/// `sha256=` and the digits.
const SIGNATURE: HeaderName = HeaderName::from_static("x-leadwire-signature");

/// The headers of a message sent within the window.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) signature: String,
    /// As it stands in the header: it is signed letter by letter.
    pub(super) timestamp: String,
    sent_at: DateTime<Utc>,
}

impl Signed {
    pub(super) fn read(headers: &HeaderMap, now: DateTime<Utc>) -> Result<Self, NotBelieved> {
        let signature = value(headers, &SIGNATURE)?;
        let timestamp = value(headers, &TIMESTAMP)?;
        let seconds = timestamp.bytes().all(|byte| byte.is_ascii_digit()).then(|| timestamp.parse().ok());
        let sent_at = seconds.flatten().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let sent_at = sent_at.ok_or(NotBelieved::Incomplete)?;
        if (now - sent_at).abs() > WINDOW {
            return Err(NotBelieved::OutsideWindow);
        }
        Ok(Self { signature, timestamp, sent_at })
    }

    /// Until when anybody who heard it could send it again.
    pub(super) fn good_until(&self) -> DateTime<Utc> {
        self.sent_at + WINDOW
    }
}

/// The only value of a header, short enough.
fn value(headers: &HeaderMap, name: &HeaderName) -> Result<String, NotBelieved> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(NotBelieved::Incomplete) };
    let text = value.to_str().map_err(|_| NotBelieved::Incomplete)?;
    let fits = (1..=VALUE_CHARS_MAX).contains(&text.len());
    if fits { Ok(text.to_owned()) } else { Err(NotBelieved::Incomplete) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_714_112_445;

    fn read(values: &[(&HeaderName, &str)]) -> Result<Signed, NotBelieved> {
        let mut headers = HeaderMap::new();
        for (name, value) in values {
            headers.append(*name, value.parse().unwrap());
        }
        Signed::read(&headers, DateTime::from_timestamp(NOW, 0).unwrap())
    }

    #[test]
    fn only_what_was_sent_about_now_is_looked_at() {
        for (away, expected) in [
            (0, None),
            (300, None),
            (-300, None),
            (301, Some(NotBelieved::OutsideWindow)),
            (-301, Some(NotBelieved::OutsideWindow)),
        ] {
            let at = (NOW + away).to_string();
            assert_eq!(read(&[(&TIMESTAMP, &at), (&SIGNATURE, "sha256=1")]).err(), expected, "{away}");
        }
    }

    #[test]
    fn what_is_missing_there_twice_or_no_number_is_incomplete() {
        let (at, long) = (NOW.to_string(), "x".repeat(129));
        for values in [
            vec![],
            vec![(&TIMESTAMP, at.as_str())],
            vec![(&SIGNATURE, "s")],
            vec![(&TIMESTAMP, at.as_str()), (&SIGNATURE, "s"), (&SIGNATURE, "s")],
            vec![(&TIMESTAMP, "now"), (&SIGNATURE, "s")],
            vec![(&TIMESTAMP, "-1"), (&SIGNATURE, "s")],
            vec![(&TIMESTAMP, "99999999999999999999"), (&SIGNATURE, "s")],
            vec![(&TIMESTAMP, at.as_str()), (&SIGNATURE, long.as_str())],
            vec![(&TIMESTAMP, at.as_str()), (&SIGNATURE, "")],
        ] {
            assert_eq!(read(&values).err(), Some(NotBelieved::Incomplete), "{values:?}");
        }
    }
}
