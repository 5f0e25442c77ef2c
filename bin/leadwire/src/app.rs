//! What every request sees: the settings, the command bus, the read side, and the ports.
//!
//! Built once by [`crate::wiring`]; handlers take it as `State<SharedApp>`.

use std::sync::Arc;

use application::bus::LoadError;
use application::customers::Limits;
use application::ports::{Clock, CustomerNumbers, Ids, Randomness};
use application::recycling::limits_in_force;
use infrastructure::bus::Bus;
use infrastructure::db::Db;
use infrastructure::intake::IntakeWorker;
use projections::Projections;
use tokio_util::sync::CancellationToken;

use crate::auth::Auth;
use crate::config::Settings;
use crate::http::RecentWrites;
use crate::http::callbacks::Callbacks;
use crate::lifecycle::{Errands, Health};
use crate::metrics::Metrics;

/// The state of the router.
pub type SharedApp = Arc<App>;

/// One running process, as its handlers see it.
pub struct App {
    /// What the operator set.
    pub settings: Settings,
    /// Loads aggregates and appends commands.
    pub bus: Bus,
    /// The database, for the queries of the read side.
    pub db: Db,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn Ids>,
    /// Chance, for jitter.
    pub randomness: Arc<dyn Randomness>,
    /// Customer numbers.
    pub numbers: Arc<dyn CustomerNumbers>,
    /// The read side: what it has taken in so far.
    pub projections: Projections,
    /// Tokens, passwords and failed log-ins: `Auth::new(&settings, db.clone(), clock)`.
    pub auth: Auth,
    /// Position of each person's last command on this node, for reading one's own writes.
    pub writes: RecentWrites,
    /// What WeChat and WeCom tell us by themselves.
    pub callbacks: Callbacks,
    /// What this process counts.
    pub metrics: Arc<Metrics>,
    /// What runs in the background, and whether it still does.
    pub health: Health,
    /// Who drains the sources that members are captured from.
    pub intake: Intake,
    /// What requests began and goes on after their answers.
    pub errands: Errands,
    /// Cancelled when the service stops: open sockets and waiting reads end.
    pub stop: CancellationToken,
}

/// The workers of sources of members.
#[derive(Debug)]
pub struct Intake {
    /// One a source.
    pub workers: Vec<Arc<IntakeWorker>>,
    /// Whether they work in this process.
    pub running: bool,
}

impl App {
    /// What the configuration holds people to. What holds now is [`limits_in_force`](Self::limits_in_force); the zone is
    /// the configuration's alone.
    pub fn limits(&self) -> &Limits {
        &self.settings.limits.limits
    }

    /// What people are held to now: the rules of the pool over the configuration.
    pub async fn limits_in_force(&self) -> Result<Limits, LoadError> {
        limits_in_force(&self.bus, self.limits()).await
    }
}
