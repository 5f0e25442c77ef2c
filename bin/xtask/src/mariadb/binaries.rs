//! Finds the programs of a MariaDB server, wherever the system's packager puts them.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::environment;

/// The server, and the program that makes a data folder.
const SERVER: &str = "mariadbd";
const INSTALL: &str = "mariadb-install-db";

/// What writes a database down as text: tests compare such texts, and find the program themselves.
const DUMP: &str = "mariadb-dump";

/// Where packagers put them, besides the search path.
const FOLDERS: [&str; 6] = [
    "/usr/sbin",                     // Debian, Ubuntu: the server
    "/usr/bin",                      // Debian, Ubuntu: the other one
    "/usr/libexec",                  // Fedora, RHEL
    "/usr/local/sbin",               // built from source
    "/opt/homebrew/opt/mariadb/bin", // Homebrew on Apple silicon
    "/usr/local/opt/mariadb/bin",    // Homebrew on Intel
];

/// The programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binaries {
    /// The server.
    pub(crate) server: PathBuf,
    /// What makes a data folder.
    pub(crate) install: PathBuf,
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.parent().unwrap_or(Path::new("/")).display().fmt(f)
    }
}

/// The server to use: the one on the search path, for who put it there meant it; else the one of the usual places.
pub(crate) fn find() -> Option<Binaries> {
    let mut folders = environment::search_path();
    folders.extend(FOLDERS.map(PathBuf::from));
    find_in(&folders)
}

fn find_in(folders: &[PathBuf]) -> Option<Binaries> {
    let find = |name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    find(DUMP)?;
    Some(Binaries { server: find(SERVER)?, install: find(INSTALL)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_programs_are_needed_and_may_lie_apart() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [one.path().to_path_buf(), two.path().to_path_buf()];
        std::fs::write(two.path().join(SERVER), "").unwrap();
        assert_eq!(find_in(&folders), None);
        std::fs::write(one.path().join(INSTALL), "").unwrap();
        assert_eq!(find_in(&folders), None);
        std::fs::write(one.path().join(DUMP), "").unwrap();
        let found = find_in(&folders).unwrap();
        assert_eq!((found.server, found.install), (two.path().join(SERVER), one.path().join(INSTALL)));
    }
}
