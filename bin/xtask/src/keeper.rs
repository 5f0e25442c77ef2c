//! A database server of our own, for as long as a value of [`Server`] lives.
//!
//! It is started and stopped by a small shell, the keeper, which holds nothing but a pipe from us. When the pipe closes,
//! because the value is dropped, or because we were killed in whatever way, the keeper stops its server and removes the
//! folder. So no way of dying leaves a server behind, `kill -9` included, nor one that was just being started.

mod account;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use self::account::Account;
pub(crate) use self::account::is_root;
use crate::{environment, say};

/// A free port may be taken by somebody else before the server binds it; then another one is tried.
const START_ATTEMPTS_MAX: u32 = 3;

/// What a server says of a port that is taken.
const PORT_TAKEN: &str = "already in use";

/// The file with a server's settings, in its folder.
const SETTINGS: &str = "settings";

/// What the keeper prints once the server takes connections.
const READY: &str = "ready";

/// What every keeper does before its recipe. `$1` is the folder; the rest is for `start` and `stop` of the recipe.
///
/// PIPE: who dies while we start is met at `echo`, and the trap of EXIT cleans up as ever.
const BEFORE: &str = r#"
folder=$1
shift
trap 'exit 1' HUP INT TERM PIPE
trap 'stop "$@" >/dev/null 2>&1; rm -rf "$folder"' EXIT
"#;

/// What every keeper does after its recipe. `read` returns when we close the pipe or die.
const AFTER: &str = r#"
start "$@" >"$folder/start.log" 2>&1 || { cat "$folder/start.log" "$folder/server.log" 2>/dev/null; exit 1; }
echo ready
read -r _
"#;

/// How one kind of server is made.
pub(crate) struct Recipe<'r> {
    /// Its name for people and, in lower case, in the name of its folder.
    pub(crate) name: &'static str,
    /// Where the folder goes, if not among the temporary ones.
    pub(crate) parent: Option<&'r Path>,
    /// The text of `$folder/settings` for a port.
    pub(crate) settings: &'r dyn Fn(u16) -> String,
    /// Defines two functions of the shell. `start` makes the data below `$folder`, and returns when the server takes
    /// connections, or fails; the server's log is `$folder/server.log`. `stop` ends the server, whatever has become of
    /// it; it need not be gentle, for the folder is removed in any case.
    pub(crate) script: &'static str,
    /// What both functions get as `$1` and so on.
    pub(crate) programs: &'r [&'r Path],
}

/// A running server; dropping it stops the server and removes its folder.
pub(crate) struct Server {
    name: &'static str,
    port: u16,
    keeper: Child,
    /// Closing this pipe is what stops the server. `None` only while dropping.
    pipe: Option<ChildStdin>,
    /// Removed by the keeper; kept for the case that there is none yet.
    _folder: TempDir,
}

impl Server {
    /// Starts a fresh server on a free port of 127.0.0.1 and returns when it takes connections.
    pub(crate) fn start(recipe: &Recipe<'_>) -> Result<Self> {
        let account = account::for_server()?;
        let mut attempt = 1;
        loop {
            match Self::start_once(recipe, account.as_ref()) {
                Err(error) if attempt < START_ATTEMPTS_MAX && format!("{error:#}").contains(PORT_TAKEN) => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    fn start_once(recipe: &Recipe<'_>, account: Option<&Account>) -> Result<Self> {
        let (name, port) = (recipe.name, free_port()?);
        let folder = tempfile::Builder::new()
            .prefix(&format!("leadwire-{}-", name.to_lowercase()))
            .permissions(fs::Permissions::from_mode(0o700)) // what PostgreSQL itself asks of a data folder
            .tempdir_in(recipe.parent.map_or_else(|| parent_folder(account), Path::to_path_buf))
            .with_context(|| format!("cannot make a temporary folder for {name}"))?;
        let settings = folder.path().join(SETTINGS);
        fs::write(&settings, (recipe.settings)(port))
            .with_context(|| format!("cannot write {name}'s settings"))?;
        let mut command = keeper(recipe, folder.path());
        if let Some(account) = account {
            for path in [folder.path(), &settings] {
                chown(path, Some(account.user_id), Some(account.group_id))
                    .with_context(|| format!("cannot give the {name} folder to {}", account.name))?;
            }
            command.uid(account.user_id).gid(account.group_id);
        }
        let mut keeper = command.spawn().with_context(|| format!("cannot start a shell for {name}"))?;
        let (pipe, stdout) = (keeper.stdin.take(), keeper.stdout.take());
        let server = Self { name, port, keeper, pipe, _folder: folder };
        wait_until_ready(stdout).with_context(|| format!("{name} did not start"))?;
        Ok(server)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // A keeper that gave up already has closed its end; it also cleaned up already.
            let _ = pipe.write_all(b"stop\n");
        }
        if let Err(error) = self.keeper.wait() {
            say::error(&format!("{} on port {} may still run: {error}", self.name, self.port));
        }
    }
}

/// The shell that keeps a server.
fn keeper(recipe: &Recipe<'_>, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &[BEFORE, recipe.script, AFTER].concat(), "sh"])
        .arg(folder)
        .args(recipe.programs)
        .current_dir(folder)
        .env("LC_ALL", "C")
        .process_group(0) // the terminal's Ctrl-C is for the tests; the server must outlive them
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// Reads the keeper's first line. Anything but [`READY`] begins the log of a failed start.
fn wait_until_ready(stdout: Option<ChildStdout>) -> Result<()> {
    let mut stdout = BufReader::new(stdout.context("the keeper has no output")?);
    let mut text = String::new();
    stdout.read_line(&mut text).context("cannot hear from the keeper")?;
    if text.trim_end() == READY {
        return Ok(());
    }
    stdout.read_to_string(&mut text).context("cannot read the server's log")?;
    bail!("{}", text.trim_end());
}

/// Where temporary folders go: root's own may be closed to the server's account.
fn parent_folder(account: Option<&Account>) -> PathBuf {
    if account.is_some() { PathBuf::from("/tmp") } else { environment::temporary_folder() }
}

/// A port of 127.0.0.1 that nobody uses at this moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr().context("no free port on 127.0.0.1")?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that is no program: `$1` is the folder in which it leaves what happened.
    fn recipe<'r>(script: &'static str, programs: &'r [&'r Path]) -> Recipe<'r> {
        Recipe {
            name: "Nothing",
            parent: None,
            settings: &|port| format!("port = {port}\n"),
            script,
            programs,
        }
    }

    /// A folder that the server's account may write to.
    fn witness() -> TempDir {
        let account = account::for_server().unwrap();
        let folder = tempfile::tempdir_in(parent_folder(account.as_ref())).unwrap();
        if let Some(account) = account {
            chown(folder.path(), Some(account.user_id), Some(account.group_id)).unwrap();
        }
        folder
    }

    #[test]
    fn the_keeper_says_the_word_we_wait_for() {
        assert!(AFTER.lines().any(|line| line == format!("echo {READY}")));
    }

    #[test]
    fn a_dropped_server_is_stopped_and_its_folder_removed() {
        const SCRIPT: &str = r#"
start() { cp "$folder/settings" "$1/settings"; echo "$folder" >"$1/started"; }
stop() { touch "$1/stopped"; }
"#;
        let witness = witness();
        let server = Server::start(&recipe(SCRIPT, &[witness.path()])).unwrap();
        let read = |name| fs::read_to_string(witness.path().join(name)).unwrap();
        assert_eq!(read("settings"), format!("port = {}\n", server.port()));
        let folder = PathBuf::from(read("started").trim_end());
        assert!(folder.is_dir() && !witness.path().join("stopped").exists());
        drop(server);
        assert!(!folder.exists() && witness.path().join("stopped").exists());
    }

    #[test]
    fn a_failed_start_shows_both_logs() {
        const SCRIPT: &str = r#"
start() { echo 'no room'; echo 'page 7' >"$folder/server.log"; return 1; }
stop() { :; }
"#;
        let Err(error) = Server::start(&recipe(SCRIPT, &[])) else { panic!("it started") };
        assert_eq!(format!("{error:#}"), "Nothing did not start: no room\npage 7");
    }

    #[test]
    fn who_dies_during_the_start_leaves_no_server() {
        const SCRIPT: &str = r#"
start() { read -r _; touch "$1/started"; }
stop() { touch "$1/stopped"; }
"#;
        let (folder, witness) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut keeper = keeper(&recipe(SCRIPT, &[witness.path()]), folder.path()).spawn().unwrap();
        drop((keeper.stdin.take(), keeper.stdout.take()));
        assert!(!keeper.wait().unwrap().success());
        assert!(witness.path().join("started").exists() && witness.path().join("stopped").exists());
        assert!(!folder.path().exists());
    }
}
