//! WeCom: apps, members, group robots, and what they did so far (wechat-apis.md §5, §6).

mod content;
mod duplicates;
mod recall;
mod receivers;
mod robot;
mod send;
mod token;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use rand::{distr::Alphanumeric, prelude::*};
use serde::{Deserialize, Serialize};

use crate::rates::Rates;
pub(crate) use content::summary;
use duplicates::Duplicates;

/// Corp of the demo app.
pub const DEMO_CORP: &str = "ww0000000000demo01";
/// Agent id of the demo app.
pub const DEMO_AGENT: u64 = 1_000_002;
/// Secret of the demo app.
pub const DEMO_WECOM_SECRET: &str = "demo-wecom-secret";
/// Key of the demo robot.
pub const DEMO_ROBOT: &str = "00000000-0000-4000-8000-0000000demo1";
/// What a robot's messages carry as their app.
pub(crate) const ROBOT_APP: &str = "robot";

/// Characters of a message id; seen: 40 to 70.
const MSGID_CHARS: usize = 44;

/// A self-built app of a corp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WecomApp {
    /// The corp.
    pub corp_id: String,
    /// The app's number in the corp.
    pub agent_id: u64,
    /// The app's secret.
    pub secret: String,
}

impl WecomApp {
    /// The app a simulator has when nobody configures one.
    pub fn demo() -> Self {
        Self { corp_id: DEMO_CORP.to_owned(), agent_id: DEMO_AGENT, secret: DEMO_WECOM_SECRET.to_owned() }
    }

    /// `corpid/agentid`: how the ledger names it.
    pub fn key(&self) -> String {
        format!("{}/{}", self.corp_id, self.agent_id)
    }
}

/// Whether the corp pays for a member's messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WecomLicence {
    /// Messages arrive.
    #[default]
    Licensed,
    /// The member is listed as `unlicenseduser`.
    Unlicensed,
}

/// Whether a robot takes messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RobotState {
    /// It does.
    #[default]
    Active,
    /// 93004.
    Disabled,
    /// 93008.
    NotInGroup,
}

/// A member as registered; WeCom does not mind the case of a userid.
#[derive(Clone, Debug)]
struct Member {
    userid: String,
    licence: WecomLicence,
}

/// A message that may be taken back.
#[derive(Clone, Debug)]
struct Sent {
    app: String,
    at: DateTime<Utc>,
}

#[derive(Debug, Default)]
pub(crate) struct Wecom {
    apps: Vec<WecomApp>,
    /// By corp and lower-cased userid.
    members: BTreeMap<(String, String), Member>,
    /// Userids by corp and party or tag.
    parties: BTreeMap<(String, String), BTreeSet<String>>,
    tags: BTreeMap<(String, String), BTreeSet<String>>,
    robots: BTreeMap<String, RobotState>,
    rates: Rates,
    duplicates: Duplicates,
    sent: BTreeMap<String, Sent>,
    task_ids: BTreeSet<(String, String)>,
    /// When failing token calls have a corp blocked, until when.
    blocked_until: BTreeMap<String, DateTime<Utc>>,
}

impl Wecom {
    pub(crate) fn new(apps: &[WecomApp], robots: &[String]) -> Self {
        let mut fresh = Self { apps: apps.to_vec(), ..Self::default() };
        fresh.robots.extend(robots.iter().map(|key| (key.clone(), RobotState::Active)));
        fresh
    }

    /// Adds an app, or gives a known one another secret.
    pub(crate) fn add_app(&mut self, app: WecomApp) {
        self.apps.retain(|known| known.key() != app.key());
        self.apps.push(app);
    }

    pub(crate) fn apps(&self) -> &[WecomApp] {
        &self.apps
    }

    pub(crate) fn app(&self, key: &str) -> Option<&WecomApp> {
        self.apps.iter().find(|app| app.key() == key)
    }

    pub(crate) fn knows_corp(&self, corp_id: &str) -> bool {
        self.apps.iter().any(|app| app.corp_id == corp_id)
    }

    pub(crate) fn add_member(&mut self, corp_id: &str, userid: &str, licence: WecomLicence) {
        let member = Member { userid: userid.to_owned(), licence };
        self.members.insert((corp_id.to_owned(), userid.to_lowercase()), member);
    }

    pub(crate) fn remove_member(&mut self, corp_id: &str, userid: &str) {
        self.members.remove(&(corp_id.to_owned(), userid.to_lowercase()));
    }

    /// Adds a member to a party; the party exists from now on.
    pub(crate) fn add_to_party(&mut self, corp_id: &str, party: &str, userid: &str) {
        let party = self.parties.entry((corp_id.to_owned(), party.to_owned())).or_default();
        party.insert(userid.to_lowercase());
    }

    /// Adds a member to a tag; the tag exists from now on.
    pub(crate) fn add_to_tag(&mut self, corp_id: &str, tag: &str, userid: &str) {
        let tag = self.tags.entry((corp_id.to_owned(), tag.to_owned())).or_default();
        tag.insert(userid.to_lowercase());
    }

    pub(crate) fn set_robot(&mut self, key: &str, state: RobotState) {
        self.robots.insert(key.to_owned(), state);
    }
}

/// A message id as WeCom makes one.
pub(crate) fn msgid(rng: &mut StdRng) -> String {
    rng.sample_iter(Alphanumeric).take(MSGID_CHARS).map(char::from).collect()
}
