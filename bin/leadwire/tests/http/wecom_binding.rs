//! Which member of the WeCom corporation a member of staff is.

use axum::http::Method;
use domain::StreamId;
use domain::staff::{Role, Staff};
use serde_json::{Value, json};

use application::bus::CommandBus as _;

use crate::kit::{Person, Reply, Service};

const WECOM: [(&str, &str); 4] = [
    ("LEADWIRE_WECOM_APP__CORPID", "ww1"),
    ("LEADWIRE_WECOM_APP__AGENTID", "7"),
    ("LEADWIRE_WECOM_APP__SECRET", "s"),
    ("LEADWIRE_WECOM_APP__KIND", "text"),
];

struct Office {
    service: Service,
    admin: Person,
    manager: Person,
    employee: Person,
}

impl Office {
    async fn with(variables: &[(&str, &str)]) -> Self {
        let service = Service::start_with(variables).await;
        let admin = service.person("admin1", Role::Admin).await;
        let manager = service.person("manager1", Role::Manager).await;
        let employee = service.person("employee1", Role::Employee).await;
        Self { service, admin, manager, employee }
    }

    async fn bind(&self, who: &Person, by: &Person, user: &str) -> Reply {
        let path = format!("/api/users/{}/wecom-binding", who.id);
        let body = json!({ "userId": user });
        self.service.call(Method::PUT, &path).by(by).json(&body).send().await
    }

    async fn unbind(&self, who: &Person, by: &Person) -> Reply {
        let path = format!("/api/users/{}/wecom-binding", who.id);
        self.service.call(Method::DELETE, &path).by(by).send().await
    }

    /// What the log knows of the binding.
    async fn bound(&self, who: &Person) -> Option<String> {
        let bus = &self.service.running.app().bus;
        let staff = bus.load::<Staff>(&StreamId::from(who.id)).await.unwrap().state;
        staff.wecom.get("ww1").map(|user| user.as_str().to_owned())
    }
}

#[tokio::test]
async fn an_administrator_binds_replaces_and_unbinds_a_member() {
    let office = Office::with(&WECOM).await;
    for user in ["ZhangSan", "ZhangSan", "zhang.san"] {
        let bound = office.bind(&office.employee, &office.admin, user).await;
        assert_eq!((bound.status.as_u16(), &bound.data()["wecomBound"]), (200, &json!(true)), "{bound:?}");
        assert!(!bound.body.to_string().contains(user), "which member it is stays with us");
        assert_eq!(office.bound(&office.employee).await.as_deref(), Some(user));
    }
    for _ in 0..2 {
        let unbound = office.unbind(&office.employee, &office.admin).await;
        assert_eq!(unbound.data()["wecomBound"], json!(false), "{unbound:?}");
        assert_eq!(office.bound(&office.employee).await, None);
    }
    office.service.stop().await;
}

#[tokio::test]
async fn a_member_is_one_person_however_the_userid_is_spelt() {
    let office = Office::with(&WECOM).await;
    office.bind(&office.employee, &office.admin, "ZhangSan").await.data();
    let taken = office.bind(&office.manager, &office.admin, "zhangsan").await;
    assert_eq!(taken.problem(), (409, "WECOM_TAKEN"));
    office.bind(&office.employee, &office.admin, "zhangsan").await.data();
    office.unbind(&office.employee, &office.admin).await.data();
    office.bind(&office.manager, &office.admin, "ZHANGSAN").await.data();
    office.service.stop().await;
}

#[tokio::test]
async fn nobody_else_binds_and_what_is_wrong_is_named() {
    let office = Office::with(&WECOM).await;
    for by in [&office.manager, &office.employee] {
        assert_eq!(office.bind(&office.employee, by, "li").await.problem(), (403, "FORBIDDEN"));
        assert_eq!(office.unbind(&office.employee, by).await.problem(), (403, "FORBIDDEN"));
    }
    let path = format!("/api/users/{}/wecom-binding", office.employee.id);
    for body in
        [json!({}), json!({ "userId": "@all" }), json!({ "userId": 7 }), json!({ "userId": "a", "x": 1 })]
    {
        let refused = office.service.call(Method::PUT, &path).by(&office.admin).json(&body).send().await;
        assert!((400..=422).contains(&refused.status.as_u16()), "{refused:?}");
        assert_ne!(refused.body["error"]["details"]["errors"][0], Value::Null, "{body}: {refused:?}");
    }
    let nobody = "/api/users/0190a1b2-0000-7000-8000-000000000000/wecom-binding";
    let body = json!({ "userId": "li" });
    let unknown = office.service.call(Method::PUT, nobody).by(&office.admin).json(&body).send().await;
    assert_eq!(unknown.problem(), (404, "USER_NOT_FOUND"));
    office.service.stop().await;
}

#[tokio::test]
async fn without_a_corporation_there_is_nothing_to_bind() {
    let office = Office::with(&[]).await;
    for refused in [
        office.bind(&office.employee, &office.admin, "li").await,
        office.unbind(&office.employee, &office.admin).await,
    ] {
        assert_eq!(refused.problem(), (409, "WECOM_NOT_CONFIGURED"));
    }
    office.service.stop().await;
}
