//! Accounts as system A's console manages them.

use axum::http::Method;
use domain::staff::Role;
use serde_json::{Value, json};

use crate::kit::{PASSWORD, Service};

fn zhang() -> Value {
    json!({ "username": "Zhang.San", "password": PASSWORD, "name": "张三", "role": "经理",
            "phone": "13812348999", "email": "zhang@example.com", "department": "销售一部", "monthlyTask": 8,
            "permissions": ["customer:all"], "active": true })
}

#[tokio::test]
async fn an_account_is_made_shown_and_logs_in() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let made = service.post("/api/users", &zhang()).by(&admin).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let user = made.data().clone();
    for (member, expected) in [
        ("username", json!("zhang.san")),
        ("name", json!("张三")),
        ("role", json!("manager")),
        ("phone", json!("13812348999")),
        ("email", json!("zhang@example.com")),
        ("department", json!("销售一部")),
        ("monthlyTask", json!(8)),
        ("active", json!(true)),
        ("suspended", json!(false)),
        ("avatar", Value::Null),
        ("wechatBound", json!(false)),
    ] {
        assert_eq!(user[member], expected, "{member}");
    }
    assert!(user["permissions"].as_array().unwrap().contains(&json!("customer:delete")));
    assert!(user["createdAt"].as_str().unwrap().ends_with('Z'));
    let id = user["_id"].as_str().unwrap();
    assert_eq!(service.get(&format!("/api/users/{id}")).by(&admin).send().await.data(), &user);
    let login = json!({ "username": "zhang.san", "password": PASSWORD });
    let login = service.post("/api/auth/login", &login).send().await;
    assert_eq!(login.data()["user"]["id"], *id);

    let twice = service.post("/api/users", &zhang()).by(&admin).send().await;
    assert_eq!(twice.problem(), (409, "DUPLICATE_USERNAME"));
    service.stop().await;
}

#[tokio::test]
async fn a_repeated_creation_gives_the_first_answer_and_no_other_password() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let first = service.post("/api/users", &zhang()).by(&admin).key("k1").send().await;
    let mut other = zhang();
    other["password"] = json!("quite another password");
    let again = service.post("/api/users", &other).by(&admin).key("k1").send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{again:?}");
    assert_eq!(again.data()["_id"], first.data()["_id"]);
    for (password, status) in [(PASSWORD, 200), ("quite another password", 401)] {
        let login = json!({ "username": "zhang.san", "password": password });
        assert_eq!(service.post("/api/auth/login", &login).send().await.status, status, "{password}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_list_has_pages_and_filters_in_system_as_shape() {
    let (service, [admin, manager, employee]) =
        Service::with([Role::Admin, Role::Manager, Role::Employee]).await;
    service.post("/api/users", &zhang()).by(&admin).send().await.data();
    let list = async |query: &str| service.get(&format!("/api/users{query}")).by(&admin).send().await;
    let usernames = |reply: &crate::kit::Reply| -> Vec<String> {
        let items = reply.data()["items"].as_array().unwrap();
        items.iter().map(|item| item["username"].as_str().unwrap().to_owned()).collect()
    };
    let all = list("").await;
    assert_eq!((all.data()["total"].as_i64(), all.data()["page"].as_i64()), (Some(4), Some(1)));
    assert_eq!(all.data()["pageSize"], 10);
    let second = list("?page=2&pageSize=3").await;
    assert_eq!((usernames(&second).len(), &second.data()["totalPages"]), (1, &json!(2)));
    assert_eq!(usernames(&list("?search=%E9%94%80%E5%94%AE").await), ["zhang.san"], "the department");
    assert_eq!(usernames(&list("?search=1234").await), ["zhang.san"], "the phone");
    assert_eq!(usernames(&list("?search=%25").await), [""; 0], "literal");
    for alias in ["manager", "%E7%BB%8F%E7%90%86", "%E4%B8%BB%E7%AE%A1"] {
        let mut managers = usernames(&list(&format!("?role={alias}")).await);
        managers.sort();
        assert_eq!(managers, ["manager1", "zhang.san"], "{alias}");
    }
    service.suspend(&employee).await;
    service.settle().await;
    assert_eq!(usernames(&list("?active=false").await), ["employee1"]);
    assert_eq!(usernames(&list("?active=true&role=employee").await), [""; 0]);
    for wrong in ["?pageSize=101", "?page=0", "?role=boss", "?color=red"] {
        assert_eq!(list(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(service.get("/api/users").by(&manager).send().await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn what_roles_may_do_with_accounts_is_what_the_table_says() {
    let roles =
        [Role::Admin, Role::Manager, Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions];
    let (service, people) = Service::with(roles).await;
    let target = service.person("target", Role::Employee).await;
    let one = format!("/api/users/{}", target.id);
    for (person, role) in people.iter().zip(roles) {
        let views = if role == Role::Employee { 403 } else { 200 };
        assert_eq!(service.get("/api/users").by(person).send().await.status, views, "{role}");
        assert_eq!(service.get(&one).by(person).send().await.status, views, "{role}");
        let own = format!("/api/users/{}", person.id);
        assert_eq!(service.get(&own).by(person).send().await.status, 200, "{role} sees itself");
        if role == Role::Admin {
            continue;
        }
        for (method, path) in [
            (Method::POST, "/api/users".to_owned()),
            (Method::PATCH, one.clone()),
            (Method::PATCH, own),
            (Method::POST, format!("{one}/suspend")),
            (Method::POST, format!("{one}/activate")),
            (Method::POST, format!("{one}/password")),
            (Method::POST, "/api/service-tokens".to_owned()),
            (Method::DELETE, format!("/api/service-tokens/{}", target.id)),
        ] {
            let reply = service.call(method, &path).by(person).json(&zhang()).send().await;
            assert_eq!(reply.problem(), (403, "FORBIDDEN"), "{role} {path}");
        }
        assert_eq!(service.get("/api/service-tokens").by(person).send().await.status, 403, "{role}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_account_changes_as_a_whole_or_not_at_all() {
    let (service, [admin, employee]) = Service::with([Role::Admin, Role::Employee]).await;
    let path = format!("/api/users/{}", employee.id);
    let change = json!({ "username": "employee1", "name": "李四", "department": "", "role": "运营", "monthlyTask": 3 });
    let changed = service.patch(&path, &change).by(&admin).send().await;
    assert_eq!(changed.data()["name"], "李四", "{changed:?}");
    assert_eq!((&changed.data()["role"], &changed.data()["monthlyTask"]), (&json!("operator"), &json!(3)));
    // The role counts with the next request, whatever the token says.
    assert_eq!(service.get("/api/users").by(&employee).send().await.status, 200);
    let me = service.get("/api/auth/me").by(&employee).send().await;
    assert_eq!((&me.data()["role"], &me.data()["name"]), (&json!("operator"), &json!("李四")));

    let renamed =
        service.patch(&path, &json!({ "username": "other", "name": "王五" })).by(&admin).send().await;
    assert_eq!(renamed.problem(), (422, "VALIDATION_FAILED"));
    assert_eq!(service.get(&path).by(&admin).send().await.data()["name"], "李四");
    let nobody = "/api/users/0190a1b2-0000-7000-8000-000000000000";
    assert_eq!(service.patch(nobody, &change).by(&admin).send().await.problem(), (404, "USER_NOT_FOUND"));
    assert_eq!(service.get("/api/users/me").by(&admin).send().await.problem(), (404, "USER_NOT_FOUND"));

    let own = format!("/api/users/{}", admin.id);
    for (method, path, body) in [
        (Method::POST, format!("{own}/suspend"), Value::Null),
        (Method::PATCH, own.clone(), json!({ "role": "employee" })),
        (Method::PATCH, own.clone(), json!({ "active": false, "name": "x" })),
    ] {
        let call = service.call(method, &path).by(&admin);
        let call = if body.is_null() { call } else { call.json(&body) };
        assert_eq!(call.send().await.problem(), (409, "OWN_ACCOUNT"), "{path} {body}");
    }
    assert_eq!(service.patch(&own, &json!({ "role": "admin" })).by(&admin).send().await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_suspension_and_its_end_count_at_once() {
    let (service, [admin, employee]) = Service::with([Role::Admin, Role::Employee]).await;
    let path = format!("/api/users/{}", employee.id);
    let suspended = service.call(Method::POST, &format!("{path}/suspend")).by(&admin).send().await;
    assert_eq!((&suspended.data()["active"], &suspended.data()["suspended"]), (&json!(false), &json!(true)));
    assert_eq!(service.get("/api/auth/me").by(&employee).send().await.problem(), (401, "ACCOUNT_SUSPENDED"));
    let again = service.call(Method::POST, &format!("{path}/suspend")).by(&admin).send().await;
    assert_eq!(again.status, 200, "already true");
    let active = service.patch(&path, &json!({ "suspended": false })).by(&admin).send().await;
    assert_eq!(active.data()["active"], true);
    assert_eq!(service.get("/api/auth/me").by(&employee).send().await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn a_new_password_ends_the_sessions_of_the_old_one() {
    let (service, [admin, employee]) = Service::with([Role::Admin, Role::Employee]).await;
    service.set_password(&employee).await;
    let old = service.log_in("employee1", PASSWORD).await;
    let path = format!("/api/users/{}/password", employee.id);
    let wrong = json!({ "oldPassword": "wrong password", "newPassword": "a new password" });
    assert_eq!(service.post(&path, &wrong).by(&old).send().await.problem(), (422, "WRONG_PASSWORD"));
    let without = service.post(&path, &json!({ "newPassword": "a new password" })).by(&old).send().await;
    assert_eq!(without.problem(), (422, "VALIDATION_FAILED"));
    let short = json!({ "oldPassword": PASSWORD, "newPassword": "short" });
    assert_eq!(service.post(&path, &short).by(&old).send().await.problem(), (422, "VALIDATION_FAILED"));

    let right = json!({ "oldPassword": PASSWORD, "newPassword": "a new password" });
    let changed = service.post(&path, &right).by(&old).send().await;
    let fresh = old.with_token(changed.data()["access_token"].as_str().unwrap());
    assert_eq!(service.get("/api/auth/me").by(&old).send().await.problem(), (401, "SESSION_ENDED"));
    assert_eq!(service.get("/api/auth/me").by(&fresh).send().await.status, 200);

    // An administrator needs no old password, and everybody is out again.
    let set = service.post(&path, &json!({ "password": "set by an admin" })).by(&admin).send().await;
    assert_eq!(set.status, 200, "{set:?}");
    assert_eq!(service.get("/api/auth/me").by(&fresh).send().await.problem(), (401, "SESSION_ENDED"));
    service.log_in("employee1", "set by an admin").await;
    let theirs = format!("/api/users/{}/password", admin.id);
    let own = service.post(&theirs, &json!({ "password": "without the old one" })).by(&admin).send().await;
    assert_eq!(own.problem(), (422, "VALIDATION_FAILED"), "not for the own account");
    service.stop().await;
}

#[tokio::test]
async fn guessing_the_old_password_is_counted_like_logging_in() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    service.set_password(&employee).await;
    let path = format!("/api/users/{}/password", employee.id);
    let guess = json!({ "oldPassword": "wrong password", "newPassword": "a new password" });
    for _ in 0..5 {
        assert_eq!(service.post(&path, &guess).by(&employee).send().await.problem(), (422, "WRONG_PASSWORD"));
    }
    assert_eq!(service.post(&path, &guess).by(&employee).send().await.problem(), (429, "TOO_MANY_REQUESTS"));
    service.stop().await;
}
