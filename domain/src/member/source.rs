//! Where a member came from, and how a row is recognised when it is seen again (domain.md section 4).

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::fields::MemberFields;
use crate::code_table;

code_table! {
    /// A way to become a member that is Leadwire's own, by the name under which statistics count it. No program and no
    /// database may be called so: its members would be counted among others.
    OwnSource {
        /// Somebody of the staff typed it in.
        Staff = "staff",
        /// The person filled in the public form.
        Public = "public",
        /// A file that was imported.
        File = "file",
        /// A signed message that names no program.
        Message = "webhook",
    }
}

/// A row of somebody else's table: the natural key of a captured member.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceKey {
    /// Name of the source, as the configuration calls it; never an address, which would hold a password.
    pub source: String,
    /// The table.
    pub table: String,
    /// The primary key, as text.
    pub key: String,
}

/// By which way a member came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "row")]
pub enum MemberSource {
    /// Somebody of the staff typed it in.
    Staff,
    /// The person filled in the public form.
    Public,
    /// A row of another program's table, a line of a file, an item of a signed message.
    Row(SourceKey),
}

impl MemberSource {
    /// The name under which statistics count it.
    pub fn name(&self) -> &str {
        match self {
            Self::Staff => OwnSource::Staff.as_str(),
            Self::Public => OwnSource::Public.as_str(),
            Self::Row(row) => &row.source,
        }
    }

    /// The row, when it is one.
    pub fn row(&self) -> Option<&SourceKey> {
        match self {
            Self::Row(row) => Some(row),
            Self::Staff | Self::Public => None,
        }
    }
}

/// A hash of a whole row: the same row seen again has the same one. SHA-256, hex.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowFingerprint(String);

impl RowFingerprint {
    /// Of the columns that Leadwire knows and the mark of deletion.
    pub fn of(fields: &MemberFields, deleted: bool) -> Self {
        let mut hash = Sha256::new();
        for field in super::MemberField::ALL {
            hash.update(field.as_str().as_bytes());
            // What tells a NULL from a text, and one column from the next: bytes that no text holds.
            match fields.get(*field) {
                None => hash.update([0xff]),
                Some(value) => {
                    hash.update([0xfe]);
                    hash.update(value.plain().as_bytes());
                }
            }
            hash.update([0xfd]);
        }
        hash.update([u8::from(deleted)]);
        let hex = |mut hex: String, byte: &u8| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        };
        Self(hash.finalize().iter().fold(String::new(), hex))
    }

    /// A hash that the intake took over more columns than Leadwire knows.
    pub fn taken(hash: String) -> Self {
        Self(hash)
    }

    /// The hash as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
