//! Installs Debian's PostgreSQL where the user lets us, and says in one line what to do where not.

use std::process::Command;

use anyhow::{Result, bail};

use super::account;
use crate::{environment, processes, processes::Processes, say};

/// Installs the server without its default cluster. Debian makes and starts one as soon as a server package is
/// unpacked; a drop-in that lives only during the installation keeps it from doing so, so that the machine is left
/// with programs and no new service.
const DEBIAN: &str = r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends postgresql-common
drop_in=/etc/postgresql-common/createcluster.d/leadwire.conf
trap 'rm -f "$drop_in"' EXIT
mkdir -p "${drop_in%/*}"
echo 'create_main_cluster = false' >"$drop_in"
apt-get install --yes --no-install-recommends postgresql
"#;

/// Installs the server, or fails with the line that says what to install.
pub(crate) async fn debian_package(processes: &mut Processes) -> Result<()> {
    let Some(mut command) = privileged_shell() else { bail!(missing("no PostgreSQL server found")) };
    say::line("no PostgreSQL server found: installing Debian's `postgresql`");
    command.args(["-c", DEBIAN]);
    if !processes.run(command).await?.success() {
        bail!(missing("installing Debian's `postgresql` failed"));
    }
    Ok(())
}

/// A shell that may install packages: ours if we are root, else one by sudo if that asks for no password.
pub(crate) fn privileged_shell() -> Option<Command> {
    if !environment::has_program("apt-get") {
        return None;
    }
    if account::is_root() {
        return Some(Command::new("sh"));
    }
    processes::succeeds(Command::new("sudo").args(["-n", "true"])).then(|| {
        let mut command = Command::new("sudo");
        command.args(["-n", "sh"]);
        command
    })
}

/// The one line for a machine on which we may not install.
pub(crate) fn missing(problem: &str) -> String {
    format!(
        "{problem}; install it: `apt-get install postgresql` (Debian, Ubuntu), \
         `dnf install postgresql-server` (Fedora, RHEL), `brew install postgresql@17` (macOS)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_install_is_one_line() {
        let line = missing("no PostgreSQL server found");
        assert!(line.starts_with("no PostgreSQL server found; install it: `apt-get install postgresql`"));
        assert_eq!(line.lines().count(), 1);
    }
}
