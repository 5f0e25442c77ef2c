//! Reading: filters, moments, many streams, and what a restart keeps.

use application::bus::Because;
use chrono::TimeDelta;
use domain::{EventId, StreamId};
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::{self, EventLog, Filter, PAGE_MAX, RecordedRaw, Until};
use rstest::rstest;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::kit::{
    Backend, TestDb, appended_to, assert_whole, command, draft, event, everything, stream, texts,
};

#[rstest]
#[tokio::test]
async fn a_page_is_bounded_and_filtered(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    assert_eq!((log.head().await.unwrap(), log.page(0, 10, Filter::All).await.unwrap().len()), (0, 0));
    let staff = StreamId::new("staff", stream().uuid().unwrap());
    let mut mixed = appended_to(&staff, 0, 4);
    mixed.events[1].event_type = "Rare";
    mixed.events[3].event_type = "Rare";
    log.append(draft(vec![appended_to(&stream(), 0, 3), mixed])).await.unwrap();
    let positions = async |after, limit, filter| {
        let page = log.page(after, limit, filter).await.unwrap();
        page.iter().map(|event| event.position).collect::<Vec<_>>()
    };
    assert_eq!(positions(0, 2, Filter::All).await, [1, 2]);
    assert_eq!(positions(2, usize::MAX, Filter::All).await, [3, 4, 5, 6, 7]);
    assert_eq!(positions(7, 10, Filter::All).await, [0; 0]);
    assert_eq!(positions(0, 10, Filter::Types(&["Rare"])).await, [5, 7]);
    assert_eq!(positions(5, 10, Filter::Types(&["Rare", "Unheard"])).await, [7]);
    assert_eq!(positions(0, 10, Filter::Types(&[])).await, [0; 0]);
    assert_eq!(positions(0, 10, Filter::StreamType("staff")).await, [4, 5, 6, 7]);
}

/// Everything of an event that can differ.
fn whole(events: &[RecordedRaw]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

#[rstest]
#[tokio::test]
async fn memory_gives_what_the_database_gives(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let staff = StreamId::new("staff", stream().uuid().unwrap());
    assert!(log.recent(0, 10, Filter::All).is_none(), "nothing was written");
    for n in 0..3 {
        let mut mixed = appended_to(&staff, 2 * n, 2);
        mixed.events[1].event_type = "Rare";
        mixed.because =
            Some(Because { event: EventId::of_command(command(), 0), correlation: "呼 1".into() });
        log.append(draft(vec![appended_to(&stream(), 0, 3), mixed])).await.unwrap();
    }
    let filters = [Filter::All, Filter::Types(&["Rare"]), Filter::StreamType("staff"), Filter::Types(&[])];
    for filter in filters {
        for (after, limit) in [(0, 1), (0, 3), (0, 100), (1, 2), (7, 3), (7, 100), (14, 1), (14, 100)] {
            let memory = log.recent(after, limit, filter).unwrap();
            let database = log.look(after, limit, filter).await.unwrap();
            let asked = format!("{filter:?} after {after}, {limit} at most");
            assert_eq!(whole(&memory.page), whole(&database.page), "{asked}");
            assert_eq!((memory.to, memory.full), (database.to, database.full), "{asked}");
        }
    }
    assert!(log.recent(15, 10, Filter::All).is_none(), "nothing newer");

    // Somebody else writes in between: memory must not pass over that.
    let other = EventLog::start(test.db.clone());
    other.append(draft(vec![appended_to(&stream(), 0, 1)])).await.unwrap();
    log.append(draft(vec![appended_to(&stream(), 0, 1)])).await.unwrap();
    assert!(log.recent(15, 10, Filter::All).is_none(), "event 16 is not this process's");
    assert_eq!(log.recent(16, 10, Filter::All).unwrap().to, 17);
    assert_eq!(log.look(15, 10, Filter::All).await.unwrap().page.len(), 2);
    // A refused command leaves no trace.
    assert!(log.append(draft(vec![appended_to(&staff, 0, 1)])).await.is_err());
    assert!(log.recent(17, 10, Filter::All).is_none());
}

#[rstest]
#[tokio::test]
async fn a_stream_is_read_to_a_moment(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (own, other) = (stream(), stream());
    let first = draft(vec![appended_to(&own, 0, 1)]);
    let start = first.recorded_at;
    log.append(first).await.unwrap();
    for n in 1..5 {
        let mut next = draft(vec![appended_to(&other, n - 1, 1), appended_to(&own, n, 1)]);
        next.recorded_at = start + TimeDelta::milliseconds(n);
        log.append(next).await.unwrap();
    }
    let sequences = async |after, until| {
        let events = log.stream_until(&own, after, until).await.unwrap();
        events.iter().map(|event| event.sequence).collect::<Vec<_>>()
    };
    assert_eq!(sequences(0, Until::Now).await, [1, 2, 3, 4, 5]);
    assert_eq!(sequences(3, Until::Now).await, [4, 5]);
    assert_eq!(sequences(0, Until::Sequence(2)).await, [1, 2]);
    assert_eq!(sequences(0, Until::Position(4)).await, [1, 2]);
    assert_eq!(sequences(0, Until::Position(5)).await, [1, 2, 3]);
    assert_eq!(sequences(0, Until::Time(start + TimeDelta::milliseconds(2))).await, [1, 2, 3]);
    assert_eq!(sequences(0, Until::Time(start - TimeDelta::microseconds(1))).await, [0; 0]);
    assert_eq!(log.stream(&own, 1, 2).await.unwrap().len(), 2);
}

#[rstest]
#[tokio::test]
async fn many_streams_are_read_each_after_its_own_sequence(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    // Together more than one page, so that the answer is put together from several.
    let half = i64::try_from(PAGE_MAX / 2 + 100).unwrap();
    let streams = [stream(), stream(), stream(), stream()];
    for own in &streams[..3] {
        log.append(draft(vec![appended_to(own, 0, half)])).await.unwrap();
    }
    let wanted: Vec<_> = streams.iter().cloned().zip([0, 10, half, 0]).collect();
    let found = log.streams_many(&wanted).await.unwrap();
    let sequences = |n: usize| {
        let events = found.get(&streams[n]).map_or(&[][..], Vec::as_slice);
        events.iter().map(|event| event.sequence).collect::<Vec<_>>()
    };
    assert!(sequences(0).into_iter().eq(1..=half));
    assert!(sequences(1).into_iter().eq(11..=half));
    assert!(!found.contains_key(&streams[2]), "nothing new");
    assert!(!found.contains_key(&streams[3]), "no such stream");
    assert_eq!(found[&streams[0]][0].payload.get(), event(1).payload.get());
}

#[rstest]
#[tokio::test]
async fn positions_and_streams_are_the_same_after_a_restart(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let mut test = TestDb::fresh(backend).await;
    let before = {
        let log = EventLog::start(test.db.clone());
        let own = stream();
        for n in 0..5 {
            log.append(draft(vec![appended_to(&own, 3 * n, 3), appended_to(&stream(), 0, 2)])).await.unwrap();
        }
        log.close().await;
        everything(&log).await
    };
    test.db.close().await;
    test.db = test.reopened().await;
    let log = EventLog::start(test.db.clone());
    assert_eq!(texts(&everything(&log).await), texts(&before));
    let appended = log.append(draft(vec![appended_to(&stream(), 0, 1)])).await.unwrap();
    assert_eq!(crate::kit::position(&appended), 26);
    assert_whole(&log).await;
}

#[tokio::test]
async fn a_second_process_sees_what_the_first_wrote() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let (one, two) = (
        EventLog::start(test.db.clone()),
        EventLog::start(Db::connect(test.url(), DbOptions::default()).await.unwrap()),
    );
    let own = stream();
    one.append(draft(vec![appended_to(&own, 0, 1)])).await.unwrap();
    two.append(draft(vec![appended_to(&own, 1, 1)])).await.unwrap();
    assert_eq!(one.stream(&own, 0, 10).await.unwrap().len(), 2);
}

/// A store that filled up within a minute has no statistics yet, and a prepared statement keeps its first plan.
#[tokio::test]
async fn many_streams_are_looked_up_even_before_the_first_analyze() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let Db::Postgres(pool) = &test.db else { unreachable!() };
    let statement =
        event_log::POSTGRES_STATEMENTS.iter().find(|sql| sql.contains("$2::bigint[]) AS s(id, after)"));
    let mut tx = pool.begin().await.unwrap();
    for sql in [
        "INSERT INTO events SELECT n, gen_random_uuid(), 'customer-' || n % 5000, 'customer', n / 5000 + 1, 'X', 1,
                repeat('x', 300), '{}', now() FROM generate_series(5000, 54999) n",
        "SET LOCAL plan_cache_mode = force_generic_plan",
        &format!("PREPARE streams AS {}", statement.unwrap()),
    ] {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.unwrap();
    }
    let explain = "EXPLAIN EXECUTE streams(ARRAY['customer-1'], ARRAY[3], 4096)";
    let plan: Vec<String> = sqlx::query_scalar(explain).fetch_all(&mut *tx).await.unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Index Cond: ((stream_id = s.id) AND (sequence > s.after))"), "{plan}");
    assert!(!plan.contains("Merge Join") && !plan.contains("Hash Join"), "{plan}");
}
