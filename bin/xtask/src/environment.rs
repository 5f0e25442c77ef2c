//! The adapter to xtask's own environment: the search path, the place for temporary folders, the repository.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Variables that `cargo run` sets for us and that must not reach a cargo we start: build scripts watch some of
/// them, and would be built again each time we and a person at a shell take turns.
const SET_BY_CARGO_RUN: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// The folders of `PATH`, in order.
pub(crate) fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

/// Whether a program of this name is on the search path.
pub(crate) fn has_program(name: &str) -> bool {
    search_path().iter().any(|folder| folder.join(name).is_file())
}

/// Whether this is a machine of CI: they all say so by this variable.
pub(crate) fn is_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// Where this user's temporary folders go.
pub(crate) fn temporary_folder() -> PathBuf {
    env::temp_dir()
}

/// The root of the repository this xtask was built from.
pub(crate) fn repository() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.ancestors().nth(2).unwrap_or(xtask)
}

/// The names of the variables to take away from a cargo started by us.
pub(crate) fn set_by_cargo_run() -> Vec<OsString> {
    env::vars_os().map(|(name, _)| name).filter(|name| is_set_by_cargo_run(&name.to_string_lossy())).collect()
}

fn is_set_by_cargo_run(name: &str) -> bool {
    SET_BY_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_cargo_keeps_the_users_settings_and_loses_ours() {
        assert!(is_set_by_cargo_run("CARGO_MANIFEST_DIR"));
        assert!(is_set_by_cargo_run("CARGO_PKG_VERSION"));
        assert!(!is_set_by_cargo_run("CARGO_TARGET_DIR"));
        assert!(!is_set_by_cargo_run("CARGO_HOME"));
        assert!(!is_set_by_cargo_run("PATH"));
    }

    #[test]
    fn the_repository_is_the_folder_of_the_workspace() {
        assert!(repository().join("bin/xtask/Cargo.toml").is_file());
    }
}
