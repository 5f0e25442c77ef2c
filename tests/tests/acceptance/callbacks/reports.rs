//! What the mini program says about its popups, and what people see of their credits (existing-systems.md section 6.4).

use rstest::rstest;
use serde_json::json;
use tests::kit::{Setup, TestApp, Wechat};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{DEMO_APPID, DEMO_TEMPLATE};

use super::{CREDITS, encrypted, told};

const CREDIT: &str = "/api/wechat/subscribe/credit";
const CONFIRM: &str = "/api/wechat/subscribe/confirm";
const SUBSCRIBERS: &str = "/api/wechat/subscribe/subscribers";

async fn without_callbacks(on: Backend) -> TestApp {
    TestApp::start_with(on, Setup { credits: CREDITS, ..Setup::default() }).await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_counts_while_no_callback_tells_of_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = without_callbacks(on).await;
    let person = app.team.employee.clone();
    let accept = json!({ "action": "accept", "templateId": DEMO_TEMPLATE });
    for key in ["a", "a", "b"] {
        let reply = app.post(CONFIRM, &accept).by(&person).key(key).send().await;
        let expected = if key == "a" { CREDITS + 1 } else { CREDITS + 2 };
        assert_eq!(reply.data(), &json!({ "remaining": expected, "totalSubscribed": expected }), "{key}");
    }
    let reply = app.post(CONFIRM, &json!({ "action": "accept", "count": 3 })).by(&person).send().await;
    assert_eq!(reply.data()["remaining"], CREDITS + 5);
    let reply = app.post(CONFIRM, &json!({ "action": "reject" })).by(&person).send().await;
    assert_eq!(reply.data()["remaining"], CREDITS + 5, "a no to a popup takes nothing back");
    let reply = app.post(CONFIRM, &json!({ "action": "ban", "count": 0 })).by(&person).send().await;
    assert_eq!(reply.status, 422, "{reply:?}");
    let reply = app.get(CREDIT).by(&person).send().await;
    let expected = json!({ "bound": true, "openid": person.openid, "remaining": CREDITS + 5,
                           "templateId": DEMO_TEMPLATE, "appid": DEMO_APPID });
    assert_eq!(reply.data(), &expected);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_consent_that_both_tell_of_is_one_credit(#[values(Sqlite, Postgres)] on: Backend) {
    let app = encrypted(on).await;
    let person = app.team.employee.clone();
    app.wechat().popup(DEMO_APPID, &person.openid, DEMO_TEMPLATE, true).unwrap();
    let reply = app.post(CONFIRM, &json!({ "action": "accept" })).by(&person).send().await;
    assert_eq!(reply.status, 200);
    told(&app).await;
    assert_eq!(app.credits(&person).await, (CREDITS + 1, 0));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_sees_who_can_be_told_how_often(#[values(Sqlite, Postgres)] on: Backend) {
    let app = without_callbacks(on).await;
    let team = app.team.clone();
    app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let reply = app.get(SUBSCRIBERS).by(&team.admin).send().await;
    let data = reply.data();
    assert_eq!((&data["total"], &data["appid"]), (&json!(7), &json!(DEMO_APPID)));
    let list = data["list"].as_array().unwrap();
    let employee = list.iter().find(|one| one["userId"] == json!(team.employee.id)).unwrap();
    let told = (&employee["remaining"], &employee["totalSubscribed"], &employee["totalSent"]);
    assert_eq!(told, (&json!(CREDITS - 1), &json!(CREDITS), &json!(1)));
    assert!(employee["lastSubscribedAt"].is_string() && employee["lastSentAt"].is_string());
    assert!(!data.to_string().contains(&team.employee.openid), "nobody needs to read an openid");
    for person in team.everybody() {
        let expected = if person.id == team.admin.id { 200 } else { 403 };
        assert_eq!(app.get(SUBSCRIBERS).by(person).send().await.status, expected, "{}", person.username);
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mini_program_there_is_nothing_to_agree_to(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await;
    let person = app.team.employee.clone();
    let reply = app.get(CREDIT).by(&person).send().await;
    assert_eq!((&reply.data()["bound"], &reply.data()["appid"]), (&json!(false), &json!(null)));
    let reply = app.post(CONFIRM, &json!({ "action": "accept" })).by(&person).send().await;
    assert_eq!(reply.problem(), (503, "WECHAT_NOT_CONFIGURED"));
    let reply = app.get(SUBSCRIBERS).by(&app.team.admin).send().await;
    assert_eq!(reply.data()["total"], 0);
    app.finish().await;
}
