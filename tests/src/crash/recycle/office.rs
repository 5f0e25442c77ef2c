//! The people, their leads and the rule. Everything was there days ago: nobody has cared for a lead since, and every
//! process was down since before the period.

use anyhow::Result;
use application::bus::StreamAppend;
use application::ports::{Clock as _, Ids as _};
use chrono::TimeDelta;
use domain::recycle_rule::{RecycleKind, RecycleRuleCreated, RecycleRuleEvent, RecycleText};
use domain::staff::Role;
use domain::{Actor, RecycleRuleId, StaffId};
use infrastructure::clock::SystemClock;
use infrastructure::ids::TimeOrderedIds;
use leadwire::lifecycle::recycling;
use wechat_simulator::SimulatorHandle;

use super::Options;
use crate::crash::carried::maker::{Maker, Person, missed_grid};
use crate::crash::client::Api;
use crate::crash::service::Address;
use crate::scratch::ScratchDatabase;

/// The job that lets leads fall.
pub(super) const JOB: &str = recycling::RECYCLE;

/// Who own leads.
const OWNERS: usize = 5;

/// After how many days without a follow-up a lead falls.
const DAYS: u32 = 2;

/// How long the leads have lain about.
const IDLE: TimeDelta = TimeDelta::hours(60);

/// Everything that was there.
#[derive(Debug)]
pub(super) struct Office {
    /// Where the first process is.
    pub(super) address: Address,
    pub(super) manager: Person,
    /// Owns nothing.
    pub(super) outsider: Person,
    /// Everybody who owns leads.
    pub(super) owners: Vec<Person>,
    pub(super) rule: RecycleRuleId,
}

impl Office {
    pub(super) async fn open(
        database: &ScratchDatabase,
        options: &Options,
        simulator: &str,
        wechat: &SimulatorHandle,
    ) -> Result<Self> {
        let now = SystemClock.now();
        let grid = missed_grid(now);
        let address = Address::new(&options.program, database, simulator)?
            .with_every_channel(simulator)
            .with("LEADWIRE_ROUTES__CUSTOMER_RECLAIMED", "wecom_app")
            .with("LEADWIRE_LIMITS__HOLDING_CAP", "1000000")
            .with("LEADWIRE_SCHEDULES__RECYCLE", grid.text())
            .with("LEADWIRE_LOG__FILTER", "info,sqlx=warn,infrastructure::scheduler=debug");
        let maker = Maker::open(database.url(), &address, wechat, (now, IDLE)).await?;
        let made = make(&maker, options).await;
        if made.is_ok() {
            maker.know_the_job(recycling::recycle_job(grid)).await?;
        }
        maker.close().await;
        let (manager, outsider, owners, rule) = made?;
        Ok(Self { address, manager, outsider, owners, rule })
    }

    /// The manager at a process.
    pub(super) fn manager(&self, address: &Address) -> Result<Api> {
        Api::with_token(address, &self.manager.token)
    }

    /// A name for reports.
    pub(super) fn name(&self, id: StaffId) -> String {
        let everybody = self.owners.iter().chain([&self.manager, &self.outsider]);
        let known = everybody.into_iter().find(|person| person.id == id);
        known.map_or_else(|| id.to_string(), |person| person.username.clone())
    }
}

async fn make(maker: &Maker<'_>, options: &Options) -> Result<(Person, Person, Vec<Person>, RecycleRuleId)> {
    let manager = maker.hire("manager", Role::Manager).await?;
    let outsider = maker.hire("outsider", Role::Employee).await?;
    let mut owners = Vec::new();
    for n in 0..OWNERS {
        owners.push(maker.hire(&format!("employee{n}"), Role::Employee).await?);
    }
    maker.import(&manager, &owners, options.leads).await?;
    let text = RecycleText {
        name: "两天未跟进".to_owned(),
        priority: 1,
        kind: RecycleKind::NoFollowUp { days: DAYS },
        days_by_level: [].into(),
        lead_sources: vec![],
        statuses: vec![],
        protected_hours: 0,
        effective_from: maker.then(),
        warn_before_hours: vec![],
    };
    let rule = RecycleRuleId(TimeOrderedIds.next());
    let at = maker.then();
    let created: RecycleRuleEvent =
        RecycleRuleCreated { text, enabled: true, by: Actor::Staff(manager.id), at }.into();
    maker.begin_stream(&manager, StreamAppend::of(rule, 0, &[created])?).await?;
    maker.read_side().catch_up_all().await?;
    Ok((manager, outsider, owners, rule))
}
