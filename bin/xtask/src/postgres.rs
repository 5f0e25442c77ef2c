//! A PostgreSQL cluster of our own.

mod binaries;

use std::path::Path;

use anyhow::{Context as _, Result};

pub(crate) use self::binaries::Binaries;
use crate::{
    keeper::{self, Recipe},
    package::Package,
    processes::Processes,
};

/// The variable in which tests, benches and runners look for the cluster.
pub(crate) const URL_VARIABLE: &str = "LEADWIRE_TEST_POSTGRES";

/// Room for every test that runs at the same time, each with a pool of its own.
const CONNECTIONS_MAX: u32 = 300;

/// Where a benchmark's cluster goes: `/tmp` is memory on many machines.
const DURABLE_PARENT: &str = "/var/tmp";

/// The server without its default cluster. Debian makes and starts one as soon as a server package is unpacked; a drop-in
/// that lives only during the installation keeps it from doing so, so that the machine is left with programs and no new
/// service.
pub(crate) const PACKAGE: Package = Package {
    server: "PostgreSQL",
    debian: "postgresql",
    script: r#"
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends postgresql-common
drop_in=/etc/postgresql-common/createcluster.d/leadwire.conf
trap 'rm -f "$drop_in"' EXIT
mkdir -p "${drop_in%/*}"
echo 'create_main_cluster = false' >"$drop_in"
apt-get install --yes --no-install-recommends postgresql
"#,
    by_hand: "`apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora, RHEL), \
              `brew install postgresql@17` (macOS)",
};

/// `$1` is the folder of the server's binaries.
const SCRIPT: &str = r#"
start() {
  "$1/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync || return 1
  cat "$folder/settings" >>"$folder/data/postgresql.conf"
  "$1/pg_ctl" start --silent --wait --timeout=60 --pgdata="$folder/data" --log="$folder/server.log"
}
stop() {
  "$1/pg_ctl" stop --silent --mode=immediate --pgdata="$folder/data"
}
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
pub(crate) struct Cluster(keeper::Server);

impl Cluster {
    /// Starts a fresh cluster on a free port of 127.0.0.1 and returns when it takes connections.
    pub(crate) fn start(binaries: &Binaries, durability: Durability) -> Result<Self> {
        let recipe = Recipe {
            name: "PostgreSQL",
            parent: (durability == Durability::On).then_some(Path::new(DURABLE_PARENT)),
            settings: &|port| settings(port, durability),
            script: SCRIPT,
            programs: &[binaries.folder()],
        };
        let server = keeper::Server::start(&recipe).with_context(|| format!("the programs in {binaries}"))?;
        Ok(Self(server))
    }

    /// The superuser's URL.
    pub(crate) fn url(&self) -> String {
        url(self.0.port())
    }
}

/// Finds the server's binaries, installing Debian's package where that is possible.
pub(crate) async fn find_or_install(processes: &mut Processes) -> Result<Binaries> {
    if let Some(found) = binaries::find() {
        return Ok(found);
    }
    PACKAGE.install(processes).await?;
    binaries::find().with_context(|| PACKAGE.missing("no PostgreSQL server even after installing it"))
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
}
