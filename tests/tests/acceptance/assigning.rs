//! One lead: created, assigned, transferred. Who is told, in which words, through what, and who sees what of it.

use domain::notification::Channel;
use rstest::rstest;
use serde_json::json;
use tests::kit::{TestApp, lead, log};
use tests::scratch::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_created_lead_is_told_to_its_owner_and_to_the_supervisors(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut body = lead("王女士", "+86 138 1234 8999");
    body["assignedTo"] = json!(team.employee.id);
    let call = app.post("/api/customers", &body).by(&team.manager).header("x-request-id", "story-1");
    let created = call.send().await;
    assert_eq!((created.status, created.version()), (201, 2));
    assert_eq!(created.header("x-request-id"), Some("story-1"));
    let id = created.id();
    let data = created.data();
    assert_eq!(data["phone"], "13812348999");
    assert_eq!(data["assignedTo"], json!(team.employee.id));
    assert_eq!(data["assignedToUser"], json!({ "name": "李雷", "username": "employee" }));
    assert_eq!(data["assignmentReason"], "创建时指定负责人");
    let number = data["customerId"].as_str().unwrap_or_default();
    assert!(number.len() == 14 && number.starts_with("CUS"), "{number}");

    // At once, for whoever wrote it: detail and list.
    let detail = app.get(&format!("/api/customers/{id}")).by(&team.manager).send().await;
    assert_eq!((detail.data(), detail.version()), (data, 2));
    let list = app.get("/api/customers?search=%E7%8E%8B%E5%A5%B3%E5%A3%AB").by(&team.manager).send().await;
    assert_eq!(list.data()["total"], 1);
    let owner = json!({ "_id": team.employee.id, "name": "李雷", "username": "employee" });
    assert_eq!(list.data()["customers"][0]["assignedTo"], owner);

    app.settle().await;
    let events = app.history(&id).await;
    assert_eq!(log::types(&events), ["CustomerCreated", "CustomerAssigned"]);
    assert_eq!(events[1].payload["to"], json!(team.employee.id));
    assert_eq!(events[1].payload["source"], json!({ "kind": "create" }));
    assert_eq!(events[0].metadata.command, events[1].metadata.command);
    let requests = app.events_named("NotificationRequested", 0).await;
    for event in events.iter().chain(&requests) {
        assert_eq!(event.metadata.correlation, "story-1", "{event:?}");
    }
    assert!(requests.iter().all(|request| request.metadata.causation.is_some()));

    let assigned = "您有新的客户【王女士】，电话：138****8999，来源：抖音，请及时跟进！";
    let created = "钱伟 创建了新客户：王女士（138****8999），来源：抖音";
    for (person, expected) in [
        (&team.employee, vec![("CUSTOMER_ASSIGNED", assigned)]),
        (&team.admin, vec![("CUSTOMER_CREATED", created)]),
        (&team.operator, vec![("CUSTOMER_CREATED", created)]),
        (&team.manager, vec![]),
        (&team.colleague, vec![]),
        (&team.dispatch, vec![]),
        (&team.admissions, vec![]),
    ] {
        let told = app.told(person).await;
        let told: Vec<_> = told.iter().map(|(kind, text)| (kind.as_str(), text.as_str())).collect();
        assert_eq!(told, expected, "{}", person.username);
    }
    let notice = &app.inbox(&team.employee).await[0];
    let expected = json!({
        "title": "客户分配通知", "priority": "HIGH", "status": "SENT", "icon": "BellOutlined", "color": "#ff4d4f",
        "actionUrl": format!("/customers/{id}"), "actionText": "立即跟进", "userId": team.employee.id, "seq": 1,
    });
    for (name, value) in expected.as_object().unwrap_or(&serde_json::Map::new()) {
        assert_eq!(&notice[name], value, "{name}");
    }

    let messages = app.messages(&team.employee);
    assert_eq!(app.wechat().ledger().len(), 1, "nobody else is told on the phone");
    assert_eq!(messages[0].data["thing1"], "王女士");
    assert_eq!(messages[0].data["phone_number2"], "138****8999");
    assert_eq!(messages[0].data["thing3"], "创建时指定负责人");
    assert_eq!(messages[0].page, Some(format!("pages/customer/detail?id={id}")));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_tells_the_new_owner_and_the_former_one(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut body = lead("王女士", "13812348999");
    body["assignedTo"] = json!(team.employee.id);
    let id = app.post("/api/customers", &body).by(&team.manager).send().await.id();
    app.settle().await; // the first message is gone before the lead moves on; else it would be taken back
    let body = json!({ "assignedTo": team.colleague.id, "assignmentReason": "客户要求换人" });
    let path = format!("/api/customers/{id}/assign");
    let moved = app.patch(&path, &body).by(&team.operator).if_match(2).send().await;
    assert_eq!((moved.status, moved.message(), moved.version()), (200, "客户分配成功", 3));
    let data = moved.data();
    assert_eq!((&data["assignedTo"], &data["transferCount"]), (&json!(team.colleague.id), &json!(1)));
    let notice = json!({
        "assignedToId": team.colleague.id, "customerName": "王女士", "customerPhone": "138****8999",
        "source": "客户要求换人", "assignerName": "孙丽", "customerId": id, "assignTime": data["assignedAt"],
        "serviceCategory": "月嫂", "leadSource": "抖音",
    });
    assert_eq!(data["notificationData"], notice);
    let detail = app.get(&format!("/api/customers/{id}")).by(&team.operator).send().await;
    assert_eq!(detail.data()["assignedTo"], json!(team.colleague.id), "at once, for whoever wrote it");

    let again = app.patch(&path, &body).by(&team.operator).send().await;
    assert_eq!((again.status, again.version()), (200, 3));
    assert!(again.data().get("notificationData").is_none(), "nothing changed hands");

    app.settle().await;
    let events = app.history(&id).await;
    assert_eq!(log::types(&events), ["CustomerCreated", "CustomerAssigned", "CustomerTransferred"]);
    let transfer = &events[2];
    assert_eq!(transfer.position, moved.position());
    assert_eq!(transfer.payload["from"], json!(team.employee.id));
    assert_eq!(transfer.payload["to"], json!(team.colleague.id));
    assert_eq!(transfer.payload["source"], json!({ "kind": "manual" }));
    assert_eq!(transfer.payload["reason"], "客户要求换人");

    let gained = ("CUSTOMER_TRANSFERRED".to_owned(), "客户 王女士 已从 李雷 转移给您，请及时跟进".to_owned());
    let lost = ("CUSTOMER_TRANSFERRED_OUT".to_owned(), "您的客户 王女士 已转移给 韩梅".to_owned());
    assert_eq!(app.told(&team.colleague).await, [gained]);
    assert_eq!(app.told(&team.employee).await.last(), Some(&lost));
    assert_eq!(app.messages(&team.colleague).len(), 1);
    assert_eq!(app.messages(&team.colleague)[0].data["thing3"], "客户要求换人");
    assert_eq!(app.messages(&team.employee).len(), 1, "of the assignment only");

    let decided = app.decisions().await;
    let mut decided: Vec<_> = decided
        .iter()
        .filter(|decision| decision.cause == transfer.event_id)
        .map(|decision| (decision.recipient, decision.channel.as_str(), decision.decision.as_str()))
        .collect();
    decided.sort_unstable();
    let told = [
        (team.colleague.id, Channel::InApp),
        (team.colleague.id, Channel::WechatSubscribe),
        (team.employee.id, Channel::InApp),
    ];
    let people = [team.colleague.id, team.employee.id];
    let both = people.iter().flat_map(|person| Channel::ALL.iter().map(|channel| (*person, *channel)));
    let decision = |row: (_, Channel)| if told.contains(&row) { "deliver" } else { "suppress" };
    let mut expected: Vec<_> = both.map(|row| (row.0, row.1.as_str(), decision(row))).collect();
    expected.sort_unstable();
    assert_eq!(decided, expected);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_assignment_log_names_who_gave_what_to_whom(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.lead_of(&team.manager, &team.employee, 1).await;
    let body = json!({ "assignedTo": team.colleague.id, "assignmentReason": "客户要求换人" });
    let moved = app.patch(&format!("/api/customers/{id}/assign"), &body).by(&team.operator).send().await;
    app.settle().await;
    let logs = app.get(&format!("/api/customers/{id}/assignment-logs")).by(&team.admin).send().await;
    let rows = logs.data().as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), 2);
    let (newest, oldest) = (&rows[0], &rows[1]);
    assert_eq!(newest["oldAssignedToUser"], json!({ "name": "李雷", "username": "employee" }));
    assert_eq!(newest["newAssignedToUser"], json!({ "name": "韩梅", "username": "colleague" }));
    assert_eq!(newest["assignedByUser"], json!({ "name": "孙丽", "username": "operator" }));
    assert_eq!((&newest["reason"], &newest["action"]), (&json!("客户要求换人"), &json!("assign")));
    assert_eq!(
        (&oldest["oldAssignedTo"], &oldest["newAssignedTo"]),
        (&json!(null), &json!(team.employee.id))
    );
    assert_eq!(
        (&newest["position"], &newest["assignedAt"]),
        (&json!(moved.position()), &moved.data()["assignedAt"])
    );
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_it_is_not_told_of_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.lead_of(&team.manager, &team.employee, 1).await;
    // The manager takes it, then gives it away through the mini program.
    app.assign(&id, &team.manager).by(&team.manager).send().await.data();
    let path = format!("/api/customers/miniprogram/{id}/assign");
    let body = json!({ "assignedTo": team.admissions.id });
    let given = app.patch(&path, &body).by(&team.manager).send().await;
    assert_eq!(given.data()["customerId"], json!(id), "the id, as the mini program expects");
    assert_eq!(given.data()["assignedTo"], json!(team.admissions.id));
    assert_eq!(given.data()["notificationData"]["source"], "手动分配");
    assert_eq!(given.data()["notificationData"]["customerId"], json!(id));
    app.settle().await;
    assert_eq!(app.told(&team.manager).await, []);
    assert_eq!(app.messages(&team.manager), []);
    assert_eq!(app.told(&team.admissions).await.len(), 1);
    assert_eq!(app.history(&id).await[3].payload["source"], json!({ "kind": "mini_program" }));
    let suppressed = app.wechat_deliveries(&team.manager).await;
    assert!(suppressed.is_empty(), "a notice nobody gets is a decision only: {suppressed:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_what_the_role_allows(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let body = lead("王女士", "13812348999");
    let id = app.post("/api/customers", &body).by(&team.admissions).send().await.id();
    app.assign(&id, &team.employee).by(&team.manager).send().await.data();
    app.settle().await;
    let detail = format!("/api/customers/{id}");
    // Role, status of the detail, rows of the list, the phone as it is shown.
    for (person, status, rows, phone) in [
        (&team.admin, 200, 1, "13812348999"),
        (&team.manager, 200, 1, "13812348999"),
        (&team.operator, 200, 1, "13812348999"),
        (&team.dispatch, 200, 0, "13812348999"),
        (&team.employee, 200, 1, "13812348999"),
        (&team.admissions, 200, 1, "138****8999"),
        (&team.colleague, 404, 0, ""),
    ] {
        let who = &person.username;
        let seen = app.get(&detail).by(person).send().await;
        assert_eq!(seen.status, status, "{who}");
        let list = app.get("/api/customers").by(person).send().await;
        assert_eq!(list.data()["total"], rows, "{who}");
        let logs = app.get(&format!("{detail}/assignment-logs")).by(person).send().await;
        assert_eq!(logs.status, status, "{who}");
        if status == 404 {
            assert_eq!(seen.problem(), (404, "CUSTOMER_NOT_FOUND"));
            continue;
        }
        assert_eq!(seen.data()["phone"], phone, "{who}");
        let full = !phone.contains('*');
        for hidden in ["address", "remarks", "assignmentReason", "createdBy", "inPublicPool", "isFrozen"] {
            let shown = seen.data().get(hidden).is_some();
            // Nobody gave a reason.
            assert_eq!(shown, full && hidden != "assignmentReason", "{hidden} for {who}");
        }
        for row in list.data()["customers"].as_array().into_iter().flatten() {
            assert_eq!(row["phone"], phone, "{who}");
            assert_eq!(row.get("address").is_some(), full, "{who}");
        }
        let text = seen.body.to_string() + &list.body.to_string();
        assert_eq!(text.contains("13812348999"), full, "{who}");
    }
    app.finish().await;
}
