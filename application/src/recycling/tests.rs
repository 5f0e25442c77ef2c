//! Recycling on a log in memory: who falls, who is warned and reminded, who wins a race, what a crash leaves.

mod falls;
mod office;
mod people;
mod runs;

use super::*;
use office::*;

/// What a step refuses.
fn refused<T: std::fmt::Debug>(result: Result<T, RecycleError>) -> RecycleRefusal {
    match result {
        Err(ExecuteError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
