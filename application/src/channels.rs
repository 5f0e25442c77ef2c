//! Which channels exist in this installation, their settings, and what each says of a notice. A channel that is not
//! configured suppresses its decisions with that reason and changes nothing else (product.md G7).
//!
//! A request is rendered once, here, and stored: every attempt sends the same bytes. What a provider answers is judged
//! here too, by a table per channel; `infrastructure` only carries bytes.

mod body;
mod fields;
mod notice;
mod routes;
#[cfg(test)]
mod testing;
mod text;
mod verdict;
pub mod wechat_cloud;
pub mod wechat_official;
pub mod wechat_subscribe;
pub mod wecom_app;
pub mod wecom_robot;

use chrono_tz::Tz;
use domain::notification::Channel;
use domain::staff::Staff;

pub use fields::FieldsError;
pub(crate) use notice::stamp;
pub use notice::{Notice, Rendered};
pub use routes::{RouteError, Routes};
pub use verdict::Verdict;

/// Every external channel that is configured, who is told through which, and by whose wall clock.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    /// The mini program's one-time subscribe messages; `None` when not configured.
    pub wechat_subscribe: Option<wechat_subscribe::Settings>,
    /// The mini program's cloud function; `None` when not configured.
    pub wechat_cloud: Option<wechat_cloud::Settings>,
    /// The service account; `None` when not configured.
    pub wechat_official: Option<wechat_official::Settings>,
    /// The `WeCom` application; `None` when not configured.
    pub wecom_app: Option<wecom_app::Settings>,
    /// The `WeCom` group robot; `None` when not configured.
    pub wecom_robot: Option<wecom_robot::Settings>,
    /// Through which of them people learn what, in which order.
    pub routes: Routes,
    /// The wall clock of the moments that notices name.
    pub zone: Tz,
}

impl Default for ChannelSettings {
    /// Nothing is configured, in China.
    fn default() -> Self {
        Self {
            wechat_subscribe: None,
            wechat_cloud: None,
            wechat_official: None,
            wecom_app: None,
            wecom_robot: None,
            routes: Routes::default(),
            zone: Tz::Asia__Shanghai,
        }
    }
}

impl ChannelSettings {
    /// The provider's app that a channel is configured for; `None` when it is not configured.
    pub fn app(&self, channel: Channel) -> Option<String> {
        Some(match channel {
            Channel::InApp => return None,
            Channel::WechatSubscribe => self.wechat_subscribe.as_ref()?.app.clone(),
            Channel::WechatCloud => self.wechat_cloud.as_ref()?.app.clone(),
            Channel::WechatOfficial => self.wechat_official.as_ref()?.app.clone(),
            Channel::WecomApp => self.wecom_app.as_ref()?.app(),
            Channel::WecomRobot => self.wecom_robot.as_ref()?.name.clone(),
        })
    }

    /// Whether a channel has settings; the inbox needs none.
    pub fn is_configured(&self, channel: Channel) -> bool {
        channel == Channel::InApp || self.app(channel).is_some()
    }

    /// Who the person is to a configured channel; `None` without a binding that the channel needs. The cloud function
    /// knows people by our own id, and a robot speaks to the group: for them the id may be empty.
    pub fn receiver<'s>(&self, channel: Channel, staff: &'s Staff) -> Option<&'s str> {
        let openid = |app: &str| staff.openids.get(app).map(domain::contact::OpenId::as_str);
        let userid = |corp: &str| staff.wecom.get(corp).map(domain::contact::WecomUserId::as_str);
        match channel {
            Channel::InApp => Some(""),
            Channel::WechatSubscribe => openid(&self.wechat_subscribe.as_ref()?.app),
            Channel::WechatOfficial => openid(&self.wechat_official.as_ref()?.app),
            Channel::WechatCloud => self.wechat_cloud.as_ref().map(|_| ""),
            Channel::WecomApp => userid(&self.wecom_app.as_ref()?.corp),
            Channel::WecomRobot => {
                let corp = self.wecom_robot.as_ref()?.corp.as_deref();
                Some(corp.and_then(userid).unwrap_or_default())
            }
        }
    }
}

/// The request of a configured channel for a notice; `None` for the inbox and for a channel that is not configured.
pub fn render(settings: &ChannelSettings, channel: Channel, notice: &Notice<'_>) -> Option<Rendered> {
    let app = settings.app(channel)?;
    let (body, template) = match channel {
        Channel::InApp => return None,
        Channel::WechatSubscribe => {
            let settings = settings.wechat_subscribe.as_ref()?;
            (wechat_subscribe::render(settings, notice), Some(settings.template.clone()))
        }
        Channel::WechatCloud => (wechat_cloud::render(notice), None),
        Channel::WechatOfficial => {
            let settings = settings.wechat_official.as_ref()?;
            (wechat_official::render(settings, notice), settings.credits().map(str::to_owned))
        }
        Channel::WecomApp => (wecom_app::render(settings.wecom_app.as_ref()?, notice), None),
        Channel::WecomRobot => (wecom_robot::render(settings.wecom_robot.as_ref()?, notice), None),
    };
    let receiver = if notice.receiver.is_empty() || channel == Channel::WechatCloud {
        // Sends to one person stay one at a time although the provider is told no id.
        notice.recipient.to_string()
    } else {
        notice.receiver.to_owned()
    };
    Some(Rendered { app, receiver, template, body })
}

/// The stored body for a person who may have had the message by another channel: its title or first words begin with
/// （可能重复）, or "(possibly repeated) " where nothing is Chinese, within the provider's limits. A marked body stays
/// as it is, and so does one that is not of this channel.
pub fn mark_possibly_repeated(channel: Channel, body: &str) -> String {
    match channel {
        Channel::InApp => body.to_owned(),
        Channel::WechatSubscribe => wechat_subscribe::mark_possibly_repeated(body),
        Channel::WechatCloud => wechat_cloud::mark_possibly_repeated(body),
        Channel::WechatOfficial => wechat_official::mark_possibly_repeated(body),
        Channel::WecomApp => wecom_app::mark_possibly_repeated(body),
        Channel::WecomRobot => wecom_robot::mark_possibly_repeated(body),
    }
}

#[cfg(test)]
mod tests {
    use domain::contact::{OpenId, WecomUserId};

    use super::testing::Case;
    use super::*;

    fn settings() -> ChannelSettings {
        let fields = [("thing1", "customer_name"), ("time2", "assign_time")];
        let fields = fields.map(|(key, shows)| (key.to_owned(), shows.to_owned())).to_vec();
        ChannelSettings {
            wechat_subscribe: Some(wechat_subscribe::Settings {
                app: "wx1".to_owned(),
                template: "T1".to_owned(),
                page: "p".to_owned(),
                fields: fields.clone(),
                miniprogram_state: "formal".to_owned(),
            }),
            wechat_cloud: Some(wechat_cloud::Settings {
                app: "wx1".to_owned(),
                env: "prod".to_owned(),
                function: "f".to_owned(),
            }),
            wechat_official: Some(wechat_official::Settings {
                app: "wx2".to_owned(),
                kind: wechat_official::Kind::Subscribe,
                template: "T2".to_owned(),
                fields,
                public_url: None,
                mini_program: None,
            }),
            wecom_app: Some(wecom_app::Settings {
                corp: "ww1".to_owned(),
                agent: 7,
                kind: wecom_app::Kind::Text,
                public_url: None,
            }),
            wecom_robot: Some(wecom_robot::Settings {
                name: "群".to_owned(),
                corp: Some("ww1".to_owned()),
                kind: wecom_robot::Kind::Text,
                public_url: None,
            }),
            ..ChannelSettings::default()
        }
    }

    #[test]
    fn every_channel_knows_its_app_its_receiver_and_what_it_costs() {
        let (settings, case) = (settings(), Case::one_lead());
        let mut staff = Staff::default();
        staff.openids.insert("wx1".to_owned(), OpenId::parse("o-1").unwrap());
        staff.openids.insert("wx2".to_owned(), OpenId::parse("o-2").unwrap());
        staff.wecom.insert("ww1".to_owned(), WecomUserId::parse("li").unwrap());
        let unbound = Staff::default();
        let recipient = "00000000-0000-0000-0000-000000000003";
        for (channel, app, bound, not_bound, receiver, template) in [
            (Channel::WechatSubscribe, "wx1", "o-1", None, "o-1", Some("T1")),
            (Channel::WechatCloud, "wx1", "", Some(""), recipient, None),
            (Channel::WechatOfficial, "wx2", "o-2", None, "o-2", Some("T2")),
            (Channel::WecomApp, "ww1/7", "li", None, "li", None),
            (Channel::WecomRobot, "群", "li", Some(""), "li", None),
        ] {
            assert_eq!(settings.receiver(channel, &staff), Some(bound), "{channel}");
            assert_eq!(settings.receiver(channel, &unbound), not_bound, "{channel}");
            let rendered = render(&settings, channel, &case.notice(bound)).unwrap();
            testing::check_body(&rendered.body);
            let said = (rendered.app.as_str(), rendered.receiver.as_str(), rendered.template.as_deref());
            assert_eq!(said, (app, receiver, template), "{channel}");
            let marked = mark_possibly_repeated(channel, &rendered.body);
            assert!(marked.contains("（可能重复）"), "{channel}: {marked}");
            assert_eq!(mark_possibly_repeated(channel, "not ours"), "not ours");
        }
    }

    #[test]
    fn what_is_not_configured_says_nothing() {
        let (nothing, case) = (ChannelSettings::default(), Case::one_lead());
        for channel in Channel::ALL {
            assert_eq!(nothing.is_configured(*channel), *channel == Channel::InApp, "{channel}");
            assert_eq!(render(&nothing, *channel, &case.notice("x")), None);
            assert!(*channel == Channel::InApp || settings().is_configured(*channel));
        }
    }
}
