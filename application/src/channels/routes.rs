//! Through which channels people learn what, in which order (notifications.md section 3).

use std::collections::BTreeMap;

use domain::notification::Channel;

use crate::texts::kinds;

/// An ordered list of external channels for each type of notice. The first one that can reach the person speaks, the
/// others stand by. The inbox is always told and stands in no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routes {
    /// What somebody now has to act on ([`kinds::LEAD_GAINED`]), unless it has a list of its own.
    default: Vec<Channel>,
    /// The lists of single types.
    scenes: BTreeMap<String, Vec<Channel>>,
}

/// Why a route is refused at start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// There is no such type of notice.
    #[error("{0} is not a type of notice")]
    Scene(String),
    /// There is no such channel.
    #[error(
        "{0} is not a channel; known are wecom_app, wecom_robot, wechat_subscribe, wechat_official, wechat_cloud"
    )]
    Channel(String),
    /// Everything reaches the inbox without being asked.
    #[error("in_app is always told and stands in no route")]
    Inbox,
    /// A channel twice in a list.
    #[error("{0} is named twice")]
    Twice(Channel),
}

impl Default for Routes {
    fn default() -> Self {
        let default =
            vec![Channel::WecomApp, Channel::WechatSubscribe, Channel::WechatOfficial, Channel::WechatCloud];
        Self { default, scenes: BTreeMap::new() }
    }
}

impl Routes {
    /// Lists by name: `default`, or a type of notice.
    pub fn parse<'n>(lists: impl IntoIterator<Item = (&'n str, Vec<Channel>)>) -> Result<Self, RouteError> {
        let mut routes = Self::default();
        for (name, channels) in lists {
            if name == "default" {
                routes.default = channels;
            } else if kinds::ALL.contains(&name) {
                routes.scenes.insert(name.to_owned(), channels);
            } else {
                return Err(RouteError::Scene(name.to_owned()));
            }
        }
        Ok(routes)
    }

    /// Reads one list.
    pub fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Vec<Channel>, RouteError> {
        let mut channels = Vec::new();
        for name in names {
            let channel = name.parse().map_err(|_| RouteError::Channel(name.to_owned()))?;
            if channel == Channel::InApp {
                return Err(RouteError::Inbox);
            }
            if channels.contains(&channel) {
                return Err(RouteError::Twice(channel));
            }
            channels.push(channel);
        }
        Ok(channels)
    }

    /// The external channels of a type, the first one first; none when it goes to the inbox alone.
    pub fn of(&self, scene: &str) -> &[Channel] {
        match self.scenes.get(scene) {
            Some(own) => own,
            None if kinds::LEAD_GAINED.contains(&scene) => &self.default,
            None => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Channel::{WechatCloud, WechatOfficial, WechatSubscribe, WecomApp, WecomRobot};

    #[test]
    fn only_what_must_be_acted_on_leaves_the_house_unless_it_is_configured() {
        let routes = Routes::default();
        let everything = [WecomApp, WechatSubscribe, WechatOfficial, WechatCloud];
        for scene in kinds::ALL {
            let expected: &[Channel] = if kinds::LEAD_GAINED.contains(scene) { &everything } else { &[] };
            assert_eq!(routes.of(scene), expected, "{scene}");
        }
    }

    #[test]
    fn a_type_has_the_list_it_was_given() {
        let routes = Routes::parse([
            ("default", vec![WecomRobot]),
            (kinds::CUSTOMER_ASSIGNED, vec![]),
            (kinds::ACCOUNT_SECURITY, vec![WecomApp, WecomRobot]),
        ]);
        let routes = routes.unwrap();
        assert_eq!(routes.of(kinds::CUSTOMER_ASSIGNED), []);
        assert_eq!(routes.of(kinds::CUSTOMER_TRANSFERRED), [WecomRobot]);
        assert_eq!(routes.of(kinds::ACCOUNT_SECURITY), [WecomApp, WecomRobot]);
        assert_eq!(routes.of("NOTHING"), []);
        assert_eq!(Routes::parse([("NOTHING", vec![])]), Err(RouteError::Scene("NOTHING".to_owned())));
    }

    #[test]
    fn a_list_names_every_channel_once() {
        assert_eq!(Routes::list(["wecom_app", "wechat_cloud"]), Ok(vec![WecomApp, WechatCloud]));
        assert_eq!(Routes::list([]), Ok(vec![]));
        for (names, refusal) in [
            (vec!["sms"], RouteError::Channel("sms".to_owned())),
            (vec!["in_app"], RouteError::Inbox),
            (vec!["wecom_app", "wecom_app"], RouteError::Twice(WecomApp)),
        ] {
            assert_eq!(Routes::list(names.iter().copied()), Err(refusal), "{names:?}");
        }
    }
}
