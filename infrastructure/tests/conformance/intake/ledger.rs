//! What Leadwire keeps about a source in its own database.

use std::sync::Arc;

use application::intake::worker::{Held, KnownMembers, Ledger as _, Outage, Tally};
use application::intake::{Backlog, Mode};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use domain::MemberId;
use domain::member::SourceKey;
use infrastructure::clock::TestClock;
use infrastructure::intake::{ASIDE_PAGE, HEARTBEAT, RunEnd, SourceState, StoredLedger, all};
use rstest::rstest;

use crate::kit::{Backend, TestDb};

struct Nobody;

#[async_trait]
impl KnownMembers for Nobody {
    async fn page(&self, _: &str, _: Option<MemberId>) -> Result<Vec<(MemberId, SourceKey)>, Outage> {
        Ok(Vec::new())
    }
}

struct Desk {
    test: TestDb,
    clock: Arc<TestClock>,
    ledger: StoredLedger,
}

impl Desk {
    async fn of(backend: Backend) -> Self {
        let test = TestDb::fresh(backend).await;
        let clock = Arc::new(TestClock::at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let ledger = StoredLedger::new(test.db.clone(), clock.clone(), Arc::new(Nobody), "crm", "members");
        Self { test, clock, ledger }
    }

    fn now(&self) -> DateTime<Utc> {
        application::ports::Clock::now(&*self.clock)
    }

    /// One run: what it did, what was left, how it ended.
    async fn run(&self, tally: Tally, backlog: Backlog, failure: Option<&str>) {
        let begun_at = self.now();
        let before = self.ledger.begin(Mode::Triggers).await.unwrap();
        self.ledger.count(begun_at, &tally).await.unwrap();
        let counted = !tally.is_nothing_new();
        let end = RunEnd { begun_at, counted, backlog: Some(&backlog), failure };
        self.ledger.end(&before, &end).await.unwrap();
    }

    async fn state(&self) -> SourceState {
        all(&self.test.db).await.unwrap().remove(0)
    }
}

#[rstest]
#[tokio::test]
async fn a_source_where_nothing_happens_costs_a_look_and_no_write(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let desk = Desk::of(backend).await;
    let begun = desk.now();
    let (nothing, idle) = (Tally::default(), Backlog::default());
    desk.run(nothing, idle, None).await;
    let first = desk.state().await;
    assert_eq!((first.since, first.begun_at, first.ended_at), (begun, Some(begun), Some(begun)));
    // A poll meets the rows of the last moment again and again.
    for tally in [nothing, Tally { seen: 3, known: 2, older: 1, ..nothing }] {
        desk.clock.advance(TimeDelta::seconds(2));
        desk.run(tally, idle, None).await;
        assert_eq!(desk.state().await, first, "nobody would learn anything");
    }
    desk.clock.advance(HEARTBEAT);
    desk.run(nothing, idle, None).await;
    let alive = desk.state().await;
    assert_eq!((alive.begun_at, alive.ended_at), (Some(desk.now()), Some(desk.now())));

    desk.clock.advance(TimeDelta::seconds(2));
    desk.run(Tally { seen: 2, registered: 1, parked: 1, ..nothing }, Backlog { parked: 1, ..idle }, None)
        .await;
    let told = desk.state().await;
    assert_eq!((told.rows_seen, told.registered, told.parked, told.aside()), (2, 1, 1, 1));
    assert_eq!(told.ended_at, Some(desk.now()));
}

#[rstest]
#[tokio::test]
async fn a_failure_stands_with_the_moment_it_began_until_a_run_ends_well(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let desk = Desk::of(backend).await;
    let idle = Backlog::default();
    desk.run(Tally::default(), idle, None).await;
    desk.clock.advance(TimeDelta::seconds(2));
    let since = desk.now();
    for failure in ["no route", "no route", "refused"] {
        desk.run(Tally::default(), idle, Some(failure)).await;
        let state = desk.state().await;
        assert_eq!((state.failed_at, state.failure.as_deref()), (Some(since), Some(failure)));
        desk.clock.advance(TimeDelta::seconds(100));
    }
    let alarm = desk.state().await.alarm(desk.now(), std::time::Duration::from_mins(5));
    assert_eq!(alarm.map(|alarm| alarm.to_string()).as_deref(), Some("no run has ended well for 300 s"));
    desk.run(Tally::default(), idle, None).await;
    let state = desk.state().await;
    assert_eq!((state.failed_at, state.failure, state.ended_at), (None, None, Some(desk.now())));

    // Members that were not deleted are told until a comparison comes to its end.
    desk.ledger.compared(Some(&Held { gone: 60, known: 100 })).await.unwrap();
    let state = desk.state().await;
    assert_eq!((state.held(), state.reconciled_at), (Some(Held { gone: 60, known: 100 }), None));
    desk.run(Tally::default(), idle, None).await;
    assert!(desk.state().await.held().is_some(), "a run is no comparison");
    desk.ledger.compared(None).await.unwrap();
    let state = desk.state().await;
    assert_eq!((state.held(), state.reconciled_at), (None, Some(desk.now())));
}

#[rstest]
#[tokio::test]
async fn rows_put_aside_are_found_however_many_there_are(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let many = usize::try_from(ASIDE_PAGE).unwrap() + 3;
    let desk = Desk::of(backend).await;
    desk.run(Tally::default(), Backlog::default(), None).await;
    let key = |number: usize| format!("k'{number:05}");
    for number in 0..many {
        desk.ledger.set_aside(&key(number), "status: 不是已知的会员状态").await.unwrap();
    }
    desk.ledger.set_aside(&key(0), "another reason").await.unwrap();
    assert_eq!(desk.state().await.aside(), i64::try_from(many).unwrap());
    let (last, none) = (key(many - 1), key(many));
    let found = desk.ledger.aside(&[&last, &none]).await.unwrap();
    assert_eq!((found.len(), found.contains(&last)), (1, true));
    assert!(desk.ledger.aside(&[]).await.unwrap().is_empty());
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = desk.ledger.aside_page(after.as_deref(), ASIDE_PAGE).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        seen.extend(page);
    }
    assert_eq!(seen.len(), many);
    assert_eq!((seen[0].attempts, seen[0].reason.as_str()), (2, "another reason"));
    desk.ledger.cleared(&last).await.unwrap();
    assert!(desk.ledger.aside(&[&last]).await.unwrap().is_empty());
}
