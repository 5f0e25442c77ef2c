//! The settings: who may see and change them, what they refuse, and the test message.

use chrono::TimeDelta;
use domain::notification::{Channel, DeliveryState};
use rstest::rstest;
use serde_json::json;
use tests::kit::{Setup, TestApp, eventually, lines};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_WECOM_SECRET, Endpoint};

use super::{CONFIG, cards, messages, people, registers, set, start, states, titles};

/// Nobody asks for a token again within a minute of a refusal of the secret.
const AFTER_REFUSED_SECRET: TimeDelta = TimeDelta::seconds(61);

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn administrators_set_them_and_no_secret_is_taken_or_shown(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let shown = app.get(CONFIG).by(&app.team.admin).send().await;
    let data = shown.data();
    assert_eq!(data["notification_recipients"], "", "nobody by default, and never everybody");
    assert_eq!((&data["has_secret"], &data["message_type"]), (&json!(true), &json!("textcard")));
    assert_eq!(data["member_notification_enabled"], true);

    let mut back = data.clone();
    back["notification_recipients"] = json!("ZhangSan|LiSi");
    back["secret"] = json!("");
    let reply = set(&app, &back).await;
    assert_eq!(
        reply.data()["notification_recipients"],
        "ZhangSan|LiSi",
        "the page may send back what it got"
    );
    let posted =
        app.post(CONFIG, &json!({ "notification_recipients": "@all" })).by(&app.team.admin).send().await;
    assert_eq!((posted.status, &posted.data()["notification_recipients"]), (200, &json!("@all")));

    for (body, field) in [
        (json!({ "secret": "hunter2 hunter2" }), "secret"),
        (json!({ "corp_id": "ww-other" }), "corp_id"),
        (json!({ "notification_recipients": "a|@all" }), "notification_recipients"),
        (json!({ "message_type": "image" }), "message_type"),
        (json!({ "custom_message_template": "{{password}}" }), "custom_message_template"),
        (json!({ "custom_message_template": "{{nickname}} {{id_card}}" }), "id_card"),
        (json!({ "digest_from": 5000 }), "digest_from"),
    ] {
        let refused = app.put(CONFIG, &body).by(&app.team.admin).send().await;
        assert_eq!(refused.status, 422, "{body}: {}", refused.body);
        let said = refused.body.to_string();
        assert!(said.contains(field) && !said.contains("hunter2"), "{said}");
    }
    let stale = app.put(CONFIG, &json!({ "digest_from": 5 })).by(&app.team.admin).if_match(1).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    for person in app.team.of_every_role().into_iter().filter(|person| person.id != app.team.admin.id) {
        for refused in [
            app.get(CONFIG).by(person).send().await,
            app.put(CONFIG, &json!({})).by(person).send().await,
            app.post(CONFIG, &json!({})).by(person).send().await,
            app.post("/api/wecom/test-notification", &json!({ "testUser": "a" })).by(person).send().await,
        ] {
            assert_eq!(refused.problem(), (403, "FORBIDDEN"), "{}", person.name);
        }
    }
    let changes = app.events_named("MemberNoticesSet", 0).await;
    assert_eq!(changes.len(), 2, "each change is an event with its actor");
    assert_eq!(changes[0].payload["by"]["id"], json!(app.team.admin.id));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_secret_is_used_from_the_next_token_on_and_stands_nowhere_in_clear(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut setup = Setup::through(&[Channel::WecomApp]);
    setup.more.push(("LEADWIRE_WECOM_APP__SECRET", "a secret that WeCom does not know".to_owned()));
    let app = TestApp::start_with(on, setup).await;
    set(&app, &json!({ "notification_recipients": people(&app) })).await;
    let reply = set(&app, &json!({ "secret": DEMO_WECOM_SECRET })).await;
    assert_eq!(reply.data()["secret_from"], "console");
    // Whoever asks for a token with the configured secret is refused, and nothing would arrive.
    registers(&app, "1").await;
    app.settle().await;
    assert_eq!(titles(&app, &app.team.manager), ["🎉 新会员登记通知"]);

    let everything = format!(
        "{} {:?}",
        app.get(CONFIG).by(&app.team.admin).send().await.body,
        app.events_named("WecomSecretSet", 0).await.iter().map(|e| e.payload.to_string()).collect::<Vec<_>>()
    );
    assert!(everything.contains("sealed") && !everything.contains(DEMO_WECOM_SECRET), "{everything}");
    assert!(!lines::logged().contains(DEMO_WECOM_SECRET));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_refusal_another_secret_sends_what_waited_and_no_attempt_was_used_up(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let mut setup = Setup::through(&[Channel::WecomApp]);
    setup.more.push(("LEADWIRE_WECOM_APP__SECRET", "a secret that WeCom does not know".to_owned()));
    let app = TestApp::start_with(on, setup).await;
    set(&app, &json!({ "notification_recipients": people(&app) })).await;
    registers(&app, "1").await;
    let waiting = eventually("WeCom refuses the secret", async || {
        let waiting = messages(&app).await;
        let refused = app.wechat().calls().of(Endpoint::GetToken).calls > 0;
        (refused && !waiting.is_empty()).then_some(waiting)
    })
    .await;
    assert_eq!((waiting[0].state, waiting[0].attempts), (DeliveryState::Pending, 0));
    assert!(titles(&app, &app.team.manager).is_empty());

    set(&app, &json!({ "secret": DEMO_WECOM_SECRET })).await;
    app.leap(AFTER_REFUSED_SECRET);
    eventually("what waited is sent", async || {
        (states(&app).await == [DeliveryState::Accepted]).then_some(())
    })
    .await;
    app.settle().await;
    assert_eq!(titles(&app, &app.team.manager), ["🎉 新会员登记通知"]);
    assert_eq!(messages(&app).await[0].attempts, 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_message_goes_to_the_one_named_person_through_the_delivery_engine(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let (admin, manager) = (&app.team.admin, &app.team.manager);
    let everybody = json!({ "notification_recipients": "@all", "member_notification_enabled": false, "message_type": "text" });
    set(&app, &everybody).await;
    let path = "/api/wecom/test-notification";
    let body = json!({ "testUser": manager.wecom_user() });
    let sent = app.post(path, &body).by(admin).key("t1").send().await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let again = app.post(path, &body).by(admin).key("t1").send().await;
    assert_eq!(again.data()["notificationId"], sent.data()["notificationId"], "the same wish is one message");
    app.settle().await;
    let got = cards(&app, manager);
    assert!(
        matches!(got.as_slice(), [one] if one.data["content"].starts_with("【测试】🎉 新会员登记通知\n")),
        "{got:?}"
    );
    assert!(cards(&app, &app.team.operator).is_empty(), "nobody else");
    let everybody = app.post(path, &json!({ "testUser": "@all" })).by(admin).send().await;
    assert_eq!(everybody.status, 422);
    app.finish().await;
}
