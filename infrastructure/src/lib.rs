//! What stands between Leadwire and the machine: database, event log, clock, ids, provider clients.
//!
//! Each module implements ports of `application` or owns its tables; none decides anything.

pub mod bus;
pub mod callbacks;
pub mod channel_control;
pub mod chores;
pub mod clock;
pub mod credentials;
pub mod customer_numbers;
pub mod db;
pub mod dispatcher;
pub mod doctor;
pub mod event_log;
pub mod ids;
pub mod intake;
pub mod janitor;
pub mod jwks;
pub mod outbox;
pub mod provider_http;
pub mod provider_tokens;
pub mod randomness;
pub mod recount;
pub mod releaser;
pub mod scheduler;
pub mod self_check;
pub mod service_tokens;
pub mod sessions;
pub mod settler;
pub mod signed_messages;
pub mod signs;
pub mod spreadsheet;
pub mod transfer_previews;
pub mod unique_values;
pub mod upcasters;
pub mod wechat;
pub mod wecom;
mod wishes;
