//! Limits of WeCom's messages, and what they cut.

use proptest::prelude::*;

use super::super::speaks_to_many;
use super::*;
use crate::channels::testing::check_body;
use crate::channels::wecom_app::mark_possibly_repeated;

fn settings() -> Settings {
    let public_url = Some("https://crm.example.com".to_owned());
    Settings { corp: "ww1".to_owned(), agent: 7, kind: Kind::Textcard, public_url }
}

fn line(label: &'static str, value: &str) -> Line {
    Line { label, value: value.to_owned() }
}

fn sheet(value: &str) -> Sheet {
    let lines = vec![line("昵称", value), line("", value)];
    let sections = vec![Section { heading: "会员信息", lines: lines.clone() }];
    Sheet {
        card_title: "🎉 新会员登记通知",
        title: "🎉 新会员登记通知",
        card: vec![lines, vec![line("说明", value)], vec![line("登记时间", "2026-03-02 00:05")]],
        kept: 1,
        text: sections.clone(),
        markdown: sections,
        closing: "请及时跟进",
        own: None,
        path: "/members/1".to_owned(),
        button: "查看详情",
    }
}

const STAMP: &str = "2026-03-02 00:05 #0A1B2C3D";

fn body(kind: Kind, sheet: &Sheet) -> serde_json::Value {
    let receivers = Receivers { users: "a|b".to_owned(), ..Receivers::default() };
    let body = render_sheet(&settings(), kind, &receivers, STAMP, sheet);
    check_body(&body);
    assert!(speaks_to_many(&body));
    serde_json::from_str(&body).unwrap()
}

#[test]
fn every_form_has_its_exact_words() {
    let sheet = sheet("小<b>王*");
    for (kind, words) in [
        (
            Kind::Textcard,
            "<div class=\"gray\">2026-03-02 00:05 #0A1B2C3D</div><div class=\"normal\">昵称：小＜b＞王* | \
             小＜b＞王*<br>说明：小＜b＞王*<br>登记时间：2026-03-02 00:05</div>",
        ),
        (
            Kind::Text,
            "🎉 新会员登记通知\n【会员信息】\n• 昵称：小＜b＞王*\n小＜b＞王*\n请及时跟进\n\
             <a href=\"https://crm.example.com/members/1\">查看详情</a>\n2026-03-02 00:05 #0A1B2C3D",
        ),
        (
            Kind::Markdown,
            "**🎉 新会员登记通知**\n### 会员信息\n> 昵称：小＜b＞王＊\n> 小＜b＞王＊\n请及时跟进\n\
             [查看详情](https://crm.example.com/members/1)\n<font color=\"comment\">2026-03-02 00:05 #0A1B2C3D</font>",
        ),
    ] {
        let body = body(kind, &sheet);
        let shown = match kind {
            Kind::Textcard => &body["textcard"]["description"],
            kind => &body[kind.name()]["content"],
        };
        assert_eq!(shown, words);
        assert_eq!((&body["touser"], &body["agentid"]), (&"a|b".into(), &7.into()));
    }
}

#[test]
fn receivers_stand_where_wecom_looks_for_them() {
    for (receivers, expected, many) in [
        (("zhang", "", ""), r#"{"touser":"zhang","msgtype""#, false),
        (("@all", "", ""), r#"{"touser":"@all","msgtype""#, true),
        (("", "2|3", "9"), r#"{"toparty":"2|3","totag":"9","msgtype""#, true),
        (("a", "2", ""), r#"{"touser":"a","toparty":"2","msgtype""#, true),
    ] {
        let (users, parties, tags) = receivers;
        let receivers = Receivers { users: users.into(), parties: parties.into(), tags: tags.into() };
        let body = render_sheet(&settings(), Kind::Text, &receivers, STAMP, &sheet("x"));
        assert!(body.starts_with(expected), "{body}");
        assert_eq!(speaks_to_many(&body), many, "{body}");
    }
    assert!(!speaks_to_many("{}"));
}

#[test]
fn words_of_ones_own_replace_the_lines_and_members_write_no_signs_into_them() {
    let own = OwnWords {
        template: "**{{nickname}}**\n<b>{{unknown}}".to_owned(),
        values: vec![("nickname", "*王*".to_owned())],
    };
    let sheet = Sheet { own: Some(own), ..sheet("x") };
    let markdown = body(Kind::Markdown, &sheet);
    let content = markdown["markdown"]["content"].as_str().unwrap();
    assert!(content.starts_with("**🎉 新会员登记通知**\n**＊王＊**\n<b>\n["), "{content}");
    let card = body(Kind::Textcard, &sheet);
    let description = card["textcard"]["description"].as_str().unwrap();
    assert!(description.ends_with("<div class=\"normal\">***王***<br>＜b＞</div>"), "{description}");
}

proptest! {
    #[test]
    fn nothing_is_longer_than_wecom_takes_and_no_tag_is_cut(
        value in "[\\PC]{0,900}|[汉🧧<>*\\n]{0,900}",
        own in proptest::option::of("[汉{}<>a\\n]{0,1000}"),
    ) {
        let own = own.map(|template| OwnWords { template, values: vec![("a", value.clone())] });
        let sheet = Sheet { own, ..sheet(&value) };
        for (_, kind) in Kind::NAMES {
            let receivers = Receivers { users: "a".to_owned(), ..Receivers::default() };
            let plain = render_sheet(&settings(), kind, &receivers, STAMP, &sheet);
            for body in [plain.clone(), mark_possibly_repeated(&plain)] {
                let read: serde_json::Value = serde_json::from_str(&body).unwrap();
                let (shown, max) = match kind {
                    Kind::Textcard => (&read["textcard"]["description"], DESCRIPTION_BYTES_MAX),
                    other => (&read[other.name()]["content"], CONTENT_BYTES_MAX),
                };
                let shown = shown.as_str().unwrap();
                prop_assert!(shown.len() <= max, "{} bytes", shown.len());
                prop_assert!(shown.contains("#0A1B2C3D"));
                if kind != Kind::Markdown || sheet.own.is_none() {
                    prop_assert_eq!(shown.matches('<').count(), shown.matches('>').count() - quotes(kind, shown));
                    prop_assert!(!shown.replace(BREAK, "").contains("<b"), "{}", shown);
                }
            }
        }
    }
}

/// Markdown begins its quotations with `>`.
fn quotes(kind: Kind, shown: &str) -> usize {
    if kind == Kind::Markdown { shown.lines().filter(|line| line.starts_with('>')).count() } else { 0 }
}
