//! Background tasks that are watched, errands that a stop waits for, signals that stop them, and logs.

mod errands;
mod health;
pub mod imports;
pub mod logs;
pub mod recycling;
pub mod self_check;
mod signals;
mod tasks;

pub use errands::{ERRAND_PATIENCE, Errands};
pub use health::{Health, TaskState};
pub use signals::stop_signal;
pub use tasks::{STOP_PATIENCE, Tasks};
