//! What is wrong gets the right 4xx, names the place, and loses nothing (product.md G17; http-api.md section 1).

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{PASSWORD, Reply, TestApp, lead, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// An id of nothing.
pub(crate) const UNKNOWN: &str = "0190a1b2-0000-7000-8000-000000000000";

fn paths(reply: &Reply) -> Vec<&str> {
    let errors = reply.body["error"]["details"]["errors"].as_array();
    errors.into_iter().flatten().filter_map(|error| error["path"].as_str()).collect()
}

/// Every command: method and path.
pub(crate) const COMMANDS: [(&str, &str); 8] = [
    ("POST", "/api/auth/login"),
    ("POST", "/api/customers"),
    ("POST", "/api/customers/batch-assign"),
    ("PATCH", "/api/customers/{id}"),
    ("PATCH", "/api/customers/{id}/assign"),
    ("PATCH", "/api/customers/miniprogram/{id}/assign"),
    ("PUT", "/api/notifications/mark-read"),
    ("PUT", "/api/notifications/mark-all-read"),
];

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_none_are_refused_on_every_route(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    app.settle().await;
    let before = app.head().await;
    let json = "application/json";
    let large = 10 * 1024 * 1024;
    for (method, path) in COMMANDS {
        let path = path.replace("{id}", &id);
        let call = || app.call(method.parse::<Method>().expect("a method"), &path).by(&team.manager);
        for (kind, body, problem, text) in [
            (json, b"{".to_vec(), (400, "MALFORMED_JSON"), "请求体不是有效的JSON"),
            (json, b"\xff\xfe{}".to_vec(), (400, "MALFORMED_JSON"), "请求体不是有效的JSON"),
            (json, b"{} {}".to_vec(), (400, "MALFORMED_JSON"), "请求体不是有效的JSON"),
            (json, "[".repeat(100_000).into_bytes(), (400, "MALFORMED_JSON"), "请求体不是有效的JSON"),
            (json, b"[]".to_vec(), (400, "VALIDATION_FAILED"), "请求体必须是JSON对象"),
            (json, b"\"text\"".to_vec(), (400, "VALIDATION_FAILED"), "请求体必须是JSON对象"),
            (json, b"{\"colour\":1}".to_vec(), (400, "VALIDATION_FAILED"), "不支持的字段：colour"),
            (json, vec![b' '; large], (413, "PAYLOAD_TOO_LARGE"), "请求体过大"),
            ("text/plain", b"{}".to_vec(), (415, "UNSUPPORTED_MEDIA_TYPE"), "请求体必须是 application/json"),
            (
                "multipart/form-data; boundary=x",
                b"--x--".to_vec(),
                (415, "UNSUPPORTED_MEDIA_TYPE"),
                "请求体必须是 application/json",
            ),
        ] {
            let shown: String = String::from_utf8_lossy(&body).chars().take(20).collect();
            let reply = call().bytes(kind, body).send().await;
            assert_eq!(reply.problem(), problem, "{method} {path} {shown}");
            assert!(reply.message().contains(text), "{method} {path} {shown}: {}", reply.message());
        }
        let unknown = call().json(&json!({ "colour": 1 })).send().await;
        assert!(paths(&unknown).contains(&"colour"), "{method} {path}: {unknown:?}");
        let english =
            call().bytes(json, b"{".to_vec()).header("accept-language", "en-US,en;q=0.9").send().await;
        assert_eq!(english.message(), "The body is not valid JSON");
        assert_eq!(english.body["title"], "Malformed JSON");
        assert_eq!(english.body["type"], "https://leadwire.dev/problems/malformed-json");
    }
    assert_eq!(app.head().await, before, "nothing was written");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_violation_is_named_with_its_path(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    let one = format!("/api/customers/{id}");
    let assign = format!("{one}/assign");
    let create = "/api/customers";
    let batch = "/api/customers/batch-assign";
    let change = |name: &str, value: Value| {
        let mut body = lead("王女士", &phone(2));
        body[name] = value;
        body
    };
    let to = json!(team.employee.id);
    for (method, path, body, status, place, text) in [
        ("POST", create, change("name", json!(" ")), 422, "name", "客户姓名不能为空"),
        ("POST", create, change("phone", json!("12")), 422, "phone", "请输入有效的中国手机号码"),
        ("POST", create, change("phone", json!("")), 422, "phone", "请填写手机号或微信号"),
        ("POST", create, change("phone", json!(13_812_348_999_u64)), 400, "phone", "必须是文本"),
        ("POST", create, change("leadLevel", json!("Z类")), 422, "leadLevel", "必须是以下值之一"),
        ("POST", create, change("salaryBudget", json!(50_001)), 422, "salaryBudget", "必须在0到50000之间"),
        ("POST", create, change("familySize", json!(1.5)), 422, "familySize", "必须是整数"),
        ("POST", create, change("expectedStartDate", json!("soon")), 422, "expectedStartDate", "有效的日期"),
        ("POST", create, change("name", json!("王\u{0}女士")), 422, "name", "不能包含控制字符"),
        ("POST", create, change("assignedTo", json!("me")), 422, "assignedTo", "格式不正确"),
        ("POST", create, change("isAdmin", json!(true)), 400, "isAdmin", "不支持的字段：isAdmin"),
        ("PATCH", &one, json!({ "assignedTo": to }), 400, "assignedTo", "负责人只能通过分配接口修改"),
        ("PATCH", &one, json!({ "leadLevel": null }), 422, "leadLevel", "不能清空"),
        ("PATCH", &one, json!({ "remarks": "长".repeat(10_000) }), 422, "remarks", "不能超过"),
        ("PATCH", &assign, json!({}), 422, "assignedTo", "不能为空"),
        ("PATCH", &assign, json!({ "assignedTo": "x" }), 422, "assignedTo", "格式不正确"),
        (
            "PATCH",
            &assign,
            json!({ "assignedTo": to, "assignmentReason": "因".repeat(201) }),
            422,
            "assignmentReason",
            "不能超过200个字符",
        ),
        ("PATCH", &assign, json!({ "assignedTo": to, "force": true }), 400, "force", "不支持的字段：force"),
        ("POST", batch, json!({ "customerIds": [], "assignedTo": to }), 422, "customerIds", "不能为空"),
        ("POST", batch, json!({ "customerIds": "all", "assignedTo": to }), 400, "customerIds", "必须是列表"),
        (
            "POST",
            batch,
            json!({ "customerIds": [id, "x"], "assignedTo": to }),
            422,
            "customerIds[1]",
            "格式不正确",
        ),
        (
            "POST",
            batch,
            json!({ "customerIds": vec![UNKNOWN; 1001], "assignedTo": to }),
            422,
            "customerIds",
            "一次最多1000个",
        ),
    ] {
        let call = app.call(method.parse::<Method>().expect("a method"), path).by(&team.manager).json(&body);
        let reply = call.send().await;
        assert_eq!(reply.problem(), (status, "VALIDATION_FAILED"), "{method} {path} {place}: {reply:?}");
        assert_eq!(paths(&reply), [place], "{method} {path}");
        assert!(reply.message().contains(text), "{place}: {}", reply.message());
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_violations_are_named_at_once_in_the_language_asked_for(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let many = json!({ "name": "", "phone": "1", "leadSource": "抖音", "colour": 1, "salaryBudget": "x" });
    let reply =
        app.post("/api/customers", &many).by(&team.manager).header("accept-language", "en").send().await;
    assert_eq!(reply.status, 400, "one of them is the program's fault");
    let mut named = paths(&reply);
    named.sort_unstable();
    assert_eq!(named, ["colour", "contractStatus", "leadLevel", "name", "phone", "salaryBudget"]);
    assert!(reply.message().contains("phone must be a Chinese phone number"), "{}", reply.message());
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_not_found(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    app.suspend(&team.colleague).await;
    let to = json!({ "assignedTo": team.employee.id });
    for id in [UNKNOWN, "1", "not-an-id", "..%2F..%2Fetc", "%00", "%FF", "CUS00000000001", &"x".repeat(2000)]
    {
        let assign = format!("/api/customers/{id}/assign");
        let mini = format!("/api/customers/miniprogram/{id}/assign");
        for reply in [
            app.get(&format!("/api/customers/{id}")).by(&team.admin).send().await,
            app.get(&format!("/api/customers/{id}/assignment-logs")).by(&team.admin).send().await,
            app.patch(&format!("/api/customers/{id}"), &json!({ "remarks": "x" }))
                .by(&team.admin)
                .send()
                .await,
            app.patch(&assign, &to).by(&team.admin).send().await,
            app.patch(&mini, &to).by(&team.admin).send().await,
        ] {
            assert_eq!(reply.problem(), (404, "CUSTOMER_NOT_FOUND"), "{id}");
            assert_eq!(reply.message(), "客户不存在");
        }
    }
    let path = format!("/api/customers/{id}/assign");
    for (body, code, text) in [
        (json!({ "assignedTo": UNKNOWN }), "STAFF_NOT_FOUND", "指定的负责人不存在"),
        (json!({ "assignedTo": id }), "STAFF_NOT_FOUND", "指定的负责人不存在"),
        (json!({ "assignedTo": team.colleague.id }), "STAFF_INACTIVE", "指定的负责人未激活"),
    ] {
        let reply = app.patch(&path, &body).by(&team.admin).send().await;
        assert_eq!((reply.problem(), reply.message()), ((422, code), text));
        let batch = json!({ "customerIds": [id], "assignedTo": body["assignedTo"] });
        let reply = app.post("/api/customers/batch-assign", &batch).by(&team.admin).send().await;
        assert_eq!((reply.problem(), reply.message()), ((422, code), text));
    }
    let nowhere = app.get("/api/nowhere?phone=13812348999").send().await;
    assert_eq!(nowhere.problem(), (404, "ROUTE_NOT_FOUND"));
    assert_eq!(nowhere.message(), "接口不存在: GET /api/nowhere");
    for path in ["/", "/api", "/api/customers/", "/health", "//api/customers", "/api/customers/x/y/z"] {
        assert_eq!(app.get(path).by(&team.admin).send().await.problem(), (404, "ROUTE_NOT_FOUND"), "{path}");
    }
    for (method, path) in [
        ("DELETE", "/api/customers"),
        ("POST", "/api/auth/me"),
        ("PUT", "/health/live"),
        ("TRACE", "/api/customers"),
    ] {
        let reply = app.call(method.parse().expect("a method"), path).by(&team.admin).send().await;
        assert_eq!(reply.problem(), (405, "METHOD_NOT_ALLOWED"), "{method} {path}");
        assert_eq!(reply.message(), "请求方法不被允许");
        assert!(reply.header("allow").is_some_and(|allow| !allow.is_empty()), "{method} {path}");
    }
    app.activate(&team.colleague).await;
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_cannot_be_read_are_named(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.own_lead(&team.manager, 1).await;
    let bad: [(&str, Vec<u8>); 11] = [
        ("idempotency-key", b"".to_vec()),
        ("idempotency-key", b"two words".to_vec()),
        ("idempotency-key", vec![b'k'; 129]),
        ("idempotency-key", "键".as_bytes().to_vec()),
        ("if-match", b"3".to_vec()),
        ("if-match", b"*".to_vec()),
        ("if-match", b"W/\"3\"".to_vec()),
        ("if-match", b"\"x\"".to_vec()),
        ("if-match", b"\"-1\"".to_vec()),
        ("if-match", b"\"99999999999999999999\"".to_vec()),
        ("if-match", "\"三\"".as_bytes().to_vec()),
    ];
    for (name, value) in &bad {
        let call = app.assign(&id, &team.employee).by(&team.manager).raw_header(name, value);
        let reply = call.send().await;
        assert_eq!(reply.problem(), (400, "INVALID_HEADER"), "{name}: {}", String::from_utf8_lossy(value));
        let named = reply.body["error"]["details"]["header"].as_str().unwrap_or_default();
        assert_eq!(named.to_lowercase(), *name);
        assert!(reply.message().starts_with(named), "{}", reply.message());
    }
    let twice = app.assign(&id, &team.employee).by(&team.manager).key("a").key("b").send().await;
    assert_eq!(twice.problem(), (400, "INVALID_HEADER"));
    for position in ["-1", "x", "1.5", ""] {
        let call = app.get("/api/customers").by(&team.manager).header("x-min-position", position);
        assert_eq!(call.send().await.problem(), (400, "INVALID_HEADER"), "{position}");
    }
    let stale = app.assign(&id, &team.employee).by(&team.manager).if_match(1).send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    let owner = json!({ "id": team.manager.id, "name": team.manager.name });
    assert_eq!(stale.body["error"]["details"], json!({ "currentOwner": owner, "version": 2 }));
    let ahead = app.assign(&id, &team.employee).by(&team.manager).if_match(3).send().await;
    assert_eq!(ahead.problem(), (409, "VERSION_CONFLICT"));
    // Where no single customer is changed, a version is a condition that nobody could check.
    for path in ["/api/customers", "/api/customers/batch-assign"] {
        let conditional = app.post(path, &json!({})).by(&team.manager).if_match(1).send().await;
        assert_eq!(conditional.problem(), (400, "INVALID_HEADER"), "{path}");
    }
    assert_eq!(app.history(&id).await.len(), 2, "nothing was written");
    // A position that is never reached is waited for, then shown stale.
    let future = app.get("/api/customers").by(&team.manager).header("x-min-position", "999999").send().await;
    assert_eq!(future.status, 200);
    let shown: i64 = future.header("x-read-position").and_then(|shown| shown.parse().ok()).unwrap_or(-1);
    assert!((0..999_999).contains(&shown), "{shown}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn characters_that_databases_choke_on_are_only_characters(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    app.post("/api/customers", &lead("100%_\\王", &phone(1))).by(&team.manager).send().await.data();
    app.settle().await;
    let routes = [
        ("/api/customers", "search"),
        ("/api/customers", "name"),
        ("/api/customers", "phone"),
        ("/api/notifications", "type"),
    ];
    for (path, name) in routes {
        for value in
            ["%00", "a%00b", "%FF", "%F0%9F%98%80", "%EF%BF%BF", "%5C", "%27%22%3B--", "%5C%27", "%E2%80%AE"]
        {
            let reply = app.get(&format!("{path}?{name}={value}")).by(&team.admin).send().await;
            assert!(matches!(reply.status, 200 | 400), "{path} {name}={value}: {reply:?}");
        }
    }
    // Search is for the characters as they are typed, whatever they mean to a database.
    for (typed, found) in
        [("%25", 1), ("_", 1), ("%5C", 1), ("100%25_%5C", 1), ("1_0", 0), ("%25%25", 0), ("%E7%8E%8B", 1)]
    {
        let reply = app.get(&format!("/api/customers?search={typed}")).by(&team.admin).send().await;
        assert_eq!(reply.data()["total"], found, "{typed}");
    }
    for body in [
        json!({ "username": "a\u{0}b", "password": PASSWORD }),
        json!({ "username": "admin", "password": "a\u{0}b" }),
        json!({ "username": "\u{1f600}".repeat(500), "password": PASSWORD }),
    ] {
        let reply = app.post("/api/auth/login", &body).send().await;
        assert!(matches!(reply.status, 401 | 422), "{body}: {reply:?}");
    }
    app.finish().await;
}
