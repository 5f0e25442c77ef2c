//! The WeCom part of the controls: apps, members, robots.

use serde::{Deserialize, Serialize};

use super::{ControlError, SimulatorHandle};
use crate::wecom::{RobotState, WecomApp, WecomLicence};

/// A member of a corp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WecomUserOrder {
    /// The corp; that of the first configured app without it.
    #[serde(default)]
    pub corp_id: Option<String>,
    /// The member, in the spelling the ledger shall use; WeCom does not mind the case.
    pub userid: String,
    /// Whether messages arrive.
    #[serde(default)]
    pub licence: WecomLicence,
    /// Departments the member is in; each exists from now on.
    #[serde(default)]
    pub parties: Vec<String>,
    /// Tags the member has; each exists from now on.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// A group robot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobotOrder {
    /// Its key.
    pub key: String,
    /// Whether it takes messages.
    #[serde(default)]
    pub state: RobotState,
}

impl SimulatorHandle {
    /// Adds a WeCom app, or gives a known one another secret; the app as the ledger names it, `corpid/agentid`.
    pub fn wecom_app(&self, corp_id: &str, agent_id: u64, secret: &str) -> String {
        let app = WecomApp { corp_id: corp_id.to_owned(), agent_id, secret: secret.to_owned() };
        let key = app.key();
        self.world().wecom.add_app(app);
        key
    }

    /// The WeCom apps it serves.
    pub fn wecom_apps(&self) -> Vec<WecomApp> {
        self.world().wecom.apps().to_vec()
    }

    /// Adds a licensed member to a corp.
    pub fn add_wecom_user(&self, corp_id: &str, userid: &str) {
        self.world().wecom.add_member(corp_id, userid, WecomLicence::Licensed);
    }

    /// Adds a member with everything there is to say. Refused for an empty userid and without any app.
    pub fn wecom_user(&self, order: &WecomUserOrder) -> Result<(), ControlError> {
        if order.userid.is_empty() {
            return Err(ControlError("userid is empty".to_owned()));
        }
        let mut world = self.world();
        let first = world.wecom.apps().first().map(|app| app.corp_id.clone());
        let corp_id = order.corp_id.clone().or(first);
        let corp_id = corp_id.ok_or_else(|| ControlError("there is no WeCom app".to_owned()))?;
        world.wecom.add_member(&corp_id, &order.userid, order.licence);
        for party in &order.parties {
            world.wecom.add_to_party(&corp_id, party, &order.userid);
        }
        for tag in &order.tags {
            world.wecom.add_to_tag(&corp_id, tag, &order.userid);
        }
        Ok(())
    }

    /// A member leaves the corp: listed as `invaliduser` from now on.
    pub fn remove_wecom_user(&self, corp_id: &str, userid: &str) {
        self.world().wecom.remove_member(corp_id, userid);
    }

    /// Adds a group robot.
    pub fn robot(&self, key: &str) {
        self.set_robot(key, RobotState::Active);
    }

    /// Adds a group robot, or changes whether it takes messages.
    pub fn set_robot(&self, key: &str, state: RobotState) {
        self.world().wecom.set_robot(key, state);
    }
}
