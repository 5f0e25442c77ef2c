//! Lists and details: rows by role, fields by role, freshness.

use domain::staff::Role;
use serde_json::json;

use crate::kit::Service;

#[tokio::test]
async fn everybody_sees_the_own_rows_and_fields() {
    let (service, [manager, dispatch, employee, other, admissions]) =
        Service::with([Role::Manager, Role::Dispatch, Role::Employee, Role::Employee, Role::Admissions])
            .await;
    let lead = service.customer(&admissions, "13812348999").await;
    let path = format!("/api/customers/{}", lead["_id"].as_str().unwrap());
    let body = json!({ "assignedTo": employee.id });
    service.patch(&format!("{path}/assign"), &body).by(&manager).send().await;
    service.settle().await;
    for (who, rows, detail, phone) in [
        (&manager, 1, 200, Some("13812348999")),
        (&dispatch, 0, 200, Some("13812348999")),
        (&employee, 1, 200, Some("13812348999")),
        (&other, 0, 404, None),
        (&admissions, 1, 200, Some("138****8999")),
    ] {
        let list = service.get("/api/customers").by(who).send().await;
        assert_eq!(list.data()["total"], rows, "{}", who.username);
        assert_eq!(list.data()["customers"].as_array().unwrap().len(), rows);
        let shown = service.get(&path).by(who).send().await;
        assert_eq!(shown.status, detail, "{}", who.username);
        assert_eq!(shown.body["data"]["phone"].as_str(), phone, "{}", who.username);
        let logs = service.get(&format!("{path}/assignment-logs")).by(who).send().await;
        assert_eq!(logs.status, detail, "{}", who.username);
    }
    service.stop().await;
}

#[tokio::test]
async fn one_reads_what_one_wrote() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    for n in 0..20 {
        let lead = service.customer(&manager, &format!("138123489{n:02}")).await;
        let path = format!("/api/customers/{}", lead["_id"].as_str().unwrap());
        let list = service.get("/api/customers?limit=1").by(&manager).send().await;
        assert_eq!(list.data()["total"], n + 1);
        let body = json!({ "assignedTo": employee.id });
        let assigned = service.patch(&format!("{path}/assign"), &body).by(&manager).send().await;
        let position = assigned.header("x-position").unwrap();
        let shown = service.get(&path).by(&employee).header("x-min-position", position).send().await;
        assert_eq!(shown.data()["assignedTo"], employee.id.to_string());
        assert_eq!(shown.header("etag"), assigned.header("etag"));
        assert_eq!(shown.header("x-read-position"), None);
    }
    service.stop().await;
}

#[tokio::test]
async fn a_position_that_never_comes_gives_a_stale_answer_that_says_so() {
    let (service, [manager]) = Service::with([Role::Manager]).await;
    service.customer(&manager, "13812348999").await;
    service.settle().await;
    let reply = service.get("/api/customers?minPosition=1000000").by(&manager).send().await;
    assert_eq!(reply.data()["total"], 1);
    assert!(reply.header("x-read-position").unwrap().parse::<i64>().unwrap() < 1_000_000);
    let bad = service.get("/api/customers").by(&manager).header("x-min-position", "-1").send().await;
    assert_eq!(bad.problem(), (400, "INVALID_HEADER"));
    service.stop().await;
}

#[tokio::test]
async fn the_assignment_log_names_everybody() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let lead = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/{}", lead["_id"].as_str().unwrap());
    let body = json!({ "assignedTo": employee.id, "assignmentReason": "跟进" });
    service.patch(&format!("{path}/assign"), &body).by(&manager).send().await;
    let logs = service.get(&format!("{path}/assignment-logs")).by(&manager).send().await;
    let logs = logs.data().as_array().unwrap();
    assert_eq!(logs.len(), 2);
    assert_eq!(logs[0]["oldAssignedToUser"]["username"], "manager1");
    assert_eq!(logs[0]["newAssignedToUser"]["username"], "employee1");
    assert_eq!(logs[0]["assignedByUser"]["username"], "manager1");
    assert_eq!(logs[0]["reason"], "跟进");
    assert_eq!(logs[1]["oldAssignedTo"], json!(null));
    service.stop().await;
}

#[tokio::test]
async fn assignees_are_listed_for_those_who_may_pick_them() {
    let (service, [manager, employee, gone]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    service.suspend(&gone).await;
    service.settle().await;
    let list = service.get("/api/customers/assignable-users").by(&manager).send().await;
    let names: Vec<_> = list.data().as_array().unwrap().iter().map(|user| user["username"].clone()).collect();
    assert_eq!(names, ["employee1", "manager1"]);
    let refused = service.get("/api/customers/assignable-users").by(&employee).send().await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    let enums = service.get("/api/customers/enums").send().await;
    assert_eq!(enums.data()["leadSource"].as_array().unwrap().len(), 22);
    service.stop().await;
}
