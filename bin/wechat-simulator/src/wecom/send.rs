//! `message/send` of an app (wechat-apis.md §5.2, §5.3).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Sent, WecomApp, content::Content, duplicates, msgid};
use crate::{
    calls::Host,
    channel::Channel,
    errcode::Refusal,
    ledger::{ClientSaw, DropReason, Dropped, Received},
    rates::{HOUR_SECONDS, MINUTE_SECONDS},
    switches::DuplicateAnswer,
    world::{Circumstance, WireRequest, World},
};

impl WireRequest {
    /// A JSON body as WeCom wants it.
    pub(super) fn wecom_json(&self) -> Result<Value, Refusal> {
        match self.json() {
            Err(Refusal::RequirePost | Refusal::BadJson) => Err(Refusal::Plain(40058)),
            judged => judged,
        }
    }
}

impl World {
    /// The app whose token a call carries.
    pub(super) fn wecom_caller(&self, request: &WireRequest) -> Result<WecomApp, Refusal> {
        let token = request.parameter("access_token").ok_or(Refusal::MissingAccessToken)?;
        let key = self.tokens.holder(token, Host::Wecom, self.now())?;
        self.wecom.app(key).cloned().ok_or(Refusal::InvalidAccessToken)
    }

    pub(crate) fn wecom_send(&mut self, request: &WireRequest, how: Circumstance) -> Result<Value, Refusal> {
        let (app, now) = (self.wecom_caller(request)?, self.now());
        if self.limits.wecom_concurrent.is_some_and(|limit| u64::from(how.under_way) > limit) {
            return Err(Refusal::Plain(45033));
        }
        self.count_send(&app, now)?;
        let body = request.wecom_json()?;
        self.refuse_escapes(request)?;
        self.judge_agent(&app, &body)?;
        let content = Content::of_app(&body, &self.switches)?;
        let receivers = self.wecom.receivers(&app.corp_id, &body)?;
        let interval = duplicates::interval(&body)?;
        let compared = duplicates::content(request, &body, self.switches.wecom_duplicates_by_bytes);
        if interval.is_some()
            && let Some(first) = self.wecom.duplicates.of(&app.key(), &compared, now)
        {
            self.dropped(&app, &receivers.members, DropReason::Duplicate, now);
            let mut answer = json!({ "errcode": 0, "errmsg": "ok" });
            receivers.report(&mut answer);
            match self.switches.wecom_duplicate_answer {
                DuplicateAnswer::SameMsgid => answer["msgid"] = json!(first),
                DuplicateAnswer::NewMsgid => answer["msgid"] = json!(msgid(&mut self.rng)),
                DuplicateAnswer::NoMsgid => {}
            }
            return Ok(answer);
        }
        self.take_task_id(&app, &content)?;
        self.count_persons(&app, receivers.members.len(), now)?;
        let msgid = msgid(&mut self.rng);
        if let Some(interval) = interval {
            self.wecom.duplicates.remember(&app.key(), compared, &msgid, interval, now);
        }
        self.wecom.sent.insert(msgid.clone(), Sent { app: app.key(), at: now });
        for member in &receivers.members {
            self.wecom_deliver(&app, member, &content, &msgid, how.client_saw);
        }
        let mut answer = json!({ "errcode": 0, "errmsg": "ok", "msgid": msgid });
        receivers.report(&mut answer);
        if content.task_id.is_some() {
            answer["response_code"] = json!(super::msgid(&mut self.rng));
        }
        Ok(answer)
    }

    /// Counts a call against the app's minute.
    fn count_send(&mut self, app: &WecomApp, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Some(limit) = self.limits.wecom_send_per_minute else { return Ok(()) };
        let key = format!("send {}", app.key());
        if self.wecom.rates.count(&key, MINUTE_SECONDS, self.switches.window(), now) >= limit {
            return Err(Refusal::DayQuota);
        }
        self.wecom.rates.note(&key, now);
        Ok(())
    }

    /// `agentid` is an integer and that of the token's app.
    fn judge_agent(&self, app: &WecomApp, body: &Value) -> Result<(), Refusal> {
        let agent = match body.get("agentid") {
            None | Some(Value::Null) => return Err(Refusal::Plain(41011)),
            Some(Value::String(text)) if !self.switches.wecom_agentid_text_refused => text.parse().ok(),
            Some(value) => value.as_u64(),
        };
        match agent {
            None => Err(Refusal::Plain(40056)),
            Some(agent) if agent == app.agent_id => Ok(()),
            Some(_) => Err(Refusal::Plain(301_002)),
        }
    }

    /// A `task_id` is unique per app; what a second use gets is a switch.
    fn take_task_id(&mut self, app: &WecomApp, content: &Content) -> Result<(), Refusal> {
        let Some(task_id) = &content.task_id else { return Ok(()) };
        let fresh = self.wecom.task_ids.insert((app.key(), task_id.clone()));
        if fresh || !self.switches.wecom_reused_task_id_refused { Ok(()) } else { Err(Refusal::Plain(40058)) }
    }

    /// Counts person-times against the app's day.
    fn count_persons(&mut self, app: &WecomApp, persons: usize, now: DateTime<Utc>) -> Result<(), Refusal> {
        let limit = self.limits.wecom_persons_per_day;
        self.quota.take_many(&format!("persons of {}", app.key()), persons as u64, limit, now)
    }

    /// Puts a message on a member's phone, unless the member has had too many from the app already.
    fn wecom_deliver(
        &mut self,
        app: &WecomApp,
        member: &str,
        content: &Content,
        msgid: &str,
        client_saw: ClientSaw,
    ) {
        let (now, window) = (self.now(), self.switches.window());
        let key = format!("member {} {member}", app.key());
        let over = [
            (MINUTE_SECONDS, self.limits.wecom_member_per_minute),
            (HOUR_SECONDS, self.limits.wecom_member_per_hour),
        ];
        let over = over.into_iter().any(|(seconds, limit)| {
            limit.is_some_and(|limit| self.wecom.rates.count(&key, seconds, window, now) >= limit)
        });
        if over {
            return self.dropped(app, &[member.to_owned()], DropReason::OverRate, now);
        }
        self.wecom.rates.note(&key, now);
        self.ledger.push(Received {
            channel: Channel::WecomApp,
            appid: app.key(),
            openid: member.to_owned(),
            message_id: msgid.to_owned(),
            client_saw,
            ..content.received(now)
        });
    }

    fn dropped(&mut self, app: &WecomApp, members: &[String], reason: DropReason, now: DateTime<Utc>) {
        for member in members {
            self.ledger.drop_silently(Dropped {
                time: now,
                channel: Channel::WecomApp,
                appid: app.key(),
                openid: member.clone(),
                reason,
            });
        }
    }
}
