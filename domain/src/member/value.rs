//! What a column of a member can hold, and how it is read from the text that a database, a file or a form gives.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::codes::{CODE_CHARS_MAX, Code, MemberCode};
use crate::contact::{InvalidWechatId, Phone, WECHAT_ID_CHARS_MAX, WechatId, mask};

/// Most characters of a member's phone as other programs write it; a number with prefix and extension fits.
pub const MEMBER_PHONE_CHARS_MAX: usize = 32;

/// Most characters of a short text: a name, a place, an occupation.
pub const SHORT_TEXT_CHARS_MAX: usize = 500;

/// Most characters of what members and staff write at length, and of an address of a picture, which may be a signed one.
pub const LONG_TEXT_CHARS_MAX: usize = 5000;

/// Most characters of a member number.
pub const MEMBER_NUMBER_CHARS_MAX: usize = 64;

/// One value of one column, whatever its type: what `MemberUpdated` carries as old and new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text; a code in its first spelling.
    Text(String),
}

/// Why a text is no value of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldFault {
    /// A whole number is wanted.
    #[error("必须是整数")]
    NotANumber,
    /// Yes or no is wanted.
    #[error("必须是是或否")]
    NotAFlag,
    /// The text is longer than anything this column is for.
    #[error("不能超过{max}个字符")]
    TooLong {
        /// Most characters.
        max: usize,
    },
}

/// A type that a column can have.
pub(super) trait Column: Sized {
    /// The value, without its type.
    fn value(&self) -> FieldValue;

    /// The value with its type; `None` when it is of another type.
    fn of(value: &FieldValue) -> Option<Self>;

    /// Reads a text that is not blank. `max` is the most characters of the column.
    fn read(text: &str, max: usize) -> Result<Self, FieldFault>;

    /// The value as people read it.
    fn shown(&self) -> String {
        self.value().plain()
    }

    /// The code, when it is one that its table does not have.
    fn unknown_code(&self) -> Option<&str> {
        None
    }
}

impl FieldValue {
    /// The value as people read it when nothing is known of its column.
    pub(super) fn plain(&self) -> String {
        match self {
            Self::Flag(true) => "是".to_owned(),
            Self::Flag(false) => "否".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Refuses a text that is too long.
fn fitting(text: &str, max: usize) -> Result<&str, FieldFault> {
    let text = text.trim();
    if text.chars().count() > max { Err(FieldFault::TooLong { max }) } else { Ok(text) }
}

impl Column for String {
    fn value(&self) -> FieldValue {
        FieldValue::Text(self.clone())
    }

    fn of(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn read(text: &str, max: usize) -> Result<Self, FieldFault> {
        fitting(text, max).map(str::to_owned)
    }
}

impl Column for i64 {
    fn value(&self) -> FieldValue {
        FieldValue::Number(*self)
    }

    fn of(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn read(text: &str, _: usize) -> Result<Self, FieldFault> {
        let text = text.trim();
        // A spreadsheet writes 1990 as 1990.0, and a DECIMAL column 170 as 170.00.
        let whole = match text.split_once('.') {
            Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
            _ => text,
        };
        whole.parse().map_err(|_| FieldFault::NotANumber)
    }
}

impl Column for bool {
    fn value(&self) -> FieldValue {
        FieldValue::Flag(*self)
    }

    fn of(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    fn read(text: &str, _: usize) -> Result<Self, FieldFault> {
        match text.trim().to_lowercase().as_str() {
            "1" | "true" | "t" | "yes" | "是" => Ok(true),
            "0" | "false" | "f" | "no" | "否" => Ok(false),
            _ => Err(FieldFault::NotAFlag),
        }
    }
}

impl<T: MemberCode> Column for Code<T> {
    fn value(&self) -> FieldValue {
        FieldValue::Text(self.as_str().to_owned())
    }

    fn of(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Text(text) => Some(Self::read(text)),
            _ => None,
        }
    }

    fn read(text: &str, _: usize) -> Result<Self, FieldFault> {
        fitting(text, CODE_CHARS_MAX).map(Self::read)
    }

    fn shown(&self) -> String {
        self.label().to_owned()
    }

    fn unknown_code(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(text) => Some(text),
        }
    }
}

/// A member's number 会员编号, typed by people: trimmed, not blank, unique.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberNumber(String);

/// A member's phone 手机号. A Chinese number in its normal form; anything else that another program wrote stays as it
/// is, because a member with an odd phone is a member. Its `Debug` masks itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberPhone(String);

/// A text that only people who need it may see: a real name, an identity card. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Private(String);

/// The three texts above are columns alike.
macro_rules! text_column {
    ($name:ident, $read:expr) => {
        impl $name {
            /// The text itself. For storage, guards and people who may see it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Column for $name {
            fn value(&self) -> FieldValue {
                FieldValue::Text(self.0.clone())
            }

            fn of(value: &FieldValue) -> Option<Self> {
                match value {
                    FieldValue::Text(text) => Some(Self(text.clone())),
                    _ => None,
                }
            }

            fn read(text: &str, max: usize) -> Result<Self, FieldFault> {
                let read: fn(&str) -> String = $read;
                fitting(text, max).map(|text| Self(read(text)))
            }
        }
    };
}

text_column!(MemberNumber, str::to_owned);
text_column!(MemberPhone, |text| Phone::parse(text).map_or_else(|_| text.to_owned(), |p| p.as_str().into()));
text_column!(Private, str::to_owned);

impl MemberPhone {
    /// The number with its middle hidden; a text that is no number shows its first 3 characters at most.
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

impl From<Phone> for MemberPhone {
    fn from(phone: Phone) -> Self {
        Self(phone.as_str().to_owned())
    }
}

impl fmt::Debug for MemberPhone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberPhone({})", self.masked())
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private(***)")
    }
}

impl Column for WechatId {
    fn value(&self) -> FieldValue {
        FieldValue::Text(self.as_str().to_owned())
    }

    fn of(value: &FieldValue) -> Option<Self> {
        match value {
            FieldValue::Text(text) => Self::parse(text).ok().flatten(),
            _ => None,
        }
    }

    fn read(text: &str, _: usize) -> Result<Self, FieldFault> {
        let too_long = FieldFault::TooLong { max: WECHAT_ID_CHARS_MAX };
        // A blank text never gets here.
        Self::parse(text).map_err(|InvalidWechatId| too_long)?.ok_or(too_long)
    }
}
