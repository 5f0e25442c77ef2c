//! Makes what was there hours ago: people, their leads, rules, and a job that missed its period. Nobody is told of how it
//! came.

use std::sync::Arc;

use anyhow::{Result, ensure};
use application::access::Caller;
use application::bus::{CommandContext, StreamAppend};
use application::customers::Limits;
use application::forms::CreateCustomer;
use application::imports::{self, Import, PlacedRow};
use application::ports::{Clock, Ids as _};
use application::schedules::{Grid, Job, Period};
use application::staff;
use async_trait::async_trait;
use chrono::{DateTime, DurationRound as _, TimeDelta, Timelike as _, Utc};
use domain::contact::{Phone, WecomUserId};
use domain::customer::{ContractStatus, LeadLevel, LeadSource, Profile};
use domain::staff::{Role, StaffCommand};
use domain::{Actor, BatchId, CommandId, Metadata, StaffId};
use infrastructure::bus::Bus;
use infrastructure::clock::SystemClock;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::scheduler::{JobError, Runner, ScheduledJob};
use infrastructure::unique_values::StoredValues;
use infrastructure::upcasters::Upcasters;
use projections::Projections;
use tokio_util::sync::CancellationToken;
use wechat_simulator::{DEMO_CORP, SimulatorHandle};

use crate::crash::service::Address;

/// How long ago the period was that is made up for.
const MISSED: TimeDelta = TimeDelta::minutes(10);

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: StaffId,
    pub(crate) username: String,
    /// Who they are to `WeCom`.
    pub(crate) wecom: String,
    pub(crate) token: String,
}

/// Makes it, in a database that no process serves yet.
pub(crate) struct Maker<'m> {
    pub(crate) bus: Bus,
    db: Db,
    log: EventLog,
    address: &'m Address,
    wechat: &'m SimulatorHandle,
    now: DateTime<Utc>,
    /// How long ago everything came.
    idle: TimeDelta,
}

/// A grid with one moment a day, some minutes ago: nothing becomes due while a run is looked at.
pub(crate) fn missed_grid(now: DateTime<Utc>) -> Grid {
    let zone = Limits::default().zone;
    let local = (now - MISSED).with_timezone(&zone);
    let cron = format!("{} {} * * *", local.minute(), local.hour());
    Grid::parse(&cron, zone).expect("minute and hour are a cron expression")
}

impl<'m> Maker<'m> {
    /// Makes the tables of a new database.
    pub(crate) async fn open(
        url: &str,
        address: &'m Address,
        wechat: &'m SimulatorHandle,
        (now, idle): (DateTime<Utc>, TimeDelta),
    ) -> Result<Self> {
        let db = Db::connect(url, DbOptions::default()).await?;
        db.migrate().await?;
        projections::migrate(&db, &SystemClock).await?;
        let log = EventLog::start(db.clone());
        let bus = Bus::new(log.clone(), Arc::new(Upcasters::none()));
        Ok(Self { bus, db, log, address, wechat, now, idle })
    }

    /// Lets go of the database.
    pub(crate) async fn close(self) {
        self.log.close().await;
        self.db.close().await;
    }

    /// The moment at which everything came.
    pub(crate) fn then(&self) -> DateTime<Utc> {
        self.now - self.idle
    }

    /// The read models, as another process would bring them up to date.
    pub(crate) fn read_side(&self) -> Projections {
        let owner = TimeOrderedIds.next();
        Projections::new(self.log.clone(), Arc::new(SystemClock), owner, Arc::new(Upcasters::none()))
    }

    fn context(&self, by: Actor) -> CommandContext {
        let command = CommandId(TimeOrderedIds.next());
        let metadata = Metadata { command, correlation: command.to_string(), causation: None, actor: by };
        CommandContext { metadata, at: self.then(), fingerprint: None }
    }

    /// Somebody with an account, whom `WeCom` reaches.
    pub(crate) async fn hire(&self, username: &str, role: Role) -> Result<Person> {
        let id = StaffId(TimeOrderedIds.next());
        let by = || Actor::System("test".to_owned());
        let at = self.then();
        let register = StaffCommand::Register {
            username: username.to_owned(),
            name: username.to_owned(),
            role,
            department: None,
            phone: None,
            email: None,
            by: by(),
            at,
        };
        staff::command(&self.bus, &self.context(by()), id, register).await?;
        let wecom = format!("Run-{username}");
        let user = WecomUserId::parse(&wecom)?;
        let bind = StaffCommand::BindWecom { corp: DEMO_CORP.to_owned(), user, by: by(), at };
        staff::command(&self.bus, &self.context(by()), id, bind).await?;
        self.wechat.add_wecom_user(DEMO_CORP, &wecom);
        let token = self.address.token(id, username, role)?;
        Ok(Person { id, username: username.to_owned(), wecom, token })
    }

    /// Leads of these people in turn, as an import of that time made them.
    pub(crate) async fn import(&self, by: &Person, owners: &[Person], leads: usize) -> Result<()> {
        let row = |(n, owner): (usize, &Person)| -> Result<PlacedRow> {
            let profile = Profile {
                name: format!("客户{n:05}"),
                phone: Some(Phone::parse(&format!("138{n:08}"))?),
                lead_source: Some(LeadSource::Douyin),
                ..Profile::default()
            };
            let form = CreateCustomer {
                profile,
                contract_status: ContractStatus::Pending,
                lead_level: LeadLevel::A,
                assigned_to: None,
                assignment_reason: None,
            };
            Ok(PlacedRow { number: u32::try_from(n + 2)?, form, owner: Ok(owner.id), named: true })
        };
        let rows = (0..leads).zip(owners.iter().cycle()).map(row).collect::<Result<Vec<_>>>()?;
        let context = self.context(Actor::Staff(by.id));
        let import = Import { batch: BatchId(context.metadata.command.0), rows };
        let caller = Caller {
            id: by.id,
            username: by.username.clone(),
            name: by.username.clone(),
            role: Role::Manager,
        };
        let (unique, numbers) = (StoredValues::new(self.db.clone()), StoredNumbers::new(self.db.clone()));
        let stores =
            imports::Stores { bus: &self.bus, unique: &unique, numbers: &numbers, ids: &TimeOrderedIds };
        let done = imports::run(&stores, &caller, &context, &import).await?;
        ensure!(done.created == leads, "{} of {leads} leads were imported", done.created);
        Ok(())
    }

    /// Appends the first event of a stream.
    pub(crate) async fn begin_stream(&self, by: &Person, stream: StreamAppend) -> Result<()> {
        let CommandContext { metadata, at, .. } = self.context(Actor::Staff(by.id));
        let streams = vec![stream];
        let draft =
            application::bus::Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None };
        self.log.append(draft).await?;
        Ok(())
    }

    /// A process that was there before the period knew the job; it did not live to see the period.
    pub(crate) async fn know_the_job(&self, job: Job) -> Result<()> {
        let before = (self.now - MISSED * 2).duration_trunc(TimeDelta::minutes(1))?;
        let clock: Arc<dyn Clock> = Arc::new(Standing(before));
        let owner = TimeOrderedIds.next();
        Ok(Runner::new(self.db.clone(), clock, owner, job, Arc::new(NeverRun)).register().await?)
    }
}

/// A clock that stands.
struct Standing(DateTime<Utc>);

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

/// The work of a process that only made its jobs known.
struct NeverRun;

#[async_trait]
impl ScheduledJob for NeverRun {
    async fn run(&self, _: Period, _: CancellationToken) -> Result<String, JobError> {
        Err(JobError::Stopped)
    }
}
