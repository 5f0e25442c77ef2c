//! A PostgreSQL cluster of our own, for as long as a value of [`Cluster`] lives.
//!
//! The server is started and stopped by a small shell, the keeper, which holds nothing but a pipe from us. When the
//! pipe closes, because the value is dropped, or because we were killed in whatever way, the keeper stops its
//! server and removes the folder. So no way of dying leaves a server behind, `kill -9` included.

pub(crate) mod account;
mod binaries;
mod install;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use self::account::Account;
pub(crate) use self::{binaries::Binaries, install::privileged_shell};
use crate::{environment, processes::Processes, say};

/// The variable in which tests, benches and runners look for the cluster.
pub(crate) const URL_VARIABLE: &str = "LEADWIRE_TEST_POSTGRES";

/// Room for every test that runs at the same time, each with a pool of its own.
const CONNECTIONS_MAX: u32 = 300;

/// A free port may be taken by somebody else before the server binds it; then another one is tried.
const START_ATTEMPTS_MAX: u32 = 3;

/// What the keeper prints once the server takes connections.
const READY: &str = "ready";

/// The keeper. `$1` is the folder, `$2` the folder of the server's binaries.
///
/// `read` returns when we close the pipe or die. `immediate` is safe because the folder is removed in any case.
const KEEPER: &str = r#"
folder=$1 binaries=$2
trap 'exit 1' HUP INT TERM
trap '"$binaries/pg_ctl" stop --silent --mode=immediate --pgdata="$folder/data" >/dev/null 2>&1; rm -rf "$folder"' EXIT
initialise() {
  "$binaries/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync
}
start() {
  cat "$folder/settings.conf" >>"$folder/data/postgresql.conf"
  "$binaries/pg_ctl" start --silent --wait --timeout=60 --pgdata="$folder/data" --log="$folder/server.log"
}
{ initialise >"$folder/start.log" 2>&1 && start >"$folder/start.log" 2>&1; } ||
  { cat "$folder/start.log" "$folder/server.log" 2>/dev/null; exit 1; }
echo ready
read -r _
"#;

/// What a commit is worth in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Commits do not wait for the disk: tests are quick, and nothing outlives them anyway.
    Off,
    /// Commits are on disk when they return, as in production: the only honest setting for a benchmark.
    On,
}

/// A running PostgreSQL cluster; dropping it stops the server and removes its folder.
pub(crate) struct Cluster {
    port: u16,
    keeper: Child,
    /// Closing this pipe is what stops the server. `None` only while dropping.
    pipe: Option<ChildStdin>,
    /// Removed by the keeper; kept for the case that there is none yet.
    _folder: TempDir,
}

impl Cluster {
    /// Starts a fresh cluster on a free port of 127.0.0.1 and returns when it takes connections.
    pub(crate) fn start(binaries: &Binaries, durability: Durability) -> Result<Self> {
        let account = account::for_server()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(binaries, durability, account.as_ref()) {
                Err(error)
                    if attempt < START_ATTEMPTS_MAX && format!("{error:#}").contains("already in use") =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(binaries: &Binaries, durability: Durability, account: Option<&Account>) -> Result<Self> {
        let port = free_port()?;
        let folder = tempfile::Builder::new()
            .prefix("leadwire-postgres-")
            .permissions(fs::Permissions::from_mode(0o700)) // what PostgreSQL itself asks of a data folder
            .tempdir_in(parent_folder(durability, account))
            .context("cannot make a temporary folder for PostgreSQL")?;
        fs::write(folder.path().join("settings.conf"), settings(port, durability))
            .context("cannot write PostgreSQL's settings")?;
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "sh"])
            .args([folder.path(), binaries.folder()])
            .current_dir(folder.path())
            .env("LC_ALL", "C")
            .process_group(0) // the terminal's Ctrl-C is for the tests; the server must outlive them
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(account) = account {
            chown(folder.path(), Some(account.user_id), Some(account.group_id))
                .with_context(|| format!("cannot give the PostgreSQL folder to {}", account.name))?;
            command.uid(account.user_id).gid(account.group_id);
        }
        let mut keeper = command.spawn().context("cannot start a shell for PostgreSQL")?;
        let (pipe, stdout) = (keeper.stdin.take(), keeper.stdout.take());
        let cluster = Self { port, keeper, pipe, _folder: folder };
        wait_until_ready(stdout).with_context(|| format!("PostgreSQL in {binaries} did not start"))?;
        Ok(cluster)
    }

    /// The superuser's URL.
    pub(crate) fn url(&self) -> String {
        url(self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A keeper that gave up already has closed its end; it also cleaned up already.
            let _ = pipe.write_all(b"stop\n");
        }
        if let Err(error) = self.keeper.wait() {
            say::error(&format!("PostgreSQL on port {} may still run: {error}", self.port));
        }
    }
}

/// Finds the server's binaries, installing Debian's package where that is possible.
pub(crate) async fn find_or_install(processes: &mut Processes) -> Result<Binaries> {
    if let Some(found) = binaries::find() {
        return Ok(found);
    }
    install::debian_package(processes).await?;
    binaries::find().with_context(|| install::missing("no PostgreSQL server even after installing it"))
}

/// Reads the keeper's first line. Anything but [`READY`] begins the log of a failed start.
fn wait_until_ready(stdout: Option<ChildStdout>) -> Result<()> {
    let mut stdout = BufReader::new(stdout.context("the keeper has no output")?);
    let mut text = String::new();
    stdout.read_line(&mut text).context("cannot hear from the keeper")?;
    if text.trim_end() == READY {
        return Ok(());
    }
    stdout.read_to_string(&mut text).context("cannot read PostgreSQL's log")?;
    bail!("{}", text.trim_end());
}

/// Where the cluster's folder goes. Root's own temporary folder may be closed to the server's account, and a
/// benchmark must not run on `/tmp`, which is memory on many machines.
fn parent_folder(durability: Durability, account: Option<&Account>) -> PathBuf {
    match (durability, account) {
        (Durability::On, _) => PathBuf::from("/var/tmp"),
        (Durability::Off, Some(_)) => PathBuf::from("/tmp"),
        (Durability::Off, None) => environment::temporary_folder(),
    }
}

/// A port of 127.0.0.1 that nobody uses at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("no free port on 127.0.0.1")?.port())
}

fn url(port: u16) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/postgres")
}

/// The lines added to `postgresql.conf`. There is no Unix socket: everybody uses the URL, and a socket would fail in
/// a deep temporary folder, for its path is limited to about a hundred bytes.
fn settings(port: u16, durability: Durability) -> String {
    let switch = match durability {
        Durability::Off => "off",
        Durability::On => "on",
    };
    format!(
        "listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         unix_socket_directories = ''\n\
         max_connections = {CONNECTIONS_MAX}\n\
         fsync = {switch}\n\
         synchronous_commit = {switch}\n\
         full_page_writes = {switch}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_superuser_and_loopback() {
        assert_eq!(url(5433), "postgres://postgres@127.0.0.1:5433/postgres");
    }

    #[test]
    fn only_a_benchmark_waits_for_the_disk() {
        let quick = settings(5433, Durability::Off);
        assert!(quick.contains("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"));
        assert!(quick.starts_with("listen_addresses = '127.0.0.1'\nport = 5433\n"));
        let durable = settings(5433, Durability::On);
        assert!(durable.contains("fsync = on\nsynchronous_commit = on\nfull_page_writes = on\n"));
    }

    #[test]
    fn the_keeper_says_the_word_we_wait_for() {
        assert!(KEEPER.lines().any(|line| line == format!("echo {READY}")));
    }
}
