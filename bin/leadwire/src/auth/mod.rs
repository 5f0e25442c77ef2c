//! Who asks: tokens, failed log-ins, and the caller as the staff directory knows the person at this moment.
//!
//! A token names a person and an end. Role and state are read from the person's own stream on every request, so
//! that a suspension counts at once; the stream is in memory or one indexed probe away.

mod attempts;
mod caller;
mod tokens;

use infrastructure::credentials::Credentials;
use infrastructure::db::Db;

pub use attempts::{FAILURES_MAX, LoginAttempts, WINDOW_SECONDS};
pub use caller::{Authenticated, Refused, Session, bearer, caller_of, staff_caller};
pub use tokens::{Claims, TokenError, Tokens};

use crate::config::AuthSettings;

/// Everything about logging in.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Signs and checks tokens.
    pub tokens: Tokens,
    /// Passwords.
    pub credentials: Credentials,
    /// Failed log-ins.
    pub attempts: LoginAttempts,
}

impl Auth {
    /// With these settings, on this database.
    pub fn new(settings: &AuthSettings, db: Db) -> Self {
        Self {
            tokens: Tokens::new(&settings.jwt_secret, settings.token_life),
            credentials: Credentials::new(db),
            attempts: LoginAttempts::default(),
        }
    }
}
