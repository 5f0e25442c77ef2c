//! Random requests to every route there is: never our fault, always the envelope, and nothing is left broken
//! (product.md G17). The routes come from the OpenAPI document, so a new one is met without being named here.

use futures_util::{StreamExt as _, stream};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Map, Value, json};
use tests::kit::{Person, TestApp, lead, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// Fixes what is asked. A failure names its request; the same seed asks the same again.
const SEED: u64 = 20_260_301;
/// Requests to every route.
const REQUESTS: usize = 200;
/// Requests that try a password: checking one is slow on purpose.
const LOGINS: usize = 12;

/// What would leave everybody outside, so that the rest is refused before it is looked at.
const ENDS_SESSIONS: [&str; 2] = ["/api/auth/logout", "/api/auth/refresh"];
/// Requests under way at the same time.
const AT_ONCE: usize = 8;
/// Deepest value in a body.
const DEPTH_MAX: usize = 4;

/// A request that is made up.
struct Asked {
    method: Method,
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Option<(String, Vec<u8>)>,
    token: String,
}

/// Makes requests up.
struct Fuzz<'a> {
    dice: StdRng,
    ids: Vec<String>,
    people: Vec<&'a Person>,
    fields: Vec<String>,
}

/// Texts that have broken programs before.
const NASTY: [&str; 22] = [
    "",
    " ",
    "0",
    "-1",
    "null",
    "true",
    "王女士",
    "'; DROP TABLE events; --",
    "%",
    "_%_",
    "\\",
    "\u{0}",
    "a\u{0}b",
    "\u{202e}abc",
    "\u{1f600}\u{1f600}",
    "../../etc/passwd",
    "{{customerName}}",
    "<script>alert(1)</script>",
    "99999999999999999999",
    "2026-02-30",
    "13812348999",
    "\r\nX-Injected: 1",
];

impl Fuzz<'_> {
    fn text(&mut self) -> String {
        match self.dice.random_range(0..6) {
            0 => self.ids.choose(&mut self.dice).cloned().unwrap_or_default(),
            1 => "长".repeat(self.dice.random_range(1..600)),
            2 => {
                let n = self.dice.random_range(0..12);
                (0..n).map(|_| self.dice.random::<char>()).collect()
            }
            _ => (*NASTY.choose(&mut self.dice).unwrap_or(&"")).to_owned(),
        }
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.dice.random_range(0..if depth < DEPTH_MAX { 9 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.dice.random::<bool>()),
            2 => json!(self.dice.random::<i64>()),
            3 => json!(self.dice.random_range(-2.0..3.0_f64) * 1e7),
            4..=6 => json!(self.text()),
            7 => {
                let n = self.dice.random_range(0..5);
                (0..n).map(|_| self.value(depth + 1)).collect()
            }
            _ => self.object(depth + 1),
        }
    }

    fn object(&mut self, depth: usize) -> Value {
        let mut members = Map::new();
        for _ in 0..self.dice.random_range(0..8) {
            let known = self.dice.random_bool(0.8);
            let key = if known {
                self.fields.choose(&mut self.dice).cloned().unwrap_or_default()
            } else {
                self.text()
            };
            members.insert(key, self.value(depth));
        }
        Value::Object(members)
    }

    /// A body that is nearly right: what is refused late is refused deep inside.
    fn nearly_right(&mut self) -> Value {
        let owner = self.people.choose(&mut self.dice).map(|person| json!(person.id)).unwrap_or_default();
        let ids: Vec<_> = self.ids.iter().take(self.dice.random_range(0..4)).cloned().collect();
        let mut body = match self.dice.random_range(0..10) {
            0 => lead("王女士", &phone(self.dice.random_range(0..500))),
            1 => json!({ "assignedTo": owner, "assignmentReason": "跟进" }),
            2 => json!({ "assignedTo": owner, "customerIds": ids }),
            3 => json!({ "notificationIds": ids }),
            4 => json!({ "customerIds": ids }),
            5 => json!({ "customerIds": ids, "reason": "客户找到了" }),
            6 => json!({ "reason": "客户找到了" }),
            7 => json!({ "type": "phone", "content": "约了周六" }),
            8 => json!({ "enabled": self.dice.random::<bool>() }),
            _ => json!({ "upTo": self.dice.random_range(-5..50) }),
        };
        if self.dice.random_bool(0.6) {
            let keys: Vec<String> = body.as_object().into_iter().flat_map(Map::keys).cloned().collect();
            let key = keys.choose(&mut self.dice).cloned().unwrap_or_default();
            body[key] = self.value(1);
        }
        body
    }

    fn body(&mut self) -> (String, Vec<u8>) {
        let kind = match self.dice.random_range(0..12) {
            0 => "text/plain",
            1 => "application/problem+json",
            2 => "application/json; charset=utf-16",
            _ => "application/json",
        };
        let body = match self.dice.random_range(0..10) {
            0 => (0..self.dice.random_range(0..80)).map(|_| self.dice.random::<u8>()).collect(),
            1 => {
                let text = self.nearly_right().to_string();
                text.into_bytes().into_iter().take(self.dice.random_range(0..60)).collect()
            }
            2..=4 => self.object(0).to_string().into_bytes(),
            _ => self.nearly_right().to_string().into_bytes(),
        };
        (kind.to_owned(), body)
    }

    fn header(&mut self) -> (&'static str, Vec<u8>) {
        const NAMES: [&str; 8] = [
            "idempotency-key",
            "if-match",
            "accept-language",
            "x-request-id",
            "content-encoding",
            "origin",
            "cookie",
            "accept",
        ];
        let name = NAMES.choose(&mut self.dice).copied().unwrap_or("accept");
        let value = match self.dice.random_range(0..4) {
            0 => b"\"2\"".to_vec(),
            1 => b"key-1".to_vec(),
            _ => self.text().into_bytes(),
        };
        // What HTTP cannot carry never reaches the service.
        (name, value.into_iter().filter(|byte| *byte >= 0x20 && *byte != 0x7f).take(300).collect())
    }

    /// Mostly parameters that the route has: one that it has not is refused before anything else is looked at.
    fn query(&mut self, parameters: &[&str]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for _ in 0..self.dice.random_range(0..3) {
            let known = self.dice.random_bool(0.95);
            let name = parameters.choose(&mut self.dice).copied().filter(|_| known).unwrap_or("colour");
            let value = self.text();
            query.append_pair(name, &value);
        }
        let text = query.finish();
        let cut = self.dice.random_bool(0.1);
        if cut { format!("{text}%") } else { text }
    }

    fn request(&mut self, method: &Method, route: &str, parameters: &[&str]) -> Asked {
        let mut path = route.to_owned();
        if path.contains("{id}") {
            let id = match self.dice.random_range(0..3) {
                0 => url::form_urlencoded::byte_serialize(self.text().as_bytes()).collect(),
                _ => self.ids.choose(&mut self.dice).cloned().unwrap_or_default(),
            };
            path = path.replace("{id}", if id.is_empty() { "%20" } else { &id });
        }
        if self.dice.random_bool(0.5) {
            path = format!("{path}?{}", self.query(parameters));
        }
        let headers = (0..self.dice.random_range(0..3)).map(|_| self.header()).collect();
        let body = (*method != Method::GET || self.dice.random_bool(0.1)).then(|| self.body());
        let token = match self.dice.random_range(0..20) {
            0 => self.text().chars().filter(char::is_ascii_graphic).collect(),
            _ => self.people.choose(&mut self.dice).map(|person| person.token.clone()).unwrap_or_default(),
        };
        Asked { method: method.clone(), path, headers, body, token }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_asked_is_ever_our_fault(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut ids = vec!["0190a1b2-0000-7000-8000-000000000000".to_owned()];
    for n in 0..4 {
        ids.push(app.lead_of(&team.manager, &team.employee, 9000 + n).await);
    }
    let document = app.get("/api/openapi.json").send().await.body;
    let fuzz = Fuzz {
        dice: StdRng::seed_from_u64(SEED),
        ids,
        people: team.everybody().to_vec(),
        fields: fields(&document),
    };
    let requests = requests(&document, fuzz);
    println!("seed {SEED}: {} requests", requests.len());
    let answered = stream::iter(requests)
        .map(|asked| ask(&app, asked))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let ours: Vec<_> = answered.iter().filter(|(status, _)| *status >= 500).map(|(_, asked)| asked).collect();
    assert!(ours.is_empty(), "seed {SEED}: {ours:#?}");
    let good = answered.iter().filter(|(status, _)| *status < 300).count();
    // Each route knows one of ten bodies, so most are refused; but not all before anything was looked at.
    assert!(good > answered.len() / 20, "some of it was right: {good} of {}", answered.len());
    app.finish().await;
}

/// Every route of the document, asked often.
fn requests(document: &Value, mut fuzz: Fuzz<'_>) -> Vec<Asked> {
    let empty = Map::new();
    let mut requests = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap_or(&empty) {
        for (method, operation) in item.as_object().unwrap_or(&empty) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_query = parameters.filter(|parameter| parameter["in"] == "query");
            let parameters: Vec<&str> = in_query.filter_map(|parameter| parameter["name"].as_str()).collect();
            let method: Method = method.to_uppercase().parse().expect("a method");
            let count = match path.as_str() {
                path if ENDS_SESSIONS.contains(&path) => 0,
                "/api/auth/login" => LOGINS,
                _ => REQUESTS,
            };
            requests.extend((0..count).map(|_| fuzz.request(&method, path, &parameters)));
        }
    }
    assert!(requests.len() > 20 * REQUESTS - REQUESTS, "the document names the routes");
    requests
}

/// The names of fields that bodies may have.
fn fields(document: &Value) -> Vec<String> {
    let schemas = document["components"]["schemas"].as_object();
    let bodies = schemas.into_iter().flatten().map(|(_, schema)| schema);
    let properties = bodies.filter_map(|schema| schema["properties"].as_object());
    let mut fields: Vec<String> = properties.flat_map(Map::keys).cloned().collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// The status, and what was asked. That the answer has the one shape is checked as always.
async fn ask(app: &TestApp, asked: Asked) -> (u16, String) {
    let Asked { method, path, headers, body, token } = asked;
    let shown = body.as_ref().map(|(kind, body)| format!("{kind} {}", String::from_utf8_lossy(body)));
    let what = format!("{method} {path} {headers:?} {shown:?}");
    let mut call = app.call(method, &path).token(&token);
    if let Some((kind, body)) = body {
        call = call.bytes(&kind, body);
    }
    for (name, value) in headers {
        call = call.raw_header(name, &value);
    }
    let reply = call.send().await;
    let what = if reply.status >= 500 { format!("{} {what}", reply.body) } else { what };
    (reply.status, what)
}
