//! Socket.IO as it is on the wire: what the client library never does, or does not show.

use std::time::Duration;

use axum::http::HeaderValue;
use domain::CustomerId;
use domain::staff::Role;
use futures_util::{SinkExt as _, StreamExt as _};
use infrastructure::provider_http::{self, Timeouts};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::kit::{Person, Service};

/// How long a packet may take to come; only a failing test waits for so long.
const PATIENCE: Duration = Duration::from_secs(100);

/// Puts packets of one answer apart.
const SEPARATOR: char = '\u{1e}';

/// More than one client may send at once.
const FLOOD_BYTES: usize = 80 * 1024;

/// Turns of the runtime that a request on loopback needs at most.
const TURNS: usize = 10_000;

/// Connections of one address that may wait.
const WAITING_MAX: usize = 128;

/// A connection by long polling.
struct Polls {
    client: Client,
    url: String,
    packets: Vec<String>,
}

fn url(service: &Service) -> String {
    format!("http://{}/socket.io/?EIO=4&transport=polling", service.running.local_addr().unwrap())
}

fn http() -> Client {
    provider_http::client(Timeouts { connect: PATIENCE, total: 2 * PATIENCE }).unwrap()
}

fn connect(person: &Person) -> String {
    format!("40/notifications,{}", json!({ "token": person.token }))
}

impl Polls {
    async fn open(service: &Service) -> Self {
        let (client, url) = (http(), url(service));
        let opened = client.get(&url).send().await.unwrap();
        assert_eq!(opened.status(), 200);
        let opened = opened.text().await.unwrap();
        let opened: Value = serde_json::from_str(opened.strip_prefix('0').unwrap()).unwrap();
        assert_eq!((&opened["pingInterval"], &opened["pingTimeout"]), (&json!(25_000), &json!(20_000)));
        let url = format!("{url}&sid={}", opened["sid"].as_str().unwrap());
        Self { client, url, packets: Vec::new() }
    }

    async fn say(&self, packet: &str) -> u16 {
        let sent = self.client.post(&self.url).body(packet.to_owned()).send().await.unwrap();
        sent.status().as_u16()
    }

    async fn poll(&self) -> (u16, String) {
        let polled = self.client.get(&self.url).send().await.unwrap();
        (polled.status().as_u16(), polled.text().await.unwrap())
    }

    /// The next packet of the namespace that begins so; what is behind that.
    async fn packet(&mut self, begins: &str) -> String {
        loop {
            if let Some(index) = self.packets.iter().position(|packet| packet.starts_with(begins)) {
                let packet = self.packets.remove(index);
                return packet[begins.len()..].to_owned();
            }
            let (status, text) = self.poll().await;
            assert_eq!(status, 200, "waiting for {begins}: {text}");
            self.packets.extend(text.split(SEPARATOR).map(str::to_owned));
        }
    }
}

#[tokio::test]
async fn the_namespace_speaks_over_polling() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let mut polls = Polls::open(&service).await;
    assert_eq!(polls.say(&connect(&employee)).await, 200);
    assert!(polls.packet("40/notifications,").await.contains("\"sid\""));
    assert_eq!(polls.packet("42/notifications,[\"unreadCount\",").await, "0]");

    let lead = CustomerId(service.running.app().ids.next());
    service.notice(&employee, lead).await;
    let notice = polls.packet("42/notifications,[\"notification\",").await;
    let notice: Value = serde_json::from_str(notice.strip_suffix(']').unwrap()).unwrap();
    let listed = service.get("/api/notifications").by(&employee).send().await;
    assert_eq!(notice, listed.data()["items"][0], "the whole record, as the list shows it");
    assert_eq!(polls.packet("42/notifications,[\"unreadCount\",").await, "1]");
    assert_eq!(polls.say("42/notifications,[\"getUnreadCount\"]").await, 200);
    assert_eq!(polls.packet("42/notifications,[\"unreadCount\",").await, "1]");
    service.stop().await;
}

#[tokio::test]
async fn who_is_refused_is_connected_and_ended_without_an_error() {
    let (service, [suspended]) = Service::with([Role::Employee]).await;
    service.suspend(&suspended).await;
    for auth in ["", "{}", "7", "{\"token\":7}", "{\"token\":\"a.b.c\"}", &connect(&suspended)[17..]] {
        let mut polls = Polls::open(&service).await;
        assert_eq!(polls.say(&format!("40/notifications,{auth}")).await, 200, "{auth}");
        polls.packet("40/notifications,").await;
        assert_eq!(polls.packet("41/notifications,").await, "", "{auth}");
        assert!(!polls.packets.iter().any(|packet| packet.starts_with("44")), "{auth}: {:?}", polls.packets);
    }
    let mut elsewhere = Polls::open(&service).await;
    elsewhere.say("40/admin,").await;
    assert!(elsewhere.packet("44/admin,").await.contains("Invalid namespace"));
    service.stop().await;
}

#[tokio::test]
async fn only_our_own_pages_may_speak() {
    let service = Service::start().await;
    let reply =
        service.get("/socket.io/?EIO=4&transport=polling").header("origin", "https://evil.example.com");
    assert_eq!(reply.send().await.problem(), (403, "ORIGIN_NOT_ALLOWED"));
    let client = http();
    let own = url(&service).split_once("/socket.io").unwrap().0.to_owned();
    let opened = client.get(url(&service)).header("origin", own).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn an_address_cannot_hold_every_place_without_saying_who_it_is() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let mut waiting = Vec::new();
    for _ in 0..WAITING_MAX {
        waiting.push(Polls::open(&service).await);
    }
    let client = http();
    let refused = client.get(url(&service)).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    // Whoever says who it is makes room.
    let mut first = waiting.remove(0);
    first.say(&connect(&employee)).await;
    first.packet("42/notifications,[\"unreadCount\",").await;
    assert_eq!(client.get(url(&service)).send().await.unwrap().status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn the_end_of_the_service_does_not_wait_for_a_poll() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let mut polls = Polls::open(&service).await;
    polls.say(&connect(&employee)).await;
    polls.packet("42/notifications,[\"completeUpto\",").await;
    let poll = tokio::spawn(async move { polls.client.get(&polls.url).send().await.map(drop) });
    // Both ends live on this thread: after so many turns the poll waits at the service.
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    assert!(service.running.stop().await, "everything ends in time, a poll of 25 seconds too");
    assert!(poll.is_finished() || poll.await.is_ok());
}

struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    async fn open(service: &Service, origin: Option<&str>) -> Result<Self, u16> {
        let address = service.running.local_addr().unwrap();
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let mut request = url.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        match connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("no socket: {error}"),
        }
    }

    async fn say(&mut self, packet: &str) {
        self.0.send(Message::text(packet)).await.unwrap();
    }

    /// What is behind the beginning of the next such packet.
    async fn packet(&mut self, begins: &str) -> String {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("no packet came").unwrap().unwrap();
            if let Some(rest) = message.to_text().unwrap().strip_prefix(begins) {
                return rest.to_owned();
            }
        }
    }

    async fn is_ended(&mut self) -> bool {
        let ended = async { while let Some(Ok(_)) = self.0.next().await {} };
        timeout(PATIENCE, ended).await.is_ok()
    }
}

#[tokio::test]
async fn the_namespace_speaks_over_a_socket_and_ends_with_the_account_and_the_service() {
    let (service, [employee, other]) = Service::with([Role::Employee, Role::Employee]).await;
    assert_eq!(Socket::open(&service, Some("https://evil.example.com")).await.err(), Some(403));
    let mut suspended = Socket::open(&service, None).await.unwrap();
    let mut stopped = Socket::open(&service, None).await.unwrap();
    for (socket, person) in [(&mut suspended, &employee), (&mut stopped, &other)] {
        socket.say(&connect(person)).await;
        socket.packet("42/notifications,[\"completeUpto\",").await;
    }
    service.suspend(&employee).await;
    assert_eq!(suspended.packet("41/notifications,").await, "");
    let (ended, ()) = tokio::join!(stopped.is_ended(), service.stop());
    assert!(ended, "the transport is closed, so that the client comes back by itself");
}

#[tokio::test]
async fn a_flood_from_a_client_ends_the_connection() {
    let (service, [employee]) = Service::with([Role::Employee]).await;
    let mut socket = Socket::open(&service, None).await.unwrap();
    socket.say(&connect(&employee)).await;
    socket.packet("42/notifications,[\"completeUpto\",").await;
    // The server may already have hung up while this is being sent.
    let _ = socket.0.send(Message::text("4".repeat(FLOOD_BYTES))).await;
    assert!(socket.is_ended().await);

    let polls = Polls::open(&service).await;
    let refused = polls.say(&format!("40/notifications,{}", "x".repeat(FLOOD_BYTES))).await;
    assert!((400..500).contains(&refused), "{refused}");
    service.stop().await;
}
