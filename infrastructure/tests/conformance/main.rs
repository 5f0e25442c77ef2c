//! One suite for both databases: what the database layer and the event log promise; and for the three that members are
//! captured in.
//!
//! Needs `LEADWIRE_TEST_POSTGRES`, and `LEADWIRE_TEST_MARIADB` for the sources of members; without them their part fails,
//! it never skips.
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
mod intake;
mod kit;
mod numbers;
mod read;
mod recount;
mod scheduler;
mod service_tokens;
mod sessions;
mod transfer_previews;
