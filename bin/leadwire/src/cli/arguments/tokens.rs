//! The arguments of `leadwire tokens`.

use application::forms::ServiceScope;
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{Output, one_of};

/// Service tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token; it is printed once and cannot be found again
    #[command(after_help = "Example:
  leadwire tokens create --name intake --scope intake:write
  leadwire tokens create --name cron --scope queue:process --expires-at 2027-01-01T00:00:00Z")]
    Create(TokensCreate),
    /// Show every token, taken back or not
    #[command(after_help = "Example:
  leadwire tokens list --json")]
    List(TokensList),
    /// Take a token back
    #[command(after_help = "Example:
  leadwire tokens revoke 0193a1b2-0000-7000-8000-000000000000")]
    Revoke(TokensRevoke),
}

/// Flags of `tokens create`.
#[derive(Debug, Args)]
pub(crate) struct TokensCreate {
    /// Who is to use it
    #[arg(long)]
    pub(crate) name: String,
    /// What it is good for: intake:write, notifications:request, queue:process or customers:read; may be given
    /// several times
    #[arg(long = "scope", required = true, value_parser = one_of(ServiceScope::ALL))]
    pub(crate) scopes: Vec<ServiceScope>,
    /// When it ends; never without it
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `tokens list`.
#[derive(Debug, Args)]
pub(crate) struct TokensList {
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Flags of `tokens revoke`.
#[derive(Debug, Args)]
pub(crate) struct TokensRevoke {
    /// Its id, as `tokens list` shows it
    pub(crate) id: Uuid,
}
