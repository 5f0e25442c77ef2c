//! The people of a run: two clerks at the web console, and the employees who get the leads and the messages.

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::{Context as _, Result, ensure};
use domain::StaffId;
use wechat_simulator::SimulatorHandle;

use super::client::Api;
use super::service::Address;

/// Everybody's password.
pub const PASSWORD: &str = "leadwire-crash-run";

/// Who creates and assigns: name at login, role. Each is told of the leads that the other one creates.
const CLERKS: [(&str, &str); 2] = [("clerk-manager", "manager"), ("clerk-operator", "operator")];

/// Employees: enough to have messages to many people on their way at once.
const EMPLOYEES: usize = 24;

/// Most messages that one call of the command line grants.
const CREDITS_AT_ONCE: usize = 100;

/// Messages about one lead at the most: one for each of its owners.
const MESSAGES_PER_LEAD: usize = 3;

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Id of the account.
    pub id: StaffId,
    /// Name at login.
    pub username: String,
    /// Where WeChat reaches them.
    pub openid: Option<String>,
}

/// Everybody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    clerks: Vec<Person>,
    employees: Vec<Person>,
}

/// Makes the accounts through the command line, before anything serves. Every employee has agreed to more messages
/// than there can be by far: twice the average of a run in which every lead had all its owners.
pub async fn register(address: &Address, leads: usize, wechat: &SimulatorHandle) -> Result<()> {
    address.command(["migrate"]).await?;
    std::fs::write(address.password_file(), PASSWORD).context("cannot write the password file")?;
    let grants = (2 * MESSAGES_PER_LEAD * leads / EMPLOYEES).div_ceil(CREDITS_AT_ONCE).max(1);
    for (username, role) in CLERKS {
        create(address, username, role).await?;
    }
    for number in 0..EMPLOYEES {
        let (username, openid) = (employee(number), openid(number));
        create(address, &username, "employee").await?;
        let credits = CREDITS_AT_ONCE.to_string();
        let bind = ["staff", "bind-wechat", &username, "--openid", &openid, "--credits", &credits];
        for _ in 0..grants {
            address.command(bind).await?;
        }
        wechat.grant_credits(&openid, u32::try_from(grants * CREDITS_AT_ONCE)?)?;
    }
    Ok(())
}

/// Makes one account with everybody's password, which stands in the address's password file.
pub async fn create(address: &Address, username: &str, role: &str) -> Result<()> {
    let password = address.password_file();
    let create = ["staff", "create", "--username", username, "--name", username, "--role", role];
    let arguments = create.map(OsString::from).into_iter().chain(["--password-file".into(), password.into()]);
    address.command(arguments).await.map(|_| ())
}

fn employee(number: usize) -> String {
    format!("employee{number:02}")
}

fn openid(number: usize) -> String {
    format!("o-crash-employee-{number:02}")
}

impl Seats {
    /// Learns the ids of the registered people, as any client would.
    pub async fn learn(address: &Address) -> Result<Self> {
        let api = Api::login(address, CLERKS[0].0).await?;
        let listed = api.get("/api/customers/assignable-users").await?;
        let listed = listed.as_array().context("assignable-users is no list")?;
        let mut ids = BTreeMap::new();
        for user in listed {
            let id: StaffId = user["_id"].as_str().context("a user without _id")?.parse()?;
            let username = user["username"].as_str().context("a user without username")?;
            ids.insert(username.to_owned(), id);
        }
        ensure!(ids.len() == CLERKS.len() + EMPLOYEES, "assignable-users lists {} people", ids.len());
        let person = |username: String, openid| -> Result<Person> {
            let id = *ids.get(&username).with_context(|| format!("{username} is not assignable"))?;
            Ok(Person { id, username, openid })
        };
        let clerks = CLERKS.iter().map(|(username, _)| person((*username).to_owned(), None));
        let employees = (0..EMPLOYEES).map(|number| person(employee(number), Some(openid(number))));
        Ok(Self { clerks: clerks.collect::<Result<_>>()?, employees: employees.collect::<Result<_>>()? })
    }

    /// Who works as client `number`.
    pub fn clerk(&self, number: usize) -> &Person {
        &self.clerks[number % self.clerks.len()]
    }

    /// Who hears of every new lead: all clerks are admins, managers or operators.
    pub fn supervisors(&self) -> impl Iterator<Item = StaffId> {
        self.clerks.iter().map(|person| person.id)
    }

    /// Those whom WeChat reaches.
    pub fn bound(&self) -> impl Iterator<Item = &Person> {
        self.everybody().filter(|person| person.openid.is_some())
    }

    /// Who gets leads.
    pub fn employee_ids(&self) -> Vec<StaffId> {
        self.employees.iter().map(|person| person.id).collect()
    }

    /// Everybody.
    pub fn everybody(&self) -> impl Iterator<Item = &Person> {
        self.clerks.iter().chain(&self.employees)
    }

    /// Where WeChat reaches somebody.
    pub fn openid(&self, id: StaffId) -> Option<&str> {
        self.everybody().find(|person| person.id == id)?.openid.as_deref()
    }

    /// A name for reports.
    pub fn name(&self, id: StaffId) -> String {
        let known = self.everybody().find(|person| person.id == id);
        known.map_or_else(|| id.to_string(), |person| person.username.clone())
    }
}

/// Two clerks with the ids 0 and 1, four employees with the ids 2 to 5, whose openids are `openid2` to `openid5`.
#[cfg(test)]
pub(super) fn six() -> Seats {
    let person = |n: u128| Person {
        id: StaffId(uuid::Uuid::from_u128(n)),
        username: format!("person{n}"),
        openid: (n > 1).then(|| format!("openid{n}")),
    };
    Seats { clerks: vec![person(0), person(1)], employees: (2..6).map(person).collect() }
}
