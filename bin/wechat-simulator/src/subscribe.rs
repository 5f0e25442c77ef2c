//! `subscribe/send`, `subscribe/bizsend`, `template/send`: is this message one that WeChat takes? Pure; the order of the checks is a switch
//! (wechat-apis.md §2).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    credits::Credits,
    errcode::Refusal,
    official::Official,
    switches::{Check, Switches},
    template::{App, Template},
};

/// A message that passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) openid: String,
    pub(crate) template_id: String,
    pub(crate) data: BTreeMap<String, String>,
    pub(crate) page: Option<String>,
    pub(crate) miniprogram_state: Option<String>,
    pub(crate) lang: Option<String>,
}

/// What the checks look at.
pub(crate) struct Scene<'a> {
    pub(crate) app: &'a App,
    pub(crate) credits: &'a Credits,
    pub(crate) switches: &'a Switches,
    pub(crate) audience: Audience<'a>,
}

/// Who may be written to.
#[derive(Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// Those with a credit for the template.
    Subscribers,
    /// Those who follow the official account.
    Followers(&'a Official),
}

/// A text member of the request; anything else counts as absent.
pub(crate) fn text<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str)
}

/// What the card opens: a page, or of an official account a mini program, or a link.
fn target(body: &Value) -> Option<String> {
    let mini_program = ["/miniprogram/pagepath", "/miniprogram/path"].iter().find_map(|at| body.pointer(at));
    let target = mini_program.and_then(Value::as_str).or_else(|| text(body, "page"));
    target.or_else(|| text(body, "url")).map(str::to_owned)
}

impl Scene<'_> {
    /// The message, or the first refusal in the configured order.
    pub(crate) fn judge(&self, body: &Value) -> Result<Message, Refusal> {
        let openid = text(body, "touser").unwrap_or_default();
        let template_id = text(body, "template_id").unwrap_or_default();
        let template = self.app.template(template_id);
        let mut data = BTreeMap::new();
        for check in self.switches.validation_order.checks() {
            match check {
                Check::Openid if !self.knows(openid) => return Err(Refusal::InvalidOpenid),
                Check::Template if template.is_none() => return Err(Refusal::InvalidTemplateId),
                Check::Content => data = self.values(template, body.get("data"))?,
                Check::Credit => self.may_be_written_to(openid, template_id)?,
                Check::Openid | Check::Template => {}
            }
        }
        Ok(Message {
            openid: openid.to_owned(),
            template_id: template_id.to_owned(),
            data,
            page: target(body),
            miniprogram_state: text(body, "miniprogram_state").map(str::to_owned),
            lang: text(body, "lang").map(str::to_owned),
        })
    }

    fn may_be_written_to(&self, openid: &str, template_id: &str) -> Result<(), Refusal> {
        let appid = &self.app.appid;
        match self.audience {
            Audience::Subscribers if self.credits.remaining(appid, openid, template_id) == 0 => {
                Err(Refusal::RefusedByUser)
            }
            Audience::Followers(official) if !official.follows(appid, openid) => Err(Refusal::Plain(43004)),
            Audience::Subscribers | Audience::Followers(_) => Ok(()),
        }
    }

    fn knows(&self, openid: &str) -> bool {
        !openid.is_empty() && (self.switches.accept_any_openid || self.credits.knows(&self.app.appid, openid))
    }

    /// The values by key. Of an unknown template only the shape can be judged.
    fn values(
        &self,
        template: Option<&Template>,
        data: Option<&Value>,
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let Some(Value::Object(data)) = data else {
            return Err(Refusal::Argument("data invalid".to_owned()));
        };
        let Some(template) = template else { return Ok(BTreeMap::new()) };
        let invalid = |key: &str| Refusal::Argument(format!("data.{key}.value invalid"));
        let mut values = BTreeMap::new();
        for field in template.fields() {
            let key = field.key();
            let value = match data.get(key).and_then(|member| member.get("value")) {
                None | Some(Value::Null) => "",
                Some(Value::String(value)) => value,
                Some(_) => return Err(invalid(key)),
            };
            if value.is_empty() || (self.switches.blank_value_is_empty && value.trim().is_empty()) {
                return Err(Refusal::Argument(format!("data.{key}.value is empty")));
            }
            if !field.kind().accepts(value, field.choices(), self.switches.counting()) {
                return Err(invalid(key));
            }
            values.insert(key.to_owned(), value.to_owned());
        }
        match data.keys().find(|key| !values.contains_key(*key)) {
            Some(unknown) if self.switches.unknown_key_refused => Err(invalid(unknown)),
            _ => Ok(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scene_check(switches: &Switches, body: &Value) -> Result<Message, Refusal> {
        let app = App {
            appid: "wx1".to_owned(),
            secret: "s".to_owned(),
            templates: vec!["T=thing1,time2".parse().unwrap()],
        };
        let mut credits = Credits::default();
        credits.grant("wx1", "rich", "T", 1);
        credits.register("wx1", "poor");
        let audience = Audience::Subscribers;
        Scene { app: &app, credits: &credits, switches, audience }.judge(body)
    }

    fn message(touser: &str, template: &str, data: &Value) -> Value {
        json!({ "touser": touser, "template_id": template, "data": data })
    }

    fn argument(what: &str) -> Refusal {
        Refusal::Argument(what.to_owned())
    }

    #[test]
    fn a_good_message_passes_with_and_without_the_optional_members() {
        let mut body = message("rich", "T", &json!({"thing1":{"value":"张三"},"time2":{"value":"15:01"}}));
        let judged = scene_check(&Switches::default(), &body).unwrap();
        assert_eq!(judged.data["thing1"], "张三");
        assert_eq!((judged.page, judged.lang, judged.miniprogram_state), (None, None, None));
        body["page"] = json!("pages/lead?id=1");
        body["lang"] = json!("zh_CN");
        body["miniprogram_state"] = json!("formal");
        let judged = scene_check(&Switches::default(), &body).unwrap();
        assert_eq!(judged.page.as_deref(), Some("pages/lead?id=1"));
    }

    #[test]
    fn one_thing_wrong() {
        let good = json!({"thing1":{"value":"a"},"time2":{"value":"15:01"}});
        for (body, expected) in [
            (json!({}), Refusal::InvalidOpenid),
            (message("", "T", &good), Refusal::InvalidOpenid),
            (message("stranger", "T", &good), Refusal::InvalidOpenid),
            (message("rich", "X", &good), Refusal::InvalidTemplateId),
            (message("poor", "T", &good), Refusal::RefusedByUser),
            (message("rich", "T", &json!(good.to_string())), argument("data invalid")),
            (json!({"touser":"rich","template_id":"T"}), argument("data invalid")),
            (message("rich", "T", &json!({"thing1":{"value":"a"}})), argument("data.time2.value is empty")),
            (
                message("rich", "T", &json!({"thing1":{"value":" "},"time2":{"value":"15:01"}})),
                argument("data.thing1.value is empty"),
            ),
            (
                message("rich", "T", &json!({"thing1":{"value":7},"time2":{"value":"15:01"}})),
                argument("data.thing1.value invalid"),
            ),
            (
                message("rich", "T", &json!({"thing1":{"value":"a"},"time2":{"value":"soon"}})),
                argument("data.time2.value invalid"),
            ),
            (
                message(
                    "rich",
                    "T",
                    &json!({"thing1":{"value":"a"},"time2":{"value":"15:01"},"thing9":{"value":"x"}}),
                ),
                argument("data.thing9.value invalid"),
            ),
        ] {
            assert_eq!(scene_check(&Switches::default(), &body), Err(expected), "{body}");
        }
    }

    #[test]
    fn the_order_of_the_checks_is_a_switch() {
        let all_wrong = message("stranger", "X", &json!("text"));
        let no_credit_bad_content = message("poor", "T", &json!({"thing1":{"value":"a"}}));
        for (order, first, second) in [
            (["openid", "template", "content", "credit"], 40003, 47003),
            (["template", "openid", "credit", "content"], 40037, 43101),
            (["content", "credit", "template", "openid"], 47003, 47003),
            (["credit", "content", "template", "openid"], 43101, 43101),
        ] {
            let switches: Switches = serde_json::from_value(json!({ "validation_order": order })).unwrap();
            assert_eq!(scene_check(&switches, &all_wrong).unwrap_err().errcode(), first);
            assert_eq!(scene_check(&switches, &no_credit_bad_content).unwrap_err().errcode(), second);
        }
    }

    #[test]
    fn lenient_switches() {
        let switches =
            Switches { blank_value_is_empty: false, unknown_key_refused: false, ..Switches::default() };
        let body = message("rich", "T", &json!({"thing1":{"value":" "},"time2":{"value":"15:01"},"x":1}));
        assert_eq!(scene_check(&switches, &body).unwrap().data.len(), 2);
        let anyone = Switches { accept_any_openid: true, ..Switches::default() };
        let body = message("stranger", "T", &json!({"thing1":{"value":"a"},"time2":{"value":"15:01"}}));
        assert_eq!(
            scene_check(&anyone, &body),
            Err(Refusal::RefusedByUser),
            "a credit is needed all the same"
        );
    }
}
