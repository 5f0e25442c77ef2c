//! `webhook/send` of a group robot: no token, no msgid, no deduplication, twenty a minute (wechat-apis.md §6).

use serde_json::{Value, json};

use super::{ROBOT_APP, RobotState, content::Content};
use crate::{
    channel::Channel,
    errcode::Refusal,
    ledger::Received,
    rates::MINUTE_SECONDS,
    world::{Circumstance, WireRequest, World},
};

impl World {
    pub(crate) fn robot_send(&mut self, request: &WireRequest, how: Circumstance) -> Result<Value, Refusal> {
        let key = request.parameter("key").unwrap_or_default();
        match self.wecom.robots.get(key) {
            None => return Err(Refusal::Plain(93000)),
            Some(RobotState::Disabled) => return Err(Refusal::Plain(93004)),
            Some(RobotState::NotInGroup) => return Err(Refusal::Plain(93008)),
            Some(RobotState::Active) => {}
        }
        let body = request.wecom_json()?;
        self.refuse_escapes(request)?;
        let content = Content::of_robot(&body)?;
        let (now, rate) = (self.now(), format!("robot {key}"));
        let sent = self.wecom.rates.count(&rate, MINUTE_SECONDS, self.switches.window(), now);
        if self.limits.robot_per_minute.is_some_and(|limit| sent >= limit) {
            return Err(Refusal::DayQuota);
        }
        self.wecom.rates.note(&rate, now);
        self.ledger.push(Received {
            channel: Channel::WecomRobot,
            appid: ROBOT_APP.to_owned(),
            openid: key.to_owned(),
            client_saw: how.client_saw,
            ..content.received(now)
        });
        Ok(json!({ "errcode": 0, "errmsg": "ok" }))
    }
}
