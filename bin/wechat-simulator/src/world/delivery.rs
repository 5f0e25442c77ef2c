//! Sends that reach a phone: the credit, the ledger, the event that tells of it.

use rand::RngExt;
use serde_json::{Value, json};

use super::{Circumstance, MSGID_STEP_MAX, WireRequest, World};
use crate::{
    callback::Event,
    calls::Endpoint,
    channel::Channel,
    errcode::Refusal,
    ledger::{ClientSaw, DropReason, Dropped, Received},
    subscribe::{Audience, Message, Scene, text},
    template::App,
    wecom::summary,
};

impl World {
    pub(super) fn send(&mut self, request: &WireRequest, how: Circumstance) -> Result<Value, Refusal> {
        let app = self.caller(request)?;
        if self.official.is_official(&app.appid) {
            return Err(Refusal::Plain(48001));
        }
        let now = self.now();
        self.quota.take(&app.appid, Endpoint::SubscribeSend, &self.limits, now)?;
        self.send_subscribed(&app, request, Channel::WechatSubscribe, how)
    }

    /// A send that takes a credit of its receiver: the mini program's and the official account's.
    pub(crate) fn send_subscribed(
        &mut self,
        app: &App,
        request: &WireRequest,
        channel: Channel,
        how: Circumstance,
    ) -> Result<Value, Refusal> {
        let body = request.json()?;
        self.refuse_escapes(request)?;
        if how.overlapping() && self.switches.concurrent_sends_refused {
            return Err(Refusal::ConcurrentSend);
        }
        let scene =
            Scene { app, credits: &self.credits, switches: &self.switches, audience: Audience::Subscribers };
        match scene.judge(&body) {
            Ok(message) => {
                self.credits.consume(&app.appid, &message.openid, &message.template_id);
                let msgid = self.deliver(&app.appid, message, channel, how.client_saw);
                Ok(self.accepted(msgid))
            }
            Err(refusal) => {
                if self.switches.failed_send_consumes_credit
                    && let (Some(openid), Some(template_id)) =
                        (text(&body, "touser"), text(&body, "template_id"))
                {
                    self.credits.consume(&app.appid, openid, template_id);
                }
                Err(refusal)
            }
        }
    }

    /// The answer to a message that was taken.
    pub(crate) fn accepted(&self, msgid: u64) -> Value {
        let mut body = json!({ "errcode": 0, "errmsg": "ok" });
        if self.switches.msgid_present {
            body["msgid"] = json!(msgid);
        }
        body
    }

    pub(crate) fn next_msgid(&mut self) -> u64 {
        self.last_msgid += self.rng.random_range(1..MSGID_STEP_MAX);
        self.last_msgid
    }

    /// Puts a message on the person's phone and tells the app's server; its number.
    pub(crate) fn deliver(
        &mut self,
        appid: &str,
        message: Message,
        channel: Channel,
        client_saw: ClientSaw,
    ) -> u64 {
        let msgid = self.next_msgid();
        let errcode = self.switches.sent_event_errcode;
        let event = match channel {
            Channel::WechatTemplate => {
                let status = if errcode == 0 { "success" } else { "failed: system failed" };
                Event::TemplateJob { openid: message.openid.clone(), msgid, status }
            }
            _ => Event::Sent {
                openid: message.openid.clone(),
                template_id: message.template_id.clone(),
                msgid,
                errcode,
            },
        };
        self.tell(appid, &event);
        if errcode != 0 {
            self.ledger.drop_silently(Dropped {
                time: self.now(),
                channel,
                appid: appid.to_owned(),
                openid: message.openid,
                reason: DropReason::SystemFailed,
            });
            return msgid;
        }
        self.ledger.push(Received {
            seq: 0,
            time: self.now(),
            channel,
            appid: appid.to_owned(),
            openid: message.openid,
            template_id: message.template_id,
            summary: summary(message.data.values()),
            data: message.data,
            page: message.page,
            miniprogram_state: message.miniprogram_state,
            lang: message.lang,
            msgid,
            message_id: msgid.to_string(),
            recalled_at: None,
            client_saw,
        });
        msgid
    }
}
