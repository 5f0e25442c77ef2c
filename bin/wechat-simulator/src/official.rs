//! The official account: template messages to followers, and subscribe messages to those who accepted
//! (wechat-apis.md §4).

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::{
    callback::Event,
    calls::Endpoint,
    channel::Channel,
    errcode::Refusal,
    ledger::{DropReason, Dropped},
    subscribe::{Audience, Scene, text},
    template::App,
    world::{Circumstance, WireRequest, World},
};

/// How long a `client_msg_id` is remembered for a person.
const CLIENT_MSG_ID_LIFE: TimeDelta = TimeDelta::minutes(10);

/// Fewer ids are not worth a sweep.
const SWEEP_MIN: usize = 1024;

/// What a template message was sent with: app, person, `client_msg_id`.
type ClientMsgId = (String, String, String);

#[derive(Debug, Default)]
pub(crate) struct Official {
    appids: BTreeSet<String>,
    /// By appid and openid.
    followers: BTreeSet<(String, String)>,
    blockers: BTreeSet<(String, String)>,
    sent: HashMap<ClientMsgId, (DateTime<Utc>, u64)>,
    /// Old ids are swept out when there are so many.
    sweep_at: usize,
}

impl Official {
    pub(crate) fn new(accounts: &[App]) -> Self {
        Self { appids: accounts.iter().map(|app| app.appid.clone()).collect(), ..Self::default() }
    }

    pub(crate) fn add(&mut self, appid: &str) {
        self.appids.insert(appid.to_owned());
    }

    pub(crate) fn is_official(&self, appid: &str) -> bool {
        self.appids.contains(appid)
    }

    pub(crate) fn set_follows(&mut self, appid: &str, openid: &str, follows: bool) {
        let person = (appid.to_owned(), openid.to_owned());
        if follows {
            self.followers.insert(person);
        } else {
            self.followers.remove(&person);
        }
    }

    pub(crate) fn follows(&self, appid: &str, openid: &str) -> bool {
        self.followers.contains(&(appid.to_owned(), openid.to_owned()))
    }

    pub(crate) fn set_blocks(&mut self, appid: &str, openid: &str, blocks: bool) {
        let person = (appid.to_owned(), openid.to_owned());
        if blocks {
            self.blockers.insert(person);
        } else {
            self.blockers.remove(&person);
        }
    }

    /// The msgid of the message a `client_msg_id` was used for in the last ten minutes.
    fn sent_before(&self, id: &ClientMsgId, now: DateTime<Utc>) -> Option<u64> {
        let (at, msgid) = self.sent.get(id)?;
        (now - *at < CLIENT_MSG_ID_LIFE).then_some(*msgid)
    }

    fn remember(&mut self, id: ClientMsgId, msgid: u64, now: DateTime<Utc>) {
        if self.sent.len() >= self.sweep_at {
            self.sent.retain(|_, (at, _)| now - *at < CLIENT_MSG_ID_LIFE);
            self.sweep_at = SWEEP_MIN.max(2 * self.sent.len());
        }
        self.sent.insert(id, (now, msgid));
    }

    fn blocks(&self, appid: &str, openid: &str) -> bool {
        self.blockers.contains(&(appid.to_owned(), openid.to_owned()))
    }
}

impl World {
    /// The official account whose token a call carries; a mini program's gets `wrong_kind`.
    fn official_caller(&self, request: &WireRequest, wrong_kind: i64) -> Result<App, Refusal> {
        let app = self.caller(request)?;
        if self.official.is_official(&app.appid) { Ok(app) } else { Err(Refusal::Plain(wrong_kind)) }
    }

    /// `subscribe/bizsend`: as the mini program's `subscribe/send`, from the official account.
    pub(crate) fn bizsend(&mut self, request: &WireRequest, how: Circumstance) -> Result<Value, Refusal> {
        let app = self.official_caller(request, 48001)?;
        let now = self.now();
        self.quota.take(&app.appid, Endpoint::BizSend, &self.limits, now)?;
        self.send_subscribed(&app, request, Channel::WechatBizsend, how)
    }

    /// `template/send`: to followers, once per `client_msg_id` in ten minutes.
    pub(crate) fn template_send(
        &mut self,
        request: &WireRequest,
        how: Circumstance,
    ) -> Result<Value, Refusal> {
        let wrong_kind = if self.switches.mini_program_token_is_unsupported { 45109 } else { 48001 };
        let app = self.official_caller(request, wrong_kind)?;
        let now = self.now();
        self.quota.take(&app.appid, Endpoint::TemplateSend, &self.limits, now)?;
        let body = request.json()?;
        self.refuse_escapes(request)?;
        let scene = Scene {
            app: &app,
            credits: &self.credits,
            switches: &self.switches,
            audience: Audience::Followers(&self.official),
        };
        let message = scene.judge(&body)?;
        let client_msg_id = text(&body, "client_msg_id").filter(|id| !id.is_empty());
        let client_msg_id =
            client_msg_id.map(|id| (app.appid.clone(), message.openid.clone(), id.to_owned()));
        let dropped = |reason| Dropped {
            time: now,
            channel: Channel::WechatTemplate,
            appid: app.appid.clone(),
            openid: message.openid.clone(),
            reason,
        };
        if let Some(msgid) = client_msg_id.as_ref().and_then(|id| self.official.sent_before(id, now)) {
            self.ledger.drop_silently(dropped(DropReason::Duplicate));
            let msgid = if self.switches.template_duplicate_same_msgid { msgid } else { self.next_msgid() };
            return Ok(self.accepted(msgid));
        }
        let msgid = if self.official.blocks(&app.appid, &message.openid) {
            self.ledger.drop_silently(dropped(DropReason::Blocked));
            let (openid, msgid) = (message.openid, self.next_msgid());
            self.tell(&app.appid, &Event::TemplateJob { openid, msgid, status: "failed:user block" });
            msgid
        } else {
            self.deliver(&app.appid, message, Channel::WechatTemplate, how.client_saw)
        };
        if let Some(id) = client_msg_id {
            self.official.remember(id, msgid, now);
        }
        Ok(self.accepted(msgid))
    }
}
