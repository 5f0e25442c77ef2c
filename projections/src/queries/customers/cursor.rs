//! Where a page of the list ended, opaque to callers: the order, the row's value in it, and its id.
//!
//! The value is in the cursor and not looked up, so that the next page begins at the same place also when the row
//! has changed or is gone meanwhile.

use std::fmt;
use std::str::FromStr;

use application::access::RowScope;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::super::roster::Entry;
use super::super::roster::order::{Column, Key, RowOrder};
use super::{CustomerFilter, SortBy, SortOrder};

/// Longest cursor that is looked at.
const CURSOR_BYTES_MAX: usize = 1024;

/// A place in the list of customers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerCursor {
    sort_by: SortBy,
    direction: SortOrder,
    value: Value,
    id: Uuid,
}

#[derive(Clone, PartialEq, Eq)]
enum Value {
    At(DateTime<Utc>),
    Text(Option<String>),
}

impl fmt::Debug for Value {
    /// A name or a phone: never in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this list")]
pub struct InvalidCustomerCursor;

impl CustomerCursor {
    /// Whether it belongs to the order the caller asks for.
    pub fn fits(&self, filter: &CustomerFilter) -> bool {
        self.order() == filter.order()
    }

    pub(super) fn order(&self) -> RowOrder {
        RowOrder { column: Column::Of(self.sort_by), direction: self.direction, reader: RowScope::All }
    }

    pub(super) fn key(&self) -> Key<'_> {
        match &self.value {
            Value::At(at) => Key::of_time(Some(*at), self.id),
            Value::Text(text) => Key::of_text(text.as_deref(), self.id),
        }
    }

    /// The place right behind a row.
    pub(super) fn behind(sort_by: SortBy, order: RowOrder, lead: &Entry) -> Self {
        let value = match sort_by {
            SortBy::CreatedAt => Value::At(lead.created_at),
            SortBy::UpdatedAt => Value::At(lead.updated_at),
            SortBy::Name => Value::Text(Some(lead.name.to_string())),
            SortBy::Phone => Value::Text(order.phone(lead).map(str::to_owned)),
        };
        Self { sort_by, direction: order.direction, value, id: lead.id }
    }
}

impl fmt::Display for CustomerCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match &self.value {
            Value::At(at) => at.timestamp_micros().to_string(),
            Value::Text(Some(text)) => format!("={text}"),
            Value::Text(None) => String::new(),
        };
        let plain = format!("{}:{}:{}:{value}", self.sort_by, self.direction, self.id.simple());
        f.write_str(&URL_SAFE_NO_PAD.encode(plain))
    }
}

impl FromStr for CustomerCursor {
    type Err = InvalidCustomerCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCustomerCursor> {
        if text.len() > CURSOR_BYTES_MAX {
            return Err(InvalidCustomerCursor);
        }
        let plain = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCustomerCursor)?;
        let plain = String::from_utf8(plain).map_err(|_| InvalidCustomerCursor)?;
        let parts: Vec<&str> = plain.splitn(4, ':').collect();
        let [sort_by, direction, id, value] = parts[..] else { return Err(InvalidCustomerCursor) };
        let sort_by: SortBy = sort_by.parse().map_err(|_| InvalidCustomerCursor)?;
        let value = match sort_by {
            SortBy::CreatedAt | SortBy::UpdatedAt => {
                let micros = value.parse().map_err(|_| InvalidCustomerCursor)?;
                Value::At(DateTime::from_timestamp_micros(micros).ok_or(InvalidCustomerCursor)?)
            }
            SortBy::Name | SortBy::Phone if value.is_empty() => Value::Text(None),
            SortBy::Name | SortBy::Phone => {
                Value::Text(Some(value.strip_prefix('=').ok_or(InvalidCustomerCursor)?.to_owned()))
            }
        };
        let direction = direction.parse().map_err(|_| InvalidCustomerCursor)?;
        let id = Uuid::try_parse(id).map_err(|_| InvalidCustomerCursor)?;
        Ok(Self { sort_by, direction, value, id })
    }
}
