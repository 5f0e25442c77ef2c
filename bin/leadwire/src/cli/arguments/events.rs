//! The arguments of `leadwire events`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;
use crate::cli::moment::Moment;

/// The event log.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Print the last events, and with --follow those to come
    #[command(after_help = "Example:
  leadwire events tail --follow
  leadwire events tail --lines 100 --json | jq .event_type")]
    Tail(EventsTail),
    /// Print every event of one stream
    #[command(after_help = "Example:
  leadwire events show CUS00000000042
  leadwire events show staff-01890c24-905b-7122-b170-b60814e6ee06 --json")]
    Show(EventsShow),
    /// Print the state of a stream at any moment
    #[command(after_help = "Example:
  leadwire events replay CUS00000000042 --as-of 2026-11-21T09:00:00+08:00
  leadwire events replay CUS00000000042 --as-of '2026-11-21 09:00 Asia/Shanghai' --diff
  leadwire events replay CUS00000000042 --to-sequence 2")]
    Replay(EventsReplay),
    /// Write events as JSON lines
    #[command(after_help = "Example:
  leadwire events export --from 1 --to 5000 --out events.jsonl")]
    Export(EventsExport),
}

/// Whether personal data is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Personal {
    /// Print phones, openids and addresses as they are instead of masked
    #[arg(long)]
    pub(crate) show_personal_data: bool,
}

/// Flags of `events tail`.
#[derive(Debug, Args)]
pub(crate) struct EventsTail {
    /// Wait for more until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// How many of the last events
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=4096))]
    pub(crate) lines: u16,
    #[command(flatten)]
    pub(crate) personal: Personal,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `events show`.
#[derive(Debug, Args)]
pub(crate) struct EventsShow {
    /// Stream, e.g. customer-<uuid>; a customer number or a bare uuid will do
    pub(crate) stream: String,
    #[command(flatten)]
    pub(crate) personal: Personal,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Up to which moment a stream is read: now, unless one of these is given.
#[derive(Debug, Args)]
#[group(id = "moment", multiple = false)]
pub(crate) struct Until {
    /// Up to and with this event of the stream
    #[arg(long, value_name = "N", group = "moment")]
    pub(crate) to_sequence: Option<i64>,
    /// Up to and with this position of the log
    #[arg(long, value_name = "P", group = "moment")]
    pub(crate) to_position: Option<i64>,
    /// What was recorded by this time: RFC 3339, or date, time and zone
    #[arg(long, value_name = "TIME", group = "moment")]
    pub(crate) as_of: Option<Moment>,
}

/// Flags of `events replay`.
#[derive(Debug, Args)]
pub(crate) struct EventsReplay {
    /// Stream, e.g. customer-<uuid>; a customer number or a bare uuid will do
    pub(crate) stream: String,
    #[command(flatten)]
    pub(crate) until: Until,
    /// Print what each event changed
    #[arg(long)]
    pub(crate) diff: bool,
    #[command(flatten)]
    pub(crate) personal: Personal,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `events export`.
#[derive(Debug, Args)]
pub(crate) struct EventsExport {
    /// First position
    #[arg(long, default_value_t = 1, value_name = "P")]
    pub(crate) from: i64,
    /// Last position; the end of the log without it
    #[arg(long, value_name = "P")]
    pub(crate) to: Option<i64>,
    /// File to write; standard output without it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) personal: Personal,
}
