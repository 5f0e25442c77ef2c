//! What is derived from the log: read models with their queries, and the consumers that keep them up to date.
//!
//! Read [`consumer`] first (leases, checkpoints, the loop), then [`read_models`] (what is kept, and how an event
//! changes it), then [`queries`] (what can be asked), then [`rebuild`] (making a read model again while it is in
//! use). Nothing there decides or sends anything, and all of it can be thrown away and made again. The exception is
//! [`policy_runner`]: it asks the policies who should learn what, appends the answers to the log, and is never
//! rebuilt; and [`callbacks`], which appends what WeChat told us, and
//! [`lead_transfer`], the job that lets transfer rules hand leads on.

pub mod callbacks;
pub mod consumer;
pub mod lead_transfer;
pub mod policy_runner;
pub mod projections;
pub mod queries;
pub mod read_models;
pub mod rebuild;
mod schema;
mod table;
#[cfg(test)]
mod tests;

pub use callbacks::CallbackWorker;
pub use consumer::{
    Consumer, ConsumerState, ConsumerStatus, Consumers, HandleError, Handler, Lease, Progress,
};
pub use policy_runner::PolicyRunner;
pub use projections::Projections;
pub use read_models::ReadModel;
pub use schema::migrate;
