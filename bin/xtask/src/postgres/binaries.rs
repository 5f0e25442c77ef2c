//! Finds the programs of a PostgreSQL server, wherever the system's packager puts them.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::{environment, processes};

/// What a folder must hold to be of use. Client-only installations have none of them.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Where packagers put several versions side by side: the parent, what stands before the version in the folder's
/// name, and the folder of binaries below it.
const LAYOUTS: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                   // RHEL, Fedora, from postgresql.org
    ("/opt/homebrew/opt", "postgresql@", "bin"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql@", "bin"),    // Homebrew on Intel
    ("/usr/libexec", "postgresql", ""),          // Alpine
    ("/usr/lib", "postgresql", "bin"),           // openSUSE
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"), // Postgres.app
];

/// The folder with the server's programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries(PathBuf);

impl Binaries {
    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

/// The server to use: the one on the search path, for who put it there meant it; else the newest of the usual
/// places; else the one `pg_config` knows.
pub(crate) fn find() -> Option<Binaries> {
    environment::search_path()
        .into_iter()
        .find(|folder| is_complete(folder))
        .or_else(|| {
            LAYOUTS.iter().find_map(|(parent, prefix, below)| newest(Path::new(parent), prefix, below))
        })
        .or_else(|| {
            let folder = PathBuf::from(processes::output("pg_config", &["--bindir"])?);
            is_complete(&folder).then_some(folder)
        })
        .map(Binaries)
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

/// The newest complete version in one layout.
fn newest(parent: &Path, prefix: &str, below: &str) -> Option<PathBuf> {
    let names = fs::read_dir(parent).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    newest_first(names, prefix)
        .into_iter()
        .map(|name| parent.join(name).join(below))
        .find(|folder| is_complete(folder))
}

/// The names that are the prefix and a version, newest first. Versions are numbers: 9.6 is older than 15.
fn newest_first(names: impl Iterator<Item = String>, prefix: &str) -> Vec<String> {
    let mut versions: Vec<(Vec<u32>, String)> = names
        .filter_map(|name| {
            let parts = name.strip_prefix(prefix)?.split('.');
            let version = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
            Some((version, name))
        })
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(parent: &Path, version: &str, programs: &[&str]) {
        let folder = parent.join(version).join("bin");
        fs::create_dir_all(&folder).unwrap();
        for program in programs {
            fs::write(folder.join(program), "").unwrap();
        }
    }

    #[test]
    fn versions_are_compared_as_numbers_and_other_names_are_passed_over() {
        let check = |names: &[&str], prefix, expected: &[&str]| {
            assert_eq!(newest_first(names.iter().map(ToString::to_string), prefix), expected);
        };
        check(&["9.6", "15", "16", "latest"], "", &["16", "15", "9.6"]);
        check(&["pgsql-9.6", "pgsql-17", "lib"], "pgsql-", &["pgsql-17", "pgsql-9.6"]);
        check(&["postgresql@14", "postgresql", "redis"], "postgresql@", &["postgresql@14"]);
        check(&[], "", &[]);
    }

    #[test]
    fn a_newer_version_without_a_server_is_passed_over() {
        let parent = tempfile::tempdir().unwrap();
        install(parent.path(), "9.6", &PROGRAMS);
        install(parent.path(), "15", &PROGRAMS);
        install(parent.path(), "17", &["psql", "pg_ctl"]);
        assert_eq!(newest(parent.path(), "", "bin"), Some(parent.path().join("15/bin")));
    }

    #[test]
    fn no_server_is_no_answer() {
        let parent = tempfile::tempdir().unwrap();
        install(parent.path(), "15", &["psql"]);
        assert_eq!(newest(parent.path(), "", "bin"), None);
        assert_eq!(newest(&parent.path().join("missing"), "", "bin"), None);
    }
}
