//! The demo: one scenario on real parts (database, service, HTTP, simulator), told step by step, with a proof at the
//! end. Nothing in it is faked but WeChat, and what WeChat received is asked from the simulator's own ledger.

mod client;
mod people;
mod proof;
mod scenario;
mod story;
mod world;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::cli::say;
use crate::config::{LogFormat, LogSettings};
use crate::lifecycle::{logs, stop_signal};
use world::World;

/// Flags of `demo`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example:
  leadwire demo
  leadwire demo --once
  leadwire demo --data ./demo-data --port 4000
  leadwire demo --once --database-url postgres://postgres@127.0.0.1/demo")]
pub struct DemoArguments {
    /// Keep the data here instead of in a fresh temporary folder
    #[arg(long, value_name = "DIR", conflicts_with = "database_url")]
    pub data: Option<PathBuf>,
    /// Port of the service; the WeChat simulator takes the next one
    #[arg(long, default_value_t = 3000)]
    pub port: u16,
    /// Address to listen on; the accounts are public knowledge, so only loopback is allowed
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST), value_name = "ADDRESS")]
    pub host: IpAddr,
    /// Play the scenario, then exit 0 if it was proven and 1 if not
    #[arg(long)]
    pub once: bool,
    /// Use this PostgreSQL database instead of embedded SQLite
    #[arg(long, value_name = "URL", env = "LEADWIRE_DEMO_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// Which log lines are shown: the story is on standard output, so only trouble is worth a line.
const LOG_FILTER: &str = "warn";

/// Plays the scenario and stays up, or exits.
pub async fn run(arguments: DemoArguments) -> Result<ExitCode> {
    check(&arguments)?;
    logs::start(&LogSettings { format: LogFormat::Text, filter: LOG_FILTER.to_owned() });
    let stop = tokio::spawn(stop_signal());
    let world = World::start(&arguments).await?;
    let played = scenario::play(&world).await;
    let proven = match &played {
        Ok(proof) => {
            proof.print()?;
            proof.holds()
        }
        Err(_) => false,
    };
    if !arguments.once && played.is_ok() {
        world.print_addresses()?;
        stop.await.context("waiting for Ctrl-C failed")?.context("Ctrl-C cannot be waited for")?;
        say::line("Stopping.")?;
    }
    world.stop().await;
    played.context("the scenario could not be played to its end")?;
    Ok(if proven { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(arguments: &DemoArguments) -> Result<()> {
    if !arguments.host.is_loopback() {
        bail!(
            "the demo listens on loopback only, not on {}: its accounts and their password are public. \
             Leave --host away, or run `leadwire serve` with accounts of your own",
            arguments.host
        );
    }
    if arguments.port == u16::MAX {
        bail!("the simulator takes the port after --port, so 65534 is the last one");
    }
    match &arguments.database_url {
        Some(url) if !url.starts_with("postgres") => {
            bail!("--database-url begins with postgres://; for SQLite name a folder with --data")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        demo: DemoArguments,
    }

    fn check_line(line: &[&str]) -> Result<(), String> {
        let line = Line::parse_from(std::iter::once("demo").chain(line.iter().copied()));
        check(&line.demo).map_err(|error| error.to_string())
    }

    #[test]
    fn only_loopback_is_listened_on() {
        for host in ["0.0.0.0", "192.168.1.7", "::", "8.8.8.8"] {
            let refused = check_line(&["--host", host]).unwrap_err();
            assert!(refused.starts_with("the demo listens on loopback only"), "{refused}");
        }
        for host in ["127.0.0.1", "127.8.8.8", "::1"] {
            assert_eq!(check_line(&["--host", host]), Ok(()));
        }
        assert_eq!(check_line(&[]), Ok(()));
    }

    #[test]
    fn the_last_port_and_other_databases_are_refused() {
        assert!(check_line(&["--port", "65535"]).is_err());
        assert!(check_line(&["--database-url", "mysql://x"]).is_err());
        assert_eq!(check_line(&["--database-url", "postgres://x"]), Ok(()));
    }
}
