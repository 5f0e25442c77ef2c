//! The live socket, over a real connection.

use std::time::Duration;

use axum::http::HeaderValue;
use domain::CustomerId;
use domain::staff::Role;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::kit::{Person, Service};

/// How long a frame may take to come; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(100);

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(service: &Service, query: &str, protocol: Option<&str>) -> Self {
        let address = service.running.local_addr().unwrap();
        let mut request = format!("ws://{address}/ws/notifications{query}").into_client_request().unwrap();
        if let Some(protocol) = protocol {
            let protocol = HeaderValue::from_str(protocol).unwrap();
            request.headers_mut().insert("sec-websocket-protocol", protocol);
        }
        Self(connect_async(request).await.unwrap().0)
    }

    async fn of(service: &Service, person: &Person, query: &str) -> Self {
        Self::open(service, query, Some(&format!("bearer, {}", person.token))).await
    }

    async fn message(&mut self) -> Message {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("no frame came").unwrap().unwrap();
            if !message.is_ping() {
                return message;
            }
        }
    }

    /// The frames up to the next of this type; when a list is to be read again is another test's question.
    async fn up_to(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let message = self.message().await;
            let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            let last = frame["type"] == kind;
            if last || frame["type"] != "refresh" {
                frames.push(frame);
            }
            if last {
                return frames;
            }
        }
    }

    async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.unwrap().code.into();
            }
        }
    }
}

fn kinds(frames: &[Value]) -> Vec<(&str, i64)> {
    let number = |frame: &Value| frame["seq"].as_i64().or(frame["data"].as_i64()).unwrap_or(0);
    frames.iter().map(|frame| (frame["type"].as_str().unwrap(), number(frame))).collect()
}

#[tokio::test]
async fn a_notice_arrives_and_a_cursor_continues_without_a_gap() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let lead = CustomerId(service.running.app().ids.next());
    let mut live = Socket::of(&service, &employee, "").await;
    assert_eq!(kinds(&live.up_to("complete_upto").await), [("unread_count", 0), ("complete_upto", 0)]);

    service.notice(&employee, lead).await;
    let frames = live.up_to("complete_upto").await;
    let expected = [("notification", 1), ("customer_assigned", 1), ("unread_count", 1), ("complete_upto", 1)];
    assert_eq!(kinds(&frames), expected);
    assert_eq!(frames[0]["data"]["type"], "CUSTOMER_TRANSFERRED");
    assert_eq!(frames[1]["data"]["customerId"], lead.to_string());

    service.notice(&employee, lead).await;
    service.settle().await;
    let mut back = Socket::of(&service, &employee, "?cursor=0").await;
    let notices: Vec<_> = back
        .up_to("complete_upto")
        .await
        .iter()
        .filter(|frame| frame["type"] == "notification")
        .map(|frame| frame["seq"].clone())
        .collect();
    assert_eq!(notices, [1, 2]);
    let mut ahead = Socket::of(&service, &employee, "?cursor=99").await;
    let frames = ahead.up_to("complete_upto").await;
    assert_eq!(kinds(&frames), [("resync", 0), ("unread_count", 2), ("complete_upto", 2)]);

    service.put("/api/notifications/mark-all-read", &json!({})).by(&employee).send().await;
    assert_eq!(kinds(&ahead.up_to("unread_count").await), [("unread_count", 0)]);
    service.stop().await;
}

#[tokio::test]
async fn an_assignment_reaches_the_new_owner() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let mut socket = Socket::of(&service, &employee, "").await;
    socket.up_to("complete_upto").await;
    let lead = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/{}/assign", lead["_id"].as_str().unwrap());
    service.patch(&path, &json!({ "assignedTo": employee.id })).by(&manager).send().await;
    let frames = socket.up_to("complete_upto").await;
    assert_eq!(frames[0]["data"]["type"], "CUSTOMER_TRANSFERRED");
    assert_eq!(frames[1]["type"], "customer_assigned");
    assert_eq!(frames[1]["data"]["customerId"], lead["_id"]);
    assert!(!frames[0].to_string().contains("13812348999"), "phones are masked");
    service.stop().await;
}

#[tokio::test]
async fn the_token_may_come_in_the_first_frame() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    for frame in [employee.token.clone(), json!({ "token": employee.token }).to_string()] {
        let mut socket = Socket::open(&service, "", None).await;
        socket.0.send(Message::text(frame)).await.unwrap();
        assert_eq!(socket.up_to("complete_upto").await.len(), 2);
    }
    for (frame, code) in [("{}", 4400), ("not.a.token", 4401)] {
        let mut socket = Socket::open(&service, "", None).await;
        socket.0.send(Message::text(frame)).await.unwrap();
        assert_eq!(socket.close_code().await, code, "{frame}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_suspension_and_a_stop_end_the_socket() {
    let (service, [employee, other]) = Service::with([Role::Employee, Role::Employee]).await;
    let mut suspended = Socket::of(&service, &employee, "").await;
    let mut stopped = Socket::of(&service, &other, "").await;
    suspended.up_to("complete_upto").await;
    stopped.up_to("complete_upto").await;
    service.suspend(&employee).await;
    assert_eq!(suspended.close_code().await, 4401);
    let (code, ()) = tokio::join!(stopped.close_code(), service.stop());
    assert_eq!(code, 1001);
}

#[tokio::test]
async fn the_end_of_the_token_ends_the_socket() {
    let (service, [mut employee]) = Service::with([Role::Employee]).await;
    let app = service.running.app();
    let life = chrono::TimeDelta::from_std(app.settings.auth.token_life).unwrap();
    let issued = app.clock.now() - life + chrono::TimeDelta::seconds(2);
    employee.token = app.auth.tokens.issue(employee.id, "employee1", Role::Employee, issued).unwrap();
    let mut socket = Socket::of(&service, &employee, "").await;
    socket.up_to("complete_upto").await;
    assert_eq!(socket.close_code().await, 4401);
    service.stop().await;
}

#[tokio::test]
async fn a_flood_from_a_client_ends_the_socket() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let mut socket = Socket::of(&service, &employee, "").await;
    socket.up_to("complete_upto").await;
    socket.0.send(Message::text("x".repeat(64 * 1024))).await.unwrap();
    let ended = timeout(PATIENCE, async {
        while let Some(Ok(message)) = socket.0.next().await {
            assert!(!message.is_text());
        }
    });
    assert!(ended.await.is_ok());
    service.stop().await;
}
