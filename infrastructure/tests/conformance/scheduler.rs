//! Jobs over any number of processes: each period once, whatever clocks say and whoever dies (spec/faults.md F9).

use std::sync::{Arc, Mutex};

use application::schedules::{Grid, Job, Misfire, Period};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use infrastructure::clock::TestClock;
use infrastructure::db::Db;
use infrastructure::scheduler::{
    self, ATTEMPTS_MAX, JobError, LOOKS_MAX, Runner, ScheduleRow, ScheduleState, ScheduledJob, Turn,
};
use rstest::rstest;
use sqlx::{Executor, SqlStr};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::kit::{Backend, TestDb};

/// 2027-01-15, 08:00 in UTC: a moment of the hourly grid.
const EIGHT: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Succeed,
    Fail,
    Panic,
    /// Wait until it is told to stop, or for ever.
    Hang,
}

/// Writes down every period it is run for.
struct Work {
    does: Mutex<Does>,
    begun: Mutex<Vec<Period>>,
    begins: Notify,
}

impl Work {
    fn does(&self, what: Does) {
        *self.does.lock().unwrap() = what;
    }

    fn begun(&self) -> Vec<DateTime<Utc>> {
        self.begun.lock().unwrap().iter().map(|period| period.0).collect()
    }
}

#[async_trait]
impl ScheduledJob for Work {
    async fn run(&self, period: Period, stop: CancellationToken) -> Result<String, JobError> {
        self.begun.lock().unwrap().push(period);
        self.begins.notify_one();
        let does = *self.does.lock().unwrap();
        match does {
            Does::Succeed => Ok(format!("did {period}")),
            Does::Fail => Err(JobError::Failed("the wind blew".to_owned())),
            Does::Panic => panic!("on purpose"),
            Does::Hang => {
                stop.cancelled().await;
                Err(JobError::Stopped)
            }
        }
    }
}

/// One database, one job, any number of processes with clocks of their own.
struct World {
    test: TestDb,
    work: Arc<Work>,
    clock: Arc<TestClock>,
}

impl World {
    /// At half past eight; the job is known and has nothing to make up for.
    async fn new(backend: Backend) -> Self {
        let work = Work { does: Mutex::new(Does::Succeed), begun: Mutex::default(), begins: Notify::new() };
        let clock = Arc::new(TestClock::at(EIGHT + TimeDelta::minutes(30)));
        let world = Self { test: TestDb::fresh(backend).await, work: Arc::new(work), clock };
        world.process(0).register().await.unwrap();
        world
    }

    fn process(&self, n: u128) -> Runner {
        self.process_with(n, self.clock.clone(), Misfire::RunOnce)
    }

    fn process_with(&self, n: u128, clock: Arc<TestClock>, misfire: Misfire) -> Runner {
        let grid = Grid::parse("0 * * * *", chrono_tz::Asia::Shanghai).unwrap();
        let job = Job { name: "hourly", grid, misfire };
        Runner::new(self.test.db.clone(), clock, Uuid::from_u128(n), job, self.work.clone())
    }

    async fn row(&self) -> ScheduleRow {
        scheduler::all(&self.test.db).await.unwrap().into_iter().next().unwrap()
    }

    fn hours_later(&self, hours: i64) {
        self.clock.advance(TimeDelta::hours(hours));
    }
}

fn hour(n: i64) -> DateTime<Utc> {
    EIGHT + TimeDelta::hours(n)
}

fn running() -> CancellationToken {
    CancellationToken::new()
}

async fn turn(process: &Runner) -> Turn {
    process.turn(&running()).await.unwrap()
}

/// Looks so often that an owner without a sign of life is taken for dead; what the last look found.
async fn wait_for_the_lease(process: &Runner) -> Turn {
    for _ in 0..LOOKS_MAX {
        assert_eq!(turn(process).await, Turn::Nothing, "taken over too early");
    }
    turn(process).await
}

#[rstest]
#[tokio::test]
async fn every_statement_prepares(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let test = TestDb::fresh(backend).await;
    for sql in scheduler::STATEMENTS {
        let prepared = match &test.db {
            Db::Sqlite(sqlite) => sqlite.reader().prepare(SqlStr::from_static(sql)).await.map(drop),
            Db::Postgres(pool) => pool.prepare(SqlStr::from_static(sql)).await.map(drop),
        };
        assert!(prepared.is_ok(), "{sql}\n{prepared:?}");
    }
}

#[rstest]
#[tokio::test]
async fn a_new_job_begins_with_its_next_period_and_registering_again_changes_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let process = world.process(1);
    assert_eq!(turn(&process).await, Turn::Nothing);
    let row = world.row().await;
    assert_eq!((row.period, row.state()), (hour(0), ScheduleState::Waiting));
    assert_eq!(row.next(EIGHT), Some(Period(hour(1))));
    assert_eq!((row.cron.as_str(), row.zone.as_str()), ("0 * * * *", "Asia/Shanghai"));
    world.hours_later(1);
    world.process(2).register().await.unwrap();
    assert_eq!(turn(&process).await, Turn::Done(Period(hour(1)), "did 2027-01-15T09:00:00Z".to_owned()));
    world.process(3).register().await.unwrap();
    let row = world.row().await;
    assert_eq!((row.period, row.done, row.succeeded), (hour(1), true, Some(true)));
    assert_eq!((row.ended_period, row.owner), (Some(hour(1)), None));
    assert_eq!(row.next(hour(0)), Some(Period(hour(2))), "never a period that was run");
    assert_eq!(turn(&process).await, Turn::Nothing);
}

/// Three processes, clocks five minutes apart, one of which leaps to the next day and back.
#[rstest]
#[tokio::test]
async fn three_processes_run_each_period_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let start = EIGHT + TimeDelta::minutes(30);
    let clocks: Vec<_> =
        [-5, 0, 5].iter().map(|skew| Arc::new(TestClock::at(start + TimeDelta::minutes(*skew)))).collect();
    let processes: Vec<_> =
        (1..).zip(&clocks).map(|(n, clock)| world.process_with(n, clock.clone(), Misfire::RunOnce)).collect();
    for _ in 0..300 {
        for clock in &clocks {
            clock.advance(TimeDelta::minutes(1));
        }
        let (a, b, c) = tokio::join!(turn(&processes[0]), turn(&processes[1]), turn(&processes[2]));
        let ran = [a, b, c].into_iter().filter(|turn| *turn != Turn::Nothing).count();
        assert!(ran <= 1, "a period was run twice");
    }
    assert_eq!(world.work.begun(), [hour(1), hour(2), hour(3), hour(4), hour(5)]);

    clocks[2].advance(TimeDelta::days(1));
    assert!(matches!(turn(&processes[2]).await, Turn::Done(..)), "the leap is one late period");
    clocks[2].advance(TimeDelta::days(-1));
    for process in &processes {
        assert_eq!(turn(process).await, Turn::Nothing);
    }
    let begun = world.work.begun();
    assert_eq!(begun.len(), 6);
    assert_eq!(begun[5], hour(5) + TimeDelta::days(1));
}

/// The service is started again with another zone, where full hours are a quarter past.
#[rstest]
#[tokio::test]
async fn another_grid_begins_with_its_next_moment(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    let grid = Grid::parse("0 * * * *", chrono_tz::Asia::Kathmandu).unwrap();
    let job = Job { name: "hourly", grid, misfire: Misfire::RunOnce };
    let moved =
        Runner::new(world.test.db.clone(), world.clock.clone(), Uuid::from_u128(9), job, world.work.clone());
    moved.register().await.unwrap();
    assert_eq!(turn(&moved).await, Turn::Nothing, "a quarter past eight was no period when it came");
    world.clock.set(hour(1) + TimeDelta::minutes(14));
    assert_eq!(turn(&moved).await, Turn::Nothing);
    world.clock.set(hour(1) + TimeDelta::minutes(15));
    assert!(matches!(turn(&moved).await, Turn::Done(..)));
    assert_eq!(world.work.begun(), [hour(1) + TimeDelta::minutes(15)]);
    // Registering the same again passes over nothing, and what was begun under another grid is carried on.
    world.hours_later(1);
    moved.register().await.unwrap();
    let begun = moved.claim().await.unwrap().unwrap();
    assert_eq!(begun.period.0, hour(2) + TimeDelta::minutes(15));
    world.hours_later(1);
    world.process(1).register().await.unwrap();
    assert_eq!(world.row().await.period, begun.period.0);
    assert_eq!(world.row().await.state(), ScheduleState::Running);
}

#[rstest]
#[tokio::test]
async fn what_nobody_ran_is_run_once_or_skipped(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.hours_later(50);
    let later_than = TimeDelta::minutes(29);
    let skips = world.process_with(1, world.clock.clone(), Misfire::Skip { later_than });
    assert_eq!(turn(&skips).await, Turn::Nothing, "thirty minutes late is too late");
    assert!(matches!(turn(&world.process(2)).await, Turn::Done(..)));
    assert_eq!(world.work.begun(), [hour(50)]);
    world.clock.set(hour(51) + later_than);
    assert!(matches!(turn(&skips).await, Turn::Done(..)));
    assert_eq!(world.work.begun(), [hour(50), hour(51)]);
}

/// The future is dropped in the middle of a run, as a killed process leaves it.
#[rstest]
#[tokio::test]
async fn a_period_whose_process_died_is_carried_on_after_the_lease(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.hours_later(1);
    world.work.does(Does::Hang);
    let dies = world.process(1);
    let stop = running();
    tokio::select! {
        turn = dies.turn(&stop) => panic!("it ended: {turn:?}"),
        () = world.work.begins.notified() => {}
    }
    world.work.does(Does::Succeed);
    // Meanwhile the next period has come; the unfinished one goes first.
    world.hours_later(1);
    let other = world.process(2);
    assert_eq!(
        wait_for_the_lease(&other).await,
        Turn::Done(Period(hour(1)), "did 2027-01-15T09:00:00Z".into())
    );
    assert_eq!(world.row().await.attempt, 2);
    assert!(matches!(turn(&other).await, Turn::Done(period, _) if period.0 == hour(2)));
    assert_eq!(world.work.begun(), [hour(1), hour(1), hour(2)]);
}

#[rstest]
#[tokio::test]
async fn who_lives_keeps_the_period_and_who_was_taken_for_dead_cannot_end_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.hours_later(1);
    let (slow, other) = (world.process(1), world.process(2));
    let claimed = slow.claim().await.unwrap().unwrap();
    // However often somebody looks: it lives. The other's clock is a day ahead, which changes nothing.
    let ahead = Arc::new(TestClock::at(hour(30)));
    let impatient = world.process_with(3, ahead, Misfire::RunOnce);
    assert_eq!(world.row().await.state(), ScheduleState::Running);
    for _ in 0..4 * LOOKS_MAX {
        assert!(slow.beat(&claimed).await.unwrap());
        assert_eq!((turn(&other).await, turn(&impatient).await), (Turn::Nothing, Turn::Nothing));
    }
    // Now it sleeps, is taken for dead, and wakes up.
    assert!(matches!(wait_for_the_lease(&world.process(4)).await, Turn::Done(..)));
    assert!(!slow.beat(&claimed).await.unwrap());
    assert_eq!(slow.end(&claimed, Ok("late")).await.unwrap(), Turn::Lost(Period(hour(1))));
    let row = world.row().await;
    assert_eq!(row.outcome.as_deref(), Some("did 2027-01-15T09:00:00Z"));
    assert_eq!((row.done, row.owner), (true, None));
    assert_eq!(world.work.begun(), [hour(1)]);
}

#[rstest]
#[tokio::test]
async fn two_that_take_over_at_once_are_one(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    world.hours_later(1);
    let dead = world.process(1).claim().await.unwrap().unwrap();
    let heirs: Vec<_> = (2..6).map(|n| world.process(n)).collect();
    for _ in 0..LOOKS_MAX {
        for heir in &heirs {
            assert_eq!(turn(heir).await, Turn::Nothing);
        }
    }
    let claims = tokio::join!(heirs[0].claim(), heirs[1].claim(), heirs[2].claim(), heirs[3].claim());
    let claims: [_; 4] = claims.into();
    let taken: Vec<_> = claims.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(taken.iter().map(|claimed| claimed.period).collect::<Vec<_>>(), [dead.period]);
}

#[rstest]
#[tokio::test]
async fn a_failure_is_tried_again_later_and_given_up_in_the_end(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values(Does::Fail, Does::Panic)] does: Does,
) {
    let world = World::new(backend).await;
    world.hours_later(1);
    world.work.does(does);
    let process = world.process(1);
    for attempt in 1..=ATTEMPTS_MAX {
        assert!(matches!(turn(&process).await, Turn::Failed(..)));
        let row = world.row().await;
        assert_eq!((row.attempt, row.succeeded, row.owner), (attempt, Some(false), None));
        let state = if attempt == ATTEMPTS_MAX { ScheduleState::Waiting } else { ScheduleState::Retrying };
        assert_eq!(row.state(), state);
        assert_eq!(turn(&process).await, Turn::Nothing, "at once again is too early");
        world.clock.set(row.retry_at.unwrap_or(hour(1)).max(hour(1) + TimeDelta::minutes(30)));
    }
    world.work.does(Does::Succeed);
    assert_eq!(turn(&process).await, Turn::Nothing);
    world.clock.set(hour(2));
    assert!(matches!(turn(&process).await, Turn::Done(period, _) if period.0 == hour(2)));
}

#[rstest]
#[tokio::test]
async fn a_period_that_kills_every_process_is_given_up(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.hours_later(1);
    for n in 1..=ATTEMPTS_MAX.unsigned_abs() {
        let process = world.process(n.into());
        let looks = if n == 1 { 0 } else { LOOKS_MAX };
        for _ in 0..looks {
            assert_eq!(process.claim().await.unwrap(), None);
        }
        assert!(process.claim().await.unwrap().is_some());
    }
    let last = world.process(99);
    assert_eq!(wait_for_the_lease(&last).await, Turn::Nothing);
    let row = world.row().await;
    assert_eq!((row.done, row.succeeded, row.owner), (true, Some(false), None));
    assert!(row.outcome.unwrap().starts_with("given up"));
}

#[rstest]
#[tokio::test]
async fn who_stops_gives_the_period_back_at_once(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let world = World::new(backend).await;
    world.hours_later(1);
    world.work.does(Does::Hang);
    let (stop, process) = (running(), world.process(1));
    let stopping = async {
        world.work.begins.notified().await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(process.turn(&stop), stopping);
    assert_eq!(ended.unwrap(), Turn::Stopped(Period(hour(1))));
    world.work.does(Does::Succeed);
    assert!(matches!(turn(&world.process(2)).await, Turn::Done(period, _) if period.0 == hour(1)));
    assert_eq!(world.row().await.attempt, 1, "a stop is no attempt");
}

/// The loop itself: it runs what is due, and ends when it is told to.
#[rstest]
#[tokio::test]
async fn the_loop_runs_what_is_due_and_stops(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let world = World::new(backend).await;
    world.hours_later(1);
    world.work.does(Does::Hang);
    let (stop, process) = (running(), world.process(1));
    let story = async {
        world.work.begins.notified().await;
        stop.cancel();
    };
    tokio::join!(process.run(stop.clone()), story);
    assert_eq!(world.work.begun(), [hour(1)]);
    let row = world.row().await;
    assert_eq!((row.state(), row.owner), (ScheduleState::Interrupted, None));
}
