//! The database with everything that reads and writes it, and nothing that runs by itself: what the command line
//! works with, and what the service builds on.

use std::sync::Arc;

use infrastructure::bus::Bus;
use infrastructure::db::{Db, DbError};
use infrastructure::event_log::EventLog;
use infrastructure::recount;
use projections::{Projections, policy_runner};

use super::Ports;
use super::upcasters::upcasters;

/// A migrated database, its log, its command bus and its read side.
#[derive(Debug, Clone)]
pub struct Store {
    /// Loads aggregates and appends commands.
    pub bus: Bus,
    /// Read models and consumers.
    pub projections: Projections,
}

impl Store {
    /// Brings the schema up to date and starts the appender.
    pub async fn open(db: Db, ports: &Ports) -> Result<Self, DbError> {
        db.migrate().await?;
        projections::migrate(&db, ports.clock.as_ref()).await?;
        let store = Self::over(db, ports);
        // Before the first command of this process: a store may be older than a count that limits are held to.
        if recount::recount_once(store.bus.log(), store.bus.upcasters()).await? {
            tracing::info!("the leads of every person were counted");
        }
        // Known before the first command can be accepted, by whomever, so that none goes unanswered.
        policy_runner::register(store.bus.log(), store.projections.consumers()).await?;
        Ok(store)
    }

    /// Takes the database as it is: for commands that only read.
    pub fn over(db: Db, ports: &Ports) -> Self {
        let upcasters = Arc::new(upcasters());
        let log = EventLog::start(db);
        let bus = Bus::new(log.clone(), upcasters.clone());
        let projections = Projections::new(log, ports.clock.clone(), ports.ids.next(), upcasters);
        Self { bus, projections }
    }

    /// The database underneath.
    pub fn db(&self) -> &Db {
        self.bus.log().db()
    }

    /// Commits what waits, and lets go of the database.
    pub async fn close(&self) {
        self.bus.log().close().await;
        self.db().close().await;
    }
}
