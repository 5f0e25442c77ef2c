//! The customer number people quote on the phone: `CUS` and 11 digits (`customerId` in JSON).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Digits behind `CUS`.
const DIGITS: usize = 11;

/// A customer number 客户编号. Unique and monotonic; the store allocates it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomerNumber(String);

/// The text is not `CUS` and 11 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a customer number is CUS and 11 digits")]
pub struct InvalidCustomerNumber;

impl CustomerNumber {
    /// The `n`-th number.
    pub fn nth(n: u64) -> Self {
        Self(format!("CUS{n:0DIGITS$}"))
    }

    /// Reads a number back.
    pub fn parse(text: &str) -> Result<Self, InvalidCustomerNumber> {
        let digits = text.strip_prefix("CUS").ok_or(InvalidCustomerNumber)?;
        let valid = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidCustomerNumber) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CustomerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_eleven_digits_and_sort_by_age() {
        assert_eq!(CustomerNumber::nth(42).as_str(), "CUS00000000042");
        assert!(CustomerNumber::nth(99) < CustomerNumber::nth(100));
        assert!(CustomerNumber::parse("CUS70188905125").is_ok());
        for wrong in ["", "CUS1", "cus70188905125", "CUS7018890512x", "CUS701889051250"] {
            assert_eq!(CustomerNumber::parse(wrong), Err(InvalidCustomerNumber), "{wrong}");
        }
    }
}
