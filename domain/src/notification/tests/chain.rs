//! The route of a notice: WeCom first, then WeChat, then the cloud function.

use super::*;
use crate::ids::NotificationId;

const WECOM: u128 = 11;
const CLOUD: u128 = 12;

/// WeCom is sent; WeChat stands by behind it, and the cloud function behind that.
fn routed() -> NotificationRequested {
    request(vec![
        planned(1, Channel::InApp, Decision::Deliver),
        planned(WECOM, Channel::WecomApp, Decision::Deliver),
        planned(WECHAT, Channel::WechatSubscribe, Decision::Standby { after: Channel::WecomApp }),
        planned(CLOUD, Channel::WechatCloud, Decision::Standby { after: Channel::WechatSubscribe }),
    ])
}

fn history(events: impl IntoIterator<Item = NotificationEvent>) -> Vec<NotificationEvent> {
    std::iter::once(routed().into()).chain(events).collect()
}

fn sent(n: u128) -> NotificationEvent {
    DeliveryStarted { delivery: delivery(n), attempt: 1, at: at(1) }.into()
}

fn ended(n: u128, conclusion: Conclusion) -> NotificationEvent {
    conclude(delivery(n), 1, conclusion, at(2))
}

fn end(n: u128, conclusion: Conclusion) -> NotificationCommand {
    NotificationCommand::Conclude { delivery: delivery(n), attempt: 1, conclusion, at: at(2) }
}

fn dismissed(n: u128, channel: Channel, reason: &str, seconds: i64) -> NotificationEvent {
    DeliveryCancelled { delivery: delivery(n), channel, reason: reason.to_owned(), at: at(seconds) }.into()
}

fn speaks(
    n: u128,
    channel: Channel,
    reason: &str,
    possibly_repeated: bool,
    seconds: i64,
) -> NotificationEvent {
    let (delivery, at) = (delivery(n), at(seconds));
    DeliveryReleased { delivery, channel, reason: reason.to_owned(), possibly_repeated, at }.into()
}

fn both_dismissed(reason: &str, seconds: i64) -> [NotificationEvent; 2] {
    [
        dismissed(WECHAT, Channel::WechatSubscribe, reason, seconds),
        dismissed(CLOUD, Channel::WechatCloud, reason, seconds),
    ]
}

fn settle(settlement: Settlement) -> NotificationCommand {
    let (by, reason) = (boss(), "核实".to_owned());
    NotificationCommand::Settle { delivery: delivery(WECOM), settlement, by, reason, at: at(4) }
}

fn settled(settlement: Settlement) -> NotificationEvent {
    DeliverySettled { delivery: delivery(WECOM), settlement, by: boss(), reason: "核实".into(), at: at(4) }
        .into()
}

fn unknown() -> Vec<NotificationEvent> {
    history([sent(WECOM), ended(WECOM, Conclusion::Uncertain(failure()))])
}

#[test]
fn a_channel_that_tells_the_person_dismisses_those_behind_it() {
    let [wechat, cloud] = both_dismissed("told_by_wecom_app", 2);
    given::<Notification>(history([sent(WECOM)])).when(end(WECOM, accepted())).then_expect_events(vec![
        ended(WECOM, accepted()),
        wechat,
        cloud,
    ]);
}

#[test]
fn a_channel_that_fails_for_good_lets_the_next_one_speak() {
    for conclusion in [Conclusion::Rejected(failure()), Conclusion::Died(failure())] {
        let next = speaks(WECHAT, Channel::WechatSubscribe, "after_wecom_app", false, 2);
        given::<Notification>(history([sent(WECOM)]))
            .when(end(WECOM, conclusion.clone()))
            .then_expect_events(vec![ended(WECOM, conclusion.clone()), next.clone()]);
        let last = speaks(CLOUD, Channel::WechatCloud, "after_wechat_subscribe", false, 2);
        given::<Notification>(history([sent(WECOM), ended(WECOM, conclusion.clone()), next, sent(WECHAT)]))
            .when(end(WECHAT, conclusion.clone()))
            .then_expect_events(vec![ended(WECHAT, conclusion), last]);
    }
}

#[test]
fn a_wait_or_a_doubt_lets_nobody_else_speak_yet() {
    for conclusion in [retry(true), Conclusion::Uncertain(failure())] {
        given::<Notification>(history([sent(WECOM)]))
            .when(end(WECOM, conclusion.clone()))
            .then_expect_events(vec![ended(WECOM, conclusion)]);
    }
}

#[test]
fn a_doubt_is_settled_once_and_each_choice_has_its_consequence() {
    let [wechat, cloud] = both_dismissed("told_by_wecom_app", 4);
    given::<Notification>(unknown()).when(settle(Settlement::Sent)).then_expect_events(vec![
        settled(Settlement::Sent),
        wechat,
        cloud,
    ]);
    let next = speaks(WECHAT, Channel::WechatSubscribe, "after_wecom_app", true, 4);
    given::<Notification>(unknown())
        .when(settle(Settlement::Escalated))
        .then_expect_events(vec![settled(Settlement::Escalated), next]);
    let [wechat, cloud] = both_dismissed("route_closed", 4);
    given::<Notification>(unknown()).when(settle(Settlement::Closed)).then_expect_events(vec![
        settled(Settlement::Closed),
        wechat,
        cloud,
    ]);
    let mut twice = unknown();
    twice.push(settled(Settlement::Closed));
    given::<Notification>(twice.clone())
        .when(settle(Settlement::Escalated))
        .then_expect_error(NotificationError::AlreadySettled(Settlement::Closed));
    let [wechat, cloud] = both_dismissed("told_by_wecom_app", 4);
    given::<Notification>(twice).when(settle(Settlement::Sent)).then_expect_events(vec![
        settled(Settlement::Sent),
        wechat,
        cloud,
    ]);
    given::<Notification>(history([sent(WECOM)]))
        .when(settle(Settlement::Sent))
        .then_expect_error(NotificationError::NotSettleable(DeliveryState::InFlight));
    given::<Notification>(past([started(1), concluded(1, Conclusion::Uncertain(failure()))]))
        .when(NotificationCommand::Settle {
            delivery: delivery(WECHAT),
            settlement: Settlement::Escalated,
            by: boss(),
            reason: "核实".into(),
            at: at(4),
        })
        .then_expect_error(NotificationError::NoStandby);
}

#[test]
fn a_proof_is_stronger_than_what_was_believed() {
    let confirm = || NotificationCommand::Confirm {
        delivery: delivery(WECOM),
        proof: "sent".into(),
        provider_message_id: None,
        at: at(5),
    };
    let confirmed: NotificationEvent = DeliveryConfirmed {
        delivery: delivery(WECOM),
        proof: "sent".into(),
        provider_message_id: None,
        at: at(5),
    }
    .into();
    let [wechat, cloud] = both_dismissed("told_by_wecom_app", 5);
    given::<Notification>(unknown()).when(confirm()).then_expect_events(vec![
        confirmed.clone(),
        wechat,
        cloud,
    ]);
    let mut proved = unknown();
    proved.push(confirmed);
    given::<Notification>(proved).when(confirm()).then_expect_events(vec![]);
    given::<Notification>(history([sent(WECOM)]))
        .when(confirm())
        .then_expect_error(NotificationError::UnderWay);
}

#[test]
fn a_provider_that_takes_its_word_back_lets_the_dismissed_speak() {
    let [wechat, cloud] = both_dismissed("told_by_wecom_app", 2);
    let told = history([sent(WECOM), ended(WECOM, accepted()), wechat, cloud]);
    let rejected: NotificationEvent =
        DeliveryRejected { delivery: delivery(WECOM), attempt: 1, failure: failure(), at: at(6) }.into();
    let next = speaks(WECHAT, Channel::WechatSubscribe, "after_wecom_app", false, 6);
    given::<Notification>(told)
        .when(NotificationCommand::Refute { delivery: delivery(WECOM), failure: failure(), at: at(6) })
        .then_expect_events(vec![rejected, next]);
}

#[test]
fn a_dismissed_standby_that_was_taken_back_is_not_called_any_more() {
    let told_by_wecom = both_dismissed("told_by_wecom_app", 2);
    let mut told = history([sent(WECOM), ended(WECOM, accepted())]);
    told.extend(told_by_wecom);
    let [wechat, cloud] = both_dismissed("lead_transferred", 4);
    given::<Notification>(told.clone())
        .when(cancel(delivery(WECHAT), 4))
        .then_expect_events(vec![wechat.clone()]);
    let refute = || NotificationCommand::Refute { delivery: delivery(WECOM), failure: failure(), at: at(6) };
    let rejected: NotificationEvent =
        DeliveryRejected { delivery: delivery(WECOM), attempt: 1, failure: failure(), at: at(6) }.into();
    told.extend([wechat, cloud]);
    given::<Notification>(told.clone()).when(cancel(delivery(WECHAT), 5)).then_expect_events(vec![]);
    given::<Notification>(told).when(refute()).then_expect_events(vec![rejected]);
    // Nobody can call what an operator gave up, or what stood behind a closed route.
    let [wechat, cloud] = both_dismissed("route_closed", 4);
    let mut closed = unknown();
    closed.extend([settled(Settlement::Closed), wechat, cloud]);
    given::<Notification>(closed).when(cancel(delivery(WECHAT), 5)).then_expect_events(vec![]);
}

#[test]
fn what_may_have_arrived_is_closed_as_unknown_and_not_said_to_be_taken_back() {
    let doubt = || Failure { class: FailureClass::Uncertain, code: None, detail: "reset".into() };
    let again = Conclusion::Retry { failure: doubt(), due_at: at(60), counted: true };
    let reason = || "lead_transferred".to_owned();
    let why = Failure { class: FailureClass::Uncertain, code: None, detail: reason() };
    let expected = |attempt| {
        let by = crate::envelope::Actor::System("recall".to_owned());
        let (delivery, settlement) = (delivery(WECOM), Settlement::Closed);
        let closed = DeliverySettled { delivery, settlement, by, reason: reason(), at: at(4) };
        vec![DeliveryUncertain { delivery, attempt, failure: why.clone(), at: at(4) }.into(), closed.into()]
    };
    let waiting = history([sent(WECOM), ended(WECOM, again)]);
    given::<Notification>(waiting).when(cancel(delivery(WECOM), 4)).then_expect_events(expected(1));
    let (by, at_3) = (boss(), at(3));
    let mut requeued = unknown();
    requeued.push(DeliveryRequeued { delivery: delivery(WECOM), by, reason: "重发".into(), at: at_3 }.into());
    given::<Notification>(requeued).when(cancel(delivery(WECOM), 4)).then_expect_events(expected(1));
    // What definitely did not arrive is taken back.
    let refused = history([sent(WECOM), ended(WECOM, retry(true))]);
    given::<Notification>(refused).when(cancel(delivery(WECOM), 4)).then_expect_events(vec![dismissed(
        WECOM,
        Channel::WecomApp,
        "lead_transferred",
        4,
    )]);
}

#[test]
fn who_gives_a_delivery_up_gives_its_route_up() {
    let (by, reason) = (boss(), "已当面告知".to_owned());
    let discard = NotificationCommand::Discard {
        delivery: delivery(WECOM),
        by: by.clone(),
        reason: reason.clone(),
        at: at(7),
    };
    let discarded: NotificationEvent =
        DeliveryDiscarded { delivery: delivery(WECOM), by, reason, at: at(7) }.into();
    let [wechat, cloud] = both_dismissed("route_discarded", 7);
    given::<Notification>(history([]))
        .when(discard.clone())
        .then_expect_events(vec![discarded, wechat, cloud]);
    given::<Notification>(history([sent(WECOM)]))
        .when(discard)
        .then_expect_error(NotificationError::NotDiscardable(DeliveryState::InFlight));
}

#[test]
fn what_is_held_for_a_time_is_released_or_merged_and_a_standby_is_neither() {
    let until_later = Decision::Hold { until: at(60), reason: "quiet_hours".into() };
    let held = vec![NotificationEvent::from(request(vec![
        planned(WECOM, Channel::WecomApp, until_later),
        planned(WECHAT, Channel::WechatSubscribe, Decision::Standby { after: Channel::WecomApp }),
    ]))];
    let into = NotificationId(uuid::Uuid::from_u128(9));
    let merged = |n| DeliveryMerged { delivery: delivery(n), into, at: at(60) }.into();
    given::<Notification>(held.clone())
        .when(NotificationCommand::Release { delivery: delivery(WECOM), at: at(60) })
        .then_expect_events(vec![speaks(WECOM, Channel::WecomApp, "due", false, 60)]);
    given::<Notification>(held.clone())
        .when(NotificationCommand::Merge { delivery: delivery(WECOM), into, at: at(60) })
        .then_expect_events(vec![merged(WECOM), merged(WECHAT)]);
    given::<Notification>(held)
        .when(NotificationCommand::Release { delivery: delivery(WECHAT), at: at(60) })
        .then_expect_error(NotificationError::NotHeld(DeliveryState::Held));
}
