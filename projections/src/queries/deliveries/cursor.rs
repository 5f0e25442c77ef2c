//! Where a page of the delivery list ended.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Position;
use uuid::Uuid;

use super::DeliveryRow;

/// Where a page ended; opaque to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryCursor {
    pub(super) position: Position,
    pub(super) id: Uuid,
}

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list")]
pub struct InvalidCursor;

impl DeliveryCursor {
    /// The place right behind a row.
    pub fn behind(row: &DeliveryRow) -> Self {
        Self { position: row.requested_position, id: row.id.0 }
    }
}

impl fmt::Display for DeliveryCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = format!("{}:{}", self.position, self.id.simple());
        f.write_str(&URL_SAFE_NO_PAD.encode(plain))
    }
}

impl FromStr for DeliveryCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let plain = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let plain = std::str::from_utf8(&plain).map_err(|_| InvalidCursor)?;
        let (position, id) = plain.split_once(':').ok_or(InvalidCursor)?;
        let position = position.parse().map_err(|_| InvalidCursor)?;
        Ok(Self { position, id: Uuid::try_parse(id).map_err(|_| InvalidCursor)? })
    }
}
