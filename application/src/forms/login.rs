//! The form that logs somebody in.

use std::fmt;

use domain::staff::normalise_username;
use serde_json::Value;

use super::fields::{Fields, Null};
use super::{FieldError, PASSWORD_CHARS_MAX, Rule};

/// `POST /api/auth/login`. Its `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Login name, normalised.
    pub username: String,
    /// The password as typed.
    pub password: String,
}

impl Login {
    /// Reads the body. System A's `openid` is allowed and ignored: what a client says about itself binds nobody
    /// (http-api.md section 3).
    pub fn parse(body: Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body, Null::Absent)?;
        let username = fields.required("username", |value| match value {
            Value::String(text) => normalise_username(&text).map_err(|_| Rule::Username),
            _ => Err(Rule::NotText),
        });
        let typed = fields.take("password").unwrap_or(Value::Null);
        let password = fields.read("password", typed, password);
        fields.take("openid");
        fields.finish(username.zip(password).map(|(username, password)| Self { username, password }))
    }
}

/// A password is never trimmed: blanks may be part of it.
pub(super) fn password(value: Value) -> Result<String, Rule> {
    match value {
        Value::Null => Err(Rule::Required),
        Value::String(text) if text.is_empty() => Err(Rule::Required),
        Value::String(text) if text.chars().count() > PASSWORD_CHARS_MAX => {
            Err(Rule::TooLong { max: PASSWORD_CHARS_MAX })
        }
        Value::String(text) => Ok(text),
        _ => Err(Rule::NotText),
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}
