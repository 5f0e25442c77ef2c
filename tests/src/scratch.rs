//! Databases that exist for one test or one run, on either backend.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

/// Names the PostgreSQL where scratch databases may be created; `cargo xtask test` sets it.
pub const POSTGRES_VARIABLE: &str = "LEADWIRE_TEST_POSTGRES";

/// Which database a story runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// Embedded SQLite, one file.
    Sqlite,
    /// PostgreSQL, one database of the cluster in [`POSTGRES_VARIABLE`].
    Postgres,
}

impl Backend {
    /// Its name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// An empty database without any table, and a folder beside it. Both vanish with this value.
#[derive(Debug)]
pub struct ScratchDatabase {
    url: String,
    folder: TempDir,
    drop_with: Option<DropDatabase>,
}

#[derive(Debug)]
struct DropDatabase {
    cluster: String,
    name: String,
}

impl ScratchDatabase {
    /// Makes one.
    pub async fn create(backend: Backend) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (url, drop_with) = match backend {
            Backend::Sqlite => (format!("sqlite:{}", folder.path().join("leadwire.db").display()), None),
            Backend::Postgres => {
                let cluster = postgres_cluster()?;
                let name = format!("leadwire_test_{}", unique().simple());
                administer(&cluster, &format!("CREATE DATABASE {name}")).await?;
                let mut url = Url::parse(&cluster)?;
                url.set_path(&name);
                (url.to_string(), Some(DropDatabase { cluster, name }))
            }
        };
        Ok(Self { url, folder, drop_with })
    }

    /// Its address, as `LEADWIRE_DATABASE__URL` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder beside it, for logs and the like.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Leaves database and folder behind for whoever has to find out what went wrong; where the folder is.
    pub fn keep(mut self) -> PathBuf {
        self.drop_with = None;
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        let Some(DropDatabase { cluster, name }) = self.drop_with.take() else { return };
        // A runtime of its own: this also runs while a failed test unwinds. What cannot be dropped goes with the
        // scratch cluster.
        let dropping = thread::spawn(move || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(administer(&cluster, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
        });
        let _ = dropping.join();
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the tests, not of the program")]
fn postgres_cluster() -> Result<String> {
    std::env::var(POSTGRES_VARIABLE).with_context(|| {
        format!(
            "{POSTGRES_VARIABLE} is not set: a PostgreSQL is needed where databases may be created, e.g. \
             postgres://postgres@127.0.0.1:5432/postgres; `cargo xtask postgres -- COMMAND` starts one"
        )
    })
}

async fn administer(cluster: &str, statement: &str) -> Result<()> {
    let mut connection =
        PgConnection::connect(cluster).await.with_context(|| format!("cannot reach {POSTGRES_VARIABLE}"))?;
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// A name nobody else uses. Randomness, not time: two runs may start in the same microsecond.
pub fn unique() -> Uuid {
    Uuid::from_u128(rand::random())
}
