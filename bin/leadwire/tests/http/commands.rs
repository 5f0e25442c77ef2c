//! Creating, changing and assigning customers: keys, versions, refusals.

use domain::staff::Role;
use futures_util::future::join_all;
use serde_json::json;

use crate::kit::{Service, lead};

#[tokio::test]
async fn a_customer_is_created_and_belongs_to_its_creator() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let reply = service.post("/api/customers", &lead("138 1234 8999")).by(&employee).send().await;
    assert_eq!(reply.status, 201);
    let customer = reply.data();
    assert_eq!(customer["assignedTo"], employee.id.to_string());
    assert_eq!(customer["assignedToUser"], json!({ "name": "姓名employee1", "username": "employee1" }));
    assert_eq!(customer["phone"], "13812348999");
    assert_eq!(customer["assignmentReason"], "创建默认分配给创建人");
    assert!(customer["customerId"].as_str().unwrap().starts_with("CUS"));
    assert_eq!(reply.header("etag"), Some("\"2\""));
    assert!(reply.header("x-position").unwrap().parse::<i64>().unwrap() > 0);

    let again = service.post("/api/customers", &lead("13812348999")).by(&employee).send().await;
    assert_eq!(again.problem(), (409, "DUPLICATE_PHONE"));
    assert_eq!(again.body["message"], "该手机号已存在客户记录");
    service.stop().await;
}

#[tokio::test]
async fn an_assignment_answers_with_the_customer_and_the_masked_notice() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/{}/assign", customer["_id"].as_str().unwrap());
    let body = json!({ "assignedTo": employee.id, "assignmentReason": "跟进" });
    let reply = service.patch(&path, &body).by(&manager).send().await;
    let data = reply.data();
    assert_eq!(data["assignedTo"], employee.id.to_string());
    assert_eq!(data["customerId"], customer["customerId"]);
    assert_eq!(data["transferCount"], 1);
    assert_eq!(data["phone"], "13812348999");
    let notice = &data["notificationData"];
    assert_eq!(notice["assignedToId"], employee.id.to_string());
    assert_eq!(notice["customerPhone"], "138****8999");
    assert_eq!(notice["customerId"], customer["_id"]);
    assert_eq!(notice["source"], "跟进");
    assert_eq!(notice["assignerName"], "姓名manager1");
    assert_eq!(notice["assignTime"], data["assignedAt"]);

    let same = service.patch(&path, &body).by(&manager).send().await;
    assert_eq!(same.status, 200);
    assert!(same.data().get("notificationData").is_none(), "nothing changed, nobody is told");
    assert_eq!(same.header("etag"), reply.header("etag"));
    service.stop().await;
}

#[tokio::test]
async fn the_mini_program_gets_the_id_as_customer_id() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/miniprogram/{}/assign", customer["_id"].as_str().unwrap());
    let body = json!({ "assignedTo": employee.id });
    let reply = service.patch(&path, &body).by(&manager).send().await;
    assert_eq!(reply.data()["customerId"], customer["_id"]);
    assert_eq!(reply.data()["assignedTo"], employee.id.to_string());
    assert_eq!(reply.data()["notificationData"]["source"], "手动分配");
    let refused = service.patch(&path, &body).by(&employee).send().await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    service.stop().await;
}

#[tokio::test]
async fn the_same_key_gives_the_first_answer_again() {
    let (service, [manager, first, second]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/{}/assign", customer["_id"].as_str().unwrap());
    let body = json!({ "assignedTo": first.id });
    let at_once = join_all((0..10).map(|_| service.patch(&path, &body).by(&manager).key("k-1").send())).await;
    for reply in &at_once {
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.body["data"], at_once[0].body["data"]);
        assert_eq!(reply.header("x-position"), at_once[0].header("x-position"));
    }
    let replayed = |reply: &&crate::kit::Reply| reply.header("idempotent-replayed") == Some("true");
    assert_eq!(at_once.iter().filter(replayed).count(), 9);

    let moved_on = service.patch(&path, &json!({ "assignedTo": second.id })).by(&manager).send().await;
    assert_eq!(moved_on.data()["assignedTo"], second.id.to_string());
    let late = service.patch(&path, &body).by(&manager).key("k-1").send().await;
    assert_eq!(late.body["data"], at_once[0].body["data"], "as it was then");

    let other =
        service.patch(&path, &json!({ "assignedTo": second.id })).by(&manager).key("k-1").send().await;
    assert_eq!(other.problem(), (422, "IDEMPOTENCY_KEY_REUSED"));
    service.stop().await;
}

#[tokio::test]
async fn of_many_who_saw_the_same_version_one_wins() {
    let (service, [manager, a, b, c]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee, Role::Employee]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/{}/assign", customer["_id"].as_str().unwrap());
    let assign = async |to: &crate::kit::Person| {
        let body = json!({ "assignedTo": to.id });
        service.patch(&path, &body).by(&manager).header("if-match", "\"2\"").send().await
    };
    let replies = join_all([&a, &b, &c].map(assign)).await;
    let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 2));
    for reply in lost {
        assert_eq!(reply.problem(), (409, "VERSION_CONFLICT"));
        let details = &reply.body["error"]["details"];
        assert_eq!(details["currentOwner"]["id"], won[0].data()["assignedTo"]);
        assert_eq!(details["currentOwner"]["name"], won[0].data()["assignedToUser"]["name"]);
        assert_eq!(details["version"], 3);
    }
    service.stop().await;
}

#[tokio::test]
async fn refusals_have_their_own_codes() {
    let (service, [admin, employee, gone]) =
        Service::with([Role::Admin, Role::Employee, Role::Employee]).await;
    service.suspend(&gone).await;
    let customer = service.customer(&admin, "13812348999").await;
    let path = format!("/api/customers/{}/assign", customer["_id"].as_str().unwrap());
    let nowhere = format!("/api/customers/{}/assign", employee.id);
    let good = json!({ "assignedTo": employee.id });
    for (who, path, body, problem) in [
        (&employee, &*path, good.clone(), (403, "FORBIDDEN")),
        (&admin, &*nowhere, good.clone(), (404, "CUSTOMER_NOT_FOUND")),
        (&admin, "/api/customers/not-an-id/assign", good.clone(), (404, "CUSTOMER_NOT_FOUND")),
        (&admin, &*path, json!({ "assignedTo": gone.id }), (422, "STAFF_INACTIVE")),
        (&admin, &*path, json!({ "assignedTo": customer["_id"] }), (422, "STAFF_NOT_FOUND")),
        (&admin, &*path, json!({ "assignedTo": "x" }), (422, "VALIDATION_FAILED")),
        (&admin, &*path, json!({ "assignedTo": employee.id, "force": true }), (400, "VALIDATION_FAILED")),
    ] {
        let reply = service.patch(path, &body).by(who).send().await;
        assert_eq!(reply.problem(), problem, "{path} {body}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_batch_tells_item_by_item_and_names_only_what_moved() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let moved = service.customer(&manager, "13812348999").await;
    let kept = service.customer(&employee, "13812348998").await;
    let body = json!({ "customerIds": [moved["_id"], kept["_id"], manager.id], "assignedTo": employee.id });
    let reply = service.post("/api/customers/batch-assign", &body).by(&manager).key("batch").send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["message"], "批量分配完成：成功 2 个，失败 1 个");
    let data = reply.data();
    assert_eq!((&data["success"], &data["failed"]), (&json!(2), &json!(1)));
    assert_eq!(
        data["errors"],
        json!([{ "customerId": manager.id, "code": "CUSTOMER_NOT_FOUND", "error": "客户不存在" }])
    );
    let notice = &data["notificationData"];
    assert_eq!((&notice["customerCount"], &notice["customerIds"]), (&json!(1), &json!([moved["_id"]])));
    let again = service.post("/api/customers/batch-assign", &body).by(&manager).key("batch").send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.body["data"], reply.body["data"]);
    service.stop().await;
}

#[tokio::test]
async fn an_update_changes_fields_but_never_the_owner() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let path = format!("/api/customers/{}", customer["_id"].as_str().unwrap());
    let body = json!({ "remarks": "会说粤语", "address": null, "contractStatus": "签约中" });
    let reply = service.patch(&path, &body).by(&employee).header("if-match", "\"2\"").send().await;
    assert_eq!(reply.data()["remarks"], "会说粤语");
    assert_eq!(reply.data()["contractStatus"], "签约中");
    assert!(reply.data().get("address").is_none());
    assert_eq!(reply.header("etag"), Some("\"4\""));
    let stale = service.patch(&path, &body).by(&employee).header("if-match", "\"2\"").send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    let stolen = service.patch(&path, &json!({ "assignedTo": manager.id })).by(&employee).send().await;
    assert_eq!(stolen.problem(), (400, "VALIDATION_FAILED"));
    let level = service.patch(&path, &json!({ "leadLevel": "O类" })).by(&employee).send().await;
    assert_eq!(level.problem(), (403, "FORBIDDEN"));
    service.stop().await;
}
