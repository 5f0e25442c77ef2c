//! The HTTP contract against the real thing: router, command bus, consumers, a SQLite file. Every answer is
//! checked for the one shape it must have (http-api.md section 1), whatever the test is about.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod contract;
mod kit;
mod notices;
mod reads;
mod sessions;
mod socket;
mod wire;
