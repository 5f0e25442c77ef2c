//! Runs the commands we start in the foreground and stays alive for as long as they do.
//!
//! A stop signal (Ctrl-C, or the one of a CI that lost patience) goes on to the command that is running and to
//! nothing else; we leave only after it has, so that what a task holds, such as a PostgreSQL cluster, is dropped in
//! order. Signals come in on the same task that waits for the child, so a signal can never meet the process id of
//! a child that is already gone.

use std::process::{Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{environment, say};

/// What a shell reports for a command ended by Ctrl-C (128 + SIGINT).
const EXIT_INTERRUPTED: u8 = 130;

/// The right to start processes, together with the duty to stop with them.
pub(crate) struct Processes {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    stopped: bool,
}

impl Processes {
    /// Takes over the stop signals.
    pub(crate) fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            stopped: false,
        })
    }

    /// Whether we were asked to stop while a command ran.
    pub(crate) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Runs a command to its end, on our terminal.
    pub(crate) async fn run(&mut self, command: Command) -> Result<ExitStatus> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = tokio::process::Command::from(command)
            .spawn()
            .with_context(|| format!("cannot start `{name}`"))?;
        loop {
            let signal = tokio::select! {
                status = child.wait() => return status.with_context(|| format!("lost sight of `{name}`")),
                _ = self.interrupt.recv() => "INT",
                _ = self.terminate.recv() => "TERM",
                _ = self.hang_up.recv() => "HUP",
            };
            self.stopped = true;
            if let Some(id) = child.id() {
                pass_on(signal, id);
            }
        }
    }
}

/// Sends a signal to a child of ours through the shell's own `kill`: the standard library can only send SIGKILL,
/// which would leave what the child started behind, and the `kill` program is missing from small images.
fn pass_on(signal: &str, id: u32) {
    let sent =
        Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &id.to_string()]).status();
    if let Err(error) = sent {
        say::error(&format!("cannot pass SIG{signal} on to process {id}: {error}"));
    }
}

/// A cargo command in the repository, free of the variables of the cargo that started us.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(environment::repository());
    forget_cargo_run(&mut command);
    command
}

/// Takes the variables away that `cargo run` gave to us.
pub(crate) fn forget_cargo_run(command: &mut Command) {
    for name in environment::set_by_cargo_run() {
        command.env_remove(name);
    }
}

/// Whether a command succeeds, run silently and without input. A command that cannot be started does not.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a command prints, trimmed; `None` if it fails or prints nothing.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The exit code a shell would report for this status.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::from(EXIT_INTERRUPTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_command_runs_to_its_end_and_its_exit_code_is_kept() {
        let mut processes = Processes::new().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exit 7"]);
        let status = processes.run(command).await.unwrap();
        assert_eq!(status.code(), Some(7));
        assert!(!processes.stopped());
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error =
            Processes::new().unwrap().run(Command::new("leadwire-no-such-program")).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot start `leadwire-no-such-program`");
    }

    #[test]
    fn output_is_trimmed_and_failure_is_none() {
        assert_eq!(output("sh", &["-c", "echo ' a b '"]), Some("a b".to_owned()));
        assert_eq!(output("sh", &["-c", "echo a; exit 1"]), None);
        assert_eq!(output("leadwire-no-such-program", &[]), None);
    }
}
