//! Members: what the staff does with them, and what the public form tells nobody.

use application::access::{Action, allows};
use axum::http::Method;
use domain::staff::Role;
use serde_json::{Value, json};

use crate::kit::{Call, Person, Reply, Service};

const ROLES: [Role; 6] =
    [Role::Admin, Role::Manager, Role::Operator, Role::Dispatch, Role::Employee, Role::Admissions];

/// The `n`-th person, with what is somebody's business and what is not.
fn person(n: usize) -> Value {
    json!({
        "member_no": format!("M{n:04}"), "wechat": format!("wang_{n}"), "phone": format!("1381234{n:04}"),
        "nickname": "小王", "gender": "female", "education": "DOCTOR", "status": "PENDING", "city": "杭州",
        "real_name": "王小明", "id_card": "110101199003070000", "sexual_orientation": "LES",
        "notes": format!("电话 1381234{n:04}"), "wechat_qrcode": "https://example.com/q.png",
    })
}

async fn registered(service: &Service, by: &Person, n: usize) -> Value {
    let reply = service.post("/api/members", &person(n)).by(by).send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.body["data"].clone()
}

fn path(member: &Value) -> String {
    format!("/api/members/{}", member["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_member_lives_from_registration_to_deletion() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let reply = service.post("/api/members", &person(1)).by(&admin).key("one").send().await;
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (201, Some("\"1\"")));
    let member = reply.data().clone();
    assert_eq!(member["labels"]["education"], "博士");
    assert_eq!((&member["education"], &member["remaining_matches"]), (&json!("PHD"), &json!(1)));
    assert_eq!((&member["active"], &member["source"]), (&json!(false), &json!("staff")));
    let again = service.post("/api/members", &person(1)).by(&admin).key("one").send().await;
    assert_eq!((again.header("idempotent-replayed"), again.data()), (Some("true"), &member));

    let path = path(&member);
    let call = |way: &str, body: Value| service.post(&format!("{path}/{way}"), &body).by(&admin).send();
    assert_eq!(call("activate", json!({})).await.data()["active"], true);
    let change = json!({ "nickname": "王姐", "city": null });
    let changed = service.patch(&path, &change).by(&admin).header("if-match", "\"2\"").send().await;
    assert_eq!((&changed.data()["nickname"], &changed.data()["city"]), (&json!("王姐"), &Value::Null));
    let stale = service.patch(&path, &change).by(&admin).header("if-match", "\"2\"").send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    assert_eq!(stale.body["error"]["details"]["version"], 3);

    let upgraded = call("upgrade", json!({ "type": "ANNUAL", "expires_at": "2027-01-01" })).await;
    assert_eq!(
        (&upgraded.data()["type"], &upgraded.data()["remaining_matches"]),
        (&json!("ANNUAL"), &json!(6))
    );
    let renewed = call("upgrade", json!({ "type": "ANNUAL", "expires_at": "2028-01-01" })).await;
    assert_eq!(renewed.data()["expires_at"], "2028-01-01T00:00:00.000Z");
    let earlier = call("upgrade", json!({ "type": "ANNUAL", "expires_at": "2027-01-01" })).await;
    assert_eq!(earlier.problem(), (409, "NOT_AN_UPGRADE"));
    let revoked = call("revoke", json!({ "reason": "资料不实" })).await;
    assert_eq!(
        (&revoked.data()["status"], &revoked.data()["revoked_because"]),
        (&json!("REVOKED"), &json!("资料不实"))
    );
    assert_eq!(call("upgrade", json!({ "type": "VIP" })).await.problem(), (409, "MEMBER_REVOKED"));

    let deleted = service.call(Method::DELETE, &path).by(&admin).send().await;
    assert_eq!(deleted.status, 204);
    service.settle().await;
    assert_eq!(service.get(&path).by(&admin).send().await.problem(), (404, "MEMBER_NOT_FOUND"));
    assert_eq!(call("activate", json!({})).await.problem(), (404, "MEMBER_NOT_FOUND"));
    assert_eq!(service.get("/api/members").by(&admin).send().await.data()["total"], 0);
    registered(&service, &admin, 1).await;
    service.stop().await;
}

/// By somebody who saw a version that no member ever has: whoever may do it is told that it has changed.
fn stale<'s>(call: Call<'s>, by: &Person) -> Call<'s> {
    call.by(by).header("if-match", "\"999\"")
}

#[tokio::test]
async fn who_may_do_what_is_the_tables_answer() {
    let (service, people) = Service::with(ROLES).await;
    let [admin, ..] = &people;
    let unknown = "/api/members/0190a1b2-0000-7000-8000-000000000000";
    for (n, (role, me)) in ROLES.into_iter().zip(&people).enumerate() {
        let member = registered(&service, admin, n).await;
        service.settle().await; // another person's command is not waited for
        let path = path(&member);
        let may = |action, passed: u16| if allows(role, action) { passed } else { 403 };
        let post = |way: &str, body: &Value| service.post(&format!("{path}/{way}"), body);
        for (what, reply, expected) in [
            ("list", service.get("/api/members").by(me).send().await, may(Action::ViewMembers, 200)),
            ("show", service.get(&path).by(me).send().await, may(Action::ViewMembers, 200)),
            ("show nobody", service.get(unknown).by(me).send().await, may(Action::ViewMembers, 404)),
            (
                "register",
                service.post("/api/members", &person(100 + n)).by(me).send().await,
                may(Action::RegisterMember, 201),
            ),
            (
                "update",
                stale(service.patch(&path, &json!({ "city": "北京" })), me).send().await,
                may(Action::UpdateMember, 409),
            ),
            ("activate", stale(post("activate", &json!({})), me).send().await, may(Action::MoveMember, 409)),
            (
                "upgrade",
                stale(post("upgrade", &json!({ "type": "VIP" })), me).send().await,
                may(Action::MoveMember, 409),
            ),
            ("revoke", stale(post("revoke", &json!({})), me).send().await, may(Action::MoveMember, 409)),
            (
                "delete",
                stale(service.call(Method::DELETE, &path), me).send().await,
                may(Action::DeleteMember, 409),
            ),
        ] {
            assert_eq!(reply.status.as_u16(), expected, "{what} as {role}: {reply:?}");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn each_role_sees_what_is_its_business() {
    let (service, people) = Service::with(ROLES).await;
    let member = registered(&service, &people[0], 7).await;
    service.settle().await;
    for (role, me) in ROLES.into_iter().zip(&people) {
        let shown = service.get(&path(&member)).by(me).send().await.data().clone();
        let listed = service.get("/api/members").by(me).send().await.data()["members"][0].clone();
        assert_eq!(shown, listed, "{role}");
        let boss = matches!(role, Role::Admin | Role::Manager);
        let works = boss || matches!(role, Role::Operator | Role::Dispatch);
        for column in ["real_name", "id_card", "sexual_orientation"] {
            assert_eq!(shown.get(column).is_some(), boss, "{role} {column}");
        }
        for column in ["wechat", "wechat_qrcode"] {
            assert_eq!(shown.get(column).is_some(), works, "{role} {column}");
        }
        assert_eq!(shown["labels"].get("sexual_orientation").is_some(), boss, "{role}");
        assert_eq!(shown.to_string().contains("13812340007"), works, "{role}: {shown}");
        let phone = if works { "13812340007" } else { "138****0007" };
        assert_eq!(shown["phone"], phone, "{role}");
        let found = service.get("/api/members?search=1381234").by(me).send().await;
        assert_eq!(found.data()["total"], i64::from(works), "{role} finds out no phone digit by digit");
    }
    service.stop().await;
}

#[tokio::test]
async fn lists_are_filtered_and_their_parameters_checked() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    for n in 1..=3 {
        registered(&service, &admin, n).await;
    }
    service.settle().await;
    let total = async |query: &str| {
        let reply = service.get(&format!("/api/members?{query}")).by(&admin).send().await;
        reply.data()["total"].as_i64().unwrap()
    };
    for (query, expected) in [
        ("", 3),
        ("search=m0002", 1),
        ("status=pending", 3),
        ("status=ACTIVE", 0),
        ("education=DOCTOR&gender=female&city=%E6%9D%AD%E5%B7%9E", 3),
        ("source=staff", 3),
        ("source=public", 0),
        ("to=2020-01-01", 0),
    ] {
        assert_eq!(total(query).await, expected, "{query}");
    }
    let page = service.get("/api/members?limit=2&page=2").by(&admin).send().await;
    assert_eq!(
        (page.data()["members"].as_array().unwrap().len(), &page.data()["totalPages"]),
        (1, &json!(2))
    );
    for query in ["limit=101", "status=LOST", "sort=phone"] {
        let reply = service.get(&format!("/api/members?{query}")).by(&admin).send().await;
        assert_eq!(reply.problem(), (400, "VALIDATION_FAILED"), "{query}");
    }
    for path in ["/api/members/123", "/api/members/123.js"] {
        assert_eq!(service.get(path).by(&admin).send().await.problem(), (404, "MEMBER_NOT_FOUND"), "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn one_number_phone_and_wechat_belong_to_one_member() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    registered(&service, &admin, 1).await;
    for (column, code) in
        [("member_no", "DUPLICATE_MEMBER_NO"), ("phone", "DUPLICATE_PHONE"), ("wechat", "DUPLICATE_WECHAT")]
    {
        let mut other = person(2);
        other[column] = person(1)[column].clone();
        let reply = service.post("/api/members", &other).by(&admin).send().await;
        assert_eq!(reply.problem(), (409, code));
        assert!(reply.body["message"].as_str().unwrap().contains("会员"), "{reply:?}");
    }
    let missing = service.post("/api/members", &json!({ "nickname": "小王" })).by(&admin).send().await;
    assert_eq!(missing.problem(), (422, "VALIDATION_FAILED"));
    assert_eq!(missing.body["error"]["details"]["errors"].as_array().unwrap().len(), 3);
    let moved = registered(&service, &admin, 3).await;
    let refused = service.patch(&path(&moved), &json!({ "status": "ACTIVE" })).by(&admin).send().await;
    assert_eq!(refused.problem(), (422, "VALIDATION_FAILED"));
    service.stop().await;
}

/// What a person says of itself.
fn myself(n: usize) -> Value {
    json!({ "wechat": format!("me_{n}"), "phone": format!("1391234{n:04}"), "nickname": "小李" })
}

/// An answer without what differs between any two.
fn but_for_ids(reply: &Reply) -> (u16, Value, Vec<String>) {
    let mut body = reply.body.clone();
    body["data"]["id"] = Value::Null;
    body["timestamp"] = Value::Null;
    let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (reply.status.as_u16(), body, headers)
}

#[tokio::test]
async fn whoever_registers_becomes_a_member_and_nobody_learns_who_was_one() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let first = service.post("/api/members/register", &myself(1)).key("a").send().await;
    assert_eq!(first.status, 201, "{first:?}");
    service.settle().await;
    let shown = service.get("/api/members").by(&admin).send().await;
    let member = &shown.data()["members"][0];
    assert_eq!((&member["source"], &member["active"]), (&json!("public"), &json!(true)));
    assert!(member["member_no"].as_str().unwrap().starts_with('M'));

    let mut same_phone = myself(2);
    same_phone["phone"] = myself(1)["phone"].clone();
    let known = service.post("/api/members/register", &same_phone).key("b").send().await;
    let new = service.post("/api/members/register", &myself(3)).key("c").send().await;
    assert_eq!(but_for_ids(&known), but_for_ids(&new));
    assert_eq!(but_for_ids(&known), but_for_ids(&first));
    for (key, body) in [("a", myself(1)), ("b", same_phone), ("c", myself(3))] {
        let again = service.post("/api/members/register", &body).key(key).send().await;
        let firsts = [&first, &known, &new];
        let before = firsts[usize::from(key.as_bytes()[0] - b'a')];
        assert_eq!(again.data()["id"], before.data()["id"], "{key}");
        assert_eq!(but_for_ids(&again), but_for_ids(before), "{key}");
    }
    service.settle().await;
    assert_eq!(service.get("/api/members").by(&admin).send().await.data()["total"], 2);
    service.stop().await;
}

#[tokio::test]
async fn the_public_form_takes_what_is_asked_and_no_more() {
    let service = Service::start().await;
    for (key, value) in [
        ("status", json!("ACTIVE")),
        ("type", json!("VIP")),
        ("member_no", json!("M1")),
        ("id_card", json!("1")),
        ("remaining_matches", json!(99)),
    ] {
        let mut body = myself(1);
        body[key] = value;
        let reply = service.post("/api/members/register", &body).send().await;
        assert_eq!(reply.problem(), (400, "VALIDATION_FAILED"), "{key}");
    }
    let call = |body: Vec<u8>| {
        service.call(Method::POST, "/api/members/register").bytes("application/json", body).send()
    };
    assert_eq!(call(vec![b'x'; 10_000]).await.problem(), (400, "MALFORMED_JSON"));
    let most = leadwire::http::members::public::REGISTRATION_BYTES_MAX;
    assert_eq!(call(vec![b' '; most + 1]).await.problem(), (413, "PAYLOAD_TOO_LARGE"));
    service.stop().await;
}

#[tokio::test]
async fn all_addresses_together_register_so_many_a_minute() {
    let variables = [("LEADWIRE_PROTECTION__REGISTRATIONS_PER_MINUTE", "2")];
    let service = Service::start_with(&variables).await;
    for n in 1..=2 {
        assert_eq!(service.post("/api/members/register", &myself(n)).send().await.status, 201);
    }
    let refused = service.post("/api/members/register", &myself(3)).send().await;
    assert_eq!(refused.problem(), (429, "RATE_LIMITED"));
    assert!(refused.header("retry-after").is_some());
    service.stop().await;
}
