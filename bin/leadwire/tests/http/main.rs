//! The HTTP contract against the real thing: router, command bus, consumers, a SQLite file. Every answer is
//! checked for the one shape it must have (http-api.md section 1), whatever the test is about.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod contract;
mod customer_lists;
mod customer_reads;
mod imports;
mod issuer;
mod kit;
mod member_messages;
mod members;
mod notices;
mod pool;
mod protection;
mod reads;
mod service_tokens;
mod sessions;
mod shapes;
mod socket;
mod socketio;
mod treatments;
mod users;
mod wechat_login;
mod wecom_binding;
mod wire;
