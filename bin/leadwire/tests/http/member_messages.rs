//! Signed messages of members: who is believed, once, and what becomes of each row.

use application::bus::{Draft, NewEvent, StreamAppend};
use axum::http::Method;
use domain::member::SourceKey;
use domain::staff::Role;
use domain::{Actor, CommandId, MemberId, Metadata};
use infrastructure::signed_messages::MessageKey;
use secrecy::SecretString;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::kit::{Person, Reply, Service};

const SECRET: &str = "a secret of two programs, as long as it must be";
const ROUTE: &str = "/api/intake/members";

async fn start() -> (Service, Person, String) {
    let service = Service::start_with(&[("LEADWIRE_WEBHOOK__SECRET", SECRET)]).await;
    let admin = service.person("admin1", Role::Admin).await;
    let token = token(&service, &admin, "intake:write").await;
    (service, admin, token)
}

fn signed_by(service: &Service, secret: &str, token: &str, seconds: i64, body: Vec<u8>) -> Message {
    let timestamp = (service.running.app().clock.now().timestamp() + seconds).to_string();
    let signature = MessageKey::new(SecretString::from(secret)).unwrap().signature(&timestamp, &body);
    Message { token: Some(token.to_owned()), timestamp, signature, body }
}

async fn token(service: &Service, admin: &Person, scope: &str) -> String {
    let body = json!({ "name": "signup", "scopes": [scope] });
    let made = service.post("/api/service-tokens", &body).by(admin).send().await;
    made.data()["token"].as_str().unwrap().to_owned()
}

/// A message as it goes over the wire.
#[derive(Clone)]
struct Message {
    token: Option<String>,
    timestamp: String,
    signature: String,
    body: Vec<u8>,
}

/// Signed by whoever knows the secret, so many seconds from now.
fn signed(service: &Service, token: &str, seconds: i64, body: Vec<u8>) -> Message {
    signed_by(service, SECRET, token, seconds, body)
}

async fn send(service: &Service, message: &Message) -> Reply {
    let mut call = service.call(Method::POST, ROUTE).bytes("application/json", message.body.clone());
    if let Some(token) = &message.token {
        call = call.header("authorization", &format!("Bearer {token}"));
    }
    for (name, value) in
        [("x-leadwire-timestamp", &message.timestamp), ("x-leadwire-signature", &message.signature)]
    {
        if !value.is_empty() {
            call = call.header(name, value);
        }
    }
    call.send().await
}

fn rows(rows: &Value) -> Vec<u8> {
    json!({ "source": "signup", "members": rows }).to_string().into_bytes()
}

fn row(id: u32) -> Value {
    json!({ "id": id, "nickname": "小王", "phone": format!("1381234{id:04}"), "status": "ACTIVE" })
}

/// How often each reason was counted.
async fn counted(service: &Service, reason: &str) -> u64 {
    metric(service, &format!("leadwire_member_messages_refused_total{{reason=\"{reason}\"}} ")).await
}

async fn metric(service: &Service, name: &str) -> u64 {
    let (_, text) = service.get("/metrics").page().await;
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn whoever_is_not_believed_is_told_why_and_counted() {
    let (service, admin, good) = start().await;
    let other = token(&service, &admin, "queue:process").await;
    let message = |seconds| signed(&service, &good, seconds, rows(&json!([row(1)])));
    let now = message(0);
    let with = |change: fn(&mut Message)| {
        let mut message = now.clone();
        change(&mut message);
        message
    };
    let scope = Message { token: Some(other), ..now.clone() };
    let person = Message { token: Some(admin.token.clone()), ..now.clone() };
    for (message, answer, reason) in [
        (with(|m| m.token = None), (401, "UNAUTHORIZED"), "no_token"),
        (with(|m| m.token = Some("lw_nonsense".into())), (401, "UNAUTHORIZED"), "no_token"),
        (scope, (403, "INSUFFICIENT_SCOPE"), "other_scope"),
        (person, (403, "INSUFFICIENT_SCOPE"), "other_scope"),
        (with(|m| m.signature.clear()), (401, "MESSAGE_NOT_SIGNED"), "incomplete"),
        (with(|m| m.timestamp.clear()), (401, "MESSAGE_NOT_SIGNED"), "incomplete"),
        (with(|m| m.timestamp = "now".into()), (401, "MESSAGE_NOT_SIGNED"), "incomplete"),
        (message(-301), (401, "MESSAGE_NOT_SIGNED"), "outside_window"),
        (message(400), (401, "MESSAGE_NOT_SIGNED"), "outside_window"),
        (with(|m| m.body.push(b' ')), (401, "MESSAGE_NOT_SIGNED"), "forged"),
        (
            with(|m| m.signature = m.signature.replace(['0', '1', '2'], "3")),
            (401, "MESSAGE_NOT_SIGNED"),
            "forged",
        ),
        (with(|m| m.body = vec![b'x'; 10_000]), (401, "MESSAGE_NOT_SIGNED"), "forged"),
    ] {
        let before = counted(&service, reason).await;
        let reply = send(&service, &message).await;
        assert_eq!(reply.problem(), answer, "{reason}: {reply:?}");
        assert_eq!(counted(&service, reason).await, before + 1, "{reason}");
    }
    let listed = service.get("/api/members").by(&admin).send().await;
    assert_eq!(listed.data()["total"], 0, "nothing was taken in");

    assert_eq!(send(&service, &now).await.status, 200);
    for signature in [now.signature.clone(), now.signature.to_uppercase()] {
        let replay = Message { signature, ..now.clone() };
        assert_eq!(send(&service, &replay).await.problem(), (409, "MESSAGE_REPLAYED"));
    }
    assert_eq!(counted(&service, "replayed").await, 2);
    service.stop().await;
}

#[tokio::test]
async fn what_is_signed_and_no_message_is_refused_and_counted() {
    let (service, _, token) = start().await;
    let many: Vec<Value> = (0..501).map(row).collect();
    for (body, answer) in [
        (vec![b'x'; 10_000], (400, "MALFORMED_JSON")),
        (b"[]".to_vec(), (400, "VALIDATION_FAILED")),
        (b"{}".to_vec(), (422, "VALIDATION_FAILED")),
        (rows(&json!([])), (422, "VALIDATION_FAILED")),
        (rows(&json!(many)), (422, "VALIDATION_FAILED")),
    ] {
        let before = counted(&service, "malformed").await;
        let reply = send(&service, &signed(&service, &token, 0, body)).await;
        assert_eq!(reply.problem(), answer, "{reply:?}");
        assert_eq!(counted(&service, "malformed").await, before + 1);
    }
    let large = signed(&service, &token, 0, vec![b' '; 2 * 1024 * 1024]);
    assert_eq!(send(&service, &large).await.problem(), (413, "PAYLOAD_TOO_LARGE"));
    service.stop().await;
}

#[tokio::test]
async fn each_row_is_answered_for_itself_and_the_same_again_changes_nothing() {
    let (service, admin, token) = start().await;
    let mut odd = row(3);
    odd["education"] = json!("MBA");
    let batch = json!([row(1), { "id": 2, "height": "很高", "status": "LOST" }, odd, row(1), 7]);
    let reply = send(&service, &signed(&service, &token, 0, rows(&batch))).await;
    let data = reply.data();
    assert_eq!((&data["total"], &data["accepted"], &data["refused"]), (&json!(5), &json!(2), &json!(3)));
    let outcomes: Vec<&str> =
        data["results"].as_array().unwrap().iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["registered", "refused", "registered", "refused", "refused"]);
    let codes: Vec<&str> = data["results"][1]["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["not_whole", "unknown_code"]);
    assert_eq!(data["results"][2]["unknownCodes"], json!(["education"]));
    assert!(!reply.body.to_string().contains("很高"), "no value is repeated");
    service.settle().await;
    let listed = service.get("/api/members?source=signup").by(&admin).send().await;
    assert_eq!(listed.data()["total"], 2);

    // The sender did not hear the answer, and says it once more.
    let again = send(&service, &signed(&service, &token, 1, rows(&json!([row(1)])))).await;
    assert_eq!(again.data()["results"][0]["outcome"], "unchanged");
    let mut moved = row(1);
    moved["city"] = json!("杭州");
    let changed = send(&service, &signed(&service, &token, 2, rows(&json!([moved])))).await;
    assert_eq!(changed.data()["results"][0]["outcome"], "changed");
    // What a message does not tell stays as it is.
    let partial = json!([{ "id": "1", "nickname": "王姐" }]);
    let told = send(&service, &signed(&service, &token, 3, rows(&partial))).await;
    let id = told.data()["results"][0]["memberId"].as_str().unwrap().to_owned();
    service.settle().await;
    let shown = service.get(&format!("/api/members/{id}")).by(&admin).send().await;
    let member = shown.data();
    assert_eq!(
        (&member["nickname"], &member["city"], &member["phone"]),
        (&json!("王姐"), &json!("杭州"), &json!("13812340001"))
    );
    let gone = json!([{ "id": "1", "deleted": true }]);
    send(&service, &signed(&service, &token, 4, rows(&gone))).await.data();
    service.settle().await;
    let shown = service.get(&format!("/api/members/{id}")).by(&admin).send().await;
    assert_eq!(shown.problem(), (404, "MEMBER_NOT_FOUND"));

    let bad = send(&service, &signed(&service, &token, 5, rows(&json!([{ "city": "x" }])))).await;
    assert_eq!(bad.problem(), (422, "MEMBER_ROWS_REFUSED"));
    assert_eq!(bad.body["error"]["details"]["results"][0]["errors"][0]["path"], "id");
    service.stop().await;
}

/// A program to come wrote something about one of the members.
async fn write_what_nobody_can_read(service: &Service, key: u32) {
    let key = SourceKey { source: "signup".into(), table: "webhook".into(), key: key.to_string() };
    let payload = to_raw_value(&json!({})).unwrap();
    let event = NewEvent { event_type: "MemberPromoted", schema_version: 1, payload };
    let streams = vec![StreamAppend {
        stream: MemberId::of_row(&key).into(),
        expected: 0,
        events: vec![event],
        because: None,
    }];
    let metadata = Metadata {
        command: CommandId(uuid::Uuid::from_u128(7)),
        correlation: "test".into(),
        causation: None,
        actor: Actor::System("test".into()),
    };
    let app = service.running.app();
    let draft = Draft { metadata, recorded_at: app.clock.now(), streams, guards: vec![], receipt: None };
    app.bus.log().append(draft).await.unwrap();
}

#[tokio::test]
async fn a_member_that_cannot_be_read_costs_the_others_of_its_message_nothing() {
    let (service, _, token) = start().await;
    write_what_nobody_can_read(&service, 2).await;
    let batch = json!([row(1), row(2), row(3)]);
    let reply = send(&service, &signed(&service, &token, 0, rows(&batch))).await;
    let results = &reply.data()["results"];
    let outcomes: Vec<&Value> = results.as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["registered", "refused", "registered"]);
    let error = &results[1]["errors"][0];
    assert_eq!((&error["path"], &error["code"]), (&json!(""), &json!("unreadable")));
    assert!(error["message"].as_str().unwrap().contains("无法读取"), "{error}");
    let alone = send(&service, &signed(&service, &token, 1, rows(&json!([row(2)])))).await;
    assert_eq!(alone.problem(), (422, "MEMBER_ROWS_REFUSED"));
    service.stop().await;
}

#[tokio::test]
async fn while_the_secret_is_replaced_both_count_and_nothing_else() {
    const NEW: &str = "the new secret of two programs, as long as it must be";
    let both = [("LEADWIRE_WEBHOOK__SECRET", NEW), ("LEADWIRE_WEBHOOK__PREVIOUS_SECRET", SECRET)];
    let service = Service::start_with(&both).await;
    let admin = service.person("admin1", Role::Admin).await;
    let token = token(&service, &admin, "intake:write").await;
    let message = |secret: &str, n: u32| signed_by(&service, secret, &token, 0, rows(&json!([row(n)])));
    for (secret, n, name) in [(SECRET, 1, "previous"), (NEW, 2, "current")] {
        let message = message(secret, n);
        assert_eq!(send(&service, &message).await.status, 200, "{name}");
        assert_eq!(send(&service, &message).await.problem(), (409, "MESSAGE_REPLAYED"), "{name}");
        let believed = format!("leadwire_member_messages_believed_total{{secret=\"{name}\"}} ");
        assert_eq!(metric(&service, &believed).await, 1);
    }
    let forged = message("a secret that nobody has configured here", 3);
    assert_eq!(send(&service, &forged).await.problem(), (401, "MESSAGE_NOT_SIGNED"));
    assert_eq!((counted(&service, "forged").await, counted(&service, "replayed").await), (1, 2));
    service.stop().await;
}

#[tokio::test]
async fn without_a_secret_nobody_is_believed() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let token = token(&service, &admin, "intake:write").await;
    let reply = send(&service, &signed(&service, &token, 0, rows(&json!([row(1)])))).await;
    assert_eq!(reply.problem(), (404, "INTAKE_NOT_CONFIGURED"));
    assert_eq!(counted(&service, "not_configured").await, 1);
    service.stop().await;
}
