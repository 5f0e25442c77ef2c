//! Logging in, and tokens that are not good.

use domain::StaffId;
use leadwire::auth::Tokens;
use reqwest::Method;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::json;
use tests::kit::{PASSWORD, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use crate::bad_input::{COMMANDS, UNKNOWN};

/// `{"alg":"none","typ":"JWT"}` as the first part of a token.
const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_good_opens_nothing(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let admin = &team.admin;
    let issue =
        |tokens: &Tokens, at| tokens.issue(admin.id, &admin.username, admin.role, at).expect("a token");
    let ours = &app.app().auth.tokens;
    let theirs = Tokens::new(
        &SecretString::from("another secret, just as long as ours"),
        std::time::Duration::from_hours(1),
    );
    let expired = issue(ours, app.now() - chrono::TimeDelta::days(2));
    let forged = issue(&theirs, app.now());
    let claims = admin.token.split('.').nth(1).unwrap_or_default();
    let unsigned = format!("{UNSIGNED}.{claims}.");
    let unsigned_but_dressed =
        format!("{UNSIGNED}.{claims}.{}", admin.token.rsplit('.').next().unwrap_or_default());
    let stranger = StaffId(app.app().ids.next());
    let stranger = ours.issue(stranger, "nobody", domain::staff::Role::Admin, app.now()).expect("a token");
    app.suspend(&team.colleague).await;
    let routes = [("GET", "/api/auth/me"), ("GET", "/api/customers"), ("GET", "/api/notifications")];
    let commands = COMMANDS.into_iter().filter(|(_, path)| *path != "/api/auth/login");
    for (method, path) in routes.into_iter().chain(commands) {
        let path = path.replace("{id}", UNKNOWN);
        let call = || app.call(method.parse::<Method>().expect("a method"), &path);
        let bare = call().send().await;
        assert_eq!((bare.problem(), bare.message()), ((401, "UNAUTHORIZED"), "请先登录"), "{method} {path}");
        assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
        for (token, code, text) in [
            (&*expired, "TOKEN_EXPIRED", "登录已过期，请重新登录"),
            (&*forged, "UNAUTHORIZED", "请先登录"),
            (&*unsigned, "UNAUTHORIZED", "请先登录"),
            (&*unsigned_but_dressed, "UNAUTHORIZED", "请先登录"),
            (&*stranger, "UNAUTHORIZED", "请先登录"),
            ("", "UNAUTHORIZED", "请先登录"),
            ("a.b.c", "UNAUTHORIZED", "请先登录"),
            (&*"x".repeat(6000), "UNAUTHORIZED", "请先登录"),
            (&*team.colleague.token, "ACCOUNT_SUSPENDED", "账号已被暂停，无法访问系统"),
        ] {
            let reply = call().token(token).send().await;
            assert_eq!((reply.problem(), reply.message()), ((401, code), text), "{method} {path}");
        }
        let basic = call().header("authorization", "Basic YWRtaW46YWRtaW4=").send().await;
        assert_eq!(basic.problem(), (401, "UNAUTHORIZED"));
    }
    app.activate(&team.colleague).await;
    assert_eq!(app.get("/api/auth/me").by(&team.colleague).send().await.status, 200);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_opens_what_a_token_opens(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let credentials = &app.app().auth.credentials;
    credentials
        .set_password(team.manager.id, &SecretString::from(PASSWORD), app.now())
        .await
        .expect("a password");
    let login = async |username: &str, password: &str| {
        app.post("/api/auth/login", &json!({ "username": username, "password": password })).send().await
    };
    let session = login(" Manager ", PASSWORD).await;
    assert_eq!(session.message(), "登录成功");
    let user = &session.data()["user"];
    assert_eq!(
        (&user["id"], &user["role"], &user["name"]),
        (&json!(team.manager.id), &json!("manager"), &json!("钱伟"))
    );
    let token = session.data()["access_token"].as_str().unwrap_or_default();
    assert_eq!(app.get("/api/auth/me").token(token).send().await.data(), user);
    assert!(!session.body.to_string().contains(PASSWORD));
    for (username, password) in
        [("manager", "wrong password"), ("nobody-at-all", PASSWORD), ("admin", PASSWORD)]
    {
        let refused = login(username, password).await;
        assert_eq!(
            (refused.problem(), refused.message()),
            ((401, "INVALID_CREDENTIALS"), "用户名或密码错误")
        );
    }
    app.suspend(&team.manager).await;
    assert_eq!(login("manager", PASSWORD).await.problem(), (401, "ACCOUNT_SUSPENDED"));
    let mut last = login("manager", "wrong password").await;
    for _ in 0..5 {
        last = login("manager", "wrong password").await;
    }
    assert_eq!(last.problem(), (429, "TOO_MANY_REQUESTS"));
    assert!(last.header("retry-after").and_then(|seconds| seconds.parse::<u64>().ok()) > Some(0));
    app.finish().await;
}
