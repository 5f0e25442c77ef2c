//! Routes × roles, read from the one permission table (product.md G11).

use application::access::{Action, allows};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tests::kit::{Person, TestApp, lead, phone};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// What a route asks of the role, and what it says when the role may not.
struct Door {
    method: Method,
    path: String,
    body: Option<Value>,
    action: Action,
    refusal: &'static str,
}

fn doors(app: &TestApp, id: &str, person: &Person) -> Vec<Door> {
    let to = json!(app.team.employee.id);
    let assign = json!({ "assignedTo": to });
    let batch = json!({ "customerIds": [id], "assignedTo": to });
    let one = Some(assign.clone());
    let door = |method, path: &str, body, action, refusal| Door {
        method,
        path: path.to_owned(),
        body,
        action,
        refusal,
    };
    let may_not_assign = "只有管理员、经理或运营可以分配客户";
    let n = person.username.len() * 100 + usize::from(person.username.as_bytes()[0]);
    vec![
        door(Method::GET, "/api/customers", None, Action::ViewCustomers, ""),
        door(Method::POST, "/api/customers", Some(lead("王女士", &phone(n))), Action::CreateCustomer, ""),
        door(Method::GET, "/api/customers/assignable-users", None, Action::PickAssignee, "无权限执行此操作"),
        door(
            Method::PATCH,
            &format!("/api/customers/{id}/assign"),
            one.clone(),
            Action::AssignCustomer,
            may_not_assign,
        ),
        door(
            Method::PATCH,
            &format!("/api/customers/miniprogram/{id}/assign"),
            one,
            Action::AssignCustomer,
            may_not_assign,
        ),
        door(
            Method::POST,
            "/api/customers/batch-assign",
            Some(batch),
            Action::AssignCustomer,
            "只有管理员、经理或运营可以批量分配客户",
        ),
    ]
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_opens_what_the_table_says_and_nothing_else(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let id = app.lead_of(&team.manager, &team.employee, 1).await;
    let mut refused = 0;
    for person in team.of_every_role() {
        for door in doors(&app, &id, person) {
            let what = format!("{} {} as {}", door.method, door.path, person.username);
            let mut call = app.call(door.method, &door.path).by(person);
            if let Some(body) = &door.body {
                call = call.json(body);
            }
            let reply = call.send().await;
            if allows(person.role, door.action) {
                assert!((200..300).contains(&reply.status), "{what}: {reply:?}");
            } else {
                assert_eq!((reply.problem(), reply.message()), ((403, "FORBIDDEN"), door.refusal), "{what}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, 3 * 3 + 1, "dispatch, employee and admissions may not assign; employees pick nobody");
    assert_eq!(app.history(&id).await.len(), 2, "the owner stayed, and nothing else happened");
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
