//! A MariaDB server of our own, for as long as a value of [`Server`] lives: a database that somebody else writes, into
//! which tests put members.
//!
//! Kept like a PostgreSQL cluster (`postgres.rs`): a small shell holds nothing but a pipe from us, and when the pipe closes,
//! in whatever way, it stops its server and removes the folder.

mod binaries;
mod install;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

pub(crate) use self::binaries::Binaries;
use crate::{
    environment,
    postgres::{
        account::{self, Account},
        free_port,
    },
    processes::Processes,
    say,
};

/// The variable in which tests look for the server.
pub(crate) const URL_VARIABLE: &str = "LEADWIRE_TEST_MARIADB";

/// Room for every test that runs at the same time, each with a pool and some connections of its own.
const CONNECTIONS_MAX: u32 = 300;

/// A free port may be taken by somebody else before the server binds it; then another one is tried.
const START_ATTEMPTS_MAX: u32 = 3;

/// What the keeper prints once the server takes connections.
const READY: &str = "ready";

/// The keeper. `$1` is the folder, `$2` the server, `$3` the program that makes a data folder.
///
/// `read` returns when we close the pipe or die. KILL is safe because the folder is removed in any case.
const KEEPER: &str = r#"
folder=$1 server=$2 install=$3 id=
trap 'exit 1' HUP INT TERM
trap '[ -z "$id" ] || kill -KILL "$id" 2>/dev/null; wait; rm -rf "$folder"' EXIT
failed() { cat "$folder/start.log" "$folder/server.log" 2>/dev/null; exit 1; }
"$install" --no-defaults --datadir="$folder/data" --auth-root-authentication-method=normal --skip-test-db \
  >"$folder/start.log" 2>&1 || failed
"$server" --defaults-file="$folder/settings.cnf" --datadir="$folder/data" >"$folder/server.log" 2>&1 </dev/null &
id=$!
until grep -q 'ready for connections' "$folder/server.log" 2>/dev/null; do
  kill -0 "$id" 2>/dev/null || failed
  sleep 0.1
done
echo ready
read -r _
"#;

/// A running MariaDB server; dropping it stops the server and removes its folder.
pub(crate) struct Server {
    port: u16,
    keeper: Child,
    /// Closing this pipe is what stops the server. `None` only while dropping.
    pipe: Option<ChildStdin>,
    /// Removed by the keeper; kept for the case that there is none yet.
    _folder: TempDir,
}

impl Server {
    /// Starts a fresh server on a free port of 127.0.0.1 and returns when it takes connections.
    pub(crate) fn start(binaries: &Binaries) -> Result<Self> {
        let account = account::for_server()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(binaries, account.as_ref()) {
                Err(error)
                    if attempt < START_ATTEMPTS_MAX && format!("{error:#}").contains("already in use") =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(binaries: &Binaries, account: Option<&Account>) -> Result<Self> {
        let port = free_port()?;
        let folder = tempfile::Builder::new()
            .prefix("leadwire-mariadb-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent_folder(account))
            .context("cannot make a temporary folder for MariaDB")?;
        fs::write(folder.path().join("settings.cnf"), settings(port))
            .context("cannot write MariaDB's settings")?;
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "sh"])
            .args([folder.path(), &binaries.server, &binaries.install])
            .current_dir(folder.path())
            .env("LC_ALL", "C")
            .process_group(0) // the terminal's Ctrl-C is for the tests; the server must outlive them
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(account) = account {
            for path in [folder.path().to_path_buf(), folder.path().join("settings.cnf")] {
                chown(path, Some(account.user_id), Some(account.group_id))
                    .with_context(|| format!("cannot give the MariaDB folder to {}", account.name))?;
            }
            command.uid(account.user_id).gid(account.group_id);
        }
        let mut keeper = command.spawn().context("cannot start a shell for MariaDB")?;
        let (pipe, stdout) = (keeper.stdin.take(), keeper.stdout.take());
        let server = Self { port, keeper, pipe, _folder: folder };
        wait_until_ready(stdout).with_context(|| format!("MariaDB in {binaries} did not start"))?;
        Ok(server)
    }

    /// The superuser's URL.
    pub(crate) fn url(&self) -> String {
        url(self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A keeper that gave up already has closed its end; it also cleaned up already.
            let _ = pipe.write_all(b"stop\n");
        }
        if let Err(error) = self.keeper.wait() {
            say::error(&format!("MariaDB on port {} may still run: {error}", self.port));
        }
    }
}

/// Finds the server's programs, installing Debian's package where that is possible.
pub(crate) async fn find_or_install(processes: &mut Processes) -> Result<Binaries> {
    if let Some(found) = binaries::find() {
        return Ok(found);
    }
    install::debian_package(processes).await?;
    binaries::find().with_context(|| install::missing("no MariaDB server even after installing it"))
}

/// Reads the keeper's first line. Anything but [`READY`] begins the log of a failed start.
fn wait_until_ready(stdout: Option<ChildStdout>) -> Result<()> {
    let mut stdout = BufReader::new(stdout.context("the keeper has no output")?);
    let mut text = String::new();
    stdout.read_line(&mut text).context("cannot hear from the keeper")?;
    if text.trim_end() == READY {
        return Ok(());
    }
    stdout.read_to_string(&mut text).context("cannot read MariaDB's log")?;
    bail!("{}", text.trim_end());
}

/// Where the server's folder goes: root's own temporary folder may be closed to the server's account.
fn parent_folder(account: Option<&Account>) -> PathBuf {
    if account.is_some() { PathBuf::from("/tmp") } else { environment::temporary_folder() }
}

fn url(port: u16) -> String {
    format!("mysql://root@127.0.0.1:{port}/mysql")
}

/// The settings file. The socket's name is relative to the data folder, for a long path would not fit; commits do not wait
/// for the disk, for nothing outlives the tests.
fn settings(port: u16) -> String {
    format!(
        "[mariadbd]\n\
         bind-address = 127.0.0.1\n\
         port = {port}\n\
         socket = s\n\
         skip-name-resolve\n\
         skip-log-bin\n\
         character-set-server = utf8mb4\n\
         max-connections = {CONNECTIONS_MAX}\n\
         innodb-buffer-pool-size = 64M\n\
         innodb-flush-log-at-trx-commit = 0\n\
         innodb-doublewrite = OFF\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_superuser_and_loopback() {
        assert_eq!(url(3307), "mysql://root@127.0.0.1:3307/mysql");
    }

    #[test]
    fn the_server_listens_on_loopback_alone() {
        let settings = settings(3307);
        assert!(settings.starts_with("[mariadbd]\nbind-address = 127.0.0.1\nport = 3307\nsocket = s\n"));
    }

    #[test]
    fn the_keeper_says_the_word_we_wait_for() {
        assert!(KEEPER.lines().any(|line| line == format!("echo {READY}")));
    }
}
