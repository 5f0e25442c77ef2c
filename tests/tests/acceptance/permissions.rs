//! Routes × roles × rows, read from the one permission table (product.md G11).

mod doors;
mod machines;

use std::collections::BTreeSet;

use application::access::{Caller, FieldView, Standing, field_view, list_scope};
use application::bus::CommandBus as _;
use domain::customer::Customer;
use domain::{CustomerId, StreamId};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, Setup, TestApp, Wechat, lead, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

use doors::{DOCUMENTS, Door, ELSEWHERE, NO_VERSION, Verdict, doors};

/// What stands in fields that only some may see.
const SECRETS: [&str; 3] = ["wechat-of", "110101199003070000", "文三路"];

/// A row, and how the person whom it was made for stands to it.
struct Row {
    id: String,
    phone: String,
    number: String,
    standing: Standing,
    customer: Customer,
}

fn caller(person: &Person) -> Caller {
    Caller { id: person.id, username: person.username.clone(), name: person.name.clone(), role: person.role }
}

/// Makes a row to which `me` stands so.
async fn row(app: &TestApp, me: &Person, standing: Standing, n: usize) -> Row {
    let (team, phone) = (&app.team, phone(n));
    // Somebody who may do everything and is not `me`.
    let boss = if me.id == team.admin.id { &team.manager } else { &team.admin };
    let (creator, owner) = match standing {
        Standing::Owner => (boss, Some(me)),
        Standing::Creator => (me, Some(&team.colleague)),
        Standing::Stranger => (boss, Some(&team.colleague)),
        Standing::PoolCreator => (me, None),
        Standing::PoolStranger => (boss, None),
    };
    let mut body = lead(&format!("客户{n}"), &phone);
    body["wechatId"] = json!(format!("wechat-of-{phone}"));
    body["idCardNumber"] = json!("110101199003070000");
    let created = app.post("/api/customers", &body).by(creator).send().await;
    let id = created.id();
    let moved = if let Some(owner) = owner {
        app.assign(&id, owner).by(boss).send().await
    } else {
        let release = json!({ "reason": "客户不需要了" });
        app.post(&format!("/api/customers/{id}/release-to-pool"), &release).by(creator).send().await
    };
    assert_eq!(moved.status, 200, "{moved:?}");
    let number = created.data()["customerId"].as_str().expect("a number").to_owned();
    let stream = StreamId::from(id.parse::<CustomerId>().expect("an id"));
    let customer = app.app().bus.load::<Customer>(&stream).await.expect("the row").state;
    Row { id, phone, number, standing, customer }
}

/// What a document shows.
fn view_of(document: &Value, row: &Row) -> FieldView {
    let text = document.to_string();
    let full = document["phone"] == row.phone.as_str();
    for secret in SECRETS {
        assert_eq!(text.contains(secret), full, "{secret} in {text}");
    }
    match (full, document["inPublicPool"].is_boolean()) {
        (true, true) => FieldView::Full,
        (false, true) => FieldView::Pool,
        (_, false) => FieldView::Base,
    }
}

/// Calls a route for a row, and holds what comes of it against the table.
async fn knock(app: &TestApp, person: &Person, row: &Row, door: &Door) {
    let caller = caller(person);
    let path = door.path.replace("{id}", &row.id).replace("{customerId}", &row.number);
    let path = path.replace("{phone}", &row.phone);
    let mut call = app.call(door.method.clone(), &path).by(person);
    if door.passed == 409 {
        call = call.if_match(NO_VERSION);
    }
    if let Some(body) = door.body.as_ref().filter(|body| !body.is_null()) {
        call = call.json(body);
    }
    let reply = call.send().await;
    let what = format!("{} {} as {} ({:?})", door.method, door.path, person.username, row.standing);
    let verdict = door.asks.of(&caller, &row.customer);
    let expected = match verdict {
        Verdict::Passes => door.passed,
        Verdict::Forbidden => 403,
        Verdict::NotFound => 404,
    };
    assert_eq!(reply.status, expected, "{what}: {reply:?}");
    match verdict {
        Verdict::Forbidden => {
            assert!(matches!(reply.problem().1, "FORBIDDEN" | "NOT_OWNER"), "{what}: {reply:?}");
        }
        Verdict::NotFound => assert_eq!(reply.problem().1, "CUSTOMER_NOT_FOUND", "{what}"),
        Verdict::Passes if door.method == Method::GET && DOCUMENTS.contains(&door.path) => {
            assert_eq!(view_of(reply.data(), row), field_view(&caller, &row.customer), "{what}");
        }
        Verdict::Passes => {}
    }
}

/// Every route of customers in the document.
async fn documented(app: &TestApp) -> BTreeSet<(String, String)> {
    let document = app.get("/api/openapi.json").send().await.body;
    let paths = document["paths"].as_object().expect("paths");
    let roots = ["/api/customers", "/api/miniprogram/customers"];
    let of_customers = paths.iter().filter(|(path, _)| roots.iter().any(|root| path.starts_with(root)));
    of_customers
        .flat_map(|(path, item)| item.as_object().expect("methods").keys().map(|m| (m.clone(), path.clone())))
        .collect()
}

/// Rows by their ids.
fn ids(rows: &Value) -> BTreeSet<&str> {
    rows.as_array().expect("rows").iter().filter_map(|row| row["_id"].as_str()).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_opens_for_whom_the_table_says_and_for_nobody_else(
    #[values(Sqlite, Postgres)] on: Backend,
) {
    let app = TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await;
    let team = app.team.clone();
    let doors = doors(&team.colleague.id.to_string());
    let played = doors.iter().map(|door| (door.method.to_string().to_lowercase(), door.path.to_owned()));
    let elsewhere = ELSEWHERE.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    let played: BTreeSet<_> = played.chain(elsewhere).collect();
    assert_eq!(documented(&app).await, played, "a route without a rule");

    let mut rows: Vec<Row> = Vec::new();
    for person in team.of_every_role() {
        for standing in Standing::ALL {
            rows.push(row(&app, person, standing, rows.len()).await);
        }
    }
    app.settle().await;
    let events = app.read_log().await.rows;
    for (person, rows) in team.of_every_role().into_iter().zip(rows.chunks(Standing::ALL.len())) {
        for row in rows {
            for door in &doors {
                knock(&app, person, row, door).await;
            }
        }
    }
    app.settle().await;
    assert_eq!(app.read_log().await.rows, events, "nothing happened");
    for person in team.everybody() {
        lists(&app, person, &rows).await;
    }
    app.finish().await;
}

/// Lists, searches and counts show the rows of the scope, and of each row the fields of the view.
async fn lists(app: &TestApp, person: &Person, rows: &[Row]) {
    let caller = caller(person);
    let check = |list: &Value, expected: &dyn Fn(&Row) -> bool| {
        let expected: Vec<&Row> = rows.iter().filter(|row| expected(row)).collect();
        assert_eq!(ids(list), expected.iter().map(|row| row.id.as_str()).collect(), "{}", person.username);
        for shown in list.as_array().expect("rows") {
            let row = expected.iter().find(|row| shown["_id"] == row.id.as_str()).expect("a row");
            assert_eq!(view_of(shown, row), field_view(&caller, &row.customer), "{}", person.username);
        }
    };
    let listed = |row: &Row| !row.customer.in_pool() && list_scope(&caller).contains(&row.customer);
    for (path, place) in [
        ("/api/customers?limit=200", "/customers"),
        ("/api/customers/miniprogram/list?limit=200", "/customers"),
        ("/api/customers/search?limit=200&search=客户", ""),
    ] {
        let reply = app.get(path).by(person).send().await;
        check(reply.data().pointer(place).expect("rows"), &listed);
    }
    let pool = app.get("/api/customers/public-pool?limit=200").by(person).send().await;
    check(&pool.data()["customers"], &|row| row.customer.in_pool());
    let counted = app.get("/api/customers/statistics").by(person).send().await;
    assert_eq!(counted.data()["total"], rows.iter().filter(|row| listed(row)).count(), "{}", person.username);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_goes_by_its_chinese_names_too(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start_with(on, Setup { wechat: Wechat::Unconfigured, ..Setup::default() }).await;
    let admin = app.team.admin.clone();
    let new =
        json!({ "username": "xin", "password": "correct horse battery", "name": "新人", "role": "销售" });
    let made = app.post("/api/users", &new).by(&admin).send().await;
    assert_eq!(made.data()["role"], "employee", "{made:?}");
    let id = made.id();
    let token = app.app().auth.tokens.issue(
        id.parse().expect("an id"),
        "xin",
        domain::staff::Role::Employee,
        app.now(),
    );
    let token = token.expect("a token");
    let mut roles = BTreeSet::new();
    for (alias, code, picks) in [
        ("系统管理员", "admin", 200),
        ("管理员", "admin", 200),
        ("超级管理员", "admin", 200),
        ("经理", "manager", 200),
        ("主管", "manager", 200),
        ("运营", "operator", 200),
        ("运营专员", "operator", 200),
        ("派单老师", "dispatch", 200),
        ("派单", "dispatch", 200),
        ("普通员工", "employee", 403),
        ("招生老师", "admissions", 200),
        ("招生", "admissions", 200),
        ("员工", "employee", 403),
    ] {
        let path = format!("/api/users/{id}");
        let changed = app.patch(&path, &json!({ "role": alias })).by(&admin).send().await;
        assert_eq!(changed.data()["role"], code, "{alias}");
        let picked = app.get("/api/customers/assignable-users").token(&token).send().await;
        assert_eq!(picked.status, picks, "{alias} counts at once, whatever the token says");
        roles.insert(code);
    }
    assert_eq!(roles.len(), 6);
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_are_changed_by_those_who_may_see_and_change_the_row(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mine = app.own_lead(&team.employee, 1).await;
    let created = app.own_lead(&team.admissions, 2).await;
    app.assign(&created, &team.employee).by(&team.manager).send().await.data();
    // Who, which lead, the status, the text of a refusal.
    for (n, (person, lead, status, text)) in [
        (&team.admin, &mine, 200, ""),
        (&team.manager, &mine, 200, ""),
        (&team.operator, &mine, 200, ""),
        (&team.dispatch, &mine, 200, ""),
        (&team.employee, &mine, 200, ""),
        (&team.colleague, &mine, 404, "客户不存在"),
        (&team.admissions, &mine, 404, "客户不存在"),
        (&team.admissions, &created, 403, "无权限修改此客户"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/api/customers/{lead}");
        let body = json!({ "remarks": format!("第{n}次") });
        let reply = app.patch(&path, &body).by(person).send().await;
        assert_eq!(reply.status, status, "{}: {reply:?}", person.username);
        if status != 200 {
            assert_eq!(reply.message(), text, "{}", person.username);
        }
    }
    let level = |person: &Person, level: &str| {
        app.patch(&format!("/api/customers/{mine}"), &json!({ "leadLevel": level })).by(person).send()
    };
    let refused = level(&team.employee, "O类").await;
    assert_eq!(refused.problem(), (403, "FORBIDDEN"));
    assert_eq!(refused.message(), "只有管理员、运营或派单老师可以手动设置线索等级为O类");
    for person in [&team.manager, &team.operator, &team.dispatch] {
        assert_eq!(level(person, "O类").await.data()["leadLevel"], "O类", "{}", person.username);
        assert_eq!(level(person, "A类").await.data()["leadLevel"], "A类", "{}", person.username);
    }
    let mut for_somebody = lead("王女士", &phone(3));
    for_somebody["assignedTo"] = json!(team.colleague.id);
    let refused = app.post("/api/customers", &for_somebody).by(&team.employee).send().await;
    assert_eq!((refused.problem(), refused.message()), ((403, "FORBIDDEN"), "无权限分配客户"));
    app.finish().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_changes_counts_at_once(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    app.settle().await;
    let listed = app.get("/api/customers/assignable-users").by(&team.manager).send().await;
    let names: Vec<_> =
        listed.data().as_array().into_iter().flatten().filter_map(|one| one["username"].as_str()).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    app.suspend(&team.employee).await;
    app.settle().await;
    let listed = app.get("/api/customers/assignable-users").by(&team.manager).send().await;
    assert_eq!(listed.data().as_array().map(Vec::len), Some(6), "who is cut off cannot be picked");
    // A token that names another role than the directory is worth what the directory says.
    let claimed =
        app.app().auth.tokens.issue(team.colleague.id, "colleague", domain::staff::Role::Admin, app.now());
    let claimed = claimed.expect("a token");
    let id = app.own_lead(&team.manager, 1).await;
    let reply = app.assign(&id, &team.colleague).token(&claimed).send().await;
    assert_eq!(reply.problem(), (403, "FORBIDDEN"));
    app.activate(&team.employee).await;
    app.finish().await;
}
