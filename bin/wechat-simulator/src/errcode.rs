//! Every way WeChat and WeCom say no: the number, the words, and the tail (` rid: …` or `, hint: […], …`). The one
//! table of WeChat's error texts (wechat-apis.md §1.1, §1.2, §2.3, §3, §4); those of WeCom stand in `wecom`.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use rand::{RngExt, rngs::StdRng};
use serde_json::{Value, json};

use crate::calls::Host;

mod wecom;

/// WeChat cuts a 47003 text at this many characters, before it adds the ` rid:` tail (§2.5).
const ARGUMENT_TEXT_MAX_CHARS: usize = 48;

/// A definite no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    InvalidCredential,
    InvalidGrantType,
    InvalidOpenid,
    InvalidAppid,
    InvalidAccessToken,
    InvalidTemplateId,
    InvalidSecret,
    MissingAccessToken,
    MissingAppid,
    MissingSecret,
    AccessTokenExpired,
    RequireGet,
    RequirePost,
    EmptyBody,
    InvalidCode,
    CodeUsed,
    MissingCode,
    RefusedByUser,
    ConcurrentSend,
    DayQuota,
    MinuteQuota,
    BadJson,
    /// 47003 with what is wrong, such as `data.thing1.value invalid`.
    Argument(String),
    /// Any other number, with its usual words.
    Plain(i64),
    /// A number with words of the moment.
    Said {
        errcode: i64,
        text: String,
    },
    /// What a fault rule ordered.
    Injected {
        errcode: i64,
        errmsg: Option<String>,
    },
}

impl Refusal {
    pub(crate) fn errcode(&self) -> i64 {
        match self {
            Self::InvalidCredential => 40001,
            Self::InvalidGrantType => 40002,
            Self::InvalidOpenid => 40003,
            Self::InvalidAppid => 40013,
            Self::InvalidAccessToken => 40014,
            Self::InvalidTemplateId => 40037,
            Self::InvalidSecret => 40125,
            Self::MissingAccessToken => 41001,
            Self::MissingAppid => 41002,
            Self::MissingSecret => 41004,
            Self::AccessTokenExpired => 42001,
            Self::RequireGet => 43001,
            Self::RequirePost => 43002,
            Self::EmptyBody => 44002,
            Self::InvalidCode => 40029,
            Self::CodeUsed => 40163,
            Self::MissingCode => 41008,
            Self::RefusedByUser => 43101,
            Self::ConcurrentSend => 43108,
            Self::DayQuota => 45009,
            Self::MinuteQuota => 45011,
            Self::BadJson => 47001,
            Self::Argument(_) => 47003,
            Self::Plain(errcode) | Self::Said { errcode, .. } | Self::Injected { errcode, .. } => *errcode,
        }
    }

    fn text(&self, host: Host) -> Cow<'_, str> {
        match self {
            Self::Argument(what) => {
                format!("argument invalid! {what}").chars().take(ARGUMENT_TEXT_MAX_CHARS).collect()
            }
            Self::Injected { errmsg: Some(text), .. } | Self::Said { text, .. } => Cow::Borrowed(text),
            other => Cow::Borrowed(match host {
                Host::Wechat => usual_text(other.errcode()),
                Host::Wecom => wecom::usual_text(other.errcode()),
            }),
        }
    }

    /// The JSON body a caller sees. The first group of WeChat's rid is the unix time in hex.
    pub(crate) fn body(&self, host: Host, now: DateTime<Utc>, rng: &mut StdRng) -> Value {
        let (errcode, text) = (self.errcode(), self.text(host));
        let errmsg = match host {
            Host::Wechat => {
                let (second, third): (u32, u32) = (rng.random(), rng.random());
                format!("{text} rid: {:08x}-{second:08x}-{third:08x}", now.timestamp())
            }
            Host::Wecom => format!("{text}{}", wecom::tail(errcode, now, rng)),
        };
        json!({ "errcode": errcode, "errmsg": errmsg })
    }
}

/// The usual words of an errcode, also for fault rules that name a number only.
fn usual_text(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system error",
        40001 => {
            "invalid credential, access_token is invalid or not latest, could get access_token by \
             getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
        }
        40002 => "invalid grant_type",
        40003 => "invalid openid",
        40013 => "invalid appid",
        40014 => "invalid access_token",
        40029 => "invalid code",
        40037 => "invalid template_id",
        40125 => "invalid appsecret",
        40164 => "invalid ip 127.0.0.1 ipv6 ::ffff:127.0.0.1, not in whitelist",
        40163 => "code been used",
        40226 => "code blocked",
        41001 => "access_token missing",
        41002 => "appid missing",
        41004 => "appsecret missing",
        41008 => "missing code",
        41030 => "invalid page",
        42001 => "access_token expired",
        43001 => "require GET method",
        43002 => "require POST method",
        43101 => "user refuse to accept the msg",
        43108 => "concurrent sends to the same user",
        44002 => "empty post data",
        45009 => {
            "reach max api daily quota limit, could get access_token by getStableAccessToken, more details \
             at https://mmbizurl.cn/s/JtxxFh33r"
        }
        45011 => "api minute-quota reach limit, must slower, retry next minute",
        47001 => "data format error",
        47003 => "argument invalid!",
        48001 => "api unauthorized",
        48004 => "api forbidden for irregularities",
        50002 => "user limited",
        -1000 => "system error",
        40036 => "invalid template_id size",
        40101 => "missing required parameter",
        43004 => "require subscribe",
        43107 => "subscribe message ability is banned",
        45109 => "This API has been unsupported.",
        45168 => "content contains sensitive words",
        85088 => "cloud development is not enabled",
        -501_000 => "[100003] env not exists",
        -501_001 => "cloud system error",
        -501_002 => "cloud response timeout",
        -501_003 => "request count exceeds the quota of the environment",
        -501_004 => "concurrent requests exceed the quota of the environment",
        -501_005 => "environment is abnormal",
        -501_007 => "invalid parameters",
        -501_009 => "resource is illegal or absent",
        -504_001 => "function call failed",
        -504_002 => "function execution failed",
        -601_001 => "system error",
        -601_003 => "network error",
        -604_101 => "no permission for this api",
        -604_102 => "call timeout",
        -604_103 => "call system error",
        _ => "refused by a fault rule",
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn an_argument_text_is_cut_at_48_characters_before_the_rid() {
        // The two real samples of wechat-apis.md §2.5.
        for (what, expected) in [
            ("data.character_string1.value invalid", "argument invalid! data.character_string1.value i"),
            ("data.character_string13.value invalid", "argument invalid! data.character_string13.value "),
            ("data.thing3.value invalid", "argument invalid! data.thing3.value invalid"),
            ("data.time2.value is empty", "argument invalid! data.time2.value is empty"),
        ] {
            assert_eq!(Refusal::Argument(what.to_owned()).text(Host::Wechat), expected);
        }
    }

    #[test]
    fn the_rid_starts_with_the_unix_time_in_hex() {
        let now = DateTime::from_timestamp(0x64e4_1852, 0).unwrap();
        let body = Refusal::RefusedByUser.body(Host::Wechat, now, &mut StdRng::seed_from_u64(1));
        let errmsg = body["errmsg"].as_str().unwrap();
        let rid = errmsg.strip_prefix("user refuse to accept the msg rid: ").unwrap();
        let groups: Vec<&str> = rid.split('-').collect();
        assert_eq!(groups[0], "64e41852");
        assert_eq!(groups.len(), 3);
        assert!(groups.iter().all(|group| group.len() == 8));
        assert!(rid.chars().all(|c| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c)));
    }
}
