//! A phone number shows itself to those who may see it and to nobody else: not in a log line, a notice, a frame, a
//! message, an error, nor in the pool for anybody below manager (product.md G16, http-api.md section 2).

use rstest::rstest;
use serde_json::json;
use tests::kit::{Reply, Team, TestApp, lead, lines};
use tests::scratch::Backend::{self, Postgres, Sqlite};

/// Numbers that stand nowhere else.
const NUMBERS: [&str; 5] = ["13912345601", "13912345602", "13912345603", "13912345604", "01088886666"];

/// Such a number, wherever it came from.
fn shown(text: &str) -> Option<&'static str> {
    NUMBERS.into_iter().find(|number| text.contains(number))
}

fn check(what: &str, text: &str) {
    if let Some(number) = shown(text) {
        let at = text.find(number).unwrap_or(0);
        let around: String = text.chars().skip(at.saturating_sub(200)).take(500).collect();
        panic!("{what} shows {number}: …{around}…");
    }
}

fn check_refusal(reply: &Reply) {
    assert!(reply.status >= 400, "{reply:?}");
    check("a refusal", &reply.body.to_string());
}

/// Makes a lead of every number, the last one by the public form; gives the ids of the others.
async fn make(app: &TestApp, team: &Team) -> Vec<String> {
    let mut leads = Vec::new();
    for (n, number) in NUMBERS.iter().take(4).enumerate() {
        // People write numbers into names, too, and wherever else a text fits.
        let mut body = lead(&format!("陈女士{n} {number}"), number);
        for field in ["area", "ageRequirement", "genderRequirement", "originRequirement"] {
            body[field] = json!(format!("打{number}"));
        }
        body["assignedTo"] = json!(team.employee.id);
        let reply = app.post("/api/customers", &body).by(&team.manager).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        leads.push(reply.id());
    }
    let website = json!({ "name": "官网客户", "phone": NUMBERS[4], "remarks": "想了解月嫂" });
    let submitted =
        app.call(reqwest::Method::POST, "/api/customers/website-lead").json(&website).send().await;
    assert!(submitted.status < 300, "{submitted:?}");
    check("the answer to a form", &submitted.body.to_string());
    leads
}

/// Every kind of handing over, and what goes wrong on the way.
async fn hand_over(app: &TestApp, team: &Team, leads: &[String]) {
    let reason = json!({ "assignedTo": team.colleague.id, "assignmentReason": format!("打{}", NUMBERS[3]) });
    let path = format!("/api/customers/{}/assign", leads[0]);
    let give = app.patch(&path, &reason).by(&team.operator).send().await;
    check("notificationData", &give.data()["notificationData"].to_string());
    let why = format!("客户留了{}", NUMBERS[1]);
    let batch = json!({ "customerIds": leads, "assignedTo": team.dispatch.id, "assignmentReason": why });
    let given = app.post("/api/customers/batch-assign", &batch).by(&team.manager).send().await;
    check("the answer to a batch", &given.data().to_string());
    let back = json!({ "customerIds": leads, "reason": format!("改打{}", NUMBERS[0]) });
    let released = app.post("/api/customers/batch-release-to-pool", &back).by(&team.manager).send().await;
    assert_eq!(released.data()["success"], 4, "{released:?}");
    check_refusal(&app.post("/api/customers", &lead("重复", NUMBERS[0])).by(&team.employee).send().await);
    let wrong = lead("错误", &format!("{}x", NUMBERS[1]));
    check_refusal(&app.post("/api/customers", &wrong).by(&team.employee).send().await);
    let broken = format!("{{\"phone\": \"{}\", ", NUMBERS[2]).into_bytes();
    let broken = app.call(reqwest::Method::POST, "/api/customers").bytes("application/json", broken);
    check_refusal(&broken.by(&team.employee).send().await);
}

/// Everybody below manager sees masked numbers in the pool; a manager sees them whole.
async fn look_into_the_pool(app: &TestApp, team: &Team) {
    app.settle().await;
    for person in [&team.operator, &team.dispatch, &team.employee, &team.admissions] {
        for path in ["/api/customers/public-pool", "/api/customers/public-pool?search=13912345601"] {
            let reply = app.get(path).by(person).send().await;
            assert!(reply.data()["total"].as_i64() >= Some(1), "{reply:?}");
            let text = reply.body.to_string();
            check(&format!("the pool of {}", person.username), &text);
            assert!(text.contains("139****56"), "the masked number: {text}");
        }
    }
    let seen = app.get("/api/customers/public-pool").by(&team.manager).send().await;
    assert!(shown(&seen.body.to_string()).is_some(), "a manager sees the number: {seen:?}");
}

/// Whoever only created a lead reads nothing of what was typed about it that could be a number.
async fn look_from_outside(app: &TestApp, team: &Team) {
    let number = NUMBERS[3];
    let mut body = lead(&format!("周女士 {number}"), "13912345605");
    body["remarks"] = json!(format!("让打{number}"));
    let made = app.post("/api/customers", &body).by(&team.admissions).send().await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.id();
    let why = json!({ "assignedTo": team.colleague.id, "assignmentReason": format!("改打{number}") });
    let given = app.patch(&format!("/api/customers/{id}/assign"), &why).by(&team.manager).send().await;
    assert_eq!(given.status, 200, "{given:?}");
    let note = json!({ "type": "phone", "content": format!("客户换成{number}") });
    let noted = app.post(&format!("/api/customers/{id}/follow-ups"), &note).by(&team.colleague).send().await;
    assert_eq!(noted.status, 201, "{noted:?}");
    app.settle().await;
    let of_one =
        ["", "/history", "/follow-ups", "/follow-up-status", "/assignment-logs", "/public-pool-logs"];
    let of_one = of_one.map(|tail| format!("/api/customers/{id}{tail}"));
    let lists = ["", "/search?search=", "/baobei/list", "/miniprogram/list"];
    let lists = lists.map(|tail| format!("/api/customers{tail}"));
    for path in lists.iter().chain(&of_one) {
        let reply = app.get(path).by(&team.admissions).send().await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        check(path, &reply.body.to_string());
    }
    for path in [&lists[0], &lists[2], &of_one[0], &of_one[2], &of_one[4]] {
        let reply = app.get(path).by(&team.colleague).send().await;
        assert!(shown(&reply.body.to_string()).is_some(), "the owner reads it at {path}: {reply:?}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_number_is_shown_to_nobody_else(#[values(Sqlite, Postgres)] on: Backend) {
    let app = TestApp::start(on).await;
    let team = app.team.clone();
    let mut sockets = Vec::new();
    for person in team.everybody() {
        let mut socket = app.socket(person, "").await;
        socket.up_to("complete_upto").await;
        sockets.push((person, socket));
    }

    let leads = make(&app, &team).await;
    hand_over(&app, &team, &leads).await;
    look_into_the_pool(&app, &team).await;
    look_from_outside(&app, &team).await;
    // Numbers in addresses must not find their way into a log either.
    app.get(&format!("/api/customers?search={}", NUMBERS[0])).by(&team.admin).send().await;
    app.get(&format!("/api/customers/search?search={}", NUMBERS[0])).by(&team.employee).send().await;
    app.get(&format!("/api/customers/address-by-phone/{}", NUMBERS[0])).by(&team.employee).send().await;
    app.get(&format!("/api/nowhere/{}", NUMBERS[0])).by(&team.employee).send().await;

    let claim = json!({ "customerIds": [leads[1]] });
    app.post("/api/customers/public-pool/claim", &claim).by(&team.employee).send().await;
    let pool = json!({ "customerIds": [leads[2], leads[3]], "assignedTo": team.colleague.id });
    app.post("/api/customers/public-pool/assign", &pool).by(&team.manager).send().await;
    let note = json!({ "type": "phone", "content": format!("聊了十分钟，让打{}", NUMBERS[2]) });
    app.post(&format!("/api/customers/{}/follow-ups", leads[1]), &note).by(&team.dispatch).send().await;

    app.settle().await;
    for (person, socket) in &mut sockets {
        let notices = app.inbox(person).await;
        check(&format!("the inbox of {}", person.username), &json!(notices).to_string());
        let last = notices.first().and_then(|notice| notice["seq"].as_i64()).unwrap_or(0);
        let frames = if last == 0 { Vec::new() } else { socket.complete_up_to(last).await };
        check(&format!("the socket of {}", person.username), &json!(frames).to_string());
    }
    check("a message", &format!("{:?}", app.wechat().ledger()));
    let logged = lines::logged();
    assert!(!logged.is_empty(), "nothing was logged at all");
    check("the log", &logged);
    for person in team.everybody() {
        assert!(!logged.contains(&person.token), "the log shows the token of {}", person.username);
        assert!(!logged.contains(&person.openid), "the log shows the openid of {}", person.username);
    }
    drop(sockets);
    app.finish().await;
}
