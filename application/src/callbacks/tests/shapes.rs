//! One event in each of its shapes is one message; what is none is refused with its reason.

use serde_json::json;

use super::super::*;

const HEAD: &str = "<ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>\
                    <CreateTime>1620963428</CreateTime><MsgType><![CDATA[event]]></MsgType>";

fn xml(event: &str, rest: &str) -> String {
    format!("<xml>{HEAD}<Event><![CDATA[{event}]]></Event>{rest}</xml>")
}

fn json_event(event: &str, rest: &serde_json::Value) -> String {
    let mut body = json!({ "ToUserName": "gh_1", "FromUserName": "o1", "CreateTime": 1_620_963_428,
                           "MsgType": "event", "Event": event });
    for (name, value) in rest.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn entry(template: &str, status: &str) -> Entry {
    let (template, status) = (template.to_owned(), status.to_owned());
    Entry { template, status, message_id: None, succeeded: false, code: None }
}

fn what(body: &str) -> What {
    let message = read(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!((message.to.as_str(), message.from.as_str()), ("gh_1", "o1"));
    assert_eq!(message.created_at.timestamp(), 1_620_963_428);
    message.what
}

#[test]
fn a_popup_is_read_in_every_shape() {
    let event = "subscribe_msg_popup_event";
    let one = json!({ "TemplateId": "T1", "SubscribeStatusString": "accept", "PopupScene": "0" });
    let two = json!([one, { "TemplateId": "T2", "SubscribeStatusString": "reject", "PopupScene": "0" }]);
    let first = || vec![entry("T1", "accept")];
    let both = || vec![entry("T1", "accept"), entry("T2", "reject")];
    let element = |template: &str, status: &str| {
        format!(
            "<List><TemplateId><![CDATA[{template}]]></TemplateId><SubscribeStatusString><![CDATA[{status}]]>\
             </SubscribeStatusString><PopupScene>1</PopupScene></List>"
        )
    };
    let container = |inner: &str| format!("<SubscribeMsgPopupEvent>{inner}</SubscribeMsgPopupEvent>");
    let rows = [
        (json_event(event, &json!({ "List": one })), first()),
        (json_event(event, &json!({ "List": two })), both()),
        (json_event(event, &json!({ "CreateTime": "1620963428", "List": [one] })), first()),
        (json_event(event, &json!({ "SubscribeMsgPopupEvent": { "List": one } })), first()),
        (json_event(event, &json!({ "SubscribeMsgPopupEvent": { "List": two } })), both()),
        (json_event(event, &json!({ "SubscribeMsgPopupEvent": one })), first()),
        (json_event(event, &json!({ "SubscribeMsgPopupEvent": two })), both()),
        (xml(event, &container(&element("T1", "accept"))), first()),
        (xml(event, &container(&(element("T1", "accept") + &element("T2", "reject")))), both()),
    ];
    for (body, expected) in rows {
        assert!(what(&body) == What::Answered(expected), "{body}");
    }
}

#[test]
fn a_change_may_stand_in_the_container_of_another_event() {
    for container in ["SubscribeMsgChangeEvent", "SubscribeMsgPopupEvent"] {
        let inner =
            "<List><TemplateId>T1</TemplateId><SubscribeStatusString>reject</SubscribeStatusString></List>";
        let body = xml("subscribe_msg_change_event", &format!("<{container}>{inner}</{container}>"));
        assert!(what(&body) == What::Changed(vec![entry("T1", "reject")]), "{container}");
    }
}

#[test]
fn a_sent_event_keeps_an_id_that_no_float_can_hold() {
    let sent = |code: Option<i64>, succeeded| {
        let (template, status) = ("TPL".to_owned(), String::new());
        What::Sent(vec![Entry {
            template,
            status,
            message_id: Some(1_864_323_726_461_255_681),
            succeeded,
            code,
        }])
    };
    let event = "subscribe_msg_sent_event";
    let of_json = |id: serde_json::Value, code: serde_json::Value, status: &str| {
        json_event(
            event,
            &json!({ "List": { "TemplateId": "TPL", "MsgID": id, "ErrorCode": code, "ErrorStatus": status } }),
        )
    };
    let of_xml = xml(
        event,
        "<SubscribeMsgSentEvent><List><TemplateId><![CDATA[TPL]]></TemplateId><MsgID>1864323726461255681</MsgID>\
         <ErrorCode>0</ErrorCode><ErrorStatus><![CDATA[success]]></ErrorStatus></List></SubscribeMsgSentEvent>",
    );
    let rows = [
        (of_json(json!("1864323726461255681"), json!("0"), "success"), sent(Some(0), true)),
        (of_json(json!(1_864_323_726_461_255_681_u64), json!(0), "success"), sent(Some(0), true)),
        (of_json(json!("1864323726461255681"), json!("1300"), "failed"), sent(Some(1300), false)),
        (of_json(json!("1864323726461255681"), json!(null), "success"), sent(None, true)),
        (of_json(json!("1864323726461255681"), json!(null), "system failed"), sent(None, false)),
        (of_xml, sent(Some(0), true)),
    ];
    for (body, expected) in rows {
        assert!(what(&body) == expected, "{body}");
    }
}

#[test]
fn the_end_of_a_template_message_is_read() {
    let body = xml(
        "TEMPLATESENDJOBFINISH",
        "<MsgID>200163836</MsgID><Status><![CDATA[failed:user block]]></Status>",
    );
    let status = "failed:user block".to_owned();
    assert!(what(&body) == What::TemplateEnded { message_id: 200_163_836, status });
}

#[test]
fn texts_and_everything_else_are_read() {
    let body = "<xml><ToUserName>gh_1</ToUserName><FromUserName>o1</FromUserName><CreateTime>1620963428</CreateTime>\
                <MsgType>text</MsgType><Content><![CDATA[ 查 M12 ]]>&amp;&#33;</Content><MsgId>1</MsgId></xml>";
    assert!(what(body) == What::Text("查 M12 &!".to_owned()));
    assert!(what(&xml("subscribe", "<EventKey/>")) == What::Other);
    let image = xml("x", "").replace("<![CDATA[event]]>", "<![CDATA[image]]>");
    assert!(what(&image) == What::Other);
}

#[test]
fn what_is_no_callback_is_refused() {
    let event = "subscribe_msg_popup_event";
    let accepted = |entry: serde_json::Value| json_event(event, &json!({ "List": entry }));
    let rows = [
        (String::new(), Unreadable::Malformed),
        ("success".to_owned(), Unreadable::Malformed),
        ("{".to_owned(), Unreadable::Malformed),
        ("[]".to_owned(), Unreadable::Malformed),
        ("<xml>".to_owned(), Unreadable::Malformed),
        ("<xml></lmx>".to_owned(), Unreadable::Malformed),
        ("<xml></xml><xml></xml>".to_owned(), Unreadable::Malformed),
        ("<a></a>text".to_owned(), Unreadable::Malformed),
        ("{}".to_owned(), Unreadable::Field("CreateTime")),
        (r#"{"CreateTime":1}"#.to_owned(), Unreadable::Field("MsgType")),
        (xml(event, ""), Unreadable::Field("List")),
        (accepted(json!([])), Unreadable::Field("List")),
        (accepted(json!("x")), Unreadable::Field("List")),
        (accepted(json!({ "SubscribeStatusString": "accept" })), Unreadable::Field("TemplateId")),
        (
            accepted(json!({ "TemplateId": "T\u{0}", "SubscribeStatusString": "accept" })),
            Unreadable::Field("TemplateId"),
        ),
        (accepted(json!({ "TemplateId": "T" })), Unreadable::Field("SubscribeStatusString")),
        (
            accepted(json!({ "TemplateId": "T", "SubscribeStatusString": "maybe" })),
            Unreadable::Field("SubscribeStatusString"),
        ),
        (
            json_event(
                "subscribe_msg_sent_event",
                &json!({ "List": { "TemplateId": "T", "ErrorCode": "0" } }),
            ),
            Unreadable::Field("MsgID"),
        ),
        (
            json_event(
                "subscribe_msg_sent_event",
                &json!({ "List": { "TemplateId": "T", "MsgID": 1.5e30, "ErrorCode": "0" } }),
            ),
            Unreadable::Field("MsgID"),
        ),
        (xml("TEMPLATESENDJOBFINISH", "<Status>success</Status>"), Unreadable::Field("MsgID")),
    ];
    for (body, expected) in rows {
        assert_eq!(read(&body).err(), Some(expected), "{body}");
    }
    let late = json_event("subscribe", &json!({ "CreateTime": "soon" }));
    assert_eq!(read(&late).err(), Some(Unreadable::Field("CreateTime")));
}

#[test]
fn document_types_entities_and_depth_are_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><xml><a>&b;</a></xml>";
    let outside = "<!DOCTYPE x [<!ENTITY f SYSTEM \"file:///etc/passwd\">]><xml><a>&f;</a></xml>";
    let deep = format!("{}{}", "<a>".repeat(9), "</a>".repeat(9));
    for body in [bomb, outside, "<xml><a>&f;</a></xml>", "<xml><?php x ?></xml>", &deep] {
        assert_eq!(read(body).err(), Some(Unreadable::Suspicious), "{body}");
    }
}

#[test]
fn nobody_is_named_where_a_message_is_shown() {
    let message = read(&xml("subscribe", "")).unwrap();
    assert!(!format!("{message:?}").contains("o1"));
}
