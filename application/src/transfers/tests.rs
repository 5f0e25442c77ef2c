//! Runs on a log in memory: who gets what, who keeps what, and what a crash between any two steps leaves.

mod crashes;
mod office;
mod outlooks;
mod past;
mod previews;
mod rules;
mod runs;

use domain::StaffId;
use domain::staff::Role;
use domain::transfer_rule::run::{TransferRunCompleted, TransferRunStarted};

use super::*;
use crate::bus::ExecuteError;
use crate::customers::tests::memory::ready;
use office::*;

/// What a step refuses.
fn refused<T>(result: Result<T, TransferError>) -> TransferRefusal {
    match result {
        Err(ExecuteError::Refused(refusal)) => refusal,
        Err(other) => panic!("neither done nor refused: {other}"),
        Ok(_) => panic!("done, not refused"),
    }
}
