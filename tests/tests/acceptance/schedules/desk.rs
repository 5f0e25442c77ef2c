//! The real jobs of a process at a scheduler whose looks the story chooses: what it does is done when a look is over, and
//! every run is counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use application::ports::Clock;
use application::schedules::{Grid, Job};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use infrastructure::scheduler::{Runner, ScheduledJob, Turn};
use leadwire::app::App;
use leadwire::lifecycle::{recycling, self_check};
use projections::lead_transfer::{self, LeadTransfer};
use tests::kit::{Node, Setup, Wechat};
use tokio_util::sync::CancellationToken;

/// The 29th of February: the process itself runs no job but at the story's desks.
const NEVER: &str = "0 0 29 2 *";

/// When rules run unless somebody configures something else.
const EACH_HOUR: &str = "0 * * * *";

/// The most that a token may last: stories of schedules take days.
const MONTH_SECONDS: &str = "2592000";

/// A service whose day begins at `at` and in which nothing runs by itself.
pub(super) fn setup(at: DateTime<Utc>) -> Setup {
    let never = |name: &'static str| (name, NEVER.to_owned());
    let more = vec![
        ("LEADWIRE_AUTH__TOKEN_SECONDS", MONTH_SECONDS.to_owned()),
        never("LEADWIRE_SCHEDULES__SELF_CHECK"),
        never("LEADWIRE_SCHEDULES__LEAD_TRANSFER"),
        never("LEADWIRE_SCHEDULES__RECYCLE"),
        never("LEADWIRE_SCHEDULES__FOLLOW_UP_DUE"),
    ];
    Setup { wechat: Wechat::Unconfigured, more, stands_at: Some(at), ..Setup::default() }
}

/// A clock that differs from another one by so much.
struct Beside(Arc<dyn Clock>, TimeDelta);

impl Clock for Beside {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }
}

/// How often each job was run for each period, by all desks of a story.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Runs>>);

/// Job and period, with how often.
type Runs = BTreeMap<(&'static str, DateTime<Utc>), usize>;

impl Tally {
    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, job: &'static str, period: DateTime<Utc>) {
        *self.runs().entry((job, period)).or_default() += 1;
    }

    /// The periods of a job, in order.
    pub(super) fn periods(&self, job: &str) -> Vec<DateTime<Utc>> {
        self.runs().keys().filter(|(name, _)| *name == job).map(|(_, period)| *period).collect()
    }

    /// No period of any job was run twice.
    pub(super) fn each_period_once(&self) {
        let twice: Vec<_> = self.runs().iter().filter(|(_, n)| **n != 1).map(|(key, n)| (*key, *n)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

/// The schedulers of one process.
pub(super) struct Desk {
    runners: Vec<Runner>,
    tally: Tally,
}

/// The real jobs, at `lead_transfers` those of the transfer rules.
fn jobs(
    app: &Arc<App>,
    clock: &Arc<dyn Clock>,
    lead_transfers: &str,
    zone: &str,
) -> Vec<(Job, Arc<dyn ScheduledJob>)> {
    let grid = |text: &str| Grid::parse(text, zone.parse().expect("a zone")).expect("a grid");
    let (bus, limits) = (app.bus.clone(), app.limits().clone());
    let transfers = LeadTransfer::new(bus, app.projections.clone(), limits, Arc::clone(clock));
    vec![
        (lead_transfer::job(grid(lead_transfers)), Arc::new(transfers)),
        (recycling::recycle_job(grid(EACH_HOUR)), Arc::new(recycling::Recycle(Arc::clone(app)))),
        (recycling::follow_up_job(grid("* * * * *")), Arc::new(recycling::FollowUpsDue(Arc::clone(app)))),
        (self_check::job(grid("0 3 * * *")), Arc::new(self_check::SelfCheck(Arc::clone(app)))),
    ]
}

impl Desk {
    /// The desk of a process whose schedulers' clock differs from its own by so much.
    pub(super) async fn open(node: &Node, by: TimeDelta, zone: &str, tally: &Tally) -> Self {
        Self::of(node, (by, EACH_HOUR, zone), tally).await
    }

    /// The desk of a process where the transfer rules run at other moments.
    pub(super) async fn with_grid(node: &Node, lead_transfers: &str, zone: &str, tally: &Tally) -> Self {
        Self::of(node, (TimeDelta::zero(), lead_transfers, zone), tally).await
    }

    async fn of(node: &Node, (by, lead_transfers, zone): (TimeDelta, &str, &str), tally: &Tally) -> Self {
        let app = node.app();
        let clock: Arc<dyn Clock> = Arc::new(Beside(Arc::clone(&app.clock), by));
        let owner = app.ids.next();
        let mut runners = Vec::new();
        for (job, work) in jobs(app, &clock, lead_transfers, zone) {
            let runner = Runner::new(app.db.clone(), Arc::clone(&clock), owner, job, work);
            runner.register().await.expect("the job's row");
            runners.push(runner);
        }
        Self { runners, tally: tally.clone() }
    }

    /// Looks at every job once, and runs what is due to its end.
    pub(super) async fn look(&self) {
        join_all(self.runners.iter().map(|runner| self.turn(runner))).await;
    }

    /// Looks at one job.
    pub(super) async fn look_at(&self, job: &str) -> Option<DateTime<Utc>> {
        let runner = self.runners.iter().find(|runner| runner.job().name == job).expect("the job");
        self.turn(runner).await
    }

    async fn turn(&self, runner: &Runner) -> Option<DateTime<Utc>> {
        match runner.turn(&CancellationToken::new()).await.expect("the job's row") {
            Turn::Nothing => None,
            Turn::Done(period, _) => {
                self.tally.count(runner.job().name, period.0);
                Some(period.0)
            }
            turn => panic!("{}: {turn:?}", runner.job().name),
        }
    }
}
