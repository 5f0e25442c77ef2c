//! The rules of a notice and its deliveries, one sentence each.

mod chain;
mod properties;

use super::*;
use crate::ids::{EventId, NotificationId};
use crate::testing::{after, at, boss, delivery, given, staff};

/// The delivery by WeChat; the one to the inbox is `delivery(1)`.
const WECHAT: u128 = 2;

fn planned(n: u128, channel: Channel, decision: Decision) -> PlannedDelivery {
    PlannedDelivery { delivery: delivery(n), channel, decision }
}

fn request(deliveries: Vec<PlannedDelivery>) -> NotificationRequested {
    NotificationRequested {
        notification: NotificationId(uuid::Uuid::from_u128(1)),
        cause: EventId(uuid::Uuid::from_u128(2)),
        recipient: staff(1),
        scene: "CUSTOMER_ASSIGNED".into(),
        priority: Priority::High,
        message: Message {
            title: "新客户分配".into(),
            content: "您有一个新客户".into(),
            icon: "user-add".into(),
            color: "#1890ff".into(),
            action_url: "/customers/1".into(),
            action_text: "查看详情".into(),
            data: serde_json::Map::new(),
        },
        customers: vec![],
        deliveries,
        template_version: 1,
        template: String::new(),
        rendered_hash: String::new(),
        digest_of: vec![],
        at: at(0),
    }
}

fn both_channels() -> NotificationRequested {
    request(vec![
        planned(1, Channel::InApp, Decision::Deliver),
        planned(WECHAT, Channel::WechatSubscribe, Decision::Deliver),
    ])
}

/// The notice was requested, and this happened to its WeChat delivery.
fn past(events: impl IntoIterator<Item = NotificationEvent>) -> Vec<NotificationEvent> {
    std::iter::once(both_channels().into()).chain(events).collect()
}

fn failure() -> Failure {
    Failure { class: FailureClass::Busy, code: Some(-1), detail: "system busy".into() }
}

fn retry(counted: bool) -> Conclusion {
    Conclusion::Retry { failure: failure(), due_at: at(60), counted }
}

fn start() -> NotificationCommand {
    NotificationCommand::Start { delivery: delivery(WECHAT), at: at(1) }
}

fn conclude_as(attempt: i64, conclusion: Conclusion) -> NotificationCommand {
    NotificationCommand::Conclude { delivery: delivery(WECHAT), attempt, conclusion, at: at(2) }
}

fn requeue() -> NotificationCommand {
    let reason = "已充值".to_owned();
    NotificationCommand::Requeue { delivery: delivery(WECHAT), by: boss(), reason, at: at(3) }
}

fn started(attempt: i64) -> NotificationEvent {
    DeliveryStarted { delivery: delivery(WECHAT), attempt, at: at(1) }.into()
}

fn concluded(attempt: i64, conclusion: Conclusion) -> NotificationEvent {
    conclude(delivery(WECHAT), attempt, conclusion, at(2))
}

fn requeued() -> NotificationEvent {
    let reason = "已充值".to_owned();
    DeliveryRequeued { delivery: delivery(WECHAT), by: boss(), reason, at: at(3) }.into()
}

fn cancel(delivery: DeliveryId, seconds: i64) -> NotificationCommand {
    NotificationCommand::Cancel { delivery, reason: "lead_transferred".into(), at: at(seconds) }
}

fn cancelled() -> NotificationEvent {
    let (delivery, channel) = (delivery(WECHAT), Channel::WechatSubscribe);
    DeliveryCancelled { delivery, channel, reason: "lead_transferred".into(), at: at(4) }.into()
}

fn accepted() -> Conclusion {
    Conclusion::Accepted { provider_message_id: Some("m1".into()) }
}

/// Where the WeChat delivery stands after these events.
fn wechat(events: impl IntoIterator<Item = NotificationEvent>) -> Delivery {
    let notice: Notification = after(&past(events));
    notice.deliveries[&delivery(WECHAT)].clone()
}

#[test]
fn a_notice_is_requested_once() {
    given::<Notification>(vec![])
        .when(NotificationCommand::Request(Box::new(both_channels())))
        .then_expect_events(past([]));
    given::<Notification>(past([]))
        .when(NotificationCommand::Request(Box::new(both_channels())))
        .then_expect_events(vec![]);
}

#[test]
fn every_decision_puts_its_delivery_where_it_belongs() {
    let merge = Decision::Merge { into: "batch".into() };
    let hold = Decision::Hold { until: at(60), reason: "quiet_hours".into() };
    let suppress = Decision::Suppress { reason: "channel_not_configured".into() };
    for (channel, decision, state) in [
        (Channel::InApp, Decision::Deliver, DeliveryState::Delivered),
        (Channel::WechatSubscribe, Decision::Deliver, DeliveryState::Pending),
        (Channel::InApp, merge.clone(), DeliveryState::Merged),
        (Channel::WechatSubscribe, merge, DeliveryState::Merged),
        (Channel::WechatSubscribe, hold, DeliveryState::Held),
        (Channel::WechatSubscribe, suppress, DeliveryState::Suppressed),
    ] {
        let requested = request(vec![planned(WECHAT, channel, decision.clone())]);
        let notice: Notification = after(&[requested.into()]);
        let found = notice.delivery(delivery(WECHAT)).unwrap();
        assert_eq!((found.state, found.attempt), (state, 0), "{channel} {decision:?}");
    }
}

#[test]
fn an_attempt_starts_from_a_waiting_state_only() {
    given::<Notification>(past([])).when(start()).then_expect_events(vec![started(1)]);
    given::<Notification>(past([started(1), concluded(1, retry(true))]))
        .when(start())
        .then_expect_events(vec![started(2)]);
    for (events, state) in [
        (vec![started(1)], DeliveryState::InFlight),
        (vec![started(1), concluded(1, accepted())], DeliveryState::Accepted),
        (vec![started(1), concluded(1, Conclusion::Uncertain(failure()))], DeliveryState::Unknown),
        (vec![concluded(0, Conclusion::Rejected(failure()))], DeliveryState::Rejected),
        (vec![started(1), concluded(1, Conclusion::Died(failure()))], DeliveryState::Dead),
    ] {
        given::<Notification>(past(events))
            .when(start())
            .then_expect_error(NotificationError::NotWaiting(state));
    }
}

#[test]
fn an_attempt_ends_in_each_of_the_five_ways() {
    for conclusion in [
        accepted(),
        Conclusion::Rejected(failure()),
        retry(true),
        Conclusion::Uncertain(failure()),
        Conclusion::Died(failure()),
    ] {
        given::<Notification>(past([started(1)]))
            .when(conclude_as(1, conclusion.clone()))
            .then_expect_events(vec![concluded(1, conclusion)]);
    }
}

#[test]
fn an_attempt_that_was_concluded_cannot_be_concluded_again() {
    for first in [accepted(), Conclusion::Rejected(failure()), Conclusion::Uncertain(failure())] {
        given::<Notification>(past([started(1), concluded(1, first)]))
            .when(conclude_as(1, Conclusion::Died(failure())))
            .then_expect_error(NotificationError::StaleAttempt);
    }
}

#[test]
fn a_worker_that_lost_its_lease_is_refused() {
    let overtaken = past([started(1), concluded(1, retry(true)), started(2)]);
    for late in [accepted(), retry(true), Conclusion::Rejected(failure())] {
        given::<Notification>(overtaken.clone())
            .when(conclude_as(1, late))
            .then_expect_error(NotificationError::StaleAttempt);
    }
}

#[test]
fn the_provider_cannot_have_taken_what_is_not_under_way() {
    for (events, attempt) in [(vec![], 0), (vec![started(1), concluded(1, retry(true))], 1)] {
        given::<Notification>(past(events))
            .when(conclude_as(attempt, accepted()))
            .then_expect_error(NotificationError::StaleAttempt);
    }
}

#[test]
fn what_never_left_is_not_in_doubt() {
    given::<Notification>(past([]))
        .when(conclude_as(0, Conclusion::Uncertain(failure())))
        .then_expect_error(NotificationError::StaleAttempt);
}

#[test]
fn a_delivery_that_cannot_start_is_ended_without_an_attempt() {
    for conclusion in [Conclusion::Rejected(failure()), retry(false), Conclusion::Died(failure())] {
        given::<Notification>(past([]))
            .when(conclude_as(0, conclusion.clone()))
            .then_expect_events(vec![concluded(0, conclusion)]);
    }
}

#[test]
fn a_retry_for_the_same_moment_is_scheduled_once() {
    let waiting = past([started(1), concluded(1, retry(true))]);
    given::<Notification>(waiting.clone()).when(conclude_as(1, retry(true))).then_expect_events(vec![]);
    let later = Conclusion::Retry { failure: failure(), due_at: at(120), counted: false };
    given::<Notification>(waiting)
        .when(conclude_as(1, later.clone()))
        .then_expect_events(vec![concluded(1, later)]);
}

#[test]
fn a_wait_that_does_not_count_gives_the_attempt_back() {
    for (events, attempt, counted) in [
        (vec![started(1), concluded(1, retry(true))], 1, 1),
        (vec![started(1), concluded(1, retry(false))], 1, 0),
        (vec![concluded(0, retry(false))], 0, 0),
        (vec![started(1), concluded(1, retry(true)), concluded(1, retry(false))], 1, 1),
        (vec![started(1), concluded(1, retry(false)), started(2)], 2, 1),
    ] {
        let found = wechat(events.clone());
        assert_eq!((found.attempt, found.counted), (attempt, counted), "{events:?}");
    }
}

#[test]
fn what_ended_without_arriving_can_be_sent_again_with_a_new_attempt() {
    for end in
        [Conclusion::Rejected(failure()), Conclusion::Uncertain(failure()), Conclusion::Died(failure())]
    {
        let ended = [started(1), concluded(1, end)];
        given::<Notification>(past(ended.clone())).when(requeue()).then_expect_events(vec![requeued()]);
        let waiting: Vec<_> = ended.into_iter().chain([requeued()]).collect();
        given::<Notification>(past(waiting.clone())).when(start()).then_expect_events(vec![started(2)]);
        assert_eq!((wechat(waiting.clone()).attempt, wechat(waiting).counted), (1, 0));
    }
}

#[test]
fn what_waits_or_arrived_cannot_be_sent_again() {
    for (events, state) in [
        (vec![], DeliveryState::Pending),
        (vec![started(1)], DeliveryState::InFlight),
        (vec![started(1), concluded(1, retry(true))], DeliveryState::Retry),
        (vec![started(1), concluded(1, accepted())], DeliveryState::Accepted),
    ] {
        given::<Notification>(past(events))
            .when(requeue())
            .then_expect_error(NotificationError::NotRequeueable(state));
    }
    let inbox =
        NotificationCommand::Requeue { delivery: delivery(1), by: boss(), reason: "x".into(), at: at(3) };
    given::<Notification>(past([]))
        .when(inbox)
        .then_expect_error(NotificationError::NotRequeueable(DeliveryState::Delivered));
}

#[test]
fn what_has_not_left_can_be_taken_back_for_good() {
    let held = Decision::Hold { until: at(60), reason: "quiet_hours".into() };
    let held = request(vec![planned(WECHAT, Channel::WechatSubscribe, held)]);
    for events in [past([]), past([started(1), concluded(1, retry(true))]), vec![held.into()]] {
        given::<Notification>(events.clone())
            .when(cancel(delivery(WECHAT), 4))
            .then_expect_events(vec![cancelled()]);
        let gone: Vec<_> = events.into_iter().chain([cancelled()]).collect();
        given::<Notification>(gone.clone()).when(cancel(delivery(WECHAT), 5)).then_expect_events(vec![]);
        let state = DeliveryState::Cancelled;
        given::<Notification>(gone.clone())
            .when(start())
            .then_expect_error(NotificationError::NotWaiting(state));
        given::<Notification>(gone)
            .when(requeue())
            .then_expect_error(NotificationError::NotRequeueable(state));
    }
}

#[test]
fn what_may_have_left_or_is_over_is_not_taken_back() {
    for (events, state) in [
        (vec![started(1)], DeliveryState::InFlight),
        (vec![started(1), concluded(1, accepted())], DeliveryState::Accepted),
        (vec![started(1), concluded(1, Conclusion::Uncertain(failure()))], DeliveryState::Unknown),
        (vec![started(1), concluded(1, Conclusion::Died(failure()))], DeliveryState::Dead),
    ] {
        given::<Notification>(past(events))
            .when(cancel(delivery(WECHAT), 4))
            .then_expect_error(NotificationError::NotCancellable(state));
    }
    given::<Notification>(past([]))
        .when(cancel(delivery(1), 4))
        .then_expect_error(NotificationError::NotCancellable(DeliveryState::Delivered));
}

#[test]
fn a_delivery_of_another_notice_is_not_found() {
    let foreign = NotificationCommand::Start { delivery: delivery(9), at: at(1) };
    given::<Notification>(past([])).when(foreign).then_expect_error(NotificationError::NotFound);
    given::<Notification>(vec![]).when(start()).then_expect_error(NotificationError::NotFound);
}
