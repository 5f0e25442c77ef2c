//! Limits hold whatever the number of requests and processes: of a hundred at limit minus one exactly one passes,
//! and the refused ones use nothing up (product.md G12, faults.md F18).

use chrono::TimeDelta;
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Node, Reply, Setup, TestApp, lead, phone};
use tests::people;
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// Leads one person may own (domain.md section 2).
const CAP: usize = 50;

/// Requests at once.
const RIVALS: usize = 100;

async fn second_node(app: &TestApp, on: Backend) -> Option<Node> {
    match on {
        Postgres => Some(app.second().await),
        Sqlite => None, // belongs to one process
    }
}

/// `count` leads of `employee`'s, put into the pool.
async fn pooled(app: &TestApp, count: usize, from: usize) -> Vec<String> {
    let team = app.team.clone();
    let leads = join_all((from..from + count).map(|n| app.lead_of(&team.admin, &team.employee, n))).await;
    let body = json!({ "customerIds": leads, "reason": "客户不需要了" });
    let reply = app.post("/api/customers/batch-release-to-pool", &body).by(&team.admin).send().await;
    assert_eq!(reply.data()["success"], json!(count), "{reply:?}");
    leads
}

async fn held(node: &Node, person: &tests::kit::Person) -> i64 {
    let reply = node.get("/api/customers/my-customer-count").by(person).send().await;
    assert_eq!(reply.data()["limit"], json!(CAP));
    reply.data()["count"].as_i64().expect("a count")
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_claims_at_one_below_the_cap_one_passes(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let second = second_node(&app, on).await;
    let nodes: Vec<&Node> = [Some(&*app), second.as_ref()].into_iter().flatten().collect();
    let team = app.team.clone();
    let claimer = &team.colleague;
    join_all((0..CAP - 1).map(|n| app.lead_of(&team.admin, claimer, 1000 + n))).await;
    let leads = pooled(&app, RIVALS, 0).await;
    let claim = async |n: usize, lead: &String| {
        let body = json!({ "customerIds": [lead] });
        nodes[n % nodes.len()].post("/api/customers/public-pool/claim", &body).by(claimer).send().await
    };
    let replies: Vec<Reply> = join_all(leads.iter().enumerate().map(|(n, lead)| claim(n, lead))).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(passed, 1);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.problem(), (409, "HOLDING_LIMIT"), "{reply:?}");
    }
    assert_eq!(held(&app, claimer).await, 50);

    // One goes, one may come: the refused ones used nothing up.
    let list = app.get("/api/customers?limit=1").by(claimer).send().await;
    let owned = list.data()["customers"][0]["_id"].as_str().expect("an id").to_owned();
    let release =
        app.post(&format!("/api/customers/{owned}/release-to-pool"), &json!({ "reason": "客户找到了" }));
    assert_eq!(release.by(claimer).send().await.status, 200);
    let mut again = 0;
    for (n, lead) in leads.iter().enumerate().take(3) {
        again += usize::from(claim(n, lead).await.status == 200);
    }
    assert_eq!(again, 1);
    assert_eq!(held(&app, claimer).await, 50);
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_many_takes_what_there_is_room_for(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    join_all((0..CAP - 3).map(|n| app.lead_of(&team.admin, &team.colleague, 1000 + n))).await;
    let leads = pooled(&app, 5, 0).await;
    let body = json!({ "customerIds": leads });
    let reply = app.post("/api/customers/public-pool/claim", &body).by(&team.colleague).send().await;
    assert_eq!((&reply.data()["success"], &reply.data()["failed"]), (&json!(3), &json!(2)), "{reply:?}");
    for error in reply.data()["errors"].as_array().expect("errors") {
        assert_eq!(error["code"], "HOLDING_LIMIT");
    }
    let reply = app.post("/api/customers/public-pool/claim", &body).by(&team.colleague).send().await;
    assert_eq!(reply.status, 409, "{reply:?}");
    // Whoever assigns is not held to the cap unless the installation says so (domain.md section 2).
    let more = json!({ "customerIds": leads, "assignedTo": team.colleague.id });
    let reply = app.post("/api/customers/batch-assign", &more).by(&team.manager).send().await;
    assert_eq!(reply.data()["success"], 5, "{reply:?}");
    assert_eq!(held(&app, &team.colleague).await, 52);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_changes_to_one_phone_one_passes(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let second = second_node(&app, on).await;
    let nodes: Vec<&Node> = [Some(&*app), second.as_ref()].into_iter().flatten().collect();
    let team = app.team.clone();
    let wanted = phone(99_999);
    let leads = join_all((0..RIVALS / 2).map(|n| app.own_lead(&team.admin, n))).await;
    // Half of them change a lead that there is, half of them create one.
    let tries = (0..RIVALS).map(|n| {
        let node = nodes[n % nodes.len()];
        let call = match leads.get(n) {
            Some(lead) => node.patch(&format!("/api/customers/{lead}"), &json!({ "phone": wanted })),
            None => node.post("/api/customers", &lead("王女士", &wanted)),
        };
        call.by(&team.admin).send()
    });
    let replies: Vec<Reply> = join_all(tries).await;
    let passed = replies.iter().filter(|reply| reply.status < 300).count();
    assert_eq!(passed, 1);
    for reply in replies.iter().filter(|reply| reply.status >= 300) {
        assert_eq!(reply.problem(), (409, "DUPLICATE_PHONE"), "{reply:?}");
    }
    app.settle().await;
    // A deleted lead gives its phone back.
    let found = app.get(&format!("/api/customers?search={wanted}")).by(&team.admin).send().await;
    let holder = found.data()["customers"][0]["_id"].as_str().expect("an id").to_owned();
    let deleted = app.call(reqwest::Method::DELETE, &format!("/api/customers/{holder}")).by(&team.admin);
    assert_eq!(deleted.send().await.status, 204);
    let again = app.post("/api/customers", &lead("李女士", &wanted)).by(&team.admin).send().await;
    assert_eq!(again.status, 201, "{again:?}");
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_claims_at_one_below_the_quota_one_passes(#[values(Sqlite, Postgres)] on: Backend) {
    let more = vec![("LEADWIRE_LIMITS__CLAIMS_PER_DAY", "3".to_owned())];
    let app = TestApp::start_with(on, Setup { more, ..Setup::default() }).await;
    let second = second_node(&app, on).await;
    let nodes: Vec<&Node> = [Some(&*app), second.as_ref()].into_iter().flatten().collect();
    let claimer = &app.team.colleague;
    let leads = pooled(&app, RIVALS + 2, 0).await;
    let two = json!({ "customerIds": leads[..2] });
    let reply = app.post("/api/customers/public-pool/claim", &two).by(claimer).send().await;
    assert_eq!(reply.data()["success"], 2, "{reply:?}");
    let claims = leads[2..].iter().enumerate().map(|(n, lead)| {
        let body = json!({ "customerIds": [lead] });
        nodes[n % nodes.len()].post("/api/customers/public-pool/claim", &body).by(claimer).send()
    });
    let replies: Vec<Reply> = join_all(claims).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.problem(), (409, "CLAIM_QUOTA"), "{reply:?}");
    }
    // Another day, another quota; the refused ones used nothing up.
    app.settle().await;
    app.advance(TimeDelta::hours(25));
    let next = json!({ "customerIds": leads[2..6] });
    let token = people::token(app.app(), claimer.id, &claimer.username, claimer.role).expect("a token");
    let reply = app.post("/api/customers/public-pool/claim", &next).token(&token).send().await;
    assert_eq!(reply.data()["success"], 3, "{reply:?}");
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}
