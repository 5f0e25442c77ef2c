//! Notices that the channels' tests share.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{CustomerId, DeliveryId, NotificationId, StaffId};
use uuid::Uuid;

use super::Notice;
use super::wechat_subscribe::Value;

/// What a notice borrows.
pub(super) struct Case {
    pub(super) notification: NotificationId,
    title: String,
    pub(super) content: String,
    action_text: &'static str,
    action_url: String,
    customers: Vec<CustomerId>,
    pub(super) values: BTreeMap<&'static str, Value>,
}

fn at() -> DateTime<Utc> {
    "2026-03-01T16:05:00Z".parse().unwrap()
}

fn customer(n: u128) -> CustomerId {
    CustomerId(Uuid::from_u128(n))
}

impl Case {
    pub(super) fn one_lead() -> Self {
        Self {
            notification: NotificationId(Uuid::from_u128(0x0a1b_2c3d_4e5f_6071_8293_a4b5_c6d7_e8f9)),
            title: "新客户分配".to_owned(),
            content: "您有一个新客户 张三，电话 138****8999".to_owned(),
            action_text: "查看详情",
            action_url: "/customers/1".to_owned(),
            customers: vec![customer(5)],
            values: BTreeMap::from([
                ("customer_name", Value::from("张三")),
                ("phone_masked", Value::from("138****8999")),
                ("reason", Value::from("老客户转介绍")),
                ("assigner", Value::from("王经理")),
                ("assign_time", Value::Time(at())),
            ]),
        }
    }

    pub(super) fn many_leads() -> Self {
        let customers = vec![customer(5), customer(6), customer(7)];
        let values = BTreeMap::from([("customer_name", Value::Leads(3))]);
        Self { customers, values, ..Self::one_lead() }
    }

    /// Everything far too long.
    pub(super) fn endless() -> Self {
        let name = "欧阳".repeat(2000);
        let values =
            BTreeMap::from([("customer_name", Value::from(name.as_str())), ("reason", Value::from(name))]);
        Self {
            title: "新客户分配".repeat(100),
            content: "您有一个新客户，\n".repeat(500),
            action_text: "现在就去看一看这个新客户",
            action_url: format!("/customers/{}", "1".repeat(3000)),
            values,
            ..Self::one_lead()
        }
    }

    pub(super) fn notice<'a>(&'a self, receiver: &'a str) -> Notice<'a> {
        Notice {
            notification: self.notification,
            delivery: DeliveryId(Uuid::from_u128(2)),
            scene: "CUSTOMER_ASSIGNED",
            title: &self.title,
            content: &self.content,
            action_text: self.action_text,
            action_url: &self.action_url,
            at: at(),
            recipient: StaffId(Uuid::from_u128(3)),
            receiver,
            customers: &self.customers,
            values: &self.values,
        }
    }
}

/// A body is JSON without `\u` escapes, which providers refuse (40033).
pub(super) fn check_body(body: &str) {
    assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
    assert!(!body.contains("\\u"), "{body}");
}
