//! Installs Debian's MariaDB where the user lets us, and says in one line what to do where not.

use anyhow::{Result, bail};

use crate::{postgres::privileged_shell, processes::Processes, say};

/// Installs the programs alone: this package of Debian's has no service and makes no data folder, so that the machine is
/// left as it was but for them.
const DEBIAN: &str = "
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends mariadb-server-core
";

/// Installs the server, or fails with the line that says what to install.
pub(super) async fn debian_package(processes: &mut Processes) -> Result<()> {
    let Some(mut command) = privileged_shell() else { bail!(missing("no MariaDB server found")) };
    say::line("no MariaDB server found: installing Debian's `mariadb-server-core`");
    command.args(["-c", DEBIAN]);
    if !processes.run(command).await?.success() {
        bail!(missing("installing Debian's `mariadb-server-core` failed"));
    }
    Ok(())
}

/// The one line for a machine on which we may not install.
pub(super) fn missing(problem: &str) -> String {
    format!(
        "{problem}; install it: `apt-get install mariadb-server` (Debian, Ubuntu), \
         `dnf install mariadb-server` (Fedora, RHEL), `brew install mariadb` (macOS)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_install_is_one_line() {
        let line = missing("no MariaDB server found");
        assert!(line.starts_with("no MariaDB server found; install it: `apt-get install mariadb-server`"));
        assert_eq!(line.lines().count(), 1);
    }
}
