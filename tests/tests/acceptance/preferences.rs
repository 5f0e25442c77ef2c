//! How people want to be told: their own document, their role's, and what the two come to.

use domain::StreamId;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::log::types;
use tests::kit::{Reply, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const OWN: &str = "/api/notifications/preferences";
const OF_EMPLOYEES: &str = "/api/notifications/preferences/roles/employee";

/// Mode and cause of one type in one channel.
fn effective(reply: &Reply, kind: &str, channel: &str) -> (String, String) {
    let by = |list: &Value, key: &str, value: &str| {
        let found = list.as_array().into_iter().flatten().find(|one| one[key] == value);
        found.cloned().unwrap_or_else(|| panic!("no {value} in {list}"))
    };
    let of_type = by(&reply.data()["effective"], "type", kind);
    let found = by(&of_type["channels"], "channel", channel);
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(found["locked"], json!(text("setting").starts_with("locked:")));
    (text("mode"), text("setting"))
}

fn set(mode: &str, setting: &str) -> (String, String) {
    (mode.to_owned(), setting.to_owned())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_what_own_and_role_settings_come_to_and_which_one_caused_it(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let (me, admin) = (app.team.employee.clone(), app.team.admin.clone());
    let before = app.get(OWN).by(&me).send().await;
    assert_eq!(before.version(), 0);
    let nothing = json!({ "rules": [], "quiet": null, "digest": null, "routes": {}, "locale": null });
    assert_eq!(before.data()["document"], nothing);
    assert_eq!(before.data()["lockedTypes"], json!(["ACCOUNT_SECURITY", "PERMISSION_CHANGED"]));
    assert_eq!(effective(&before, "CUSTOMER_ASSIGNED", "wecom_app"), set("on", "default"));

    let role = json!({
        "rules": [{ "mode": "digest" }, { "type": "CUSTOMER_CREATED", "mode": "off" }],
        "quiet": { "windows": [{
            "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "22:00", "to": "08:00",
        }] },
        "routes": { "CUSTOMER_ASSIGNED": ["wecom_app"] },
        "locale": "en",
    });
    let of_role = app.put(OF_EMPLOYEES, &role).by(&admin).send().await;
    assert_eq!((of_role.status, of_role.version()), (200, 1), "{of_role:?}");
    assert_eq!(effective(&of_role, "CUSTOMER_CREATED", "wecom_app").1, "role_default:CUSTOMER_CREATED×*");

    let mine = json!({
        "rules": [{ "type": "CUSTOMER_CREATED", "channel": "wecom_app", "mode": "on" }],
        "digest": { "kind": "burst", "minutes": 15 },
    });
    let set_mine = app.put(OWN, &mine).by(&me).send().await;
    assert_eq!((set_mine.status, set_mine.message()), (200, "通知偏好已保存"));
    let shown = app.get(OWN).by(&me).send().await;
    assert_eq!(shown.data(), set_mine.data(), "what was answered is what there is");
    let of = |kind, channel| effective(&shown, kind, channel);
    assert_eq!(of("CUSTOMER_CREATED", "wecom_app"), set("on", "preference:CUSTOMER_CREATED×wecom_app"));
    assert_eq!(of("CUSTOMER_CREATED", "wechat_subscribe"), set("off", "role_default:CUSTOMER_CREATED×*"));
    assert_eq!(of("CUSTOMER_FOLLOW_UP_ADDED", "wecom_app"), set("digest", "role_default:*×*"));
    assert_eq!(of("CUSTOMER_ASSIGNED", "wecom_app"), set("on", "default:urgent"));
    assert_eq!(of("PERMISSION_CHANGED", "wecom_app"), set("on", "locked:critical"));
    assert_eq!(of("CUSTOMER_CREATED", "in_app"), set("on", "locked:inbox"));
    let mut types_shown = shown.data()["effective"].as_array().into_iter().flatten();
    let assigned = types_shown.find(|one| one["type"] == "CUSTOMER_ASSIGNED").expect("the type");
    assert_eq!(assigned["route"], json!({ "channels": ["wecom_app"], "setting": "role_default" }));
    assert_eq!(assigned["title"], "Customer assigned", "in the language the person reads");
    assert_eq!(shown.data()["locale"], "en");

    // Another role has nothing of it.
    let colleague = app.get(OWN).by(&app.team.manager).send().await;
    assert_eq!(effective(&colleague, "CUSTOMER_CREATED", "wecom_app"), set("on", "default"));
    let history = app.events(&StreamId::preferences(me.id)).await;
    assert_eq!(types(&history), ["PreferencesSet"]);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_are_replaced_under_a_version_and_a_key(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let me = app.team.employee.clone();
    let english = json!({ "locale": "en" });
    let chinese = json!({ "locale": "zh-CN" });
    let first = app.put(OWN, &english).by(&me).if_match(0).key("k1").send().await;
    assert_eq!((first.status, first.version(), first.is_replay()), (200, 1, false));
    let stale = app.put(OWN, &chinese).by(&me).if_match(0).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    assert_eq!(stale.body["error"]["details"]["version"], 1);
    assert!(stale.message().starts_with("设置已被"), "{}", stale.message());
    let same = app.put(OWN, &english).by(&me).if_match(1).send().await;
    assert_eq!((same.status, same.version()), (200, 1), "nothing changed, nothing happened");
    let second = app.put(OWN, &chinese).by(&me).if_match(1).send().await;
    assert_eq!((second.status, second.version()), (200, 2));
    let again = app.put(OWN, &english).by(&me).if_match(0).key("k1").send().await;
    assert_eq!((again.status, again.version(), again.is_replay()), (200, 1, true));
    assert_eq!(again.data()["document"]["locale"], "en", "the first answer again");
    let other = app.put(OWN, &chinese).by(&me).key("k1").send().await;
    assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    assert_eq!(app.get(OWN).by(&me).send().await.data()["document"]["locale"], "zh-CN");
    // Everything is left to the role again.
    let cleared = app.put(OWN, &json!({})).by(&me).send().await;
    assert_eq!(cleared.data()["document"]["locale"], Value::Null);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_say_how_a_role_is_told(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let body = json!({ "locale": "en" });
    for person in team.of_every_role() {
        let expected = if person.username == "admin" { 200 } else { 403 };
        let read = app.get(OF_EMPLOYEES).by(person).send().await;
        let written = app.put(OF_EMPLOYEES, &body).by(person).send().await;
        assert_eq!((read.status, written.status), (expected, expected), "{}", person.username);
    }
    let aliased = app.get(&format!("{OWN}/roles/%E9%94%80%E5%94%AE")).by(&team.admin).send().await;
    assert_eq!(aliased.data()["document"]["locale"], "en", "销售 means employee");
    for call in [app.get(&format!("{OWN}/roles/king")), app.put(&format!("{OWN}/roles/king"), &body)] {
        assert_eq!(call.by(&team.admin).send().await.problem(), (404, "ROLE_NOT_FOUND"));
    }
    for call in [app.get(OWN), app.put(OWN, &body), app.get(OF_EMPLOYEES)] {
        assert_eq!(call.send().await.problem(), (401, "UNAUTHORIZED"));
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_violation_of_a_document_is_answered_and_nothing_is_kept(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let me = app.team.employee.clone();
    let body = json!({
        "rules": [
            { "type": "LEAD_EATEN", "mode": "on" },
            { "channel": "in_app", "mode": "off" },
            { "channel": "wecom_app", "mode": "sometimes" },
        ],
        "quiet": { "zone": "Mars", "windows": [{ "days": [], "from": "25:00", "to": "08:00" }] },
        "digest": { "kind": "burst", "minutes": 0 },
        "routes": { "CONTRACT_SIGNED": ["fax"] },
        "locale": "fr",
    });
    let reply = app.put(OWN, &body).by(&me).header("accept-language", "en").send().await;
    assert_eq!(reply.problem(), (422, "VALIDATION_FAILED"));
    let errors = reply.body["error"]["details"]["errors"].as_array().cloned().unwrap_or_default();
    let found: Vec<_> = errors.iter().map(|e| (e["path"].as_str(), e["code"].as_str())).collect();
    let expected = [
        ("rules[0].type", "unknown_code"),
        ("rules[2].mode", "unknown_code"),
        ("quiet.zone", "zone"),
        ("quiet.windows[0].days", "required"),
        ("quiet.windows[0].from", "time_of_day"),
        ("digest.minutes", "out_of_range"),
        ("routes.CONTRACT_SIGNED[0]", "unknown_code"),
        ("locale", "unknown_code"),
    ];
    assert_eq!(found, expected.map(|(path, code)| (Some(path), Some(code))));
    for (body, status, path) in [
        (json!([]), 400, ""),
        (json!({ "rules": "none" }), 400, "rules"),
        (json!({ "colour": "red" }), 400, "colour"),
        (json!({ "rules": [{ "channel": "in_app", "mode": "off" }] }), 422, "rules[0].mode"),
        (json!({ "rules": [{ "mode": "on" }, { "mode": "off" }] }), 422, "rules[1]"),
    ] {
        let reply = app.put(OWN, &body).by(&me).send().await;
        assert_eq!(reply.status, status, "{body}");
        assert_eq!(reply.body["error"]["details"]["errors"][0]["path"], path, "{body}");
    }
    let bad_version = app.put(OWN, &json!({})).by(&me).header("if-match", "1").send().await;
    assert_eq!(bad_version.problem(), (400, "INVALID_HEADER"));
    assert_eq!(app.get(OWN).by(&me).send().await.version(), 0);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_is_written_in_the_language_its_reader_chose(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let reply = app.put(OWN, &json!({ "locale": "en" })).by(&team.employee).send().await;
    assert_eq!(reply.status, 200);
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.lead_of(&team.manager, &team.colleague, 2).await;
    app.settle().await;
    assert_eq!(app.inbox(&team.employee).await[0]["title"], "Customer assigned");
    assert_eq!(app.inbox(&team.colleague).await[0]["title"], "客户分配通知");
    app.finish().await;
}
