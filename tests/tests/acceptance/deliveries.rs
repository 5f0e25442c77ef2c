//! What an administrator sees of deliveries and does about them: dead letters with every attempt, once more by a count
//! that was seen, given up with a reason, unknown ones settled; nothing disappears.

use domain::notification::Channel;
use domain::notification::DeliveryState::{self, Accepted, Dead, Pending, Rejected, Unknown};
use futures_util::future::join_all;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Setup, TestApp, eventually};
use tests::scratch::Backend::{self, Postgres, Sqlite};
use wechat_simulator::{Endpoint, Fault, FaultRule};

/// A code that nobody documented: a no, and perhaps for now only.
const SAYS_LATER: i64 = 77_777;

/// A service whose provider need say "busy" only once.
async fn impatient(on: Backend) -> TestApp {
    let more = vec![("LEADWIRE_DELIVERY__BUSY_ANSWERS_MAX", "1".to_owned())];
    TestApp::start_with(on, Setup { more, ..Setup::default() }).await
}

fn fails(app: &TestApp, fault: Fault) {
    app.wechat().add_fault(FaultRule::forever(Endpoint::SubscribeSend, fault)).expect("a rule");
}

fn code(errcode: i64) -> Fault {
    Fault::Errcode { errcode, errmsg: None, process: false }
}

/// The n-th lead of the employee, whose message ends as `expected`; the delivery's id.
async fn ended(app: &TestApp, n: usize, expected: DeliveryState) -> String {
    app.lead_of(&app.team.manager, &app.team.employee, n).await;
    app.settle().await;
    let row = app.sendings(&app.team.employee).await.remove(0);
    assert_eq!(row.state, expected, "{row:?}");
    row.id.to_string()
}

async fn shown(app: &TestApp, id: &str) -> Value {
    let reply = app.get(&format!("/api/deliveries/{id}")).by(&app.team.admin).send().await;
    assert_eq!(reply.status, 200, "{}", reply.message());
    reply.data().clone()
}

async fn act(app: &TestApp, by: &Person, path: &str, body: Value) -> (u16, String) {
    let reply = app.post(&format!("/api/deliveries/{path}"), &body).by(by).send().await;
    let code = if reply.status < 400 { String::new() } else { reply.problem().1.to_owned() };
    (reply.status, code)
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_shows_its_attempts_is_sent_once_more_and_given_up(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = impatient(on).await;
    let (admin, employee) = (app.team.admin.clone(), app.team.employee.clone());
    fails(&app, code(SAYS_LATER));
    let dead = ended(&app, 1, Dead).await;
    let listed = app.get("/api/deliveries?state=dead&channel=wechat_subscribe").by(&admin).send().await;
    let items = listed.data()["items"].as_array().expect("items").clone();
    assert_eq!(items.len(), 1);
    assert_eq!((&items[0]["_id"], &items[0]["failure"]["code"]), (&json!(dead), &json!(SAYS_LATER)));
    assert_eq!(items[0]["recipient"]["username"], json!(employee.username));
    let detail = shown(&app, &dead).await;
    let tries = detail["tries"].as_array().expect("attempts");
    assert_eq!(tries.len(), 1);
    assert_eq!((&tries[0]["outcome"], &tries[0]["class"]), (&json!("dead"), &json!("busy")));
    assert!(tries[0]["startedAt"].is_string() && tries[0]["latencyMs"].is_i64());
    assert_eq!(detail["waiting"], Value::Null);
    assert!(!detail.to_string().contains(&employee.openid));

    // Once more, twice under one key: one decision.
    let path = format!("/api/deliveries/{dead}/retry");
    let once = app.post(&path, &json!({ "reason": "再试" })).by(&admin).key("again").send().await;
    assert_eq!(once.status, 200, "{}", once.message());
    app.settle().await;
    let twice = app.post(&path, &json!({ "reason": "再试" })).by(&admin).key("again").send().await;
    assert_eq!((twice.status, twice.is_replay()), (200, true));
    let again = shown(&app, &dead).await;
    assert_eq!((&again["state"], again["tries"].as_array().map(Vec::len)), (&json!("dead"), Some(2)));

    let gives_up = format!("{dead}/discard");
    assert_eq!(act(&app, &admin, &gives_up, json!({})).await, (422, "VALIDATION_FAILED".to_owned()));
    assert_eq!(act(&app, &admin, &gives_up, json!({ "reason": "已电话通知" })).await.0, 200);
    app.settle().await;
    let given_up = shown(&app, &dead).await;
    assert_eq!((&given_up["state"], &given_up["reason"]), (&json!("cancelled"), &json!("已电话通知")));
    assert_eq!(given_up["tries"].as_array().map(Vec::len), Some(2), "nothing disappears");
    let again = act(&app, &admin, &format!("{dead}/retry"), json!({})).await;
    assert_eq!(again, (409, "DELIVERY_STATE".to_owned()));
    app.wechat().clear_faults();
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_are_sent_once_more_by_who_confirms_how_many(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let admin = app.team.admin.clone();
    fails(&app, code(40003));
    for n in 1..=3 {
        ended(&app, n, Rejected).await;
    }
    let filter = json!({ "state": "rejected", "channel": "wechat_subscribe" });
    let ask = |expected: Option<i64>| json!({ "filter": filter, "dryRun": expected.is_none(), "expectedCount": expected });
    let counted = app.post("/api/deliveries/retry", &ask(None)).by(&admin).send().await;
    assert_eq!((counted.status, &counted.data()["count"]), (200, &json!(3)));
    let wrong = app.post("/api/deliveries/retry", &ask(Some(2))).by(&admin).send().await;
    assert_eq!(wrong.problem(), (409, "COUNT_CHANGED"));
    assert_eq!(wrong.body["error"]["details"]["count"], json!(3));
    app.wechat().clear_faults();
    let sent = app.post("/api/deliveries/retry", &ask(Some(3))).by(&admin).key("all").send().await;
    assert_eq!((sent.status, &sent.data()["requeued"]), (200, &json!(3)));
    app.settle().await;
    let states: Vec<_> = app.sendings(&app.team.employee).await.iter().map(|row| row.state).collect();
    assert_eq!(states, [Accepted; 3]);
    let repeated = app.post("/api/deliveries/retry", &ask(Some(3))).by(&admin).key("all").send().await;
    assert_eq!((repeated.is_replay(), &repeated.data()["requeued"]), (true, &json!(3)));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_under_one_key_hear_one_answer(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let admin = app.team.admin.clone();
    fails(&app, code(40003));
    for n in 1..=3 {
        ended(&app, n, Rejected).await;
    }
    app.wechat().clear_faults();
    let all = json!({ "filter": { "channel": "wechat_subscribe" }, "expectedCount": 3 });
    let ask = || app.post("/api/deliveries/retry", &all).by(&admin).key("twins").send();
    let twins = join_all((0..6).map(|_| ask())).await;
    let first = ask().await;
    assert_eq!((first.status, first.is_replay()), (200, true), "{}", first.message());
    assert_eq!(first.data()["count"], json!(3));
    for twin in twins {
        // Who comes while the first is under way may hear that the number is another one, and asks again.
        if twin.status != 409 {
            assert_eq!((twin.status, twin.data()), (200, first.data()));
        }
    }
    app.settle().await;
    assert_eq!(app.wechat().received_by(&app.team.employee.openid).len(), 3);
    app.finish().await;
}

#[rstest]
#[case("sent", "accepted", Fault::ResetAfter {})]
#[case("closed", "unknown", Fault::ResetBefore {})]
#[case("resend", "accepted", Fault::ResetBefore {})]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_arrival_is_settled_by_a_person(
    #[values(Sqlite, Postgres)] on: Backend,
    #[case] as_what: &str,
    #[case] becomes: &str,
    #[case] fault: Fault,
) {
    let app = TestApp::start(on).await;
    let admin = app.team.admin.clone();
    fails(&app, fault);
    let unknown = ended(&app, 1, Unknown).await;
    app.wechat().clear_faults();
    let path = format!("{unknown}/settle");
    let missing =
        app.post(&format!("/api/deliveries/{path}"), &json!({ "as": "maybe" })).by(&admin).send().await;
    assert_eq!(missing.status, 422);
    let errors = missing.body["error"]["details"]["errors"].to_string();
    assert!(errors.contains("\"as\"") && errors.contains("\"reason\""), "{errors}");
    // Nobody stands by behind the only channel.
    let switch = act(&app, &admin, &path, json!({ "as": "switch", "reason": "换一个" })).await;
    assert_eq!(switch, (409, "NO_STANDBY".to_owned()));
    let settled = act(&app, &admin, &path, json!({ "as": as_what, "reason": "问过本人" })).await;
    assert_eq!(settled.0, 200);
    app.settle().await;
    let now = shown(&app, &unknown).await;
    assert_eq!(now["state"], json!(becomes), "{now}");
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_channel_holds_what_waits_and_says_so(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let (admin, employee) = (app.team.admin.clone(), app.team.employee.clone());
    let pause = act(&app, &admin, "channels/wechat_subscribe/pause", json!({ "reason": "维护" })).await;
    assert_eq!(pause.0, 200);
    assert_eq!(act(&app, &admin, "channels/in_app/pause", json!({ "reason": "x" })).await.0, 422);
    assert_eq!(act(&app, &admin, "channels/fax/pause", json!({ "reason": "x" })).await.0, 404);
    let before = app.messages(&employee).len();
    app.lead_of(&app.team.manager, &employee, 1).await;
    let waiting = tests::kit::eventually("the delivery is listed", async || {
        app.sendings(&employee).await.into_iter().find(|row| row.state == DeliveryState::Pending)
    })
    .await;
    let detail = shown(&app, &waiting.id.to_string()).await;
    assert_eq!(
        (&detail["waiting"]["because"], &detail["waiting"]["reason"]),
        (&json!("paused"), &json!("维护"))
    );
    let channels = app.get("/api/deliveries/channels").by(&admin).send().await;
    let channels = channels.data()["channels"].as_array().expect("channels").clone();
    let wechat = channels.iter().find(|channel| channel["name"] == "wechat_subscribe").expect("it is listed");
    assert_eq!((&wechat["configured"], &wechat["paused"]["reason"]), (&json!(true), &json!("维护")));
    assert_eq!(wechat["queue"]["depth"], json!(1));
    let reach = app.get("/api/customers/assignable-users?reachability=true").by(&admin).send().await;
    let people = reach.data().as_array().expect("people").clone();
    let person = people.iter().find(|person| person["username"] == json!(employee.username)).expect("listed");
    assert_eq!(person["reachability"]["channels"], json!(["in_app"]));
    assert_eq!(person["reachability"]["undelivered"], json!(1));
    assert_eq!(app.messages(&employee).len(), before);

    assert_eq!(act(&app, &admin, "channels/wechat_subscribe/resume", json!({})).await.0, 200);
    app.settle().await;
    assert_eq!(app.messages(&employee).len(), before + 1);
    let metrics = app.get("/metrics").send().await;
    assert_eq!(metrics.status, 200);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_dispatcher_ever_had_exists_and_nothing_can_be_done_about_it(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start(on).await;
    let admin = app.team.admin.clone();
    app.lead_of(&app.team.manager, &app.team.employee, 1).await;
    app.settle().await;
    for state in ["suppressed", "delivered"] {
        let listed = app.get(&format!("/api/deliveries?state={state}&limit=1")).by(&admin).send().await;
        let id = listed.data()["items"][0]["_id"].as_str().expect("an id").to_owned();
        let body = json!({ "reason": "试试" });
        for (what, body) in [
            ("retry", body.clone()),
            ("discard", body),
            ("settle", json!({ "as": "sent", "reason": "试试" })),
        ] {
            let reply = app.post(&format!("/api/deliveries/{id}/{what}"), &body).by(&admin).send().await;
            assert_eq!(reply.problem(), (409, "DELIVERY_STATE"), "{what} {state}");
            assert_eq!(reply.body["error"]["details"]["state"], json!(state));
        }
    }
    let nobody = "00000000-0000-0000-0000-000000000000/retry";
    assert_eq!(act(&app, &admin, nobody, json!({})).await, (404, "DELIVERY_NOT_FOUND".to_owned()));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_see_and_who_may_act(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    app.settle().await;
    let begun = app.head().await;
    fails(&app, code(40003));
    let id = ended(&app, 1, Rejected).await;
    app.wechat().clear_faults();
    let reads = [
        "/api/deliveries".to_owned(),
        format!("/api/deliveries/{id}"),
        "/api/deliveries/statistics?by=day".to_owned(),
        "/api/deliveries/channels".to_owned(),
        "/api/deliveries/reconciliation".to_owned(),
        format!("/api/notifications/decisions?eventId={id}"),
    ];
    for path in &reads {
        for (person, status) in
            [(&team.admin, 200), (&team.manager, 200), (&team.operator, 200), (&team.employee, 403)]
        {
            assert_eq!(app.get(path).by(person).send().await.status, status, "{path} {}", person.username);
        }
    }
    let body = json!({ "reason": "试试", "as": "sent" });
    for path in [format!("{id}/retry"), format!("{id}/discard"), format!("{id}/settle"), "retry".to_owned()] {
        assert_eq!(act(&app, &team.manager, &path, body.clone()).await.0, 403, "{path}");
    }
    for (path, status) in
        [("?state=gone", 400), ("?cursor=x", 400), ("/statistics?by=moon", 400), ("/nobody", 404)]
    {
        let reply = app.get(&format!("/api/deliveries{path}")).by(&team.admin).send().await;
        assert_eq!(reply.status, status, "{path}");
    }
    // The team was there before the policy was.
    for (query, after) in [("", begun), ("?after=0", begun), ("?after=999999", 999_999)] {
        let clean = app.get(&format!("/api/deliveries/reconciliation{query}")).by(&team.admin).send().await;
        assert_eq!(clean.data()["clean"], json!(true), "{}", clean.data());
        assert_eq!(clean.data()["after"], json!(after), "{query}");
    }
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_queue_answers_as_it_did(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let empty = app.get("/api/wecom/process-queue").by(&team.admin).send().await;
    assert_eq!(empty.body, json!({ "success": true, "message": "队列为空", "processed": 0 }));
    assert_eq!(app.get("/api/wecom/process-queue").by(&team.manager).send().await.status, 403);
    assert_eq!(app.get("/api/wecom/process-queue").send().await.status, 401);
    app.finish().await;
}

/// Tells at most so often, because nobody can say when a request has had its first look.
const ROUNDS_MAX: usize = 50;

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_queue_waits_for_what_is_due_and_counts_how_it_went(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup::through(&[Channel::WecomApp])).await;
    let (team, wechat) = (app.team.clone(), app.wechat());
    let mut told = None;
    for round in 0..ROUNDS_MAX {
        // Two wait behind one that does not come back; of these the second one is refused.
        wechat
            .add_fault(FaultRule::once(Endpoint::WecomSend, Fault::Hang { process: false }))
            .expect("a rule");
        app.lead_of(&team.manager, &team.employee, 10 * round).await;
        wechat.until_waiting(1).await;
        wechat
            .add_fault(FaultRule { after: 1, ..FaultRule::once(Endpoint::WecomSend, code(81013)) })
            .expect("a rule");
        for n in 1..=2 {
            app.lead_of(&team.manager, &team.employee, 10 * round + n).await;
        }
        waits(&app, &team.employee, 2).await;
        let wake = async {
            // Somebody else is answered meanwhile.
            assert_eq!(app.get("/health/live").send().await.status, 200);
            wechat.wake();
        };
        let (reply, ()) =
            tokio::join!(app.post("/api/wecom/process-queue", &json!({})).by(&team.admin).send(), wake);
        app.settle().await;
        if reply.body != json!({ "success": true, "message": "队列为空", "processed": 0 }) {
            told = Some(reply.body);
            break;
        }
    }
    let told = told.expect("a request that came before everything was sent");
    assert_eq!((&told["success"], &told["message"]), (&json!(true), &json!("处理完成")));
    let counted = &told["statistics"];
    let sums =
        [&counted["total"], &counted["success"], &counted["failed"]].map(|sum| sum.as_u64().expect("a sum"));
    // The first of the two may have gone out before the request looked.
    assert!(matches!(sums, [2, 1, 1] | [1, 0, 1]), "{told}");
    assert!(counted["timestamp"].as_str().is_some_and(|at| at.ends_with('Z')), "{told}");
    let members = (told.as_object().map(serde_json::Map::len), counted.as_object().map(serde_json::Map::len));
    assert_eq!(members, (Some(3), Some(4)), "the shape of system S and nothing else: {told}");
    app.finish().await;
}

/// Waits until so many messages to the person wait for their turn.
async fn waits(app: &TestApp, person: &Person, count: usize) {
    eventually("the messages wait", async || {
        let rows = app.sendings_through(person, Channel::WecomApp).await;
        (rows.iter().filter(|row| row.state == Pending).count() == count).then_some(())
    })
    .await;
}
