//! The accounts that triggers of MySQL and MariaDB run as.
//!
//! A trigger has the rights of its `DEFINER`. When that account is gone, or may not have triggers on the table any more,
//! the server refuses the member's own statement before the trigger's handler begins (errors 1449 and 1142).

use std::collections::BTreeSet;

use application::intake::{SourceError, Verdict};

use super::{Mysql, sql};
use crate::intake::database::Doubt;
use crate::intake::names::CAPTURE;
use crate::intake::plan::Installed;
use crate::intake::talk::{Talk as _, Value};

/// What is wrong with the accounts of this table's triggers.
pub(super) async fn doubts(
    database: &Mysql,
    table: &str,
    installed: &Installed,
) -> Result<Vec<Doubt>, SourceError> {
    let accounts: BTreeSet<&str> = installed
        .triggers
        .iter()
        .filter(|present| present.table == table && !present.account.is_empty())
        .map(|present| present.account.as_str())
        .collect();
    let mut doubts = Vec::new();
    for account in accounts {
        doubts.extend(doubt(database, table, account).await?);
    }
    Ok(doubts)
}

async fn doubt(database: &Mysql, table: &str, account: &str) -> Result<Option<Doubt>, SourceError> {
    // A role of MariaDB has no host.
    let Some((user, host)) = account.rsplit_once('@').filter(|(_, host)| !host.is_empty()) else {
        return Ok(None);
    };
    let grantee = format!("'{user}'@'{host}'");
    let own = database.rows(sql::CURRENT_USER, &[]).await?;
    let is_own = own.first().is_some_and(|row| row[0].as_deref() == Some(account.as_bytes()));
    if !is_own {
        match database.rows(sql::MAY_SEE_ACCOUNTS, &[]).await {
            Ok(_) => {}
            Err(SourceError::Denied(_)) => return Ok(Some(unseen(account))),
            Err(error) => return Err(error),
        }
        if database.rows(sql::HAS_ACCOUNT, &[Value::Text(&grantee)]).await?.is_empty() {
            return Ok(Some(gone(account)));
        }
    }
    let mut lacking = Vec::new();
    for (right, on) in [("TRIGGER", table), ("SELECT", table), ("INSERT", CAPTURE)] {
        let (grantee, right_value) = (Value::Text(&grantee), Value::Text(right));
        let values = [grantee, right_value, grantee, right_value, grantee, right_value, Value::Text(on)];
        if database.rows(sql::HAS_RIGHT, &values).await?.is_empty() {
            lacking.push((right, format!("{right} on `{on}`")));
        }
    }
    Ok(lacks(account, &lacking))
}

fn gone(account: &str) -> Doubt {
    let said = format!(
        "the triggers run as `{account}`, and there is NO SUCH ACCOUNT: every statement on the table FAILS (error 1449); \
         make the account again, or run `leadwire intake uninstall` and `install` with one that stays"
    );
    Doubt { verdict: Verdict::Failed, said, refutable: false }
}

fn unseen(account: &str) -> Doubt {
    let said = format!(
        "the triggers run as `{account}`, and this user may not see whether that account is still there; without it every \
         statement on the table fails"
    );
    Doubt { verdict: Verdict::Warning, said, refutable: true }
}

/// Rights that come with a role or for single columns are not seen, so a probe that arrives knows better.
fn lacks(account: &str, lacking: &[(&str, String)]) -> Option<Doubt> {
    let follows = match lacking.first()? {
        ("TRIGGER", _) => "every statement on the table FAILS (error 1142)",
        _ => "members are written, and NOTHING is captured",
    };
    let rights: Vec<&str> = lacking.iter().map(|(_, right)| right.as_str()).collect();
    let said = format!("the triggers run as `{account}`, who lacks {}: {follows}", rights.join(" and "));
    Some(Doubt { verdict: Verdict::Failed, said, refutable: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_a_missing_right_is_said() {
        let of = |right: &'static str| (right, format!("{right} on `t`"));
        assert_eq!(lacks("a@b", &[]), None);
        let said = lacks("a@b", &[of("TRIGGER"), of("INSERT")]).unwrap().said;
        assert!(said.contains("TRIGGER on `t` and INSERT on `t`") && said.contains("FAILS"), "{said}");
        assert!(lacks("a@b", &[of("INSERT")]).unwrap().said.contains("NOTHING is captured"));
    }
}
