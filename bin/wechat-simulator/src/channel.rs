//! The way a message took to a person.

use serde::{Deserialize, Serialize};

/// The platform feature that put a message before a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// `message/subscribe/send` of a mini program.
    #[default]
    WechatSubscribe,
    /// The sample cloud function.
    WechatCloud,
    /// `message/template/send` of an official account.
    WechatTemplate,
    /// `message/subscribe/bizsend` of an official account.
    WechatBizsend,
    /// `message/send` of a WeCom app.
    WecomApp,
    /// `webhook/send` of a WeCom group robot.
    WecomRobot,
    /// The answer a WeCom app gave to a member's own message (passive reply).
    WecomReply,
}

impl Channel {
    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WechatSubscribe => "wechat_subscribe",
            Self::WechatCloud => "wechat_cloud",
            Self::WechatTemplate => "wechat_template",
            Self::WechatBizsend => "wechat_bizsend",
            Self::WecomApp => "wecom_app",
            Self::WecomRobot => "wecom_robot",
            Self::WecomReply => "wecom_reply",
        }
    }
}
