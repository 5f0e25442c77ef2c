//! The delivery engine against the WeChat simulator, on both databases: what the recipient really got, what the
//! notice says, and what became of the credit.
//!
//! Needs `LEADWIRE_TEST_POSTGRES`; without it the PostgreSQL half fails, it never skips.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

mod awake;
mod crash;
#[expect(dead_code, reason = "shared with the suite of the log, which uses the rest")]
#[path = "../conformance/kit.rs"]
mod database;
mod digest_route;
mod engine;
mod held;
mod hold;
mod outcomes;
mod parallel;
mod quiet;
mod recall;
mod requeue;
mod retention;
mod running;
mod scripted;
mod settle;
mod sleepers;
mod statements;
mod token;
mod world;
