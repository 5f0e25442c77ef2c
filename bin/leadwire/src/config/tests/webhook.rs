use infrastructure::signed_messages::{MessageKey, SignedWith};
use secrecy::SecretString;

use super::*;

const NEW: &str = "the new secret of two programs, long enough";
const OLD: &str = "the old secret of two programs, long enough";

const SETTING: &str = "LEADWIRE_WEBHOOK__SECRET";
const PREVIOUS: &str = "LEADWIRE_WEBHOOK__PREVIOUS_SECRET";

#[test]
fn a_secret_and_the_one_it_replaces_count() {
    let signed =
        |secret: &str| MessageKey::new(SecretString::from(secret)).unwrap().signature("1700000000", b"{}");
    let found = |pairs: &[(&str, &str)], secret| {
        let keys = Settings::load(&with_secret(pairs)).unwrap().webhook;
        keys.and_then(|keys| keys.signed_with(&signed(secret), "1700000000", b"{}"))
    };
    let both = [(SETTING, NEW), (PREVIOUS, OLD)];
    assert_eq!(found(&both, NEW), Some(SignedWith::Current));
    assert_eq!(found(&both, OLD), Some(SignedWith::Previous));
    assert_eq!(found(&[(SETTING, NEW)], OLD), None);
    assert_eq!(found(&[], NEW), None);
    let in_a_file = file(&format!("{OLD}\n"));
    let path = in_a_file.path().to_str().unwrap();
    let both = [(SETTING, NEW), ("LEADWIRE_WEBHOOK__PREVIOUS_SECRET_FILE", path)];
    assert_eq!(found(&both, OLD), Some(SignedWith::Previous));
}

#[test]
fn secrets_that_cannot_be_meant_so_are_named_and_not_shown() {
    for (pairs, expected) in [
        (&[(SETTING, "short")][..], "webhook.secret: has fewer than 32 bytes"),
        (&[(SETTING, NEW), (PREVIOUS, "short")], "webhook.previous_secret: has fewer than 32 bytes"),
        (&[(PREVIOUS, OLD)], "webhook.previous_secret: is what webhook.secret replaces, which is missing"),
        (&[(SETTING, OLD), (PREVIOUS, OLD)], "webhook.previous_secret: is the same as webhook.secret"),
    ] {
        let found = problems(&with_secret(pairs));
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
        assert!(!format!("{found:?}").contains("short") && !format!("{found:?}").contains("programs"));
    }
}
