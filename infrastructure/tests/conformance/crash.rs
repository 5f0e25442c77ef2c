//! The process dies in the middle: what was acknowledged is there, what was not is there whole or not at all.

use std::sync::{Arc, Mutex};

use domain::{CommandId, EventId};
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use rstest::rstest;

use crate::kit::{Backend, TestDb, appended_to, assert_whole, draft, keyed, stream};

/// Events of each command, over two streams.
const EVENTS: usize = 5;

/// Writes with many clients until `answers` were given, then drops the runtime with everything in flight.
fn write_and_die(url: &str, answers: usize) -> Vec<CommandId> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    runtime.block_on(async {
        let log = EventLog::start(Db::connect(url, DbOptions::default()).await.unwrap());
        let mut doorbell = log.doorbell();
        for _ in 0..32 {
            let (log, acknowledged) = (log.clone(), acknowledged.clone());
            tokio::spawn(async move {
                loop {
                    let draft = draft(vec![appended_to(&stream(), 0, 2), appended_to(&stream(), 0, 3)]);
                    let command = draft.metadata.command;
                    // Refused means the appender is dying already: another try at once would keep this thread from ending.
                    if log.append(draft).await.is_err() {
                        return;
                    }
                    acknowledged.lock().unwrap().push(command);
                }
            });
        }
        while acknowledged.lock().unwrap().len() < answers {
            doorbell.changed().await.unwrap();
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(10));
    std::mem::take(&mut acknowledged.lock().unwrap())
}

#[rstest]
#[tokio::test]
async fn a_death_in_the_middle_leaves_no_part_of_a_command(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(1, 40, 500)] answers: usize,
) {
    let mut test = TestDb::fresh(backend).await;
    test.db.close().await;
    let url = test.url().to_owned();
    let acknowledged = tokio::task::spawn_blocking(move || write_and_die(&url, answers)).await.unwrap();
    test.db = test.reopened().await;
    let log = EventLog::start(test.db.clone());
    // The next append waits for the lock of the dead process's transaction, if the server has not noticed yet.
    let id = CommandId(stream().uuid().unwrap());
    log.append(keyed(id, "after", vec![appended_to(&stream(), 0, 1)])).await.unwrap();
    let mut events = assert_whole(&log).await;
    assert_eq!(events.pop().map(|event| event.metadata.command), Some(id));
    assert_eq!(events.len() % EVENTS, 0, "commands are whole");
    for command in events.chunks(EVENTS) {
        for (n, event) in command.iter().enumerate() {
            assert_eq!(event.event_id, EventId::of_command(command[0].metadata.command, n));
        }
    }
    let written: std::collections::HashSet<_> = events.iter().map(|event| event.metadata.command).collect();
    assert!(acknowledged.len() >= answers);
    assert!(acknowledged.iter().all(|command| written.contains(command)), "an acknowledged command is lost");
}
