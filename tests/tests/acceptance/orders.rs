//! Another system orders notices (http-api.md section 4): one fact, and from there on everything is as for our own facts.

use domain::notification::Channel::WecomApp;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Setup, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const PATH: &str = "/api/notifications";
const NOBODY: &str = "0190a1b2-0000-7000-8000-000000000000";

/// A service where contracts are told through WeCom.
async fn start(on: Backend) -> TestApp {
    let mut setup = Setup::through(&[WecomApp]);
    setup.more.push(("LEADWIRE_ROUTES__CONTRACT_SIGNED", "wecom_app".to_owned()));
    TestApp::start_with(on, setup).await
}

/// A service token with this scope.
async fn token(app: &TestApp, scope: &str) -> String {
    let body = json!({ "name": "contracts", "scopes": [scope] });
    let made = app.post("/api/service-tokens", &body).by(&app.team.admin).send().await;
    made.data()["token"].as_str().expect("a token").to_owned()
}

fn signed(recipients: &[&str]) -> Value {
    let variables = json!({ "customerName": "王女士", "contractNumber": "HT20260115001", "contractId": "7" });
    json!({ "type": "CONTRACT_SIGNED", "recipients": recipients, "variables": variables })
}

/// Channel, decision and reason of a person, in the order of the channels.
fn decided(decisions: &Value, person: &Person) -> Vec<(String, String, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let mine = decisions.as_array().expect("decisions").iter();
    let mine = mine.filter(|one| one["recipientId"] == json!(person.id));
    let mut mine: Vec<_> =
        mine.map(|one| (text(one, "channel"), text(one, "decision"), text(one, "reason"))).collect();
    mine.sort();
    mine
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_notice_goes_the_ways_of_its_type_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let machine = token(&app, "notifications:request").await;
    let off = json!({ "rules": [{ "type": "CONTRACT_SIGNED", "channel": "wecom_app", "mode": "off" }] });
    let set = app.put("/api/notifications/preferences", &off).by(&team.manager).send().await;
    assert_eq!(set.status, 200, "{set:?}");
    app.suspend(&team.colleague).await;
    app.settle().await;
    let [employee, manager, colleague] =
        [&team.employee, &team.manager, &team.colleague].map(|person| person.id.to_string());
    let order = signed(&[&employee, &manager, &colleague, NOBODY]);
    let ask = |body: &Value| app.post(PATH, body).token(&machine).key("contract-7").send();
    let first = ask(&order).await;
    assert_eq!(first.status, 201, "{first:?}");
    let told = first.data()["notifications"].as_array().expect("notices").clone();
    assert_eq!(
        told.iter().map(|one| one["recipient"].clone()).collect::<Vec<_>>(),
        [json!(employee), json!(manager)]
    );
    let refused: Vec<_> = first.data()["refused"].as_array().expect("refused").clone();
    let codes: Vec<_> = refused.iter().map(|one| (&one["recipient"], &one["code"])).collect();
    assert_eq!(
        codes,
        [(&json!(colleague), &json!("STAFF_INACTIVE")), (&json!(NOBODY), &json!("STAFF_NOT_FOUND"))]
    );
    app.settle().await;

    // Everybody has the very notice that was promised, in the published words.
    for (one, person) in told.iter().zip([&team.employee, &team.manager]) {
        let path = format!("{PATH}/{}", one["_id"].as_str().expect("an id"));
        let notice = app.get(&path).by(person).send().await;
        let notice = notice.data();
        assert_eq!(notice["content"], "客户 王女士 的合同已签署完成，合同编号：HT20260115001");
        assert_eq!(
            (&notice["actionUrl"], &notice["data"]["contractId"]),
            (&json!("/contracts/7"), &json!("7"))
        );
        assert_eq!(notice["createdBy"], Value::Null);
    }
    assert_eq!(app.received(&team.employee, WecomApp).len(), 1);
    assert_eq!(app.received(&team.manager, WecomApp).len(), 0);

    // Each channel has a decision, and the wish of the person is in it.
    let event = first.data()["eventId"].as_str().expect("an event");
    let decisions = app.get(&format!("{PATH}/decisions?eventId={event}")).by(&team.admin).send().await;
    let not_routed = |channel: &str| (channel.to_owned(), "suppress".to_owned(), "not_routed".to_owned());
    let rows = |decision: &str, reason: &str| {
        let deliver = ("in_app".to_owned(), "deliver".to_owned(), String::new());
        let wecom = ("wecom_app".to_owned(), decision.to_owned(), reason.to_owned());
        let [cloud, official, subscribe] =
            ["wechat_cloud", "wechat_official", "wechat_subscribe"].map(not_routed);
        vec![deliver, cloud, official, subscribe, wecom, not_routed("wecom_robot")]
    };
    assert_eq!(decided(decisions.data(), &team.employee), rows("deliver", ""));
    let wish = "preference_off:CONTRACT_SIGNED×wecom_app";
    assert_eq!(decided(decisions.data(), &team.manager), rows("suppress", wish));

    // The same key: the same answer, and nobody hears of it again. Another order under it is refused.
    let again = ask(&order).await;
    assert_eq!((again.status, again.is_replay(), again.data()), (201, true, first.data()));
    let other = ask(&signed(&[&employee])).await;
    assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    app.settle().await;
    assert_eq!(app.received(&team.employee, WecomApp).len(), 1);
    app.is_reconciled().await;
    app.activate(&team.colleague).await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_words_are_told_as_they_are_but_for_phones(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let machine = token(&app, "notifications:request").await;
    let order = json!({
        "type": "CONTRACT_EXPIRING_SOON",
        "recipients": [team.employee.id, team.employee.id],
        "title": "合同即将到期",
        "content": "王女士（13812348999）的合同还有30天到期",
        "priority": "LOW",
        "actionUrl": "/contracts/7",
        "data": { "days": 30, "phone": "13812348999" },
    });
    let placed = app.post(PATH, &order).header("x-service-secret", &machine).send().await;
    assert_eq!(placed.status, 201, "{placed:?}");
    assert_eq!(placed.data()["notifications"].as_array().map(Vec::len), Some(1), "each person once");
    app.settle().await;
    let notice = app.inbox(&team.employee).await.remove(0);
    assert_eq!(notice["content"], "王女士（138****8999）的合同还有30天到期");
    assert_eq!(
        (&notice["title"], &notice["priority"], &notice["actionUrl"], &notice["actionText"]),
        (&json!("合同即将到期"), &json!("LOW"), &json!("/contracts/7"), &json!("查看详情"))
    );
    assert_eq!(notice["data"], json!({ "days": 30, "phone": "138****8999" }));
    // Nowhere in the log either.
    let ordered = app.events_named("NoticeOrdered", 0).await;
    assert_eq!(ordered.len(), 1);
    assert!(!ordered[0].payload.to_string().contains("13812348999"));
    app.is_reconciled().await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_without_the_right_token_and_a_good_order(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    let [machine, other] = [token(&app, "notifications:request").await, token(&app, "queue:process").await];
    app.suspend(&team.colleague).await;
    app.settle().await;
    let before = app.head().await;
    let order = signed(&[&team.employee.id.to_string()]);
    let bare = app.post(PATH, &order).send().await;
    assert_eq!(bare.problem(), (401, "UNAUTHORIZED"));
    assert_eq!(app.post(PATH, &order).token("lw_wrong").send().await.problem(), (401, "UNAUTHORIZED"));
    let scope = app.post(PATH, &order).token(&other).send().await;
    assert_eq!(scope.problem(), (403, "INSUFFICIENT_SCOPE"));
    assert_eq!(scope.body["error"]["details"]["scope"], "notifications:request");
    for person in team.of_every_role() {
        let person = app.post(PATH, &order).by(person).send().await;
        assert_eq!(person.problem(), (403, "INSUFFICIENT_SCOPE"), "a person tells nobody in a system's name");
    }
    let colleague = team.colleague.id.to_string();
    let nobody = app.post(PATH, &signed(&[&colleague, NOBODY])).token(&machine).send().await;
    assert_eq!(nobody.problem(), (422, "NOBODY_TO_TELL"));
    let refused = nobody.body["error"]["details"]["refused"].clone();
    assert_eq!(
        (&refused[0]["error"], &refused[1]["code"]),
        (&json!("员工账号已停用"), &json!("STAFF_NOT_FOUND"))
    );
    let mut ours = order.clone();
    ours["type"] = json!("CUSTOMER_ASSIGNED");
    for (body, status, path) in [
        (json!({}), 422, "type"),
        (ours, 422, "type"),
        (json!({ "type": "RESUME_CREATED", "recipients": ["7"] }), 422, "recipients[0]"),
        (json!({ "type": "RESUME_CREATED", "recipients": [NOBODY], "variables": {} }), 400, "variables"),
    ] {
        let reply = app.post(PATH, &body).token(&machine).send().await;
        assert_eq!(reply.problem(), (status, "VALIDATION_FAILED"), "{body}");
        let errors = reply.body["error"]["details"]["errors"].as_array().expect("errors").clone();
        assert!(errors.iter().any(|error| error["path"] == path), "{body}: {errors:?}");
    }
    let version = app.post(PATH, &order).token(&machine).if_match(1).send().await;
    assert_eq!(version.problem(), (400, "INVALID_HEADER"));
    assert_eq!(app.head().await, before, "nothing was written");
    assert_eq!(app.get(PATH).token(&machine).send().await.status, 401, "who may order notices reads none");
    app.activate(&team.colleague).await;
    app.finish().await;
}
