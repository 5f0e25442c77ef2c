//! `invokecloudfunction`, and the sample function `quickstartFunctions` behind it: it answers a key it has seen with
//! what it answered then, and sends a subscribe message on (wechat-apis.md §3, existing-systems.md §3, §6.1).

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, FixedOffset};
use serde_json::{Value, json};

use crate::{
    calls::{Endpoint, Host},
    channel::Channel,
    errcode::Refusal,
    field::FieldKind,
    ledger::{DropReason, Dropped},
    subscribe::{Message, text},
    template::{App, Template, TemplateField},
    world::{Circumstance, WireRequest, World},
};

/// Environment of the demo app.
pub const DEMO_CLOUD_ENV: &str = "demo-cloud-env";
/// The sample function.
pub const CLOUD_FUNCTION: &str = "quickstartFunctions";

const ASSIGN_NOTIFY: &str = "sendCustomerAssignNotify";
/// Characters of a `thing` field; an emoji counts two, in case it does.
const THING_MAX_CHARS: usize = 20;
const CHINA_OFFSET_SECONDS: i32 = 8 * 60 * 60;

#[derive(Debug, Default)]
pub(crate) struct Cloud {
    envs: Vec<String>,
    /// The function's collection `users`: openid by staff id.
    users: BTreeMap<String, String>,
    /// The function's collection of keys seen: `_id` is the key, the document holds the answer.
    answered: HashMap<String, String>,
}

impl Cloud {
    pub(crate) fn new(envs: &[String]) -> Self {
        Self { envs: envs.to_vec(), ..Self::default() }
    }

    pub(crate) fn add_user(&mut self, staff_id: &str, openid: &str) {
        self.users.insert(staff_id.to_owned(), openid.to_owned());
    }
}

/// A no of the function, inside an outer success.
fn failure(code: &Value, message: &str) -> Value {
    json!({ "success": false, "message": message, "error": { "code": code, "message": message } })
}

impl World {
    pub(crate) fn invoke_cloud_function(
        &mut self,
        request: &WireRequest,
        how: Circumstance,
    ) -> Result<Value, Refusal> {
        if request.is_get {
            return Err(Refusal::RequirePost);
        }
        let app = self.caller(request)?;
        if self.official.is_official(&app.appid) {
            return Err(Refusal::Plain(85088));
        }
        let now = self.now();
        self.quota.take(&app.appid, Endpoint::CloudFunction, &self.limits, now)?;
        let parameter = |name| request.parameter(name).ok_or(Refusal::Plain(40101));
        let (env, name) = (parameter("env")?, parameter("name")?);
        if !self.cloud.envs.iter().any(|known| known == env) {
            return Err(Refusal::Plain(-501_000));
        }
        if name != CLOUD_FUNCTION {
            let text = "FunctionName parameter could not be found".to_owned();
            return Err(Refusal::Said { errcode: -501_000, text });
        }
        let event = match request.json() {
            Err(Refusal::BadJson) => Err(Refusal::Plain(-501_007)),
            judged => judged,
        }?;
        self.refuse_escapes(request)?;
        let resp_data = self.run(&app, &event, how);
        Ok(json!({ "errcode": 0, "errmsg": "ok", "resp_data": resp_data }))
    }

    /// The function: a key it has answered gets the same answer. A no is not kept, so that it can be tried again; "busy"
    /// is, because the message may have been sent all the same.
    fn run(&mut self, app: &App, event: &Value, how: Circumstance) -> String {
        let key = text(event, "idempotencyKey").filter(|key| !key.is_empty());
        if let Some(answer) = key.and_then(|key| self.cloud.answered.get(key)).cloned() {
            let openid = self.cloud_user_of(event).unwrap_or_default();
            self.ledger.drop_silently(Dropped {
                time: self.now(),
                channel: Channel::WechatCloud,
                appid: app.appid.clone(),
                openid,
                reason: DropReason::Duplicate,
            });
            return answer;
        }
        let answer = match text(event, "type") {
            Some(ASSIGN_NOTIFY) => self.notify_assigned(app, &event["notificationData"], event, how),
            _ => Err(failure(&json!("UNKNOWN_TYPE"), "未知的调用类型")),
        };
        let is_over =
            answer.as_ref().map_or_else(|no| no.pointer("/error/code") == Some(&json!(-1)), |_| true);
        let answer = answer.unwrap_or_else(|failure| failure).to_string();
        if let Some(key) = key.filter(|_| is_over) {
            self.cloud.answered.insert(key.to_owned(), answer.clone());
        }
        answer
    }

    fn cloud_user_of(&self, event: &Value) -> Option<String> {
        let staff_id = event.pointer("/notificationData/assignedToId")?.as_str()?;
        self.cloud.users.get(staff_id).cloned()
    }

    fn notify_assigned(
        &mut self,
        app: &App,
        notice: &Value,
        event: &Value,
        how: Circumstance,
    ) -> Result<Value, Value> {
        if text(notice, "assignedToId").is_none_or(str::is_empty) {
            return Err(failure(&json!("INVALID_PARAMS"), "缺少 assignedToId"));
        }
        let openid = self.cloud_user_of(event);
        let openid = openid.ok_or_else(|| failure(&json!("USER_NOT_FOUND"), "未找到用户或用户未绑定微信"))?;
        let template = app.templates.first();
        let template = template.ok_or_else(|| failure(&json!("NO_TEMPLATE"), "没有可用的模板"))?;
        let refused = |world: &mut Self, refusal: &Refusal| {
            let now = world.now();
            let body = refusal.body(Host::Wechat, now, &mut world.rng);
            let words =
                format!("openapi.subscribeMessage.send:fail {}", text(&body, "errmsg").unwrap_or_default());
            Err(failure(&json!(refusal.errcode()), &words))
        };
        let message = match self.message(template, &openid, notice) {
            Ok(message) => message,
            Err(refusal) => {
                if self.switches.failed_send_consumes_credit {
                    self.credits.consume(&app.appid, &openid, template.id());
                }
                return refused(self, &refusal);
            }
        };
        if self.credits.remaining(&app.appid, &openid, template.id()) == 0 {
            return refused(self, &Refusal::RefusedByUser);
        }
        self.credits.consume(&app.appid, &openid, template.id());
        let msgid = self.deliver(&app.appid, message, Channel::WechatCloud, how.client_saw);
        Ok(
            json!({ "success": true, "message": "通知发送成功", "data": { "errCode": 0, "msgid": msgid.to_string() } }),
        )
    }

    /// The notice in the fields of the template.
    fn message(&self, template: &Template, openid: &str, notice: &Value) -> Result<Message, Refusal> {
        let mut data = BTreeMap::new();
        let mut things = things(notice).into_iter();
        for field in template.fields() {
            let value = value_of(field, notice, &mut things);
            if !field.kind().accepts(&value, field.choices(), self.switches.counting()) {
                return Err(Refusal::Argument(format!("data.{}.value invalid", field.key())));
            }
            data.insert(field.key().to_owned(), value);
        }
        let customer = text(notice, "customerId").unwrap_or_default();
        Ok(Message {
            openid: openid.to_owned(),
            template_id: template.id().to_owned(),
            data,
            page: Some(format!("pages/customer/detail?id={customer}")),
            miniprogram_state: Some("formal".to_owned()),
            lang: None,
        })
    }
}

/// The texts of a notice in the order in which they are worth telling, each fit for a `thing`.
fn things(notice: &Value) -> Vec<String> {
    let count = notice["customerCount"].as_u64().map(|count| format!("{count}个客户"));
    let name = text(notice, "customerName").map(str::to_owned).or(count);
    let rest = ["source", "assignerName", "leadSource", "serviceCategory"];
    let rest = rest.iter().filter_map(|key| text(notice, key)).map(str::to_owned);
    let cut = |text: String| {
        let mut left = THING_MAX_CHARS;
        let fits = |c: &char| left.checked_sub(c.len_utf16()).inspect(|rest| left = *rest).is_some();
        text.chars().take_while(fits).collect::<String>()
    };
    name.into_iter().chain(rest).filter(|text| !text.is_empty()).map(cut).collect()
}

/// A value for a field; a stand-in of its kind where the notice has none.
fn value_of(field: &TemplateField, notice: &Value, things: &mut impl Iterator<Item = String>) -> String {
    match field.kind() {
        FieldKind::Thing => things.next().unwrap_or_else(|| "无".to_owned()),
        FieldKind::PhoneNumber => text(notice, "customerPhone").unwrap_or("000").to_owned(),
        FieldKind::Time | FieldKind::Date => china_time(text(notice, "assignTime").unwrap_or_default()),
        FieldKind::Name => text(notice, "assignerName").unwrap_or("系统").to_owned(),
        FieldKind::Phrase => "新客户".to_owned(),
        FieldKind::Enum => field.choices().first().cloned().unwrap_or_default(),
        FieldKind::Number | FieldKind::Amount => notice["customerCount"].as_u64().unwrap_or(1).to_string(),
        FieldKind::CharacterString | FieldKind::Letter | FieldKind::CarNumber => "A".to_owned(),
        FieldKind::Symbol => "-".to_owned(),
    }
}

/// An instant of JSON as China reads it; any other text as it is.
fn china_time(text: &str) -> String {
    let parsed = DateTime::parse_from_rfc3339(text).ok().zip(FixedOffset::east_opt(CHINA_OFFSET_SECONDS));
    parsed.map_or_else(
        || text.to_owned(),
        |(at, china)| at.with_timezone(&china).format("%Y年%-m月%-d日 %H:%M").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_fills_the_fields_of_a_template() {
        let template: Template = "T=thing1,phone_number2,thing3,time4,thing5".parse().unwrap();
        let single = json!({
            "customerName": "张三", "source": "手动分配", "assignTime": "2026-03-01T04:00:00.000Z"
        });
        let batch = json!({ "customerCount": 12, "assignerName": "很".repeat(30), "customerPhone": "138" });
        for (notice, expected) in [
            (single, ["张三", "000", "手动分配", "2026年3月1日 12:00", "无"].map(str::to_owned)),
            (batch, ["12个客户", "138", &"很".repeat(20), "", "无"].map(str::to_owned)),
        ] {
            let mut things = things(&notice).into_iter();
            let values: Vec<_> =
                template.fields().iter().map(|field| value_of(field, &notice, &mut things)).collect();
            assert_eq!(values, expected);
        }
    }
}
