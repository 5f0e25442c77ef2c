//! System A's console as far as the bell goes: npm's `socket.io-client` in a Node.js of its own, driven line by line.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{Node, PATIENCE, Person};

/// The program, and what `cargo xtask test` has installed for it.
const PROGRAM: &str = "js/client.mjs";
const INSTALLED: &str = "../target/socketio-client";

/// A Node.js with clients in it.
#[derive(Debug)]
pub struct JsClients {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Heard while somebody waited for something else.
    heard: VecDeque<Value>,
}

impl JsClients {
    /// Starts Node.js.
    pub fn start() -> Self {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = tests.join(INSTALLED);
        let present = installed.join("node_modules/socket.io-client").is_dir();
        assert!(present, "socket.io-client is not installed: `cargo xtask test --only tests` does that");
        let mut node = Command::new("node");
        node.arg(tests.join(PROGRAM)).arg(installed).kill_on_drop(true);
        node.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = node.spawn().expect("Node.js: `node` must be on the search path");
        let input = child.stdin.take().expect("a pipe");
        let output = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, input, output, heard: VecDeque::new() }
    }

    async fn tell(&mut self, command: &Value) {
        self.input.write_all(format!("{command}\n").as_bytes()).await.expect("Node.js listens");
    }

    /// Opens a client for somebody, as system A's console does. `extra` goes to the program as it is.
    pub async fn connect(
        &mut self,
        name: &str,
        node: &Node,
        person: &Person,
        transport: &str,
        extra: &Value,
    ) {
        let transports = transport.split('+').collect::<Vec<_>>();
        let mut command = json!({ "do": "connect", "name": name, "url": node.url(""), "token": person.token,
                                  "transports": transports });
        for (member, value) in extra.as_object().into_iter().flatten() {
            command[member.as_str()] = value.clone();
        }
        self.tell(&command).await;
    }

    /// Lets a client say something.
    pub async fn emit(&mut self, name: &str, event: &str) {
        self.tell(&json!({ "do": "emit", "name": name, "event": event })).await;
    }

    /// Breaks the connection under a client.
    pub async fn break_off(&mut self, name: &str) {
        self.tell(&json!({ "do": "break", "name": name })).await;
    }

    /// Closes a client.
    pub async fn close(&mut self, name: &str) {
        self.tell(&json!({ "do": "close", "name": name })).await;
    }

    /// The next thing a client saw: what, and with which data.
    pub async fn next(&mut self, name: &str) -> (String, Value) {
        let taken = self.heard.iter().position(|line| line["name"] == name);
        if let Some(mut line) = taken.and_then(|index| self.heard.remove(index)) {
            return (line["event"].as_str().unwrap_or_default().to_owned(), line["data"].take());
        }
        loop {
            let line = timeout(PATIENCE, self.output.next_line()).await;
            let line = line.unwrap_or_else(|_| panic!("{name} saw nothing more in time"));
            let line = line.expect("a line").expect("Node.js runs");
            let mut line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            if line["name"] == name {
                return (line["event"].as_str().unwrap_or_default().to_owned(), line["data"].take());
            }
            self.heard.push_back(line);
        }
    }

    /// What a client saw up to and with the next such event.
    pub async fn up_to(&mut self, name: &str, event: &str) -> Vec<(String, Value)> {
        let mut seen = Vec::new();
        loop {
            let next = self.next(name).await;
            let last = next.0 == event;
            seen.push(next);
            if last {
                return seen;
            }
        }
    }

    /// The data of the next such event, past whatever else happens.
    pub async fn until(&mut self, name: &str, event: &str) -> Value {
        self.up_to(name, event).await.pop().map(|(_, data)| data).unwrap_or_default()
    }

    /// What a client saw until it was told everything up to `seq`.
    pub async fn complete_up_to(&mut self, name: &str, seq: i64) -> Vec<(String, Value)> {
        let mut seen = Vec::new();
        loop {
            seen.extend(self.up_to(name, "completeUpto").await);
            if seen.last().is_some_and(|(_, data)| data["seq"].as_i64() >= Some(seq)) {
                return seen;
            }
        }
    }

    /// Ends Node.js in good order.
    pub async fn finish(self) {
        let Self { mut child, input, .. } = self;
        drop(input);
        let ended = timeout(PATIENCE, child.wait()).await.expect("Node.js ends").expect("an exit");
        assert!(ended.success(), "{ended}");
    }
}
