//! `message/recall`: take a message back within 24 hours (wechat-apis.md §5.2).

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::{
    errcode::Refusal,
    subscribe::text,
    world::{WireRequest, World},
};

/// How long a message can be taken back.
const RECALLABLE: TimeDelta = TimeDelta::hours(24);

impl World {
    pub(crate) fn wecom_recall(&mut self, request: &WireRequest) -> Result<Value, Refusal> {
        let (app, now) = (self.wecom_caller(request)?, self.now());
        let body = request.wecom_json()?;
        let msgid = text(&body, "msgid").filter(|msgid| !msgid.is_empty()).ok_or(Refusal::Plain(40058))?;
        match self.wecom.sent.get(msgid) {
            Some(sent) if sent.app == app.key() && now - sent.at < RECALLABLE => {
                self.ledger.recall(msgid, now);
                Ok(json!({ "errcode": 0, "errmsg": "ok" }))
            }
            _ => Err(Refusal::Plain(40058)),
        }
    }
}
