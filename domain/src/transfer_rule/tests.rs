//! The rules of a transfer rule, one sentence each.
