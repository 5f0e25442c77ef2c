//! The arguments of `leadwire recycle`.

use clap::{Args, Subcommand};
use domain::RecycleRunId;
use projections::queries::recycling::RUNS_PAGE_MAX;

use super::Output;

/// Recycle rules.
#[derive(Debug, Subcommand)]
pub(crate) enum RecycleCommand {
    /// Show the runs in which leads fell back into the public pool, the latest hour first
    #[command(after_help = "Example:
  leadwire recycle runs
  leadwire recycle runs --limit 5 --json")]
    Runs(RecycleRuns),
    /// Show what became of each lead of a run, and why
    #[command(after_help = "Example:
  leadwire recycle explain 7c1f9a52-6b1c-5d0a-9d63-2f1d7ac0f1b7
  leadwire recycle explain 7c1f9a52-6b1c-5d0a-9d63-2f1d7ac0f1b7 --all --json")]
    Explain(RecycleExplain),
}

/// Flags of `recycle runs`.
#[derive(Debug, Args)]
pub(crate) struct RecycleRuns {
    /// How many, the latest
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(RUNS_PAGE_MAX)))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `recycle explain`.
#[derive(Debug, Args)]
pub(crate) struct RecycleExplain {
    /// Id of the run
    pub(crate) run: RecycleRunId,
    /// Show every lead of the run, however many they are
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}
