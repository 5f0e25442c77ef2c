//! The program on the command line, with a story's settings.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::{Node, PATIENCE, TestApp, ports};
use crate::crash::program;

/// The built program, this story's database and this story's WeChat.
#[derive(Debug)]
pub struct CommandLine {
    program: PathBuf,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

/// What a command left behind.
#[derive(Debug, Clone)]
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// What it found: standard output.
    pub out: String,
    /// What it said about its work: standard error.
    pub err: String,
}

/// A command that runs on, as a process of its own. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// What processes print, in the story's folder.
const PROCESS_LOG: &str = "processes.log";

impl TestApp {
    /// The command line beside the running service: what only reads, and on PostgreSQL everything.
    pub async fn command_line(&self) -> CommandLine {
        let program = program::current().await.expect("the program is built");
        CommandLine { program, environment: self.environment(), folder: self.database.folder().to_owned() }
    }

    /// Runs commands while the service is stopped, as SQLite wants it, and starts it again at the same address.
    pub async fn while_stopped<T>(&mut self, work: impl AsyncFnOnce(&CommandLine) -> T) -> T {
        let line = self.command_line().await;
        let mut settings = self.settings();
        settings.server.listen = self.address();
        self.take_node().stop().await;
        let done = work(&line).await;
        self.node = Some(Node::start(settings, self.setup.roles.clone(), ports(&self.clock)).await);
        done
    }
}

impl CommandLine {
    /// The same with another setting.
    #[must_use]
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self
    }

    /// A folder for files that a command reads.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&self.environment).current_dir(&self.folder);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a command that runs on.
    pub fn start(&self, arguments: &[&str]) -> Process {
        let log = self.folder.join(PROCESS_LOG);
        let file =
            || OpenOptions::new().create(true).append(true).open(&log).expect("a file for what it prints");
        let child = self.command(arguments).stdout(file()).stderr(file()).spawn();
        let child = child.unwrap_or_else(|error| panic!("leadwire {arguments:?}: {error}"));
        Process { child, log }
    }

    /// Runs a command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Printed {
        let mut command = self.command(arguments);
        let output = timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("leadwire {arguments:?} does not end"));
        let output = output.unwrap_or_else(|error| panic!("leadwire {arguments:?}: {error}"));
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let code = output.status.code().expect("an exit code");
        Printed { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a command that must do what it is asked; what it printed.
    pub async fn done(&self, arguments: &[&str]) -> String {
        let printed = self.run(arguments).await;
        assert_eq!(printed.code, 0, "leadwire {arguments:?}: {printed:?}");
        printed.out
    }

    /// Runs a command that must do what it is asked and prints JSON.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let all: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        let printed = self.done(&all).await;
        serde_json::from_str(&printed)
            .unwrap_or_else(|error| panic!("leadwire {all:?}: {error} in {printed}"))
    }

    /// Runs a command that must refuse with this exit code; what it said about it.
    pub async fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let printed = self.run(arguments).await;
        assert_eq!(printed.code, code, "leadwire {arguments:?}: {printed:?}");
        printed.err
    }
}

impl Process {
    /// `kill -9`. It must not have ended by itself.
    pub async fn kill(mut self) {
        let ended = self.child.try_wait().expect("a process that can be asked");
        let printed = || std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(ended.is_none(), "it ended by itself with {ended:?}:\n{}", printed());
        self.child.kill().await.expect("it can be killed");
    }
}
