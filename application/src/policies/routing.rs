//! Through which channels a person learns something, and why not through the others (notifications.md section 3).
//!
//! A route is an ordered list of channels: the person's own, then that of the person's role, then that of the
//! installation. The first channel of it that can reach the person tells it, at once or when the person wishes to be
//! told; the usable ones behind it stand by for the case that it fails. Whatever is not used says why, once for every
//! channel, so that "why was she not told by WeChat" has an answer.

use domain::StaffId;
use domain::notification::{Channel, Decision, Priority};
use domain::preferences::Mode;
use domain::staff::Staff;

use super::{View, Wishes};
use crate::channels::ChannelSettings;
use crate::preferences::{self, Resolved};
use crate::texts::kinds;

/// Why a channel does not tell a person. Words of the decision record, on screens and in exports.
pub mod reasons {
    /// The installation has no settings for the channel.
    pub const CHANNEL_NOT_CONFIGURED: &str = "channel_not_configured";
    /// The person has no id within the channel's app.
    pub const NO_BINDING: &str = "no_binding";
    /// The person's account is cut off or unknown.
    pub const RECIPIENT_INACTIVE: &str = "recipient_inactive";
    /// The person did it and knows.
    pub const ACTOR_IS_RECIPIENT: &str = "actor_is_recipient";
    /// This type of notice does not go through this channel in this installation.
    pub const NOT_ROUTED: &str = "not_routed";
    /// The cloud function knows one sentence: "you have a new customer". Anything else it would tell wrongly.
    pub const CHANNEL_TELLS_LEADS_ONLY: &str = "channel_tells_leads_only";
    /// The message is for people of a corporation, not for an account.
    pub const AUDIENCE_BY_WECOM: &str = "audience_by_wecom";
    /// Only columns changed that messages do not name.
    pub const SENSITIVE_FIELDS_ONLY: &str = "sensitive_fields_only";
    /// The person's own list of channels leaves this one out; of a role, `role_default_route`.
    pub const PREFERENCE_ROUTE: &str = "preference_route";
    /// The person turned it off; a colon and the rule follow. Of a role, `role_default_off`.
    pub const PREFERENCE_OFF: &str = "preference_off";
}

/// A refusal with its reason.
pub(super) fn suppress(reason: &str) -> Decision {
    Decision::Suppress { reason: reason.to_owned() }
}

/// The same decision for every channel.
pub(super) fn everywhere(decision: &Decision) -> Vec<(Channel, Decision)> {
    Channel::ALL.iter().map(|channel| (*channel, decision.clone())).collect()
}

/// The decision for every channel when `recipient` should learn of `scene`.
pub(super) fn decide(
    view: &View<'_>,
    recipient: StaffId,
    scene: &str,
    priority: Priority,
) -> Vec<(Channel, Decision)> {
    let Some(person) = view.staff.get(recipient).filter(|staff| staff.is_active()) else {
        // Not even the inbox: nobody may read it, and a wave of old notices would greet whoever gets the account back.
        return everywhere(&suppress(reasons::RECIPIENT_INACTIVE));
    };
    let wishes = view.preferences.of(recipient, view.staff.role(recipient));
    let (route, not_in_it) = match preferences::route(wishes.own, wishes.role, scene) {
        Some((route, layer)) => (route, format!("{layer}_route")),
        None => (view.channels.routes.of(scene), reasons::NOT_ROUTED.to_owned()),
    };
    let about = About { view, recipient, person, wishes, scene, priority };
    let mut decisions = everywhere(&suppress(&not_in_it));
    decide_one(&mut decisions, Channel::InApp, Decision::Deliver);
    let mut before = None;
    for channel in route.iter().copied() {
        let decision = about.decide(channel, before);
        if !matches!(decision, Decision::Suppress { .. }) {
            before = Some(channel);
        }
        decide_one(&mut decisions, channel, decision);
    }
    decisions
}

fn decide_one(decisions: &mut [(Channel, Decision)], channel: Channel, decision: Decision) {
    if let Some((_, place)) = decisions.iter_mut().find(|(known, _)| *known == channel) {
        *place = decision;
    }
}

/// Who should learn what.
struct About<'v> {
    view: &'v View<'v>,
    recipient: StaffId,
    person: &'v Staff,
    wishes: Wishes<'v>,
    scene: &'v str,
    priority: Priority,
}

impl About<'_> {
    /// One channel of the route; `before` is the usable one before it.
    fn decide(&self, channel: Channel, before: Option<Channel>) -> Decision {
        let Wishes { own, role } = self.wishes;
        if let Err(reason) = reach(self.view.channels, channel, self.person) {
            return suppress(reason);
        }
        if channel == Channel::WechatCloud && !kinds::LEAD_GAINED.contains(&self.scene) {
            return suppress(reasons::CHANNEL_TELLS_LEADS_ONLY);
        }
        let resolved = preferences::resolve(own, role, self.scene, channel, self.priority);
        if resolved.mode == Mode::Off {
            return suppress(&turned_off(&resolved));
        }
        if let Some(after) = before {
            return Decision::Standby { after };
        }
        let (at, about) = (self.view.at, (self.scene, channel));
        let last = self.view.recent.last(self.recipient, self.scene, channel);
        match preferences::decide_hold(own, role, about, &resolved, at, last) {
            Some(hold) => Decision::Hold { until: hold.until, reason: hold.reason.as_str().to_owned() },
            None => Decision::Deliver,
        }
    }
}

/// The setting that turned it off: `preference_off:CUSTOMER_ASSIGNED×wecom_app`.
fn turned_off(resolved: &Resolved<'_>) -> String {
    let setting = resolved.setting.to_string();
    match setting.split_once(':') {
        Some((layer, rule)) => format!("{layer}_off:{rule}"),
        None => reasons::PREFERENCE_OFF.to_owned(),
    }
}

/// Who the person is to the channel's app, or why the channel cannot reach the person.
pub(crate) fn reach<'v>(
    channels: &ChannelSettings,
    channel: Channel,
    person: &'v Staff,
) -> Result<&'v str, &'static str> {
    if !channels.is_configured(channel) {
        return Err(reasons::CHANNEL_NOT_CONFIGURED);
    }
    channels.receiver(channel, person).ok_or(reasons::NO_BINDING)
}
