//! The figures equal what the log itself says, whatever happened.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, TimeDelta, Utc};
use domain::notification::{
    Channel, Decision, DeliveryState, Notification, NotificationEvent, NotificationRequested,
};
use domain::subscription::{GrantSource, SubscriptionEvent};
use domain::{Aggregate, DeliveryId, Recorded};
use infrastructure::event_log::Filter;
use infrastructure::upcasters::Upcasters;
use rstest::rstest;

use super::kit::{Backend, World, dawn, fate, notice, requested, wechat};
use crate::queries::statistics::{self, By, Group, Percentiles, Period};

/// A generator of a fixed sequence: the same histories in every run, and other ones for every seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn decision(dice: &mut Dice, at: DateTime<Utc>) -> Decision {
    match dice.roll(8) {
        0 => Decision::Suppress { reason: "no_binding".to_owned() },
        1 => Decision::Suppress { reason: "not_routed".to_owned() },
        2 => Decision::Merge { into: "batch".to_owned() },
        3 => Decision::Hold { until: at + TimeDelta::hours(1), reason: "quiet_hours".to_owned() },
        4 => Decision::Standby { after: Channel::WecomApp },
        _ => Decision::Deliver,
    }
}

/// Notices over some days, each with a fate of its own; some are read.
async fn random_history(world: &World, seed: u64) {
    let mut dice = Dice(seed);
    for n in 1..=60 {
        let reader = u128::from(1 + dice.roll(3));
        let at = dawn() + TimeDelta::minutes(i64::try_from(dice.roll(4 * 24 * 60)).unwrap());
        let decision = decision(&mut dice, at);
        let leaves = decision == Decision::Deliver;
        let NotificationEvent::Requested(request) = requested(n, reader, decision) else { unreachable!() };
        let scene = if n.is_multiple_of(3) { "CUSTOMER_TRANSFERRED" } else { "CUSTOMER_ASSIGNED" };
        let request = NotificationRequested { scene: scene.to_owned(), at, ..request };
        let mut events: Vec<NotificationEvent> = vec![request.into()];
        if leaves {
            events.extend(fate(u128::from(dice.roll(12)), wechat(n, reader), at));
        }
        world.append(notice(n, reader), &events).await;
        world.answer_of_person(n, at).await;
        if dice.roll(3) == 0 {
            world.read(reader, &[n], at + TimeDelta::seconds(i64::try_from(dice.roll(900)).unwrap())).await;
        }
    }
    world.settle().await;
}

/// A delivery as the log tells it, without any read model.
struct Told {
    request: NotificationRequested,
    channel: Channel,
    state: DeliveryState,
    attempts: i64,
    because: Option<String>,
    times: [Option<DateTime<Utc>>; 3],
}

async fn deliveries_of_log(world: &World) -> BTreeMap<DeliveryId, Told> {
    let mut notices: BTreeMap<String, (Notification, Vec<NotificationEvent>)> = BTreeMap::new();
    for raw in world.log.page(0, 4096, Filter::StreamType("notification")).await.unwrap() {
        let event: Recorded<NotificationEvent> = Upcasters::none().decode(raw).unwrap();
        let (notice, events) = notices.entry(event.stream.to_string()).or_default();
        notice.evolve(&event.payload);
        events.push(event.payload);
    }
    let mut told = BTreeMap::new();
    for (notice, events) in notices.into_values() {
        let Some(NotificationEvent::Requested(request)) = events.first().cloned() else { unreachable!() };
        for planned in &request.deliveries {
            let now = notice.delivery(planned.delivery).unwrap();
            let mine = || events.iter().filter(|e| e.subject().is_some_and(|(id, _)| id == planned.delivery));
            let last = |wanted: fn(&NotificationEvent) -> bool| {
                mine().rfind(|event| wanted(event)).and_then(NotificationEvent::subject).map(|(_, at)| at)
            };
            let called = mine().find(|e| matches!(e, NotificationEvent::Started(_)));
            let because = match (&planned.decision, now.state) {
                (Decision::Suppress { reason }, DeliveryState::Suppressed) => Some(reason.clone()),
                (_, DeliveryState::Rejected) => mine().find_map(|event| match event {
                    NotificationEvent::Rejected(e) => Some(e.failure.class.as_str().to_owned()),
                    _ => None,
                }),
                _ => None,
            };
            let inbox = (planned.channel == Channel::InApp).then_some(request.at);
            let times = [
                called.and_then(NotificationEvent::subject).map(|(_, at)| at),
                last(|e| matches!(e, NotificationEvent::Accepted(_))).or(inbox),
                last(|e| matches!(e, NotificationEvent::Confirmed(_))).or(inbox),
            ];
            let (channel, state, attempts) = (now.channel, now.state, now.attempt);
            let (id, request) = (planned.delivery, request.clone());
            told.insert(id, Told { request, channel, state, attempts, because, times });
        }
    }
    told
}

fn key(by: By, told: &Told, zone: FixedOffset) -> String {
    match by {
        By::Channel => told.channel.as_str().to_owned(),
        By::Type => told.request.scene.clone(),
        By::Day => told.request.at.with_timezone(&zone).date_naive().to_string(),
    }
}

fn milliseconds(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<i64> {
    Some((to? - from?).num_milliseconds().max(0))
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap()
}

fn check(group: &Group, told: &[&Told]) {
    let count = |wanted: &dyn Fn(&Told) -> bool| number(told.iter().filter(|told| wanted(told)).count());
    let state = |state: DeliveryState| count(&|told| told.state == state);
    let reasons = |state: DeliveryState| {
        let mut reasons: BTreeMap<String, i64> = BTreeMap::new();
        for told in told.iter().filter(|told| told.state == state) {
            *reasons.entry(told.because.clone().unwrap()).or_default() += 1;
        }
        reasons
    };
    let tally = &group.tally;
    assert_eq!(tally.planned, number(told.len()), "{}", group.key);
    assert_eq!(tally.attempted, count(&|told| told.attempts > 0));
    assert_eq!(tally.accepted, state(DeliveryState::Accepted) + state(DeliveryState::Delivered));
    assert_eq!(tally.delivered, state(DeliveryState::Delivered));
    assert_eq!(tally.unknown, state(DeliveryState::Unknown));
    assert_eq!(tally.dead, state(DeliveryState::Dead));
    assert_eq!(tally.held, state(DeliveryState::Held));
    assert_eq!(tally.merged, state(DeliveryState::Merged));
    assert_eq!(tally.cancelled, state(DeliveryState::Cancelled));
    let waiting = [DeliveryState::Pending, DeliveryState::InFlight, DeliveryState::Retry].map(state);
    assert_eq!(tally.waiting, waiting.iter().sum::<i64>());
    assert_eq!(tally.suppressed, reasons(DeliveryState::Suppressed));
    assert_eq!(tally.rejected, reasons(DeliveryState::Rejected));

    let arrived = || {
        let arrived = [DeliveryState::Accepted, DeliveryState::Delivered];
        told.iter().filter(move |told| arrived.contains(&told.state) && told.times[0].is_some())
    };
    let [called, accepted, delivered] = [0, 1, 2].map(|step: usize| {
        let from = |told: &Told| if step == 2 { told.times[1] } else { Some(told.request.at) };
        Percentiles::of(arrived().filter_map(|told| milliseconds(from(told), told.times[step])).collect())
    });
    let latencies = &group.latencies;
    assert_eq!([latencies.called, latencies.accepted, latencies.delivered], [called, accepted, delivered]);
}

#[rstest]
#[tokio::test]
async fn the_figures_are_those_of_the_log(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 2, 3)] seed: u64,
) {
    let world = World::new(backend).await;
    random_history(&world, seed).await;
    let zone = FixedOffset::east_opt(8 * 3600).unwrap();
    let period = Period { from: dawn() + TimeDelta::hours(3), until: dawn() + TimeDelta::days(3) };
    let told = deliveries_of_log(&world).await;
    let within: Vec<_> =
        told.values().filter(|told| (period.from..period.until).contains(&told.request.at)).collect();
    assert!(within.len() > 20, "{}", within.len());
    for by in [By::Channel, By::Type, By::Day] {
        let groups = statistics::of_deliveries(&world.db, by, period, &zone).await.unwrap();
        let mut expected: BTreeMap<String, Vec<&Told>> = BTreeMap::new();
        for told in &within {
            expected.entry(key(by, told, zone)).or_default().push(*told);
        }
        let keys: Vec<_> = groups.iter().map(|group| group.key.clone()).collect();
        assert_eq!(keys, expected.keys().cloned().collect::<Vec<_>>());
        for group in &groups {
            check(group, &expected[&group.key]);
        }
    }
}

#[rstest]
#[tokio::test]
async fn consents_and_refusals_are_those_of_the_log(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(4, 5)] seed: u64,
) {
    let world = World::new(backend).await;
    random_history(&world, seed).await;
    let mut templates: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = Vec::new();
    for raw in world.log.page(0, 4096, Filter::StreamType("subscription")).await.unwrap() {
        let event: Recorded<SubscriptionEvent> = Upcasters::none().decode(raw).unwrap();
        let ledger = event.stream.to_string();
        match event.payload {
            SubscriptionEvent::Granted(e) if e.source != GrantSource::Operator => {
                templates.entry(ledger.clone()).or_insert(e.template);
                answers.push((ledger, true));
            }
            SubscriptionEvent::Zeroed(e) if e.delivery.is_none() => answers.push((ledger, false)),
            _ => {}
        }
    }
    let mut expected: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (ledger, granted) in answers {
        let counts = expected.entry(templates.get(&ledger).cloned().unwrap_or_default()).or_default();
        *(if granted { &mut counts.0 } else { &mut counts.1 }) += 1;
    }
    let all = Period { from: dawn(), until: dawn() + TimeDelta::days(9) };
    let found = statistics::authorisations(&world.db, all).await.unwrap();
    let counts: BTreeMap<_, _> =
        found.iter().map(|one| (one.template.clone(), (one.grants, one.refusals))).collect();
    assert_eq!(counts, expected);
    for one in found {
        let rate = one.rate.unwrap();
        assert!(
            (rate * f64::from(i32::try_from(one.grants + one.refusals).unwrap())
                - f64::from(i32::try_from(one.grants).unwrap()))
            .abs()
                < 1e-9
        );
    }
}

#[rstest]
#[tokio::test]
async fn how_long_until_it_was_read(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    world.notify(1, 1).await;
    let told = super::kit::second(1);
    // Fate 6: accepted two seconds after the commit, proven after four.
    world.append(notice(1, 1), &fate(6, wechat(1, 1), told)).await;
    world.read(1, &[1], told + TimeDelta::seconds(10)).await;
    world.settle().await;
    let period = Period { from: dawn(), until: dawn() + TimeDelta::days(1) };
    let groups = statistics::of_deliveries(&world.db, By::Channel, period, &Utc).await.unwrap();
    let wechat = groups.iter().find(|group| group.key == "wechat_subscribe").unwrap();
    let of = |percentiles: Percentiles| (percentiles.count, percentiles.p50);
    let latencies = &wechat.latencies;
    assert_eq!(of(latencies.called), (1, Some(1000)));
    assert_eq!(of(latencies.accepted), (1, Some(2000)));
    assert_eq!(of(latencies.delivered), (1, Some(2000)));
    assert_eq!(of(latencies.read), (1, Some(6000)));
    assert_eq!(wechat.rates.arrival, Some(1.0));
}
