//! What only one lead may have, under parallel load: phone, WeChat id, number (product.md G12).

use std::collections::BTreeSet;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tests::kit::{TestApp, lead, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// How many try at once.
const RIVALS: usize = 100;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_with_one_phone_one_is_created_and_the_others_use_nothing_up(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let before = app.head().await;
    let forms = ["13812348999", "+86 138 1234 8999", " 138-1234-8999", "8613812348999", "138 1234 8999 "];
    let tries = (0..RIVALS).map(|n| {
        let mut body = lead(&format!("客户{n}"), forms[n % forms.len()]);
        body["wechatId"] = json!(format!("wechat-{n}"));
        app.post("/api/customers", &body).by(&team.manager).send()
    });
    let replies = join_all(tries).await;
    let won: Vec<usize> = (0..RIVALS).filter(|n| replies[*n].status == 201).collect();
    assert_eq!(won.len(), 1, "{replies:?}");
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.problem(), (409, "DUPLICATE_PHONE"));
        assert_eq!(reply.message(), "该手机号已存在客户记录");
    }
    app.settle().await;
    let created = app.events_named("CustomerCreated", before).await;
    assert_eq!(created.len(), 1, "a refusal leaves no event");

    // The WeChat ids of the refused are free.
    let again = (0..RIVALS).filter(|n| *n != won[0]).take(20).map(|n| {
        let mut body = lead(&format!("客户{n}"), &phone(n));
        body["wechatId"] = json!(format!("wechat-{n}"));
        app.post("/api/customers", &body).by(&team.manager).send()
    });
    let again = join_all(again).await;
    for reply in &again {
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    let numbers: BTreeSet<_> = again.iter().map(|reply| reply.data()["customerId"].to_string()).collect();
    assert_eq!(numbers.len(), again.len(), "every lead has a number of its own");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_with_one_wechat_id_one_is_created(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let tries = (0..RIVALS).map(|n| {
        let mut body = lead(&format!("客户{n}"), &phone(n));
        body["wechatId"] = json!(if n % 2 == 0 { "wang_1990" } else { " wang_1990 " });
        app.post("/api/customers", &body).by(&team.manager).send()
    });
    let replies = join_all(tries).await;
    let won: Vec<usize> = (0..RIVALS).filter(|n| replies[*n].status == 201).collect();
    assert_eq!(won.len(), 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!(reply.problem(), (409, "DUPLICATE_WECHAT"));
        assert_eq!(reply.message(), "该微信号已存在客户记录");
    }
    let refused = (0..RIVALS).find(|n| *n != won[0]).unwrap_or_default();
    let free = app.post("/api/customers", &lead("王女士", &phone(refused))).by(&team.manager).send().await;
    assert_eq!(free.status, 201, "the phone of a refused lead is free: {free:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_given_up_can_be_taken(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let first = app.own_lead(&team.manager, 1).await;
    let second = app.own_lead(&team.manager, 2).await;
    let path = |id: &str| format!("/api/customers/{id}");
    let take = json!({ "phone": phone(1) });
    let taken = app.patch(&path(&second), &take).by(&team.manager).send().await;
    assert_eq!((taken.problem(), taken.message()), ((409, "DUPLICATE_PHONE"), "该手机号已被其他客户使用"));
    let moved = app.patch(&path(&first), &json!({ "phone": phone(3) })).by(&team.manager).send().await;
    assert_eq!(moved.data()["phone"], phone(3));
    let taken = app.patch(&path(&second), &take).by(&team.manager).send().await;
    assert_eq!(taken.data()["phone"], phone(1), "the first one gave it up");
    app.settle().await;
    let found = app.get(&format!("/api/customers?phone={}", phone(1))).by(&team.manager).send().await;
    assert_eq!((&found.data()["total"], &found.data()["customers"][0]["_id"]), (&json!(1), &json!(second)));
    app.finish().await;
}
