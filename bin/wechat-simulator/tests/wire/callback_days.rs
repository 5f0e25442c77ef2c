//! Orders of the day for callbacks: lost, doubled, late, early, forged, replayed, and servers that do not answer.

use serde_json::json;
use wechat_simulator::{
    CallbackDay, CallbackTarget, DEMO_APPID, DEMO_TEMPLATE, Limits, PushOutcome, ReleaseOrder, Switches,
};

use crate::{
    kit::{Kit, answer},
    server::{Seen, Server, TOKEN},
};

async fn told() -> (Kit, Server) {
    let (kit, (server, url)) = (Kit::start().await, Server::start().await);
    kit.wechat().set_callback(DEMO_APPID, CallbackTarget::plain(&url, TOKEN)).unwrap();
    (kit, server)
}

fn popup(kit: &Kit, openid: &str) {
    kit.wechat().popup(DEMO_APPID, openid, DEMO_TEMPLATE, true).unwrap();
}

async fn seen(kit: &Kit, server: &Server) -> Vec<Seen> {
    kit.wechat().until_callbacks_idle().await;
    server.seen()
}

async fn people(kit: &Kit, server: &Server) -> Vec<String> {
    seen(kit, server).await.iter().map(|seen| seen.query["openid"].clone()).collect()
}

fn outcomes(kit: &Kit) -> Vec<PushOutcome> {
    kit.wechat().callback_log().into_iter().map(|pushed| pushed.outcome).collect()
}

fn said(status: u16, body: &str) -> PushOutcome {
    PushOutcome::Answered { status, body: body.to_owned() }
}

#[tokio::test]
async fn lost() {
    let (kit, server) = told().await;
    kit.post("/__sim/callbacks/day", &json!({ "lost": true })).await;
    popup(&kit, "o1");
    kit.post("/__sim/callbacks/day", &json!({ "lost": false })).await;
    popup(&kit, "o2");
    assert_eq!(people(&kit, &server).await, ["o2"]);
    assert_eq!(outcomes(&kit), [PushOutcome::Lost, said(200, "success")]);
    let credits: u32 = kit.wechat().credits().iter().map(|credit| credit.remaining).sum();
    assert_eq!(credits, 2, "the credit is there, whoever was told");
    assert_eq!(kit.control("/__sim/callbacks/day", r#"{"colour":1}"#).await.0, 400);
}

#[tokio::test]
async fn three_times_byte_for_byte() {
    let (kit, server) = told().await;
    kit.wechat().set_callback_day(CallbackDay { copies: 3, ..CallbackDay::default() });
    popup(&kit, "o1");
    let seen = seen(&kit, &server).await;
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|one| *one == seen[0]));
}

#[tokio::test]
async fn held_and_out_of_order() {
    for (order, expected) in [(ReleaseOrder::Queued, ["o1", "o2"]), (ReleaseOrder::Reversed, ["o2", "o1"])] {
        let (kit, server) = told().await;
        kit.wechat().set_callback_day(CallbackDay { held: true, ..CallbackDay::default() });
        popup(&kit, "o1");
        popup(&kit, "o2");
        assert_eq!((seen(&kit, &server).await.len(), kit.wechat().callbacks_held()), (0, 2));
        assert_eq!(kit.get("/__sim/callbacks/log").await, json!({ "pushed": [], "held": 2 }));
        kit.post("/__sim/callbacks/release", &json!({ "order": order })).await;
        assert_eq!(people(&kit, &server).await, expected);
    }
}

#[tokio::test]
async fn before_the_answer_of_the_send() {
    let (kit, server) = told().await;
    kit.wechat().grant_credits("o1", 1).unwrap();
    kit.wechat().set_callback_day(CallbackDay { before_answer: true, ..CallbackDay::default() });
    let token = kit.token().await;
    let sent = answer(kit.send(&token, "o1").await.unwrap()).await;
    // No waiting here: whoever has the answer finds the event told.
    assert_eq!(server.seen()[0].json()["List"]["MsgID"], sent["msgid"].as_u64().unwrap().to_string());
    assert_eq!(outcomes(&kit), [said(200, "success")]);
}

#[tokio::test]
async fn forged_and_replayed() {
    let (kit, server) = told().await;
    kit.wechat().set_callback_day(CallbackDay { wrong_signature: true, ..CallbackDay::default() });
    popup(&kit, "o1");
    assert!(!seen(&kit, &server).await[0].signed("signature", &[]));
    kit.wechat().set_callback_day(CallbackDay::default());
    popup(&kit, "o2");
    kit.wechat().until_callbacks_idle().await;
    kit.wechat().advance(600).unwrap();
    kit.post("/__sim/callbacks/replay", &json!({})).await;
    let seen = seen(&kit, &server).await;
    assert_eq!(
        (&seen[2..], seen[3].signed("signature", &[])),
        (&seen[..2], true),
        "the old time and signature"
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_tried_again() {
    for (callback_three_in_all, attempts) in [(false, 4), (true, 3)] {
        let (kit, server) = told().await;
        kit.wechat().set_switches(Switches { callback_three_in_all, ..Switches::default() });
        for _ in 0..4 {
            server.will_answer(Some((503, "busy")));
        }
        popup(&kit, "o1");
        let tried = seen(&kit, &server).await;
        assert!(tried.iter().all(|one| *one == tried[0]), "the same each time");
        assert_eq!(outcomes(&kit), vec![said(503, "busy"); attempts]);
        let numbers: Vec<u8> = kit.wechat().callback_log().iter().map(|pushed| pushed.attempt).collect();
        assert_eq!(numbers, (1..=u8::try_from(attempts).unwrap()).collect::<Vec<_>>());
        kit.client.delete(kit.url("/__sim/callbacks/log")).send().await.unwrap();
        assert_eq!(kit.wechat().callback_log(), []);
    }
    let (kit, server) = told().await;
    kit.wechat().set_switches(Switches { callback_non_200_retried: false, ..Switches::default() });
    server.will_answer(Some((503, "busy")));
    popup(&kit, "o1");
    assert_eq!(seen(&kit, &server).await.len(), 1, "any answer will do");
    kit.wechat().set_limits(Limits { callback_timeout_ms: 20, ..Limits::default() });
    server.will_answer(None);
    popup(&kit, "o2");
    assert_eq!(people(&kit, &server).await, ["o1", "o2", "o2"]);
    assert_eq!(outcomes(&kit)[1], PushOutcome::NoAnswer);
}

#[tokio::test]
async fn a_server_that_fails_too_often_is_left_alone_for_a_minute() {
    let (kit, server) = told().await;
    kit.wechat().set_limits(Limits { callback_mark_fail_after: 2, ..Limits::default() });
    for _ in 0..8 {
        server.will_answer(Some((500, "")));
    }
    for person in ["o1", "o2", "o3"] {
        popup(&kit, person);
    }
    assert_eq!(seen(&kit, &server).await.len(), 8, "four for each of the first two");
    assert_eq!(outcomes(&kit)[8], PushOutcome::MarkedFailed);
    kit.wechat().advance(59).unwrap();
    popup(&kit, "o4");
    assert_eq!(seen(&kit, &server).await.len(), 8);
    kit.wechat().advance(1).unwrap();
    popup(&kit, "o5");
    assert_eq!(people(&kit, &server).await[8..], ["o5"]);
}

#[tokio::test]
async fn a_stop_ends_a_push() {
    let (kit, server) = told().await;
    server.will_answer(None);
    popup(&kit, "o1");
    while server.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    kit.simulator.stop().await;
}
