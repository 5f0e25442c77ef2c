//! The clients of all providers against the simulator: what they send, what they make of every kind of answer, and
//! that a token is asked for once.
//!
//! Needs `LEADWIRE_TEST_POSTGRES`; without it the PostgreSQL half fails, it never skips.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

#[expect(dead_code, reason = "shared with the suite of the log, which uses the rest")]
#[path = "../conformance/kit.rs"]
mod database;
mod kit;
mod secrets;
mod tokens;
mod wechat;
mod wecom;
