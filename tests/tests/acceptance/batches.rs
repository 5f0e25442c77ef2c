//! Many leads given to one person at once: one command, one summary for each person it concerns.

use domain::notification::Channel;
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tests::kit::{TestApp, log};
use tests::scratch::Backend::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_tells_each_person_once_and_only_of_what_moved(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let first = app.lead_of(&team.manager, &team.employee, 1).await;
    let second = app.lead_of(&team.manager, &team.employee, 2).await;
    let third = app.lead_of(&team.manager, &team.admissions, 3).await;
    let kept = app.lead_of(&team.manager, &team.colleague, 4).await;
    app.settle().await;
    let (before, messages) = (app.head().await, app.wechat().ledger().len());

    let unknown = "0190a1b2-0000-7000-8000-000000000000";
    // One is named twice, one is hers already, one does not exist.
    let body = json!({
        "customerIds": [first, second, third, first, kept, unknown],
        "assignedTo": team.colleague.id, "assignmentReason": "团队调整",
    });
    let reply = app.post("/api/customers/batch-assign", &body).by(&team.operator).send().await;
    assert_eq!((reply.status, reply.message()), (200, "批量分配完成：成功 4 个，失败 1 个"));
    let data = reply.data();
    assert_eq!((&data["success"], &data["failed"]), (&json!(4), &json!(1)));
    let refused = json!([{ "customerId": unknown, "code": "CUSTOMER_NOT_FOUND", "error": "客户不存在" }]);
    assert_eq!(data["errors"], refused);
    let notice = &data["notificationData"];
    assert_eq!(notice["customerIds"], json!([first, second, third]));
    assert_eq!(notice["customerCount"], 3);
    assert_eq!(notice["assignedToId"], json!(team.colleague.id));
    assert_eq!((&notice["source"], &notice["assignerName"]), (&json!("团队调整"), &json!("孙丽")));
    assert!(notice["assignTime"].is_string());
    let members = notice.as_object().map(serde_json::Map::len);
    assert_eq!(members, Some(6), "the shape of system A and nothing else: {notice}");
    let list =
        app.get(&format!("/api/customers?assignedTo={}", team.colleague.id)).by(&team.operator).send().await;
    assert_eq!(list.data()["total"], 4, "at once, for whoever wrote it");

    app.settle().await;
    let transfers = app.events_named("CustomerTransferred", before).await;
    assert_eq!(transfers.len(), 3);
    let completed = app.events_named("BatchAssignmentCompleted", before).await;
    assert_eq!(completed.len(), 1);
    assert_eq!(transfers[0].metadata.command, completed[0].metadata.command, "one command");
    assert_eq!(log::types(&app.history(&kept).await).len(), 2, "it did not move");

    let summary = "您有 3 个新的客户，来源：团队调整，请及时跟进！".to_owned();
    assert_eq!(app.told(&team.colleague).await.last(), Some(&("CUSTOMER_ASSIGNED".to_owned(), summary)));
    assert_eq!(app.told(&team.colleague).await.len(), 2, "her own lead, and the summary");
    let lost = |count| ("CUSTOMER_TRANSFERRED_OUT".to_owned(), format!("您的 {count} 个客户已转移给 韩梅"));
    assert_eq!(app.told(&team.employee).await.last(), Some(&lost(2)));
    assert_eq!(app.told(&team.employee).await.len(), 3);
    assert_eq!(app.told(&team.admissions).await.last(), Some(&lost(1)));
    let notice = &app.inbox(&team.employee).await[0];
    assert_eq!(notice["data"]["customerIds"], json!([first, second]));

    let received = app.messages_after(messages);
    assert_eq!(received.len(), 1, "one message");
    let message = &received[0];
    assert_eq!(message.openid, team.colleague.openid);
    assert_eq!((&*message.data["thing1"], &*message.data["thing3"]), ("3个客户", "团队调整"));

    let decided = app.decisions().await;
    let of_leads: Vec<_> = decided
        .iter()
        .filter(|decision| transfers.iter().any(|transfer| transfer.event_id == decision.cause))
        .collect();
    assert_eq!(of_leads.len(), 3 * 2 * Channel::ALL.len(), "each lead, both owners, every channel");
    assert!(of_leads.iter().all(|decision| decision.decision == "merge"), "{of_leads:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_moves_nothing_tells_nobody(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let lead = app.lead_of(&team.manager, &team.employee, 1).await;
    app.settle().await;
    let (notices, messages) = (app.inbox(&team.employee).await.len(), app.wechat().ledger().len());
    let body = json!({ "customerIds": [lead], "assignedTo": team.employee.id });
    let reply = app.post("/api/customers/batch-assign", &body).by(&team.manager).send().await;
    assert_eq!((&reply.data()["success"], &reply.data()["failed"]), (&json!(1), &json!(0)));
    assert!(reply.data().get("notificationData").is_none());
    app.settle().await;
    assert_eq!(app.inbox(&team.employee).await.len(), notices);
    assert_eq!(app.wechat().ledger().len(), messages);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_batches_over_the_same_leads_share_them(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let leads = join_all((0..40).map(|n| app.own_lead(&team.manager, n))).await;
    let give = async |to: &tests::kit::Person| {
        let body = json!({ "customerIds": leads, "assignedTo": to.id });
        app.post("/api/customers/batch-assign", &body).by(&team.admin).send().await
    };
    let (to_employee, to_colleague) = tokio::join!(give(&team.employee), give(&team.colleague));
    // Whoever lost every lead to the other is told so (docs/adr/0009).
    let moved = |reply: &tests::kit::Reply| {
        if reply.status == 200 {
            return reply.data()["success"].as_i64().unwrap_or(0);
        }
        assert_eq!(reply.problem(), (409, "VERSION_CONFLICT"), "{reply:?}");
        0
    };
    app.settle().await;
    let transfers = app.events_named("CustomerTransferred", 0).await;
    let moves = i64::try_from(transfers.len()).unwrap_or(0);
    assert_eq!(moved(&to_employee) + moved(&to_colleague), moves, "every success has its event");
    for (reply, person) in [(&to_employee, &team.employee), (&to_colleague, &team.colleague)] {
        let named = reply.body["data"]["notificationData"]["customerIds"].as_array().map_or(0, Vec::len);
        let count = transfers.iter().filter(|transfer| transfer.payload["to"] == json!(person.id)).count();
        assert_eq!(named, count, "{} is named what moved", person.username);
        assert_eq!(app.messages(person).len(), usize::from(count > 0), "one summary");
    }
    app.finish().await;
}
