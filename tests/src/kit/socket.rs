//! The live socket, as the mini program opens it.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Node, PATIENCE, Person};

/// How long a story listens to be sure that nothing comes; what could come is committed before.
const SILENCE: Duration = Duration::from_millis(300);

/// An open socket.
#[derive(Debug)]
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Node {
    /// Opens a socket for somebody; `query` is empty or begins with `?`.
    pub async fn socket(&self, person: &Person, query: &str) -> Socket {
        let opened = self.try_socket(Some(&person.token), query).await;
        opened.unwrap_or_else(|status| panic!("the socket was refused with {status}"))
    }

    /// Opens a socket with a token, or with none: then the first frame has to bring one. The status of a refusal.
    pub async fn try_socket(&self, token: Option<&str>, query: &str) -> Result<Socket, u16> {
        match connect_async(self.socket_request(token, query)).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("no socket: {error}"),
        }
    }

    fn socket_request(&self, token: Option<&str>, query: &str) -> Request {
        let url = self.url(&format!("/ws/notifications{query}")).replacen("http", "ws", 1);
        let mut request = url.into_client_request().expect("an address");
        if let Some(token) = token {
            let protocol = format!("bearer, {token}").parse().expect("a token");
            request.headers_mut().insert("sec-websocket-protocol", protocol);
        }
        request
    }
}

impl Socket {
    /// Says something.
    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("a frame leaves");
    }

    async fn message(&mut self) -> Message {
        loop {
            let message = timeout(PATIENCE, self.0.next()).await.expect("a frame in time");
            let message = message.expect("an open socket").expect("a frame");
            if !message.is_ping() {
                return message;
            }
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Value {
        let message = self.message().await;
        let text = message.to_text().unwrap_or_else(|_| panic!("no text: {message:?}"));
        serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {message:?}"))
    }

    /// The frames up to and with the next of this type.
    pub async fn up_to(&mut self, kind: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await;
            let last = frame["type"] == kind;
            frames.push(frame);
            if last {
                return frames;
            }
        }
    }

    /// The frames until everything up to `seq` was sent.
    pub async fn complete_up_to(&mut self, seq: i64) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            frames.extend(self.up_to("complete_upto").await);
            if frames.last().is_some_and(|last| last["seq"].as_i64() >= Some(seq)) {
                return frames;
            }
        }
    }

    /// Whether nothing comes.
    pub async fn is_silent(&mut self) -> bool {
        timeout(SILENCE, self.message()).await.is_err()
    }

    /// The code the socket is closed with.
    pub async fn close_code(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a close code").code.into();
            }
        }
    }
}
