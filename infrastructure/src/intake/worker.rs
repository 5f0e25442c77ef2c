//! Who drains a source: pass after pass until nothing is left, then a rest; longer and longer rests while the source or our
//! own database cannot be used. Any number of processes may drain the same source.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use application::intake::worker::{
    CLOCKS_DIFFER, Deletions, Desk, Held, KnownMembers, Ledger as _, Outage, Rules, Tally, claimed, looked,
    polled, reconciled,
};
use application::intake::{ClaimOrder, Mapping, Mode, Source, SourceError};
use application::ports::{Clock, Ids, Randomness};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::ledger::{ASIDE_PAGE, RunEnd, StoredLedger, out};
use super::open;
use super::state::SourceState;
use crate::bus::Bus;
use crate::chores;
use crate::db::Db;

mod bell;
mod run;
mod running;

pub use bell::{Asked, Bell, Ended};
pub use run::Run;

/// Rows of one claim: few enough to be done within any lease, and for fresh rows to wait for no more than these.
const CLAIM_ROWS: u32 = 100;

/// Rows that are taken away with one statement.
const PURGE_ROWS: u32 = 1000;

/// How often finished rows are taken away.
const PURGE_EVERY: TimeDelta = TimeDelta::hours(1);

/// How long nobody else begins the comparison that somebody began.
const RECONCILE_AGAIN: Duration = Duration::from_hours(1);

/// One captured table, as the operator describes it.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// What it is called here; part of every member's identity.
    pub name: String,
    /// The address, which may hold a password.
    pub url: SecretString,
    /// The table and what its columns mean.
    pub mapping: Mapping,
    /// How changes become known.
    pub mode: Mode,
    /// Batch, lease, attempts.
    pub rules: Rules,
    /// How long to rest when nothing is left.
    pub interval: Duration,
    /// How long finished rows are kept in the source.
    pub retention: Duration,
    /// How often source and store are compared; `None`: only when somebody asks.
    pub reconcile_every: Option<Duration>,
    /// From which age of the oldest row on somebody should look.
    pub alarm_age: Duration,
}

/// What a worker works with.
#[derive(Clone)]
pub struct Tools {
    /// Takes note of rows.
    pub bus: Bus,
    /// Our own database.
    pub db: Db,
    /// Which members came out of rows.
    pub known: Arc<dyn KnownMembers>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Ids of runs.
    pub ids: Arc<dyn Ids>,
    /// Jitter.
    pub randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

/// How a comparison is meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Comparing {
    /// Members who registered before the first run are taken note of too.
    pub older: bool,
    /// What becomes of very many members whose rows are gone.
    pub deletions: Deletions,
}

/// A run under way.
struct Work {
    begun_at: DateTime<Utc>,
    /// How the table stood; `None` until our own database has told.
    state: Option<SourceState>,
    tally: Tally,
    held: Option<Held>,
}

/// The worker of one source.
pub struct IntakeWorker {
    settings: SourceSettings,
    source: Box<dyn Source>,
    /// What the table is called among those of the source.
    table: String,
    tools: Tools,
    ledger: StoredLedger,
    owner: Uuid,
    bell: Bell,
    /// When finished rows were last taken away, by the stopwatch.
    purged: Mutex<Option<TimeDelta>>,
}

impl fmt::Debug for IntakeWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntakeWorker").field("source", &self.settings.name).finish_non_exhaustive()
    }
}

impl IntakeWorker {
    /// A worker that does nothing yet. Connects with its first run.
    pub fn new(settings: SourceSettings, tools: Tools) -> Result<Self, SourceError> {
        let source = open(settings.url.expose_secret(), settings.mapping.clone())?;
        let (db, clock, known) = (tools.db.clone(), tools.clock.clone(), tools.known.clone());
        let table = settings.mapping.source_table();
        let ledger = StoredLedger::new(db, clock, known, &settings.name, &table);
        let owner = tools.ids.next();
        Ok(Self {
            settings,
            source,
            table,
            tools,
            ledger,
            owner,
            bell: Bell::default(),
            purged: Mutex::default(),
        })
    }

    /// What is set about the source.
    pub fn settings(&self) -> &SourceSettings {
        &self.settings
    }

    /// The source.
    pub fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// What is kept about it.
    pub fn ledger(&self) -> &StoredLedger {
        &self.ledger
    }

    /// Works until nothing is left, our database or the source cannot be used, or `stop` is cancelled.
    pub async fn drain(&self, stop: &CancellationToken) -> Run {
        let mut work = self.work();
        let outage = self.drain_into(&mut work, stop).await.err();
        self.ended(work, outage).await
    }

    async fn drain_into(&self, work: &mut Work, stop: &CancellationToken) -> Result<(), Outage> {
        let state = self.begin(work).await?;
        let run = self.run_name("intake");
        let desk = self.desk(&run, Some(state.since - CLOCKS_DIFFER));
        while !stop.is_cancelled() {
            let (pass, more) = match self.settings.mode {
                Mode::Triggers => self.pass(&desk).await?,
                Mode::Poll => polled(&desk).await?,
            };
            work.tally = work.tally.and(pass);
            self.ledger.count(work.begun_at, &pass).await.map_err(out)?;
            if !more {
                break;
            }
        }
        if self.is_to_reconcile(&state).await? {
            self.compare(&desk, Deletions::Held, work, &|_| {}).await?;
        }
        Ok(())
    }

    fn work(&self) -> Work {
        Work { begun_at: self.tools.clock.now(), state: None, tally: Tally::default(), held: None }
    }

    /// First our own database: without it nothing may be taken from the source.
    async fn begin(&self, work: &mut Work) -> Result<SourceState, Outage> {
        let state = self.ledger.begin(self.settings.mode).await.map_err(out)?;
        work.state = Some(state.clone());
        Ok(state)
    }

    /// One pass over the capture table: at most a batch, the newest and the oldest by turns, so that a fresh member does
    /// not wait behind an import nor an import behind fresh members. Whether there may be more.
    async fn pass(&self, desk: &Desk<'_, Bus>) -> Result<(Tally, bool), Outage> {
        let (owner, batch) = (self.owner.to_string(), u64::from(self.settings.rules.batch.max(1)));
        let (mut tally, mut order) = (Tally::default(), ClaimOrder::NewestFirst);
        while tally.seen < batch {
            let limit = u32::try_from(batch - tally.seen).unwrap_or(u32::MAX).min(CLAIM_ROWS);
            let some = match claimed(desk, &owner, limit, order).await {
                Ok(some) => some,
                // What was done counts; the next pass meets the outage again, if it still is one.
                Err(_) if tally.noted() > 0 => return Ok((tally, true)),
                Err(outage) => return Err(outage),
            };
            if some.seen == 0 {
                return Ok((tally, false));
            }
            tally = tally.and(some);
            order = match order {
                ClaimOrder::NewestFirst => ClaimOrder::OldestFirst,
                ClaimOrder::OldestFirst => ClaimOrder::NewestFirst,
            };
        }
        Ok((tally, true))
    }

    /// Compares source and store.
    pub async fn reconcile(&self, comparing: Comparing, told: &(dyn Fn(&Tally) + Sync)) -> Run {
        let mut work = self.work();
        let outage = self.reconcile_into(comparing, &mut work, told).await.err();
        self.ended(work, outage).await
    }

    async fn reconcile_into(
        &self,
        comparing: Comparing,
        work: &mut Work,
        told: &(dyn Fn(&Tally) + Sync),
    ) -> Result<(), Outage> {
        let state = self.begin(work).await?;
        let run = self.run_name("intake comparison");
        let since = (!comparing.older).then(|| state.since - CLOCKS_DIFFER);
        self.compare(&self.desk(&run, since), comparing.deletions, work, told).await
    }

    /// What was done counts, however the comparison ends.
    async fn compare(
        &self,
        desk: &Desk<'_, Bus>,
        deletions: Deletions,
        work: &mut Work,
        told: &(dyn Fn(&Tally) + Sync),
    ) -> Result<(), Outage> {
        let mut tally = Tally::default();
        let ended = reconciled(desk, deletions, &mut tally, told).await;
        work.tally = work.tally.and(tally);
        self.ledger.count(work.begun_at, &tally).await.map_err(out)?;
        work.held = ended?;
        self.ledger.compared(work.held.as_ref()).await.map_err(out)?;
        if let Some(state) = &mut work.state {
            state.compared(work.held);
        }
        Ok(())
    }

    /// Whether the next comparison is due, and this process's.
    async fn is_to_reconcile(&self, state: &SourceState) -> Result<bool, Outage> {
        let Some(every) = self.settings.reconcile_every else { return Ok(false) };
        let last = state.reconciled_at.unwrap_or(state.since);
        let now = self.tools.clock.now();
        if now - last < TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX) {
            return Ok(false);
        }
        let name = format!("intake_reconcile.{}.{}", state.source, state.table_name);
        chores::claim(&self.tools.db, &name, now, RECONCILE_AGAIN).await.map_err(out)
    }

    /// Lets rows that were put aside be tried again. How many there were in the capture table, and what became of ours.
    pub async fn retry(&self, numbers: Option<&[i64]>) -> Result<(u64, Tally), Outage> {
        let begun_at = self.tools.clock.now();
        self.ledger.begin(self.settings.mode).await.map_err(out)?;
        let captured = match self.settings.mode {
            Mode::Triggers => self.source.retry(numbers).await?,
            Mode::Poll => 0,
        };
        let mut tally = Tally::default();
        let tried = if numbers.is_none() { self.retry_ours(&mut tally).await } else { Ok(()) };
        self.ledger.count(begun_at, &tally).await.map_err(out)?;
        tried.map(|()| (captured, tally))
    }

    /// Tries every row that was put aside here, page by page, each once.
    async fn retry_ours(&self, tally: &mut Tally) -> Result<(), Outage> {
        let run = self.run_name("intake retry");
        let desk = self.desk(&run, None);
        let mut after: Option<String> = None;
        loop {
            let page = self.ledger.aside_page(after.as_deref(), ASIDE_PAGE).await.map_err(out)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key.clone());
            for row in page {
                let one = looked(&desk, &row.key).await?;
                if one.parked == 0 {
                    self.ledger.cleared(&row.key).await?;
                }
                *tally = tally.and(one);
            }
        }
    }

    fn desk<'d>(&'d self, run: &'d str, since: Option<DateTime<Utc>>) -> Desk<'d, Bus> {
        Desk {
            bus: &self.tools.bus,
            source: &*self.source,
            ledger: &self.ledger,
            name: &self.settings.name,
            table: &self.table,
            rules: &self.settings.rules,
            clock: &*self.tools.clock,
            randomness: &*self.tools.randomness,
            run,
            since,
        }
    }

    fn run_name(&self, what: &str) -> String {
        format!("{what} {} {}", self.settings.name, self.tools.ids.next())
    }

    /// Asks the source what is left, takes away what is long finished, and writes down how the run went.
    async fn ended(&self, work: Work, outage: Option<Outage>) -> Run {
        let Work { begun_at, state, tally, held } = work;
        let mut run = Run { tally, purged: 0, backlog: None, held, alarm: None, outage };
        if self.settings.mode == Mode::Triggers && !matches!(run.outage, Some(Outage::Source(_))) {
            match self.source.backlog().await {
                Ok(backlog) => run.backlog = Some(backlog),
                Err(error) => run.outage = run.outage.or(Some(error.into())),
            }
            run.purged = self.purge().await;
        }
        let Some(state) = state else { return run };
        let failure = run.outage.as_ref().map(ToString::to_string);
        let counted = !run.tally.is_nothing_new();
        let end = RunEnd { begun_at, counted, backlog: run.backlog.as_ref(), failure: failure.as_deref() };
        let state = match self.ledger.end(&state, &end).await {
            Ok(after) => after,
            Err(error) => {
                run.outage = run.outage.or_else(|| Some(out(error)));
                state
            }
        };
        run.alarm = state.alarm(self.tools.clock.now(), self.settings.alarm_age);
        run
    }

    /// Takes away rows that were finished long ago. What cannot be taken away now can be later.
    async fn purge(&self) -> u64 {
        let now = self.tools.clock.stopwatch();
        let mut last = self.purged.lock().await;
        if last.is_some_and(|last| now - last < PURGE_EVERY) {
            return 0;
        }
        *last = Some(now);
        let mut purged = 0;
        loop {
            match self.source.purge(self.settings.retention.as_secs(), PURGE_ROWS).await {
                Ok(some) => {
                    purged += some;
                    if some < u64::from(PURGE_ROWS) {
                        return purged;
                    }
                }
                Err(error) => {
                    tracing::warn!(intake.source = %self.settings.name, %error, "finished rows could not be taken away");
                    return purged;
                }
            }
        }
    }
}
