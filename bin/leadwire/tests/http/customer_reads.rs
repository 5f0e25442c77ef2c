//! What is told about one customer: the public pool, follow-ups, the history, the logs.

use domain::staff::Role;
use serde_json::{Value, json};

use crate::kit::{Person, Reply, Service, lead};

/// A customer's address with something behind it.
pub(crate) fn path(customer: &Value, rest: &str) -> String {
    format!("/api/customers/{}{rest}", customer["_id"].as_str().unwrap())
}

/// What somebody reads at an address.
pub(crate) async fn read(service: &Service, by: &Person, path: &str) -> Reply {
    service.get(path).by(by).send().await
}

/// A customer with a text in every field that somebody could be reached by, given back by its owner.
async fn pooled(service: &Service, owner: &Person, phone: &str) -> Value {
    let mut body = lead(phone);
    for (field, value) in [
        ("wechatId", json!(format!("wechat-of-{phone}"))),
        ("idCardNumber", json!("110101199003070000")),
        ("remarks", json!("call 13912345678")),
        ("salaryBudget", json!(8000)),
        ("needServiceAddress", json!("文三路")),
    ] {
        body[field] = value;
    }
    let reply = service.post("/api/customers", &body).by(owner).send().await;
    let customer = reply.data().clone();
    let follow_up = json!({ "type": "phone", "content": "客户的另一个电话 13912345678" });
    let told = service.post(&path(&customer, "/follow-ups"), &follow_up).by(owner).send().await;
    assert_eq!(told.status, 201, "{told:?}");
    let reason = json!({ "reason": "13912345678 不需要了" });
    let released = service.post(&path(&customer, "/release-to-pool"), &reason).by(owner).send().await;
    assert_eq!(released.status, 200, "{released:?}");
    customer
}

#[tokio::test]
async fn the_pool_shows_everybody_what_waits_and_managers_how_to_reach_it() {
    let (service, [manager, operator, employee, colleague]) =
        Service::with([Role::Manager, Role::Operator, Role::Employee, Role::Employee]).await;
    pooled(&service, &employee, "13812348999").await;
    service.settle().await;
    let pool = read(&service, &manager, "/api/customers/public-pool").await;
    let row = &pool.data()["customers"][0];
    assert_eq!((&row["phone"], &row["remarks"]), (&json!("13812348999"), &json!("call 13912345678")));
    assert_eq!((&row["leadLevel"], &row["originalLeadLevel"]), (&json!("流失"), &json!("A类")));
    assert_eq!(
        row["lastFollowUpBy"],
        json!({ "_id": employee.id, "name": "姓名employee1", "username": "employee1" })
    );
    assert_eq!((&row["inPublicPool"], &row["assignedTo"]), (&json!(true), &Value::Null));
    assert_eq!(row["publicPoolEntryReason"], "13912345678 不需要了");
    for who in [&operator, &employee, &colleague] {
        let pool = read(&service, who, "/api/customers/public-pool?minBudget=8000&leadLevel=流失").await;
        let row = &pool.data()["customers"][0];
        assert_eq!((&row["phone"], &row["salaryBudget"]), (&json!("138****8999"), &json!(8000)));
        assert_eq!(row["publicPoolEntryReason"], "139****5678 不需要了");
        let text = pool.body.to_string();
        for secret in ["13812348999", "13912345678", "wechat-of", "110101199003070000", "文三路", "西湖"]
        {
            assert!(!text.contains(secret), "{secret} for {}: {text}", who.username);
        }
    }
    for (who, search, rows) in [
        (&manager, "1234", 1),
        (&manager, "wechat-of", 1),
        (&colleague, "1234", 0),
        (&colleague, "wechat-of", 0),
        (&colleague, "王女", 1),
        (&colleague, "138-1234-8999", 1),
    ] {
        let pool = read(&service, who, &format!("/api/customers/public-pool?search={search}")).await;
        assert_eq!(pool.data()["total"], rows, "{search} for {}", who.username);
    }
    service.stop().await;
}

#[tokio::test]
async fn whoever_sees_no_phone_of_a_pooled_customer_finds_it_nowhere() {
    let (service, [operator, dispatch, employee, admissions]) =
        Service::with([Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions]).await;
    let customer = pooled(&service, &admissions, "13812348999").await;
    service.settle().await;
    let number = customer["customerId"].as_str().unwrap();
    let by_number = format!("/api/customers/customer-id/{number}");
    let about: Vec<String> =
        ["", "/follow-ups", "/follow-up-status", "/assignment-logs", "/public-pool-logs", "/history"]
            .iter()
            .map(|rest| path(&customer, rest))
            .chain([by_number, path(&customer, "").replace("customers/", "customers/miniprogram/")])
            .collect();
    for who in [&operator, &dispatch, &admissions] {
        for path in &about {
            let reply = read(&service, who, path).await;
            assert_eq!(reply.status, 200, "{path} for {}", who.username);
            let text = reply.body.to_string();
            for secret in ["13812348999", "13912345678", "wechat-of"] {
                assert!(!text.contains(secret), "{secret} in {path} for {}: {text}", who.username);
            }
        }
        let address = read(&service, who, "/api/customers/address-by-phone/13812348999").await;
        assert_eq!(address.problem(), (404, "CUSTOMER_NOT_FOUND"), "{}", who.username);
    }
    for path in &about {
        assert_eq!(read(&service, &employee, path).await.problem(), (404, "CUSTOMER_NOT_FOUND"), "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn the_pool_is_counted_and_its_log_names_everybody() {
    let (service, [admin, manager, employee]) =
        Service::with([Role::Admin, Role::Manager, Role::Employee]).await;
    let customer = pooled(&service, &employee, "13812348999").await;
    pooled(&service, &employee, "13812348998").await;
    let ids = json!({ "customerIds": [customer["_id"]], "assignedTo": manager.id, "reason": "试试" });
    let assigned = service.post("/api/customers/public-pool/assign", &ids).by(&admin).send().await;
    assert_eq!(assigned.data()["success"], 1, "{assigned:?}");
    let counted = read(&service, &admin, "/api/customers/public-pool/statistics").await;
    let expected = json!({
        "total": 1, "todayEntered": 2, "todayClaimed": 1, "byLeadSource": { "抖音": 1 }, "byLeadLevel": { "A类": 1 },
    });
    assert_eq!(counted.data(), &expected);
    let logs = read(&service, &manager, &path(&customer, "/public-pool-logs")).await;
    let log = &logs.data()[0];
    assert_eq!((&log["action"], &log["reason"]), (&json!("assign"), &json!("试试")));
    assert_eq!(log["operatorId"]["username"], "admin1");
    assert_eq!(log["toUserId"]["username"], "manager1");
    assert_eq!(logs.data()[1]["fromUserId"]["username"], "employee1");
    let all = read(&service, &admin, "/api/customers/public-pool/logs?limit=2&page=2").await;
    assert_eq!((&all.data()["total"], &all.data()["totalPages"]), (&json!(3), &json!(2)));
    assert_eq!(all.data()["logs"][0]["customerName"], "王女士");
    assert_eq!(all.data()["logs"][0]["customerNumber"], customer["customerId"]);
    for closed in ["/statistics", "/logs"] {
        let refused = read(&service, &employee, &format!("/api/customers/public-pool{closed}")).await;
        assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    }
    service.stop().await;
}

#[tokio::test]
async fn follow_ups_are_read_newest_first_and_decide_the_status() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let assign = json!({ "assignedTo": employee.id });
    service.patch(&path(&customer, "/assign"), &assign).by(&manager).send().await;
    let status =
        async || read(&service, &employee, &path(&customer, "/follow-up-status")).await.data().clone();
    let tell = async |who: &Person, kind: &str, content: &str| {
        let body = json!({ "type": kind, "content": content });
        let told = service.post(&path(&customer, "/follow-ups"), &body).by(who).send().await;
        assert_eq!(told.status, 201, "{told:?}");
    };
    service.settle().await;
    assert_eq!(status().await["followUpStatus"], "流转未跟进");
    tell(&manager, "wechat", "加了微信").await;
    tell(&manager, "other", "系统：某某从公海领取了该客户").await;
    service.settle().await;
    let expected = json!({
        "customerId": customer["_id"], "customerName": "王女士", "followUpStatus": "流转未跟进",
        "transferCount": 1, "hasFollowUp": true, "currentOwnerHasFollowUp": false,
    });
    assert_eq!(status().await, expected);
    tell(&employee, "phone", "约了周五面试").await;
    let list = read(&service, &employee, &path(&customer, "/follow-ups")).await;
    let told: Vec<_> = list.data().as_array().unwrap().iter().map(|one| one["content"].clone()).collect();
    assert_eq!(told, ["约了周五面试", "加了微信"], "what one just wrote is there, system notes are not");
    let author = json!({ "_id": employee.id, "name": "姓名employee1", "username": "employee1" });
    assert_eq!((&list.data()[0]["type"], &list.data()[0]["createdBy"]), (&json!("phone"), &author));
    assert_eq!(status().await["followUpStatus"], "已跟进");
    let second = read(&service, &employee, &path(&customer, "/follow-ups?page=2&limit=1")).await;
    assert_eq!(second.data()[0]["content"], "加了微信");
    let too_many = read(&service, &employee, &path(&customer, "/follow-ups?limit=201")).await;
    assert_eq!(too_many.problem(), (400, "VALIDATION_FAILED"));
    service.stop().await;
}

#[tokio::test]
async fn the_history_tells_everything_in_the_readers_language() {
    let (service, [admin, manager, employee]) =
        Service::with([Role::Admin, Role::Manager, Role::Employee]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let assign = json!({ "assignedTo": employee.id, "assignmentReason": "跟进" });
    let keyed = service.patch(&path(&customer, "/assign"), &assign).by(&manager);
    let assigned = keyed.header("x-request-id", "request-7").send().await;
    let change = json!({ "address": "新地址", "contractStatus": "匹配中" });
    service.patch(&path(&customer, ""), &change).by(&employee).send().await;
    service.patch(&path(&customer, "/freeze"), &json!({ "reason": "纠纷" })).by(&admin).send().await;
    let told = read(&service, &employee, &path(&customer, "/history")).await;
    let words: Vec<_> = told.data()["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["actorName"].as_str().unwrap(), event["description"].as_str().unwrap()))
        .collect();
    let expected = [
        ("姓名admin1", "冻结了线索，原因：纠纷"),
        ("姓名employee1", "客户状态：待定 → 匹配中"),
        ("姓名employee1", "修改了地址"),
        ("姓名manager1", "由 姓名manager1 转给 姓名employee1，原因：跟进"),
        ("姓名manager1", "创建时分配给 姓名manager1，原因：创建默认分配给创建人"),
        ("姓名manager1", "创建了客户"),
    ];
    assert_eq!(words, expected);
    let event = &told.data()["events"][3];
    assert_eq!((&event["eventType"], &event["sequence"]), (&json!("CustomerTransferred"), &json!(3)));
    assert_eq!((&event["correlationId"], &event["actorId"]), (&json!("request-7"), &json!(manager.id)));
    assert_eq!(event["position"].to_string(), assigned.header("x-position").unwrap());
    assert_eq!(told.header("etag"), Some("\"6\""));

    let english = service.get(&path(&customer, "/history?limit=2&before=5")).by(&employee);
    let english = english.header("accept-language", "en").send().await;
    let events = english.data()["events"].as_array().unwrap();
    assert_eq!(events[0]["description"], "changed address");
    assert_eq!((events.len(), &english.data()["before"]), (2, &json!(3)), "and there are earlier ones");
    let first = read(&service, &employee, &path(&customer, "/history?before=2")).await;
    assert_eq!(first.data()["before"], Value::Null, "the beginning");
    service.stop().await;
}

#[tokio::test]
async fn the_operation_log_says_what_changed_to_administrators() {
    let (service, [admin, manager]) = Service::with([Role::Admin, Role::Manager]).await;
    let customer = service.customer(&manager, "13812348999").await;
    let change = json!({ "phone": "13812348998", "leadLevel": "B类" });
    service.patch(&path(&customer, ""), &change).by(&manager).send().await;
    let follow_up = json!({ "type": "visit", "content": "到店了" });
    let told = service.post(&path(&customer, "/follow-ups"), &follow_up).by(&manager).send().await;
    let logs = read(&service, &admin, &path(&customer, "/operation-logs")).await;
    let logs = logs.data().as_array().unwrap();
    let types: Vec<_> = logs.iter().map(|log| log["operationType"].as_str().unwrap()).collect();
    assert_eq!(types, ["create_follow_up", "change_lead_level", "update", "assign", "create"]);
    let update = &logs[2];
    assert_eq!(update["details"]["before"], json!({ "phone": "13812348999" }));
    assert_eq!(update["details"]["after"], json!({ "phone": "13812348998" }));
    assert_eq!(
        (&update["operationName"], &update["details"]["description"]),
        (&json!("更新客户"), &json!("修改了电话"))
    );
    assert_eq!(
        update["operator"],
        json!({ "_id": manager.id, "name": "姓名manager1", "username": "manager1" })
    );
    assert_eq!(
        (&logs[1]["details"]["before"], &logs[1]["details"]["after"]),
        (&json!({ "leadLevel": "A类" }), &json!({ "leadLevel": "B类" }))
    );
    assert_eq!(logs[0]["details"]["relatedId"], told.data()["_id"]);
    assert_eq!(logs[0]["details"]["after"]["content"], "到店了");
    assert_eq!(logs[3]["details"]["after"]["assignedTo"], json!(manager.id));
    assert_eq!(
        (&logs[4]["details"]["before"], &logs[4]["details"]["after"]["name"]),
        (&json!({}), &json!("王女士"))
    );
    let refused = read(&service, &manager, &path(&customer, "/operation-logs")).await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    service.stop().await;
}

#[tokio::test]
async fn the_website_is_named_as_the_part_of_the_system_that_acted() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let form = json!({ "name": "李女士", "phone": "13812348999" });
    assert_eq!(service.post("/api/customers/website-lead", &form).send().await.status, 201);
    service.settle().await;
    let pool = read(&service, &admin, "/api/customers/public-pool").await;
    let customer = &pool.data()["customers"][0];
    assert_eq!(customer["createdBy"], "系统-官网");
    let logs = read(&service, &admin, &path(customer, "/operation-logs")).await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    assert_eq!(logs.data()[0]["operatorId"], nobody);
    assert_eq!(logs.data()[0]["operator"]["name"], "系统-官网");
    let told = read(&service, &admin, &path(customer, "/history")).await;
    let event = &told.data()["events"][0];
    assert_eq!((&event["actorId"], &event["actorName"]), (&Value::Null, &json!("系统-官网")));
    let passages = read(&service, &admin, &path(customer, "/public-pool-logs")).await;
    assert_eq!(
        (&passages.data()[0]["action"], &passages.data()[0]["operatorId"]["name"]),
        (&json!("enter"), &json!("系统-官网"))
    );
    let shown =
        read(&service, &admin, &path(customer, "").replace("customers/", "customers/miniprogram/")).await;
    assert_eq!(shown.data()["createdByName"], "系统-官网");
    assert_eq!(
        (&shown.data()["assignedToName"], &shown.data()["assignedByName"]),
        (&json!("未分配"), &json!("未知"))
    );
    service.stop().await;
}
