//! What stands behind the question mark of a callback: when it was sent, and the signature that says by whom.

use chrono::{DateTime, TimeDelta, Utc};
use url::form_urlencoded;

use super::Refusal;

/// How far from now a callback may have been sent. The provider repeats what was not answered for less than a minute;
/// the rest is for clocks that go wrong.
const WINDOW: TimeDelta = TimeDelta::minutes(10);

/// Most characters of a parameter; `echostr` of WeCom is the longest.
const VALUE_CHARS_MAX: usize = 1024;

/// Most parameters that are looked at.
const PARAMETERS_MAX: usize = 16;

/// The parameters of one callback, sent within the window.
pub(super) struct Signed {
    pub(super) signature: String,
    pub(super) timestamp: String,
    pub(super) nonce: String,
    echostr: Option<String>,
    sent_at: DateTime<Utc>,
}

impl Signed {
    /// Reads the query; `signature` is the name of the parameter that holds the signature.
    pub(super) fn read(query: Option<&str>, signature: &str, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let needed = |name| value(query, name).ok_or(Refusal::Incomplete);
        let (signature, timestamp, nonce) = (needed(signature)?, needed("timestamp")?, needed("nonce")?);
        let seconds = timestamp.parse().ok();
        let sent_at = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let sent_at = sent_at.ok_or(Refusal::Incomplete)?;
        if (now - sent_at).abs() > WINDOW {
            return Err(Refusal::OutsideWindow);
        }
        Ok(Self { signature, timestamp, nonce, echostr: value(query, "echostr"), sent_at })
    }

    /// What the provider wants to read again.
    pub(super) fn echostr(&self) -> Result<&str, Refusal> {
        self.echostr.as_deref().ok_or(Refusal::Incomplete)
    }

    /// Until when anybody who heard it could send it again.
    pub(super) fn good_until(&self) -> DateTime<Utc> {
        self.sent_at + WINDOW
    }
}

/// One parameter, decoded once. A plus is a plus: it stands in base64, and no parameter has a blank.
fn value(query: Option<&str>, name: &str) -> Option<String> {
    let query = query.unwrap_or_default().replace('+', "%2B");
    let mut found = form_urlencoded::parse(query.as_bytes())
        .take(PARAMETERS_MAX)
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned());
    let value = found.next().filter(|value| (1..=VALUE_CHARS_MAX).contains(&value.len()))?;
    found.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_714_112_445;

    fn read(query: &str) -> Result<Signed, Refusal> {
        Signed::read(Some(query), "msg_signature", DateTime::from_timestamp(NOW, 0).unwrap())
    }

    #[test]
    fn a_plus_survives_and_everything_else_is_decoded_once() {
        let query = format!("timestamp={NOW}&nonce=n%2Bn&msg_signature=s&echostr=a+b%2Bc%252B%3D%3D");
        let signed = read(&query).ok().unwrap();
        assert_eq!((signed.echostr().ok(), signed.nonce.as_str()), (Some("a+b+c%2B=="), "n+n"));
    }

    #[test]
    fn what_is_missing_twice_there_or_no_number_is_refused() {
        let long = "x".repeat(1025);
        for query in [
            "",
            "timestamp=1&nonce=n",
            "nonce=n&msg_signature=s",
            &format!("timestamp={NOW}&msg_signature=s"),
            &format!("timestamp={NOW}&nonce=&msg_signature=s"),
            &format!("timestamp={NOW}&nonce={long}&msg_signature=s"),
            &format!("timestamp={NOW}&nonce=a&nonce=b&msg_signature=s"),
            "timestamp=now&nonce=n&msg_signature=s",
            "timestamp=99999999999999999&nonce=n&msg_signature=s",
        ] {
            assert_eq!(read(query).err(), Some(Refusal::Incomplete), "{query}");
        }
        let complete = read(&format!("timestamp={NOW}&nonce=n&msg_signature=s")).ok().unwrap();
        assert_eq!(complete.echostr(), Err(Refusal::Incomplete));
    }

    #[test]
    fn only_what_was_sent_about_now_is_taken() {
        for (away, taken) in [(0, true), (600, true), (-600, true), (601, false), (-601, false)] {
            let query = format!("timestamp={}&nonce=n&msg_signature=s", NOW + away);
            let expected = (!taken).then_some(Refusal::OutsideWindow);
            assert_eq!(read(&query).err(), expected, "{away}");
        }
    }
}
