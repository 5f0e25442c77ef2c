//! Who ends the quiet hours is awake: what waited for their end leaves at once (docs/adr/0021).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use application::ports::Clock;
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::Channel;
use domain::preferences::{Document, Whose};
use infrastructure::clock::TestClock;
use infrastructure::dispatcher::{Dispatcher, Options, Ports, Provider};
use infrastructure::outbox::haste::HastenRows;
use rstest::rstest;
use tokio::sync::mpsc as channel;

use crate::database::Backend;
use crate::scripted::{Scripted, Step, Told};
use crate::sleepers::{ROUTE, clock, quiet_hours};
use crate::world::World;

#[rstest]
#[tokio::test]
async fn who_ends_the_quiet_hours_hears_of_it_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    let told = world.tell_at_bedtime(&wecom).await;
    world.clock.set(clock("01 23:00:00"));
    // Nothing ran in between: the time of the channel is over, and the one behind it is as quiet.
    world.drain(&wecom).await;
    assert_eq!(world.rows(&told).await, ["dead", "pending", "held"]);
    let cloud = Scripted::new(Channel::WechatCloud);
    world.drain(&cloud).await;
    assert_eq!(world.waits(&told, 1).await.0, Some(quiet_hours()));
    world.clock.set(clock("01 23:30:00"));
    let at = world.clock.now();
    let hasten = |reason: &str| HastenRows { recipient: told.person(), reasons: vec![reason.to_owned()], at };
    for reason in ["digest_daily", "quiet_hours"] {
        let mut tx = world.database.db.begin_write().await.unwrap();
        hasten(reason).hasten(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        world.drain(&cloud).await;
        // Judged anew: they are quiet as long as nobody says otherwise.
        assert_eq!(cloud.sent(), Vec::<String>::new());
    }
    world.wish(Whose::Staff(told.person()), Document::default()).await;
    let mut tx = world.database.db.begin_write().await.unwrap();
    assert_eq!(hasten("quiet_hours").hasten(&mut tx).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let (_, due_at, next) = world.waits(&told, 1).await;
    assert_eq!((due_at, next), (at, Some(at + TimeDelta::minutes(5))));
    world.drain(&cloud).await;
    assert_eq!(world.rows(&told).await, ["dead", "accepted", "cancelled"]);
}

#[rstest]
#[tokio::test]
async fn what_was_put_off_and_came_too_late_does_not_wait_when_it_is_sent_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    let told = world.tell_at_bedtime(&wecom).await;
    world.clock.set(clock("01 22:00:00"));
    world.drain(&wecom).await;
    assert_eq!(world.waits(&told, 0).await.0, Some(quiet_hours()));
    // Nobody worked in the morning, and the next channel's turn came.
    world.clock.set(clock("02 09:00:00"));
    world.drain(&wecom).await;
    assert_eq!(world.rows(&told).await, ["dead", "pending", "held"]);
    world.requeue(&told, 0).await;
    assert_eq!(world.rows(&told).await[0], "pending");
    assert_eq!(world.waits(&told, 0).await.0, None, "it waits for nothing");
}

/// A clock that stops whoever looks at it for the n-th time, until told to go on.
struct Stopping {
    time: Arc<TestClock>,
    stops_at: usize,
    looks: AtomicUsize,
    stopped: channel::UnboundedSender<()>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl Clock for Stopping {
    fn now(&self) -> DateTime<Utc> {
        if self.looks.fetch_add(1, Ordering::SeqCst) + 1 == self.stops_at {
            self.stopped.send(()).unwrap();
            // The worker's other tasks, the one that appends among them, go on elsewhere.
            tokio::task::block_in_place(|| self.go_on.lock().unwrap().recv().unwrap());
        }
        self.time.now()
    }
}

impl World {
    /// The preferences change, and whatever waits for the end of the quiet hours is due.
    async fn ends_the_night(&self, told: &Told) {
        self.wish(Whose::Staff(told.person()), Document::default()).await;
        let (recipient, reasons, at) = (told.person(), vec![quiet_hours()], self.clock.now());
        let mut tx = self.database.db.begin_write().await.unwrap();
        HastenRows { recipient, reasons, at }.hasten(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Drains with a clock that stops at its n-th look for as long as the person ends the night; whether it came to that.
    async fn drain_while_the_night_ends(
        &self,
        told: &Told,
        provider: &Arc<Scripted>,
        stops_at: usize,
    ) -> bool {
        let (stopped, mut has_stopped) = channel::unbounded_channel();
        let (go, go_on) = mpsc::channel();
        let clock = Stopping {
            time: Arc::clone(&self.clock),
            stops_at,
            looks: AtomicUsize::new(0),
            stopped,
            go_on: Mutex::new(go_on),
        };
        let ports = Ports { clock: Arc::new(clock), ..self.process.ports() };
        let provider = Arc::clone(provider) as Arc<dyn Provider>;
        let dispatcher = Dispatcher::new(self.process.bus.clone(), provider, ports, Options::default());
        let draining = tokio::spawn(async move { dispatcher.drain_once().await.unwrap() });
        // The sender goes with the dispatcher.
        let comes_to_it = has_stopped.recv().await.is_some();
        if comes_to_it {
            self.ends_the_night(told).await;
            go.send(()).unwrap();
        }
        draining.await.unwrap();
        comes_to_it
    }
}

/// The message is put off by wishes that were read a moment before. Whatever lies in between, nobody who is awake waits
/// until the morning.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_the_quiet_hours_while_a_message_is_judged_hears_of_it_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let cloud = Scripted::new(Channel::WechatCloud);
    let route = [Step { fallback: None, ..ROUTE[1] }];
    world.clock.set(clock("01 23:00:00"));
    for stops_at in 1.. {
        let told = world.tell_sleeper(&route).await;
        world.advance(60);
        if !world.drain_while_the_night_ends(&told, &cloud, stops_at).await {
            assert!(stops_at > 3, "an attempt looks at the clock more often");
            assert_eq!(world.rows(&told).await, ["pending"], "who does not end the night is not woken");
            assert_eq!(world.waits(&told, 0).await.0, Some(quiet_hours()));
            return;
        }
        // What is due by now leaves.
        world.drain(&cloud).await;
        assert_eq!(world.rows(&told).await, ["accepted"], "stopped at look {stops_at}");
    }
}
