//! Faults on order: what the caller sees and what the person receives.

use crate::kit::{Kit, answer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wechat_simulator::{ClientSaw, Endpoint, Fault, FaultRule, Switches, TokenEnd};

const SEND: Endpoint = Endpoint::SubscribeSend;

/// A kit where `o1` has credits, a token, and one fault for the next send.
async fn with_fault(fault: Fault) -> (Kit, String) {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 9).unwrap();
    kit.wechat().grant_credits("o2", 9).unwrap();
    let token = kit.token().await;
    kit.wechat().add_fault(FaultRule::once(SEND, fault)).unwrap();
    (kit, token)
}

fn seen(kit: &Kit) -> Vec<ClientSaw> {
    kit.wechat().ledger().iter().map(|received| received.client_saw).collect()
}

/// Returns once so many sends have arrived.
async fn until_arrived(kit: &Kit, count: u64) {
    while kit.wechat().calls().of(SEND).calls < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn resets_are_transport_errors_before_or_after_processing() {
    for (fault, expected) in [
        (Fault::ResetBefore {}, vec![ClientSaw::Accepted]),
        (Fault::ResetAfter {}, vec![ClientSaw::ConnectionReset, ClientSaw::Accepted]),
    ] {
        let (kit, token) = with_fault(fault).await;
        let error = kit.send(&token, "o1").await.unwrap_err();
        assert!(error.is_request() && !error.is_timeout() && error.status().is_none(), "{error:?}");
        assert_eq!(kit.errcode(&token, "o1").await, 0, "the rule hits once");
        assert_eq!(seen(&kit), expected);
        kit.simulator.stop().await;
    }
}

#[tokio::test]
async fn a_reset_is_one_on_the_wire() {
    let (kit, _) = with_fault(Fault::ResetBefore {}).await;
    let mut socket = tokio::net::TcpStream::connect(kit.simulator.address()).await.unwrap();
    let request = b"POST /cgi-bin/message/subscribe/send HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let error = socket.read_to_end(&mut answer).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(answer, b"");
}

#[tokio::test]
async fn a_send_that_hangs_is_processed_when_woken() {
    let (kit, token) = with_fault(Fault::Hang { process: false }).await;
    let hanging = tokio::spawn(kit.send(&token, "o1"));
    kit.wechat().until_waiting(1).await;
    assert_eq!(kit.get("/__sim/faults").await["waiting"], 1);
    assert_eq!(kit.wechat().ledger(), []);
    assert_eq!(kit.errcode(&token, "o1").await, 43108, "one send at a time per person");
    assert_eq!(kit.errcode(&token, "o2").await, 0, "other persons are not concerned");
    kit.control("/__sim/wake", "").await;
    assert_eq!(answer(hanging.await.unwrap().unwrap()).await["errcode"], 0);
    assert_eq!(kit.wechat().received_by("o1").len(), 1);
    assert_eq!(kit.errcode(&token, "o1").await, 0);
}

#[tokio::test]
async fn sends_may_overlap_when_the_switch_allows() {
    let (kit, token) = with_fault(Fault::Hang { process: false }).await;
    kit.wechat().set_switches(Switches { concurrent_sends_refused: false, ..Switches::default() });
    let hanging = tokio::spawn(kit.send(&token, "o1"));
    kit.wechat().until_waiting(1).await;
    assert_eq!(kit.errcode(&token, "o1").await, 0);
    kit.wechat().clear_faults();
    assert_eq!(answer(hanging.await.unwrap().unwrap()).await["errcode"], 0);
}

#[tokio::test]
async fn sends_that_take_time_overlap() {
    let kit = Kit::start().await;
    kit.wechat().grant_credits("o1", 9).unwrap();
    let token = kit.token().await;
    kit.control("/__sim/switches", r#"{"send_takes_ms":1}"#).await;
    assert_eq!(kit.errcode(&token, "o1").await, 0);
    kit.control("/__sim/switches", r#"{"send_takes_ms":600000}"#).await;
    let first = tokio::spawn(kit.send(&token, "o1"));
    until_arrived(&kit, 2).await;
    assert_eq!(kit.errcode(&token, "o1").await, 43108, "refused at once");
    kit.simulator.stop().await;
    assert!(first.await.unwrap().is_err());
}

#[tokio::test]
async fn a_caller_that_hangs_up_while_hanging_is_not_served() {
    let (kit, token) = with_fault(Fault::Hang { process: false }).await;
    let hanging = tokio::spawn(kit.send(&token, "o1"));
    kit.wechat().until_waiting(1).await;
    hanging.abort();
    kit.wechat().until_none_waiting().await;
    kit.wechat().wake();
    assert_eq!(kit.errcode(&token, "o1").await, 0, "the person is free again");
    assert_eq!(seen(&kit), [ClientSaw::Accepted]);
}

#[tokio::test]
async fn a_fault_may_serve_a_caller_that_has_gone() {
    for fault in [Fault::Hang { process: true }, Fault::Slow { ms: 50 }] {
        let wakes = fault == Fault::Hang { process: true };
        let (kit, token) = with_fault(fault).await;
        // A connection of its own, so that its end is seen at once.
        let mut socket = tokio::net::TcpStream::connect(kit.simulator.address()).await.unwrap();
        let body = crate::kit::message("o1").to_string();
        let request = format!(
            "POST /cgi-bin/message/subscribe/send?access_token={token} HTTP/1.1\r\nhost: x\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        if wakes {
            kit.wechat().until_waiting(1).await;
        } else {
            until_arrived(&kit, 1).await;
        }
        drop(socket);
        kit.wechat().wake();
        kit.wechat().until_received(1).await;
        assert_eq!(kit.wechat().received_by("o1").len(), 1);
        assert_eq!(kit.errcode(&token, "o1").await, 0);
    }
}

#[tokio::test]
async fn an_answer_may_come_late_although_the_message_is_there() {
    let (kit, token) = with_fault(Fault::TimeoutAfterProcessing { ms: None }).await;
    let late = tokio::spawn(kit.send(&token, "o1"));
    kit.wechat().until_received(1).await;
    kit.wechat().until_waiting(1).await;
    assert!(!late.is_finished());
    assert_eq!(kit.errcode(&token, "o1").await, 0, "the first send is not under way any more");
    kit.wechat().wake();
    assert_eq!(answer(late.await.unwrap().unwrap()).await["errcode"], 0);
    assert_eq!(seen(&kit), [ClientSaw::NoAnswer, ClientSaw::Accepted]);
    let rule = FaultRule::once(SEND, Fault::TimeoutAfterProcessing { ms: Some(60_000) });
    kit.wechat().add_fault(rule).unwrap();
    let late = tokio::spawn(kit.send(&token, "o1"));
    kit.wechat().until_received(3).await;
    assert!(!late.is_finished());
    kit.simulator.stop().await;
    assert!(late.await.unwrap().is_err(), "a stop ends the wait");
}

#[tokio::test]
async fn answers_that_are_not_wechats() {
    for process in [false, true] {
        for (fault, status, body) in [
            (Fault::Http502Html { process }, 502, "<html>"),
            (Fault::Http4xx { status: 403, process }, 403, "refused by a gateway"),
            (Fault::TruncatedJson { process }, 200, r#"{"errcode":0"#),
        ] {
            let (kit, token) = with_fault(fault).await;
            let response = kit.send(&token, "o1").await.unwrap();
            assert_eq!(response.status(), status);
            let text = response.text().await.unwrap();
            assert!(text.starts_with(body), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_err());
            assert_eq!(kit.wechat().ledger().len(), usize::from(process), "{body}");
        }
    }
}

#[tokio::test]
async fn an_errcode_may_hide_a_message() {
    for process in [false, true] {
        let (kit, token) = with_fault(Fault::Errcode { errcode: -1, errmsg: None, process }).await;
        let refused = answer(kit.send(&token, "o1").await.unwrap()).await;
        assert_eq!(refused["errcode"], -1);
        assert!(crate::kit::text(&refused, "errmsg").starts_with("system error rid: "));
        let expected = if process { vec![ClientSaw::Errcode] } else { vec![] };
        assert_eq!(seen(&kit), expected);
        assert_eq!(kit.wechat().calls().of(SEND).faults["errcode"], 1);
    }
}

#[tokio::test]
async fn a_token_may_end_before_its_time() {
    for (how, errcode) in [(TokenEnd::Superseded, 40001), (TokenEnd::Expired, 42001)] {
        let (kit, token) = with_fault(Fault::ExpireToken { family: None, how }).await;
        assert_eq!(kit.errcode(&token, "o1").await, errcode);
        let fresh = kit.token().await;
        assert_ne!(fresh, token);
        assert_eq!(kit.errcode(&fresh, "o1").await, 0);
    }
}

#[tokio::test]
async fn a_rule_for_one_person_leaves_the_others_alone() {
    let (kit, token) = with_fault(Fault::ExpireToken { family: None, how: TokenEnd::Expired }).await;
    kit.wechat().clear_faults();
    let rule = json!({
        "openid": "o2", "times": "forever",
        "fault": { "kind": "errcode", "errcode": 43101, "errmsg": "words of your own" }
    });
    assert_eq!(kit.post("/__sim/faults", &rule).await, json!({ "id": 2 }));
    assert_eq!(kit.errcode(&token, "o1").await, 0);
    for _ in 0..3 {
        assert_eq!(kit.errcode(&token, "o2").await, 43101);
    }
    let listed = kit.get("/__sim/faults").await;
    assert_eq!(listed["faults"][0]["hits"], 3);
    assert_eq!(listed["faults"][0]["rule"]["times"], "forever");
    kit.client.delete(kit.url("/__sim/faults")).send().await.unwrap();
    assert_eq!(kit.errcode(&token, "o2").await, 0);
}

#[tokio::test]
async fn a_stop_resets_what_hangs_and_frees_the_port() {
    let (kit, token) = with_fault(Fault::Hang { process: true }).await;
    let hanging = tokio::spawn(kit.send(&token, "o1"));
    kit.wechat().until_waiting(1).await;
    let (address, wechat) = (kit.simulator.address(), kit.wechat().clone());
    kit.simulator.stop().await;
    assert!(hanging.await.unwrap().is_err());
    assert_eq!(wechat.ledger(), []);
    let again = wechat_simulator::Simulator::start(address).await.unwrap();
    assert_eq!(again.address(), address);
}
