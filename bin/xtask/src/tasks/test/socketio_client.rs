//! What the tests take from npm: `socket.io-client`, which is let loose on the real service, and two libraries of WeChat's
//! callback crypto, which know nothing of ours. Installed from the lock file, outside the source folder.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{environment, processes::Processes, say};

/// What is installed, and with what.
const SOURCE: &str = "tests/js";
/// Where to; `tests::kit::JsClient` and the stories of callbacks look here.
const TARGET: &str = "target/socketio-client";

/// What npm needs of the source.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Written last, with the lock file it was installed from.
const INSTALLED: &str = "installed-from.json";

/// Installs it, unless that was done from the same lock file before.
pub(super) async fn install(processes: &mut Processes) -> Result<()> {
    let (source, target) = (environment::repository().join(SOURCE), environment::repository().join(TARGET));
    if let Some(missing) = ["node", "npm"].into_iter().find(|program| !environment::has_program(program)) {
        bail!(needed(missing));
    }
    let wanted = read(&source.join("package-lock.json"))?;
    if fs::read_to_string(target.join(INSTALLED)).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say::heading("npm packages of the tests: npm ci");
    fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    for file in FILES {
        let text = read(&source.join(file))?;
        fs::write(target.join(file), text).with_context(|| format!("cannot write {file}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&target);
    if !processes.run(npm).await?.success() {
        bail!("`npm ci` failed in {TARGET}; it installs what {SOURCE}/package-lock.json names");
    }
    fs::write(target.join(INSTALLED), wanted).with_context(|| format!("cannot write {INSTALLED}"))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The one line for a machine without Node.js.
fn needed(program: &str) -> String {
    format!(
        "no `{program}` found: the tests play system A's console with npm's socket.io-client; install Node.js 18 or \
         later with npm: `apt-get install nodejs npm` (Debian, Ubuntu), `brew install node` (macOS)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_every_package_by_its_hash_and_none_by_its_address() {
        let lock = read(&environment::repository().join(SOURCE).join("package-lock.json")).unwrap();
        assert!(
            !lock.contains("\"resolved\"") && !lock.contains("://"),
            "npm install --omit-lockfile-registry-resolved"
        );
        assert_eq!(lock.matches("\"integrity\"").count(), lock.matches("\"node_modules/").count());
    }

    #[test]
    fn what_is_missing_is_one_line() {
        assert!(needed("npm").starts_with("no `npm` found"));
        assert_eq!(needed("npm").lines().count(), 1);
    }
}
