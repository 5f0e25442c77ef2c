//! Installs a server from Debian's packages where the user lets us, and says in one line what to do where not.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{environment, keeper, processes, processes::Processes, say};

/// A server and where it comes from.
pub(crate) struct Package {
    /// Its name for people.
    pub(crate) server: &'static str,
    /// Debian's name for it.
    pub(crate) debian: &'static str,
    /// The shell's commands that install it.
    pub(crate) script: &'static str,
    /// What a person runs who has to install it: by distribution.
    pub(crate) by_hand: &'static str,
}

impl Package {
    /// Installs the server, or fails with the line that says what to install.
    pub(crate) async fn install(&self, processes: &mut Processes) -> Result<()> {
        let Self { server, debian, .. } = self;
        let Some(mut command) = privileged_shell() else {
            bail!(self.missing(&format!("no {server} server found")))
        };
        say::line(&format!("no {server} server found: installing Debian's `{debian}`"));
        command.args(["-c", self.script]);
        if !processes.run(command).await?.success() {
            bail!(self.missing(&format!("installing Debian's `{debian}` failed")));
        }
        Ok(())
    }

    /// The one line for a machine without it.
    pub(crate) fn missing(&self, problem: &str) -> String {
        format!("{problem}; install it: {}", self.by_hand)
    }
}

/// A shell that may install packages: ours if we are root, else one by sudo if that asks for no password.
fn privileged_shell() -> Option<Command> {
    if !environment::has_program("apt-get") {
        return None;
    }
    if keeper::is_root() {
        return Some(Command::new("sh"));
    }
    processes::succeeds(Command::new("sudo").args(["-n", "true"])).then(|| {
        let mut command = Command::new("sudo");
        command.args(["-n", "sh"]);
        command
    })
}

#[cfg(test)]
mod tests {
    use crate::{mariadb, postgres};

    #[test]
    fn what_to_install_is_one_line() {
        for (package, line) in [
            (postgres::PACKAGE, "none found; install it: `apt-get install postgresql` (Debian, Ubuntu), "),
            (
                mariadb::PACKAGE,
                "none found; install it: `apt-get install mariadb-server mariadb-client` (Debian, Ubuntu), ",
            ),
        ] {
            let missing = package.missing("none found");
            assert!(missing.starts_with(line), "{missing}");
            assert_eq!(missing.lines().count(), 1);
        }
    }
}
