//! The arguments of `leadwire deliveries`, `leadwire channels` and `leadwire decisions`.

use application::forms::SettleAs;
use application::texts::kinds;
use clap::{Args, Subcommand, ValueEnum};
use domain::notification::{Channel, DeliveryState, FailureClass};
use domain::{DeliveryId, EventId};

use super::{Output, one_of};
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
    /// Send what is due, without a running service
    #[command(after_help = "Example:
  leadwire deliveries process --once
  leadwire deliveries process --daemon")]
    Process(DeliveriesProcess),
    /// Send one again that is dead, rejected or unknown, or all that a filter finds
    #[command(after_help = "Example:
  leadwire deliveries retry 0b0f0a6e-6b1c-5d0a-9d63-2f1d7ac0f1b7 --reason 'template repaired'
  leadwire deliveries retry --state dead --channel wecom_app --dry-run --reason 'outage is over'
  leadwire deliveries retry --state dead --channel wecom_app --expect 12 --reason 'outage is over'")]
    Retry(DeliveriesRetry),
    /// Give one up; it stays listed as cancelled, with the reason
    #[command(after_help = "Example:
  leadwire deliveries discard 0b0f0a6e-6b1c-5d0a-9d63-2f1d7ac0f1b7 --reason 'told by phone'")]
    Discard(DeliveriesDiscard),
    /// Decide what an unknown arrival counts as
    #[command(after_help = "Example:
  leadwire deliveries settle 0b0f0a6e-6b1c-5d0a-9d63-2f1d7ac0f1b7 --as sent --reason 'she has it'")]
    Settle(DeliveriesSettle),
    /// Figures by channel, type or day
    #[command(after_help = "Example:
  leadwire deliveries stats --by day --from '2026-11-01 Asia/Shanghai'")]
    Stats(DeliveriesStats),
    /// Check what should have been decided, requested and queued against what was
    #[command(after_help = "Example:
  leadwire deliveries reconcile
  leadwire deliveries reconcile --repair")]
    Reconcile(DeliveriesReconcile),
}

/// Flags of `deliveries list`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesList {
    /// pending, in_flight, accepted, rejected, retry, unknown, delivered, dead, held, merged, suppressed, cancelled
    #[arg(long, value_parser = one_of(DeliveryState::ALL))]
    pub(crate) state: Option<DeliveryState>,
    #[command(flatten)]
    pub(crate) filter: Narrowed,
    /// How many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What `list` and `retry` narrow by.
#[derive(Debug, Args)]
pub(crate) struct Narrowed {
    /// in_app, wechat_subscribe, wechat_cloud, wechat_official, wecom_app or wecom_robot
    #[arg(long, value_parser = one_of(Channel::ALL))]
    pub(crate) channel: Option<Channel>,
    /// Type of the notice, e.g. CUSTOMER_ASSIGNED
    #[arg(long = "type", value_name = "TYPE", value_parser = one_of(kinds::ALL))]
    pub(crate) scene: Option<&'static str>,
    /// Login name or id of the recipient
    #[arg(long, value_name = "STAFF")]
    pub(crate) recipient: Option<String>,
    /// Who must act on the failure: token, config, recipient, consent, content, quota, busy, unreachable, uncertain
    #[arg(long, value_parser = one_of(FailureClass::ALL))]
    pub(crate) class: Option<FailureClass>,
    /// Created at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Moment>,
    /// Created at this time or earlier
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Moment>,
}

/// Flags of `deliveries show`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesShow {
    /// The delivery
    pub(crate) id: DeliveryId,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `deliveries process`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesProcess {
    /// Send what is due now, then end; what happens without a flag
    #[arg(long, conflicts_with = "daemon")]
    pub(crate) once: bool,
    /// Go on until Ctrl-C or SIGTERM; the same as `serve --roles worker`
    #[arg(long)]
    pub(crate) daemon: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `deliveries retry`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesRetry {
    /// The delivery; without it, all that the flags find
    #[arg(conflicts_with_all = ["state", "channel", "scene", "recipient", "class", "from", "to", "dry_run", "expect"])]
    pub(crate) id: Option<DeliveryId>,
    /// dead, rejected or unknown
    #[arg(long, value_parser = one_of(DeliveryState::ALL))]
    pub(crate) state: Option<DeliveryState>,
    #[command(flatten)]
    pub(crate) filter: Narrowed,
    /// Only count them
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How many there are, as the dry run said; needed to send
    #[arg(long, value_name = "COUNT")]
    pub(crate) expect: Option<i64>,
    /// Why; recorded with the decision
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `deliveries discard`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesDiscard {
    /// The delivery
    pub(crate) id: DeliveryId,
    /// Why; recorded with the decision
    #[arg(long)]
    pub(crate) reason: String,
}

/// Flags of `deliveries settle`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesSettle {
    /// The delivery
    pub(crate) id: DeliveryId,
    /// sent: it arrived; resend: once more; switch: the next channel tells it; closed: nothing more
    #[arg(long = "as", value_name = "WHAT", value_parser = one_of(SettleAs::ALL))]
    pub(crate) as_what: SettleAs,
    /// Why; recorded with the decision
    #[arg(long)]
    pub(crate) reason: String,
}

/// What the figures are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsBy {
    /// By channel.
    Channel,
    /// By type of notice.
    Type,
    /// By day of `limits.zone`.
    Day,
}

/// Flags of `deliveries stats`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesStats {
    /// What to group by
    #[arg(long, value_enum, default_value = "channel")]
    pub(crate) by: StatsBy,
    /// Requested at this time or later; a week ago when it is missing
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Moment>,
    /// Requested before this time; now when it is missing
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<Moment>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `deliveries reconcile`.
#[derive(Debug, Args)]
pub(crate) struct DeliveriesReconcile {
    /// Put back what is missing; nothing is resent blindly
    #[arg(long)]
    pub(crate) repair: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Channels.
#[derive(Debug, Subcommand)]
pub(crate) enum ChannelsCommand {
    /// Show every channel: configured, paused, health, what waits
    #[command(after_help = "Example:
  leadwire channels list")]
    List(ChannelsList),
    /// Send one test message to one named person, and show what the provider said
    #[command(after_help = "Example:
  leadwire channels test wecom_app zhang")]
    Test(ChannelsTest),
    /// Let nothing leave through a channel; what waits stays
    #[command(after_help = "Example:
  leadwire channels pause wecom_app --reason 'platform maintenance'")]
    Pause(ChannelsPause),
    /// Let messages leave again
    #[command(after_help = "Example:
  leadwire channels resume wecom_app")]
    Resume(ChannelsResume),
}

/// Flags of `channels list`.
#[derive(Debug, Args)]
pub(crate) struct ChannelsList {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `channels test`.
#[derive(Debug, Args)]
pub(crate) struct ChannelsTest {
    /// The channel
    #[arg(value_parser = one_of(Channel::ALL))]
    pub(crate) channel: Channel,
    /// Login name or id of who gets the message
    #[arg(value_name = "STAFF")]
    pub(crate) recipient: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `channels pause`.
#[derive(Debug, Args)]
pub(crate) struct ChannelsPause {
    /// The channel
    #[arg(value_parser = one_of(Channel::ALL))]
    pub(crate) channel: Channel,
    /// Why; recorded with the decision
    #[arg(long)]
    pub(crate) reason: String,
}

/// Flags of `channels resume`.
#[derive(Debug, Args)]
pub(crate) struct ChannelsResume {
    /// The channel
    #[arg(value_parser = one_of(Channel::ALL))]
    pub(crate) channel: Channel,
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
