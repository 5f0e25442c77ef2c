//! Names, flags, help texts and examples of every command, and nothing that acts.

mod deliveries;
mod events;
mod intake;
mod projections;
mod recycle;
mod schedules;
mod staff;
mod templates;
#[cfg(test)]
mod tests;
mod tokens;
mod transfer;

use std::fmt::Display;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use deliveries::{
    ChannelsCommand, ChannelsList, ChannelsPause, ChannelsResume, ChannelsTest, DecisionsArguments,
    DeliveriesCommand, DeliveriesDiscard, DeliveriesList, DeliveriesProcess, DeliveriesReconcile,
    DeliveriesRetry, DeliveriesSettle, DeliveriesShow, DeliveriesStats, Narrowed, StatsBy,
};
pub(crate) use events::{EventsCommand, EventsExport, EventsReplay, EventsShow, EventsTail, Personal};
pub(crate) use intake::{
    IntakeCheck, IntakeCommand, IntakeImport, IntakeInstall, IntakeParked, IntakeReconcile, IntakeRetry,
    IntakeRun, IntakeStatistics, IntakeStatus, IntakeUninstall, ModeArgument, Which,
};
pub(crate) use projections::{
    ProjectionsCommand, ProjectionsList, ProjectionsRebuild, ProjectionsResume, ProjectionsRollback,
};
pub(crate) use recycle::{RecycleCommand, RecycleExplain, RecycleRuns};
pub(crate) use schedules::{SchedulesCommand, SchedulesList};
pub(crate) use staff::{
    StaffBindWechat, StaffBindWecom, StaffCommand, StaffCreate, StaffList, StaffOne, StaffRecount,
    StaffSetPassword, StaffUnbindWecom, StaffUpdate,
};
pub(crate) use templates::{TemplatesCommand, TemplatesDraft, TemplatesPreview};
pub(crate) use tokens::{TokensCommand, TokensCreate, TokensList, TokensRevoke};
pub(crate) use transfer::{
    TransferCommand, TransferExplain, TransferList, TransferPredict, TransferRun, TransferWhatIf,
};

use crate::demo::DemoArguments;

/// Leadwire assigns customer leads and makes sure that the right person hears about it, once.
#[derive(Debug, Parser)]
#[command(name = "leadwire", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Settings file; leadwire.toml in this folder when there is one
    #[arg(long, global = true, env = "LEADWIRE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One variant a family of commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service until Ctrl-C or SIGTERM
    Serve(ServeArguments),
    /// Play one scenario on real parts and show who was told what
    Demo(DemoArguments),
    /// Create the database or bring its tables up to date
    Migrate(MigrateArguments),
    /// Accounts, passwords, WeChat bindings, and how many leads each person is counted to have
    #[command(subcommand)]
    Staff(StaffCommand),
    /// Service tokens of machine callers
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Read the event log: tail, show, replay to any moment, export
    #[command(subcommand)]
    Events(EventsCommand),
    /// Read models: where they stand, rebuild them
    #[command(subcommand)]
    Projections(ProjectionsCommand),
    /// Deliveries: list, every attempt of one, send again, give up, settle, figures, reconcile
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// Channels: how each does, one test message, pause and resume
    #[command(subcommand)]
    Channels(ChannelsCommand),
    /// Jobs: when each runs next, and what came of its last run
    #[command(subcommand)]
    Schedules(SchedulesCommand),
    /// Transfer rules: what each would do, run one, try one on the past, what a run did and why
    #[command(subcommand)]
    Transfer(TransferCommand),
    /// Recycle rules: which leads fell back into the public pool, run by run
    #[command(subcommand)]
    Recycle(RecycleCommand),
    /// Members that somebody else writes into a database: capture, work off, compare
    #[command(subcommand)]
    Intake(IntakeCommand),
    /// The words of notices: draft, preview, publish, roll back
    #[command(subcommand)]
    Templates(TemplatesCommand),
    /// Show what was decided for one event: who, through what, and why not
    Decisions(DecisionsArguments),
    /// Look for everything that should not be: holes in the log, lost or orphaned work, counts and lists that are wrong
    Doctor(DoctorArguments),
    /// Settings
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "Exit code 0: everything holds. 1: something is wrong, and is named with what to do.

Example:
  leadwire doctor
  leadwire doctor --fix")]
pub(crate) struct DoctorArguments {
    /// Make anew what is derived from the log and differs from it; what is not derived is only named
    #[arg(long)]
    pub(crate) fix: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `serve`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  LEADWIRE_AUTH__JWT_SECRET=$(openssl rand -hex 32) leadwire serve
  leadwire serve --config /etc/leadwire.toml --roles worker")]
pub(crate) struct ServeArguments {
    /// What this process does: api answers HTTP, worker keeps read models, decides on notices and sends them
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["api", "worker"])]
    pub(crate) roles: Vec<ServeRole>,
}

/// A role on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServeRole {
    /// Answers HTTP.
    Api,
    /// Works in the background.
    Worker,
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `migrate`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  LEADWIRE_DATABASE__URL=postgres://leadwire@db/leadwire leadwire migrate")]
pub(crate) struct MigrateArguments {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings in force, secrets hidden, and everything that is wrong with them
    #[command(after_help = "Example:
  leadwire config check --config /etc/leadwire.toml")]
    Check(ConfigCheck),
}

/// Flags of `config check`.
#[derive(Debug, Args)]
pub(crate) struct ConfigCheck {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Reads a word of a code table. Any other is refused with all that there are: whoever mistypes one need not look them up.
fn one_of<T>(all: &'static [T]) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: Copy + Display,
{
    move |text| {
        let found = all.iter().copied().find(|known| known.to_string() == text);
        found.ok_or_else(|| {
            let known: Vec<String> = all.iter().map(T::to_string).collect();
            format!("is one of {}", known.join(", "))
        })
    }
}
