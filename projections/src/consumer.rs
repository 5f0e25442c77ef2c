//! A consumer reads the log in order and keeps something up to date with it: a read model, or the policies.
//!
//! One owner at a time: the row in `consumers` holds a lease with owner, epoch and expiry. Moving the checkpoint is
//! the first statement of the transaction that writes the page, and asks for owner, epoch and old position: an
//! owner that was robbed of its lease writes nothing (architecture.md section 4). The log is read on a signal or
//! after a period, along the same path; the signal carries no input.

mod failure;
mod lease;
mod progress;
mod run;

pub use failure::HandleError;
pub use lease::{
    ConsumerState, ConsumerStatus, Consumers, LEASE_SECONDS, Lease, RENEW_SECONDS, STATEMENTS, create_table,
};
pub(crate) use lease::{POSITION, register};
pub use progress::Progress;
pub use run::{Consumer, Handler, IDLE_PERIOD, PAGE_EVENTS};
