//! A MariaDB server of our own: a database that somebody else writes, into which tests put members.

mod binaries;

use anyhow::{Context as _, Result};

pub(crate) use self::binaries::Binaries;
use crate::{
    keeper::{self, Recipe},
    package::Package,
    processes::Processes,
};

/// The variable in which tests look for the server.
pub(crate) const URL_VARIABLE: &str = "LEADWIRE_TEST_MARIADB";

/// Room for every test that runs at the same time, each with a pool and some connections of its own.
const CONNECTIONS_MAX: u32 = 300;

/// The programs alone: these packages of Debian's have no service and make no data folder, so that the machine is left as it
/// was but for them.
pub(crate) const PACKAGE: Package = Package {
    server: "MariaDB",
    debian: "mariadb-server-core mariadb-client",
    script: "
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends mariadb-server-core mariadb-client
",
    by_hand: "`apt-get install mariadb-server mariadb-client` (Debian, Ubuntu), `dnf install mariadb-server mariadb` \
              (Fedora, RHEL), `brew install mariadb` (macOS)",
};

/// `$1` is the server, `$2` the program that makes a data folder.
const SCRIPT: &str = r#"
start() {
  "$2" --no-defaults --datadir="$folder/data" --auth-root-authentication-method=normal --skip-test-db || return 1
  "$1" --defaults-file="$folder/settings" --datadir="$folder/data" >"$folder/server.log" 2>&1 </dev/null &
  id=$!
  until grep -q 'ready for connections' "$folder/server.log" 2>/dev/null; do
    kill -0 "$id" || return 1
    sleep 0.1
  done
}
stop() {
  [ -z "$id" ] || kill -KILL "$id"
  wait
}
"#;

/// A running MariaDB server; dropping it stops the server and removes its folder.
pub(crate) struct Server(keeper::Server);

impl Server {
    /// Starts a fresh server on a free port of 127.0.0.1 and returns when it takes connections.
    pub(crate) fn start(binaries: &Binaries) -> Result<Self> {
        let programs = [binaries.server.as_path(), &binaries.install];
        let recipe = Recipe {
            name: "MariaDB",
            parent: None,
            settings: &settings,
            script: SCRIPT,
            programs: &programs,
        };
        let server = keeper::Server::start(&recipe).with_context(|| format!("the programs in {binaries}"))?;
        Ok(Self(server))
    }

    /// The superuser's URL.
    pub(crate) fn url(&self) -> String {
        url(self.0.port())
    }
}

/// Finds the server's programs, installing Debian's package where that is possible.
pub(crate) async fn find_or_install(processes: &mut Processes) -> Result<Binaries> {
    if let Some(found) = binaries::find() {
        return Ok(found);
    }
    PACKAGE.install(processes).await?;
    binaries::find().with_context(|| PACKAGE.missing("no MariaDB server even after installing it"))
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
}
