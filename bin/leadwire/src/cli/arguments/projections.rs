//! The arguments of `leadwire projections`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use projections::ReadModel;

use super::Output;

/// Read models.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionsCommand {
    /// Show every consumer and how far it is
    #[command(after_help = "Example:
  leadwire projections list")]
    List(ProjectionsList),
    /// Make a read model again from the log, also beside a running service on PostgreSQL
    #[command(after_help = "Example:
  leadwire projections rebuild customer_list
  leadwire projections rebuild --all --keep")]
    Rebuild(ProjectionsRebuild),
    /// Go back to the tables that a rebuild with --keep replaced
    #[command(after_help = "Example:
  leadwire projections rollback customer_list")]
    Rollback(ProjectionsRollback),
    /// Let a consumer go on that stopped with an error or was paused; the cause should be repaired
    #[command(after_help = "Example:
  leadwire projections resume policy")]
    Resume(ProjectionsResume),
}

/// Flags of `projections list`.
#[derive(Debug, Args)]
pub(crate) struct ProjectionsList {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `projections rebuild`.
#[derive(Debug, Args)]
pub(crate) struct ProjectionsRebuild {
    /// Which one
    #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = read_model())]
    pub(crate) name: Option<ReadModel>,
    /// Every read model, one after the other
    #[arg(long)]
    pub(crate) all: bool,
    /// Keep the replaced tables, for `projections rollback`
    #[arg(long)]
    pub(crate) keep: bool,
    /// Switch even when the rebuilt tables differ from the live ones
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `projections rollback`.
#[derive(Debug, Args)]
pub(crate) struct ProjectionsRollback {
    /// Which one
    #[arg(value_parser = read_model())]
    pub(crate) name: ReadModel,
}

/// Flags of `projections resume`.
#[derive(Debug, Args)]
pub(crate) struct ProjectionsResume {
    /// Name of the consumer, as `projections list` shows it
    pub(crate) name: String,
}

/// One of all the read models that there are; help and refusals list them.
fn read_model() -> impl TypedValueParser<Value = ReadModel> {
    let names = ReadModel::ALL.iter().map(|model| model.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ReadModel>())
}
