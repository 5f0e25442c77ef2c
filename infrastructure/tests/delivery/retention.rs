//! What the outbox forgets, and what it must keep.

use std::time::Duration;

use application::ports::{Clock as _, Ids as _};
use chrono::{DateTime, TimeDelta, Utc};
use domain::notification::{Channel, DeliveryState};
use infrastructure::db::Db;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::janitor::Janitor;
use infrastructure::outbox::retention::{Retention, prune};
use infrastructure::{chores, with_pool, with_tx};
use rstest::rstest;
use sqlx::{Executor, SqlStr};

use crate::database::{Backend, TestDb};
use crate::scripted::{Step, Told};
use crate::world::World;

const ROUTE: [Step; 1] = [Step { channel: Channel::WecomApp, fallback: None }];

/// A row in this state since so many days, and whether somebody still has to decide on it.
async fn row(world: &World, state: DeliveryState, days: i64, undecided: bool) -> Told {
    let told = world.tell("li", &ROUTE, None).await;
    let since = world.clock.now() - TimeDelta::days(days);
    let settle_at = undecided.then_some(since);
    let sql = "UPDATE outbox SET state = $2, settled_at = $3, settle_at = $4 WHERE notification_id = $1";
    let mut tx = world.database.db.begin_write().await.unwrap();
    with_tx!(&mut tx, conn => sqlx::query(sql)
        .bind(told.notification.0)
        .bind(state.as_str())
        .bind(since)
        .bind(settle_at)
        .execute(conn)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    told
}

/// Whether the row is there, and whether it has its text.
async fn kept(world: &World, told: &Told) -> Option<bool> {
    let sql = "SELECT request_body IS NOT NULL FROM outbox WHERE notification_id = $1";
    with_pool!(&world.database.db, pool =>
        sqlx::query_scalar(sql).bind(told.notification.0).fetch_optional(pool).await)
    .unwrap()
}

#[rstest]
#[tokio::test]
async fn each_final_state_has_its_time(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    use DeliveryState::{
        Accepted, Cancelled, Dead, Delivered, Held, InFlight, Merged, Pending, Rejected, Retry, Unknown,
    };
    const WHOLE: Option<bool> = Some(true);
    const WITHOUT_TEXT: Option<bool> = Some(false);
    const GONE: Option<bool> = None;
    let world = World::new(backend).await;
    let decided = [
        (Accepted, 6, WHOLE),
        (Accepted, 89, WITHOUT_TEXT),
        (Accepted, 90, GONE),
        (Delivered, 90, GONE),
        (Rejected, 6, WHOLE),
        (Rejected, 7, WITHOUT_TEXT),
        (Rejected, 179, WITHOUT_TEXT),
        (Rejected, 180, GONE),
        (Dead, 6, WHOLE),
        (Dead, 179, WITHOUT_TEXT),
        (Dead, 180, GONE),
        (Unknown, 6, WHOLE),
        (Unknown, 179, WITHOUT_TEXT),
        (Unknown, 180, GONE),
        (Cancelled, 29, WITHOUT_TEXT),
        (Cancelled, 30, GONE),
        (Merged, 30, GONE),
    ];
    let never = [Pending, Retry, InFlight, Held].map(|state| (state, 5000, WHOLE));
    let mut rows = Vec::new();
    for (state, days, expected) in decided.into_iter().chain(never) {
        rows.push((state, days, expected, row(&world, state, days, false).await));
    }
    rows.push((Unknown, 5000, WHOLE, row(&world, Unknown, 5000, true).await));
    let pruned = prune(&world.database.db, world.clock.now(), &Retention::default()).await.unwrap();
    for (state, days, expected, told) in &rows {
        assert_eq!(kept(&world, told).await, *expected, "{state} for {days} days");
    }
    let gone = rows.iter().filter(|(_, _, expected, _)| *expected == GONE).count();
    assert_eq!((pruned.rows, pruned.more), (u64::try_from(gone).unwrap(), false));
    let again = prune(&world.database.db, world.clock.now(), &Retention::default()).await.unwrap();
    assert_eq!((again.rows, again.bodies), (0, 0));
}

#[rstest]
#[tokio::test]
async fn more_than_a_page_goes_and_a_row_without_a_date_gets_one(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let waits = vec![crate::held::Waits::quiet(crate::held::person(1)); 1201];
    world.hold_all(&waits).await;
    world.execute("UPDATE outbox SET state = 'cancelled'").await;
    let db = &world.database.db;
    let retention = Retention::default();
    let pruned = prune(db, world.clock.now(), &retention).await.unwrap();
    assert_eq!(pruned.rows, 0, "its time begins now");
    let later = world.clock.now() + TimeDelta::days(30);
    assert_eq!(prune(db, later, &retention).await.unwrap().rows, 1201);
}

#[rstest]
#[tokio::test]
async fn counts_and_reports_are_kept_for_a_day(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let (db, now) = (&world.database.db, world.clock.now());
    let mut tx = db.begin_write().await.unwrap();
    for hours in [0, 24, 26] {
        let at: DateTime<Utc> = now - TimeDelta::hours(hours);
        let (bucket, owner) = (at.timestamp() / 10, TimeOrderedIds.next());
        with_tx!(&mut tx, conn => {
            let sql = "INSERT INTO send_buckets (send_key, bucket, sends) VALUES ('app', $1, 1)";
            sqlx::query(sql).bind(bucket).execute(&mut *conn).await.unwrap();
            let sql = "INSERT INTO channel_health (channel, app, owner, state, updated_at)
                       VALUES ('wecom_app', 'app', $1, 'open', $2)";
            sqlx::query(sql).bind(owner).bind(at).execute(conn).await.map(drop)
        })
        .unwrap();
    }
    tx.commit().await.unwrap();
    let pruned = prune(db, now, &Retention::default()).await.unwrap();
    assert_eq!((pruned.counts, pruned.reports), (1, 2));
}

#[rstest]
#[tokio::test]
async fn one_process_does_it_for_all(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    let beside = world.database.reopened_beside().await;
    let janitor = |db: Db| Janitor::new(db, world.clock.clone(), Retention::default());
    let (one, other) = (janitor(world.database.db.clone()), janitor(beside));
    let (first, second) = tokio::join!(one.turn(), other.turn());
    let turns = [first.unwrap(), second.unwrap()];
    assert_eq!(turns.iter().flatten().count(), 1);
    world.advance(3599);
    assert_eq!(one.turn().await.unwrap(), None);
    world.advance(1);
    assert!(other.turn().await.unwrap().is_some(), "an hour later it is anybody's again");
    let every = Duration::from_secs(1);
    assert!(chores::claim(&world.database.db, "another", world.clock.now(), every).await.unwrap());
}

#[rstest]
#[tokio::test]
async fn statements_about_chores_prepare(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let database = TestDb::fresh(backend).await;
    for sql in chores::STATEMENTS {
        let prepared = match &database.db {
            Db::Sqlite(sqlite) => sqlite.reader().prepare(SqlStr::from_static(sql)).await.map(drop),
            Db::Postgres(pool) => pool.prepare(SqlStr::from_static(sql)).await.map(drop),
        };
        assert!(prepared.is_ok(), "{sql}\n{prepared:?}");
    }
}
