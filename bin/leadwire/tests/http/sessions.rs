//! Logging in, and staying in.

use domain::staff::Role;
use serde_json::json;

use crate::kit::{PASSWORD, Service};

#[tokio::test]
async fn a_person_logs_in_and_is_known() {
    let (service, [manager]) = Service::with([Role::Manager]).await;
    service.set_password(&manager).await;
    let body = json!({ "username": " Manager1 ", "password": PASSWORD, "openid": "ignored" });
    let reply = service.post("/api/auth/login", &body).send().await;
    let token = reply.data()["access_token"].as_str().unwrap().to_owned();
    let user = &reply.data()["user"];
    assert_eq!(user["username"], "manager1");
    assert_eq!(user["role"], "manager");
    assert_eq!(user["id"], manager.id.to_string());

    let me = service.get("/api/auth/me").header("authorization", &format!("bearer {token}")).send().await;
    assert_eq!(me.data(), user);
    service.stop().await;
}

#[tokio::test]
async fn wrong_passwords_and_unknown_people_look_the_same_and_are_counted() {
    let (service, [manager]) = Service::with([Role::Manager]).await;
    service.set_password(&manager).await;
    for username in ["manager1", "nobody"] {
        let body = json!({ "username": username, "password": "wrong password" });
        for _ in 0..5 {
            let reply = service.post("/api/auth/login", &body).send().await;
            assert_eq!(reply.problem(), (401, "INVALID_CREDENTIALS"));
            assert_eq!(reply.body["message"], "用户名或密码错误");
        }
        let reply = service.post("/api/auth/login", &body).send().await;
        assert_eq!(reply.problem(), (429, "TOO_MANY_REQUESTS"));
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 60);
    }
    let right = json!({ "username": "manager1", "password": PASSWORD });
    assert_eq!(service.post("/api/auth/login", &right).send().await.status, 429, "even the right one waits");
    service.stop().await;
}

#[tokio::test]
async fn a_suspension_counts_at_once() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    service.set_password(&employee).await;
    assert_eq!(service.get("/api/auth/me").by(&employee).send().await.status, 200);
    service.suspend(&employee).await;
    let reply = service.get("/api/auth/me").by(&employee).send().await;
    assert_eq!(reply.problem(), (401, "ACCOUNT_SUSPENDED"));
    assert_eq!(reply.body["message"], "账号已被暂停，无法访问系统");
    let right = json!({ "username": "employee1", "password": PASSWORD });
    assert_eq!(service.post("/api/auth/login", &right).send().await.problem(), (401, "ACCOUNT_SUSPENDED"));
    let wrong = json!({ "username": "employee1", "password": "wrong password" });
    assert_eq!(service.post("/api/auth/login", &wrong).send().await.problem(), (401, "INVALID_CREDENTIALS"));
    service.stop().await;
}

#[tokio::test]
async fn bad_log_ins_are_named_field_by_field() {
    let service = Service::start().await;
    for (body, status, code) in [
        (json!({}), 422, "VALIDATION_FAILED"),
        (json!({ "username": "a b", "password": "x" }), 422, "VALIDATION_FAILED"),
        (json!({ "username": 1, "password": [] }), 400, "VALIDATION_FAILED"),
        (json!({ "username": "a", "password": "x", "extra": 1 }), 400, "VALIDATION_FAILED"),
        (json!([]), 400, "VALIDATION_FAILED"),
    ] {
        let reply = service.post("/api/auth/login", &body).send().await;
        assert_eq!(reply.problem(), (status, code), "{body}");
        assert!(!reply.body["error"]["details"]["errors"].as_array().unwrap().is_empty());
    }
    service.stop().await;
}

#[tokio::test]
async fn a_log_out_ends_every_token_of_the_session_and_no_other() {
    let (service, [manager]) = Service::with([Role::Manager]).await;
    service.set_password(&manager).await;
    let [first, second] =
        [service.log_in("manager1", PASSWORD).await, service.log_in("manager1", PASSWORD).await];
    let refreshed = service.post("/api/auth/refresh", &json!({})).by(&first).send().await;
    let later = first.with_token(refreshed.data()["access_token"].as_str().unwrap());
    assert_ne!(later.token, first.token);
    assert_eq!(refreshed.data()["user"]["username"], "manager1");
    for person in [&first, &later] {
        assert_eq!(service.get("/api/auth/me").by(person).send().await.status, 200, "a moment of grace");
    }
    assert_eq!(service.post("/api/auth/logout", &json!({})).by(&later).send().await.status, 200);
    for person in [&first, &later] {
        let reply = service.get("/api/auth/me").by(person).send().await;
        assert_eq!(reply.problem(), (401, "SESSION_ENDED"));
        let reply = service.post("/api/auth/refresh", &json!({})).by(person).send().await;
        assert_eq!(reply.problem(), (401, "SESSION_ENDED"));
    }
    assert_eq!(service.get("/api/auth/session").by(&second).send().await.data()["valid"], true);
    // A token without a log-in behind it is a session of its own.
    assert_eq!(service.post("/api/auth/logout", &json!({})).by(&manager).send().await.status, 200);
    assert_eq!(service.get("/api/auth/me").by(&manager).send().await.problem(), (401, "SESSION_ENDED"));
    assert_eq!(service.get("/api/auth/me").by(&second).send().await.status, 200);
    service.stop().await;
}
