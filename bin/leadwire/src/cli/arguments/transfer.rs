//! The arguments of `leadwire transfer`.

use std::path::PathBuf;

use application::transfers::WHAT_IF_DAYS;
use clap::{Args, Subcommand};
use domain::transfer_rule::run::Seed;

use super::Output;

/// Transfer rules.
#[derive(Debug, Subcommand)]
pub(crate) enum TransferCommand {
    /// Show every rule: whether it is on, what its runs moved
    #[command(after_help = "Example:
  leadwire transfer list --json")]
    List(TransferList),
    /// Show what a rule would do now; the hash names the plan, and `run` carries out exactly that
    #[command(after_help = "Example:
  leadwire transfer predict 闲置线索
  leadwire transfer predict 0190a1b2-6b1c-7d0a-9d63-2f1d7ac0f1b7 --json")]
    Predict(TransferPredict),
    /// Run a rule now, whatever the hour, or every rule that is on and within its hours
    #[command(after_help = "Example:
  leadwire transfer run 闲置线索 --plan-hash 5d41402abc4b2a76b9719d911017c592ae4f1c3a8b0d6e7f90123456789abcde
  leadwire transfer run --all --by wang")]
    Run(TransferRun),
    /// Try a rule on the last days: who would have gained and lost what. Nothing moves
    #[command(after_help = "Example:
  leadwire transfer what-if 闲置线索 --days 7
  leadwire transfer what-if --file candidate-rule.json --days 30 --json

candidate-rule.json, as POST /api/lead-transfer/rules takes it:
  {\"ruleName\": \"…\", \"triggerConditions\": {\"inactiveHours\": 48, \"contractStatuses\": [\"待定\"]},
   \"sourceUserIds\": [\"<id of staff list>\"], \"targetUserIds\": [\"<id of staff list>\"]}")]
    WhatIf(TransferWhatIf),
    /// Show what a run did and why, or why leads of a rule stay
    #[command(after_help = "Example:
  leadwire transfer explain 闲置线索
  leadwire transfer explain 7c1f9a52-6b1c-5d0a-9d63-2f1d7ac0f1b7")]
    Explain(TransferExplain),
}

/// Flags of `transfer list`.
#[derive(Debug, Args)]
pub(crate) struct TransferList {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `transfer predict`.
#[derive(Debug, Args)]
pub(crate) struct TransferPredict {
    /// Id or exact name of the rule
    pub(crate) rule: String,
    /// What chance begins with; another number each time without it
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<Seed>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `transfer run`.
#[derive(Debug, Args)]
pub(crate) struct TransferRun {
    /// Id or exact name of the rule
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(crate) rule: Option<String>,
    /// Exactly the plan that `transfer predict` showed; refused when something changed since
    #[arg(long, value_name = "HASH", conflicts_with = "all")]
    pub(crate) plan_hash: Option<String>,
    /// Every rule that is on and within its hours, the oldest first; one that fails holds up no other
    #[arg(long)]
    pub(crate) all: bool,
    /// Login name or id of who asks for it, an admin or a manager; without it the log says "cli"
    #[arg(long, value_name = "STAFF")]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `transfer what-if`.
#[derive(Debug, Args)]
pub(crate) struct TransferWhatIf {
    /// Id or exact name of a rule
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) rule: Option<String>,
    /// A rule that nobody wrote yet, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How many days, the last ones
    #[arg(long, value_parser = clap::value_parser!(u32).range(WHAT_IF_DAYS))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `transfer explain`.
#[derive(Debug, Args)]
pub(crate) struct TransferExplain {
    /// Id of a run, or id or exact name of a rule
    #[arg(value_name = "RUN|RULE")]
    pub(crate) what: String,
    #[command(flatten)]
    pub(crate) output: Output,
}
