//! Opening the database for a command, and saying what to do when that fails.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use infrastructure::db::{Db, DbError};
use secrecy::ExposeSecret as _;

use crate::config::{LogSettings, Sources, ToolSettings};
use crate::lifecycle::logs;
use crate::wiring::{Ports, Store};

/// A command's database, with what it needs to use it.
pub(crate) struct Opened {
    /// The database.
    pub(crate) store: Store,
    /// Time and ids.
    pub(crate) ports: Ports,
    /// The settings.
    pub(crate) settings: ToolSettings,
}

/// For writing. On SQLite that needs the service stopped.
pub(crate) async fn for_writing(config: Option<PathBuf>) -> Result<Opened> {
    let settings = settings(config)?;
    let url = settings.database.url.expose_secret();
    let db = Db::connect(url, settings.database.options).await.map_err(explained)?;
    let ports = Ports::default();
    let store = Store::open(db, &ports).await.context("the database cannot be brought up to date")?;
    if matches!(store.db(), Db::Sqlite(_)) {
        // Nobody else has the file open: what leases there are belong to the dead.
        store.projections.consumers().enter().await.context("the consumers cannot be looked at")?;
    }
    Ok(Opened { store, ports, settings })
}

/// For reading, also beside a running service.
pub(crate) async fn for_reading(config: Option<PathBuf>) -> Result<Opened> {
    let settings = settings(config)?;
    let url = settings.database.url.expose_secret();
    let db = Db::connect_read_only(url, settings.database.options).await.map_err(not_there)?;
    let ports = Ports::default();
    let store = Store::over(db, &ports);
    store.bus.log().head().await.map_err(not_there)?;
    Ok(Opened { store, ports, settings })
}

/// Starts logging with this filter, whatever is configured.
pub(crate) fn log_as(config: Option<PathBuf>, filter: &str) -> Result<()> {
    let settings = ToolSettings::load(&Sources::of_process(config))?;
    logs::start(&LogSettings { filter: filter.to_owned(), ..settings.log });
    Ok(())
}

/// The settings alone, for a command that needs no database of ours.
pub(crate) fn settings(config: Option<PathBuf>) -> Result<ToolSettings> {
    let settings = ToolSettings::load(&Sources::of_process(config))?;
    logs::start(&settings.log);
    Ok(settings)
}

fn explained(error: DbError) -> anyhow::Error {
    match error {
        DbError::InUse { path } => anyhow!(
            "a running service uses {}: SQLite serves one process.\n\
             Stop the service and run this command again, or do the same through its API; \
             commands that only read work beside it.",
            path.display()
        ),
        other => anyhow::Error::new(other).context("the database cannot be opened; check database.url"),
    }
}

fn not_there(error: DbError) -> anyhow::Error {
    anyhow::Error::new(error)
        .context("the database cannot be read; check database.url, or create it with `leadwire migrate`")
}
