//! The secret that signs messages of members (`POST /api/intake/members`).

use infrastructure::signed_messages::MessageKey;
use secrecy::{ExposeSecret as _, SecretString};

use super::reader::Reader;

const SECRET: &str = "webhook.secret";
const SECRET_FILE: &str = "webhook.secret_file";

/// `None` when it is not configured, or too short, which is noted.
pub(super) fn webhook(reader: &mut Reader) -> Option<MessageKey> {
    let filled = |secret: &SecretString| !secret.expose_secret().is_empty();
    let secret = reader.secret(SECRET, SECRET_FILE).filter(filled)?;
    MessageKey::new(secret).map_err(|error| reader.problem(SECRET, error.to_string())).ok()
}
