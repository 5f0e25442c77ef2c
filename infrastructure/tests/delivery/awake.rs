//! Who ends the quiet hours is awake: what waited for their end leaves at once (docs/adr/0021).

use application::ports::Clock as _;
use chrono::TimeDelta;
use domain::notification::Channel;
use domain::preferences::{Document, Whose};
use infrastructure::outbox::haste::HastenRows;
use rstest::rstest;

use crate::database::Backend;
use crate::scripted::{Scripted, unreachable};
use crate::sleepers::{ROUTE, clock, quiet_hours};
use crate::world::World;

#[rstest]
#[tokio::test]
async fn who_ends_the_quiet_hours_hears_of_it_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let wecom = Scripted::new(Channel::WecomApp);
    wecom.answers([unreachable()]);
    world.clock.set(clock("01 21:59:58"));
    let told = world.tell_sleeper(&ROUTE).await;
    world.drain(&wecom).await;
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
    wecom.answers([unreachable()]);
    world.clock.set(clock("01 21:59:58"));
    let told = world.tell_sleeper(&ROUTE).await;
    world.drain(&wecom).await;
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
