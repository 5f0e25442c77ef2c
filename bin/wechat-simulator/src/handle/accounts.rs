//! The official account and the cloud in the controls: accounts, followers, the function's users.

use serde::{Deserialize, Serialize};

use super::{ControlError, SimulatorHandle};
use crate::template::{App, Template};

/// Whether a person follows an official account, or blocks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Following {
    /// Template messages arrive.
    #[default]
    Follows,
    /// 43004.
    Left,
    /// Accepted and not shown; the job's result is `failed:user block`.
    Blocks,
}

/// A person and an official account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowOrder {
    /// The account; the first configured one without it.
    #[serde(default)]
    pub appid: Option<String>,
    /// The person, who is known to the account from now on.
    pub openid: String,
    /// What the person does.
    #[serde(default)]
    pub following: Following,
}

/// A document of the sample function's collection `users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloudUser {
    /// What callers name as `assignedToId`.
    pub staff_id: String,
    /// The person's openid of the mini program.
    pub openid: String,
}

impl SimulatorHandle {
    /// Adds an official account, or replaces a known one.
    pub fn official_account(&self, account: App) {
        let mut world = self.world();
        world.official.add(&account.appid);
        world.add_app(account);
    }

    /// Somebody changes the templates of an app on the platform. Refused for an unknown app.
    pub fn set_templates(&self, appid: &str, templates: Vec<Template>) -> Result<(), ControlError> {
        let mut world = self.world();
        let known = world.apps().iter().find(|app| app.appid == appid).cloned();
        let app = known.ok_or_else(|| ControlError("unknown appid".to_owned()))?;
        world.put_app(App { templates, ..app });
        Ok(())
    }

    /// A person follows an official account. Refused for an account that is none.
    pub fn follow(&self, appid: &str, openid: &str) -> Result<(), ControlError> {
        self.set_following(&FollowOrder {
            appid: Some(appid.to_owned()),
            openid: openid.to_owned(),
            following: Following::Follows,
        })
    }

    /// A person follows, leaves or blocks an official account. Refused for an account that is none and an empty openid.
    pub fn set_following(&self, order: &FollowOrder) -> Result<(), ControlError> {
        if order.openid.is_empty() {
            return Err(ControlError("openid is empty".to_owned()));
        }
        let mut world = self.world();
        let official = |app: &&App| world.official.is_official(&app.appid);
        let mut accounts = world.apps().iter().filter(official);
        let account = match &order.appid {
            None => accounts.next(),
            Some(appid) => accounts.find(|app| app.appid == *appid),
        };
        let appid = account.ok_or_else(|| ControlError("unknown official account".to_owned()))?.appid.clone();
        world.credits.register(&appid, &order.openid);
        world.official.set_follows(&appid, &order.openid, order.following != Following::Left);
        world.official.set_blocks(&appid, &order.openid, order.following == Following::Blocks);
        Ok(())
    }

    /// Adds a user to the sample cloud function's collection; credits are granted apart.
    pub fn cloud_user(&self, staff_id: &str, openid: &str) {
        self.world().cloud.add_user(staff_id, openid);
    }
}
