use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, Priority};
use domain::preferences::{Day, Digest, Document, Language, Mode, QuietHours, Rule, Window};

use super::*;
use crate::texts::kinds::{
    ACCOUNT_SECURITY, CUSTOMER_ASSIGNED, CUSTOMER_CREATED, CUSTOMER_TRANSFERRED, PERMISSION_CHANGED,
};
use Channel::{InApp, WechatSubscribe, WecomApp};
use Priority::{High, Medium};

fn rule(scene: Option<&str>, channel: Option<Channel>, mode: Mode) -> Rule {
    Rule { scene: scene.map(str::to_owned), channel, mode }
}

fn rules(rules: &[Rule]) -> Document {
    Document { rules: rules.to_vec(), ..Document::default() }
}

#[test]
fn the_first_layer_that_speaks_decides_and_is_named() {
    let own = rules(&[
        rule(Some(CUSTOMER_CREATED), Some(WecomApp), Mode::Off),
        rule(Some(CUSTOMER_ASSIGNED), None, Mode::Digest),
        rule(None, Some(WechatSubscribe), Mode::Digest),
    ]);
    let role = rules(&[
        rule(Some(CUSTOMER_CREATED), Some(WecomApp), Mode::On),
        rule(Some(CUSTOMER_TRANSFERRED), None, Mode::Off),
        rule(None, None, Mode::Off),
    ]);
    let table = [
        (CUSTOMER_CREATED, WecomApp, Medium, Mode::Off, "preference:CUSTOMER_CREATED×wecom_app"),
        (CUSTOMER_ASSIGNED, WecomApp, High, Mode::Digest, "preference:CUSTOMER_ASSIGNED×*"),
        (CUSTOMER_CREATED, WechatSubscribe, Medium, Mode::Digest, "preference:*×wechat_subscribe"),
        (CUSTOMER_TRANSFERRED, WecomApp, High, Mode::Off, "role_default:CUSTOMER_TRANSFERRED×*"),
        (CUSTOMER_TRANSFERRED, WechatSubscribe, High, Mode::On, "default:urgent"),
        ("CONTRACT_SIGNED", WecomApp, High, Mode::Off, "role_default:*×*"),
        (CUSTOMER_CREATED, InApp, Medium, Mode::On, "locked:inbox"),
        (ACCOUNT_SECURITY, WecomApp, High, Mode::On, "locked:critical"),
        (PERMISSION_CHANGED, WechatSubscribe, High, Mode::On, "locked:critical"),
    ];
    for (scene, channel, priority, mode, setting) in table {
        let resolved = resolve(&own, &role, scene, channel, priority);
        assert_eq!(
            (resolved.mode, resolved.setting.to_string()),
            (mode, setting.to_owned()),
            "{scene} {channel}"
        );
        assert_eq!(resolved.is_locked(), setting.starts_with("locked"), "{scene} {channel}");
    }
    let (own, role) = (Document::default(), Document::default());
    let resolved = resolve(&own, &role, CUSTOMER_CREATED, WecomApp, Medium);
    assert_eq!((resolved.mode, resolved.setting), (Mode::On, Setting::Default));
}

#[test]
fn route_language_and_quiet_hours_come_from_the_person_then_from_the_role() {
    let route_of = |channels: &[Channel]| BTreeMap::from([(CUSTOMER_ASSIGNED.to_owned(), channels.to_vec())]);
    let role = Document {
        routes: route_of(&[WecomApp]),
        locale: Some(Language::En),
        quiet: Some(nights()),
        ..Document::default()
    };
    let silent = Document::default();
    assert_eq!(route(&silent, &role, CUSTOMER_ASSIGNED), Some((&[WecomApp][..], "role_default")));
    assert_eq!(route(&silent, &role, CUSTOMER_CREATED), None);
    assert_eq!(language(&silent, &role), Language::En);
    assert_eq!(language(&silent, &silent), Language::ZhCn);
    assert!(quiet_until(&silent, &role, at("23:00:00")).is_some());

    let own = Document {
        routes: route_of(&[]),
        locale: Some(Language::ZhCn),
        quiet: Some(QuietHours::default()),
        ..Document::default()
    };
    assert_eq!(route(&own, &role, CUSTOMER_ASSIGNED), Some((&[][..], "preference")));
    assert_eq!(language(&own, &role), Language::ZhCn);
    assert_eq!(quiet_until(&own, &role, at("23:00:00")), None, "no windows of one's own: never quiet");
}

/// A moment of 2026-11-21 in Shanghai.
fn at(clock: &str) -> DateTime<Utc> {
    format!("2026-11-21T{clock}+08:00").parse().unwrap()
}

fn nights() -> QuietHours {
    let window = Window {
        days: Day::ALL.iter().copied().collect(),
        from: "22:00".parse().unwrap(),
        to: "08:00".parse().unwrap(),
    };
    QuietHours { windows: vec![window], ..QuietHours::default() }
}

/// What becomes of a notice of `now` for a person with these quiet hours and digest.
fn held(
    quiet: bool,
    digest: Option<Digest>,
    (scene, channel): (&str, Channel),
    now: &str,
    last_sent: Option<&str>,
) -> Option<(DateTime<Utc>, &'static str)> {
    let all = rules(&[rule(None, None, Mode::Digest), rule(Some(CUSTOMER_ASSIGNED), None, Mode::Digest)]);
    let own =
        Document { quiet: quiet.then(nights), digest, ..if digest.is_some() { all } else { rules(&[]) } };
    let role = Document::default();
    let resolved = resolve(&own, &role, scene, channel, High);
    decide_hold(&own, &role, (scene, channel), &resolved, at(now), last_sent.map(at))
        .map(|hold| (hold.until, hold.reason.as_str()))
}

#[test]
fn messages_wait_for_the_end_of_the_night_the_inbox_and_critical_ones_do_not() {
    let lead = (CUSTOMER_ASSIGNED, WecomApp);
    let tomorrow = at("08:00:00") + TimeDelta::days(1);
    assert_eq!(held(true, None, lead, "07:59:59", None), Some((at("08:00:00"), "quiet_hours")));
    assert_eq!(held(true, None, lead, "08:00:00", None), None);
    assert_eq!(held(true, None, lead, "22:00:00", None), Some((tomorrow, "quiet_hours")));
    assert_eq!(held(false, None, lead, "23:00:00", None), None);
    assert_eq!(held(true, None, (CUSTOMER_ASSIGNED, InApp), "23:00:00", None), None);
    for scene in CRITICAL {
        assert_eq!(held(true, None, (scene, WecomApp), "23:00:00", None), None, "{scene}");
    }
}

#[test]
fn a_digest_waits_for_its_time_and_never_disturbs_the_night() {
    let lead = (CUSTOMER_ASSIGNED, WecomApp);
    let daily = |clock: &str| Some(Digest::Daily { at: clock.parse().unwrap() });
    let burst = Some(Digest::Burst { minutes: 30 });
    let tomorrow = |clock| at(clock) + TimeDelta::days(1);
    assert_eq!(held(false, daily("18:00"), lead, "12:00:00", None), Some((at("18:00:00"), "digest_daily")));
    assert_eq!(
        held(true, daily("23:00"), lead, "12:00:00", None),
        Some((tomorrow("08:00:00"), "digest_daily"))
    );
    assert_eq!(held(true, burst, lead, "12:00:00", None), None, "the first leaves at once");
    assert_eq!(held(true, burst, lead, "12:10:00", Some("12:00:00")), Some((at("12:30:00"), "digest_burst")));
    assert_eq!(held(true, burst, lead, "12:30:00", Some("12:00:00")), None);
    assert_eq!(
        held(true, burst, lead, "21:50:00", Some("21:40:00")),
        Some((tomorrow("08:00:00"), "digest_burst"))
    );
    assert_eq!(held(true, burst, lead, "23:00:00", None), Some((tomorrow("08:00:00"), "quiet_hours")));
    assert_eq!(held(true, daily("18:00"), (ACCOUNT_SECURITY, WecomApp), "12:00:00", None), None);
    assert_eq!(held(true, daily("18:00"), (CUSTOMER_ASSIGNED, InApp), "12:00:00", None), None);
    assert_eq!(
        held(true, daily("18:00"), (CUSTOMER_TRANSFERRED, WecomApp), "12:00:00", None),
        None,
        "an urgent notice that no rule names does not wait for a digest"
    );
}

#[test]
fn without_a_time_of_its_own_a_digest_is_told_in_the_morning() {
    let own = rules(&[rule(Some(CUSTOMER_CREATED), Some(WecomApp), Mode::Digest)]);
    let role = Document::default();
    let resolved = resolve(&own, &role, CUSTOMER_CREATED, WecomApp, Medium);
    let hold = decide_hold(&own, &role, (CUSTOMER_CREATED, WecomApp), &resolved, at("08:00:00"), None);
    assert_eq!(hold, Some(Hold { until: at("09:00:00"), reason: HoldReason::DigestDaily }));
}
