//! A machine that reads for a member of staff sees what that person sees, and nothing without a token that is good for it
//! (fault A-14).

use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Reply, Setup, TestApp, Wechat, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::{Row, Standing, row};

const LIST: &str = "/api/miniprogram/customers/baobei/list";
const DETAIL: &str = "/api/miniprogram/customers/baobei/detail";

/// A service token with this scope.
async fn token(app: &TestApp, scope: &str) -> String {
    let body = json!({ "name": "mini program", "scopes": [scope] });
    let made = app.post("/api/service-tokens", &body).by(&app.team.admin).send().await;
    made.data()["token"].as_str().expect("a token").to_owned()
}

async fn set_phone(app: &TestApp, person: &Person, phone: &str) {
    let path = format!("/api/users/{}", person.id);
    let set = app.patch(&path, &json!({ "phone": phone })).by(&app.team.admin).send().await;
    assert_eq!(set.status, 200, "{set:?}");
    app.settle().await;
}

/// What a machine reads.
async fn read(app: &TestApp, token: &str, path: &str) -> Reply {
    app.get(path).header("x-service-secret", token).send().await
}

fn entry<'a>(list: &'a Value, row: &Row) -> Option<&'a Value> {
    list["customers"].as_array().expect("rows").iter().find(|shown| shown["id"] == row.id.as_str())
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_sees_what_the_person_sees_for_whom_it_acts(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await;
    let team = app.team.clone();
    let token = token(&app, "customers:read").await;
    for (n, person) in team.of_every_role().into_iter().enumerate() {
        let number = phone(900 + n);
        set_phone(&app, person, &number).await;
        let mut rows = Vec::new();
        for standing in Standing::ALL {
            rows.push(row(&app, person, standing, n * Standing::ALL.len() + rows.len()).await);
        }
        app.settle().await;
        let own = app.get("/api/customers/baobei/list?limit=100").by(person).send().await;
        let listed = read(&app, &token, &format!("{LIST}?limit=100&phone={number}")).await;
        assert_eq!((listed.status, listed.data()), (200, own.data()), "{}", person.username);
        for row in &rows {
            let own = app.get(&format!("/api/customers/{}", row.id)).by(person).send().await;
            let shown = read(&app, &token, &format!("{DETAIL}?id={}&phone={number}", row.id)).await;
            let what = format!("{} {:?}: {shown:?}", person.username, row.standing);
            assert_eq!(shown.status, own.status, "{what}");
            if shown.status != 200 {
                assert_eq!(shown.problem(), (404, "CUSTOMER_NOT_FOUND"), "{what}");
                continue;
            }
            assert_eq!(shown.data()["phone"], own.data()["phone"], "{what}");
            if let Some(entry) = entry(listed.data(), row) {
                assert_eq!(shown.data(), entry, "{what}");
            }
        }
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_shown_without_the_right_token_and_one_active_person(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await;
    let team = app.team.clone();
    let [good, other] = [token(&app, "customers:read").await, token(&app, "intake:write").await];
    let lead = app.own_lead(&team.employee, 1).await;
    let number = phone(900);
    set_phone(&app, &team.employee, &number).await;
    let paths = [format!("{LIST}?phone={number}"), format!("{DETAIL}?id={lead}&phone={number}")];
    for path in &paths {
        assert_eq!(read(&app, &good, path).await.status, 200, "{path}");
        assert_eq!(app.get(path).token(&good).send().await.status, 200, "{path}: as a bearer token");
        assert_eq!(app.get(path).send().await.problem(), (401, "UNAUTHORIZED"), "{path}");
        for bad in ["", "lw_wrong", "shared secret", team.admin.token.as_str()] {
            assert_eq!(read(&app, bad, path).await.problem(), (401, "UNAUTHORIZED"), "{path} {bad}");
        }
        for refused in [
            read(&app, &other, path).await,
            app.get(path).token(&other).send().await,
            app.get(path).by(&team.admin).send().await,
        ] {
            assert_eq!(refused.problem(), (403, "INSUFFICIENT_SCOPE"), "{path}");
        }
    }
    for (path, status, code) in [
        (LIST.to_owned(), 400, "VALIDATION_FAILED"),
        (format!("{LIST}?phone=123"), 400, "VALIDATION_FAILED"),
        (format!("{LIST}?phone={}", phone(901)), 404, "USER_NOT_FOUND"),
        (format!("{DETAIL}?id={lead}"), 400, "VALIDATION_FAILED"),
        (format!("{DETAIL}?phone={number}"), 400, "VALIDATION_FAILED"),
        (format!("{DETAIL}?id=7&phone={number}"), 400, "VALIDATION_FAILED"),
        (format!("{DETAIL}?id={lead}&phone={}", phone(901)), 404, "USER_NOT_FOUND"),
    ] {
        assert_eq!(read(&app, &good, &path).await.problem(), (status, code), "{path}");
    }
    // Who is cut off has nobody act for them, and neither has a phone that two people have.
    app.suspend(&team.employee).await;
    app.settle().await;
    for path in &paths {
        assert_eq!(read(&app, &good, path).await.problem(), (404, "USER_NOT_FOUND"), "{path}");
    }
    app.activate(&team.employee).await;
    set_phone(&app, &team.colleague, &number).await;
    for path in &paths {
        assert_eq!(read(&app, &good, path).await.problem(), (404, "USER_NOT_FOUND"), "{path}");
    }
    app.finish().await;
}
