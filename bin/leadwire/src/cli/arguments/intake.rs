//! The arguments of `leadwire intake`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::Output;

/// Longest rest between two runs of a daemon.
const INTERVAL_SECONDS_MAX: u64 = 24 * 60 * 60;

/// Members that somebody else writes.
#[derive(Debug, Subcommand)]
pub(crate) enum IntakeCommand {
    /// Make the capture table and the triggers in the source; again is harmless
    #[command(after_help = "Example:
  leadwire intake install --source crm --dry-run
  leadwire intake install --source mysql://installer@db/crm --table members")]
    Install(IntakeInstall),
    /// Remove exactly what install made
    #[command(after_help = "Example:
  leadwire intake uninstall --source crm --dry-run
  leadwire intake uninstall --source crm")]
    Uninstall(IntakeUninstall),
    /// Look at privileges, capture table and triggers of the source, and whether a probe arrives
    #[command(after_help = "Example:
  leadwire intake check --source crm
  leadwire intake check --source crm --mode poll --json")]
    Check(IntakeCheck),
    /// Show how far each source is: rows that wait, rows put aside, the last run
    #[command(after_help = "Example:
  leadwire intake status
  leadwire intake status --source crm --json")]
    Status(IntakeStatus),
    /// Count the members by where they came from, and the codes in their rows that nobody knows
    #[command(after_help = "Example:
  leadwire intake statistics
  leadwire intake statistics --json")]
    Statistics(IntakeStatistics),
    /// Work off what was captured; a running service does so by itself
    #[command(after_help = "Example:
  leadwire intake run --once
  leadwire intake run --daemon --interval 5m")]
    Run(IntakeRun),
    /// Compare source and store, and take note of what nobody captured
    #[command(after_help = "Example:
  leadwire intake reconcile --source crm
  leadwire intake reconcile --source crm --all
  leadwire intake reconcile --source crm --accept-deletions")]
    Reconcile(IntakeReconcile),
    /// Show the rows that were put aside, and why
    #[command(after_help = "Example:
  leadwire intake parked --source crm
  leadwire intake parked --source crm --skip 100")]
    Parked(IntakeParked),
    /// Let rows that were put aside be tried again
    #[command(after_help = "Example:
  leadwire intake retry --source crm
  leadwire intake retry --source crm 42 43")]
    Retry(IntakeRetry),
    /// Register the members of a file: .csv, .xlsx, .xls
    #[command(after_help = "Example:
  leadwire intake import members.xlsx --dry-run
  leadwire intake import members.csv")]
    Import(IntakeImport),
}

/// Which table of which database.
#[derive(Debug, Clone, Args)]
pub(crate) struct Which {
    /// Name of a configured source, or an address: mysql://…, postgres://…, sqlite:… All that are configured when left out
    #[arg(long, value_name = "NAME|URL")]
    pub(crate) source: Option<String>,
    /// What a source given by its address is called; the database's name when left out
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The table; system S's `members` when left out
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// File that says what the columns of another table mean
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// How changes become known; triggers unless configured otherwise
    #[arg(long, value_enum)]
    pub(crate) mode: Option<ModeArgument>,
}

/// How changes become known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModeArgument {
    /// Triggers write them down.
    Triggers,
    /// The table is read by its updated_at and key.
    Poll,
}

/// Flags of `intake install`.
#[derive(Debug, Args)]
pub(crate) struct IntakeInstall {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Print the statements and run none
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake uninstall`.
#[derive(Debug, Args)]
pub(crate) struct IntakeUninstall {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Print the statements and run none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Remove captured rows that nobody finished; they are lost
    #[arg(long)]
    pub(crate) discard: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake check`.
#[derive(Debug, Args)]
pub(crate) struct IntakeCheck {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake status`.
#[derive(Debug, Args)]
pub(crate) struct IntakeStatus {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake statistics`.
#[derive(Debug, Args)]
pub(crate) struct IntakeStatistics {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake run`.
#[derive(Debug, Args)]
pub(crate) struct IntakeRun {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Work until nothing is left, then end; so it is when neither is given
    #[arg(long, conflicts_with = "daemon")]
    pub(crate) once: bool,
    /// Work, rest, and work again until Ctrl-C or SIGTERM
    #[arg(long)]
    pub(crate) daemon: bool,
    /// How long a daemon rests: 30s, 5m, 1h
    #[arg(long, default_value = "5m", value_parser = interval, requires = "daemon")]
    pub(crate) interval: Duration,
    /// Write more log lines
    #[arg(long)]
    pub(crate) debug: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake reconcile`.
#[derive(Debug, Args)]
pub(crate) struct IntakeReconcile {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Take note of members too who registered before the first run on this source
    #[arg(long)]
    pub(crate) all: bool,
    /// Delete the members whose rows are gone, although they are very many
    #[arg(long)]
    pub(crate) accept_deletions: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake parked`.
#[derive(Debug, Args)]
pub(crate) struct IntakeParked {
    #[command(flatten)]
    pub(crate) which: Which,
    /// How many, from the oldest on
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=2000))]
    pub(crate) limit: u32,
    /// How many to pass over before them
    #[arg(long, default_value_t = 0)]
    pub(crate) skip: u64,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake retry`.
#[derive(Debug, Args)]
pub(crate) struct IntakeRetry {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Their numbers, as `leadwire intake parked` shows them; all when left out
    pub(crate) numbers: Vec<i64>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `intake import`.
#[derive(Debug, Args)]
pub(crate) struct IntakeImport {
    /// The file; its header names columns as `member_no`, `phone`, … or as 会员编号, 手机号, …
    pub(crate) file: PathBuf,
    /// Say what is wrong with it and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Reads a time with its unit.
fn interval(text: &str) -> Result<Duration, String> {
    let rule = || format!("is a time of 1s to {}h, such as 30s, 5m or 1h", INTERVAL_SECONDS_MAX / 3600);
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => return Err(rule()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| rule())?;
    let seconds = number.checked_mul(unit).filter(|seconds| (1..=INTERVAL_SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_unit() {
        for (text, seconds) in [("1s", 1), ("5m", 300), ("24h", 86_400)] {
            assert_eq!(interval(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "5", "m", "0s", "25h", "5分", "-1s", "99999999999999999999s", "18446744073709551615h"]
        {
            assert!(interval(text).is_err(), "{text}");
        }
    }
}
