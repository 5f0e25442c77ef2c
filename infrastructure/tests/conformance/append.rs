//! Appending: contiguity under concurrency, conflicts, replays, limits.

use std::sync::Arc;

use application::bus::{AppendError, Appended, EVENTS_PER_COMMAND_MAX, NewEvent};
use infrastructure::db::Db;
use infrastructure::db::DbOptions;
use infrastructure::event_log::{DRAFT_BYTES_MAX, EventLog, Filter};
use rstest::rstest;
use serde_json::json;
use tokio::task::JoinSet;

use crate::kit::{
    Backend, TestDb, appended_to, assert_whole, claim, command, draft, event, everything, keyed, position,
    stream, texts,
};

const WRITERS: usize = 64;
const APPENDS_PER_WRITER: i64 = 10;

async fn write_much(log: &EventLog) {
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let log = log.clone();
        writers.spawn(async move {
            let own = stream();
            let mut last = 0;
            for n in 0..APPENDS_PER_WRITER {
                let draft = draft(vec![appended_to(&own, 2 * n, 2)]);
                let written = position(&log.append(draft).await.unwrap());
                assert!(written > last, "positions grow for one writer");
                last = written;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn positions_are_contiguous_under_64_writers(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    write_much(&log).await;
    let events = assert_whole(&log).await;
    assert_eq!(events.len(), WRITERS * usize::try_from(2 * APPENDS_PER_WRITER).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_postgres_share_one_order() {
    let test = TestDb::fresh(Backend::Postgres).await;
    let other = Db::connect(test.url(), DbOptions::default()).await.unwrap();
    let (one, two) = (EventLog::start(test.db.clone()), EventLog::start(other));
    tokio::join!(write_much(&one), write_much(&two));
    let events = assert_whole(&one).await;
    assert_eq!(events.len(), 2 * WRITERS * usize::try_from(2 * APPENDS_PER_WRITER).unwrap());
    assert_eq!(texts(&events), texts(&everything(&two).await));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_asks_behind_its_checkpoint_misses_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let total = WRITERS * usize::try_from(2 * APPENDS_PER_WRITER).unwrap();
    let reader = {
        let log = log.clone();
        tokio::spawn(async move {
            let (mut checkpoint, mut seen) = (0, Vec::new());
            let mut doorbell = log.doorbell();
            while seen.len() < total {
                let page = log.page(checkpoint, 7, Filter::All).await.unwrap();
                if page.is_empty() {
                    doorbell.changed().await.unwrap();
                }
                seen.extend(page.iter().map(|event| event.position));
                checkpoint = seen.last().copied().unwrap_or(0);
            }
            seen
        })
    };
    write_much(&log).await;
    let seen = reader.await.unwrap();
    assert!(seen.into_iter().eq(1..=i64::try_from(total).unwrap()));
}

#[rstest]
#[tokio::test]
async fn an_event_reads_back_as_it_was_written(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let own = stream();
    let draft = draft(vec![appended_to(&own, 0, 2)]);
    let (metadata, at) = (draft.metadata.clone(), draft.recorded_at);
    log.append(draft).await.unwrap();
    let events = everything(&log).await;
    let second = &events[1];
    assert_eq!((second.position, second.sequence, &second.stream), (2, 2, &own));
    assert_eq!(second.payload.get(), event(2).payload.get(), "byte for byte");
    assert_eq!((second.event_type.as_str(), second.schema_version), ("Happened", 1));
    assert_eq!(second.event_id, domain::EventId::of_command(metadata.command, 1));
    assert_eq!((second.metadata.clone(), second.recorded_at), (metadata, at));
}

#[rstest]
#[tokio::test]
async fn a_stream_of_a_draft_may_have_a_cause_of_its_own(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let cause = domain::EventId::of_command(command(), 0);
    let own = appended_to(&stream(), 0, 1).because(cause, "request-0".to_owned());
    log.append(draft(vec![appended_to(&stream(), 0, 1), own])).await.unwrap();
    let events = everything(&log).await;
    assert_eq!((events[0].metadata.causation, events[0].metadata.correlation.as_str()), (None, "request-1"));
    let second = &events[1].metadata;
    assert_eq!((second.causation, second.correlation.as_str()), (Some(cause), "request-0"));
    assert_eq!((second.command, &second.actor), (events[0].metadata.command, &events[0].metadata.actor));
}

#[rstest]
#[tokio::test]
async fn a_stream_that_moved_refuses_and_says_where_it_is(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (own, other) = (stream(), stream());
    log.append(draft(vec![appended_to(&own, 0, 3)])).await.unwrap();
    let late = draft(vec![appended_to(&other, 0, 1), appended_to(&own, 2, 1)]);
    let refused = log.append(late).await.unwrap_err();
    assert_eq!(refused, AppendError::Conflict { stream: own.clone(), expected: 2, actual: 3 });
    let early = log.append(draft(vec![appended_to(&own, 4, 1)])).await.unwrap_err();
    assert_eq!(early, AppendError::Conflict { stream: own.clone(), expected: 4, actual: 3 });
    assert_eq!(assert_whole(&log).await.len(), 3, "nothing of a refused command is written");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_with_the_same_expectation_one_wins(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let own = stream();
    let mut rivals = JoinSet::new();
    for _ in 0..50 {
        let (log, draft) = (log.clone(), draft(vec![appended_to(&own, 0, 1)]));
        rivals.spawn(async move { log.append(draft).await });
    }
    let outcomes = rivals.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let conflict = AppendError::Conflict { stream: own, expected: 0, actual: 1 };
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(conflict.clone())).count(), 49);
    assert_eq!(assert_whole(&log).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_version_can_be_asserted_without_writing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (own, other) = (stream(), stream());
    log.append(draft(vec![appended_to(&own, 0, 1)])).await.unwrap();
    let right = draft(vec![appended_to(&own, 1, 0), appended_to(&other, 0, 1)]);
    assert_eq!(position(&log.append(right).await.unwrap()), 2);
    let wrong = draft(vec![appended_to(&own, 0, 0), appended_to(&other, 1, 1)]);
    let refused = log.append(wrong).await.unwrap_err();
    assert_eq!(refused, AppendError::Conflict { stream: own, expected: 0, actual: 1 });
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_ten_times_is_one_event(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (id, own) = (command(), stream());
    let mut twins = JoinSet::new();
    for _ in 0..10 {
        let (log, draft) = (log.clone(), keyed(id, "same", vec![appended_to(&own, 0, 1)]));
        twins.spawn(async move { log.append(draft).await.unwrap() });
    }
    let answers = twins.join_all().await;
    let (written, replayed): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| matches!(answer, Appended::Committed { .. }));
    assert_eq!(written, [Appended::Committed { last: 1 }]);
    assert_eq!(replayed.len(), 9);
    for answer in replayed {
        let Appended::Replayed(receipt) = answer else { unreachable!() };
        assert_eq!((receipt.command, receipt.position, receipt.result), (id, 1, json!({ "answer": 42 })));
    }
    assert_eq!(assert_whole(&log).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn a_key_used_for_another_request_is_refused(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (id, own) = (command(), stream());
    log.append(keyed(id, "first", vec![appended_to(&own, 0, 1)])).await.unwrap();
    let other = log.append(keyed(id, "other", vec![appended_to(&stream(), 0, 1)])).await;
    assert_eq!(other, Err(AppendError::KeyReused));
    assert_eq!(assert_whole(&log).await.len(), 1);
}

#[rstest]
#[tokio::test]
async fn receipts_survive_a_restart_even_without_events(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    log.append(draft(vec![appended_to(&stream(), 0, 3)])).await.unwrap();
    let id = command();
    let nothing = log.append(keyed(id, "nothing to do", Vec::new())).await.unwrap();
    assert_eq!(nothing, Appended::Committed { last: 3 }, "the head of the log");
    log.close().await;
    assert!(!log.is_running());

    let log = EventLog::start(test.db.clone());
    let receipt = log.receipt(id).await.unwrap().unwrap();
    assert_eq!((receipt.fingerprint.as_str(), receipt.position), ("nothing to do", 3));
    let again = log.append(keyed(id, "nothing to do", vec![appended_to(&stream(), 0, 1)])).await.unwrap();
    assert_eq!(again, Appended::Replayed(receipt));
    assert_eq!(log.receipt(command()).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a_repeated_command_of_the_system_gets_its_old_position(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let (own, other) = (stream(), stream());
    let first = draft(vec![appended_to(&own, 0, 2), appended_to(&other, 0, 1)]);
    assert_eq!(position(&log.append(first.clone()).await.unwrap()), 3);
    log.append(draft(vec![appended_to(&own, 2, 4)])).await.unwrap();
    assert_eq!(position(&log.append(first).await.unwrap()), 3);
    assert_eq!(assert_whole(&log).await.len(), 7);
}

#[rstest]
#[tokio::test]
async fn limits_have_names(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let own = stream();
    let most = i64::try_from(EVENTS_PER_COMMAND_MAX).unwrap();
    let too_many = log.append(draft(vec![appended_to(&own, 0, most + 1)])).await.unwrap_err();
    assert!(matches!(too_many, AppendError::TooLarge(_)), "{too_many}");
    let mut too_big = appended_to(&own, 0, 1);
    let text = "x".repeat(DRAFT_BYTES_MAX);
    too_big.events[0] = NewEvent { payload: serde_json::value::to_raw_value(&text).unwrap(), ..event(1) };
    let too_big = log.append(draft(vec![too_big])).await.unwrap_err();
    assert!(matches!(too_big, AppendError::TooLarge(_)), "{too_big}");
    let mut nul = draft(Vec::new());
    nul.guards = vec![claim("1\u{0}2", &own)];
    assert!(matches!(log.append(nul).await, Err(AppendError::TooLarge(_))));
    assert_eq!(log.head().await.unwrap(), 0);
    let exactly = log.append(draft(vec![appended_to(&own, 0, most)])).await.unwrap();
    assert_eq!(position(&exactly), most);
    assert_eq!(assert_whole(&log).await.len(), EVENTS_PER_COMMAND_MAX);
}

#[rstest]
#[tokio::test]
async fn a_full_queue_says_busy(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    // Whoever holds the append lock stops the appender, so that the queue can fill.
    let mut held = test.db.begin_write().await.unwrap();
    infrastructure::event_log::hold_appends(&mut held).await.unwrap();
    let log = Arc::new(log);
    let mut waiting = JoinSet::new();
    let busy = loop {
        let (log, draft) = (log.clone(), draft(vec![appended_to(&stream(), 0, 1)]));
        waiting.spawn(async move { log.append(draft).await });
        tokio::task::yield_now().await;
        if let Some(first) = waiting.try_join_next() {
            break first.unwrap();
        }
    };
    assert_eq!(busy, Err(AppendError::Busy));
    held.rollback().await.unwrap();
    let outcomes = waiting.join_all().await;
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(assert_whole(&log).await.len(), written, "all that had a place were written");
}

#[rstest]
#[tokio::test]
async fn closing_commits_what_waits_and_takes_no_more(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let test = TestDb::fresh(backend).await;
    let log = EventLog::start(test.db.clone());
    let mut waiting = JoinSet::new();
    for _ in 0..20 {
        let (log, draft) = (log.clone(), draft(vec![appended_to(&stream(), 0, 1)]));
        waiting.spawn(async move { log.append(draft).await });
    }
    tokio::task::yield_now().await;
    log.close().await;
    let outcomes = waiting.join_all().await;
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(assert_whole(&log).await.len(), written);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(AppendError::Unavailable(_)))));
    let late = log.append(draft(vec![appended_to(&stream(), 0, 1)])).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "{late:?}");
}
