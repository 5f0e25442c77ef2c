//! Preferences and templates.

use domain::notification::Channel;
use domain::preferences::{Digest, Language, Mode};

use super::*;
use crate::forms::{
    DraftTemplate, PreviewTemplate, PreviewVersion, RollBackTemplate, SetPreferences, text_error,
};
use crate::texts::{ASSIGNED, check};

fn full() -> Value {
    json!({
        "rules": [{ "type": "CUSTOMER_ASSIGNED", "channel": "wecom_app", "mode": "digest" }, { "mode": "off" }],
        "quiet": { "windows": [{ "days": ["mon", "sun", "mon"], "from": "22:00", "to": "08:00" }] },
        "digest": { "kind": "burst", "minutes": 30 },
        "routes": { "CUSTOMER_ASSIGNED": ["wecom_app", "wechat_subscribe"], "CONTRACT_SIGNED": [] },
        "locale": "en",
    })
}

#[test]
fn a_document_is_read_whole_and_what_is_left_out_says_nothing() {
    let document = SetPreferences::parse(full()).unwrap().document;
    assert_eq!(document.rules[0].scene.as_deref(), Some("CUSTOMER_ASSIGNED"));
    assert_eq!((document.rules[1].scene.as_deref(), document.rules[1].mode), (None, Mode::Off));
    let quiet = document.quiet.unwrap();
    assert_eq!((quiet.zone.to_string().as_str(), quiet.windows[0].days.len()), ("Asia/Shanghai", 2));
    assert_eq!(document.digest, Some(Digest::Burst { minutes: 30 }));
    assert_eq!(document.routes["CUSTOMER_ASSIGNED"], [Channel::WecomApp, Channel::WechatSubscribe]);
    assert_eq!(document.locale, Some(Language::En));

    let nothing = json!({ "rules": null, "quiet": null, "digest": null, "routes": null, "locale": null });
    for empty in [json!({}), nothing] {
        assert_eq!(SetPreferences::parse(empty).unwrap().document, domain::preferences::Document::default());
    }
    let never = SetPreferences::parse(json!({ "quiet": {} })).unwrap().document;
    assert_eq!(never.quiet.map(|quiet| quiet.windows.len()), Some(0));
}

#[test]
fn every_violation_of_rules_and_quiet_hours_is_named_with_its_place() {
    let window = |key: &str, value: Value| {
        let window = with(json!({ "days": ["mon"], "from": "22:00", "to": "08:00" }), key, value);
        json!({ "quiet": { "windows": [window] } })
    };
    let rule = |rule: Value| json!({ "rules": [{ "mode": "on" }, rule] });
    let many = |n: usize, entry: Value| Value::Array(vec![entry; n]);
    let table = [
        (json!([]), "", "not_an_object"),
        (json!({ "Rules": [] }), "Rules", "unknown_field"),
        (json!({ "rules": {} }), "rules", "not_a_list"),
        (json!({ "rules": many(257, json!({ "mode": "on" })) }), "rules", "too_many"),
        (rule(json!("on")), "rules[1]", "not_a_map"),
        (rule(json!({ "type": "CUSTOMER_ASSIGNED" })), "rules[1].mode", "required"),
        (rule(json!({ "mode": "sometimes" })), "rules[1].mode", "unknown_code"),
        (rule(json!({ "mode": 1 })), "rules[1].mode", "not_text"),
        (rule(json!({ "mode": "off", "type": "LEAD_EATEN" })), "rules[1].type", "unknown_code"),
        (rule(json!({ "mode": "off", "type": 7 })), "rules[1].type", "not_text"),
        (rule(json!({ "mode": "off", "channel": "pigeon" })), "rules[1].channel", "unknown_code"),
        (rule(json!({ "mode": "off", "scene": "X" })), "rules[1].scene", "unknown_field"),
        (rule(json!({ "mode": "off" })), "rules[1]", "said_twice"),
        (rule(json!({ "mode": "off", "channel": "in_app" })), "rules[1].mode", "inbox_always_on"),
        (json!({ "quiet": "nights" }), "quiet", "not_a_map"),
        (json!({ "quiet": { "zone": "Mars/Olympus" } }), "quiet.zone", "zone"),
        (json!({ "quiet": { "zone": 8 } }), "quiet.zone", "not_text"),
        (json!({ "quiet": { "windows": 3 } }), "quiet.windows", "not_a_list"),
        (json!({ "quiet": { "windows": [7] } }), "quiet.windows[0]", "not_a_map"),
        (window("days", json!([])), "quiet.windows[0].days", "required"),
        (window("days", json!(null)), "quiet.windows[0].days", "required"),
        (window("days", json!(["mon", "montag"])), "quiet.windows[0].days[1]", "unknown_code"),
        (window("from", json!("24:00")), "quiet.windows[0].from", "time_of_day"),
        (window("to", json!("8:00")), "quiet.windows[0].to", "time_of_day"),
        (window("to", json!(800)), "quiet.windows[0].to", "not_text"),
        (window("to", json!(null)), "quiet.windows[0].to", "required"),
        (
            json!({ "quiet": { "windows": [{
                "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "08:00", "to": "08:00",
            }] } }),
            "quiet.windows",
            "never_ends",
        ),
    ];
    for (body, path, rule) in table {
        assert_eq!(violations(SetPreferences::parse(body.clone())), one(path, rule), "{body}");
    }
}

#[test]
fn every_violation_of_digests_and_routes_is_named_with_its_place() {
    let table = [
        (json!({ "digest": {} }), "digest.kind", "required"),
        (json!({ "digest": { "kind": "weekly", "at": "09:00" } }), "digest.kind", "unknown_code"),
        (json!({ "digest": { "kind": "daily" } }), "digest.at", "required"),
        (json!({ "digest": { "kind": "daily", "at": "9am" } }), "digest.at", "time_of_day"),
        (
            json!({ "digest": { "kind": "daily", "at": "09:00", "minutes": 5 } }),
            "digest.minutes",
            "unknown_field",
        ),
        (json!({ "digest": { "kind": "burst", "minutes": 0 } }), "digest.minutes", "out_of_range"),
        (json!({ "digest": { "kind": "burst", "minutes": 1.5 } }), "digest.minutes", "not_whole"),
        (json!({ "routes": [] }), "routes", "not_a_map"),
        (json!({ "routes": { "LEAD_EATEN": [] } }), "routes.LEAD_EATEN", "unknown_field"),
        (json!({ "routes": { "CONTRACT_SIGNED": "wecom_app" } }), "routes.CONTRACT_SIGNED", "not_a_list"),
        (json!({ "routes": { "CONTRACT_SIGNED": ["fax"] } }), "routes.CONTRACT_SIGNED[0]", "unknown_code"),
        (
            json!({ "routes": { "CONTRACT_SIGNED": ["in_app"] } }),
            "routes.CONTRACT_SIGNED[0]",
            "inbox_always_on",
        ),
        (
            json!({ "routes": { "CONTRACT_SIGNED": ["wecom_app", "wecom_app"] } }),
            "routes.CONTRACT_SIGNED[1]",
            "said_twice",
        ),
        (json!({ "locale": "fr" }), "locale", "unknown_code"),
    ];
    for (body, path, rule) in table {
        assert_eq!(violations(SetPreferences::parse(body.clone())), one(path, rule), "{body}");
    }
    let several = json!({ "rules": [{ "mode": "x" }], "quiet": { "zone": "x", "y": 1 }, "locale": 3 });
    let found = violations(SetPreferences::parse(several));
    assert_eq!(found.len(), 4, "all at once: {found:?}");
}

fn draft() -> Value {
    let words = json!({ "title": "新客户", "content": "{{customerName}}\n{{phone}}", "actionText": "查看" });
    json!({ "zh-CN": words, "en": words })
}

#[test]
fn words_are_read_in_both_languages_and_every_violation_is_named() {
    let form = DraftTemplate::parse(draft()).unwrap();
    assert_eq!(form.wording.en.content, "{{customerName}}\n{{phone}}");
    let in_en = |key: &str, value: Value| {
        let mut body = draft();
        body["en"][key] = value;
        body
    };
    let table = [
        (json!("words"), "", "not_an_object"),
        (without(draft(), "en"), "en", "required"),
        (with(draft(), "fr", json!({})), "fr", "unknown_field"),
        (with(draft(), "zh-CN", json!("新客户")), "zh-CN", "not_a_map"),
        (in_en("title", json!(" ")), "en.title", "required"),
        (in_en("title", chars(129)), "en.title", "too_long"),
        (in_en("title", json!("two\nlines")), "en.title", "control_character"),
        (in_en("content", json!(null)), "en.content", "required"),
        (in_en("content", chars(683)), "en.content", "too_many_bytes"),
        (in_en("content", chars(2049)), "en.content", "too_long"),
        (in_en("content", json!("a\tb")), "en.content", "control_character"),
        (in_en("actionText", json!(5)), "en.actionText", "not_text"),
        (in_en("actionText", chars(33)), "en.actionText", "too_long"),
        (in_en("icon", json!("x")), "en.icon", "unknown_field"),
    ];
    for (body, path, rule) in table {
        assert_eq!(violations(DraftTemplate::parse(body.clone())), one(path, rule), "{body}");
    }
}

#[test]
fn what_cannot_be_published_is_told_like_any_violation() {
    let mut wording = ASSIGNED.wording();
    wording.zh_cn.content = "{{newOwner}} {{".into();
    wording.en.title = String::new();
    let told: Vec<_> = check(&ASSIGNED, &wording).iter().map(|fault| text_error(&ASSIGNED, fault)).collect();
    let found: Vec<_> = told.iter().map(|e| (e.path.as_str(), e.rule.code())).collect();
    assert_eq!(
        found,
        [("en.title", "required"), ("zh-CN.content", "unknown_variable"), ("zh-CN.content", "loose_braces")]
    );
    assert!(told[1].message_en.contains("newOwner") && told[1].message_en.contains("customerName"));
    let mut long = ASSIGNED.wording();
    long.zh_cn.content = "长".repeat(513);
    let told = text_error(&ASSIGNED, &check(&ASSIGNED, &long)[0]);
    assert!(told.message_zh.contains("wecom_app") && told.message_zh.contains("512"), "{}", told.message_zh);
}

#[test]
fn a_preview_and_a_roll_back_say_what_they_mean() {
    let parse = |body| PreviewTemplate::parse(body, &ASSIGNED);
    for empty in [Value::Null, json!({})] {
        let form = parse(empty).unwrap();
        assert_eq!((form.locale, form.version, form.event), (Language::ZhCn, PreviewVersion::Latest, None));
    }
    let form = parse(json!({ "locale": "en", "version": 1001, "variables": { "phone": "138" } })).unwrap();
    assert_eq!((form.locale, form.version), (Language::En, PreviewVersion::Numbered(1001)));
    assert_eq!(form.variables["phone"], "138");
    let table = [
        (json!({ "locale": "de" }), "locale", "unknown_code"),
        (json!({ "version": 0 }), "version", "out_of_range"),
        (json!({ "eventId": "7" }), "eventId", "id"),
        (json!({ "variables": [] }), "variables", "not_a_map"),
        (json!({ "variables": { "newOwner": "x" } }), "variables.newOwner", "unknown_field"),
        (json!({ "variables": { "phone": chars(201) } }), "variables.phone", "too_long"),
        (json!({ "data": {} }), "data", "unknown_field"),
    ];
    for (body, path, rule) in table {
        assert_eq!(violations(parse(body.clone())), one(path, rule), "{body}");
    }
    assert_eq!(RollBackTemplate::parse(json!({ "version": 1 })).unwrap().version, 1);
    assert_eq!(violations(RollBackTemplate::parse(json!({}))), one("version", "required"));
    assert_eq!(
        violations(RollBackTemplate::parse(json!({ "version": "x" }))),
        one("version", "not_a_number")
    );
}
