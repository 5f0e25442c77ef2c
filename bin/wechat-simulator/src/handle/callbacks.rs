//! The callbacks in the controls: where they go, what happens to them, what a person does that causes one.

use serde::{Deserialize, Serialize};

use super::{ControlError, SimulatorHandle};
use crate::{
    callback::{CallbackDay, CallbackTarget, Destination, Event, Pushed, ReleaseOrder},
    template::App,
    world::World,
};

/// A page of a mini program.
const SCENE_PAGE: &str = "0";
/// An H5 page of an official account.
const SCENE_H5: &str = "1";

/// One template in a popup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopupChoice {
    /// The template.
    pub template_id: String,
    /// Accepted, which adds a credit, or not.
    pub accept: bool,
}

/// A person answers a popup that asks for up to three templates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopupOrder {
    /// The app; the first configured one without it.
    #[serde(default)]
    pub appid: Option<String>,
    /// The person.
    pub openid: String,
    /// The answers.
    pub choices: Vec<PopupChoice>,
    /// `PopupScene`; without it `0`, a page of a mini program, or `1`, an H5 page of an official account.
    #[serde(default)]
    pub scene: Option<String>,
}

/// A person switches templates off in the settings, which takes all credits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnOffOrder {
    /// The app; the first configured one without it.
    #[serde(default)]
    pub appid: Option<String>,
    /// The person.
    pub openid: String,
    /// The templates.
    pub template_ids: Vec<String>,
}

/// A member writes to a WeCom app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WecomWords {
    /// `corpid/agentid`; the first configured app without it.
    #[serde(default)]
    pub app: Option<String>,
    /// The member.
    pub userid: String,
    /// What the member writes.
    pub words: String,
}

impl SimulatorHandle {
    /// Enters an app's message settings: `app` is an appid, or `corpid/agentid` of a WeCom app. Refused for an unknown
    /// app, an address that is none, and a missing or wrong key.
    pub fn set_callback(&self, app: &str, target: CallbackTarget) -> Result<(), ControlError> {
        let mut world = self.world();
        let wecom = world.wecom.app(app).map(|app| (app.corp_id.clone(), Some(app.agent_id)));
        let known = world.apps().iter().any(|known| known.appid == app).then(|| (app.to_owned(), None));
        let unknown = || ControlError(format!("unknown app `{app}`"));
        let (receiver, agent_id) = wecom.or(known).ok_or_else(unknown)?;
        let destination = Destination::new(target, &receiver, agent_id)?;
        world.callbacks.destinations.insert(app.to_owned(), destination);
        Ok(())
    }

    /// The message settings, by app.
    pub fn callbacks(&self) -> Vec<(String, CallbackTarget)> {
        let world = self.world();
        let settings = world.callbacks.destinations.iter();
        settings.map(|(app, destination)| (app.clone(), destination.target().clone())).collect()
    }

    /// An app's server is told nothing more.
    pub fn remove_callback(&self, app: &str) {
        self.world().callbacks.destinations.remove(app);
    }

    /// The order of the day for everything that is pushed from now on.
    pub fn set_callback_day(&self, day: CallbackDay) {
        self.world().callbacks.day = day;
    }

    /// The order of the day in force.
    pub fn callback_day(&self) -> CallbackDay {
        self.world().callbacks.day.clone()
    }

    /// How many are held back.
    pub fn callbacks_held(&self) -> usize {
        self.world().callbacks.held()
    }

    /// Lets go what was held.
    pub fn release_callbacks(&self, order: ReleaseOrder) {
        let mut world = self.world();
        world.callbacks.release(order);
        self.callbacks_changed(&world);
    }

    /// Pushes everything that ever left once more, byte for byte: an attacker who listened.
    pub fn replay_callbacks(&self) {
        let mut world = self.world();
        world.callbacks.replay();
        self.callbacks_changed(&world);
    }

    /// Every attempt to push, oldest first.
    pub fn callback_log(&self) -> Vec<Pushed> {
        self.world().callbacks.log().to_vec()
    }

    /// Forgets the attempts.
    pub fn clear_callback_log(&self) {
        self.world().callbacks.clear_log();
    }

    /// Returns once nothing waits to be pushed or is on its way; what is held does not count.
    pub async fn until_callbacks_idle(&self) {
        self.until(|signals| signals.callbacks == 0).await;
    }

    /// A person answers a popup for one template: the short form of [`Self::answer_popup`].
    pub fn popup(
        &self,
        appid: &str,
        openid: &str,
        template_id: &str,
        accept: bool,
    ) -> Result<(), ControlError> {
        self.answer_popup(&PopupOrder {
            appid: Some(appid.to_owned()),
            openid: openid.to_owned(),
            choices: vec![PopupChoice { template_id: template_id.to_owned(), accept }],
            scene: None,
        })
    }

    /// A person answers a popup: each accept is a credit, and the app's server is told. Refused for an unknown app or
    /// template and an empty openid.
    pub fn answer_popup(&self, order: &PopupOrder) -> Result<(), ControlError> {
        let mut world = self.world();
        let app =
            app_with(&world, order.appid.as_deref(), order.choices.iter().map(|choice| &choice.template_id))?;
        named(&order.openid)?;
        world.credits.register(&app.appid, &order.openid);
        for choice in order.choices.iter().filter(|choice| choice.accept) {
            world.credits.grant(&app.appid, &order.openid, &choice.template_id, 1);
        }
        let choices =
            order.choices.iter().map(|choice| (choice.template_id.clone(), choice.accept)).collect();
        let usual = if world.official.is_official(&app.appid) { SCENE_H5 } else { SCENE_PAGE };
        let scene = order.scene.clone().unwrap_or_else(|| usual.to_owned());
        world.tell(&app.appid, &Event::Popup { openid: order.openid.clone(), choices, scene });
        self.callbacks_changed(&world);
        Ok(())
    }

    /// A person switches templates off: no credit is left, and the app's server is told. Refused as
    /// [`Self::answer_popup`].
    pub fn turn_off(&self, order: &TurnOffOrder) -> Result<(), ControlError> {
        let mut world = self.world();
        let app = app_with(&world, order.appid.as_deref(), order.template_ids.iter())?;
        named(&order.openid)?;
        for template_id in &order.template_ids {
            world.credits.clear(&app.appid, &order.openid, template_id);
        }
        let (openid, template_ids) = (order.openid.clone(), order.template_ids.clone());
        world.tell(&app.appid, &Event::Change { openid, template_ids });
        self.callbacks_changed(&world);
        Ok(())
    }

    /// A member writes to a WeCom app; a reply in the server's answer is a message of the channel `wecom_reply`.
    /// Refused for an unknown app and an empty userid.
    pub fn wecom_says(&self, order: &WecomWords) -> Result<(), ControlError> {
        named(&order.userid)?;
        let mut world = self.world();
        let app = match &order.app {
            None => world.wecom.apps().first(),
            Some(key) => world.wecom.app(key),
        };
        let app = app.cloned().ok_or_else(|| ControlError("unknown WeCom app".to_owned()))?;
        let msgid = world.next_msgid();
        let (userid, words) = (order.userid.clone(), order.words.clone());
        world.tell(&app.key(), &Event::WecomText { userid, words, msgid, agent_id: app.agent_id });
        self.callbacks_changed(&world);
        Ok(())
    }
}

fn named(person: &str) -> Result<(), ControlError> {
    if person.is_empty() { Err(ControlError("the person has no name".to_owned())) } else { Ok(()) }
}

/// The app, if it has all these templates.
fn app_with<'a>(
    world: &World,
    appid: Option<&str>,
    mut template_ids: impl Iterator<Item = &'a String>,
) -> Result<App, ControlError> {
    let app = match appid {
        None => world.apps().first(),
        Some(appid) => world.apps().iter().find(|app| app.appid == appid),
    };
    let app = app.ok_or_else(|| ControlError("unknown appid".to_owned()))?;
    match template_ids.find(|id| app.template(id).is_none()) {
        Some(unknown) => Err(ControlError(format!("unknown template_id `{unknown}`"))),
        None => Ok(app.clone()),
    }
}
