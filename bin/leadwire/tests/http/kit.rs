//! A service on a database of its own, and requests to its router.

use std::collections::BTreeMap;
use std::time::Duration;

use application::bus::{CommandBus as _, CommandContext, Draft, StreamAppend};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use domain::notification::Decision::Deliver;
use domain::notification::{
    Channel, Message, NotificationEvent, NotificationRequested, PlannedDelivery, Priority,
};
use domain::staff::{Role as StaffRole, StaffCommand};
use domain::{Actor, CommandId, CustomerId, DeliveryId, EventId, Metadata, NotificationId, StaffId};
use leadwire::config::{Settings, Sources};
use leadwire::http;
use leadwire::wiring::{Leadwire, Role, Running};
use secrecy::SecretString;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Everybody's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// How long the service may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(100);

/// Largest answer a test reads.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running service.
pub(crate) struct Service {
    pub(crate) running: Running,
    router: Router,
    _folder: tempfile::TempDir,
}

/// A member of staff with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: StaffId,
    pub(crate) username: String,
    pub(crate) token: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn data(&self) -> &Value {
        assert!(self.status.is_success(), "{self:?}");
        &self.body["data"]
    }

    /// Status and code of a problem.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }
}

/// A request to be sent.
pub(crate) struct Call<'s> {
    service: &'s Service,
    request: axum::http::request::Builder,
    body: Option<Vec<u8>>,
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these variables besides, e.g. `LEADWIRE_PROTECTION__HSTS_SECONDS`.
    pub(crate) async fn start_with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("leadwire.db").display());
        let mut environment = BTreeMap::from([
            ("LEADWIRE_DATABASE__URL".to_owned(), url),
            ("LEADWIRE_SERVER__LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("LEADWIRE_AUTH__JWT_SECRET".to_owned(), "a secret for tests, long enough for HS256".to_owned()),
            // All requests of a test come from nowhere in particular, and count together.
            ("LEADWIRE_PROTECTION__LOGIN_PER_MINUTE".to_owned(), "100000".to_owned()),
            ("LEADWIRE_PROTECTION__PUBLIC_FORM_PER_MINUTE".to_owned(), "100000".to_owned()),
            ("LEADWIRE_PROTECTION__REGISTRATIONS_PER_MINUTE".to_owned(), "100000".to_owned()),
        ]);
        environment.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings = Settings::load(&Sources { file: None, environment }).unwrap();
        let running = Leadwire::start(settings, &Role::ALL).await.unwrap();
        let router = http::router(running.app().clone());
        Self { running, router, _folder: folder }
    }

    /// A service with one person of each of these roles, named after it.
    pub(crate) async fn with<const N: usize>(roles: [StaffRole; N]) -> (Self, [Person; N]) {
        let service = Self::start().await;
        let mut people = Vec::new();
        for role in roles {
            let n =
                people.iter().filter(|person: &&Person| person.username.starts_with(role.as_str())).count();
            people.push(service.person(&format!("{role}{}", n + 1), role).await);
        }
        (service, people.try_into().unwrap())
    }

    /// Makes an account and logs in without the detour over the password.
    pub(crate) async fn person(&self, username: &str, role: StaffRole) -> Person {
        let app = self.running.app();
        let id = StaffId(app.ids.next());
        let by = Actor::System("test".into());
        let at = app.clock.now();
        let register = StaffCommand::Register {
            username: username.into(),
            name: format!("姓名{username}"),
            role,
            department: None,
            phone: None,
            email: None,
            by,
            at,
        };
        self.staff_command(id, register).await;
        let token = app.auth.tokens.issue(id, username, role, at).unwrap();
        Person { id, username: username.to_owned(), token }
    }

    pub(crate) async fn staff_command(&self, id: StaffId, command: StaffCommand) {
        let app = self.running.app();
        let context = CommandContext { metadata: self.metadata(), at: app.clock.now(), fingerprint: None };
        application::staff::command(&app.bus, &context, id, command).await.unwrap();
    }

    pub(crate) async fn suspend(&self, person: &Person) {
        let by = Actor::System("test".into());
        let at = self.running.app().clock.now();
        self.staff_command(person.id, StaffCommand::Suspend { by, at }).await;
    }

    pub(crate) async fn set_password(&self, person: &Person) {
        let app = self.running.app();
        let password = SecretString::from(PASSWORD);
        app.auth.credentials.set_password(person.id, &password, app.clock.now()).await.unwrap();
    }

    /// Logs in over the password.
    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Person {
        let body = json!({ "username": username, "password": password });
        let reply = self.post("/api/auth/login", &body).send().await;
        let text = |pointer: &str| reply.data().pointer(pointer).unwrap().as_str().unwrap();
        let id = text("/user/id").parse().unwrap();
        Person { id, username: username.to_owned(), token: text("/access_token").to_owned() }
    }

    /// Tells somebody about a lead gained, as the policy would.
    pub(crate) async fn notice(&self, to: &Person, customer: CustomerId) {
        let app = self.running.app();
        let id = NotificationId(app.ids.next());
        let message = Message {
            title: "客户转移通知".into(),
            content: "客户 王女士 已转移给您".into(),
            icon: "SwapOutlined".into(),
            color: "#faad14".into(),
            action_url: format!("/customers/{customer}"),
            action_text: "查看客户".into(),
            data: serde_json::Map::from_iter([("customerId".to_owned(), json!(customer))]),
        };
        let delivery = PlannedDelivery {
            delivery: DeliveryId(app.ids.next()),
            channel: Channel::InApp,
            decision: Deliver,
        };
        let requested: NotificationEvent = NotificationRequested {
            notification: id,
            cause: EventId(app.ids.next()),
            recipient: to.id,
            scene: "CUSTOMER_TRANSFERRED".into(),
            priority: Priority::High,
            message,
            customers: vec![customer],
            deliveries: vec![delivery],
            template_version: 1,
            template: String::new(),
            rendered_hash: String::new(),
            digest_of: vec![],
            at: app.clock.now(),
        }
        .into();
        let draft = Draft {
            metadata: self.metadata(),
            recorded_at: app.clock.now(),
            streams: vec![StreamAppend::of(id, 0, &[requested]).unwrap()],
            guards: vec![],
            receipt: None,
        };
        app.bus.append(draft).await.unwrap();
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            command: CommandId(self.running.app().ids.next()),
            correlation: "test".into(),
            causation: None,
            actor: Actor::System("test".into()),
        }
    }

    pub(crate) async fn settle(&self) {
        self.running.settle(PATIENCE).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }

    pub(crate) fn call(&self, method: Method, path: &str) -> Call<'_> {
        Call { service: self, request: Request::builder().method(method).uri(path), body: None }
    }

    pub(crate) fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::POST, path).json(body)
    }

    pub(crate) fn patch(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::PATCH, path).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Call<'_> {
        self.call(Method::PUT, path).json(body)
    }

    /// Creates a customer for somebody, and gives its document.
    pub(crate) async fn customer(&self, creator: &Person, phone: &str) -> Value {
        let reply = self.post("/api/customers", &lead(phone)).by(creator).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.body["data"].clone()
    }
}

impl Person {
    /// The same person with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }
}

impl Call<'_> {
    pub(crate) fn by(self, person: &Person) -> Self {
        let token = format!("Bearer {}", person.token);
        self.header("authorization", &token)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.bytes("application/json", body.to_string().into_bytes())
    }

    pub(crate) fn bytes(mut self, kind: &str, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self.header("content-type", kind)
    }

    /// Sends a request whose answer is a page.
    pub(crate) async fn page(self) -> (HeaderMap, String) {
        let request = self.request.body(Body::empty()).unwrap();
        let response = self.service.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
        (parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Sends it and takes whatever comes, for answers that are files.
    pub(crate) async fn send_raw(self) -> (StatusCode, HeaderMap, Vec<u8>) {
        let body = self.body.map_or_else(Body::empty, Body::from);
        let request = self.request.body(body).unwrap();
        let (parts, body) = self.service.router.clone().oneshot(request).await.unwrap().into_parts();
        (parts.status, parts.headers, to_bytes(body, ANSWER_BYTES_MAX).await.unwrap().into())
    }

    pub(crate) async fn send(self) -> Reply {
        let body = self.body.map_or_else(Body::empty, Body::from);
        let request = self.request.body(body).unwrap();
        let response = self.service.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let reply = Reply { status: parts.status, headers: parts.headers, body };
        reply.has_the_one_shape();
        reply
    }
}

impl Reply {
    fn has_the_one_shape(&self) {
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert!(self.header("x-request-id").is_some());
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(self.header("x-frame-options"), Some("DENY"));
        assert_eq!(self.header("referrer-policy"), Some("no-referrer"));
        assert!(self.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        if self.status == StatusCode::NO_CONTENT {
            return; // what a browser asks before a request
        }
        if self.body["openapi"].is_string() {
            return;
        }
        assert!(self.body["timestamp"].is_i64(), "{self:?}");
        assert!(self.body["message"].is_string(), "{self:?}");
        assert_eq!(self.body["success"], self.status.is_success(), "{self:?}");
        if self.status.is_success() {
            assert_eq!(self.header("content-type"), Some("application/json; charset=utf-8"));
            return;
        }
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        for member in ["type", "title", "detail", "code", "requestId"] {
            assert!(self.body[member].is_string(), "{member} in {self:?}");
        }
        assert_eq!(self.body["status"], self.status.as_u16());
        assert_eq!(self.body["error"]["code"], self.body["code"]);
        assert!(self.body["error"]["details"].is_object());
        assert_eq!(self.body["data"], Value::Null);
        assert_eq!(self.header("x-request-id"), self.body["requestId"].as_str());
    }
}

/// The body that creates a customer with this phone.
pub(crate) fn lead(phone: &str) -> Value {
    json!({ "name": "王女士", "phone": phone, "leadSource": "抖音", "contractStatus": "待定", "leadLevel": "A类",
            "serviceCategory": "月嫂", "address": "杭州市西湖区" })
}
