use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::testing::{after, at, boss, given, play};

fn words(title: &str) -> Words {
    Words {
        title: title.to_owned(),
        content: "{{customerName}} 的客户".to_owned(),
        action_text: "查看".into(),
    }
}

fn wording(title: &str) -> Wording {
    Wording { zh_cn: words(title), en: words("Title") }
}

fn draft(title: &str) -> TemplateCommand {
    TemplateCommand::Draft { key: "ASSIGNED".into(), wording: wording(title), by: boss(), at: at(1) }
}

fn publish() -> TemplateCommand {
    TemplateCommand::Publish { key: "ASSIGNED".into(), by: boss(), at: at(2) }
}

fn roll_back(to: Option<i64>) -> TemplateCommand {
    TemplateCommand::RollBack { key: "ASSIGNED".into(), to, by: boss(), at: at(3) }
}

fn drafted(title: &str) -> TemplateEvent {
    TemplateDrafted { key: "ASSIGNED".into(), wording: wording(title), by: boss(), at: at(1) }.into()
}

fn published(version: i64, title: &str) -> TemplateEvent {
    TemplatePublished { key: "ASSIGNED".into(), version, wording: wording(title), by: boss(), at: at(2) }
        .into()
}

fn rolled_back(to: Option<i64>) -> TemplateEvent {
    TemplateRolledBack { key: "ASSIGNED".into(), to, by: boss(), at: at(3) }.into()
}

#[test]
fn words_are_drafted_then_published_behind_the_versions_of_the_code() {
    given::<NoticeTemplate>(vec![]).when(draft("一")).then_expect_events(vec![drafted("一")]);
    given::<NoticeTemplate>(vec![drafted("一")]).when(draft("一")).then_expect_events(vec![]);
    given::<NoticeTemplate>(vec![drafted("一")])
        .when(publish())
        .then_expect_events(vec![published(BUILT_IN_VERSION_MAX + 1, "一")]);
    let state: NoticeTemplate = after(&[drafted("一"), published(1001, "一")]);
    assert_eq!(state.published(), Some((1001, &wording("一"))));
    assert_eq!(state.draft, None);
}

#[test]
fn without_a_draft_nothing_is_published() {
    given::<NoticeTemplate>(vec![]).when(publish()).then_expect_error(TemplateError::NoDraft);
    given::<NoticeTemplate>(vec![drafted("一"), published(1001, "一")])
        .when(publish())
        .then_expect_error(TemplateError::NoDraft);
}

#[test]
fn a_number_is_never_given_twice_also_after_a_roll_back() {
    let past = || vec![published(1001, "一"), published(1002, "二"), rolled_back(Some(1001)), drafted("三")];
    given::<NoticeTemplate>(past()).when(publish()).then_expect_events(vec![published(1003, "三")]);
    let state: NoticeTemplate = after(&past());
    assert_eq!(state.published(), Some((1001, &wording("一"))));
}

#[test]
fn rolling_back_leads_to_what_was_published_or_to_the_words_of_the_code() {
    let past = || vec![published(1001, "一"), published(1002, "二")];
    given::<NoticeTemplate>(past())
        .when(roll_back(Some(1001)))
        .then_expect_events(vec![rolled_back(Some(1001))]);
    given::<NoticeTemplate>(past()).when(roll_back(Some(1002))).then_expect_events(vec![]);
    given::<NoticeTemplate>(past()).when(roll_back(None)).then_expect_events(vec![rolled_back(None)]);
    given::<NoticeTemplate>(vec![]).when(roll_back(None)).then_expect_events(vec![]);
    for unknown in [1, 1000, 1003] {
        given::<NoticeTemplate>(past())
            .when(roll_back(Some(unknown)))
            .then_expect_error(TemplateError::NoSuchVersion);
    }
    let mut events = past();
    events.push(rolled_back(None));
    assert_eq!(after::<NoticeTemplate>(&events).published(), None);
}

#[test]
fn only_the_latest_versions_are_kept_and_the_one_people_read_is_among_them() {
    let last = 1000 + i64::try_from(VERSIONS_MAX).unwrap() + 5;
    let events: Vec<_> = (1001..=last).map(|version| published(version, "一")).collect();
    let state: NoticeTemplate = after(&events);
    assert_eq!(state.versions.len(), VERSIONS_MAX);
    assert_eq!(state.published().map(|(version, _)| version), Some(last));
    assert_eq!(state.decide(roll_back(Some(1001))), Err(TemplateError::NoSuchVersion));
}

#[test]
fn words_that_cannot_be_shown_are_refused_by_place_and_rule() {
    type Case = (&'static str, fn(&mut Words, String), String, Part, WordsFault);
    let long = |n| "长".repeat(n);
    let cases: [Case; 7] = [
        ("blank title", |w, s| w.title = s, " ".into(), Part::Title, WordsFault::Blank),
        ("blank content", |w, s| w.content = s, "\n".into(), Part::Content, WordsFault::Blank),
        ("blank button", |w, s| w.action_text = s, String::new(), Part::ActionText, WordsFault::Blank),
        (
            "long title",
            |w, s| w.title = s,
            long(TITLE_CHARS_MAX + 1),
            Part::Title,
            WordsFault::TooManyChars(TITLE_CHARS_MAX),
        ),
        (
            "long content",
            |w, s| w.content = s,
            long(CONTENT_BYTES_MAX / 3 + 1),
            Part::Content,
            WordsFault::TooManyBytes(CONTENT_BYTES_MAX),
        ),
        (
            "long button",
            |w, s| w.action_text = s,
            long(ACTION_TEXT_CHARS_MAX + 1),
            Part::ActionText,
            WordsFault::TooManyChars(ACTION_TEXT_CHARS_MAX),
        ),
        ("tab", |w, s| w.title = s, "a\tb".into(), Part::Title, WordsFault::ControlCharacter),
    ];
    for (name, set, text, part, fault) in cases {
        for language in Language::ALL.iter().copied() {
            let mut wording = wording("一");
            set(if language == Language::En { &mut wording.en } else { &mut wording.zh_cn }, text.clone());
            assert_eq!(wording.faults(), [(language, part, fault)], "{name}");
            let command = TemplateCommand::Draft { key: "ASSIGNED".into(), wording, by: boss(), at: at(1) };
            assert_eq!(
                NoticeTemplate::default().decide(command),
                Err(TemplateError::Words { language, part, fault }),
                "{name}"
            );
        }
    }
    let fits = Wording {
        zh_cn: Words { title: long(TITLE_CHARS_MAX), content: "a".repeat(CONTENT_BYTES_MAX), ..words("") },
        en: Words { content: "two\nlines".into(), ..words("x") },
    };
    assert_eq!(fits.faults(), []);
}

proptest! {
    #[test]
    fn whatever_is_asked_numbers_grow_and_people_read_something_known(
        commands in proptest::collection::vec(
            prop_oneof![
                select(vec!["一", "二", "三"]).prop_map(draft),
                Just(publish()),
                proptest::option::of(1000..1006_i64).prop_map(roll_back),
            ],
            0..40,
        )
    ) {
        play::<NoticeTemplate>(commands, |_| false, |state, history| {
            let numbers: Vec<i64> = history.iter().filter_map(|event| match event {
                TemplateEvent::Published(e) => Some(e.version),
                _ => None,
            }).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            assert_eq!(state.published().is_some(), state.current.is_some());
        });
    }
}
