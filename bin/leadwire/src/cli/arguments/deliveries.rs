//! The arguments of `leadwire deliveries` and `leadwire decisions`.

use clap::{Args, Subcommand};
use domain::notification::{Channel, DeliveryState};
use domain::{DeliveryId, EventId};

use super::Output;
use crate::cli::moment::Moment;

/// Deliveries.
#[derive(Debug, Subcommand)]
pub(crate) enum DeliveriesCommand {
    /// Show deliveries, newest first
    #[command(after_help = "Example:
  leadwire deliveries list --state unknown
  leadwire deliveries list --recipient zhang --channel wechat_subscribe --json")]
    List(DeliveriesList),
    /// Show one delivery with every attempt
    #[command(after_help = "Example:
  leadwire deliveries show 0b0f0a6e-6b1c-5d0a-9d63-2f1d7ac0f1b7")]
    Show(DeliveriesShow),
    /// Send one again that is dead, rejected or unknown
    #[command(after_help = "Example:
  leadwire deliveries retry 0b0f0a6e-6b1c-5d0a-9d63-2f1d7ac0f1b7 --reason 'template repaired'")]
    Retry(DeliveriesRetry),
}

/// Flags of `deliveries list`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesList {
    /// pending, in_flight, accepted, rejected, retry, unknown, delivered, dead, held, merged, suppressed, cancelled
    #[arg(long)]
    pub(crate) state: Option<DeliveryState>,
    /// in_app or wechat_subscribe
    #[arg(long)]
    pub(crate) channel: Option<Channel>,
    /// Type of the notice, e.g. CUSTOMER_ASSIGNED
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) scene: Option<String>,
    /// Login name or id of the recipient
    #[arg(long, value_name = "STAFF")]
    pub(crate) recipient: Option<String>,
    /// Created at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Moment>,
    /// Created at this time or earlier
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Moment>,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `deliveries show`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesShow {
    /// The delivery
    pub(crate) id: DeliveryId,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `deliveries retry`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesRetry {
    /// The delivery
    pub(crate) id: DeliveryId,
    /// Why; recorded with the decision
    #[arg(long)]
    pub(crate) reason: String,
}

/// Flags of `decisions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  leadwire decisions ad2df9f7-fa96-53ed-ba5e-5bf09df22a5c")]
pub(crate) struct DecisionsArguments {
    /// The event; `events show --json` prints its event_id
    pub(crate) event: EventId,
    #[command(flatten)]
    pub(crate) output: Output,
}
