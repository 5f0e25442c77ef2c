//! The external channels of a story: all of them are the story's own simulator, and who somebody is to each of them is
//! derived from the name at login.

use std::collections::BTreeSet;

use domain::notification::Channel;
use uuid::Uuid;
use wechat_simulator::{
    Channel as Road, DEMO_AGENT, DEMO_APPID, DEMO_CLOUD_ENV, DEMO_CORP, DEMO_OFFICIAL_APPID,
    DEMO_OFFICIAL_SECRET, DEMO_OFFICIAL_TEMPLATE, DEMO_ROBOT, DEMO_SECRET, DEMO_WECOM_SECRET, Endpoint,
    Received,
};

use super::{Person, Setup, TestApp, Wechat};
use crate::people;

/// Where people of stories reach the console.
const PUBLIC_URL: &str = "https://crm.example.com";

/// The cloud function is given at least so long: WeChat itself says after 5 s that it ended.
const CLOUD_TIMEOUT_MS_MIN: u64 = 6_000;

/// Letters of a UUID.
const UUID_LETTERS: usize = 36;

/// How a channel that has two ways to send does it: the API of the service account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Official {
    /// Template messages.
    #[default]
    Template,
    /// Subscribe messages of the service account.
    Subscribe,
}

impl Official {
    fn name(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Subscribe => "subscribe",
        }
    }
}

impl Setup {
    /// Exactly these external channels are configured, and whoever gains a lead is told through them, in this order.
    pub fn through(channels: &[Channel]) -> Self {
        let has_subscribe = channels.contains(&Channel::WechatSubscribe);
        let wechat = if has_subscribe { Wechat::Configured } else { Wechat::Unconfigured };
        let mut setup = Self { wechat, channels: channels.to_vec(), ..Self::default() };
        if !channels.is_empty() {
            let route: Vec<&str> = channels.iter().map(|channel| channel.as_str()).collect();
            setup.more.push(("LEADWIRE_ROUTES__DEFAULT", route.join(",")));
        }
        setup
    }

    /// The variables of the channels beside the mini program's messages.
    pub(super) fn channel_settings(&self, base_url: &str) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |section: &str, values: &[(&str, &str)]| {
            let variable =
                |(name, value): &(&str, &str)| (format!("LEADWIRE_{section}__{name}"), (*value).to_owned());
            settings.extend(values.iter().map(variable));
            settings.push((format!("LEADWIRE_{section}__BASE_URL"), base_url.to_owned()));
            let timeout = match section {
                "WECHAT_CLOUD" => self.provider_timeout_ms.max(CLOUD_TIMEOUT_MS_MIN),
                _ => self.provider_timeout_ms,
            };
            settings.push((format!("LEADWIRE_{section}__REQUEST_TIMEOUT_MS"), timeout.to_string()));
        };
        for channel in &self.channels {
            match channel {
                Channel::InApp | Channel::WechatSubscribe => {}
                Channel::WechatCloud => set(
                    "WECHAT_CLOUD",
                    &[("APPID", DEMO_APPID), ("SECRET", DEMO_SECRET), ("ENV", DEMO_CLOUD_ENV)],
                ),
                Channel::WechatOfficial => set(
                    "WECHAT_OFFICIAL",
                    &[
                        ("APPID", DEMO_OFFICIAL_APPID),
                        ("SECRET", DEMO_OFFICIAL_SECRET),
                        ("TEMPLATE", DEMO_OFFICIAL_TEMPLATE),
                        ("KIND", self.official.name()),
                    ],
                ),
                Channel::WecomApp => set(
                    "WECOM_APP",
                    &[
                        ("CORPID", DEMO_CORP),
                        ("AGENTID", &DEMO_AGENT.to_string()),
                        ("SECRET", DEMO_WECOM_SECRET),
                    ],
                ),
                Channel::WecomRobot => {
                    set("WECOM_ROBOT", &[("KEY", DEMO_ROBOT), ("CORPID", DEMO_CORP), ("KIND", "text")]);
                }
            }
        }
        if !self.channels.is_empty() {
            settings.push(("LEADWIRE_SERVER__PUBLIC_URL".to_owned(), PUBLIC_URL.to_owned()));
        }
        settings
    }

    /// Where the simulator hears of a channel's messages.
    pub fn endpoint(&self, channel: Channel) -> Endpoint {
        match channel {
            Channel::InApp => panic!("nobody is asked to bring notices to the inbox"),
            Channel::WechatSubscribe => Endpoint::SubscribeSend,
            Channel::WechatCloud => Endpoint::CloudFunction,
            Channel::WechatOfficial => match self.official {
                Official::Template => Endpoint::TemplateSend,
                Official::Subscribe => Endpoint::BizSend,
            },
            Channel::WecomApp => Endpoint::WecomSend,
            Channel::WecomRobot => Endpoint::RobotSend,
        }
    }
}

impl Person {
    /// The person as a member of the corporation.
    pub fn wecom_user(&self) -> String {
        format!("Member-{}", self.username)
    }

    /// The person as a follower of the service account.
    pub fn official_openid(&self) -> String {
        format!("follower-{}", self.username)
    }

    /// Who the person is where a channel's messages arrive; a robot speaks to its group.
    pub fn receiver(&self, channel: Channel) -> String {
        match channel {
            Channel::InApp => String::new(),
            Channel::WechatSubscribe | Channel::WechatCloud => self.openid.clone(),
            Channel::WechatOfficial => self.official_openid(),
            Channel::WecomApp => self.wecom_user(),
            Channel::WecomRobot => DEMO_ROBOT.to_owned(),
        }
    }
}

impl TestApp {
    /// Lets a person be reached through every configured channel beside the mini program's messages.
    pub(super) async fn bind_channels(&self, person: &Person) {
        let channels = self.setup.channels.clone();
        let granted = u32::try_from(self.setup.credits).expect("credits");
        if channels.contains(&Channel::WechatCloud) {
            self.wechat().cloud_user(&person.id.to_string(), &person.openid);
            self.wechat().grant_credits(&person.openid, granted).expect("the simulator grants credits");
        }
        if channels.contains(&Channel::WechatOfficial) {
            self.follow_official(person).await;
        }
        if channels.iter().any(|channel| matches!(channel, Channel::WecomApp | Channel::WecomRobot)) {
            let user = person.wecom_user();
            self.wechat().add_wecom_user(DEMO_CORP, &user);
            people::bind_wecom(self.app(), person.id, DEMO_CORP, &user).await.expect("a binding");
        }
    }

    async fn follow_official(&self, person: &Person) {
        let openid = person.official_openid();
        self.wechat().follow(DEMO_OFFICIAL_APPID, &openid).expect("the simulator knows the account");
        let app = self.app();
        people::bind_openid(app, person.id, DEMO_OFFICIAL_APPID, &openid).await.expect("a binding");
        if self.setup.official == Official::Template {
            return;
        }
        let credits = self.setup.credits;
        let grant = wechat_simulator::CreditGrant {
            appid: Some(DEMO_OFFICIAL_APPID.to_owned()),
            openid,
            template_id: Some(DEMO_OFFICIAL_TEMPLATE.to_owned()),
            count: u32::try_from(credits).expect("credits"),
        };
        self.wechat().grant(&grant).expect("the simulator grants credits");
        let granted =
            people::grant(app, person.id, DEMO_OFFICIAL_APPID, DEMO_OFFICIAL_TEMPLATE, credits).await;
        granted.expect("credits");
    }

    /// What a channel really brought to a person, oldest first; of a robot what it said to the person by name.
    pub fn received(&self, person: &Person, channel: Channel) -> Vec<Received> {
        let mut received = self.wechat().received_by(&person.receiver(channel));
        received.retain(|one| road(one.channel) == channel && is_to(one, person));
        received
    }
}

/// Whether a message is for the person; only a robot's may be for somebody else.
fn is_to(received: &Received, person: &Person) -> bool {
    received.channel != Road::WecomRobot || received.data.get("mentioned_list") == Some(&person.wecom_user())
}

/// Our channel of a road the simulator knows.
pub(crate) fn road(road: Road) -> Channel {
    match road {
        Road::WechatSubscribe => Channel::WechatSubscribe,
        Road::WechatCloud => Channel::WechatCloud,
        Road::WechatTemplate | Road::WechatBizsend => Channel::WechatOfficial,
        Road::WecomApp | Road::WecomReply => Channel::WecomApp,
        Road::WecomRobot => Channel::WecomRobot,
    }
}

/// The leads that a message leads to: of one lead its page, of several none.
pub fn customers_of(received: &Received) -> BTreeSet<Uuid> {
    let words = received.page.iter().chain(received.data.values());
    let ids = words.flat_map(|words| {
        let places = ["id=", "/customers/"]
            .iter()
            .flat_map(|mark| words.match_indices(mark).map(|(at, mark)| at + mark.len()).collect::<Vec<_>>());
        let id = |at: usize| words.get(at..at + UUID_LETTERS)?.parse().ok();
        places.filter_map(id).collect::<Vec<Uuid>>()
    });
    ids.collect()
}
