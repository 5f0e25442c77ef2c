//! What was held leaves at its moment: one message as it is, several in one digest, each told once whoever dies where.

use std::sync::Arc;
use std::time::Duration;

use application::bus::{CommandBus, StreamAppend};
use application::channels::{ChannelSettings, wecom_app};
use application::delivery::digest::DigestWriter;
use application::ports::{Clock, Ids};
use chrono::TimeDelta;
use domain::contact::WecomUserId;
use domain::notification::DeliveryState::{Accepted, Cancelled, Held, Merged, Pending};
use domain::notification::{Channel, Decision, NotificationCommand, Priority};
use domain::preferences::{Document, Language, PreferencesEvent, PreferencesSet, Whose};
use domain::staff::{Role, StaffEvent, StaffRegistered, StaffWecomBound};
use domain::{Actor, CommandId, Metadata, StaffId, StreamId};
use infrastructure::ids::TimeOrderedIds;
use infrastructure::outbox::decide::decide;
use infrastructure::outbox::haste::HastenRows;
use infrastructure::releaser::{Releaser, StoredDigestWriter};
use rstest::rstest;

use crate::database::Backend;
use crate::held::{Kept, Mood, Waits, Words, person};
use crate::scripted::Scripted;
use crate::world::{World, draft};

/// Past the moment of everything held by `Waits::quiet`.
const AFTER_THE_NIGHT: i64 = 3600;

async fn drained(releaser: &Releaser) -> usize {
    releaser.drain_once().await.unwrap()
}

async fn take_back(world: &World, kept: Kept) {
    let at = world.clock.now();
    let metadata = Metadata {
        command: CommandId(TimeOrderedIds.next()),
        correlation: "recall".to_owned(),
        causation: None,
        actor: Actor::System("test".to_owned()),
    };
    let (delivery, reason) = (kept.delivery, "lead_transferred".to_owned());
    let command = NotificationCommand::Cancel { delivery, reason, at };
    decide(&world.process.bus, delivery, command, metadata, at).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn one_message_leaves_as_it_is(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let words = Words::new();
    let standby = Some(Channel::WechatCloud);
    let kept = world.hold(Waits { standby, ..Waits::quiet(person(1)) }).await;
    let releaser = world.releaser(&words);
    world.advance(AFTER_THE_NIGHT - 1);
    assert_eq!(drained(&releaser).await, 0, "before its moment");
    assert_eq!(world.kept(kept.notification, kept.delivery).await.state, Held);
    world.advance(1);
    assert_eq!(drained(&releaser).await, 1);
    assert_eq!(world.kept(kept.notification, kept.delivery).await.state, Pending);
    let wecom = Scripted::new(Channel::WecomApp);
    world.scripted(&wecom).drain_once().await.unwrap();
    assert_eq!(wecom.sent(), [format!("message {}", kept.notification)], "its own text");
    assert_eq!(world.kept(kept.notification, kept.delivery).await.state, Accepted);
    assert_eq!(world.kept(kept.notification, kept.standby.unwrap()).await.state, Cancelled);
    assert_eq!(drained(&releaser).await, 0);
    assert!(world.digests().await.is_empty());
}

#[rstest]
#[tokio::test]
async fn several_are_told_in_one_digest(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let quiet = Waits::quiet(person(1));
    let first = Waits { priority: Priority::Low, standby: Some(Channel::WechatCloud), ..quiet };
    let urgent = Waits { priority: Priority::High, reason: "digest_daily", ..quiet };
    let kept = world.hold_all(&[first, urgent, quiet]).await;
    world.advance(AFTER_THE_NIGHT);
    assert_eq!(drained(&world.releaser(&Words::new())).await, 3);

    let digests = world.digests().await;
    let [digest] = digests.as_slice() else { panic!("{} digests", digests.len()) };
    let members: Vec<_> = kept.iter().map(|kept| kept.notification).collect();
    assert_eq!(digest.digest_of, members, "it points to them, the longest waiting first");
    assert_eq!((digest.recipient, digest.priority), (person(1), Priority::High));
    assert_eq!(digest.message.content, "消息0、消息1、消息2");
    let delivers: Vec<Channel> =
        digest.deliveries.iter().filter(|d| d.decision == Decision::Deliver).map(|d| d.channel).collect();
    assert_eq!(delivers, [Channel::WecomApp], "the inbox has each of them already");
    let into = Some(digest.notification);
    assert_eq!(world.merged_into(&kept).await, [into, into, into], "they point to it");
    for one in &kept {
        assert_eq!(world.kept(one.notification, one.delivery).await.state, Merged);
        assert_eq!(world.row_of(one.notification, one.delivery).await, ("merged".to_owned(), false));
    }
    let standby = world.row_of(kept[0].notification, kept[0].standby.unwrap()).await;
    assert_eq!(standby, ("merged".to_owned(), false), "the channel behind it has nothing to tell either");

    let (wecom, cloud) = (Scripted::new(Channel::WecomApp), Scripted::new(Channel::WechatCloud));
    world.scripted(&wecom).drain_once().await.unwrap();
    world.scripted(&cloud).drain_once().await.unwrap();
    assert_eq!((wecom.sent(), cloud.sent()), (vec![format!("digest {} of 3", digest.notification)], vec![]));
}

#[rstest]
#[tokio::test]
async fn each_person_and_channel_is_told_apart(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (li, wang) = (Waits::quiet(person(1)), Waits::quiet(person(2)));
    let cloud = Waits { channel: Channel::WechatCloud, ..li };
    let later = Waits { minutes: 61, ..li };
    let kept = world.hold_all(&[li, li, wang, wang, cloud, later]).await;
    world.advance(AFTER_THE_NIGHT);
    drained(&world.releaser(&Words::new())).await;
    let digests = world.digests().await;
    let of: Vec<(StaffId, usize)> = digests.iter().map(|d| (d.recipient, d.digest_of.len())).collect();
    let mut sorted = of.clone();
    sorted.sort();
    assert_eq!(sorted, [(person(1), 2), (person(2), 2)]);
    assert_eq!(
        world.kept(kept[4].notification, kept[4].delivery).await.state,
        Pending,
        "alone in its channel"
    );
    assert_eq!(
        world.kept(kept[5].notification, kept[5].delivery).await.state,
        Held,
        "its moment comes later"
    );
}

#[rstest]
#[tokio::test]
async fn what_was_taken_back_is_not_told(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let quiet = Waits::quiet(person(1));
    let kept = world.hold_all(&[quiet, quiet, quiet, Waits::quiet(person(2)), Waits::quiet(person(2))]).await;
    take_back(&world, kept[0]).await;
    take_back(&world, kept[3]).await;
    world.advance(AFTER_THE_NIGHT);
    drained(&world.releaser(&Words::new())).await;
    let digests = world.digests().await;
    assert_eq!(digests.len(), 1, "of two, one is left: no digest");
    assert_eq!(digests[0].digest_of, [kept[1].notification, kept[2].notification]);
    assert_eq!(world.kept(kept[0].notification, kept[0].delivery).await.state, Cancelled);
    assert_eq!(world.kept(kept[4].notification, kept[4].delivery).await.state, Pending);
}

#[rstest]
#[tokio::test]
async fn a_message_taken_back_while_the_digest_is_written_is_not_in_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let quiet = Waits::quiet(person(1));
    let kept = world.hold_all(&[quiet, quiet, quiet]).await;
    // The row is behind its notice, as it is for a releaser that read it a moment too early.
    take_back(&world, kept[1]).await;
    world.execute("UPDATE outbox SET state = 'held'").await;
    world.advance(AFTER_THE_NIGHT);
    drained(&world.releaser(&Words::new())).await;
    assert_eq!(world.digests().await[0].digest_of, [kept[0].notification, kept[2].notification]);
    assert_eq!(world.kept(kept[1].notification, kept[1].delivery).await.state, Cancelled);
}

#[rstest]
#[case(Mood::Finds, Pending)]
#[case(Mood::Fails, Held)]
#[tokio::test]
async fn without_words_each_goes_its_own_way_or_waits(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[case] mood: Mood,
    #[case] state: domain::notification::DeliveryState,
) {
    let world = World::new(backend).await;
    let quiet = Waits::quiet(person(1));
    let kept = world.hold_all(&[quiet, quiet]).await;
    world.advance(AFTER_THE_NIGHT);
    let words = Words::new();
    drained(&world.releaser(&words.in_mood(mood))).await;
    for one in &kept {
        assert_eq!(world.kept(one.notification, one.delivery).await.state, state);
    }
    drained(&world.releaser(&words.in_mood(Mood::Writes))).await;
    assert_eq!(world.digests().await.len(), usize::from(state == Held), "what waited is told");
}

#[rstest]
#[tokio::test]
async fn a_death_before_the_commit_costs_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let quiet = Waits::quiet(person(1));
    let kept = world.hold_all(&[quiet, quiet, quiet, Waits::quiet(person(2))]).await;
    world.advance(AFTER_THE_NIGHT);
    let words = Words::new();
    let dying = world.releaser(&words.in_mood(Mood::Hangs));
    let mut doorbell = world.process.bus.log().doorbell();
    tokio::select! {
        _ = dying.drain_once() => panic!("it did not hang"),
        rung = doorbell.changed() => rung.unwrap(), // the other person's message went
    }
    drop(dying);
    assert!(world.digests().await.is_empty());
    drained(&world.releaser(&words.in_mood(Mood::Writes))).await;
    let digests = world.digests().await;
    assert_eq!(digests.len(), 1);
    assert_eq!(world.merged_into(&kept[..3]).await, [Some(digests[0].notification); 3]);
    assert_eq!(world.kept(kept[3].notification, kept[3].delivery).await.state, Pending);
}

#[rstest]
#[tokio::test]
async fn very_many_are_told_by_one_digest_also_after_a_death_in_between(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(None, Some(Channel::WechatCloud))] standby: Option<Channel>,
) {
    const MANY: usize = 1300;
    let world = World::new(backend).await;
    let crowd = vec![Waits { standby, ..Waits::quiet(person(1)) }; MANY];
    let kept = world.hold_all(&crowd).await;
    let other = world.hold(Waits::quiet(person(2))).await;
    world.advance(AFTER_THE_NIGHT);
    let words = Words::new();
    let dying = world.releaser(&words);
    let mut doorbell = world.process.bus.log().doorbell();
    tokio::select! {
        biased;
        rung = async { doorbell.changed().await?; doorbell.changed().await } => rung.unwrap(),
        _ = dying.drain_once() => panic!("it merged all of them without a second commit"),
    }
    drop(dying);
    drained(&world.releaser(&words)).await;
    let digests = world.digests().await;
    let [digest] = digests.as_slice() else { panic!("{} digests", digests.len()) };
    assert_eq!(digest.digest_of.len(), MANY);
    let into = Some(digest.notification);
    assert!(world.merged_into(&kept).await.iter().all(|merged| *merged == into), "some were not merged");
    assert_eq!(world.kept(other.notification, other.delivery).await.state, Pending);
    let (merged, held) = (world.count_in("merged").await, world.count_in("held").await);
    // The digest has a standby of its own where each of them had one.
    assert_eq!((merged, held), (if standby.is_some() { 2600 } else { 1300 }, i64::from(standby.is_some())));
}

#[rstest]
#[tokio::test]
async fn two_releasers_at_once_tell_everything_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    const PEOPLE: u128 = 12;
    let world = World::new(backend).await;
    let beside = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(world.second_process().await),
    };
    let bus = beside.as_ref().map_or(&world.process.bus, |process| &process.bus);
    let words = Words::new();
    let (one, other) = (world.releaser(&words), world.releaser_of(bus, &words));
    for _ in 0..5 {
        // Every third person has one message only.
        let waits = (0..PEOPLE).flat_map(|n| vec![Waits::quiet(person(n)); if n % 3 == 0 { 1 } else { 4 }]);
        let waits: Vec<Waits> = waits.collect();
        world.hold_all(&waits).await;
        world.advance(AFTER_THE_NIGHT);
        let (first, second) = tokio::join!(one.drain_once(), other.drain_once());
        first.unwrap();
        second.unwrap();
    }
    let wecom = Scripted::new(Channel::WecomApp);
    world.scripted(&wecom).drain_once().await.unwrap();
    let digests = world.digests().await;
    assert_eq!(digests.len(), 5 * 8, "one for each person who had several");
    assert!(digests.iter().all(|digest| digest.digest_of.len() == 4));
    assert_eq!(world.payloads("DeliveryReleased").await.len(), 5 * 4);
    assert_eq!(world.payloads("DeliveryMerged").await.len(), 5 * 8 * 4);
    assert_eq!(wecom.sent().len(), 5 * 12, "every night one message for everybody");
    assert_eq!(world.count_in("held").await, 0);
}

#[rstest]
#[tokio::test]
async fn what_is_hastened_leaves_at_once(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let daily = Waits { reason: "digest_daily", ..Waits::quiet(person(1)) };
    let burst = Waits { reason: "digest_burst", ..daily };
    let (quiet, other) = (Waits::quiet(person(1)), Waits { who: person(2), ..daily });
    let standby = Waits { standby: Some(Channel::WechatCloud), ..quiet };
    let kept = world.hold_all(&[daily, burst, standby, other]).await;
    let reasons = vec!["digest_daily".to_owned(), "digest_burst".to_owned()];
    let hasten = |minutes| HastenRows {
        recipient: person(1),
        reasons: reasons.clone(),
        at: world.clock.now() + TimeDelta::minutes(minutes),
    };
    let bus = &world.process.bus;
    bus.append_with(some_event(&world), vec![Box::new(hasten(70))]).await.unwrap();
    let releaser = world.releaser(&Words::new());
    world.advance(60);
    assert_eq!(drained(&releaser).await, 0);
    bus.append_with(some_event(&world), vec![Box::new(hasten(0))]).await.unwrap();
    assert_eq!(drained(&releaser).await, 2);
    let digests = world.digests().await;
    assert_eq!(digests[0].digest_of, [kept[0].notification, kept[1].notification]);
    for left in &kept[2..] {
        assert_eq!(world.kept(left.notification, left.delivery).await.state, Held, "not what was asked for");
    }
    world.advance(AFTER_THE_NIGHT);
    assert_eq!(drained(&releaser).await, 2, "what was to come later was not put off");
}

/// Something that commits.
fn some_event(world: &World) -> application::bus::Draft {
    let whose = Whose::Staff(StaffId(TimeOrderedIds.next()));
    let (by, at) = (Actor::System("test".to_owned()), world.clock.now());
    let set: PreferencesEvent = PreferencesSet { whose, document: Document::default(), by, at }.into();
    draft(vec![StreamAppend::of(whose.stream(), 0, &[set]).unwrap()], at)
}

#[rstest]
#[tokio::test]
async fn a_digest_is_in_the_readers_language(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let (li, wang) = (person(1), person(2));
    for (who, locale) in [(li, Some(Language::En)), (wang, None)] {
        let (by, at) = (Actor::System("test".to_owned()), world.clock.now());
        let registered = StaffRegistered {
            username: who.to_string(),
            name: "李四".to_owned(),
            role: Role::Employee,
            department: None,
            phone: None,
            email: None,
            by: by.clone(),
            at,
        };
        let user = WecomUserId::parse("lisi").unwrap();
        let bound = StaffWecomBound { corp: "ww1".to_owned(), user, by: by.clone(), at };
        let staff: [StaffEvent; 2] = [registered.into(), bound.into()];
        let document = Document { locale, ..Document::default() };
        let set: PreferencesEvent = PreferencesSet { whose: Whose::Staff(who), document, by, at }.into();
        let streams = vec![
            StreamAppend::of(StreamId::from(who), 0, &staff).unwrap(),
            StreamAppend::of(StreamId::preferences(who), 0, &[set]).unwrap(),
        ];
        world.process.bus.append(draft(streams, at)).await.unwrap();
    }
    let wecom = wecom_app::Settings {
        corp: "ww1".to_owned(),
        agent: 7,
        kind: wecom_app::Kind::default(),
        public_url: None,
    };
    let app = wecom.app();
    let channels = ChannelSettings { wecom_app: Some(wecom), ..ChannelSettings::default() };
    let writer = StoredDigestWriter::new(world.process.bus.clone(), Arc::new(channels));
    let writer: Arc<dyn DigestWriter> = Arc::new(writer);
    let releaser =
        Releaser::new(world.process.bus.clone(), writer, world.clock.clone(), Duration::from_mins(5));
    let (to_li, to_wang, to_nobody) = (Waits::quiet(li), Waits::quiet(wang), Waits::quiet(person(3)));
    let kept = world.hold_all(&[to_li, to_li, to_wang, to_wang, to_nobody, to_nobody]).await;
    world.advance(AFTER_THE_NIGHT);
    assert_eq!(drained(&releaser).await, 6);
    let digests = world.digests().await;
    let title = |who: StaffId| digests.iter().find(|d| d.recipient == who).map(|d| d.message.title.as_str());
    assert_eq!((title(li), title(wang)), (Some("Your notices"), Some("通知汇总")));
    assert_eq!(title(person(3)), None, "without a binding each message goes its own way");
    assert_eq!(world.kept(kept[4].notification, kept[4].delivery).await.state, Pending);
    assert_eq!(world.apps_in("pending").await, ["app", "app", &app, &app], "the digests go to today's app");
}
