//! How WeCom words its errors (wechat-apis.md §5.3, §6).

use chrono::{DateTime, Utc};
use rand::{RngExt, rngs::StdRng};

/// Below this the random part of a hint has fifteen digits.
const HINT_RANDOM_BELOW: u64 = 1_000_000_000_000_000;

/// What follows the words: a hint of 25 digits that begins with the unix time, the caller's address, a link.
pub(super) fn tail(errcode: i64, now: DateTime<Utc>, rng: &mut StdRng) -> String {
    let random: u64 = rng.random_range(0..HINT_RANDOM_BELOW);
    format!(
        ", hint: [{:010}{random:015}], from ip: 127.0.0.1, more info at \
         https://open.work.weixin.qq.com/devtool/query?e={errcode}",
        now.timestamp()
    )
}

/// The usual words of an errcode, also for fault rules that name a number only.
pub(super) fn usual_text(errcode: i64) -> &'static str {
    match errcode {
        -1 => "system busy",
        6000 => "data version conflict",
        40001 => "invalid credential",
        40003 => "invalid userid",
        40007 => "invalid media_id",
        40008 => "invalid message type",
        40013 => "invalid corpid",
        40014 => "invalid access_token",
        40031 => "invalid userid list",
        40033 => "invalid request, \\uxxxx is not allowed",
        40035 => "invalid parameter",
        40056 => "invalid agentid",
        40058 => "invalid Request Parameter",
        40091 => "secret is of another corp",
        41001 => "access_token missing",
        41002 => "corpid missing",
        41004 => "corpsecret missing",
        41010 => "missing url",
        41011 => "missing agentid",
        41016 => "missing title",
        41033 => "missing description",
        42001 => "access_token expired",
        43001 => "require GET method",
        44002 => "empty post data",
        44004 => "empty content",
        45002 => "content size out of limit",
        45009 => "api freq out of limit",
        45033 => "api concurrent out of limit",
        48002 => "api forbidden",
        50002 => "redirect_uri is out of permission",
        60011 => "no privilege to access/modify contact/party/agent",
        60020 => "not allow to access from your ip",
        60111 => "userid not found",
        81013 => "user & party & tag all invalid",
        82001 => "empty touser & toparty & totag",
        82002 => "too many parties",
        82003 => "too many tags",
        85002 => "contains illegal words",
        90200 => "missing miniprogram appid",
        90201 => "too many content_item",
        90202 => "invalid length of a content_item key",
        90203 => "invalid length of a content_item value",
        90204 => "invalid miniprogram page",
        90205 => "miniprogram is not linked to the corp",
        93000 => "invalid webhook url",
        93004 => "robot is disabled",
        93008 => "robot is not in the group",
        301_002 => "agentid is not of this access_token",
        701_008 => "user has no licence",
        _ => "refused by a fault rule",
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use serde_json::Value;

    use super::*;
    use crate::{calls::Host, errcode::Refusal};

    #[test]
    fn a_hint_has_25_digits_and_begins_with_the_unix_time() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let body: Value = Refusal::Plain(45009).body(Host::Wecom, now, &mut StdRng::seed_from_u64(1));
        let errmsg = body["errmsg"].as_str().unwrap();
        let (hint, rest) =
            errmsg.strip_prefix("api freq out of limit, hint: [").unwrap().split_once(']').unwrap();
        assert_eq!((hint.len(), &hint[..10]), (25, "1700000000"));
        assert!(hint.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(
            rest,
            ", from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=45009"
        );
    }
}
