//! `serve` and `migrate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::arguments::{MigrateArguments, ServeArguments, ServeRole};
use super::{open, say};
use crate::config::{Settings, Sources};
use crate::lifecycle::{logs, stop_signal};
use crate::wiring::{Leadwire, Role};

/// Runs the service until it is asked to stop.
pub(crate) async fn serve(config: Option<PathBuf>, arguments: &ServeArguments) -> Result<ExitCode> {
    let settings = Settings::load(&Sources::of_process(config))?;
    logs::start(&settings.log);
    let roles: Vec<Role> = arguments.roles.iter().copied().map(Role::from).collect();
    // Before the start: a signal that arrives during it must not be lost.
    let stop = tokio::spawn(stop_signal());
    let running = Leadwire::start(settings, &roles).await?;
    stop.await.context("waiting for a signal failed")?.context("no signal can be waited for")?;
    tracing::info!("stopping");
    let in_time = running.stop().await;
    tracing::info!("stopped");
    Ok(if in_time { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Creates the database, or brings its tables up to date.
pub(crate) async fn migrate(config: Option<PathBuf>, arguments: &MigrateArguments) -> Result<ExitCode> {
    let opened = open::for_writing(config).await?;
    let head = opened.store.bus.log().head().await?;
    opened.store.close().await;
    if arguments.output.json {
        say::json(&json!({ "migrated": true, "position": head }))?;
    } else {
        say::line(format_args!("The database is up to date; the log ends at position {head}."))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl From<ServeRole> for Role {
    fn from(role: ServeRole) -> Self {
        match role {
            ServeRole::Api => Self::Api,
            ServeRole::Worker => Self::Worker,
        }
    }
}
