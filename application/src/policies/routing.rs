//! Through which channels a person learns something, and why not through the others.

use domain::StaffId;
use domain::notification::{Channel, Decision};

use super::View;
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
    /// This type of notice does not go through this channel.
    pub const NOT_ROUTED: &str = "not_routed";
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
pub(super) fn decide(view: &View<'_>, recipient: StaffId, scene: &str) -> Vec<(Channel, Decision)> {
    if !view.staff.is_active(recipient) {
        // Not even the inbox: nobody may read it, and a wave of old notices would greet whoever gets the account back.
        return everywhere(&suppress(reasons::RECIPIENT_INACTIVE));
    }
    let decision = |channel| match channel {
        Channel::InApp => Decision::Deliver,
        Channel::WechatSubscribe => wechat_subscribe(view, recipient, scene),
        Channel::WechatCloud | Channel::WechatOfficial | Channel::WecomApp | Channel::WecomRobot => {
            suppress(reasons::CHANNEL_NOT_CONFIGURED)
        }
    };
    Channel::ALL.iter().map(|channel| (*channel, decision(*channel))).collect()
}

fn wechat_subscribe(view: &View<'_>, recipient: StaffId, scene: &str) -> Decision {
    // Only what somebody now has to act on is worth a message: the consent WeChat asks for is spent per message.
    if !kinds::LEAD_GAINED.contains(&scene) {
        return suppress(reasons::NOT_ROUTED);
    }
    let Some(settings) = &view.channels.wechat_subscribe else {
        return suppress(reasons::CHANNEL_NOT_CONFIGURED);
    };
    let bound = view.staff.get(recipient).is_some_and(|staff| staff.openids.contains_key(&settings.app));
    if bound { Decision::Deliver } else { suppress(reasons::NO_BINDING) }
}
