//! In and out of the public pool: claim, assign from the pool, release, one and many.

use axum::http::Method;
use domain::staff::Role;
use serde_json::{Value, json};

use crate::kit::{Person, Reply, Service};

const CLAIM: &str = "/api/customers/public-pool/claim";
const POOL_ASSIGN: &str = "/api/customers/public-pool/assign";
const BATCH_ASSIGN: &str = "/api/customers/batch-assign";
const BATCH_RELEASE: &str = "/api/customers/batch-release-to-pool";

/// A customer's address with something behind it.
fn path(customer: &Value, rest: &str) -> String {
    format!("/api/customers/{}{rest}", customer["_id"].as_str().unwrap())
}

fn ids(customers: &[&Value]) -> Value {
    customers.iter().map(|customer| customer["_id"].clone()).collect()
}

async fn release(service: &Service, by: &Person, customer: &Value) -> Reply {
    let body = json!({ "reason": "客户不需要了" });
    service.post(&path(customer, "/release-to-pool"), &body).by(by).send().await
}

/// A customer that `by` created and gave back.
async fn pooled(service: &Service, by: &Person, phone: &str) -> Value {
    let customer = service.customer(by, phone).await;
    assert_eq!(release(service, by, &customer).await.status, 200);
    customer
}

async fn claim(service: &Service, by: &Person, customers: &[&Value]) -> Reply {
    service.post(CLAIM, &json!({ "customerIds": ids(customers) })).by(by).send().await
}

async fn owner(service: &Service, by: &Person, customer: &Value) -> Value {
    service.get(&path(customer, "")).by(by).send().await.data()["assignedTo"].clone()
}

#[tokio::test]
async fn a_claimed_customer_is_the_claimers_and_shows_at_once() {
    let (service, [admin, employee, claimer]) =
        Service::with([Role::Admin, Role::Employee, Role::Employee]).await;
    let customer = pooled(&service, &employee, "13812348999").await;
    service.settle().await;
    assert_eq!(owner(&service, &admin, &customer).await, Value::Null);
    let body = json!({ "customerIds": ids(&[&customer]) });
    let reply = service.post(CLAIM, &body).by(&claimer).key("claim").send().await;
    assert_eq!(reply.data(), &json!({ "success": 1, "failed": 0, "errors": [] }));
    assert_eq!(reply.body["message"], "领取完成：成功 1 个，失败 0 个");
    assert!(reply.header("x-position").is_some());
    assert_eq!(owner(&service, &claimer, &customer).await, claimer.id.to_string());

    let again = service.post(CLAIM, &body).by(&claimer).key("claim").send().await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.body["data"], reply.body["data"]);
    let fresh = service.post(CLAIM, &body).by(&claimer).key("another").send().await;
    assert_eq!(fresh.problem(), (409, "NOT_IN_POOL"), "the own customer is in nobody's pool");
    service.stop().await;
}

#[tokio::test]
async fn who_comes_second_learns_who_has_it_if_permitted() {
    let (service, [manager, employee, winner, dispatch]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee, Role::Dispatch]).await;
    let customer = pooled(&service, &employee, "13812348999").await;
    assert_eq!(claim(&service, &winner, &[&customer]).await.status, 200);
    let has = json!({ "id": winner.id, "name": "姓名employee2" });
    for (who, shown) in [(&manager, &has), (&dispatch, &has), (&winner, &has), (&employee, &Value::Null)] {
        let reply = claim(&service, who, &[&customer]).await;
        assert_eq!(reply.problem(), (409, "NOT_IN_POOL"), "{}", who.username);
        assert_eq!(reply.body["message"], "客户不在公海中");
        let details = &reply.body["error"]["details"];
        assert_eq!(&details["currentOwner"], shown, "{}", who.username);
        let error =
            json!({ "customerId": customer["_id"], "code": "NOT_IN_POOL", "error": "客户不在公海中" });
        assert_eq!(details["errors"], json!([error]));
    }
    let assign = json!({ "customerIds": ids(&[&customer]), "assignedTo": employee.id });
    let reply = service.post(POOL_ASSIGN, &assign).by(&manager).send().await;
    assert_eq!(reply.problem(), (409, "NOT_IN_POOL"));
    assert_eq!(reply.body["error"]["details"]["currentOwner"], has);
    let english =
        service.post(POOL_ASSIGN, &assign).by(&manager).header("accept-language", "en").send().await;
    let told = &english.body["error"]["details"]["errors"][0]["error"];
    assert_eq!((told, told), (&english.body["message"], &json!("The customer is not in the public pool")));
    service.stop().await;
}

#[tokio::test]
async fn an_assignment_from_the_pool_names_what_left_it() {
    let (service, [operator, employee]) = Service::with([Role::Operator, Role::Employee]).await;
    let waits = pooled(&service, &operator, "13812348999").await;
    let owned = service.customer(&operator, "13812348998").await;
    let body = json!({ "customerIds": ids(&[&waits, &owned]), "assignedTo": employee.id });
    let reply = service.post(POOL_ASSIGN, &body).by(&operator).key("k").send().await;
    let data = reply.data();
    assert_eq!((&data["success"], &data["failed"]), (&json!(1), &json!(1)));
    assert_eq!(data["errors"][0]["code"], "NOT_IN_POOL");
    let notice = data["notificationData"].as_object().unwrap();
    let at = notice["assignTime"].as_str().unwrap();
    let expected = json!({
        "assignedToId": employee.id, "customerCount": 1, "customerIds": [waits["_id"]], "source": "从公海分配",
        "assignerName": "姓名operator1", "assignTime": at, "fromPublicPool": true,
    });
    assert_eq!(data["notificationData"], expected);
    assert_eq!(owner(&service, &operator, &waits).await, employee.id.to_string());
    let again = service.post(POOL_ASSIGN, &body).by(&operator).key("k").send().await;
    assert_eq!(again.body["data"], reply.body["data"]);
    let english = service.post(POOL_ASSIGN, &body).by(&operator).key("k").header("accept-language", "en");
    let english = english.send().await;
    assert_eq!(english.data()["errors"][0]["error"], "The customer is not in the public pool");

    let given = pooled(&service, &operator, "13812348997").await;
    let why = json!({ "customerIds": ids(&[&given]), "assignedTo": employee.id, "reason": "新人" });
    let reply = service.post(POOL_ASSIGN, &why).by(&operator).send().await;
    assert_eq!(reply.data()["notificationData"]["source"], "新人");
    service.stop().await;
}

#[tokio::test]
async fn a_batch_of_which_nothing_could_be_done_is_a_refusal() {
    let (service, [manager, employee, other]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    let owned = service.customer(&employee, "13812348999").await;
    let waits = pooled(&service, &employee, "13812348998").await;
    let unknown = json!({ "_id": manager.id });
    let to = |customers: &[&Value]| json!({ "customerIds": ids(customers), "assignedTo": employee.id });
    let why = |customers: &[&Value]| json!({ "customerIds": ids(customers), "reason": "客户找到了" });
    let which = |customers: &[&Value]| json!({ "customerIds": ids(customers) });
    for (who, path, body, problem, codes) in [
        (&manager, POOL_ASSIGN, to(&[&owned]), (409, "NOT_IN_POOL"), vec!["NOT_IN_POOL"]),
        (
            &manager,
            POOL_ASSIGN,
            to(&[&owned, &unknown]),
            (409, "BATCH_REFUSED"),
            vec!["NOT_IN_POOL", "CUSTOMER_NOT_FOUND"],
        ),
        (&manager, BATCH_ASSIGN, to(&[&unknown]), (404, "CUSTOMER_NOT_FOUND"), vec!["CUSTOMER_NOT_FOUND"]),
        (&manager, BATCH_RELEASE, why(&[&waits]), (409, "ALREADY_IN_POOL"), vec!["ALREADY_IN_POOL"]),
        (&other, BATCH_RELEASE, why(&[&owned]), (404, "CUSTOMER_NOT_FOUND"), vec!["CUSTOMER_NOT_FOUND"]),
        (
            &other,
            CLAIM,
            which(&[&unknown, &owned]),
            (409, "BATCH_REFUSED"),
            vec!["CUSTOMER_NOT_FOUND", "NOT_IN_POOL"],
        ),
    ] {
        let reply = service.post(path, &body).by(who).key("same-key").send().await;
        assert_eq!(reply.problem(), problem, "{path} {body}");
        let errors = reply.body["error"]["details"]["errors"].as_array().unwrap();
        let found: Vec<_> = errors.iter().map(|error| error["code"].as_str().unwrap()).collect();
        assert_eq!(found, codes, "{path} {body}");
        assert!(errors.iter().all(|error| error["customerId"].is_string() && error["error"].is_string()));
    }
    // What was refused used no key up.
    let body = which(&[&waits]);
    assert_eq!(service.post(CLAIM, &body).by(&other).key("same-key").send().await.status, 200);
    service.stop().await;
}

#[tokio::test]
async fn one_release_needs_the_owner_or_a_manager() {
    let (service, [admin, dispatch, employee, other]) =
        Service::with([Role::Admin, Role::Dispatch, Role::Employee, Role::Employee]).await;
    let customer = service.customer(&employee, "13812348999").await;
    let web = path(&customer, "/release-to-pool");
    let mini = web.replace("/customers/", "/customers/miniprogram/");
    let body = json!({ "reason": "客户找到了" });
    let nobody = web.replace(customer["_id"].as_str().unwrap(), "not-an-id");
    for (who, path, problem) in [
        (&other, &web, (404, "CUSTOMER_NOT_FOUND")),
        (&other, &mini, (404, "CUSTOMER_NOT_FOUND")),
        (&dispatch, &web, (403, "NOT_OWNER")),
        (&dispatch, &mini, (403, "NOT_OWNER")),
        (&admin, &nobody, (404, "CUSTOMER_NOT_FOUND")),
    ] {
        let reply = service.post(path, &body).by(who).send().await;
        assert_eq!(reply.problem(), problem, "{path} by {}", who.username);
        if problem.0 == 403 {
            assert_eq!(reply.body["message"], "只有客户负责人或管理员可以释放客户到公海");
        }
    }
    let stale = service.post(&web, &body).by(&employee).header("if-match", "\"1\"").send().await;
    assert_eq!(stale.problem(), (409, "VERSION_CONFLICT"));
    let reply = service.post(&mini, &body).by(&employee).header("if-match", "\"2\"").key("r").send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!((reply.header("etag"), &reply.data()["assignedTo"]), (Some("\"3\""), &Value::Null));
    let again = service.post(&mini, &body).by(&employee).key("r").send().await;
    assert_eq!((again.header("idempotent-replayed"), again.header("etag")), (Some("true"), Some("\"3\"")));
    let twice = service.post(&web, &body).by(&admin).send().await;
    assert_eq!(twice.problem(), (409, "ALREADY_IN_POOL"));

    assert_eq!(claim(&service, &other, &[&customer]).await.status, 200);
    assert_eq!(release(&service, &admin, &customer).await.status, 200, "an admin for somebody else");
    service.stop().await;
}

#[tokio::test]
async fn a_batch_of_releases_tells_item_by_item() {
    let (service, [manager, employee, other]) =
        Service::with([Role::Manager, Role::Employee, Role::Employee]).await;
    let own = service.customer(&employee, "13812348999").await;
    let foreign = service.customer(&other, "13812348998").await;
    let body = json!({ "customerIds": ids(&[&own, &foreign]), "reason": "客户不需要了" });
    let reply = service.post(BATCH_RELEASE, &body).by(&employee).key("k").send().await;
    assert_eq!(reply.body["message"], "批量释放完成：成功 1 个，失败 1 个");
    let refused =
        json!({ "customerId": foreign["_id"], "code": "CUSTOMER_NOT_FOUND", "error": "客户不存在" });
    assert_eq!(reply.data(), &json!({ "success": 1, "failed": 1, "errors": [refused] }));
    let again = service.post(BATCH_RELEASE, &body).by(&employee).key("k").send().await;
    assert_eq!(again.body["data"], reply.body["data"]);
    service.settle().await;
    assert_eq!(owner(&service, &manager, &own).await, Value::Null);
    assert_eq!(owner(&service, &manager, &foreign).await, other.id.to_string());
    service.stop().await;
}

#[tokio::test]
async fn roles_without_the_right_are_told_so() {
    let (service, [admissions, dispatch]) = Service::with([Role::Admissions, Role::Dispatch]).await;
    let own = service.customer(&dispatch, "13812348999").await;
    let which = json!({ "customerIds": ids(&[&own]) });
    let to = json!({ "customerIds": ids(&[&own]), "assignedTo": admissions.id });
    for (who, path, body, text) in [
        (&admissions, CLAIM, &which, "无权限从公海领取客户"),
        (&dispatch, POOL_ASSIGN, &to, "只有管理员、经理或运营可以从公海分配客户"),
        (&dispatch, BATCH_ASSIGN, &to, "只有管理员、经理或运营可以批量分配客户"),
    ] {
        let reply = service.post(path, body).by(who).send().await;
        assert_eq!((reply.problem(), &reply.body["message"]), ((403, "FORBIDDEN"), &json!(text)), "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn bad_input_names_the_field_and_the_rule() {
    let (service, [admin]) = Service::with([Role::Admin]).await;
    let id = admin.id;
    let release = format!("/api/customers/{id}/release-to-pool");
    let too_many: Vec<_> = (0..1001_u32).map(|n| format!("0190a1b2-0000-7000-8000-{n:012x}")).collect();
    for (path, body, status, at, rule) in [
        (CLAIM, json!({}), 422, "customerIds", "required"),
        (CLAIM, json!({ "customerIds": [] }), 422, "customerIds", "required"),
        (CLAIM, json!({ "customerIds": too_many }), 422, "customerIds", "too_many"),
        (CLAIM, json!({ "customerIds": [id], "assignedTo": id }), 400, "assignedTo", "unknown_field"),
        (POOL_ASSIGN, json!({ "customerIds": [id] }), 422, "assignedTo", "required"),
        (POOL_ASSIGN, json!({ "customerIds": ["x"], "assignedTo": id }), 422, "customerIds[0]", "id"),
        (BATCH_RELEASE, json!({ "customerIds": [id] }), 422, "reason", "required"),
        (&release, json!({}), 422, "reason", "required"),
        (&release, json!({ "reason": "好".repeat(201) }), 422, "reason", "too_long"),
    ] {
        let reply = service.post(path, &body).by(&admin).send().await;
        assert_eq!(reply.problem(), (status, "VALIDATION_FAILED"), "{path} {at}");
        let error = &reply.body["error"]["details"]["errors"][0];
        assert_eq!((&error["path"], &error["code"]), (&json!(at), &json!(rule)), "{path}");
    }
    for path in [CLAIM, POOL_ASSIGN, BATCH_RELEASE] {
        let versioned = service.call(Method::POST, path).json(&json!({})).by(&admin);
        let reply = versioned.header("if-match", "\"1\"").send().await;
        assert_eq!(reply.problem(), (400, "INVALID_HEADER"), "{path}: no single customer is changed");
    }
    service.stop().await;
}

#[tokio::test]
async fn limits_are_settings_and_say_how_much_is_used() {
    let service = Service::start_with(&[
        ("LEADWIRE_LIMITS__HOLDING_CAP", "3"),
        ("LEADWIRE_LIMITS__HOLDING_CAP_BY_ROLE", "dispatch=1"),
        ("LEADWIRE_LIMITS__CLAIMS_PER_DAY", "2"),
        ("LEADWIRE_LIMITS__COOL_OFF_HOURS", "2"),
        ("LEADWIRE_LIMITS__ASSIGNMENTS_HELD_TO_CAP", "yes"),
    ])
    .await;
    let manager = service.person("manager1", Role::Manager).await;
    let dispatch = service.person("dispatch1", Role::Dispatch).await;
    let employee = service.person("employee1", Role::Employee).await;
    let mut waits = Vec::new();
    for n in 0..4 {
        waits.push(pooled(&service, &manager, &format!("1381234890{n}")).await);
    }
    let details = |reply: &Reply, name: &str| reply.body["error"]["details"][name].clone();

    let one = claim(&service, &dispatch, &[&waits[0], &waits[1]]).await;
    assert_eq!(
        (&one.data()["success"], &one.data()["errors"][0]["code"]),
        (&json!(1), &json!("HOLDING_LIMIT"))
    );
    let full = claim(&service, &dispatch, &[&waits[1]]).await;
    assert_eq!(full.problem(), (409, "HOLDING_LIMIT"));
    assert_eq!(full.body["message"], "您已达到客户持有上限（1个），无法继续领取");
    assert_eq!((details(&full, "limit"), details(&full, "current")), (json!(1), json!(1)));

    let used_up = claim(&service, &employee, &[&waits[1], &waits[2], &waits[3]]).await;
    assert_eq!(
        (&used_up.data()["success"], &used_up.data()["errors"][0]["code"]),
        (&json!(2), &json!("CLAIM_QUOTA"))
    );
    let quota = claim(&service, &employee, &[&waits[3]]).await;
    assert_eq!((quota.problem(), details(&quota, "limit")), ((409, "CLAIM_QUOTA"), json!(2)));

    let cool_off = claim(&service, &manager, &[&waits[3]]).await;
    assert_eq!(cool_off.problem(), (409, "COOL_OFF"));
    assert!(details(&cool_off, "until").is_string());

    let to_full = json!({ "customerIds": ids(&[&waits[3]]), "assignedTo": dispatch.id });
    let refused = service.post(POOL_ASSIGN, &to_full).by(&manager).send().await;
    assert_eq!(refused.problem(), (409, "HOLDING_LIMIT"));
    assert_eq!(refused.body["message"], "指定的负责人已达到客户持有上限（1个）");
    let single = json!({ "assignedTo": dispatch.id });
    let refused = service.patch(&path(&waits[3], "/assign"), &single).by(&manager).send().await;
    assert_eq!((refused.problem(), details(&refused, "current")), ((409, "HOLDING_LIMIT"), json!(1)));
    service.stop().await;
}

#[tokio::test]
async fn claims_keep_their_distance() {
    let service = Service::start_with(&[("LEADWIRE_LIMITS__CLAIM_GAP_SECONDS", "3600")]).await;
    let manager = service.person("manager1", Role::Manager).await;
    let employee = service.person("employee1", Role::Employee).await;
    let first = pooled(&service, &manager, "13812348999").await;
    let second = pooled(&service, &manager, "13812348998").await;
    assert_eq!(claim(&service, &employee, &[&first]).await.status, 200);
    let soon = claim(&service, &employee, &[&second]).await;
    assert_eq!(soon.problem(), (429, "CLAIM_TOO_SOON"));
    let wait: u64 = soon.header("retry-after").unwrap().parse().unwrap();
    assert!((3000..=3600).contains(&wait), "{wait}");
    assert!(soon.body["error"]["details"]["until"].is_string());
    assert_eq!(claim(&service, &manager, &[&second]).await.status, 200, "others need not wait");
    service.stop().await;
}
