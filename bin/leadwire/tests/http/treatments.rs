//! What is said about one customer: freeze, automatic moves, level O, follow-ups, deletion; the mini program's forms;
//! and the public form.

use axum::http::Method;
use domain::staff::Role;
use serde_json::{Value, json};

use crate::kit::{Person, Reply, Service, lead};

const WEBSITE: &str = "/api/customers/website-lead";

/// A customer's address with something behind it.
fn path(customer: &Value, rest: &str) -> String {
    format!("/api/customers/{}{rest}", customer["_id"].as_str().unwrap())
}

/// A `PATCH` without a body, as system A's pages send it when there is nothing to say.
async fn bare(service: &Service, path: &str, by: &Person) -> Reply {
    service.call(Method::PATCH, path).by(by).send().await
}

async fn delete(service: &Service, path: &str, by: &Person) -> Reply {
    service.call(Method::DELETE, path).by(by).send().await
}

#[tokio::test]
async fn a_frozen_customer_stays_where_it_is_until_it_is_unfrozen() {
    let (service, [admin, manager, employee]) =
        Service::with([Role::Admin, Role::Manager, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let (freeze, unfreeze) = (path(&customer, "/freeze"), path(&customer, "/unfreeze"));
    for who in [&manager, &employee] {
        let reply = bare(&service, &freeze, who).await;
        assert_eq!(reply.problem(), (403, "FORBIDDEN"), "{}", who.username);
    }
    assert_eq!(bare(&service, &unfreeze, &admin).await.problem(), (409, "NOT_FROZEN"));
    let reason = json!({ "reason": "核实" });
    let frozen = service.patch(&freeze, &reason).by(&admin).key("f").send().await;
    assert_eq!((frozen.status.as_u16(), frozen.header("etag")), (200, Some("\"3\"")));
    let again = service.patch(&freeze, &reason).by(&admin).key("f").send().await;
    assert_eq!((again.header("idempotent-replayed"), again.header("etag")), (Some("true"), Some("\"3\"")));
    let twice = bare(&service, &freeze, &admin).await;
    assert_eq!(twice.problem(), (409, "ALREADY_FROZEN"));
    assert_eq!(twice.body["message"], "该线索已处于冻结状态");

    let release = json!({ "reason": "客户找到了" });
    let kept = service.post(&path(&customer, "/release-to-pool"), &release).by(&employee).send().await;
    assert_eq!(kept.problem(), (409, "FROZEN"));
    let batch = json!({ "customerIds": [customer["_id"]], "reason": "客户找到了" });
    let kept = service.post("/api/customers/batch-release-to-pool", &batch).by(&employee).send().await;
    assert_eq!(
        (kept.problem(), &kept.body["message"]),
        ((409, "FROZEN"), &json!("该线索已被冻结，无法释放到公海"))
    );
    let moved = service.patch(&path(&customer, "/assign"), &json!({ "assignedTo": manager.id }));
    assert_eq!(moved.by(&admin).send().await.status, 200, "a freeze forbids no assignment");

    assert_eq!(bare(&service, &unfreeze, &admin).await.status, 200);
    let freed = service.post(&path(&customer, "/release-to-pool"), &release).by(&manager).send().await;
    assert_eq!(freed.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn automatic_moves_are_switched_by_who_may_assign() {
    let (service, [operator, dispatch, employee]) =
        Service::with([Role::Operator, Role::Dispatch, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let path = path(&customer, "/auto-transfer");
    let off = json!({ "enabled": false });
    for who in [&dispatch, &employee] {
        assert_eq!(service.patch(&path, &off).by(who).send().await.problem(), (403, "FORBIDDEN"));
    }
    let reply = service.patch(&path, &off).by(&operator).header("if-match", "\"2\"").send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (200, Some("\"3\"")));
    let same = service.patch(&path, &off).by(&operator).send().await;
    assert_eq!(same.header("etag"), Some("\"3\""), "nothing happened");
    let stale = service.patch(&path, &json!({ "enabled": true })).by(&operator).header("if-match", "\"2\"");
    assert_eq!(stale.send().await.problem(), (409, "VERSION_CONFLICT"));
    for (body, problem) in [
        (json!({}), (422, "VALIDATION_FAILED")),
        (json!({ "enabled": true, "why": "x" }), (400, "VALIDATION_FAILED")),
    ] {
        assert_eq!(service.patch(&path, &body).by(&operator).send().await.problem(), problem, "{body}");
    }
    service.stop().await;
}

#[tokio::test]
async fn level_o_is_set_by_who_may_and_answers_nothing() {
    let (service, [dispatch, employee, other]) =
        Service::with([Role::Dispatch, Role::Employee, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let level = path(&customer, "/sync-lead-level-o");
    let denied = bare(&service, &level, &employee).await;
    assert_eq!(denied.problem(), (403, "FORBIDDEN"));
    assert_eq!(denied.body["message"], "只有管理员、运营或派单老师可以手动设置线索等级为O类");
    assert_eq!(bare(&service, &level, &other).await.problem(), (404, "CUSTOMER_NOT_FOUND"));
    let reply = service.patch(&level, &json!({})).by(&dispatch).send().await;
    assert_eq!((reply.data(), reply.header("etag")), (&Value::Null, Some("\"3\"")));
    assert_eq!(bare(&service, &level, &dispatch).await.header("etag"), Some("\"3\""), "it is O already");
    let shown = service.get(&path(&customer, "")).by(&dispatch).send().await;
    assert_eq!(shown.data()["leadLevel"], "O类");
    service.stop().await;
}

#[tokio::test]
async fn a_follow_up_names_its_author_and_is_written_once() {
    let (service, [manager, employee, other]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let web = path(&customer, "/follow-ups");
    let mini = web.replace("/customers/", "/customers/miniprogram/");
    let body = json!({ "type": "visit", "content": " 看了两位阿姨 ", "nextFollowUpDate": "2030-03-05" });
    for (path, key) in [(&web, "w"), (&mini, "m")] {
        let reply = service.post(path, &body).by(&employee).key(key).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let written = reply.data();
        assert_eq!(written["customerId"], customer["_id"]);
        assert_eq!((&written["type"], &written["content"]), (&json!("visit"), &json!("看了两位阿姨")));
        assert_eq!(written["nextFollowUpDate"], "2030-03-05T00:00:00.000Z");
        let author = json!({ "_id": employee.id, "name": "姓名employee1", "username": "employee1" });
        assert_eq!(written["createdBy"], author);
        let again = service.post(path, &body).by(&employee).key(key).send().await;
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.body["data"], reply.body["data"]);
    }
    assert_eq!(service.post(&web, &body).by(&manager).send().await.status, 201);
    assert_eq!(service.post(&web, &body).by(&other).send().await.problem(), (404, "CUSTOMER_NOT_FOUND"));
    for (key, value, rule) in [
        ("type", json!("call"), "unknown_code"),
        ("content", json!(" "), "required"),
        ("content", json!("好".repeat(1001)), "too_long"),
        ("nextFollowUpDate", json!("soon"), "date"),
    ] {
        let mut bad = body.clone();
        bad[key] = value;
        let reply = service.post(&web, &bad).by(&employee).send().await;
        assert_eq!(reply.problem(), (422, "VALIDATION_FAILED"), "{key}");
        let error = &reply.body["error"]["details"]["errors"][0];
        assert_eq!((&error["path"], &error["code"]), (&json!(key), &json!(rule)));
    }
    service.stop().await;
}

#[tokio::test]
async fn a_note_in_system_as_words_is_written_when_it_was_sent() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let web = path(&customer, "/follow-ups");
    let note = json!({ "type": "other", "content": "系统：负责人由甲变更为乙" });
    let reply = service.post(&web, &note).by(&employee).send().await;
    let (created, written) = (&customer["createdAt"], &reply.data()["createdAt"]);
    assert!(written.as_str() >= created.as_str(), "{written} is not before {created}");
    service.stop().await;
}

#[tokio::test]
async fn a_deleted_customer_is_gone_everywhere_and_its_phone_is_free() {
    let (service, [manager, operator, employee]) =
        Service::with([Role::Manager, Role::Operator, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let gone = path(&customer, "");
    for who in [&operator, &employee] {
        assert_eq!(delete(&service, &gone, who).await.problem(), (403, "FORBIDDEN"), "{}", who.username);
    }
    let stale = service.call(Method::DELETE, &gone).by(&manager).header("if-match", "\"1\"").send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    let reply = service.call(Method::DELETE, &gone).by(&manager).key("d").send().await;
    assert_eq!((reply.status.as_u16(), reply.body), (204, Value::Null));
    assert!(reply.headers.contains_key("x-position"));
    let again = service.call(Method::DELETE, &gone).by(&manager).key("d").send().await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (204, Some("true")));
    assert_eq!(delete(&service, &gone, &manager).await.problem(), (404, "CUSTOMER_NOT_FOUND"));

    assert_eq!(service.get(&gone).by(&manager).send().await.problem(), (404, "CUSTOMER_NOT_FOUND"));
    let list = service.get("/api/customers").by(&manager).send().await;
    assert_eq!(list.data()["total"], 0);
    let assign = json!({ "assignedTo": employee.id });
    let reply = service.patch(&path(&customer, "/assign"), &assign).by(&manager).send().await;
    assert_eq!(reply.problem(), (404, "CUSTOMER_NOT_FOUND"));
    service.customer(&employee, "13812348999").await;
    service.stop().await;
}

#[tokio::test]
async fn the_mini_program_creates_and_changes_customers() {
    let (service, [employee, other]) = Service::with([Role::Employee, Role::Employee]).await;
    let create = "/api/customers/miniprogram/create";
    let body = lead("13812348999");
    let call = || service.post(create, &body).by(&employee).key("c").header("api-version", "1");
    let reply = call().send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let data = reply.data();
    assert_eq!((&data["action"], &data["id"]), (&json!("CREATED"), &data["customer"]["_id"]));
    assert_eq!(data["customerId"], data["customer"]["customerId"]);
    assert_eq!(data["createdAt"], data["customer"]["createdAt"]);
    assert_eq!(call().send().await.body["data"], reply.body["data"], "pressed twice");
    let twice = service.post(create, &body).by(&other).send().await;
    assert_eq!(twice.problem(), (409, "DUPLICATE_PHONE"));

    let change = format!("/api/customers/miniprogram/{}", data["id"].as_str().unwrap());
    let remarks = json!({ "remarks": "会说粤语" });
    let changed = service.patch(&change, &remarks).by(&employee).send().await;
    assert_eq!(changed.data()["remarks"], "会说粤语");
    assert_eq!(
        service.patch(&change, &remarks).by(&other).send().await.problem(),
        (404, "CUSTOMER_NOT_FOUND")
    );
    let stolen = service.patch(&change, &json!({ "assignedTo": other.id })).by(&employee).send().await;
    assert_eq!(stolen.problem(), (400, "VALIDATION_FAILED"));
    service.stop().await;
}

/// The customer with this phone, as a manager finds it in the list or in the pool.
async fn found(service: &Service, manager: &Person, place: &str, phone: &str) -> Value {
    let list = service.get(&format!("{place}?search={phone}")).by(manager).send().await;
    list.data()["customers"][0].clone()
}

#[tokio::test]
async fn the_public_form_answers_the_same_whoever_is_known() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let known = service.customer(&employee, "13812348999").await;
    let send = async |phone: &str, key: &str| {
        let body = json!({ "name": "王女士", "phone": phone, "serviceCategory": "月嫂" });
        service.post(WEBSITE, &body).key(key).send().await
    };
    let (new, old) = (send("13912348999", "n").await, send("13812348999", "o").await);
    for reply in [&new, &old] {
        assert_eq!((reply.status.as_u16(), &reply.body["message"]), (201, &json!("提交成功")));
        assert_eq!(reply.data().as_object().unwrap().len(), 1);
        assert!(reply.data()["customerId"].is_string());
        assert!(reply.header("x-position").is_none() && reply.header("etag").is_none());
    }
    assert_ne!(old.data()["customerId"], known["_id"]);
    for (phone, key) in [("13912348999", "n"), ("13812348999", "o")] {
        assert_eq!(send("13712348999", key).await.problem(), (422, "IDEMPOTENCY_KEY_REUSED"), "{phone}");
    }
    service.settle().await;
    let lead = found(&service, &manager, "/api/customers/public-pool", "13912348999").await;
    assert_eq!((&lead["leadSource"], &lead["contractStatus"]), (&json!("官网"), &json!("待定")));
    assert_eq!(lead["_id"], new.data()["customerId"]);
    let kept = service.get(&path(&known, "")).by(&manager).send().await;
    assert_eq!(kept.data()["assignedTo"], employee.id.to_string());
    service.stop().await;
}

#[tokio::test]
async fn a_public_form_is_checked_and_may_have_an_owner() {
    let service = Service::start_with(&[("LEADWIRE_LIMITS__WEBSITE_OWNER", "Employee1")]).await;
    let manager = service.person("manager1", Role::Manager).await;
    let employee = service.person("employee1", Role::Employee).await;
    for (body, problem, at) in [
        (json!({ "phone": "13912348999" }), (422, "VALIDATION_FAILED"), "name"),
        (json!({ "name": "王女士" }), (422, "VALIDATION_FAILED"), "phone"),
        (json!({ "name": "王女士", "phone": "123" }), (422, "VALIDATION_FAILED"), "phone"),
        (
            json!({ "name": "王女士", "phone": "13912348999", "leadLevel": "A类" }),
            (400, "VALIDATION_FAILED"),
            "leadLevel",
        ),
    ] {
        let reply = service.post(WEBSITE, &body).send().await;
        assert_eq!(reply.problem(), problem, "{body}");
        assert_eq!(reply.body["error"]["details"]["errors"][0]["path"], at);
    }
    let body = json!({ "name": "王女士", "phone": "13912348999" });
    assert_eq!(service.post(WEBSITE, &body).send().await.status, 201);
    service.settle().await;
    let lead = found(&service, &manager, "/api/customers", "13912348999").await;
    assert_eq!(lead["assignedTo"]["_id"], employee.id.to_string());
    service.stop().await;
}
