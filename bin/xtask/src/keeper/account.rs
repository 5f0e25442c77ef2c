//! Who a server runs as. PostgreSQL refuses to run as root, so root lends it an unprivileged account; MariaDB gets the same.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::processes;

/// Accounts to use if they exist: the one PostgreSQL's packages make, then the one made by us earlier.
const KNOWN: [&str; 2] = ["postgres", OURS];

/// The account made where there is none.
const OURS: &str = "leadwire-test";

/// An unprivileged account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// Its login name.
    pub(crate) name: &'static str,
    /// Its numeric user id.
    pub(crate) user_id: u32,
    /// Its primary group.
    pub(crate) group_id: u32,
}

/// The account to lend to the server; `None` when we are not root and it runs as ourselves.
pub(crate) fn for_server() -> Result<Option<Account>> {
    if !is_root() {
        return Ok(None);
    }
    if let Some(account) = KNOWN.iter().find_map(|name| find(name)) {
        return Ok(Some(account));
    }
    create()?;
    find(OURS).map(Some).with_context(|| format!("made the user {OURS} but cannot find it"))
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    id("-u", None) == Some(0)
}

fn find(name: &'static str) -> Option<Account> {
    let account = Account { name, user_id: id("-u", Some(name))?, group_id: id("-g", Some(name))? };
    (account.user_id != 0).then_some(account)
}

fn id(flag: &str, name: Option<&str>) -> Option<u32> {
    let arguments: Vec<&str> = [flag].into_iter().chain(name).collect();
    processes::output("id", &arguments)?.parse().ok()
}

/// Makes a system account: `useradd` almost everywhere, `adduser` of busybox on Alpine.
fn create() -> Result<()> {
    const USERADD: [&str; 5] = ["--system", "--no-create-home", "--shell", "/sbin/nologin", OURS];
    const ADDUSER: [&str; 6] = ["-S", "-H", "-D", "-s", "/sbin/nologin", OURS];
    let made = processes::succeeds(Command::new("useradd").args(USERADD))
        || processes::succeeds(Command::new("adduser").args(ADDUSER));
    if !made {
        bail!(
            "a database server does not run as root: make a user for it with `useradd {}`",
            USERADD.join(" ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_never_lent_to_the_server() {
        assert_eq!(find("root"), None);
        assert_eq!(find("leadwire-no-such-user"), None);
    }

    #[test]
    fn the_server_has_an_account_of_its_own_exactly_when_we_are_root() {
        let account = for_server().unwrap();
        assert_eq!(account.is_some(), is_root());
        assert!(account.is_none_or(|account| account.user_id != 0));
    }
}
