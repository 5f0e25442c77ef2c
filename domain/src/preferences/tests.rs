use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::testing::{at, boss, given, staff};

mod clock;

fn rule(scene: Option<&str>, channel: Option<Channel>, mode: Mode) -> Rule {
    Rule { scene: scene.map(str::to_owned), channel, mode }
}

fn time(text: &str) -> TimeOfDay {
    text.parse().unwrap()
}

fn window(days: &[Day], from: &str, to: &str) -> Window {
    Window { days: days.iter().copied().collect(), from: time(from), to: time(to) }
}

fn quiet(zone: &str, windows: Vec<Window>) -> QuietHours {
    QuietHours { zone: zone.parse().unwrap(), windows }
}

fn full() -> Document {
    Document {
        rules: vec![rule(None, Some(Channel::WecomApp), Mode::Digest)],
        quiet: Some(quiet("Asia/Shanghai", vec![window(Day::ALL, "22:00", "08:00")])),
        digest: Some(Digest::Burst { minutes: 30 }),
        routes: BTreeMap::from([("CUSTOMER_ASSIGNED".to_owned(), vec![Channel::WecomApp])]),
        locale: Some(Language::En),
    }
}

fn set(document: Document) -> PreferencesSet {
    PreferencesSet { whose: Whose::Staff(staff(1)), document, by: boss(), at: at(1) }
}

#[test]
fn a_document_replaces_the_one_before_and_the_same_one_changes_nothing() {
    let command = |document| PreferencesCommand::Set(set(document));
    given::<Preferences>(vec![]).when(command(full())).then_expect_events(vec![set(full()).into()]);
    given::<Preferences>(vec![set(full()).into()]).when(command(full())).then_expect_events(vec![]);
    given::<Preferences>(vec![set(full()).into()])
        .when(command(Document::default()))
        .then_expect_events(vec![set(Document::default()).into()]);
    given::<Preferences>(vec![]).when(command(Document::default())).then_expect_events(vec![]);
}

#[test]
fn a_document_is_written_as_people_would_write_it() {
    let written = serde_json::to_value(full()).unwrap();
    let expected = serde_json::json!({
        "rules": [{ "channel": "wecom_app", "mode": "digest" }],
        "quiet": {
            "zone": "Asia/Shanghai",
            "windows": [{
                "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "22:00", "to": "08:00",
            }],
        },
        "digest": { "kind": "burst", "minutes": 30 },
        "routes": { "CUSTOMER_ASSIGNED": ["wecom_app"] },
        "locale": "en",
    });
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_value::<Document>(written).unwrap(), full());
    assert_eq!(serde_json::from_str::<Document>("{}").unwrap(), Document::default());
}

#[test]
fn the_most_specific_rule_wins_wherever_it_stands() {
    use Channel::{InApp, WechatSubscribe, WecomApp};
    let mut rules = vec![
        rule(Some("A"), Some(WecomApp), Mode::Off),
        rule(Some("A"), None, Mode::Digest),
        rule(None, Some(WecomApp), Mode::On),
        rule(None, None, Mode::Off),
    ];
    for _ in 0..2 {
        let document = Document { rules: rules.clone(), ..Document::default() };
        let mode = |scene, channel| document.rule(scene, channel).map(|rule| rule.mode);
        assert_eq!(mode("A", WecomApp), Some(Mode::Off));
        assert_eq!(mode("A", WechatSubscribe), Some(Mode::Digest));
        assert_eq!(mode("B", WecomApp), Some(Mode::On));
        assert_eq!(mode("B", WechatSubscribe), Some(Mode::Off));
        assert_eq!(mode("B", InApp), None, "a rule about every channel is not about the inbox");
        rules.reverse();
    }
}

#[test]
fn every_broken_rule_is_named_with_its_place() {
    use Fault::{InboxAlwaysOn, InvalidScene, NeverEnds, NoDays, OutOfRange, SaidTwice, TooMany};
    let rules = |rules| Document { rules, ..Document::default() };
    let routes = |scene: &str, channels| Document {
        routes: BTreeMap::from([(scene.to_owned(), channels)]),
        ..Document::default()
    };
    let windows = |windows| Document { quiet: Some(quiet("UTC", windows)), ..Document::default() };
    let burst = |minutes| Document { digest: Some(Digest::Burst { minutes }), ..Document::default() };
    let many_rules = (0..=RULES_MAX).map(|n| rule(Some(&format!("S{n}")), None, Mode::On)).collect();
    let many_routes = (0..=ROUTES_MAX).map(|n| (format!("S{n}"), vec![])).collect();
    let many_windows = vec![window(&[Day::Monday], "01:00", "02:00"); WINDOWS_MAX + 1];
    let always = vec![
        window(&Day::ALL[..3], "00:00", "00:00"),
        window(&Day::ALL[3..], "00:00", "12:00"),
        window(&Day::ALL[3..], "12:00", "00:00"),
    ];
    let long = "长".repeat(SCENE_CHARS_MAX + 1);
    let cases: Vec<(Document, Vec<(String, Fault)>)> = vec![
        (full(), vec![]),
        (rules(many_rules), vec![("rules".into(), TooMany(RULES_MAX))]),
        (
            rules(vec![rule(Some(" "), None, Mode::On), rule(Some(&long), None, Mode::On)]),
            vec![("rules[0].scene".into(), InvalidScene), ("rules[1].scene".into(), InvalidScene)],
        ),
        (
            rules(vec![rule(None, None, Mode::On), rule(None, None, Mode::Off)]),
            vec![("rules[1]".into(), SaidTwice)],
        ),
        (
            rules(vec![
                rule(None, Some(Channel::InApp), Mode::Off),
                rule(Some("A"), Some(Channel::InApp), Mode::Digest),
                rule(Some("B"), Some(Channel::InApp), Mode::On),
            ]),
            vec![("rules[0].mode".into(), InboxAlwaysOn), ("rules[1].mode".into(), InboxAlwaysOn)],
        ),
        (
            Document { routes: many_routes, ..Document::default() },
            vec![("routes".into(), TooMany(ROUTES_MAX))],
        ),
        (routes(&long, vec![]), vec![(format!("routes.{long}"), InvalidScene)]),
        (
            routes("A", vec![Channel::WecomApp, Channel::InApp, Channel::WecomApp]),
            vec![("routes.A[1]".into(), InboxAlwaysOn), ("routes.A[2]".into(), SaidTwice)],
        ),
        (windows(many_windows), vec![("quiet.windows".into(), TooMany(WINDOWS_MAX))]),
        (windows(vec![window(&[], "01:00", "02:00")]), vec![("quiet.windows[0].days".into(), NoDays)]),
        (windows(always), vec![("quiet.windows".into(), NeverEnds)]),
        (burst(0), vec![("digest.minutes".into(), OutOfRange { min: 1, max: 1440 })]),
        (burst(1441), vec![("digest.minutes".into(), OutOfRange { min: 1, max: 1440 })]),
        (burst(1440), vec![]),
    ];
    for (document, expected) in cases {
        let found: Vec<_> = document.violations().into_iter().map(|v| (v.path, v.fault)).collect();
        assert_eq!(found, expected);
        let decided = Preferences::default().decide(PreferencesCommand::Set(set(document)));
        assert_eq!(decided.is_err(), !expected.is_empty());
    }
}

#[test]
fn times_and_zones_are_read_as_they_are_written_and_nothing_else_is() {
    for text in ["00:00", "07:59", "23:59"] {
        assert_eq!(time(text).to_string(), text);
    }
    for text in ["", "24:00", "12:60", "7:00", "07:0", "07.00", "07:00 ", "+7:00", "０７:00", "07:00:00"] {
        assert_eq!(text.parse::<TimeOfDay>(), Err(InvalidTimeOfDay), "{text}");
    }
    assert_eq!(Zone::default().to_string(), "Asia/Shanghai");
    for text in ["", "Shanghai", "Asia/Beijing ", "+08:00"] {
        assert_eq!(text.parse::<Zone>(), Err(UnknownZone), "{text}");
    }
}
