//! The words of notices: drafted, looked at, published, rolled back. Every notice pins the words its reader saw.

use domain::StreamId;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::TestApp;
use tests::kit::log::types;
use tests::scratch::Backend::{self, Postgres, Sqlite};

const LIST: &str = "/api/notifications/templates";
const ASSIGNED: &str = "/api/notifications/templates/ASSIGNED";

fn path(action: &str) -> String {
    format!("{ASSIGNED}/{action}")
}

fn wording(title: &str) -> Value {
    json!({
        "zh-CN": { "title": title, "content": "{{customerName}} 归您，{{phone}}", "actionText": "去看看" },
        "en": { "title": "It is yours", "content": "{{customerName}} is yours", "actionText": "Look" },
    })
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_words_are_what_people_read_until_they_are_rolled_back(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let (admin, manager, me) = (app.team.admin.clone(), app.team.manager.clone(), app.team.employee.clone());
    let listed = app.get(LIST).by(&admin).send().await;
    let row = |reply: &Value| {
        let rows = reply.as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["key"] == "ASSIGNED").expect("the template")
    };
    let built_in = json!({
        "key": "ASSIGNED", "type": "CUSTOMER_ASSIGNED", "title": "客户分配通知", "priority": "HIGH",
        "version": 1, "builtIn": true, "hasDraft": false,
    });
    assert_eq!(row(listed.data()), built_in);

    let drafted = app.put(ASSIGNED, &wording("新客户")).by(&admin).if_match(0).send().await;
    assert_eq!((drafted.status, drafted.version()), (200, 1), "{drafted:?}");
    assert_eq!(drafted.data()["draft"]["problems"], json!([]));
    assert_eq!(drafted.data()["current"]["zh-CN"]["title"], "客户分配通知", "nobody reads a draft");
    app.lead_of(&manager, &me, 1).await;
    let published = app.post(&path("publish"), &json!({})).by(&admin).if_match(1).send().await;
    assert_eq!((published.status, published.data()["version"].as_i64()), (200, Some(1001)));
    app.lead_of(&manager, &me, 2).await;
    let rolled_back = app.post(&path("roll-back"), &json!({ "version": 1 })).by(&admin).send().await;
    assert_eq!((rolled_back.status, &rolled_back.data()["builtIn"]), (200, &json!(true)));
    app.lead_of(&manager, &me, 3).await;
    let again = app.post(&path("roll-back"), &json!({ "version": 1001 })).by(&admin).send().await;
    assert_eq!((again.status, again.data()["version"].as_i64()), (200, Some(1001)));
    app.lead_of(&manager, &me, 4).await;
    app.settle().await;

    let inbox = app.inbox(&me).await;
    let titles: Vec<_> = inbox.iter().rev().filter_map(|notice| notice["title"].as_str()).collect();
    assert_eq!(titles, ["客户分配通知", "新客户", "客户分配通知", "新客户"]);
    assert_eq!(inbox[0]["content"], "客户4 归您，138****0004");
    let mut versions = Vec::new();
    for event in app.events_named("NotificationRequested", 0).await {
        let request = &event.payload;
        if request["recipient"] == json!(me.id) {
            assert_eq!(request["template"], "ASSIGNED");
            versions.push(request["template_version"].as_i64().unwrap_or_default());
        }
    }
    assert_eq!(versions, [1, 1001, 1, 1001], "every notice pins its words");
    let history = app.events(&StreamId::template("ASSIGNED")).await;
    let expected = ["TemplateDrafted", "TemplatePublished", "TemplateRolledBack", "TemplateRolledBack"];
    assert_eq!(types(&history), expected);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_that_would_fail_later_are_not_published(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let admin = app.team.admin.clone();
    let mut words = wording("{{newOwner}} 接手");
    words["en"]["content"] = json!("x".repeat(513));
    let drafted = app.put(ASSIGNED, &words).by(&admin).send().await;
    assert_eq!(drafted.status, 200, "a draft may be unfinished");
    let problems = drafted.data()["draft"]["problems"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> = problems.iter().map(|p| (p["path"].as_str(), p["code"].as_str())).collect();
    assert_eq!(told, [(Some("zh-CN.title"), Some("unknown_variable"))]);
    let refused = app.post(&path("publish"), &json!({})).by(&admin).send().await;
    assert_eq!(refused.problem(), (422, "VALIDATION_FAILED"));
    assert!(refused.message().contains("newOwner"), "names the variable: {}", refused.message());
    words["zh-CN"]["title"] = json!("接手");
    app.put(ASSIGNED, &words).by(&admin).send().await;
    let refused = app.post(&path("publish"), &json!({})).by(&admin).send().await;
    let error = &refused.body["error"]["details"]["errors"][0];
    assert_eq!((&error["path"], &error["code"]), (&json!("en.content"), &json!("too_long_for_channel")));
    assert!(refused.message().contains("wecom_app"), "names the channel: {}", refused.message());
    let shown = app.get(ASSIGNED).by(&admin).send().await;
    assert_eq!((shown.data()["builtIn"].as_bool(), shown.version()), (Some(true), 2));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_shows_real_data_in_either_language(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let (admin, manager, me) = (app.team.admin.clone(), app.team.manager.clone(), app.team.employee.clone());
    let lead = app.lead_of(&manager, &me, 7).await;
    app.settle().await;
    let assigned = app.history(&lead).await.into_iter().find(|event| event.event_type == "CustomerAssigned");
    let event = assigned.expect("the assignment").event_id;
    // The lead has another name by now; the preview shows the one of the event.
    let renamed = app.patch(&format!("/api/customers/{lead}"), &json!({ "name": "改名" }));
    assert_eq!(renamed.by(&admin).send().await.status, 200);
    app.put(ASSIGNED, &wording("新客户")).by(&admin).send().await;

    let preview = async |body: Value| app.post(&path("preview"), &body).by(&admin).send().await;
    let real = preview(json!({ "eventId": event })).await;
    let expected = json!({
        "version": null, "locale": "zh-CN", "title": "新客户", "content": "客户7 归您，138****0007",
        "actionText": "去看看", "actionUrl": format!("/customers/{lead}"),
    });
    assert_eq!(real.data(), &expected);
    let english = preview(json!({ "eventId": event, "locale": "en" })).await;
    assert_eq!(english.data()["content"], "客户7 is yours");
    let built_in = preview(json!({ "eventId": event, "version": 1 })).await;
    assert_eq!((&built_in.data()["version"], &built_in.data()["title"]), (&json!(1), &json!("客户分配通知")));
    let sample = preview(json!({ "variables": { "customerName": "赵先生" } })).await;
    assert_eq!(sample.data()["content"], "赵先生 归您，138****8999");
    let bare = app.call(reqwest::Method::POST, &path("preview")).by(&admin).send().await;
    assert_eq!(bare.data()["content"], "王女士 归您，138****8999");

    let unknown = json!({ "eventId": "0190a1b2-0000-7000-8000-000000000000" });
    assert_eq!(preview(unknown).await.problem(), (404, "EVENT_NOT_FOUND"));
    let elsewhere = app.post(&format!("{LIST}/RECLAIMED/preview"), &json!({ "eventId": event }));
    assert_eq!(elsewhere.by(&admin).send().await.problem(), (422, "EVENT_NOT_TOLD"));
    assert_eq!(preview(json!({ "version": 1001 })).await.problem(), (404, "TEMPLATE_VERSION_NOT_FOUND"));
    app.put(ASSIGNED, &wording("{{nobody}}")).by(&admin).send().await;
    assert_eq!(preview(json!({})).await.problem(), (422, "VALIDATION_FAILED"));
    assert_eq!(preview(json!({ "eventId": event })).await.problem(), (422, "VALIDATION_FAILED"));
    // Nothing was written, and nobody was told again.
    app.settle().await;
    assert_eq!(app.inbox(&me).await.len(), 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_are_for_administrators_and_every_bad_request_is_told(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let none = json!({});
    for person in team.of_every_role().into_iter().filter(|person| person.username != "admin") {
        for call in [
            app.get(LIST),
            app.get(ASSIGNED),
            app.put(ASSIGNED, &wording("x")),
            app.post(&path("preview"), &none),
            app.post(&path("publish"), &none),
            app.post(&path("roll-back"), &json!({ "version": 1 })),
        ] {
            assert_eq!(call.by(person).send().await.problem(), (403, "FORBIDDEN"), "{}", person.username);
        }
    }
    let admin = &team.admin;
    let unknown = app.get(&format!("{LIST}/NOTHING")).by(admin).send().await;
    assert_eq!(unknown.problem(), (404, "TEMPLATE_NOT_FOUND"));
    assert_eq!(app.post(&path("publish"), &none).by(admin).send().await.problem(), (409, "NO_DRAFT"));
    let version = app.post(&path("roll-back"), &json!({ "version": 1001 })).by(admin).send().await;
    assert_eq!(version.problem(), (404, "TEMPLATE_VERSION_NOT_FOUND"));
    let mut blank = wording(" ");
    blank["fr"] = json!({});
    let blank = app.put(ASSIGNED, &blank).by(admin).send().await;
    assert_eq!(blank.problem(), (400, "VALIDATION_FAILED"));
    let errors = blank.body["error"]["details"]["errors"].as_array().cloned().unwrap_or_default();
    let paths: Vec<_> = errors.iter().filter_map(|error| error["path"].as_str()).collect();
    assert_eq!(paths, ["zh-CN.title", "fr"]);
    for (action, body, path_) in [
        ("roll-back", json!({}), "version"),
        ("roll-back", json!({ "version": "x" }), "version"),
        ("publish", json!({ "now": true }), "now"),
        ("preview", json!({ "locale": "fr" }), "locale"),
        ("preview", json!({ "variables": { "colour": "red" } }), "variables.colour"),
    ] {
        let reply = app.post(&path(action), &body).by(admin).send().await;
        assert!(matches!(reply.status, 400 | 422), "{action}: {reply:?}");
        assert_eq!(reply.body["error"]["details"]["errors"][0]["path"], path_, "{action}");
    }
    let drafted = app.put(ASSIGNED, &wording("x")).by(admin).key("d1").send().await;
    assert_eq!((drafted.status, drafted.version()), (200, 1));
    let again = app.put(ASSIGNED, &wording("x")).by(admin).key("d1").send().await;
    assert_eq!((again.version(), again.is_replay()), (1, true));
    let stale = app.post(&path("publish"), &none).by(admin).if_match(0).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    app.finish().await;
}
