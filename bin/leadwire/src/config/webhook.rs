//! The secrets that sign messages of members (`POST /api/intake/members`): one, and while it is being replaced the one
//! before it.

use infrastructure::signed_messages::{MessageKey, MessageKeys};
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;

const SECRET: &str = "webhook.secret";
const SECRET_FILE: &str = "webhook.secret_file";
const PREVIOUS: &str = "webhook.previous_secret";
const PREVIOUS_FILE: &str = "webhook.previous_secret_file";

/// `None` when there is none, or one that cannot be used, which is noted.
pub(super) fn webhook(reader: &mut Reader) -> Option<MessageKeys> {
    let secret = filled(reader, SECRET, SECRET_FILE);
    let previous = filled(reader, PREVIOUS, PREVIOUS_FILE);
    match (&secret, &previous) {
        (None, Some(_)) => reader.problem(PREVIOUS, format!("is what {SECRET} replaces, which is missing")),
        (Some(secret), Some(previous)) if secret.expose_secret() == previous.expose_secret() => {
            reader.problem(
                PREVIOUS,
                format!("is the same as {SECRET}; leave it out when nobody uses it any more"),
            );
        }
        _ => {}
    }
    let previous = previous.and_then(|secret| key(reader, PREVIOUS, secret));
    let current = key(reader, SECRET, secret?)?;
    Some(MessageKeys::new(current, previous))
}

fn filled(reader: &mut Reader, path: &str, file_path: &str) -> Option<SecretString> {
    reader.secret(path, file_path).filter(|secret| !secret.expose_secret().is_empty())
}

fn key(reader: &mut Reader, path: &str, secret: SecretString) -> Option<MessageKey> {
    MessageKey::new(secret).map_err(|error| reader.problem(path, error.to_string())).ok()
}
