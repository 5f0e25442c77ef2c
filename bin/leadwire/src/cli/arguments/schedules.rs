//! The arguments of `leadwire schedules`.

use clap::{Args, Subcommand};

use super::Output;

/// Jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// Show every job: when it runs next, and what came of its last run
    #[command(after_help = "Example:
  leadwire schedules list
  leadwire schedules list --json")]
    List(SchedulesList),
}

/// Flags of `schedules list`.
#[derive(Debug, Args)]
pub(crate) struct SchedulesList {
    #[command(flatten)]
    pub(crate) output: Output,
}
