//! Background tasks that are watched, signals that stop them, and logs.

mod health;
pub mod imports;
pub mod logs;
pub mod recycling;
pub mod self_check;
mod signals;
mod tasks;

pub use health::{Health, TaskState};
pub use signals::stop_signal;
pub use tasks::{STOP_PATIENCE, Tasks};
