//! Logging in from the mini program, against a WeChat that is not there: the simulator.

use domain::staff::Role;
use serde_json::{Value, json};
use wechat_simulator::{
    DEMO_APPID, DEMO_SECRET, DEMO_TEMPLATE, Endpoint, Fault, FaultRule, RunningSimulator, Simulator,
};

use crate::kit::{Person, Reply, Service};

struct World {
    service: Service,
    wechat: RunningSimulator,
}

impl World {
    async fn start() -> Self {
        let wechat = Simulator::start("127.0.0.1:0").await.unwrap();
        let service = Service::start_with(&[
            ("LEADWIRE_WECHAT_SUBSCRIBE__APPID", DEMO_APPID),
            ("LEADWIRE_WECHAT_SUBSCRIBE__SECRET", DEMO_SECRET),
            ("LEADWIRE_WECHAT_SUBSCRIBE__TEMPLATE", DEMO_TEMPLATE),
            ("LEADWIRE_WECHAT_SUBSCRIBE__BASE_URL", wechat.base_url()),
        ])
        .await;
        Self { service, wechat }
    }

    /// What the phone of a person sends: a fresh code, and system A's phone number.
    fn body(&self, openid: &str) -> Value {
        json!({ "code": self.wechat.handle().login_code(openid).unwrap(), "phone": "13812348999" })
    }

    async fn bind(&self, person: &Person, openid: &str) -> Reply {
        self.service.post("/api/wechat/bind", &self.body(openid)).by(person).send().await
    }

    async fn log_in(&self, openid: &str) -> Reply {
        self.service.post("/api/auth/miniprogram-login", &self.body(openid)).send().await
    }

    async fn stop(self) {
        self.service.stop().await;
        self.wechat.stop().await;
    }
}

#[tokio::test]
async fn a_binding_made_by_the_person_is_what_logs_in() {
    let world = World::start().await;
    let employee = world.service.person("employee1", Role::Employee).await;
    let stranger = world.log_in("o1").await;
    assert_eq!(stranger.problem(), (403, "WECHAT_NOT_BOUND"));
    assert!(stranger.body["message"].as_str().unwrap().contains("先用用户名和密码登录"));

    let binding = async || world.service.get("/api/wechat/binding").by(&employee).send().await;
    assert_eq!(binding().await.data(), &json!({ "bound": false, "appid": DEMO_APPID }));
    let bound = world.bind(&employee, "o1").await;
    assert_eq!(bound.data()["bound"], true, "{bound:?}");
    assert!(!bound.body.to_string().contains("o1"), "the openid is told to nobody");
    assert_eq!(binding().await.data()["bound"], true);

    let session = world.log_in("o1").await;
    assert_eq!(session.data()["user"]["username"], "employee1");
    let phone = employee.with_token(session.data()["access_token"].as_str().unwrap());
    assert_eq!(world.service.get("/api/auth/me").by(&phone).send().await.status, 200);

    let unbound = world.service.post("/api/wechat/unbind", &json!({})).by(&employee).send().await;
    assert_eq!(unbound.data()["bound"], false);
    assert_eq!(world.log_in("o1").await.problem(), (403, "WECHAT_NOT_BOUND"));
    world.stop().await;
}

#[tokio::test]
async fn one_wechat_account_is_one_persons() {
    let world = World::start().await;
    let [first, second] =
        [world.service.person("a", Role::Employee).await, world.service.person("b", Role::Employee).await];
    assert_eq!(world.bind(&first, "o1").await.status, 200);
    assert_eq!(world.bind(&second, "o1").await.problem(), (409, "WECHAT_TAKEN"));
    assert_eq!(world.bind(&first, "o1").await.status, 200, "already true");
    // Another phone takes the place of the first, whose openid is free again.
    assert_eq!(world.bind(&first, "o2").await.status, 200);
    assert_eq!(world.bind(&second, "o1").await.status, 200);
    assert_eq!(world.log_in("o2").await.data()["user"]["username"], "a");
    assert_eq!(world.log_in("o1").await.data()["user"]["username"], "b");
    world.stop().await;
}

#[tokio::test]
async fn a_suspended_person_does_not_come_in_by_this_door() {
    let world = World::start().await;
    let employee = world.service.person("employee1", Role::Employee).await;
    world.bind(&employee, "o1").await.data();
    world.service.suspend(&employee).await;
    assert_eq!(world.log_in("o1").await.problem(), (401, "ACCOUNT_SUSPENDED"));
    world.stop().await;
}

#[tokio::test]
async fn a_code_proves_something_once() {
    let world = World::start().await;
    let employee = world.service.person("employee1", Role::Employee).await;
    let body = world.body("o1");
    assert_eq!(world.service.post("/api/wechat/bind", &body).by(&employee).send().await.status, 200);
    for body in [&body, &json!({ "code": "made-up" })] {
        let login = world.service.post("/api/auth/miniprogram-login", body).send().await;
        assert_eq!(login.problem(), (401, "WECHAT_CODE_INVALID"));
        let bind = world.service.post("/api/wechat/bind", body).by(&employee).send().await;
        assert_eq!(bind.problem(), (422, "WECHAT_CODE_INVALID"));
    }
    let nothing = world.service.post("/api/auth/miniprogram-login", &json!({ "phone": "13812348999" }));
    assert_eq!(nothing.send().await.problem(), (422, "VALIDATION_FAILED"));
    world.stop().await;
}

#[tokio::test]
async fn a_wechat_that_fails_is_a_503_with_a_time() {
    let world = World::start().await;
    let errcode = |errcode| Fault::Errcode { errcode, errmsg: None, process: false };
    for fault in [errcode(45011), errcode(-1), errcode(40125), Fault::ResetBefore {}] {
        world.wechat.handle().add_fault(FaultRule::once(Endpoint::CodeToSession, fault.clone())).unwrap();
        let reply = world.log_in("o1").await;
        assert_eq!(reply.problem(), (503, "WECHAT_UNAVAILABLE"), "{fault:?}");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{fault:?} {wait}");
    }
    world.stop().await;
}

#[tokio::test]
async fn without_a_mini_program_this_door_is_shut() {
    let service = Service::start().await;
    let employee = service.person("employee1", Role::Employee).await;
    let body = json!({ "code": "x" });
    let login = service.post("/api/auth/miniprogram-login", &body).send().await;
    assert_eq!(login.problem(), (503, "WECHAT_NOT_CONFIGURED"));
    let binding = service.get("/api/wechat/binding").by(&employee).send().await;
    assert_eq!(binding.data(), &json!({ "bound": false, "appid": null }));
    service.stop().await;
}
