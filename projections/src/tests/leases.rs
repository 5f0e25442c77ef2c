//! One owner at a time, and what becomes of a consumer that cannot go on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{StoredEvent, StreamId};
use infrastructure::clock::TestClock;
use infrastructure::event_log::RecordedRaw;
use infrastructure::with_tx;
use rstest::rstest;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::kit::{Backend, World, append, created, customer, dawn, profile, second, with_phone};
use crate::consumer::{ConsumerState, HandleError, Handler, LEASE_SECONDS};
use crate::queries::customers;
use crate::read_models::Projector;
use crate::{Projections, ReadModel};

const MODEL: ReadModel = ReadModel::CustomerList;

fn projector(projections: &Projections) -> Projector {
    Projector::new(
        MODEL,
        projections.log.clone(),
        projections.consumers().clone(),
        projections.upcasters.clone(),
    )
}

async fn page(world: &World) -> Vec<RecordedRaw> {
    world.log.page(0, 100, MODEL.filter()).await.unwrap()
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_robbed_owner_writes_nothing(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let head = world.create(1, with_phone("张三", "13800138000"), dawn()).await;
    let (first, second) = (&world.projections, world.another_process());

    let old = first.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
    assert_eq!(second.consumers().acquire(MODEL.name()).await.unwrap(), None, "the lease holds");
    world.clock.advance(TimeDelta::seconds(LEASE_SECONDS + 1));
    let new = second.consumers().acquire(MODEL.name()).await.unwrap().unwrap();

    let refused = projector(first).handle(&old, &page(&world).await, head, ConsumerState::Active).await;
    assert!(matches!(refused, Err(HandleError::Fenced)), "{refused:?}");
    assert_eq!(customers::by_id(&world.db, customer(1)).await.unwrap(), None);
    assert!(!first.consumers().renew(&old).await.unwrap());

    projector(&second).handle(&new, &page(&world).await, head, ConsumerState::Active).await.unwrap();
    assert!(customers::by_id(&world.db, customer(1)).await.unwrap().is_some());
    let again = projector(&second).handle(&new, &page(&world).await, head, ConsumerState::Active).await;
    assert!(matches!(again, Err(HandleError::Fenced)), "the old position is part of the fence");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_owner_that_is_alive_keeps_its_lease(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let other = world.another_process();
    let lease = world.projections.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
    for _ in 0..5 {
        assert_eq!(other.consumers().acquire(MODEL.name()).await.unwrap(), None, "it gives signs of life");
        world.clock.advance(TimeDelta::seconds(LEASE_SECONDS - 1));
        assert!(world.projections.consumers().renew(&lease).await.unwrap());
    }
    world.projections.consumers().release(&lease).await.unwrap();
    assert!(other.consumers().acquire(MODEL.name()).await.unwrap().is_some(), "given back, no wait");
}

/// A clock with wrong hands; its stopwatch is right.
struct Wrong {
    right: Arc<TestClock>,
    off: Mutex<TimeDelta>,
}

impl Wrong {
    fn set(&self, off: TimeDelta) {
        *self.off.lock().unwrap() = off;
    }
}

impl Clock for Wrong {
    fn now(&self) -> DateTime<Utc> {
        self.right.now() + *self.off.lock().unwrap()
    }

    fn stopwatch(&self) -> TimeDelta {
        self.right.stopwatch()
    }
}

#[rstest]
#[tokio::test]
async fn whoever_dies_is_replaced_after_its_lease_whatever_the_clocks_say(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(-5, 0, 5)] owner_minutes: i64,
    #[values(-5, 0, 5)] heir_minutes: i64,
) {
    let world = World::new(backend).await;
    let process = |minutes: i64| {
        let off = Mutex::new(TimeDelta::minutes(minutes));
        let clock = Arc::new(Wrong { right: world.clock.clone(), off });
        (world.process_with(clock.clone()), clock)
    };
    let ((owner, owners_clock), (heir, heirs_clock)) = (process(owner_minutes), process(heir_minutes));
    let look = async || heir.consumers().acquire(MODEL.name()).await.unwrap();
    let lease = owner.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
    // It lives, wherever the hands of either clock go.
    for leap in [0, 60, -60, 0, 24 * 60, -24 * 60] {
        assert_eq!(look().await, None, "{leap}");
        owners_clock.set(TimeDelta::minutes(owner_minutes + leap));
        heirs_clock.set(TimeDelta::minutes(heir_minutes - leap));
        assert_eq!(look().await, None, "{leap}");
        world.clock.advance(TimeDelta::seconds(LEASE_SECONDS - 1));
        assert!(owner.consumers().renew(&lease).await.unwrap(), "nobody took it: {leap}");
    }
    // It dies.
    assert_eq!(look().await, None);
    world.clock.advance(TimeDelta::seconds(LEASE_SECONDS) - TimeDelta::microseconds(1));
    assert_eq!(look().await, None, "the lease holds");
    world.clock.advance(TimeDelta::microseconds(1));
    assert!(look().await.is_some(), "after its lease, and not after minutes");
    assert!(!owner.consumers().renew(&lease).await.unwrap(), "whoever comes back is fenced");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_process_that_starts_watches_what_it_finds_at_once(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let dead = world.projections.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
    let next = world.another_process();
    next.consumers().enter().await.unwrap();
    if backend == Backend::Postgres {
        assert_eq!(next.consumers().acquire(MODEL.name()).await.unwrap(), None, "it may still live");
        world.clock.advance(TimeDelta::seconds(LEASE_SECONDS));
    }
    let taken = next.consumers().acquire(MODEL.name()).await.unwrap();
    assert!(taken.is_some(), "a file of SQLite has one process: what another one left is free at once");
    assert!(!world.projections.consumers().renew(&dead).await.unwrap());
}

/// An event of a customer whose payload nobody can read.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Unreadable;

impl cqrs_es::DomainEvent for Unreadable {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }
    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl StoredEvent for Unreadable {
    const TYPES: &'static [(&'static str, i32)] = &[("CustomerTeleported", 1)];
    fn name(&self) -> &'static str {
        "CustomerTeleported"
    }
    fn schema_version(&self) -> i32 {
        1
    }
    fn encode(&self) -> Result<Box<RawValue>, serde_json::Error> {
        RawValue::from_string("{}".to_owned())
    }
    fn decode(_: &str, _: &str) -> Result<Self, domain::DecodeError> {
        Ok(Self)
    }
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn an_event_nobody_knows_stops_the_consumer_loudly(#[case] backend: Backend) {
    let world = World::new(backend).await;
    world.create(1, with_phone("张三", "13800138000"), dawn()).await;
    let poisoned = world.append(customer(1), &[Unreadable]).await;

    let refused = world.projections.catch_up(MODEL).await.unwrap_err();
    assert!(matches!(refused, HandleError::Poison { position, .. } if position == poisoned), "{refused:?}");
    let status = world.projections.status().await.unwrap();
    let row = status.iter().find(|row| row.name == MODEL.name()).unwrap();
    assert_eq!((row.state, row.position, row.owner), (ConsumerState::Error, 0, None));
    assert!(row.error.as_deref().unwrap().contains("CustomerTeleported"), "{:?}", row.error);
    assert_eq!(world.projections.catch_up(MODEL).await.unwrap(), None, "it stays stopped");
    let healthy = world.projections.catch_up(ReadModel::AssignmentLog).await.unwrap();
    assert_eq!(healthy, Some(poisoned), "the others go on");

    assert!(world.projections.consumers().resume(MODEL.name()).await.unwrap());
    assert!(world.projections.catch_up(MODEL).await.is_err(), "resumed, it meets the event again");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_paused_consumer_waits_until_it_is_resumed(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let lease = world.projections.consumers().acquire(MODEL.name()).await.unwrap().unwrap();
    assert!(world.projections.consumers().pause(MODEL.name()).await.unwrap());
    let head = world.create(1, with_phone("张三", "13800138000"), dawn()).await;
    let page = page(&world).await;
    let refused = projector(&world.projections).handle(&lease, &page, head, ConsumerState::Active).await;
    assert!(matches!(refused, Err(HandleError::Fenced)));
    assert_eq!(world.projections.catch_up(MODEL).await.unwrap(), None);
    assert!(world.projections.consumers().resume(MODEL.name()).await.unwrap());
    assert_eq!(world.projections.catch_up(MODEL).await.unwrap(), Some(head));
    assert!(!world.projections.consumers().pause("no_such_consumer").await.unwrap());
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_writer_reads_what_it_wrote(#[case] backend: Backend) {
    const LONG: Duration = Duration::from_secs(30);
    let world = World::new(backend).await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let watcher = world.another_process();

    let before = world.create(1, with_phone("张三", "13800138000"), dawn()).await;
    let progress = world.projections.progress();
    assert!(!progress.wait_for(MODEL.name(), before, Duration::ZERO).await, "nobody works yet");

    world.projections.spawn(&tasks, &stop);
    tasks.close();
    assert!(progress.wait_for(MODEL.name(), before, LONG).await);
    for n in 2..=20 {
        let written = world.create(n, profile(&format!("客户{n}")), second(1)).await;
        // Here and, through the database, in a process that does not own the consumer.
        let waiting = if n % 2 == 0 { progress } else { watcher.progress() };
        assert!(waiting.wait_for(MODEL.name(), written, LONG).await);
        assert!(customers::by_id(&world.db, customer(n)).await.unwrap().is_some(), "{n}");
    }
    // An event that does not concern the consumer moves it all the same.
    let elsewhere = world.hire(1, "员工").await;
    assert!(watcher.progress().wait_for(MODEL.name(), elsewhere, LONG).await);

    stop.cancel();
    tasks.wait().await;
    let status = world.projections.status().await.unwrap();
    assert!(status.iter().all(|row| row.owner.is_none() && row.lag == 0), "{status:?}");
    assert!(status.iter().all(|row| row.state == ConsumerState::Active), "{status:?}");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn two_processes_share_the_work_and_repeat_none(#[case] backend: Backend) {
    const LEADS: u128 = 60;
    let world = World::new(backend).await;
    let other = world.another_process();
    let (tasks, stop, stop_other) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
    world.projections.spawn(&tasks, &stop);
    other.spawn(&tasks, &stop_other);
    tasks.close();
    let mut last = 0;
    for n in 1..=LEADS {
        let stream = StreamId::from(customer(n));
        last = append(&world.log, stream, &[created(n, profile(&format!("客户{n}")), second(1))]).await;
        if n == LEADS / 2 {
            stop.cancel(); // the owner, or the one that waits, goes away in the middle
        }
    }
    let reached = other.progress().wait_for(MODEL.name(), last, Duration::from_mins(1)).await;
    assert!(reached, "the other one took over");
    stop_other.cancel();
    tasks.wait().await;
    let rows = world.dump(MODEL).await;
    assert_eq!(rows[0].1.len(), usize::try_from(LEADS).unwrap());
}

/// Waits for what another task brings about.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    const PATIENCE: Duration = Duration::from_mins(1);
    let looking = async {
        let mut looks = tokio::time::interval(Duration::from_millis(20));
        while !holds().await {
            looks.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "{what}");
}

#[rstest]
#[case(Backend::Sqlite)]
#[case(Backend::Postgres)]
#[tokio::test]
async fn a_page_that_keeps_failing_stops_the_consumer_until_it_is_repaired(#[case] backend: Backend) {
    let world = World::new(backend).await;
    let sql = async |statement: &'static str| {
        let mut tx = world.db.begin_write().await.unwrap();
        with_tx!(&mut tx, conn => { sqlx::query(statement).execute(conn).await.unwrap(); });
        tx.commit().await.unwrap();
    };
    let status = async || {
        let all = world.projections.status().await.unwrap();
        all.into_iter().find(|row| row.name == MODEL.name()).unwrap()
    };
    sql("ALTER TABLE customer_list RENAME TO mislaid").await;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    world.projections.spawn(&tasks, &stop);
    tasks.close();
    let written = world.create(1, profile("张三"), dawn()).await;
    until("it gives up", async || status().await.state == ConsumerState::Error).await;
    let stopped = status().await;
    assert!(stopped.error.unwrap().contains("customer_list"));
    assert_eq!((stopped.position, stopped.owner), (0, None));

    sql("ALTER TABLE mislaid RENAME TO customer_list").await;
    assert!(world.projections.consumers().resume(MODEL.name()).await.unwrap());
    assert!(world.projections.progress().wait_for(MODEL.name(), written, Duration::from_mins(1)).await);
    assert!(customers::by_id(&world.db, customer(1)).await.unwrap().is_some());
    stop.cancel();
    tasks.wait().await;
}
