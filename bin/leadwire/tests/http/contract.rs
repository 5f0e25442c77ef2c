//! What holds for every route: shapes, guards, limits, the document.

use std::collections::BTreeSet;

use axum::http::Method;
use domain::staff::Role;
use serde_json::{Value, json};

use crate::kit::{Service, lead};

/// Routes that need no token.
const PUBLIC: &[&str] = &[
    "/api/auth/login",
    "/api/auth/miniprogram-login",
    "/api/customers/enums",
    "/api/customers/website-lead",
    "/api/members/register",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/api/openapi.json",
    "/api/docs",
];

/// Commands that need no body.
const BODILESS: &[&str] = &[
    "/api/notifications/mark-all-read",
    "/api/auth/refresh",
    "/api/auth/logout",
    "/api/wechat/unbind",
    "/api/wecom/process-queue",
    "/api/wecom/manual-check",
    "/api/deliveries/channels/wecom_app/resume",
];

/// Every method and path of the document, with ids filled in.
async fn routes(service: &Service) -> Vec<(Method, String)> {
    let document = service.get("/api/openapi.json").send().await.body;
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase().parse().unwrap();
            routes.push((method, filled(path)));
        }
    }
    assert!(routes.len() >= 19, "{routes:?}");
    routes
}

/// A provider signs what it sends instead of showing a token, in forms of its own; its own tests send it everything.
fn is_callback(path: &str) -> bool {
    path.starts_with("/api/wechat/callback/") || path.starts_with("/api/wecom/callback/")
}

/// A path with something in the place of each parameter.
fn filled(path: &str) -> String {
    let named = path.replace("{customerId}", "CUS00000000042").replace("{phone}", "13812348999");
    let named = named.replace("{name}", "wecom_app");
    let mut parts = named.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    let id = "0190a1b2-0000-7000-8000-000000000000";
    parts.fold(first, |path, part| format!("{path}{id}{}", part.split_once('}').map_or("", |(_, rest)| rest)))
}

#[tokio::test]
async fn every_route_but_the_public_ones_needs_a_good_token() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let app = service.running.app();
    let expired = app.clock.now() - chrono::TimeDelta::days(2);
    let expired = app.auth.tokens.issue(admin.id, "admin1", Role::Admin, expired).unwrap();
    let mut forged = admin.token.clone();
    forged.replace_range(forged.len() - 5..forged.len() - 2, "AAA");
    let stranger = app.auth.tokens.issue(domain::StaffId(app.ids.next()), "x", Role::Admin, app.clock.now());
    for (method, path) in routes(&service).await {
        if PUBLIC.contains(&path.as_str()) || path.starts_with("/ws/") || is_callback(&path) {
            continue;
        }
        let bare = service.call(method.clone(), &path).send().await;
        assert_eq!(bare.problem(), (401, "UNAUTHORIZED"), "{method} {path}");
        assert_eq!(bare.header("www-authenticate"), Some("Bearer"));
        for (token, code) in [
            (expired.as_str(), "TOKEN_EXPIRED"),
            (forged.as_str(), "UNAUTHORIZED"),
            (stranger.as_deref().unwrap(), "UNAUTHORIZED"),
            ("", "UNAUTHORIZED"),
        ] {
            let call =
                service.call(method.clone(), &path).header("authorization", &format!("Bearer {token}"));
            assert_eq!(call.send().await.problem(), (401, code), "{method} {path}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn bad_bodies_never_are_our_fault() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let deep = "[".repeat(10_000);
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("application/json", b"{".to_vec()),
        ("application/json", b"\xff\xfe".to_vec()),
        ("application/json", b"null".to_vec()),
        ("application/json", b"[1,2]".to_vec()),
        ("application/json", b"{\"a\":1e999}".to_vec()),
        ("application/json", b"{\"name\":{\"$ne\":null},\"assignedTo\":[],\"customerIds\":{}}".to_vec()),
        ("application/json", deep.into_bytes()),
        ("application/json", vec![b' '; 2 * 1024 * 1024]),
        ("text/plain", b"{}".to_vec()),
        ("multipart/form-data; boundary=x", b"--x--".to_vec()),
    ];
    for (method, path) in routes(&service).await {
        // An import takes a form; its own tests send it everything else.
        let form = path == "/api/customers/import-excel";
        // Only a machine's token gets as far as its body; the stories send it everything else.
        let machines = ["/api/notifications", "/api/intake/members"];
        let form = form || (method == Method::POST && machines.contains(&path.as_str()));
        if form || method == Method::GET || BODILESS.contains(&path.as_str()) || is_callback(&path) {
            continue;
        }
        for (kind, body) in &bodies {
            // Its body may be left out, and `null` is as good as none.
            if path == "/api/lead-transfer/execute-now" && body == b"null" {
                continue;
            }
            let call = service.call(method.clone(), &path).by(&admin).bytes(kind, body.clone());
            let reply = call.send().await;
            assert!(reply.status.is_client_error(), "{method} {path} {kind} {reply:?}");
            let expected = match (*kind, body.len()) {
                (_, 2_097_152) => Some(413),
                ("application/json", _) => None,
                _ => Some(415),
            };
            assert_eq!(expected.unwrap_or(reply.status.as_u16()), reply.status.as_u16(), "{method} {path}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn every_violation_is_named_at_once_in_the_language_asked_for() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let body =
        json!({ "name": " ", "phone": "12", "leadSource": "抖音", "leadLevel": "Z", "salaryBudget": -1 });
    let reply = service.post("/api/customers", &body).by(&admin).header("accept-language", "en").send().await;
    assert_eq!(reply.problem(), (422, "VALIDATION_FAILED"));
    let errors = reply.body["error"]["details"]["errors"].as_array().unwrap();
    let mut paths: Vec<_> = errors.iter().map(|error| error["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["contractStatus", "leadLevel", "name", "phone", "salaryBudget"]);
    assert!(errors.iter().any(|error| error["message"] == "phone must be a Chinese phone number"));
    let reply = service.post("/api/customers", &body).by(&admin).send().await;
    assert!(reply.body["message"].as_str().unwrap().contains("请输入有效的中国手机号码"));

    let mut unknown = lead("13812348999");
    unknown["owner"] = json!("me");
    let reply = service.post("/api/customers", &unknown).by(&admin).send().await;
    assert_eq!(reply.problem(), (400, "VALIDATION_FAILED"));
    assert_eq!(reply.body["error"]["details"]["errors"][0]["path"], "owner");
    service.stop().await;
}

#[tokio::test]
async fn unknown_routes_methods_and_headers_have_the_one_shape() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let nowhere = service.get("/api/nowhere?phone=13812348999").send().await;
    assert_eq!(nowhere.problem(), (404, "ROUTE_NOT_FOUND"));
    assert_eq!(nowhere.body["message"], "接口不存在: GET /api/nowhere");
    let method = service.call(Method::DELETE, "/api/customers").by(&admin).send().await;
    assert_eq!(method.problem(), (405, "METHOD_NOT_ALLOWED"));
    assert!(method.header("allow").is_some());
    for (header, value) in [("idempotency-key", "a b"), ("if-match", "3")] {
        let call = service.post("/api/customers", &lead("13812348999")).by(&admin).header(header, value);
        assert_eq!(call.send().await.problem(), (400, "INVALID_HEADER"), "{header}");
    }
    let traced = service.get("/health/live").header("x-request-id", "trace-1").send().await;
    assert_eq!(traced.header("x-request-id"), Some("trace-1"));
    let socket = service.get("/ws/notifications").by(&admin).send().await;
    assert_eq!(socket.problem(), (400, "VALIDATION_FAILED"));
    let elsewhere =
        service.get("/ws/notifications").header("origin", "https://evil.example.com").send().await;
    assert_eq!(elsewhere.problem(), (403, "ORIGIN_NOT_ALLOWED"));
    service.stop().await;
}

#[tokio::test]
async fn readiness_tells_details_to_administrators_only() {
    let (service, [admin, employee]) = Service::with([Role::Admin, Role::Employee]).await;
    service.settle().await;
    let anybody = service.get("/health/ready").send().await;
    assert_eq!(anybody.data(), &json!({ "status": "ready" }));
    assert_eq!(service.get("/health/ready").by(&employee).send().await.data(), anybody.data());
    let details = service.get("/health/ready").by(&admin).send().await;
    let consumers = details.data()["checks"]["consumers"].as_array().unwrap();
    assert!(consumers.iter().any(|consumer| consumer["name"] == "inbox"));
    assert_eq!(details.data()["checks"]["writable"], true);
    service.stop().await;
}

#[tokio::test]
async fn the_document_is_openapi_3_1_and_describes_its_schemas() {
    let service = Service::start().await;
    let document = service.get("/api/openapi.json").send().await.body;
    assert_eq!(document["openapi"], "3.1.0");
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to, but not described");
    }
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert_ne!(operation["tags"], Value::Null);
            assert!(names.insert(operation["operationId"].to_string()), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(response["description"].is_string(), "{method} {path} {status}");
            }
        }
    }
    service.stop().await;
}
