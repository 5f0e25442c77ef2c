//! Nobody is woken: what leaves later than it was decided is judged by the quiet hours of the moment at which it would
//! leave (notifications.md section 5, docs/adr/0021).

use std::collections::HashMap;

use application::bus::{CommandBus, StreamAppend};
use application::delivery::spread;
use application::ports::Clock as _;
use chrono::TimeDelta;
use domain::notification::{Channel, DeliveryState};
use domain::preferences::{Document, QuietHours, Whose};
use domain::staff::{Role, StaffEvent, StaffRegistered};
use domain::{Actor, StaffId, StreamId};
use infrastructure::settler::{Options, Settler};
use rstest::rstest;

use crate::database::Backend;
use crate::held::{Waits, Words, person};
use crate::scripted::{About, Scripted, Step, doubt, no, unreachable};
use crate::sleepers::{FALLBACK, ROUTE, clock, morning, nights, quiet, quiet_hours};
use crate::world::{World, draft};

#[rstest]
#[tokio::test]
async fn a_standby_that_is_called_at_night_speaks_in_the_morning_and_not_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let [wecom, cloud, official] = ROUTE.map(|step| Scripted::new(step.channel));
    wecom.answers([no()]);
    world.clock.set(clock("01 21:59:59"));
    let told = world.tell_sleeper(&ROUTE).await;
    world.clock.set(clock("01 22:00:05"));
    world.drain(&wecom).await;
    assert_eq!(world.rows(&told).await, ["rejected", "pending", "held"]);
    world.drain(&cloud).await;
    let until = morning(&told);
    let next = Some(until + TimeDelta::minutes(5));
    assert_eq!(world.waits(&told, 1).await, (Some(quiet_hours()), until, next));
    assert_eq!(world.step(&told, 1).await.attempt, 0, "no attempt is used up");
    for at in [clock("01 22:05:06"), clock("02 03:00:00"), until - TimeDelta::microseconds(1)] {
        world.clock.set(at);
        world.drain(&cloud).await;
        world.drain(&official).await;
        assert_eq!(world.rows(&told).await, ["rejected", "pending", "held"], "{at}");
    }
    world.clock.set(until);
    cloud.answers([no()]);
    world.drain(&cloud).await;
    world.drain(&official).await;
    assert_eq!(world.rows(&told).await, ["rejected", "rejected", "accepted"], "by day all of them may speak");
    assert_eq!([&wecom, &cloud, &official].map(|one| one.sent().len()), [1, 1, 1]);
}

#[rstest]
#[tokio::test]
async fn a_retry_that_falls_into_the_night_waits_and_the_next_channel_with_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let [wecom, cloud, _] = ROUTE.map(|step| Scripted::new(step.channel));
    let told = world.tell_at_bedtime(&wecom).await;
    world.clock.set(clock("01 22:00:00"));
    world.drain(&wecom).await;
    let (why, until, next) = world.waits(&told, 0).await;
    assert_eq!((why, until), (Some(quiet_hours()), morning(&told)));
    assert_eq!(next, Some(until + TimeDelta::seconds(298)), "what was left of five minutes");
    world.clock.set(until - TimeDelta::seconds(1));
    world.drain(&wecom).await;
    world.drain(&cloud).await;
    assert_eq!(world.rows(&told).await, ["retry", "held", "held"]);
    world.clock.set(until);
    world.drain(&wecom).await;
    assert_eq!(world.rows(&told).await, ["accepted", "cancelled", "cancelled"]);
    assert_eq!((wecom.sent().len(), world.step(&told, 0).await.attempt), (2, 2));
}

#[rstest]
#[tokio::test]
async fn an_escalation_at_night_is_told_in_the_morning_and_marked(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let route =
        [Step { channel: Channel::WechatSubscribe, fallback: FALLBACK }, Step { fallback: None, ..ROUTE[0] }];
    let [wechat, wecom] = route.map(|step| Scripted::new(step.channel));
    wechat.answers([doubt()]);
    world.clock.set(clock("01 21:59:00"));
    let told = world.tell_sleeper(&route).await;
    world.drain(&wechat).await;
    let settler = Settler::new(world.process.bus.clone(), world.clock.clone(), Options::default());
    world.clock.set(clock("01 22:01:00"));
    assert_eq!(settler.drain_once().await.unwrap(), 1);
    world.drain(&wecom).await;
    assert_eq!(world.rows(&told).await, ["unknown", "pending"]);
    assert_eq!(wecom.sent(), Vec::<String>::new());
    world.clock.set(morning(&told));
    world.drain(&wecom).await;
    assert_eq!((wecom.sent().len(), world.rows(&told).await[1].as_str()), (1, "accepted"));
    assert_eq!(world.payloads("DeliveryReleased").await[0]["possibly_repeated"], true);
}

#[rstest]
#[case("02 07:59:59", None, true)]
#[case("02 08:00:00", None, false)]
#[case("02 07:59:59", Some("ACCOUNT_SECURITY"), false)]
#[case("02 07:59:59", Some("NOTICE_DIGEST"), true)]
#[tokio::test]
async fn what_waited_for_a_resting_channel_is_judged_when_it_leaves(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] at: &str,
    #[case] scene: Option<&'static str>,
    #[case] waits: bool,
) {
    let world = World::new(backend).await;
    let cloud = Scripted::new(Channel::WechatCloud);
    world.clock.set(clock("01 21:00:00"));
    let route = [Step { fallback: None, ..ROUTE[1] }];
    let told = world.tell_about("li", &route, About { scene, ..About::default() }).await;
    // What the role says counts where the person says nothing.
    let (by, now) = (Actor::System("test".to_owned()), world.clock.now());
    let registered: StaffEvent = StaffRegistered {
        username: "li".to_owned(),
        name: "李雷".to_owned(),
        role: Role::Employee,
        department: None,
        phone: None,
        email: None,
        by,
        at: now,
    }
    .into();
    let append = StreamAppend::of(StreamId::from(told.person()), 0, &[registered]).unwrap();
    world.process.bus.append(draft(vec![append], now)).await.unwrap();
    world.wish(Whose::Role(Role::Employee), nights()).await;
    world.clock.set(clock(at));
    world.drain(&cloud).await;
    let (state, why) = if waits { ("pending", Some(quiet_hours())) } else { ("accepted", None) };
    assert_eq!(world.rows(&told).await, [state]);
    assert_eq!(world.waits(&told, 0).await.0, why);
}

#[rstest]
#[tokio::test]
async fn a_digest_that_comes_late_rings_in_the_morning_too(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    world.clock.set(clock("01 07:00:00"));
    let waits = Waits::quiet(person(1));
    world.wish(Whose::Staff(person(1)), nights()).await;
    world.hold_all(&[waits, waits]).await;
    // Nobody worked all day.
    world.clock.set(clock("01 23:00:00"));
    assert_eq!(world.releaser(&Words::new()).drain_once().await.unwrap(), 2);
    world.drain(&wecom).await;
    assert_eq!(wecom.sent(), Vec::<String>::new());
    world.clock.set(spread(clock("02 08:00:00"), person(1)));
    world.drain(&wecom).await;
    assert_eq!(wecom.sent().len(), 1, "one message for both");
}

#[rstest]
#[case::forgotten_by_the_morning(Channel::WecomApp, 2)]
#[case::remembered_for_a_day(Channel::WechatCloud, 1)]
#[tokio::test]
async fn a_repetition_waits_where_it_is_still_one_in_the_morning(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] channel: Channel,
    #[case] sent_at_night: usize,
) {
    let world = World::new(backend).await;
    let provider = Scripted::new(channel);
    provider.answers([doubt()]);
    world.clock.set(clock("01 21:59:58"));
    let told = world.tell_sleeper(&[Step { channel, fallback: None }]).await;
    world.drain(&provider).await;
    world.clock.set(clock("01 22:00:00"));
    world.drain(&provider).await;
    assert_eq!(provider.sent().len(), sent_at_night);
    world.clock.set(morning(&told));
    world.drain(&provider).await;
    assert_eq!(provider.sent().len(), 2, "twice in all");
    assert_eq!(world.rows(&told).await, ["accepted"]);
}

#[rstest]
#[tokio::test]
async fn a_repetition_that_nobody_recognises_any_more_is_not_sent_unless_somebody_says_so(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    wecom.answers([doubt(), unreachable()]);
    world.clock.set(clock("01 10:00:00"));
    let told = world.tell("li", &[Step { fallback: None, ..ROUTE[0] }], None).await;
    world.drain(&wecom).await;
    // Nobody worked for five hours; WeCom has forgotten what it was sent.
    world.clock.set(clock("01 15:00:00"));
    world.drain(&wecom).await;
    assert_eq!((world.rows(&told).await, wecom.sent().len()), (vec!["unknown".to_owned()], 1));
    world.requeue(&told, 0).await;
    world.drain(&wecom).await;
    assert_eq!(world.rows(&told).await, ["retry"], "it did not leave");
    world.clock.set(clock("01 15:30:00"));
    world.drain(&wecom).await;
    assert_eq!((world.rows(&told).await, wecom.sent().len()), (vec!["accepted".to_owned()], 3));
}

/// What leaves together is spread over two minutes, and somebody's day may be shorter.
#[rstest]
#[tokio::test]
async fn who_is_awake_for_one_minute_of_the_day_hears_of_it_in_that_minute(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let cloud = Scripted::new(Channel::WechatCloud);
    let route = [Step { fallback: None, ..ROUTE[1] }];
    world.clock.set(clock("01 08:00:30"));
    let mut told = world.tell("li", &route, None).await;
    while morning(&told) < clock("02 08:01:00") {
        world.drain(&cloud).await;
        told = world.tell("li", &route, None).await;
    }
    let document = Document { quiet: Some(quiet("08:01", "08:00")), ..Document::default() };
    world.wish(Whose::Staff(told.person()), document).await;
    for asleep in ["01 09:00:00", "02 07:59:59"] {
        world.clock.set(clock(asleep));
        world.drain(&cloud).await;
        assert_eq!(world.rows(&told).await, ["pending"], "{asleep}");
    }
    assert_eq!(world.waits(&told, 0).await.1, clock("02 08:00:00"));
    world.clock.set(clock("02 08:00:00"));
    world.drain(&cloud).await;
    assert_eq!(world.rows(&told).await, ["accepted"]);
}

/// Two days of many people with nights of their own, and providers that do whatever they like.
#[rstest]
#[tokio::test]
async fn nobody_is_woken_whatever_the_providers_answer(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const NIGHTS: [(&str, &str); 5] =
        [("22:00", "08:00"), ("12:00", "14:00"), ("23:30", "06:10"), ("20:00", "10:00"), ("00:00", "07:45")];
    const STEP_MINUTES: i64 = 7;
    let world = World::new(backend).await;
    let providers = ROUTE.map(|step| Scripted::new(step.channel));
    let dispatchers = providers.each_ref().map(|provider| world.scripted(provider));
    for (n, provider) in providers.iter().enumerate() {
        provider.answers((0..400).map(|k| if (k * 7 + n * 3) % 5 < 2 { no() } else { unreachable() }));
    }
    let mut people: HashMap<String, (StaffId, QuietHours)> = HashMap::new();
    let mut seen = [0; ROUTE.len()];
    world.clock.set(clock("01 09:03:00"));
    for step in 0..(2 * 24 * 60 / STEP_MINUTES) {
        let (from, to) = NIGHTS[usize::try_from(step).unwrap() % NIGHTS.len()];
        let hours = quiet(from, to);
        if !hours.holds(world.clock.now()) && step % 3 == 0 {
            let told = world.tell(&format!("person-{step}"), &ROUTE, None).await;
            let document = Document { quiet: Some(hours.clone()), ..Document::default() };
            world.wish(Whose::Staff(told.person()), document).await;
            people.insert(told.notification.to_string(), (told.person(), hours));
        }
        for (place, dispatcher) in dispatchers.iter().enumerate() {
            dispatcher.drain_once().await.unwrap();
            let sent = providers[place].sent();
            for body in &sent[seen[place]..] {
                let (_, (person, hours)) = people.iter().find(|(id, _)| body.contains(*id)).unwrap();
                assert!(!hours.holds(world.clock.now()), "{person} was woken at {}", world.clock.now());
            }
            seen[place] = sent.len();
        }
        world.advance(STEP_MINUTES * 60);
    }
    assert!(seen.iter().all(|count| *count > 20), "each channel spoke: {seen:?}");
    assert_eq!(world.count_in(DeliveryState::InFlight.as_str()).await, 0);
}
