//! Published words, their checks, and digests.

use chrono::{DateTime, Utc};
use domain::Actor;
use domain::notification::Channel;
use domain::preferences::Language;
use domain::template::{
    Part, TemplateDrafted, TemplateEvent, TemplatePublished, TemplateRolledBack, Wording, WordsFault,
};
use serde_json::Map;

use crate::texts::check::Unit;
use crate::texts::{
    ASSIGNED, CATALOGUE, CREATED, DIGEST, DIGEST_LINES_MAX, SYSTEM_ANNOUNCEMENT, TemplateBook, TextFault,
    TextRule, Variables, check, digest_list, render, samples, template,
};

fn by() -> Actor {
    Actor::System("test".into())
}

fn wording(title: &str) -> Wording {
    let mut wording = ASSIGNED.wording();
    title.clone_into(&mut wording.zh_cn.title);
    wording
}

fn published(version: i64, title: &str) -> TemplateEvent {
    let (key, at) = (ASSIGNED.key.to_owned(), DateTime::<Utc>::UNIX_EPOCH);
    TemplatePublished { key, version, wording: wording(title), by: by(), at }.into()
}

fn rolled_back(to: Option<i64>) -> TemplateEvent {
    let (key, at) = (ASSIGNED.key.to_owned(), DateTime::<Utc>::UNIX_EPOCH);
    TemplateRolledBack { key, to, by: by(), at }.into()
}

/// Version and Chinese title that people read after these events.
fn read(events: &[TemplateEvent]) -> (i64, String) {
    let mut book = TemplateBook::default();
    for event in events {
        book.evolve(event);
    }
    let worded = book.template(&ASSIGNED);
    let message = render(worded, Language::ZhCn, &samples(&ASSIGNED), Map::new()).unwrap();
    assert_eq!(book.template(&CREATED).version, CREATED.version, "other templates are as they were");
    (worded.version, message.title)
}

#[test]
fn people_read_what_was_published_last_and_after_a_roll_back_what_was_before() {
    let key = ASSIGNED.key.to_owned();
    let drafted = TemplateDrafted { key, wording: wording("草稿"), by: by(), at: DateTime::UNIX_EPOCH };
    let built_in = (ASSIGNED.version, ASSIGNED.zh_cn.title.to_owned());
    assert_eq!(read(&[]), built_in);
    assert_eq!(read(&[drafted.into()]), built_in);
    let (first, second) = (published(1001, "一"), published(1002, "二 {{customerName}}"));
    assert_eq!(read(&[first.clone(), second.clone()]), (1002, "二 王女士".to_owned()));
    assert_eq!(read(&[first.clone(), second.clone(), rolled_back(Some(1001))]), (1001, "一".to_owned()));
    assert_eq!(read(&[first, second, rolled_back(None)]), built_in);
}

#[test]
fn every_text_of_the_code_could_be_published_and_is_found_by_its_key() {
    for known in CATALOGUE {
        assert_eq!(check(known, &known.wording()), [], "{}", known.key);
        assert_eq!(template(known.key), Some(*known));
        assert_eq!(samples(known).len(), known.variables.len(), "{} lacks a sample", known.key);
    }
    assert_eq!(template("NOTHING"), None);
}

#[test]
fn words_that_would_fail_or_be_cut_later_are_refused_with_place_and_rule() {
    let unknown = |name: &str| TextRule::UnknownVariable(name.to_owned());
    let too_long = |channel, max, unit| TextRule::TooLongFor { channel, max, unit };
    let long = |n| "长".repeat(n);
    let cases = [
        (Part::Title, "{{customer}}{{phone}}{{customer}}".to_owned(), vec![unknown("customer")]),
        (Part::Content, "{{ phone }}".to_owned(), vec![unknown(" phone ")]),
        (Part::ActionText, "{{newOwner}}".to_owned(), vec![unknown("newOwner")]),
        (Part::Title, "客户{{customerName".to_owned(), vec![TextRule::LooseBraces]),
        (Part::Title, "客户customerName}}".to_owned(), vec![TextRule::LooseBraces]),
        (Part::Title, String::new(), vec![TextRule::Words(WordsFault::Blank)]),
        (Part::Title, long(128), vec![]),
        (Part::Title, format!("{}{{{{customerName}}}}", long(110)), vec![]),
        (
            Part::Title,
            format!("{}{{{{phone}}}}", long(118)),
            vec![too_long(Channel::WecomApp, 128, Unit::Chars)],
        ),
        (Part::Content, long(512), vec![]),
        (Part::Content, long(513), vec![too_long(Channel::WecomApp, 512, Unit::Chars)]),
    ];
    for (part, text, expected) in cases {
        for language in Language::ALL.iter().copied() {
            let mut wording = ASSIGNED.wording();
            let words = if language == Language::En { &mut wording.en } else { &mut wording.zh_cn };
            match part {
                Part::Title => words.title.clone_from(&text),
                Part::Content => words.content.clone_from(&text),
                Part::ActionText => words.action_text.clone_from(&text),
            }
            let expected: Vec<_> =
                expected.iter().map(|rule| TextFault { language, part, rule: rule.clone() }).collect();
            assert_eq!(check(&ASSIGNED, &wording), expected, "{text}");
        }
    }
}

#[test]
fn words_that_could_grow_too_long_for_the_inbox_are_refused() {
    let too_long = |max| TextRule::TooLongFor { channel: Channel::InApp, max, unit: Unit::Bytes };
    let of_content = |n| "{{content}}".repeat(n);
    for (part, text, expected) in [
        (Part::Content, of_content(3), None),
        (Part::Content, of_content(4), Some(12 * 1024)),
        (Part::Content, of_content(20), Some(12 * 1024)),
        (Part::Title, of_content(1), None),
        (Part::Title, of_content(2), Some(4 * 1024)),
        (Part::ActionText, of_content(1), Some(2 * 1024)),
    ] {
        let mut wording = SYSTEM_ANNOUNCEMENT.wording();
        let words = &mut wording.zh_cn;
        match part {
            Part::Title => words.title.clone_from(&text),
            Part::Content => words.content.clone_from(&text),
            Part::ActionText => words.action_text.clone_from(&text),
        }
        let mut faults = check(&SYSTEM_ANNOUNCEMENT, &wording);
        // Very many repetitions are too long for a card, too.
        faults.retain(|fault| matches!(fault.rule, TextRule::TooLongFor { channel: Channel::InApp, .. }));
        let expected: Vec<_> = expected
            .map(|max| TextFault { language: Language::ZhCn, part, rule: too_long(max) })
            .into_iter()
            .collect();
        assert_eq!(faults, expected, "{text}");
    }
}

#[test]
fn a_digest_names_the_first_and_counts_the_rest() {
    let long = "很长".repeat(40);
    let notices = [("客户分配通知", "您有新的客户【王女士】"), ("客户\n状态变更", long.as_str())];
    let list = digest_list(notices, Language::ZhCn);
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines[0], "1. 客户分配通知：您有新的客户【王女士】");
    assert!(lines[1].starts_with("2. 客户 状态变更：很长") && lines[1].ends_with('…'), "{}", lines[1]);
    assert_eq!(lines.len(), 2);

    let many = vec![("Title", long.as_str()); DIGEST_LINES_MAX + 3];
    for (language, last) in [(Language::ZhCn, "…以及另外 3 条"), (Language::En, "…and 3 more")] {
        let list = digest_list(many.clone(), language);
        assert_eq!(list.lines().last(), Some(last));
        assert_eq!(list.lines().count(), DIGEST_LINES_MAX + 1);
        let variables = Variables::from([("count", "13".into()), ("list", list.into())]);
        let message = render(&DIGEST, language, &variables, Map::new()).unwrap();
        assert!(message.content.chars().count() <= 512, "fits a WeCom card: {}", message.content);
    }
}
