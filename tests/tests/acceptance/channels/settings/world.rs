//! What the simulator is set to in a scene: as it is likeliest, but for one thing.

use std::cell::Cell;

use application::policies::POLICY;
use chrono::TimeDelta;
use domain::notification::{Channel, DeliveryState};
use projections::queries::deliveries::counts;
use projections::read_models::ReadModel;
use serde_json::json;
use tests::kit::{PATIENCE, Person, Setup, TestApp, eventually};
use tests::scratch::Backend;
use wechat_simulator::{CallbackDay, CallbackFormat, CallbackMode, Limits, Listed, Switches};

use super::{Scene, scenes};

/// How long a send takes in a slow world, in real milliseconds: long enough for others to overlap it.
const SLOW_MS: u64 = 25;

/// What is set.
#[derive(Debug, Clone, Copy)]
pub(super) enum Group {
    /// What nobody knows.
    Switches,
    /// Quotas, rates and waiting times.
    Limits,
    /// What happens to callbacks, and how they are protected and spelled.
    Callbacks,
}

/// Everything a simulator can be set to.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// What is unusual about it.
    pub(super) name: String,
    pub(super) switches: Switches,
    pub(super) limits: Limits,
    pub(super) day: CallbackDay,
    pub(super) mode: CallbackMode,
    pub(super) format: CallbackFormat,
}

impl Default for World {
    fn default() -> Self {
        Self {
            name: "everything as it is likeliest".to_owned(),
            switches: Switches::default(),
            limits: Limits::default(),
            day: CallbackDay::default(),
            mode: CallbackMode::Safe,
            format: CallbackFormat::Json,
        }
    }
}

impl World {
    /// The same, and sends take their time.
    pub(super) fn slow(mut self) -> Self {
        self.switches.send_takes_ms = SLOW_MS;
        self
    }

    /// Starts a service in it.
    pub(super) async fn start(&self, on: Backend, setup: Setup) -> TestApp {
        let app = TestApp::start_with(on, Setup { switches: self.switches.clone(), ..setup }).await;
        app.wechat().set_limits(self.limits.clone());
        app
    }
}

/// Every unusual world of a group, and what is played in it.
pub(super) fn worlds(group: Group) -> Vec<(World, &'static [Scene])> {
    match group {
        Group::Switches => each(&Switches::listed(), |world, set| {
            world.switches = serde_json::from_value(set).expect("switches");
        }),
        Group::Limits => each(&Limits::listed(), |world, set| {
            world.limits = serde_json::from_value(set).expect("limits");
        }),
        Group::Callbacks => {
            let mut worlds = each(&CallbackDay::listed(), |world, set| {
                world.day = serde_json::from_value(set).expect("an order of the day");
            });
            worlds.extend(protections());
            worlds
        }
    }
}

fn each(listed: &[Listed], set: impl Fn(&mut World, serde_json::Value)) -> Vec<(World, &'static [Scene])> {
    let world = |name: &str, setting: &serde_json::Value| {
        let mut world = World { name: format!("{name} = {setting}"), ..World::default() };
        set(&mut world, json!({ name: setting }));
        (world, scenes(name))
    };
    let unusual = listed.iter().flat_map(|one| one.settings.iter().skip(1).map(|to| world(&one.name, to)));
    unusual.collect()
}

fn protections() -> Vec<(World, &'static [Scene])> {
    let usual = World::default();
    let all = CallbackMode::ALL.iter().flat_map(|mode| CallbackFormat::ALL.iter().map(|to| (*mode, *to)));
    let unusual = all.filter(|(mode, format)| (*mode, *format) != (usual.mode, usual.format));
    let world = |(mode, format)| {
        let name = format!("callbacks that are {mode:?} and {format:?}");
        (World { name, mode, format, ..World::default() }, scenes("mode and format"))
    };
    unusual.map(world).collect()
}

/// How time passes while somebody waits to be told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Passing {
    /// A few seconds at a time: less than a lease.
    Seconds,
    /// So much at once, whenever the provider has said no and nothing is on its way.
    AfterRefusal(TimeDelta),
}

/// Shorter than the lease of a delivery.
const FEW_SECONDS: TimeDelta = TimeDelta::seconds(5);

/// Most steps until everybody is told.
const STEPS_MAX: usize = 1_000;

/// Looks before a few seconds pass: whoever is due gets the chance to begin.
const LOOKS_MIN: usize = 2;

/// Lets time pass until so many messages came to everybody. The clock stands while a call is under way: one that takes
/// longer than its lease counts as unknown.
pub(super) async fn until_told(app: &TestApp, whom: &[(Person, Channel, usize)], passing: Passing) {
    let is_told = || whom.iter().all(|(person, channel, n)| app.received(person, *channel).len() >= *n);
    let mut refused = 0;
    for _ in 0..STEPS_MAX {
        let looks = Cell::new(0);
        eventually("everybody is told or has to wait", async || {
            looks.set(looks.get() + 1);
            let may_go_on = match passing {
                Passing::Seconds => looks.get() > LOOKS_MIN,
                Passing::AfterRefusal(_) => refusals(app) > refused,
            };
            ((is_told() || may_go_on) && nothing_is_under_way(app).await).then_some(())
        })
        .await;
        if is_told() {
            break;
        }
        refused = refusals(app);
        app.leap(match passing {
            Passing::Seconds => FEW_SECONDS,
            Passing::AfterRefusal(step) => step,
        });
    }
    for (person, channel, n) in whom {
        assert_eq!(app.received(person, *channel).len(), *n, "{channel}: {}", person.username);
    }
}

/// What the providers have refused so far.
pub(super) fn refusals(app: &TestApp) -> u64 {
    let calls = app.wechat().calls();
    let answers = calls.endpoints.values().flat_map(|of| of.errcodes.iter());
    answers.filter(|(errcode, _)| **errcode != 0).map(|(_, count)| count).sum()
}

async fn nothing_is_under_way(app: &TestApp) -> bool {
    let head = app.head().await;
    for consumer in [POLICY, ReadModel::Deliveries.name()] {
        assert!(app.app().projections.progress().wait_for(consumer, head, PATIENCE).await, "{consumer}");
    }
    let counts = counts(&app.app().db).await.expect("deliveries");
    !counts.iter().any(|(_, state, _)| *state == DeliveryState::InFlight)
}
