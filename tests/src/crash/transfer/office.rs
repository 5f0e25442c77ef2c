//! The people, their leads and the rule. Everything was there hours ago: the leads lie about, and nobody is to be told
//! of how they came. For a scheduled run, every process was down since before its period.

use anyhow::{Context as _, Result, ensure};
use application::bus::StreamAppend;
use application::ports::{Clock as _, Ids as _};
use chrono::TimeDelta;
use domain::customer::ContractStatus;
use domain::staff::Role;
use domain::transfer_rule::{
    Conditions, Distribution, RuleText, Strategy, TargetModule, TransferRuleCreated, TransferRuleEvent,
    Window,
};
use domain::{Actor, StaffId, TransferRuleId};
use infrastructure::clock::SystemClock;
use infrastructure::ids::TimeOrderedIds;
use projections::lead_transfer;
use wechat_simulator::SimulatorHandle;

use super::{Occasion, Options};
use crate::crash::carried::maker::{Maker, Person, missed_grid};
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

impl Office {
    pub(super) async fn open(
        database: &ScratchDatabase,
        options: &Options,
        simulator: &str,
        wechat: &SimulatorHandle,
    ) -> Result<Self> {
        let now = SystemClock.now();
        let little_room = (options.leads / LITTLE_ROOM).max(1);
        let grid = missed_grid(now);
        let address = Address::new(&options.program, database, simulator)?
            .with_every_channel(simulator)
            .with("LEADWIRE_ROUTES__LEAD_AUTO_TRANSFER_IN", "wecom_app")
            .with("LEADWIRE_ROUTES__LEAD_AUTO_TRANSFER_OUT", "wecom_app")
            .with("LEADWIRE_LIMITS__HOLDING_CAP", "1000000")
            .with("LEADWIRE_LIMITS__HOLDING_CAP_BY_ROLE", format!("dispatch={little_room}"))
            .with("LEADWIRE_SCHEDULES__LEAD_TRANSFER", grid.text())
            .with("LEADWIRE_LOG__FILTER", "info,sqlx=warn,infrastructure::scheduler=debug");
        let maker = Maker::open(database.url(), &address, wechat, (now, IDLE)).await?;
        let office = make(&maker, options, little_room).await;
        if office.is_ok() && options.occasion == Occasion::Period {
            maker.know_the_job(lead_transfer::job(grid)).await?;
        }
        maker.close().await;
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

async fn make(
    maker: &Maker<'_>,
    options: &Options,
    little_room: usize,
) -> Result<(Person, Person, Vec<Person>, TransferRuleId)> {
    let manager = maker.hire("manager", Role::Manager).await?;
    let outsider = maker.hire("outsider", Role::Employee).await?;
    let mut people = Vec::new();
    for n in 0..SOURCES + TARGETS - 1 {
        people.push(maker.hire(&format!("employee{n}"), Role::Employee).await?);
    }
    people.push(maker.hire("dispatch", Role::Dispatch).await?);
    ensure!(little_room < options.leads, "too few leads");
    maker.import(&manager, &people[..SOURCES], options.leads).await?;
    let rule = write_rule(maker, &manager, &people).await?;
    maker.read_side().catch_up_all().await?;
    Ok((manager, outsider, people, rule))
}

async fn write_rule(maker: &Maker<'_>, by: &Person, people: &[Person]) -> Result<TransferRuleId> {
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
    let at = maker.then();
    let created: TransferRuleEvent =
        TransferRuleCreated { text, enabled: true, by: Actor::Staff(by.id), at }.into();
    maker.begin_stream(by, StreamAppend::of(rule, 0, &[created])?).await?;
    Ok(rule)
}
