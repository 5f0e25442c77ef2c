//! Signatures of messages that another program of the house sends (member-intake.md section 1).
//!
//! ```text
//! signature = "sha256=" hex(HMAC-SHA256(secret, timestamp "." body))
//! ```
//! `timestamp` is the text that stands in the message, `body` its bytes as they came. A signature is good once: whoever
//! takes it remembers it ([`CallbackStore::take_signature`](crate::callbacks::CallbackStore::take_signature)).

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::callbacks::hex;

/// Fewest bytes of a secret: as many as the hash has.
pub const SECRET_BYTES_MIN: usize = 32;

/// What stands before the digits.
const SCHEME: &str = "sha256=";

/// What Leadwire and the sender share. Shows nothing of itself.
#[derive(Debug, Clone)]
pub struct MessageKey(SecretString);

/// The secret is too short to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("has fewer than {SECRET_BYTES_MIN} bytes")]
pub struct ShortSecret;

impl MessageKey {
    /// Takes a secret that is long enough.
    pub fn new(secret: SecretString) -> Result<Self, ShortSecret> {
        if secret.expose_secret().len() < SECRET_BYTES_MIN { Err(ShortSecret) } else { Ok(Self(secret)) }
    }

    /// The signature of a message, as it stands in its header.
    pub fn signature(&self, timestamp: &str, body: &[u8]) -> String {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes()) else {
            return String::new();
        };
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("{SCHEME}{}", hex(&mac.finalize().into_bytes()))
    }

    /// Whether `signature` is right; the digits may be of either case. How much of it is right takes no different time.
    pub fn is_signed(&self, signature: &str, timestamp: &str, body: &[u8]) -> bool {
        let right = self.signature(timestamp, body);
        let given = signature.to_ascii_lowercase();
        !right.is_empty() && bool::from(right.as_bytes().ct_eq(given.as_bytes()))
    }
}

/// The secrets that count at this moment. While senders take a new one, which they do one by one, the one before it
/// counts too.
#[derive(Debug, Clone)]
pub struct MessageKeys {
    current: MessageKey,
    previous: Option<MessageKey>,
}

/// By which of the secrets a message is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedWith {
    /// The one that holds from now on.
    Current,
    /// The one that is being replaced.
    Previous,
}

impl MessageKeys {
    /// `previous` is the secret that `current` replaces, as long as somebody signs with it.
    pub fn new(current: MessageKey, previous: Option<MessageKey>) -> Self {
        Self { current, previous }
    }

    /// By which secret the message is signed; `None`: by neither.
    pub fn signed_with(&self, signature: &str, timestamp: &str, body: &[u8]) -> Option<SignedWith> {
        if self.current.is_signed(signature, timestamp, body) {
            return Some(SignedWith::Current);
        }
        let previous = self.previous.as_ref()?;
        previous.is_signed(signature, timestamp, body).then_some(SignedWith::Previous)
    }
}

impl SignedWith {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Current, Self::Previous];

    /// The name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MessageKey {
        MessageKey::new(SecretString::from("a secret for tests, as long as it must be")).unwrap()
    }

    /// The same as `printf '1700000000.{"members":[]}' | openssl dgst -sha256 -hmac SECRET`.
    #[test]
    fn a_signature_is_what_other_programs_compute() {
        let signature = key().signature("1700000000", b"{\"members\":[]}");
        assert_eq!(signature, EXPECTED);
        assert!(key().is_signed(EXPECTED, "1700000000", b"{\"members\":[]}"));
        assert!(key().is_signed(&EXPECTED.to_uppercase(), "1700000000", b"{\"members\":[]}"));
    }

    const EXPECTED: &str = "sha256=bb63b2fe4eb131fb4764ca01d9d39dddc57e9efb51d539efa5ef948531b26ef3";

    #[test]
    fn nothing_else_is_signed() {
        let bare = EXPECTED.trim_start_matches(SCHEME);
        for (signature, timestamp, body) in [
            (EXPECTED, "1700000001", "{\"members\":[]}"),
            (EXPECTED, "1700000000", "{\"members\":[] }"),
            (EXPECTED, "1700000000", ""),
            (EXPECTED, "170000000", "0.{\"members\":[]}"),
            (bare, "1700000000", "{\"members\":[]}"),
            ("", "1700000000", "{\"members\":[]}"),
            ("sha256=", "1700000000", "{\"members\":[]}"),
        ] {
            assert!(
                !key().is_signed(signature, timestamp, body.as_bytes()),
                "{signature} {timestamp} {body}"
            );
        }
        let other = MessageKey::new(SecretString::from("x".repeat(32))).unwrap();
        assert!(!other.is_signed(EXPECTED, "1700000000", b"{\"members\":[]}"));
    }

    #[test]
    fn while_a_secret_is_replaced_the_one_before_counts_too() {
        let key = |sign: &str| MessageKey::new(SecretString::from(sign.repeat(32))).unwrap();
        let signed = |sign| key(sign).signature("1700000000", b"{}");
        for (previous, sign, expected) in [
            (Some("o"), "n", Some(SignedWith::Current)),
            (Some("o"), "o", Some(SignedWith::Previous)),
            (Some("o"), "x", None),
            (None, "n", Some(SignedWith::Current)),
            (None, "o", None),
        ] {
            let keys = MessageKeys::new(key("n"), previous.map(key));
            assert_eq!(keys.signed_with(&signed(sign), "1700000000", b"{}"), expected, "{previous:?} {sign}");
            assert_eq!(keys.signed_with(&signed(sign), "1700000000", b"{ }"), None);
        }
    }

    #[test]
    fn a_short_secret_is_none_and_no_secret_shows_itself() {
        assert_eq!(MessageKey::new(SecretString::from("x".repeat(31))).err(), Some(ShortSecret));
        assert!(!format!("{:?}", key()).contains("tests"));
    }
}
