//! The people of a run: two clerks at the web console, and the employees who get the leads and the messages.

use std::collections::BTreeMap;
use std::ffi::OsString;

use anyhow::{Context as _, Result, ensure};
use domain::StaffId;
use domain::notification::Channel;
use wechat_simulator::{DEMO_CORP, DEMO_OFFICIAL_APPID, SimulatorHandle};

use super::Options;
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
    /// Who they are to each channel that can reach them.
    pub receivers: BTreeMap<Channel, String>,
}

/// Everybody with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seats {
    clerks: Vec<Person>,
    employees: Vec<Person>,
}

/// The channels of a lead that is assigned, in the order in which they speak.
pub const ROUTE: [Channel; 4] =
    [Channel::WecomApp, Channel::WechatSubscribe, Channel::WechatOfficial, Channel::WechatCloud];

/// Through what employee `number` can be reached, so that every channel of the route is somebody's first one. The cloud
/// function knows everybody.
fn reached_through(number: usize, escalations: bool) -> &'static [Channel] {
    match number % 4 {
        0 => &ROUTE,
        1 => &[Channel::WechatOfficial, Channel::WechatCloud],
        2 => &[Channel::WechatCloud],
        // Whoever has no second channel has no wait for it.
        _ if escalations => &[Channel::WechatSubscribe, Channel::WechatOfficial, Channel::WechatCloud],
        _ => &ROUTE,
    }
}

/// Makes the accounts through the command line, before anything serves. Every employee has agreed to more messages
/// than there can be by far: twice the average of a run in which every lead had all its owners.
pub async fn register(address: &Address, options: &Options, wechat: &SimulatorHandle) -> Result<()> {
    let leads = options.leads;
    address.command(["migrate"]).await?;
    std::fs::write(address.password_file(), PASSWORD).context("cannot write the password file")?;
    let grants = (2 * MESSAGES_PER_LEAD * leads / EMPLOYEES).div_ceil(CREDITS_AT_ONCE).max(1);
    for (username, role) in CLERKS {
        create(address, username, role).await?;
        wechat.grant_credits(&clerk_openid(username), u32::try_from(leads)?)?;
    }
    for number in 0..EMPLOYEES {
        let username = employee(number);
        create(address, &username, "employee").await?;
        wechat.grant_credits(&openid(number), u32::try_from(2 * grants * CREDITS_AT_ONCE)?)?;
        for channel in reached_through(number, options.escalations) {
            bind(address, &username, *channel, number, grants, wechat).await?;
        }
    }
    Ok(())
}

async fn bind(
    address: &Address,
    username: &str,
    channel: Channel,
    number: usize,
    grants: usize,
    wechat: &SimulatorHandle,
) -> Result<()> {
    let receiver = receiver(channel, number);
    match channel {
        Channel::WechatSubscribe => {
            let credits = CREDITS_AT_ONCE.to_string();
            let bind = ["staff", "bind-wechat", username, "--openid", &receiver, "--credits", &credits];
            for _ in 0..grants {
                address.command(bind).await?;
            }
        }
        Channel::WechatOfficial => {
            let app = ["--app", DEMO_OFFICIAL_APPID, "--openid", &receiver];
            let bind = ["staff", "bind-wechat", username].into_iter().chain(app);
            address.command(bind).await?;
            wechat.follow(DEMO_OFFICIAL_APPID, &receiver)?;
        }
        Channel::WecomApp => {
            address.command(["staff", "bind-wecom", username, "--user", &receiver]).await?;
            wechat.add_wecom_user(DEMO_CORP, &receiver);
        }
        Channel::WechatCloud | Channel::WecomRobot | Channel::InApp => {}
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

fn clerk_openid(username: &str) -> String {
    format!("o-crash-{username}")
}

/// Who employee `number` is to a channel. The cloud function sends on to the mini program.
fn receiver(channel: Channel, number: usize) -> String {
    match channel {
        Channel::WechatOfficial => format!("f-crash-employee-{number:02}"),
        Channel::WecomApp => format!("CrashEmployee{number:02}"),
        _ => openid(number),
    }
}

impl Seats {
    /// Learns the ids of the registered people, as any client would.
    pub async fn learn(address: &Address, options: &Options) -> Result<Self> {
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
        let person = |username: String, receivers| -> Result<Person> {
            let id = *ids.get(&username).with_context(|| format!("{username} is not assignable"))?;
            Ok(Person { id, username, receivers })
        };
        let clerks = CLERKS.iter().map(|(username, _)| {
            // The cloud function knows everybody, and they keep the leads they create for nobody else.
            person((*username).to_owned(), [(Channel::WechatCloud, clerk_openid(username))].into())
        });
        let receivers = |number| {
            let channels = reached_through(number, options.escalations);
            channels.iter().map(|channel| (*channel, receiver(*channel, number))).collect()
        };
        let employees = (0..EMPLOYEES).map(|number| person(employee(number), receivers(number)));
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

    /// Those whom a channel reaches.
    pub fn reachable(&self) -> impl Iterator<Item = &Person> {
        self.everybody().filter(|person| !person.receivers.is_empty())
    }

    /// Tells the sample function who everybody is.
    pub fn enter_the_cloud(&self, wechat: &SimulatorHandle) {
        for person in self.everybody() {
            if let Some(openid) = person.receivers.get(&Channel::WechatCloud) {
                wechat.cloud_user(&person.id.to_string(), openid);
            }
        }
    }

    /// Who gets leads.
    pub fn employee_ids(&self) -> Vec<StaffId> {
        self.employees.iter().map(|person| person.id).collect()
    }

    /// Everybody.
    pub fn everybody(&self) -> impl Iterator<Item = &Person> {
        self.clerks.iter().chain(&self.employees)
    }

    /// Who somebody is to a channel; `None` when it cannot reach the person.
    pub fn receiver(&self, id: StaffId, channel: Channel) -> Option<&str> {
        self.everybody().find(|person| person.id == id)?.receivers.get(&channel).map(String::as_str)
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
        receivers: (n > 1).then(|| (Channel::WechatSubscribe, format!("openid{n}"))).into_iter().collect(),
    };
    Seats { clerks: vec![person(0), person(1)], employees: (2..6).map(person).collect() }
}
