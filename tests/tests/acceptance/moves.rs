//! Everybody grabs for one lead at once, by every pair of paths there is: exactly one gets it, exactly the notices of
//! that one move go out, and every other one learns why not (product.md G3, faults.md F17).

mod rules;
mod scans;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Call, Node, Person, Reply, Team, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// Tries of each pair, half of them by each path.
const TRIES: usize = 200;

/// Why a lead may not move, as programs read it.
const REASONS: [&str; 5] =
    ["NOT_IN_POOL", "ALREADY_IN_POOL", "VERSION_CONFLICT", "NOT_OWNED", "CUSTOMER_NOT_FOUND"];

/// A way to change who owns a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Claim,
    PoolAssign,
    Assign,
    Release,
}

use Path::{Assign, Claim, PoolAssign, Release};

/// Where the lead is when the grabbing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Pool,
    Owned,
}

/// Every pair, from a state in which at least one of the two may win. `Assign` of an owned lead is a transfer.
const PAIRS: [(Path, Path, Start); 13] = [
    (Claim, Claim, Start::Pool),
    (Claim, PoolAssign, Start::Pool),
    (Claim, Assign, Start::Pool),
    (Claim, Release, Start::Pool),
    (PoolAssign, PoolAssign, Start::Pool),
    (PoolAssign, Assign, Start::Pool),
    (PoolAssign, Release, Start::Pool),
    (Assign, Assign, Start::Pool),
    (Assign, Release, Start::Pool),
    (Claim, Assign, Start::Owned),
    (PoolAssign, Assign, Start::Owned),
    (Assign, Release, Start::Owned),
    (Release, Release, Start::Owned),
];

/// One try. What changes one lead says which version it saw; what takes several goes by their state.
fn attempt<'n>(node: &'n Node, team: &Team, path: Path, lead: &str, version: i64, n: usize) -> Call<'n> {
    let takers = [&team.dispatch, &team.colleague, &team.operator];
    let taker = takers[n % takers.len()];
    match path {
        Claim => node.post("/api/customers/public-pool/claim", &json!({ "customerIds": [lead] })).by(taker),
        PoolAssign => {
            let body = json!({ "customerIds": [lead], "assignedTo": taker.id, "reason": "公海分配" });
            node.post("/api/customers/public-pool/assign", &body).by(&team.manager)
        }
        Assign => node.assign(lead, taker).by(&team.admin).if_match(version),
        Release => {
            let body = json!({ "reason": "客户找到了" });
            let path = format!("/api/customers/{lead}/release-to-pool");
            node.post(&path, &body).by(&team.manager).if_match(version)
        }
    }
}

/// What everybody was told, so that what is new can be told apart.
async fn inboxes(app: &TestApp) -> Vec<(Person, usize)> {
    let mut counts = Vec::new();
    for person in app.team.everybody() {
        counts.push((person.clone(), app.told(person).await.len()));
    }
    counts
}

/// Who must have been told what of the one event that happened.
fn expected(event_type: &str, payload: &Value) -> Vec<(Value, &'static str)> {
    let to = payload["to"].clone();
    let from = payload["from"].clone();
    match event_type {
        "CustomerClaimed" => vec![],
        "CustomerAssigned" if payload["source"]["kind"] == "pool" => {
            vec![(to, "CUSTOMER_ASSIGNED_FROM_POOL")]
        }
        "CustomerAssigned" => vec![(to, "CUSTOMER_ASSIGNED")],
        "CustomerTransferred" => vec![(to, "CUSTOMER_TRANSFERRED"), (from, "CUSTOMER_TRANSFERRED_OUT")],
        "CustomerReleased" => vec![(from, "CUSTOMER_RECLAIMED")],
        other => panic!("{other} does not change who owns a lead"),
    }
}

/// A lead that `employee` owns, or that waits in the pool after having been theirs; and its version.
async fn begin(app: &TestApp, start: Start, n: usize) -> (String, i64) {
    let team = app.team.clone();
    let lead = app.lead_of(&team.manager, &team.employee, n).await;
    if start == Start::Pool {
        let path = format!("/api/customers/{lead}/release-to-pool");
        let reply = app.post(&path, &json!({ "reason": "客户不需要了" })).by(&team.employee).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let version = app.history(&lead).await.last().expect("it was created").sequence;
    (lead, version)
}

fn check_refusal(reply: &Reply, pair: impl std::fmt::Debug) {
    let (status, code) = reply.problem();
    assert_eq!(status, 409, "{pair:?}: {reply:?}");
    assert!(REASONS.contains(&code), "{pair:?}: {reply:?}");
    assert!(!reply.message().is_empty(), "{reply:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_who_grab_for_one_lead_exactly_one_gets_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let second = match on {
        Postgres => Some(app.second().await),
        Sqlite => None, // belongs to one process
    };
    let nodes: Vec<&Node> = [Some(&*app), second.as_ref()].into_iter().flatten().collect();
    for (n, pair) in PAIRS.iter().enumerate() {
        let (lead, version) = begin(&app, pair.2, n).await;
        app.settle().await;
        let (head, before) = (app.head().await, inboxes(&app).await);
        let tries = (0..TRIES).map(|n| {
            let path = if n % 2 == 0 { pair.0 } else { pair.1 };
            // Four turns of the dice: which path, which process, in which order.
            attempt(nodes[(n / 2) % nodes.len()], &app.team, path, &lead, version, n / 2).send()
        });
        let replies = join_all(tries).await;
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
        assert_eq!(won.len(), 1, "{pair:?}: {won:?}");
        for reply in lost {
            check_refusal(reply, pair);
        }
        app.settle().await;
        let history = app.history(&lead).await;
        let after: Vec<_> = history.iter().filter(|event| event.position > head).collect();
        assert_eq!(after.len(), 1, "{pair:?}: one event");

        let mut told = Vec::new();
        for (person, known) in &before {
            let notices = app.told(person).await.split_off(*known);
            told.extend(notices.into_iter().map(|(kind, _)| (json!(person.id), kind)));
        }
        let mut wanted: Vec<_> = expected(&after[0].event_type, &after[0].payload)
            .into_iter()
            .map(|(who, kind)| (who, kind.to_owned()))
            .collect();
        told.sort_by_key(|(who, kind)| (who.to_string(), kind.clone()));
        wanted.sort_by_key(|(who, kind)| (who.to_string(), kind.clone()));
        assert_eq!(told, wanted, "{pair:?}: {:?}", after[0].event_type);
    }
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_pooled_lead_learns_who_has_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let (lead, _) = begin(&app, Start::Pool, 1).await;
    let claim = json!({ "customerIds": [lead] });
    let won = app.post("/api/customers/public-pool/claim", &claim).by(&team.colleague).send().await;
    assert_eq!((won.status, &won.data()["success"]), (200, &json!(1)), "{won:?}");
    // Out of the pool, in the list of whoever has it, at once.
    let pool = app.get("/api/customers/public-pool").by(&team.colleague).send().await;
    assert_eq!(pool.data()["total"], 0);
    let list = app.get("/api/customers").by(&team.colleague).send().await;
    assert_eq!(list.data()["customers"][0]["_id"], json!(lead));
    for person in [&team.manager, &team.dispatch] {
        let lost = app.post("/api/customers/public-pool/claim", &claim).by(person).send().await;
        assert_eq!(lost.problem(), (409, "NOT_IN_POOL"), "{lost:?}");
        assert!(lost.body["error"]["details"].to_string().contains(&team.colleague.name), "{lost:?}");
    }
    let lost = app.post("/api/customers/public-pool/claim", &claim).by(&team.employee).send().await;
    assert_eq!(lost.problem(), (409, "NOT_IN_POOL"));
    assert!(!lost.body.to_string().contains(&team.colleague.name), "not for these eyes: {lost:?}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lead_assigned_out_of_the_pool_is_out_of_it_with_a_fresh_clock(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let (lead, version) = begin(&app, Start::Pool, 1).await;
    app.advance(chrono::TimeDelta::hours(20));
    let reply = app.assign(&lead, &team.colleague).by(&team.operator).if_match(version).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let data = reply.data();
    assert_eq!(data["inPublicPool"], false);
    assert_eq!(data["lastActivityAt"], data["assignedAt"]);
    let list =
        app.get(&format!("/api/customers?assignedTo={}", team.colleague.id)).by(&team.operator).send().await;
    assert_eq!(list.data()["total"], 1, "at once, for whoever wrote it");
    let pool = app.get("/api/customers/public-pool").by(&team.operator).send().await;
    assert_eq!(pool.data()["total"], 0);
    let late = app.post("/api/customers/public-pool/claim", &json!({ "customerIds": [lead] }));
    assert_eq!(late.by(&team.dispatch).send().await.problem(), (409, "NOT_IN_POOL"));
    app.finish().await;
}
