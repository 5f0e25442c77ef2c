//! Samples of notices.

use domain::notification::{
    Channel, Decision, DeliveryAccepted, DeliveryCancelled, DeliveryConfirmed, DeliveryDied,
    DeliveryDiscarded, DeliveryMerged, DeliveryRejected, DeliveryReleased, DeliveryRequeued,
    DeliveryRetryScheduled, DeliverySettled, DeliveryStarted, DeliveryUncertain, Failure, FailureClass,
    Message, NotificationEvent, NotificationRequested, PlannedDelivery, Priority, Settlement,
};
use domain::{CustomerId, DeliveryId, EventId, NotificationId};
use serde_json::json;

use super::{at, boss, delivery, staff, uuid};

fn failure(class: FailureClass, code: Option<i64>) -> Failure {
    Failure { class, code, detail: "what the provider said".into() }
}

fn requested() -> NotificationRequested {
    let decisions = [
        (Channel::InApp, Decision::Deliver),
        (Channel::InApp, Decision::Merge { into: "batch".into() }),
        (Channel::WechatSubscribe, Decision::Hold { until: at(), reason: String::new() }),
        (Channel::WechatSubscribe, Decision::Suppress { reason: "channel_not_configured".into() }),
    ];
    let numbered = (60..).zip(decisions);
    let deliveries = numbered.map(|(n, (channel, decision))| PlannedDelivery {
        delivery: DeliveryId(uuid(n)),
        channel,
        decision,
    });
    let data = json!({"customerName": "王女士", "customerPhone": "138****8999", "count": 1});
    NotificationRequested {
        notification: NotificationId(uuid(40)),
        cause: EventId(uuid(41)),
        recipient: staff(1),
        scene: "CUSTOMER_ASSIGNED".into(),
        priority: Priority::High,
        message: Message {
            title: "新客户分配".into(),
            content: "您有一个新客户：王女士".into(),
            icon: "user-add".into(),
            color: "#1890ff".into(),
            action_url: "/customers/1".into(),
            action_text: "查看详情".into(),
            data: data.as_object().unwrap().clone(),
        },
        customers: vec![CustomerId(uuid(20))],
        deliveries: deliveries.collect(),
        template_version: 1,
        template: String::new(),
        rendered_hash: String::new(),
        digest_of: vec![],
        at: at(),
    }
}

pub(crate) fn notification() -> Vec<NotificationEvent> {
    let (delivery, at, attempt) = (delivery(), at(), 1);
    vec![
        requested().into(),
        DeliveryStarted { delivery, attempt, at }.into(),
        DeliveryAccepted { delivery, attempt, provider_message_id: Some("m-1".into()), at }.into(),
        DeliveryRejected { delivery, attempt, failure: failure(FailureClass::Content, Some(47_003)), at }
            .into(),
        DeliveryRetryScheduled {
            delivery,
            attempt,
            failure: failure(FailureClass::Quota, Some(45_009)),
            due_at: at,
            counted: false,
            at,
        }
        .into(),
        DeliveryUncertain { delivery, attempt, failure: failure(FailureClass::Uncertain, None), at }.into(),
        DeliveryDied { delivery, attempt, failure: failure(FailureClass::Busy, Some(-1)), at }.into(),
        DeliveryRequeued { delivery, by: boss(), reason: "已充值".into(), at }.into(),
        DeliveryCancelled {
            delivery,
            channel: Channel::WechatSubscribe,
            reason: "lead_transferred".into(),
            at,
        }
        .into(),
        DeliveryReleased {
            delivery,
            channel: Channel::WechatSubscribe,
            reason: "after_wecom_app".into(),
            possibly_repeated: true,
            at,
        }
        .into(),
        DeliveryMerged { delivery, into: NotificationId(uuid(42)), at }.into(),
        DeliverySettled {
            delivery,
            settlement: Settlement::Escalated,
            by: boss(),
            reason: "已电话核实".into(),
            at,
        }
        .into(),
        DeliveryDiscarded { delivery, by: boss(), reason: "已当面告知".into(), at }.into(),
        DeliveryConfirmed {
            delivery,
            proof: "subscribe_msg_sent_event".into(),
            provider_message_id: Some("1864323726461255680".into()),
            at,
        }
        .into(),
    ]
}
