//! Members of system S over HTTP: what the staff does, what anybody may send, and what another program signs
//! (member-intake.md section 1).

use application::access::{Action, allows};
use futures_util::future::join_all;
use infrastructure::signed_messages::MessageKey;
use reqwest::Method;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use tests::kit::{Node, Reply, Setup, TestApp, Wechat};
use tests::scratch::Backend::{self, Postgres, Sqlite};

const SECRET: &str = "a secret of two programs, as long as it must be";
const ROUTE: &str = "/api/intake/members";

async fn start(on: Backend) -> TestApp {
    let more = vec![("LEADWIRE_WEBHOOK__SECRET", SECRET.to_owned())];
    TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, more, ..Setup::default() }).await
}

/// A service token with this scope.
async fn token(app: &TestApp, scope: &str) -> String {
    let body = json!({ "name": "signup", "scopes": [scope] });
    let made = app.post("/api/service-tokens", &body).by(&app.team.admin).send().await;
    made.data()["token"].as_str().expect("a token").to_owned()
}

/// A message as it goes over the wire.
#[derive(Clone)]
struct Message {
    token: String,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

impl Message {
    /// Signed by whoever knows the secret, so many seconds from now.
    fn signed(app: &TestApp, token: &str, seconds: i64, body: Vec<u8>) -> Self {
        let timestamp = (app.now().timestamp() + seconds).to_string();
        let key = MessageKey::new(SecretString::from(SECRET)).expect("a secret");
        let signature = key.signature(&timestamp, &body);
        Self { token: token.to_owned(), timestamp, signature, body }
    }

    async fn send(&self, node: &Node) -> Reply {
        let call = node.call(Method::POST, ROUTE).token(&self.token);
        let call = call.header("x-leadwire-timestamp", &self.timestamp);
        let call = call.header("x-leadwire-signature", &self.signature);
        call.bytes("application/json", self.body.clone()).send().await
    }
}

fn rows(rows: &Value) -> Vec<u8> {
    json!({ "source": "signup", "members": rows }).to_string().into_bytes()
}

fn row(id: usize) -> Value {
    json!({ "id": id, "nickname": "小王", "phone": format!("1381234{id:04}"), "wechat": format!("wx{id}") })
}

fn person(n: usize) -> Value {
    json!({ "member_no": format!("M{n:04}"), "wechat": format!("me{n}"), "phone": format!("1391234{n:04}") })
}

async fn members(app: &TestApp, query: &str) -> Value {
    app.settle().await;
    app.get(&format!("/api/members?{query}")).by(&app.team.admin).send().await.data().clone()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_believed_with_token_and_signature_and_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let [good, other] = [token(&app, "intake:write").await, token(&app, "queue:process").await];
    let now = Message::signed(&app, &good, 0, rows(&json!([row(1)])));
    let nonsense = String::from("lw_nonsense");
    let mut altered = now.clone();
    altered.body = rows(&json!([row(2)]));
    for (message, answer) in [
        (Message { token: nonsense, ..now.clone() }, (401, "UNAUTHORIZED")),
        (Message { token: other, ..now.clone() }, (403, "INSUFFICIENT_SCOPE")),
        (altered, (401, "MESSAGE_NOT_SIGNED")),
        (Message { body: vec![b'x'; 10_000], ..now.clone() }, (401, "MESSAGE_NOT_SIGNED")),
        (Message { timestamp: "1700000000".to_owned(), ..now.clone() }, (401, "MESSAGE_NOT_SIGNED")),
        (Message::signed(&app, &good, -600, rows(&json!([row(1)]))), (401, "MESSAGE_NOT_SIGNED")),
        (Message::signed(&app, &good, 0, vec![b'x'; 10_000]), (400, "MALFORMED_JSON")),
    ] {
        let reply = message.send(&app).await;
        assert_eq!(reply.problem(), answer, "{reply:?}");
    }
    assert_eq!(members(&app, "").await["total"], 0, "nothing was taken in");
    assert_eq!(now.send(&app).await.data()["results"][0]["outcome"], "registered");
    assert_eq!(now.send(&app).await.problem(), (409, "MESSAGE_REPLAYED"));
    assert_eq!(members(&app, "source=signup").await["total"], 1);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_answered_row_by_row(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let token = token(&app, "intake:write").await;
    let mut batch: Vec<Value> = (1..=40).map(row).collect();
    batch[7] = json!({ "id": 8, "height": "很高" });
    let reply = Message::signed(&app, &token, 0, rows(&json!(batch))).send(&app).await;
    assert_eq!((&reply.data()["accepted"], &reply.data()["refused"]), (&json!(39), &json!(1)));
    assert_eq!(reply.data()["results"][7]["errors"][0]["path"], "height");
    assert_eq!(members(&app, "source=signup&status=ACTIVE").await["total"], 39);

    let reply = Message::signed(&app, &token, 1, rows(&json!(batch))).send(&app).await;
    let results = reply.data()["results"].as_array().expect("rows");
    assert_eq!(results.iter().filter(|row| row["outcome"] == "unchanged").count(), 39);
    app.finish().await;
}

/// The store decides: of the same message sent to both processes at once, one is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_counts_once_whichever_process_it_reaches() {
    let first = start(Postgres).await;
    let second = first.second().await;
    let token = token(&first, "intake:write").await;
    for n in 1..=5 {
        let message = Message::signed(&first, &token, 0, rows(&json!([row(n)])));
        let replies = join_all([&*first, &second].map(|node| message.send(node))).await;
        let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{replies:?}");
        assert_eq!(message.send(&second).await.problem(), (409, "MESSAGE_REPLAYED"));
    }
    assert_eq!(members(&first, "").await["total"], 5);
    second.stop().await;
    first.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_do_what_with_a_member_is_the_tables_answer(#[values(Sqlite, Postgres)] on: Backend) {
    let app = start(on).await;
    let team = app.team.clone();
    for (n, me) in team.of_every_role().into_iter().enumerate() {
        let made = app.post("/api/members", &person(n)).by(&team.admin).send().await;
        assert_eq!(made.status, 201, "{made:?}");
        let path = format!("/api/members/{}", made.data()["id"].as_str().expect("an id"));
        app.settle().await;
        let post = |way: &str, body: Value| app.post(&format!("{path}/{way}"), &body).by(me).if_match(999);
        let may = |action, passed: u16| if allows(me.role, action) { passed } else { 403 };
        for (what, call, expected) in [
            ("list", app.get("/api/members").by(me), may(Action::ViewMembers, 200)),
            ("show", app.get(&path).by(me), may(Action::ViewMembers, 200)),
            ("register", app.post("/api/members", &person(100 + n)).by(me), may(Action::RegisterMember, 201)),
            (
                "update",
                app.patch(&path, &json!({ "city": "杭州" })).by(me).if_match(999),
                may(Action::UpdateMember, 409),
            ),
            ("activate", post("activate", json!({})), may(Action::MoveMember, 409)),
            ("upgrade", post("upgrade", json!({ "type": "VIP" })), may(Action::MoveMember, 409)),
            ("revoke", post("revoke", json!({})), may(Action::MoveMember, 409)),
            ("delete", app.call(Method::DELETE, &path).by(me).if_match(999), may(Action::DeleteMember, 409)),
        ] {
            let reply = call.send().await;
            assert_eq!(reply.status, expected, "{what} as {}: {reply:?}", me.username);
        }
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_registers_and_a_known_phone_is_answered_like_a_new_one(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = start(on).await;
    let myself = |n: usize| json!({ "wechat": format!("me{n}"), "phone": "13812349999", "nickname": "小李" });
    let send = |n: usize| app.post("/api/members/register", &myself(n)).key(&n.to_string()).send();
    let [first, known] = [send(1).await, send(2).await];
    assert_eq!((first.status, known.status), (201, 201));
    assert_eq!(first.message(), known.message());
    assert_eq!(first.header("x-position"), None);
    assert_eq!(send(2).await.data(), known.data(), "the same form again");
    let found = members(&app, "source=public").await;
    assert_eq!((&found["total"], &found["members"][0]["active"]), (&json!(1), &json!(true)));
    let garbage = vec![b'{'; 10_000];
    let garbage = app.call(Method::POST, "/api/members/register").bytes("application/json", garbage);
    assert_eq!(garbage.send().await.problem(), (400, "MALFORMED_JSON"));
    app.finish().await;
}
