//! What is pushed, in JSON and in XML (wechat-apis.md §7.2).

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::switches::{JsonShape, Switches};

/// Something that a platform tells a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A person answered a popup: templates, and whether each was accepted.
    Popup { openid: String, choices: Vec<(String, bool)>, scene: String },
    /// A person switched templates off in the settings.
    Change { openid: String, template_ids: Vec<String> },
    /// What became of a subscribe message.
    Sent { openid: String, template_id: String, msgid: u64, errcode: u64 },
    /// What became of a template message.
    TemplateJob { openid: String, msgid: u64, status: &'static str },
    /// A member wrote to a WeCom app.
    WecomText { userid: String, words: String, msgid: u64, agent_id: u64 },
}

/// A member of a pushed message, before it is JSON or XML.
enum Part {
    Text(&'static str, String),
    Number(&'static str, i64),
    /// 64 bits, a text in JSON.
    Id(&'static str, u64),
    List(&'static str, Vec<Vec<Part>>),
}

impl Event {
    /// The name a log shows; `Event` of the message.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Popup { .. } => "subscribe_msg_popup_event",
            Self::Change { .. } => "subscribe_msg_change_event",
            Self::Sent { .. } => "subscribe_msg_sent_event",
            Self::TemplateJob { .. } => "TEMPLATESENDJOBFINISH",
            Self::WecomText { .. } => "text",
        }
    }

    /// Whom it concerns.
    pub(crate) fn person(&self) -> &str {
        match self {
            Self::Popup { openid, .. }
            | Self::Change { openid, .. }
            | Self::Sent { openid, .. }
            | Self::TemplateJob { openid, .. } => openid,
            Self::WecomText { userid, .. } => userid,
        }
    }

    fn parts(&self, account: &str, now: DateTime<Utc>, switches: &Switches) -> Vec<Part> {
        let created = if switches.callback_create_time_text {
            Part::Text("CreateTime", now.timestamp().to_string())
        } else {
            Part::Number("CreateTime", now.timestamp())
        };
        let mut parts = vec![
            Part::Text("ToUserName", account.to_owned()),
            Part::Text("FromUserName", self.person().to_owned()),
            created,
        ];
        if let Self::WecomText { words, msgid, agent_id, .. } = self {
            parts.push(Part::Text("MsgType", "text".to_owned()));
            parts.push(Part::Text("Content", words.clone()));
            parts.push(Part::Id("MsgId", *msgid));
            parts.push(Part::Number("AgentID", i64::try_from(*agent_id).unwrap_or(i64::MAX)));
            return parts;
        }
        parts.push(Part::Text("MsgType", "event".to_owned()));
        parts.push(Part::Text("Event", self.name().to_owned()));
        parts.extend(self.own_parts(switches));
        parts
    }

    fn own_parts(&self, switches: &Switches) -> Vec<Part> {
        let status = |accept: bool| if accept { "accept" } else { "reject" }.to_owned();
        match self {
            Self::Popup { choices, scene, .. } => {
                let entry = |(template_id, accept): &(String, bool)| {
                    vec![
                        Part::Text("TemplateId", template_id.clone()),
                        Part::Text("SubscribeStatusString", status(*accept)),
                        Part::Text("PopupScene", scene.clone()),
                    ]
                };
                vec![Part::List("SubscribeMsgPopupEvent", choices.iter().map(entry).collect())]
            }
            Self::Change { template_ids, .. } => {
                let entry = |template_id: &String| {
                    vec![
                        Part::Text("TemplateId", template_id.clone()),
                        Part::Text("SubscribeStatusString", status(false)),
                    ]
                };
                let popup = switches.callback_change_in_popup_container;
                let container = if popup { "SubscribeMsgPopupEvent" } else { "SubscribeMsgChangeEvent" };
                vec![Part::List(container, template_ids.iter().map(entry).collect())]
            }
            Self::Sent { template_id, msgid, errcode, .. } => {
                let words = if *errcode == 0 { "success" } else { "system failed" };
                let entry = vec![
                    Part::Text("TemplateId", template_id.clone()),
                    Part::Id("MsgID", *msgid),
                    Part::Id("ErrorCode", *errcode),
                    Part::Text("ErrorStatus", words.to_owned()),
                ];
                vec![Part::List("SubscribeMsgSentEvent", vec![entry])]
            }
            Self::TemplateJob { msgid, status, .. } => {
                vec![Part::Id("MsgID", *msgid), Part::Text("Status", (*status).to_owned())]
            }
            Self::WecomText { .. } => Vec::new(),
        }
    }

    pub(crate) fn json(&self, account: &str, now: DateTime<Utc>, switches: &Switches) -> Map<String, Value> {
        let mut object = Map::new();
        for part in self.parts(account, now, switches) {
            part.into_json(&mut object, switches);
        }
        object
    }

    /// The members in XML, without the root.
    pub(crate) fn xml(&self, account: &str, now: DateTime<Utc>, switches: &Switches) -> String {
        let mut xml = String::new();
        for part in self.parts(account, now, switches) {
            part.write_xml(&mut xml);
        }
        xml
    }
}

impl Part {
    fn into_json(self, object: &mut Map<String, Value>, switches: &Switches) {
        match self {
            Self::Text(key, text) => object.insert(key.to_owned(), json!(text)),
            Self::Number(key, number) => object.insert(key.to_owned(), json!(number)),
            Self::Id(key, id) => object.insert(key.to_owned(), json!(id.to_string())),
            Self::List(container, entries) => {
                let mut entries: Vec<Value> = entries
                    .into_iter()
                    .map(|entry| {
                        let mut object = Map::new();
                        for part in entry {
                            part.into_json(&mut object, switches);
                        }
                        Value::Object(object)
                    })
                    .collect();
                let list = match entries.len() {
                    1 if !switches.callback_single_as_array => entries.remove(0),
                    _ => Value::Array(entries),
                };
                match switches.callback_json_shape {
                    JsonShape::List => object.insert("List".to_owned(), list),
                    JsonShape::ContainerList => object.insert(container.to_owned(), json!({ "List": list })),
                    JsonShape::Container => object.insert(container.to_owned(), list),
                }
            }
        };
    }

    fn write_xml(self, xml: &mut String) {
        let _ = match self {
            // a String takes everything
            Self::Text(key, text) => write!(xml, "<{key}>{}</{key}>", cdata(&text)),
            Self::Number(key, number) => write!(xml, "<{key}>{number}</{key}>"),
            Self::Id(key, id) => write!(xml, "<{key}>{id}</{key}>"),
            Self::List(container, entries) => {
                let _ = write!(xml, "<{container}>");
                for entry in entries {
                    xml.push_str("<List>");
                    for part in entry {
                        part.write_xml(xml);
                    }
                    xml.push_str("</List>");
                }
                write!(xml, "</{container}>")
            }
        };
    }
}

/// A text in XML, whatever it holds.
pub(crate) fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

/// The text of an element, with or without CDATA; for the answers of a server, which are small and flat.
pub(crate) fn xml_text(xml: &str, tag: &str) -> Option<String> {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let begin = xml.find(&open)? + open.len();
    let text = &xml[begin..begin + xml[begin..].find(&close)?];
    let plain = text.trim().strip_prefix("<![CDATA[").and_then(|text| text.strip_suffix("]]>"));
    Some(plain.unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_620_963_428, 0).unwrap()
    }

    #[test]
    fn the_sample_of_a_sent_event() {
        let event = Event::Sent {
            openid: "o7".to_owned(),
            template_id: "TPL".to_owned(),
            msgid: 1_864_323_726_461_255_680,
            errcode: 0,
        };
        let json =
            event.json("gh_1", at(), &Switches { callback_create_time_text: true, ..Switches::default() });
        let expected = json!({
            "ToUserName": "gh_1", "FromUserName": "o7", "CreateTime": "1620963428", "MsgType": "event",
            "Event": "subscribe_msg_sent_event",
            "List": { "TemplateId": "TPL", "MsgID": "1864323726461255680", "ErrorCode": "0", "ErrorStatus": "success" }
        });
        assert_eq!(Value::Object(json), expected);
        let xml = event.xml("gh_1", at(), &Switches::default());
        assert!(xml.ends_with(
            "<SubscribeMsgSentEvent><List><TemplateId><![CDATA[TPL]]></TemplateId><MsgID>1864323726461255680</MsgID>\
             <ErrorCode>0</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus></List>\
             </SubscribeMsgSentEvent>"
        ), "{xml}");
    }

    #[test]
    fn the_three_shapes_with_one_entry_and_with_two() {
        let event = |choices: &[(&str, bool)]| Event::Popup {
            openid: "o7".to_owned(),
            choices: choices.iter().map(|(id, accept)| ((*id).to_owned(), *accept)).collect(),
            scene: "0".to_owned(),
        };
        let one = json!({ "TemplateId": "T", "SubscribeStatusString": "accept", "PopupScene": "0" });
        let other = json!({ "TemplateId": "U", "SubscribeStatusString": "reject", "PopupScene": "0" });
        for (callback_json_shape, callback_single_as_array, choices, at_path, expected) in [
            (JsonShape::List, false, &[("T", true)][..], "/List", one.clone()),
            (JsonShape::List, true, &[("T", true)][..], "/List", json!([one])),
            (JsonShape::List, false, &[("T", true), ("U", false)][..], "/List", json!([one, other])),
            (
                JsonShape::ContainerList,
                false,
                &[("T", true)][..],
                "/SubscribeMsgPopupEvent/List",
                one.clone(),
            ),
            (JsonShape::Container, false, &[("T", true)][..], "/SubscribeMsgPopupEvent", one.clone()),
            (
                JsonShape::Container,
                false,
                &[("T", true), ("U", false)][..],
                "/SubscribeMsgPopupEvent",
                json!([one, other]),
            ),
        ] {
            let switches = Switches { callback_json_shape, callback_single_as_array, ..Switches::default() };
            let json = Value::Object(event(choices).json("gh_1", at(), &switches));
            assert_eq!(json.pointer(at_path), Some(&expected), "{json}");
            assert_eq!(json["CreateTime"], 1_620_963_428);
        }
    }

    #[test]
    fn a_change_names_the_container_of_a_popup_when_the_switch_says_so() {
        let event =
            Event::Change { openid: "o7".to_owned(), template_ids: vec!["T".to_owned(), "U".to_owned()] };
        for (callback_change_in_popup_container, container) in
            [(false, "SubscribeMsgChangeEvent"), (true, "SubscribeMsgPopupEvent")]
        {
            let switches = Switches {
                callback_change_in_popup_container,
                callback_json_shape: JsonShape::ContainerList,
                ..Switches::default()
            };
            let json = Value::Object(event.json("gh_1", at(), &switches));
            assert_eq!(json[container]["List"][1]["SubscribeStatusString"], "reject", "{json}");
            let xml = event.xml("gh_1", at(), &switches);
            assert_eq!(xml.matches("<List>").count(), 2);
            assert!(xml.contains(&format!("<{container}><List><TemplateId><![CDATA[T]]>")), "{xml}");
        }
    }

    #[test]
    fn texts_survive_xml() {
        let words = "a<b>&]]>c";
        let event =
            Event::WecomText { userid: "lisi".to_owned(), words: words.to_owned(), msgid: 7, agent_id: 1 };
        let xml = event.xml("ww1", at(), &Switches::default());
        assert!(xml.contains(
            "<Content><![CDATA[a<b>&]]]]><![CDATA[>c]]></Content><MsgId>7</MsgId><AgentID>1</AgentID>"
        ));
        assert_eq!(xml_text(&xml, "MsgId").as_deref(), Some("7"));
        assert_eq!(xml_text(&xml, "FromUserName").as_deref(), Some("lisi"));
        assert_eq!(xml_text(&xml, "Other"), None);
    }
}
