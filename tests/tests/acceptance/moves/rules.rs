//! The rules of the hour reach for a lead at the same moment as people and as each other. Whoever comes second is
//! refused or skipped with the reason; where one makes the other possible, both happen, in that order and no other.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::log::Event;
use tests::kit::{Node, Reply, TestApp};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use super::Path::{self, Assign, Claim, PoolAssign, Release};
use super::scans::{IDLE, Rules, Scanned, fall, hand_on, late_scan, start, write_rules};
use super::{Start, TRIES, attempt, check_refusal, expected, inboxes};

/// Who reaches for the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hand {
    /// Somebody, as in the pairs of people.
    Of(Path),
    /// Somebody writes down a follow-up, which is what both rules wait for in vain.
    FollowUp,
    /// A recycle rule.
    Recycle,
    /// A transfer rule.
    Transfer,
}

use Hand::{FollowUp, Of, Recycle, Transfer};

/// What came of it, as an event of the lead. Follow-ups one after the other count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Recycled,
    /// Handed on by a rule.
    HandedOn,
    /// Handed on by a person.
    Transferred,
    Assigned,
    Claimed,
    Released,
    FollowedUp,
}

use Fact::{Assigned, Claimed, FollowedUp, HandedOn, Recycled, Released, Transferred};

/// Two that reach, from where, and every history that is the same as if they had come one after the other.
type Pair = (Hand, Hand, Start, &'static [&'static [Fact]]);

/// `Assign` of an owned lead is a transfer; it and `Release` name the version that they saw, so they never come second.
const PAIRS: [Pair; 20] = [
    (Recycle, Recycle, Start::Owned, &[&[Recycled]]),
    (Transfer, Transfer, Start::Owned, &[&[HandedOn]]),
    // A fresh owner has all the days of the recycle rule, and nobody hands on what is in the pool.
    (Recycle, Transfer, Start::Owned, &[&[Recycled], &[HandedOn]]),
    (Transfer, Recycle, Start::Owned, &[&[Recycled], &[HandedOn]]),
    // Nobody claims what somebody owns: the claim wins nothing unless the lead fell before it.
    (Recycle, Of(Claim), Start::Owned, &[&[Recycled], &[Recycled, Claimed]]),
    (Recycle, Of(PoolAssign), Start::Owned, &[&[Recycled], &[Recycled, Assigned]]),
    (Recycle, Of(Assign), Start::Owned, &[&[Recycled], &[Transferred]]),
    (Recycle, Of(Release), Start::Owned, &[&[Recycled], &[Released]]),
    // A lead that was followed up is not due; one that fell may still be written about.
    (Recycle, FollowUp, Start::Owned, &[&[FollowedUp], &[Recycled, FollowedUp]]),
    (Transfer, Of(Claim), Start::Owned, &[&[HandedOn]]),
    (Transfer, Of(PoolAssign), Start::Owned, &[&[HandedOn]]),
    (Transfer, Of(Assign), Start::Owned, &[&[HandedOn], &[Transferred]]),
    (Transfer, Of(Release), Start::Owned, &[&[HandedOn], &[Released]]),
    (Transfer, FollowUp, Start::Owned, &[&[FollowedUp], &[HandedOn, FollowedUp]]),
    // It was released after the scan: the rule has no say any more.
    (Recycle, Of(Claim), Start::Pool, &[&[Claimed]]),
    (Recycle, Of(PoolAssign), Start::Pool, &[&[Assigned]]),
    (Recycle, Of(Assign), Start::Pool, &[&[Assigned]]),
    (Transfer, Of(Claim), Start::Pool, &[&[Claimed]]),
    (Transfer, Of(PoolAssign), Start::Pool, &[&[Assigned]]),
    (Transfer, Of(Assign), Start::Pool, &[&[Assigned]]),
];

/// How the rules come to the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// With what they know, a step ahead of everybody who comes over HTTP.
    AtOnce,
    /// Over HTTP for a moment, so that nobody is ahead.
    AsPeople,
}

/// One try; whether it won. Whoever lost learns why.
async fn reach(node: &Node, app: &TestApp, (hand, pace): (Hand, Pace), scanned: &Scanned, n: usize) -> bool {
    let Scanned { lead, version, scan, runs } = scanned;
    if matches!(hand, Recycle | Transfer) && pace == Pace::AsPeople {
        node.get(&format!("/api/customers/{lead}")).by(&app.team.admin).send().await;
    }
    let (reply, good): (Reply, u16) = match hand {
        Recycle => return fall(node, scan, n).await,
        Transfer => return hand_on(node, scanned, runs[n % runs.len()]).await,
        Of(path) => (attempt(node, &app.team, path, lead, *version, n / 2).send().await, 200),
        FollowUp => {
            let body = json!({ "type": "phone", "content": format!("第{n}次联系") });
            let path = format!("/api/customers/{lead}/follow-ups");
            (node.post(&path, &body).by(&app.team.admin).send().await, 201)
        }
    };
    // Of so many who write about one lead at once, the last ones may find no moment to get through.
    let crowded = hand == FollowUp && reply.problem() == (409, "CONFLICT");
    if reply.status != good && !crowded {
        check_refusal(&reply, hand);
    }
    reply.status == good
}

fn fact(event: &Event) -> Fact {
    match event.event_type.as_str() {
        "CustomerRecycled" => Recycled,
        "CustomerTransferred" if event.payload["source"]["kind"] == "rule" => HandedOn,
        "CustomerTransferred" => Transferred,
        "CustomerAssigned" => Assigned,
        "CustomerClaimed" => Claimed,
        "CustomerReleased" => Released,
        "FollowUpRecorded" => FollowedUp,
        other => panic!("{other}: nobody asked for that"),
    }
}

/// Who owns the lead after an event.
fn owner_after(event: &Event, before: &Value) -> Value {
    match fact(event) {
        Recycled | Released => Value::Null,
        HandedOn | Transferred | Assigned => event.payload["to"].clone(),
        Claimed => event.payload["by"].clone(),
        FollowedUp => before.clone(),
    }
}

/// Who must have been told what of these events, by the decision table; and who owns the lead in the end.
fn wanted(events: &[Event], owner: Value) -> (Vec<(Value, String)>, Value) {
    let mut owner = owner;
    let mut wanted = Vec::new();
    for event in events {
        let (to, from) = (event.payload["to"].clone(), event.payload["from"].clone());
        let told = match fact(event) {
            // Its one run tells both.
            HandedOn => vec![(from, "LEAD_AUTO_TRANSFER_OUT"), (to, "LEAD_AUTO_TRANSFER_IN")],
            Recycled => vec![(from, "CUSTOMER_RECLAIMED")],
            FollowedUp if owner.is_null() => vec![],
            FollowedUp => vec![(owner.clone(), "CUSTOMER_FOLLOW_UP_ADDED")],
            Transferred | Assigned | Claimed | Released => expected(&event.event_type, &event.payload),
        };
        wanted.extend(told.into_iter().map(|(who, kind)| (who, kind.to_owned())));
        owner = owner_after(event, &owner);
    }
    (wanted, owner)
}

fn sorted(mut notices: Vec<(Value, String)>) -> Vec<(Value, String)> {
    notices.sort_by_key(|(who, kind)| (who.to_string(), kind.clone()));
    notices
}

async fn ids(app: &TestApp, path: &str) -> BTreeSet<String> {
    let reply = app.get(path).by(&app.team.admin).send().await;
    let rows = reply.data()["customers"].as_array().expect("rows").clone();
    rows.iter().map(|row| row["_id"].as_str().expect("an id").to_owned()).collect()
}

/// Every list shows the lead where its events left it.
async fn lists_agree(app: &TestApp, lead: &str, owner: &Value, pair: &Pair) {
    let shown = app.get(&format!("/api/customers/{lead}")).by(&app.team.admin).send().await;
    assert_eq!(shown.data()["assignedTo"], *owner, "{pair:?}");
    assert_eq!(shown.data()["inPublicPool"], json!(owner.is_null()), "{pair:?}");
    let pool = ids(app, "/api/customers/public-pool?limit=100").await;
    assert_eq!(pool.contains(lead), owner.is_null(), "{pair:?}");
    for person in app.team.everybody() {
        let list = ids(app, &format!("/api/customers?assignedTo={}&limit=100", person.id)).await;
        assert_eq!(list.contains(lead), *owner == json!(person.id), "{pair:?}: {}", person.username);
    }
}

/// Quotas, balances, records and held leads are what a recount of the events gives.
async fn figures_agree(app: &TestApp, rules: Rules, (handed_on, runs): (usize, usize)) {
    let rule = app.get(&format!("/api/lead-transfer/rules/{}", rules.transfer)).by(&app.team.manager);
    let rule = rule.send().await;
    let quotas = rule.data()["userQuotas"].as_array().expect("quotas").clone();
    let of = |quota: &Value| {
        (quota["transferredOut"].clone(), quota["transferredIn"].clone(), quota["balance"].clone())
    };
    let (some, owed) = (json!(handed_on), json!(-i64::try_from(handed_on).expect("a small number")));
    let both = [(some.clone(), json!(0), some.clone()), (json!(0), some.clone(), owed)];
    assert_eq!(quotas.iter().map(of).collect::<Vec<_>>(), both);
    assert_eq!(rule.data()["statistics"]["totalTransferred"], some);
    let counted = app.get("/api/lead-transfer/statistics").by(&app.team.manager).send().await;
    assert_eq!(
        (&counted.data()["successCount"], &counted.data()["failedCount"]),
        (&some, &json!(runs - handed_on)),
        "{counted:?}"
    );
    for person in [&app.team.employee, &app.team.colleague, &app.team.dispatch, &app.team.operator] {
        let held = app.get("/api/customers/my-customer-count").by(person).send().await;
        let path = format!("/api/customers?assignedTo={}&limit=1", person.id);
        let list = app.get(&path).by(&app.team.admin).send().await;
        assert_eq!(held.data()["count"], list.data()["total"], "{}", person.username);
    }
}

/// Two hundred tries at once; what happened, after everything that must follow from it was looked at.
async fn grab(app: &TestApp, nodes: &[&Node], scanned: &Scanned, round: (&Pair, Pace)) -> Vec<Fact> {
    let (pair, pace) = round;
    app.settle().await;
    let (head, before) = (app.head().await, inboxes(app).await);
    let tries = (0..TRIES).map(|n| {
        let hand = if n % 2 == 0 { pair.0 } else { pair.1 };
        // Two that are the same take different runs.
        let turn = if pair.0 == pair.1 { n } else { n / 2 };
        reach(nodes[(n / 2) % nodes.len()], app, (hand, pace), scanned, turn)
    });
    let won = join_all(tries).await.into_iter().filter(|won| *won).count();
    app.settle().await;

    let mut events = app.history(&scanned.lead).await;
    events.retain(|event| event.position > head);
    assert_eq!(events.len(), won, "{round:?}: every success has its event");
    let mut facts: Vec<Fact> = events.iter().map(fact).collect();
    facts.dedup_by(|one, other| *one == FollowedUp && *other == FollowedUp);
    assert!(pair.3.contains(&facts.as_slice()), "{round:?}: {facts:?}");

    let mut told = Vec::new();
    for (person, known) in &before {
        let notices = app.told(person).await.split_off(*known);
        told.extend(notices.into_iter().map(|(kind, _)| (json!(person.id), kind)));
    }
    let begins = if pair.2 == Start::Pool { Value::Null } else { json!(app.team.employee.id) };
    let (wanted, owner) = wanted(&events, begins);
    assert_eq!(sorted(told), sorted(wanted), "{round:?}: {facts:?}");
    lists_agree(app, &scanned.lead, &owner, pair).await;
    facts
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_and_people_who_reach_for_one_lead_come_one_after_the_other(
    #[values(Sqlite, Postgres)] on: Backend,
    #[values(Pace::AtOnce, Pace::AsPeople)] pace: Pace,
) {
    let app = start(on).await;
    let second = match on {
        Postgres => Some(app.second().await),
        Sqlite => None, // belongs to one process
    };
    let nodes: Vec<&Node> = [Some(&*app), second.as_ref()].into_iter().flatten().collect();
    let rules = write_rules(&app).await;
    let mut leads = Vec::new();
    for n in 0..PAIRS.len() {
        leads.push(app.lead_of(&app.team.manager, &app.team.employee, n).await);
    }
    app.settle().await;
    app.advance(IDLE);
    app.settle().await;
    let (mut handed_on, mut runs) = (0, 0);
    for (pair, lead) in PAIRS.iter().zip(leads) {
        let wanted = [pair.0, pair.1].iter().filter(|hand| **hand == Transfer).count() * (TRIES / 2);
        let scanned = Scanned::of(&app, rules, lead, wanted).await.at(&app, pair.2).await;
        let facts = grab(&app, &nodes, &scanned, (pair, pace)).await;
        runs += wanted;
        handed_on += facts.iter().filter(|fact| **fact == HandedOn).count();
    }
    figures_agree(&app, rules, (handed_on, runs)).await;
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}

/// Leads that fall while everybody claims them.
const FALLING: usize = 5;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_who_claim_a_lead_as_it_falls_one_gets_it(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let second = match on {
        Postgres => Some(app.second().await),
        Sqlite => None, // belongs to one process
    };
    let nodes: Vec<&Node> = [Some(&*app), second.as_ref()].into_iter().flatten().collect();
    let rules = write_rules(&app).await;
    let claimers = app.hire(20).await;
    let mut leads = Vec::new();
    for n in 0..FALLING {
        leads.push(app.lead_of(&app.team.manager, &app.team.employee, n).await);
    }
    app.settle().await;
    app.advance(IDLE);
    app.settle().await;
    for lead in &leads {
        let head = app.head().await;
        let known = app.told(&app.team.employee).await.len();
        let scan = late_scan(&app, rules, lead.parse().expect("the id of a lead")).await;
        let body = json!({ "customerIds": [lead] });
        let claims = (0..TRIES).map(|n| {
            let node = nodes[n % nodes.len()];
            node.post("/api/customers/public-pool/claim", &body).by(&claimers[n % claimers.len()]).send()
        });
        let (mut replies, fell) = tokio::join!(join_all(claims), fall(&app, &scan, 0));
        assert!(fell, "nobody else could take it");
        if replies.iter().all(|reply| reply.status != 200) {
            // All of them came before it fell.
            let late = app.post("/api/customers/public-pool/claim", &body).by(&claimers[0]).send().await;
            assert_eq!(late.status, 200, "{late:?}");
            replies.push(late);
        }
        let (won, lost): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
        assert_eq!(won.len(), 1);
        for reply in lost {
            check_refusal(reply, lead);
        }
        app.settle().await;
        let mut events = app.history(lead).await;
        events.retain(|event| event.position > head);
        assert_eq!(events.iter().map(fact).collect::<Vec<_>>(), [Recycled, Claimed]);
        let told = app.told(&app.team.employee).await.split_off(known);
        assert_eq!(told.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["CUSTOMER_RECLAIMED"]);
    }
    for person in &claimers {
        assert_eq!(app.told(person).await, [], "who claims knows");
    }
    if let Some(second) = second {
        second.stop().await;
    }
    app.finish().await;
}
