//! What is found and counted among many customers: by text, number and phone, by cursor, and for the mini program.

use axum::http::Method;
use domain::staff::Role;
use serde_json::json;

use crate::customer_reads::{path, read};
use crate::kit::{Person, Service};

#[tokio::test]
async fn customers_are_found_by_text_number_and_phone() {
    let (service, [manager, employee, other]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    service.customer(&other, "13812348998").await;
    service.settle().await;
    for (who, search, rows) in
        [(&manager, "8123489", 2), (&employee, "8123489", 1), (&employee, "8998", 0), (&other, "%", 0)]
    {
        let found = read(&service, who, &format!("/api/customers/search?search={search}")).await;
        assert_eq!(found.data().as_array().unwrap().len(), rows, "{search} by {}", who.username);
    }
    let number = customer["customerId"].as_str().unwrap();
    for (who, number, status) in [
        (&employee, number, 200),
        (&manager, number, 200),
        (&other, number, 404),
        (&manager, "CUS00000099999", 404),
        (&manager, "nonsense", 404),
    ] {
        let shown = read(&service, who, &format!("/api/customers/customer-id/{number}")).await;
        assert_eq!(shown.status, status, "{number} by {}", who.username);
    }
    for (who, phone, status) in [
        (&employee, "13812348999", 200),
        (&employee, "+86%20138-1234-8999", 200),
        (&other, "13812348999", 404),
        (&manager, "13800000000", 404),
        (&manager, "12", 404),
    ] {
        let shown = read(&service, who, &format!("/api/customers/address-by-phone/{phone}")).await;
        assert_eq!(shown.status, status, "{phone} by {}", who.username);
        if status == 200 {
            assert_eq!(shown.data(), &json!({ "address": "杭州市西湖区" }));
        }
    }
    service.call(Method::DELETE, &path(&customer, "")).by(&manager).send().await;
    for gone in
        [format!("/api/customers/customer-id/{number}"), path(&customer, ""), path(&customer, "/history")]
    {
        let reply = service.get(&gone).by(&manager).send().await;
        assert_eq!(reply.problem(), (404, "CUSTOMER_NOT_FOUND"), "{gone}");
    }
    service.stop().await;
}

#[tokio::test]
async fn everybody_is_counted_what_the_list_shows() {
    let (service, [manager, employee, other]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    for (who, phone) in [(&employee, "13812348991"), (&employee, "13812348992"), (&other, "13812348993")] {
        service.customer(who, phone).await;
    }
    service.settle().await;
    for (who, total, mine) in [(&manager, 3, 0), (&employee, 2, 2), (&other, 1, 1)] {
        let counted = read(&service, who, "/api/customers/statistics").await;
        let expected = json!({
            "total": total, "byContractStatus": { "待定": total }, "byLeadSource": { "抖音": total },
            "byServiceCategory": { "月嫂": total }, "byLeadLevel": { "A类": total },
        });
        assert_eq!(counted.data(), &expected, "{}", who.username);
        let counted = read(&service, who, "/api/customers/miniprogram/statistics?leadStatus=未流转").await;
        let expected = json!({ "total": total, "myCustomers": mine, "byContractStatus": { "待定": total } });
        assert_eq!(counted.data(), &expected, "{}", who.username);
        let held = read(&service, who, "/api/customers/my-customer-count").await;
        assert_eq!(held.data(), &json!({ "count": mine, "limit": 50 }));
        let needs = read(&service, who, "/api/customers/baobei/list?limit=1").await;
        assert_eq!(
            (&needs.data()["total"], needs.data()["customers"].as_array().unwrap().len()),
            (&json!(total), 1)
        );
    }
    service.stop().await;
}

#[tokio::test]
async fn the_list_is_read_on_by_its_cursor_whatever_happens_meanwhile() {
    let (service, [manager]) = Service::with([Role::Manager]).await;
    for n in 0..5 {
        service.customer(&manager, &format!("1381234890{n}")).await;
    }
    let mut seen = Vec::new();
    let mut next = "/api/customers?limit=2&sortBy=phone&sortOrder=asc".to_owned();
    let first = next.clone();
    loop {
        let page = read(&service, &manager, &next).await;
        let data = page.data();
        seen.extend(
            data["customers"].as_array().unwrap().iter().map(|row| row["phone"].as_str().unwrap().to_owned()),
        );
        assert_eq!(data["page"].is_null(), next != first, "a cursor has no page number");
        let Some(cursor) = data["nextCursor"].as_str() else { break };
        next = format!("{first}&cursor={cursor}");
        // A newcomer before the cursor shifts pages, but not places.
        if seen.len() == 2 {
            service.customer(&manager, "13012348900").await;
        }
    }
    assert_eq!(seen, ["13812348900", "13812348901", "13812348902", "13812348903", "13812348904"]);
    let cursor = next.split_once("cursor=").unwrap().1;
    for wrong in [format!("/api/customers?cursor={cursor}"), "/api/customers?cursor=x".to_owned()] {
        let reply = read(&service, &manager, &wrong).await;
        assert_eq!(reply.problem(), (400, "VALIDATION_FAILED"), "{wrong}");
        assert_eq!(reply.body["error"]["details"]["errors"][0]["code"], "cursor");
    }
    let mini = read(&service, &manager, "/api/customers/miniprogram/list?limit=5").await;
    assert_eq!((&mini.data()["hasMore"], &mini.data()["total"]), (&json!(true), &json!(6)));
    let mini = read(&service, &manager, "/api/customers/miniprogram/list?limit=5&page=2").await;
    assert_eq!(mini.data()["hasMore"], false);
    service.stop().await;
}

#[tokio::test]
async fn the_mini_programs_first_page_counts_the_work() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    service.customer(&employee, "13812348998").await;
    let signed = json!({ "contractStatus": "已签约", "dealAmount": 50_000.5 });
    service.patch(&path(&customer, ""), &signed).by(&employee).send().await;
    let follow_up = json!({ "type": "phone", "content": "签约了" });
    service.post(&path(&customer, "/follow-ups"), &follow_up).by(&employee).send().await;
    service.settle().await;
    for (who, is_admin, target, rate) in
        [(&employee, false, 100_000.0, 50.0), (&manager, true, 200_000.0, 25.0)]
    {
        let today = read(&service, who, "/api/customers/miniprogram/today-todo-stats").await;
        let expected = json!({
            "totalLeads": 2, "monthAssigned": 2, "todayAssigned": 2, "pendingLeads": 1, "todaySigned": 1,
            "isAdmin": is_admin,
        });
        assert_eq!(today.data(), &expected, "{}", who.username);
        let progress = read(&service, who, "/api/customers/miniprogram/performance-progress").await;
        let expected = json!({
            "monthlySignedCount": 1, "monthlyPerformance": 50_000.5, "monthlyTarget": target,
            "completionRate": rate, "isAdmin": is_admin,
        });
        assert_eq!(progress.data(), &expected, "{}", who.username);
        let contracts = read(&service, who, "/api/customers/miniprogram/contract-stats").await;
        let expected = json!({
            "totalContracts": 1, "monthlySignedCount": 1, "todaySigned": 1, "totalAmount": 50_000.5,
            "isAdmin": is_admin,
        });
        assert_eq!(contracts.data(), &expected, "{}", who.username);
    }
    let colleagues = async |who: &Person| {
        let list = read(&service, who, "/api/customers/miniprogram/employees/list").await;
        list.data().as_array().unwrap().len()
    };
    assert_eq!((colleagues(&manager).await, colleagues(&employee).await), (2, 1));
    service.stop().await;
}
