//! Several processes on one PostgreSQL: what one does the others show, nothing happens twice, and whoever is left
//! takes over from whoever is gone (product.md G6, G8; faults.md F6, F19).

use chrono::TimeDelta;
use domain::notification::DeliveryState;
use futures_util::future::join_all;
use leadwire::wiring::Role;
use rstest::rstest;
use serde_json::json;
use tests::kit::{Node, Setup, TestApp, eventually, log};
use tests::scratch::Backend::Postgres;
use wechat_simulator::{Endpoint, Fault, FaultRule};

/// Longer than every lease: of consumers and of deliveries.
const LONGER_THAN_LEASES: TimeDelta = TimeDelta::minutes(10);

/// Whether a process owns every consumer.
async fn owners(node: &Node) -> Vec<Option<uuid::Uuid>> {
    let status = node.app().projections.status().await.expect("the consumers' rows");
    status.into_iter().map(|consumer| consumer.owner).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notice_written_by_one_reaches_a_socket_on_the_other() {
    let first = TestApp::start(Postgres).await;
    let second = first.second().await;
    let team = first.team.clone();
    let mut sockets = [first.socket(&team.employee, "").await, second.socket(&team.employee, "").await];
    for socket in &mut sockets {
        socket.up_to("complete_upto").await;
    }
    let mut expected = 0;
    for (n, writer) in [&*first, &second].into_iter().enumerate() {
        let lead = writer.lead_of(&team.manager, &team.employee, n).await;
        expected += 1;
        for socket in &mut sockets {
            let frames = socket.complete_up_to(expected).await;
            let told: Vec<_> = frames.iter().filter(|frame| frame["type"] == "notification").collect();
            assert_eq!(told.len(), 1, "{frames:?}");
            assert_eq!(told[0]["data"]["data"]["customerId"], json!(lead));
            assert_eq!(told[0]["seq"], expected);
        }
    }
    drop(sockets);
    second.stop().await;
    first.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_work_at_once_and_nothing_happens_twice() {
    let first = TestApp::start(Postgres).await;
    let second = first.second().await;
    let team = first.team.clone();
    let people = first.hire(6).await;
    let nodes = [&*first, &second];
    let leads = join_all((0..24).map(|n| nodes[n % 2].own_lead(&team.manager, n))).await;
    let moves = leads.iter().enumerate().map(|(n, lead)| {
        // The same key at both: one of them is first.
        let (to, key) = (&people[n % people.len()], format!("move-{n}"));
        join_all(nodes.map(|node| node.assign(lead, to).by(&team.manager).key(&key).send()))
    });
    for replies in join_all(moves).await {
        assert_eq!(replies[0].status, 200, "{replies:?}");
        assert_eq!(replies[0].but_for_time(), replies[1].but_for_time());
        assert_eq!(replies.iter().filter(|reply| reply.is_replay()).count(), 1);
    }
    // What was said about the first lead has left before the lead goes on; else it would be taken back.
    first.settle().await;
    // A read at the other one, after the position that the first one named.
    let last_move = first.assign(&leads[0], &team.employee).by(&team.manager).send().await;
    let path = format!("/api/customers/{}", leads[0]);
    let position = last_move.position().to_string();
    let read = second.get(&path).by(&team.admin).header("x-min-position", &position).send().await;
    assert_eq!(read.data()["assignedTo"], json!(team.employee.id));
    assert_eq!(read.header("x-read-position"), None);

    first.settle().await;
    for lead in &leads[1..] {
        let expected = ["CustomerCreated", "CustomerAssigned", "CustomerTransferred"];
        assert_eq!(log::types(&first.history(lead).await), expected);
    }
    for person in &people {
        assert_eq!(first.messages(person).len(), 4, "{}", person.username);
    }
    second.stop().await;
    first.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stops_hands_over_and_one_that_dies_is_replaced() {
    // The first only answers, so that somebody else has to own the consumers.
    let first = TestApp::start_with(Postgres, Setup { roles: vec![Role::Api], ..Setup::default() }).await;
    let team = first.team.clone();
    let worker = first.second().await;
    first.own_lead(&team.manager, 1).await;
    first.settle().await;
    let of_worker = owners(&worker).await;
    assert!(of_worker.iter().all(Option::is_some), "{of_worker:?}");

    // It stops in good order: its leases are free at once.
    let doomed = first.doomed().await;
    worker.stop().await;
    first.lead_of(&team.manager, &team.employee, 2).await;
    first.settle().await;
    let of_doomed = owners(&first).await;
    assert!(of_doomed.iter().zip(&of_worker).all(|(now, before)| now.is_some() && now != before));

    // It dies while a message is on its way.
    first
        .wechat()
        .add_fault(FaultRule::forever(Endpoint::SubscribeSend, Fault::Hang { process: false }))
        .unwrap();
    first.lead_of(&team.manager, &team.colleague, 3).await;
    first.wechat().until_waiting(1).await;
    doomed.kill();
    first.wechat().until_none_waiting().await;
    first.wechat().clear_faults();
    first.lead_of(&team.manager, &team.admissions, 4).await;
    let heir = first.second().await;
    first.advance(LONGER_THAN_LEASES);
    first.settle().await;
    let of_heir = owners(&first).await;
    assert!(of_heir.iter().zip(&of_doomed).all(|(now, before)| now.is_some() && now != before));
    assert_eq!(first.messages(&team.admissions).len(), 1, "what nobody had begun is sent");
    let hanging = eventually("the message on its way is given up", async || {
        let rows = first.sendings(&team.colleague).await;
        rows.into_iter().find(|row| row.state == DeliveryState::Unknown)
    });
    assert_eq!(hanging.await.attempts, 1);
    assert_eq!(first.messages(&team.colleague).len(), 0);
    assert_eq!(first.told(&team.colleague).await.len(), 1);
    heir.stop().await;
    let last = first.second().await;
    first.settle().await;
    last.stop().await;
    first.finish().await;
}

/// The one that dies may be five minutes ahead, and whoever is left five minutes behind: nobody waits for ten.
#[rstest]
#[case::ahead(5)]
#[case::behind(-5)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_clock_is_wrong_and_that_dies_is_replaced_as_soon(#[case] minutes: i64) {
    let first = TestApp::start_with(Postgres, Setup { roles: vec![Role::Api], ..Setup::default() }).await;
    let team = first.team.clone();
    let doomed = first.doomed_beside(TimeDelta::minutes(minutes)).await;
    first.lead_of(&team.manager, &team.employee, 1).await;
    first.settle().await;
    let of_doomed = owners(&first).await;
    let heir = first.second_beside(TimeDelta::minutes(-minutes)).await;
    first.lead_of(&team.manager, &team.colleague, 2).await;
    first.settle().await;
    assert_eq!(owners(&first).await, of_doomed, "whoever lives keeps what it has, whatever its clock says");

    doomed.kill();
    first.lead_of(&team.manager, &team.admissions, 3).await;
    first.advance(TimeDelta::seconds(20));
    first.settle().await;
    let of_heir = owners(&first).await;
    assert!(of_heir.iter().zip(&of_doomed).all(|(now, before)| now.is_some() && now != before));
    for person in [&team.employee, &team.colleague, &team.admissions] {
        assert_eq!(
            (first.told(person).await.len(), first.messages(person).len()),
            (1, 1),
            "{}",
            person.username
        );
    }
    heir.stop().await;
    let last = first.second().await;
    first.settle().await;
    last.stop().await;
    first.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_processes_race_for_one_lead_and_one_wins() {
    let first = TestApp::start(Postgres).await;
    let second = first.second().await;
    let team = first.team.clone();
    let rivals = first.hire(20).await;
    let id = first.own_lead(&team.manager, 1).await;
    first.settle().await;
    let before = first.wechat().ledger().len();
    let nodes = [&*first, &second];
    let tries = rivals
        .iter()
        .enumerate()
        .map(|(n, rival)| nodes[n % 2].assign(&id, rival).by(&team.manager).if_match(2).send());
    let replies = join_all(tries).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    let refused = |reply: &&tests::kit::Reply| reply.problem() == (409, "VERSION_CONFLICT");
    assert_eq!(replies.iter().filter(refused).count(), rivals.len() - 1);
    first.settle().await;
    assert_eq!(first.messages_after(before).len(), 1);
    second.stop().await;
    first.finish().await;
}
