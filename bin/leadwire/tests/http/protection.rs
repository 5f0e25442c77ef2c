//! Floods, foreign pages, and the headers of every answer.

use axum::http::{Method, StatusCode};
use domain::staff::Role;
use serde_json::json;

use crate::kit::Service;

const ORIGINS: (&str, &str) = ("LEADWIRE_SERVER__ALLOWED_ORIGINS", "https://crm.example.com");

#[tokio::test]
async fn one_address_logs_in_so_often_and_no_more() {
    let service = Service::start_with(&[("LEADWIRE_PROTECTION__LOGIN_PER_MINUTE", "3")]).await;
    // Each time somebody else: the count of failures by user name never ends this.
    for n in 0..3 {
        let body = json!({ "username": format!("user{n}"), "password": "guess" });
        assert_eq!(service.post("/api/auth/login", &body).send().await.status, 401);
    }
    for path in ["/api/auth/login", "/api/auth/miniprogram-login"] {
        let reply = service.post(path, &json!({ "username": "user9", "password": "guess" })).send().await;
        assert_eq!(reply.problem(), (429, "RATE_LIMITED"), "{path}");
        assert!(reply.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    }
    assert_eq!(service.get("/health/live").send().await.status, 200, "nothing else is limited");
    service.stop().await;
}

#[tokio::test]
async fn one_address_hands_in_so_many_leads_and_no_more() {
    let service = Service::start_with(&[("LEADWIRE_PROTECTION__PUBLIC_FORM_PER_MINUTE", "2")]).await;
    for phone in ["13812348001", "13812348002"] {
        let reply = service.post("/api/customers/website-lead", &json!({ "phone": phone })).send().await;
        assert_ne!(reply.status, 429, "{phone}");
    }
    let flood = service.post("/api/customers/website-lead", &json!({ "phone": "13812348003" })).send().await;
    assert_eq!(flood.problem(), (429, "RATE_LIMITED"));
    assert!(flood.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let login =
        service.post("/api/auth/login", &json!({ "username": "a", "password": "guess" })).send().await;
    assert_eq!(login.status, 401, "each limit counts for itself");
    service.stop().await;
}

#[tokio::test]
async fn pages_on_the_list_may_call_and_others_may_not_read() {
    let service = Service::start_with(&[ORIGINS]).await;
    let ask = |origin: &str| {
        service
            .call(Method::OPTIONS, "/api/customers")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,idempotency-key")
    };
    let asked = ask("https://crm.example.com").send().await;
    assert_eq!(asked.status, StatusCode::NO_CONTENT);
    assert_eq!(asked.header("access-control-allow-origin"), Some("https://crm.example.com"));
    assert_eq!(asked.header("access-control-allow-credentials"), Some("true"));
    assert!(asked.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    assert!(asked.header("access-control-allow-methods").unwrap().contains("PATCH"));

    let foreign = ask("https://evil.example.com").send().await;
    assert_eq!(foreign.problem(), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    let plain = service.call(Method::OPTIONS, "/api/customers").send().await;
    assert_eq!(plain.status, 405);

    for (origin, allowed) in [("https://crm.example.com", true), ("https://evil.example.com", false)] {
        let reply = service.get("/api/customers").header("origin", origin).send().await;
        assert_eq!(reply.header("access-control-allow-origin"), allowed.then_some(origin));
        assert_eq!(reply.header("vary"), Some("origin"));
    }
    service.stop().await;
}

#[tokio::test]
async fn tls_is_insisted_on_only_where_there_is_some() {
    for (seconds, expected) in [("0", None), ("31536000", Some("max-age=31536000; includeSubDomains"))] {
        let service = Service::start_with(&[("LEADWIRE_PROTECTION__HSTS_SECONDS", seconds)]).await;
        let reply = service.get("/health/live").send().await;
        assert_eq!(reply.header("strict-transport-security"), expected);
        service.stop().await;
    }
}

#[tokio::test]
async fn the_page_of_the_document_may_run_its_own_script_and_nothing_else() {
    let service = Service::start().await;
    let (headers, body) = service.get("/api/docs").page().await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'unsafe-inline'"), "{policy}");
    assert_eq!(headers["x-frame-options"], "DENY");
    assert!(body.contains("<html"), "{body}");
    let data = service.get("/health/live").send().await;
    assert_eq!(data.header("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
    service.stop().await;
}

#[tokio::test]
async fn every_command_has_a_limit_of_its_body() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let large = vec![b' '; 1_048_577];
    for path in ["/api/users", "/api/service-tokens", "/api/wechat/bind", "/api/auth/login"] {
        let reply = service.call(Method::POST, path).by(&admin).bytes("application/json", large.clone());
        let reply = reply.send().await;
        assert_eq!(reply.problem(), (413, "PAYLOAD_TOO_LARGE"), "{path}");
    }
    service.stop().await;
}
