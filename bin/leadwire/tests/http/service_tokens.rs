//! Tokens of machine callers.

use axum::http::Method;
use chrono::TimeDelta;
use domain::staff::Role;
use serde_json::json;

use crate::kit::{Person, Service};

async fn make(service: &Service, admin: &Person, scopes: &[&str]) -> (String, String) {
    let body = json!({ "name": "intake", "scopes": scopes });
    let made = service.post("/api/service-tokens", &body).by(admin).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |member: &str| made.data()[member].as_str().unwrap().to_owned();
    (text("_id"), text("token"))
}

#[tokio::test]
async fn a_token_is_shown_once_used_and_taken_back() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let (id, token) = make(&service, &admin, &["intake:write", "queue:process"]).await;
    assert!(token.starts_with("lw_"));
    let own = async || {
        let bearer = format!("Bearer {token}");
        service.get("/api/service-tokens/self").header("authorization", &bearer).send().await
    };
    let shown = own().await;
    assert_eq!(shown.data()["scopes"], json!(["intake:write", "queue:process"]));
    assert_eq!((&shown.data()["_id"], &shown.data()["createdBy"]), (&json!(id), &json!(admin.id)));

    let listed = service.get("/api/service-tokens").by(&admin).send().await;
    assert_eq!(listed.data()[0]["_id"], *id);
    assert!(!listed.body.to_string().contains(&token[3..]), "the token is nowhere");

    let path = format!("/api/service-tokens/{id}");
    let revoked = service.call(Method::DELETE, &path).by(&admin).send().await;
    assert!(revoked.data()["revokedAt"].is_string());
    assert_eq!(own().await.problem(), (401, "UNAUTHORIZED"));
    let unknown = "/api/service-tokens/0190a1b2-0000-7000-8000-000000000000";
    let unknown = service.call(Method::DELETE, unknown).by(&admin).send().await;
    assert_eq!(unknown.problem(), (404, "SERVICE_TOKEN_NOT_FOUND"));
    service.stop().await;
}

#[tokio::test]
async fn machines_and_people_do_not_pass_for_each_other() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let (_, token) = make(&service, &admin, &["notifications:request"]).await;
    let machine = admin.with_token(&token);
    for path in ["/api/auth/me", "/api/customers", "/api/users", "/api/service-tokens"] {
        assert_eq!(service.get(path).by(&machine).send().await.problem(), (401, "UNAUTHORIZED"), "{path}");
    }
    let person = service.get("/api/service-tokens/self").by(&admin).send().await;
    assert_eq!(person.problem(), (403, "INSUFFICIENT_SCOPE"));
    service.stop().await;
}

#[tokio::test]
async fn a_token_ends_by_itself_and_bad_orders_are_named() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let past = service.running.app().clock.now() - TimeDelta::hours(1);
    let body = json!({ "name": "old", "scopes": ["intake:write"], "expiresAt": past });
    let made = service.post("/api/service-tokens", &body).by(&admin).send().await;
    let machine = admin.with_token(made.data()["token"].as_str().unwrap());
    let refused = service.get("/api/service-tokens/self").by(&machine).send().await;
    assert_eq!(refused.problem(), (401, "UNAUTHORIZED"));
    for (body, status) in [
        (json!({}), 422),
        (json!({ "name": "x", "scopes": [] }), 422),
        (json!({ "name": "x", "scopes": ["everything"] }), 422),
        (json!({ "name": "x", "scopes": "intake:write" }), 400),
    ] {
        let reply = service.post("/api/service-tokens", &body).by(&admin).send().await;
        assert_eq!(reply.problem(), (status, "VALIDATION_FAILED"), "{body}");
    }
    service.stop().await;
}
