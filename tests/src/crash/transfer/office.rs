//! The people, their leads and the rule. Everything was there hours ago: the leads lie about, and nobody is to be told
//! of how they came. For a scheduled run, every process was down since before its period.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use application::access::Caller;
use application::bus::{CommandContext, StreamAppend};
use application::customers::Limits;
use application::forms::CreateCustomer;
use application::imports::{self, Import, PlacedRow};
use application::ports::{Clock, Ids as _};
use application::schedules::Grid;
use application::staff;
use chrono::{DateTime, DurationRound as _, TimeDelta, Timelike as _, Utc};
use domain::contact::{Phone, WecomUserId};
use domain::customer::{ContractStatus, LeadLevel, LeadSource, Profile};
use domain::staff::{Role, StaffCommand};
use domain::transfer_rule::{
    Conditions, Distribution, RuleText, Strategy, TargetModule, TransferRuleCreated, TransferRuleEvent,
    Window,
};
use domain::{Actor, BatchId, CommandId, Metadata, StaffId, TransferRuleId};
use infrastructure::bus::Bus;
use infrastructure::clock::SystemClock;
use infrastructure::customer_numbers::StoredNumbers;
use infrastructure::db::{Db, DbOptions};
use infrastructure::event_log::EventLog;
use infrastructure::ids::TimeOrderedIds;
use infrastructure::scheduler::Runner;
use infrastructure::unique_values::StoredValues;
use infrastructure::upcasters::Upcasters;
use projections::Projections;
use projections::lead_transfer::{self, LeadTransfer};
use wechat_simulator::{DEMO_CORP, SimulatorHandle};

use super::{Occasion, Options};
use crate::crash::client::Api;
use crate::crash::service::Address;
use crate::scratch::ScratchDatabase;

/// Whose leads are handed on; the last one gets leads as well.
const SOURCES: usize = 5;
/// Who gets them besides, one of whom has little room.
const TARGETS: usize = 5;
/// Of how many leads the one with little room gets one at the most.
const LITTLE_ROOM: usize = 20;

/// How long the leads have lain about.
const IDLE: TimeDelta = TimeDelta::hours(5);
/// How long ago the period was that is made up for.
const MISSED: TimeDelta = TimeDelta::minutes(10);

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: StaffId,
    pub(super) username: String,
    /// Who they are to `WeCom`.
    pub(super) wecom: String,
    pub(super) token: String,
}

/// Everything that was there.
#[derive(Debug)]
pub(super) struct Office {
    /// Where the first process is.
    pub(super) address: Address,
    pub(super) manager: Person,
    /// In no list of the rule.
    pub(super) outsider: Person,
    /// Everybody in a list of the rule.
    pub(super) people: Vec<Person>,
    pub(super) rule: TransferRuleId,
    /// Who owns how many at the most.
    pub(super) little_room: (StaffId, i64),
}

/// Makes it.
struct Maker<'m> {
    bus: Bus,
    db: Db,
    log: EventLog,
    address: &'m Address,
    wechat: &'m SimulatorHandle,
    now: DateTime<Utc>,
}

impl Office {
    pub(super) async fn open(
        database: &ScratchDatabase,
        options: &Options,
        simulator: &str,
        wechat: &SimulatorHandle,
    ) -> Result<Self> {
        let now = SystemClock.now();
        let little_room = (options.leads / LITTLE_ROOM).max(1);
        let grid = grid(now);
        let address = Address::new(&options.program, database, simulator)?
            .with_every_channel(simulator)
            .with("LEADWIRE_ROUTES__LEAD_AUTO_TRANSFER_IN", "wecom_app")
            .with("LEADWIRE_ROUTES__LEAD_AUTO_TRANSFER_OUT", "wecom_app")
            .with("LEADWIRE_LIMITS__HOLDING_CAP", "1000000")
            .with("LEADWIRE_LIMITS__HOLDING_CAP_BY_ROLE", format!("dispatch={little_room}"))
            .with("LEADWIRE_SCHEDULES__LEAD_TRANSFER", grid.text())
            .with("LEADWIRE_LOG__FILTER", "info,sqlx=warn,infrastructure::scheduler=debug");
        let db = Db::connect(database.url(), DbOptions::default()).await?;
        db.migrate().await?;
        projections::migrate(&db, &SystemClock).await?;
        let log = EventLog::start(db.clone());
        let bus = Bus::new(log.clone(), Arc::new(Upcasters::none()));
        let maker = Maker { bus, db, log, address: &address, wechat, now };
        let office = maker.make(options, little_room, grid).await;
        maker.log.close().await;
        maker.db.close().await;
        let (manager, outsider, people, rule) = office?;
        let little = people.last().context("nobody is there")?.id;
        let little_room = (little, i64::try_from(little_room)?);
        Ok(Self { address, manager, outsider, people, rule, little_room })
    }

    /// The manager at a process.
    pub(super) fn manager(&self, address: &Address) -> Result<Api> {
        Api::with_token(address, &self.manager.token)
    }

    /// A name for reports.
    pub(super) fn name(&self, id: StaffId) -> String {
        let everybody = self.people.iter().chain([&self.manager, &self.outsider]);
        let known = everybody.into_iter().find(|person| person.id == id);
        known.map_or_else(|| id.to_string(), |person| person.username.clone())
    }
}

/// Once a day, some minutes ago: nothing becomes due while the run is looked at.
fn grid(now: DateTime<Utc>) -> Grid {
    let zone = Limits::default().zone;
    let local = (now - MISSED).with_timezone(&zone);
    let cron = format!("{} {} * * *", local.minute(), local.hour());
    Grid::parse(&cron, zone).expect("minute and hour are a cron expression")
}

/// A clock that stands.
struct Standing(DateTime<Utc>);

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}

impl Maker<'_> {
    async fn make(
        &self,
        options: &Options,
        little_room: usize,
        grid: Grid,
    ) -> Result<(Person, Person, Vec<Person>, TransferRuleId)> {
        let manager = self.hire("manager", Role::Manager).await?;
        let outsider = self.hire("outsider", Role::Employee).await?;
        let mut people = Vec::new();
        for n in 0..SOURCES + TARGETS - 1 {
            people.push(self.hire(&format!("employee{n}"), Role::Employee).await?);
        }
        people.push(self.hire("dispatch", Role::Dispatch).await?);
        ensure!(little_room < options.leads, "too few leads");
        self.import(&manager, &people[..SOURCES], options.leads).await?;
        let rule = self.rule(&manager, &people).await?;
        let read_side = self.read_side();
        read_side.catch_up_all().await?;
        if options.occasion == Occasion::Period {
            self.know_the_job(grid, read_side).await?;
        }
        Ok((manager, outsider, people, rule))
    }

    fn read_side(&self) -> Projections {
        let owner = TimeOrderedIds.next();
        Projections::new(self.log.clone(), Arc::new(SystemClock), owner, Arc::new(Upcasters::none()))
    }

    fn context(&self, by: Actor) -> CommandContext {
        let command = CommandId(TimeOrderedIds.next());
        let metadata = Metadata { command, correlation: command.to_string(), causation: None, actor: by };
        CommandContext { metadata, at: self.now - IDLE, fingerprint: None }
    }

    async fn hire(&self, username: &str, role: Role) -> Result<Person> {
        let id = StaffId(TimeOrderedIds.next());
        let by = || Actor::System("test".to_owned());
        let at = self.now - IDLE;
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
        let wecom = format!("Transfer-{username}");
        let user = WecomUserId::parse(&wecom)?;
        let bind = StaffCommand::BindWecom { corp: DEMO_CORP.to_owned(), user, by: by(), at };
        staff::command(&self.bus, &self.context(by()), id, bind).await?;
        self.wechat.add_wecom_user(DEMO_CORP, &wecom);
        let token = self.address.token(id, username, role)?;
        Ok(Person { id, username: username.to_owned(), wecom, token })
    }

    /// The leads, as an import of hours ago made them.
    async fn import(&self, by: &Person, owners: &[Person], leads: usize) -> Result<()> {
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

    async fn rule(&self, by: &Person, people: &[Person]) -> Result<TransferRuleId> {
        let ids = |people: &[Person]| people.iter().map(|person| person.id).collect::<Vec<_>>();
        let text = RuleText {
            name: "闲置线索".to_owned(),
            description: None,
            target_module: TargetModule::Customer,
            conditions: Conditions {
                inactive_hours: 1,
                contract_statuses: vec![ContractStatus::Pending],
                ..Conditions::default()
            },
            window: Window { enabled: false, ..Window::default() },
            sources: ids(&people[..SOURCES]),
            targets: ids(&people[SOURCES - 1..]),
            distribution: Distribution { strategy: Strategy::RoundRobin, ..Distribution::default() },
        };
        let rule = TransferRuleId(TimeOrderedIds.next());
        let at = self.now - IDLE;
        let created: TransferRuleEvent =
            TransferRuleCreated { text, enabled: true, by: Actor::Staff(by.id), at }.into();
        let CommandContext { metadata, at, .. } = self.context(Actor::Staff(by.id));
        let streams = vec![StreamAppend::of(rule, 0, &[created])?];
        let draft =
            application::bus::Draft { metadata, recorded_at: at, streams, guards: vec![], receipt: None };
        self.log.append(draft).await?;
        Ok(rule)
    }

    /// A process that was there before the period knew the job; it did not live to see the period.
    async fn know_the_job(&self, grid: Grid, read_side: Projections) -> Result<()> {
        let before = (self.now - MISSED * 2).duration_trunc(TimeDelta::minutes(1))?;
        let clock: Arc<dyn Clock> = Arc::new(Standing(before));
        let work = LeadTransfer::new(self.bus.clone(), read_side, Limits::default(), clock.clone());
        let owner = TimeOrderedIds.next();
        let runner = Runner::new(self.db.clone(), clock, owner, lead_transfer::job(grid), Arc::new(work));
        Ok(runner.register().await?)
    }
}
