//! The calls of system A's console, request and answer as they go over the wire, one snapshot each. Its pages are
//! written against these shapes: a snapshot that changes is a client that may break.
//!
//! What differs from run to run is replaced: ids by `[id n]` in the order they appear, instants by `[time]`, tokens.

use std::collections::HashMap;

use axum::http::Method;
use domain::staff::Role;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::kit::{PASSWORD, Person, Service, lead};

/// Writes calls down.
struct Recorder<'s> {
    service: &'s Service,
    token: String,
    ids: HashMap<Uuid, usize>,
    calls: usize,
}

impl Recorder<'_> {
    /// Makes a call and holds what went over the wire against the snapshot.
    async fn call(&mut self, name: &str, method: Method, path: &str, body: Value) -> Value {
        // What other consumers do with the last call must not race with this one.
        self.service.settle().await;
        let mut call = self.service.call(method.clone(), path);
        if !self.token.is_empty() {
            call = call.header("authorization", &format!("Bearer {}", self.token));
        }
        if !body.is_null() {
            call = call.json(&body);
        }
        let reply = call.send().await;
        let request = json!({ "method": method.as_str(), "path": path, "body": body });
        self.record(name, &request, reply.status.as_u16(), &reply.body);
        reply.body["data"].clone()
    }

    /// The same where the answer has system S's own form instead of the envelope.
    async fn get_bare(&mut self, name: &str, path: &str) {
        self.service.settle().await;
        let call = self.service.get(path).header("authorization", &format!("Bearer {}", self.token));
        let (status, _, body) = call.send_raw().await;
        let request = json!({ "method": "GET", "path": path, "body": null });
        self.record(name, &request, status.as_u16(), &serde_json::from_slice(&body).unwrap());
    }

    fn record(&mut self, name: &str, request: &Value, status: u16, body: &Value) {
        let recorded = json!({ "request": request, "response": { "status": status, "body": body } });
        self.calls += 1;
        insta::assert_json_snapshot!(format!("{:02}_{name}", self.calls), self.redacted(&recorded));
    }

    async fn get(&mut self, name: &str, path: &str) -> Value {
        self.call(name, Method::GET, path, Value::Null).await
    }

    fn redacted(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let redacted = members.iter().map(|(name, value)| {
                    let value = match (name.as_str(), value) {
                        ("access_token" | "undoToken", Value::String(_)) => json!("[token]"),
                        ("timestamp" | "position", Value::Number(_))
                        | ("planHash" | "seed", Value::String(_)) => json!(format!("[{name}]")),
                        _ => self.redacted(value),
                    };
                    (name.clone(), value)
                });
                Value::Object(redacted.collect())
            }
            Value::Array(values) => values.iter().map(|value| self.redacted(value)).collect(),
            Value::String(text) => json!(self.redacted_text(text)),
            other => other.clone(),
        }
    }

    /// Ids may stand in the middle of a path.
    fn redacted_text(&mut self, text: &str) -> String {
        if chrono::DateTime::parse_from_rfc3339(text).is_ok() {
            return "[time]".to_owned();
        }
        let part = |part: &str| match Uuid::try_parse(part) {
            Ok(id) => {
                let n = self.ids.len() + 1;
                format!("[id {}]", self.ids.entry(id).or_insert(n))
            }
            Err(_) => part.to_owned(),
        };
        text.split('/').map(part).collect::<Vec<_>>().join("/")
    }
}

async fn recorder<'s>(service: &'s Service, person: &Person) -> Recorder<'s> {
    service.set_password(person).await;
    Recorder { service, token: String::new(), ids: HashMap::new(), calls: 0 }
}

fn id(document: &Value) -> &str {
    document["_id"].as_str().unwrap()
}

#[tokio::test]
async fn the_console_of_a_manager() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let mut console = recorder(&service, &manager).await;
    let login = json!({ "username": "manager1", "password": PASSWORD });
    let session = console.call("login", Method::POST, "/api/auth/login", login).await;
    console.token = session["access_token"].as_str().unwrap().to_owned();
    console.get("me", "/api/auth/me").await;
    console.get("enums", "/api/customers/enums").await;
    console.get("assignable_users", "/api/customers/assignable-users").await;
    let first = console.call("create", Method::POST, "/api/customers", lead("13812348999")).await;
    let path = format!("/api/customers/{}", id(&first));
    let edit = json!({ "remarks": "晚上联系", "contractStatus": "匹配中", "salaryBudget": "8000" });
    console.call("edit", Method::PATCH, &path, edit).await;
    console.get("detail", &path).await;
    let query = "search=1381234&leadSource=抖音&serviceCategory=月嫂&contractStatus=匹配中&leadLevel=A类\
                 &followUpStatus=新客未跟进&createdStartDate=2020-01-01&createdEndDate=2099-12-31&page=1&limit=10\
                 &sortBy=updatedAt&sortOrder=desc";
    console.get("list_with_filters", &format!("/api/customers?{query}")).await;
    let assign = json!({ "assignedTo": employee.id, "assignmentReason": "离得近" });
    console.call("assign", Method::PATCH, &format!("{path}/assign"), assign).await;
    console.get("assignment_logs", &format!("{path}/assignment-logs")).await;
    let second = service.customer(&manager, "13812348998").await;
    let gone = "0190a1b2-0000-7000-8000-000000000000";
    let batch = json!({ "customerIds": [id(&second), gone], "assignedTo": employee.id });
    console.call("batch_assign", Method::POST, "/api/customers/batch-assign", batch).await;
    console.get("list", "/api/customers?page=1&limit=10").await;
    console.get("statistics", "/api/customers/statistics").await;
    console.get("bell", "/api/notifications?page=1&pageSize=10").await;
    console.get("unread_count", "/api/notifications/unread-count").await;
    service.stop().await;
}

#[tokio::test]
async fn the_console_of_an_employee() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let mut console = recorder(&service, &employee).await;
    let login = json!({ "username": "employee1", "password": PASSWORD });
    let session = console.call("employee_login", Method::POST, "/api/auth/login", login).await;
    console.token = session["access_token"].as_str().unwrap().to_owned();
    let customer = service.customer(&manager, "13812348999").await;
    let path = format!("/api/customers/{}", id(&customer));
    let reason = json!({ "reason": "客户不需要了" });
    let released = service.post(&format!("{path}/release-to-pool"), &reason).by(&manager).send().await;
    assert_eq!(released.status, 200, "{released:?}");
    console.get("my_customer_count", "/api/customers/my-customer-count").await;
    console.get("pool", "/api/customers/public-pool?page=1&limit=10&leadSource=抖音").await;
    let claim = json!({ "customerIds": [id(&customer)] });
    console.call("claim", Method::POST, "/api/customers/public-pool/claim", claim.clone()).await;
    console.call("claim_again", Method::POST, "/api/customers/public-pool/claim", claim).await;
    let follow_up = json!({ "type": "phone", "content": "约了周五面试" });
    console.call("follow_up", Method::POST, &format!("{path}/follow-ups"), follow_up).await;
    console.get("follow_ups", &format!("{path}/follow-ups")).await;
    console.get("follow_up_status", &format!("{path}/follow-up-status")).await;
    console.call("release", Method::POST, &format!("{path}/release-to-pool"), reason).await;
    console.get("gone_from_sight", &path).await;
    let mine = service.customer(&manager, "13812348998").await;
    let assign = json!({ "assignedTo": employee.id });
    service.patch(&format!("/api/customers/{}/assign", id(&mine)), &assign).by(&manager).send().await;
    let bell = console.get("bell", "/api/notifications?page=1&pageSize=10").await;
    console.get("unread_count", "/api/notifications/unread-count").await;
    let read = json!({ "notificationIds": [bell["items"][0]["_id"]] });
    console.call("mark_read", Method::PUT, "/api/notifications/mark-read", read).await;
    console.call("mark_all_read", Method::PUT, "/api/notifications/mark-all-read", Value::Null).await;
    service.stop().await;
}

#[tokio::test]
async fn the_console_of_an_administrator() {
    let (service, [admin, employee]) = Service::with([Role::Admin, Role::Employee]).await;
    let mut console = recorder(&service, &admin).await;
    console.token.clone_from(&admin.token);
    let customer = service.customer(&employee, "13812348999").await;
    let path = format!("/api/customers/{}", id(&customer));
    console.call("admin_freeze", Method::PATCH, &format!("{path}/freeze"), json!({ "reason": "纠纷" })).await;
    console.call("admin_unfreeze", Method::PATCH, &format!("{path}/unfreeze"), Value::Null).await;
    console.get("operation_logs", &format!("{path}/operation-logs")).await;
    console.get("history", &format!("{path}/history")).await;
    let release = json!({ "customerIds": [id(&customer)], "reason": "客户找到了" });
    console.call("batch_release", Method::POST, "/api/customers/batch-release-to-pool", release).await;
    console.get("pool_as_admin", "/api/customers/public-pool").await;
    console.get("pool_statistics", "/api/customers/public-pool/statistics").await;
    console.get("pool_logs", &format!("{path}/public-pool-logs")).await;
    let assign = json!({ "customerIds": [id(&customer)], "assignedTo": employee.id, "reason": "再试一次" });
    console.call("pool_assign", Method::POST, "/api/customers/public-pool/assign", assign).await;
    service.stop().await;
}

#[tokio::test]
async fn the_mini_program_of_a_manager() {
    let (service, [manager, employee]) = Service::with([Role::Manager, Role::Employee]).await;
    let mut phone = recorder(&service, &manager).await;
    phone.token.clone_from(&manager.token);
    let create = lead("13812348999");
    let created = phone.call("mini_create", Method::POST, "/api/customers/miniprogram/create", create).await;
    let path = format!("/api/customers/miniprogram/{}", created["id"].as_str().unwrap());
    let edit = json!({ "notes": "晚上联系", "contractStatus": "已签约", "dealAmount": 5000 });
    phone.call("mini_edit", Method::PATCH, &path, edit).await;
    let assign = json!({ "assignedTo": employee.id });
    phone.call("mini_assign", Method::PATCH, &format!("{path}/assign"), assign).await;
    let follow_up = json!({ "type": "visit", "content": "到店了" });
    phone.call("mini_follow_up", Method::POST, &format!("{path}/follow-ups"), follow_up).await;
    phone.get("mini_list", "/api/customers/miniprogram/list?page=1&limit=10").await;
    phone.get("mini_detail", &path).await;
    phone.get("mini_follow_ups", &format!("{path}/follow-ups")).await;
    phone.get("mini_assignment_logs", &format!("{path}/assignment-logs")).await;
    phone.get("mini_statistics", "/api/customers/miniprogram/statistics").await;
    phone.get("mini_today", "/api/customers/miniprogram/today-todo-stats").await;
    phone.get("mini_performance", "/api/customers/miniprogram/performance-progress").await;
    phone.get("mini_contracts", "/api/customers/miniprogram/contract-stats").await;
    phone.get("mini_employees", "/api/customers/miniprogram/employees/list").await;
    phone.get("mini_baobei", "/api/customers/baobei/list").await;
    let release = json!({ "reason": "客户找到了" });
    phone.call("mini_release", Method::POST, &format!("{path}/release-to-pool"), release).await;
    service.stop().await;
}

#[tokio::test]
async fn the_rules_of_a_manager() {
    // The hour of the rules never comes while this story is told.
    let service = Service::start_with(&[("LEADWIRE_SCHEDULES__LEAD_TRANSFER", "0 3 29 2 *")]).await;
    let manager = service.person("manager1", Role::Manager).await;
    let employee = service.person("employee1", Role::Employee).await;
    let colleague = service.person("employee2", Role::Employee).await;
    let mut console = recorder(&service, &manager).await;
    console.token.clone_from(&manager.token);
    service.customer(&employee, "13812348999").await;
    let rule = json!({
        "ruleName": "闲置线索", "description": "两天没有跟进", "enabled": true, "targetModule": "customer",
        "triggerConditions": {
            "inactiveHours": 48, "transferCooldownHours": 24, "maxTransferCount": 0, "contractStatuses": ["待定"],
            "leadSources": ["抖音"], "createdDateRange": { "startDate": "2026-01-01", "endDate": "2099-12-31" },
        },
        "executionWindow": { "enabled": false, "startTime": "09:30", "endTime": "18:30" },
        "sourceUserIds": [employee.id], "targetUserIds": [employee.id, colleague.id],
        "distributionConfig": { "strategy": "balanced-random", "enableCompensation": true, "compensationPriority": 5 },
    });
    let rules = "/api/lead-transfer/rules";
    let first = console.call("rule_create", Method::POST, rules, rule.clone()).await;
    let path = format!("{rules}/{}", id(&first));
    console.call("rule_overlaps", Method::POST, rules, rule).await;
    console.get("rule_predict", &format!("{path}/predict?seed=7")).await;
    let run = json!({ "ruleId": id(&first), "batchSize": 100 });
    console.call("rule_execute", Method::POST, "/api/lead-transfer/execute-now", run).await;
    let edit =
        json!({ "ruleName": "新名字", "description": "", "triggerConditions": { "createdDateRange": null } });
    console.call("rule_edit", Method::PATCH, &path, edit).await;
    console.get("rule_detail", &path).await;
    console.get("rule_list", &format!("{rules}?targetModule=customer")).await;
    console.call("rule_toggle", Method::PATCH, &format!("{path}/toggle"), json!({ "enabled": false })).await;
    console.get("rule_records", "/api/lead-transfer/records?status=success&page=1&limit=20").await;
    console.get("rule_statistics", "/api/lead-transfer/statistics").await;
    let person = format!("/api/lead-transfer/user-statistics/{}", employee.id);
    console.get("rule_user_statistics", &person).await;
    console.call("rule_delete", Method::DELETE, &path, Value::Null).await;
    console.get("rule_gone", &path).await;
    service.stop().await;
}

/// The application of a corporation, which nobody reaches from here.
const WECOM: [(&str, &str); 5] = [
    ("LEADWIRE_WECOM_APP__CORPID", "ww1"),
    ("LEADWIRE_WECOM_APP__AGENTID", "1000002"),
    ("LEADWIRE_WECOM_APP__SECRET", "the secret of an application"),
    ("LEADWIRE_WECOM_APP__BASE_URL", "http://127.0.0.1:9"),
    ("LEADWIRE_WECOM_APP__KIND", "text"),
];

#[tokio::test]
async fn the_members_of_system_s() {
    let service = Service::start_with(&WECOM).await;
    let admin = service.person("admin1", Role::Admin).await;
    let mut form = recorder(&service, &admin).await;
    let myself = json!({ "wechat": "me_1", "phone": "13912340001", "nickname": "小李" });
    form.call("member_registration", Method::POST, "/api/members/register", myself).await;

    let mut console = recorder(&service, &admin).await;
    console.token.clone_from(&admin.token);
    let member = json!({
        "member_no": "M12345", "wechat": "wang_88", "phone": "13812348999", "nickname": "小王", "gender": "female",
        "birth_year": 1995, "height": 165, "education": "DOCTOR", "house_car": "HOUSE_ONLY", "province": "浙江省",
        "city": "杭州市", "real_name": "王小花", "sexual_orientation": "ASEXUAL", "status": "PENDING",
    });
    let created = console.call("member_create", Method::POST, "/api/members", member.clone()).await;
    console.call("member_create_again", Method::POST, "/api/members", member).await;
    let path = format!("/api/members/{}", created["id"].as_str().unwrap());
    console.call("member_update", Method::PATCH, &path, json!({ "city": "宁波市", "height": null })).await;
    console.call("member_activate", Method::POST, &format!("{path}/activate"), json!({})).await;
    let upgrade = json!({ "type": "ANNUAL", "expires_at": "2099-01-01" });
    console.call("member_upgrade", Method::POST, &format!("{path}/upgrade"), upgrade).await;
    let revoke = json!({ "reason": "资料不实" });
    console.call("member_revoke", Method::POST, &format!("{path}/revoke"), revoke).await;
    console.get("member_detail", &path).await;
    console.get("member_list", "/api/members?search=M12345&status=REVOKED&page=1&limit=10").await;
    console.call("member_delete", Method::DELETE, &path, Value::Null).await;
    console.get("member_gone", &path).await;
    service.stop().await;
}

#[tokio::test]
async fn the_wecom_page_of_system_s() {
    let service = Service::start_with(&WECOM).await;
    let admin = service.person("admin1", Role::Admin).await;
    let mut page = recorder(&service, &admin).await;
    page.token.clone_from(&admin.token);
    let config = "/api/wecom/config";
    page.get("wecom_config", config).await;
    let settings = json!({
        "corp_id": "ww1", "agent_id": 1_000_002, "secret": "", "member_notification_enabled": 0,
        "notification_recipients": "ZhangSan|LiSi", "notification_parties": [2], "notification_roles": ["manager"],
        "message_type": "markdown", "custom_message_template": "{{event}} {{nickname}}", "digest_from": 5,
    });
    page.call("wecom_config_set", Method::POST, config, settings).await;
    let secret = json!({ "secret": "the next secret of an application" });
    page.call("wecom_config_secret", Method::PUT, config, secret).await;
    let wrong = json!({ "custom_message_template": "{{nickname}} {{id_card}}" });
    page.call("wecom_config_refused", Method::PUT, config, wrong).await;
    page.get_bare("process_queue", "/api/wecom/process-queue").await;
    page.get_bare("manual_check", "/api/wecom/manual-check").await;
    // The last call: its message waits for WeCom, and this service would wait for it.
    let test = json!({ "testUser": "ZhangSan" });
    page.call("test_notification", Method::POST, "/api/wecom/test-notification", test).await;
    service.stop().await;
}
