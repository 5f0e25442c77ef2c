//! One suite for both databases: what the database layer and the event log promise.
//!
//! Needs `LEADWIRE_TEST_POSTGRES`; without it the PostgreSQL half fails, it never skips.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails; helpers are not seen as tests")]

mod append;
mod attachments;
mod bus;
mod callbacks;
mod counts;
mod crash;
mod credentials;
mod database;
mod guards;
mod kit;
mod numbers;
mod read;
mod recount;
mod scheduler;
mod service_tokens;
mod sessions;
mod transfer_previews;
