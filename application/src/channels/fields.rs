//! The fields of WeChat's templates: which keys there are, what they may show, and what they show of a notice.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use super::body::Fields;
use super::wechat_subscribe::{FieldKind, VALUE_NAMES, Value};

/// Why the fields of a template are refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldsError {
    /// A template has so many fields.
    #[error("a template of this kind has {min} to {max} fields, not {found}")]
    Count {
        /// At least.
        min: usize,
        /// At most.
        max: usize,
        /// What was configured.
        found: usize,
    },
    /// The key is not one of WeChat's, e.g. `thing1`.
    #[error("{0} is not a field key of a template, such as thing1 or time2")]
    Key(String),
    /// The same key twice.
    #[error("{0} is named twice")]
    Twice(String),
    /// No notice has such a value.
    #[error("{name} is not a value of a notice; known are {}", VALUE_NAMES.join(", "))]
    ValueName {
        /// What was configured.
        name: String,
    },
}

/// Checks the fields of a template.
pub(super) fn check_fields(
    fields: &[(String, String)],
    count: &RangeInclusive<usize>,
) -> Result<(), FieldsError> {
    if !count.contains(&fields.len()) {
        return Err(FieldsError::Count { min: *count.start(), max: *count.end(), found: fields.len() });
    }
    for (at, (key, value)) in fields.iter().enumerate() {
        if FieldKind::of_key(key).is_none() {
            return Err(FieldsError::Key(key.clone()));
        }
        if fields[..at].iter().any(|(earlier, _)| earlier == key) {
            return Err(FieldsError::Twice(key.clone()));
        }
        if !VALUE_NAMES.contains(&value.as_str()) {
            return Err(FieldsError::ValueName { name: value.clone() });
        }
    }
    Ok(())
}

/// What the fields show: every field, each value within the rules of its field.
pub(super) fn shown(
    fields: &[(String, String)],
    values: &BTreeMap<&'static str, Value>,
    at: DateTime<Utc>,
) -> Fields {
    let show = |(key, name): &(String, String)| {
        // Only checked settings reach this; an unknown key is shown as the most tolerant kind.
        let kind = FieldKind::of_key(key).unwrap_or(FieldKind::Thing);
        (key.clone(), kind.show(values.get(name.as_str()), at))
    };
    Fields(fields.iter().map(show).collect())
}
