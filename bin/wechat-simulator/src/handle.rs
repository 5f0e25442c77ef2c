//! The simulator as its owner sees it: grant credits, order faults, read the ledger. The `/__sim` routes are a
//! thin coat over this handle.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

mod accounts;
mod callbacks;
mod wecom;

pub use accounts::{CloudUser, FollowOrder, Following};
pub use callbacks::{PopupChoice, PopupOrder, TurnOffOrder, WecomWords};
pub use wecom::{RobotOrder, WecomUserOrder};

use crate::{
    calls::Calls,
    channel::Channel,
    clock::OFFSET_MAX_SECONDS,
    credits::Credit,
    faults::{ActiveFault, Fault, FaultRule},
    ledger::{Dropped, Received},
    switches::{Limits, Switches},
    template::App,
    tokens::{TokenEnd, TokenFamily},
    world::World,
};

/// An order that cannot be carried out; says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlError(pub(crate) String);

impl std::fmt::Display for ControlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ControlError {}

/// An accept by a person: so many more messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditGrant {
    /// The app; the first configured one without it.
    #[serde(default)]
    pub appid: Option<String>,
    /// The person, who is known to the app from now on.
    pub openid: String,
    /// The template; every template of the app without it.
    #[serde(default)]
    pub template_id: Option<String>,
    /// Messages to add. Zero only makes the person known.
    pub count: u32,
}

/// A person opens the mini program: `wx.login` gives a code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginCodeOrder {
    /// The app; the first configured one without it.
    #[serde(default)]
    pub appid: Option<String>,
    /// The person.
    pub openid: String,
}

/// What waiting requests and waiting tests listen to.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Counts wakes; a request waits until it grows.
    pub(crate) wakes: u64,
    pub(crate) stopping: bool,
    /// Requests that wait to be woken.
    pub(crate) waiting: usize,
    /// Callbacks that wait to leave or are on their way.
    pub(crate) callbacks: usize,
    /// Messages in the ledger.
    received: usize,
}

#[derive(Debug)]
struct Inner {
    world: Mutex<World>,
    signals: watch::Sender<Signals>,
}

/// A simulator's controls. Clones share one simulator.
#[derive(Clone, Debug)]
pub struct SimulatorHandle(Arc<Inner>);

impl SimulatorHandle {
    pub(crate) fn new(world: World) -> Self {
        Self(Arc::new(Inner { world: Mutex::new(world), signals: watch::Sender::default() }))
    }

    /// The state. Never held across an await.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signals(&self) -> &watch::Sender<Signals> {
        &self.0.signals
    }

    /// Tells the courier and those who wait for it; call it with the lock held.
    pub(crate) fn callbacks_changed(&self, world: &World) {
        let pending = world.callbacks.pending();
        self.0
            .signals
            .send_if_modified(|signals| std::mem::replace(&mut signals.callbacks, pending) != pending);
    }

    /// Tells those who wait for messages, and the courier; call it with the lock held.
    pub(crate) fn ledger_changed(&self, world: &World) {
        self.callbacks_changed(world);
        let received = world.ledger.all().len();
        self.0
            .signals
            .send_if_modified(|signals| std::mem::replace(&mut signals.received, received) != received);
    }

    /// The apps it serves.
    pub fn apps(&self) -> Vec<App> {
        self.world().apps().to_vec()
    }

    /// Adds credits. Refused for an unknown app or template and an empty openid.
    pub fn grant(&self, grant: &CreditGrant) -> Result<(), ControlError> {
        let mut world = self.world();
        let mut apps = world.apps().iter();
        let app = match &grant.appid {
            None => apps.next(),
            Some(appid) => apps.find(|app| app.appid == *appid),
        };
        let app = app.ok_or_else(|| ControlError("unknown appid".to_owned()))?.clone();
        if grant.openid.is_empty() {
            return Err(ControlError("openid is empty".to_owned()));
        }
        if let Some(wanted) = &grant.template_id
            && app.template(wanted).is_none()
        {
            return Err(ControlError(format!("unknown template_id `{wanted}`")));
        }
        for template in &app.templates {
            if grant.template_id.as_deref().is_none_or(|wanted| wanted == template.id()) {
                world.credits.grant(&app.appid, &grant.openid, template.id(), grant.count);
            }
        }
        world.credits.register(&app.appid, &grant.openid);
        Ok(())
    }

    /// Adds credits of the first app's templates: the short form of [`Self::grant`] for tests with one app.
    pub fn grant_credits(&self, openid: &str, count: u32) -> Result<(), ControlError> {
        self.grant(&CreditGrant { appid: None, openid: openid.to_owned(), template_id: None, count })
    }

    /// A fresh login code, as the person's phone would get one from `wx.login`. Refused for an unknown app and an empty
    /// openid.
    pub fn issue_login_code(&self, order: &LoginCodeOrder) -> Result<String, ControlError> {
        let mut world = self.world();
        let mut apps = world.apps().iter();
        let app = match &order.appid {
            None => apps.next(),
            Some(appid) => apps.find(|app| app.appid == *appid),
        };
        let appid = app.ok_or_else(|| ControlError("unknown appid".to_owned()))?.appid.clone();
        if order.openid.is_empty() {
            return Err(ControlError("openid is empty".to_owned()));
        }
        Ok(world.issue_login_code(&appid, &order.openid))
    }

    /// A login code of the first app: the short form of [`Self::issue_login_code`] for tests with one app.
    pub fn login_code(&self, openid: &str) -> Result<String, ControlError> {
        self.issue_login_code(&LoginCodeOrder { appid: None, openid: openid.to_owned() })
    }

    /// The credits left, by person and template.
    pub fn credits(&self) -> Vec<Credit> {
        self.world().credits.list()
    }

    /// Orders a fault; its number. Refused when an `http_4xx` is not one.
    pub fn add_fault(&self, rule: FaultRule) -> Result<u64, ControlError> {
        match rule.fault {
            Fault::Http4xx { status, .. } if !(400..500).contains(&status) => {
                Err(ControlError("status is not between 400 and 499".to_owned()))
            }
            _ => Ok(self.world().faults.add(rule)),
        }
    }

    /// The rules in force, also those used up.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.world().faults.list().to_vec()
    }

    /// Deletes every rule and wakes what hangs.
    pub fn clear_faults(&self) {
        let mut world = self.world();
        world.faults.clear();
        self.signal_wake();
    }

    /// Wakes what hangs now; the rules stay.
    pub fn wake(&self) {
        let _world = self.world(); // a request that is just arriving hangs either before or after this wake
        self.signal_wake();
    }

    fn signal_wake(&self) {
        self.0.signals.send_modify(|signals| signals.wakes += 1);
    }

    /// Requests that wait to be woken.
    pub fn waiting(&self) -> usize {
        self.0.signals.borrow().waiting
    }

    /// Returns once at least `count` requests wait to be woken.
    pub async fn until_waiting(&self, count: usize) {
        self.until(|signals| signals.waiting >= count).await;
    }

    /// Returns once no request waits to be woken: those that did were woken, or their callers hung up.
    pub async fn until_none_waiting(&self) {
        self.until(|signals| signals.waiting == 0).await;
    }

    /// Returns once the ledger holds at least `count` messages.
    pub async fn until_received(&self, count: usize) {
        self.until(|signals| signals.received >= count).await;
    }

    async fn until(&self, condition: impl FnMut(&Signals) -> bool) {
        // An error means that the sender is gone, and it lives as long as this handle.
        let _ = self.0.signals.subscribe().wait_for(condition).await;
    }

    /// What people really received, oldest first.
    pub fn ledger(&self) -> Vec<Received> {
        self.world().ledger.all().to_vec()
    }

    /// What one receiver really received through every channel, oldest first: an openid, a WeCom userid as it was
    /// registered, or the key of a robot.
    pub fn received_by(&self, recipient: &str) -> Vec<Received> {
        self.world().ledger.all().iter().filter(|received| received.openid == recipient).cloned().collect()
    }

    /// What one receiver really received through one channel, oldest first.
    pub fn received_through(&self, recipient: &str, channel: Channel) -> Vec<Received> {
        self.received_by(recipient).into_iter().filter(|received| received.channel == channel).collect()
    }

    /// What the platforms said yes to and nobody received, oldest first.
    pub fn dropped(&self) -> Vec<Dropped> {
        self.world().ledger.dropped().to_vec()
    }

    /// Forgets what was received; credits and tokens stay.
    pub fn clear_ledger(&self) {
        let mut world = self.world();
        world.ledger.clear();
        self.ledger_changed(&world);
    }

    /// The call counters.
    pub fn calls(&self) -> Calls {
        self.world().calls.clone()
    }

    /// Sets the call counters to zero.
    pub fn clear_calls(&self) {
        self.world().calls = Calls::default();
    }

    /// Ends living tokens now, as another holder or their age would.
    pub fn end_tokens(&self, family: Option<TokenFamily>, how: TokenEnd) {
        let mut world = self.world();
        let now = world.now();
        world.tokens.end(family, how, now);
    }

    /// Virtual time.
    pub fn now(&self) -> DateTime<Utc> {
        self.world().now()
    }

    /// Seconds the virtual clock runs ahead of its time source.
    pub fn clock_offset_seconds(&self) -> u64 {
        self.world().clock.offset_seconds()
    }

    /// Moves the virtual clock forward. Refused beyond ten years.
    pub fn advance(&self, seconds: u64) -> Result<(), ControlError> {
        let refused = || ControlError(format!("the clock runs at most {OFFSET_MAX_SECONDS} seconds ahead"));
        self.world().clock.advance(seconds).ok_or_else(refused)
    }

    /// The switches in force.
    pub fn switches(&self) -> Switches {
        self.world().switches.clone()
    }

    /// Replaces the switches.
    pub fn set_switches(&self, switches: Switches) {
        self.world().switches = switches;
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.world().limits.clone()
    }

    /// Replaces the limits; what was counted stays counted.
    pub fn set_limits(&self, limits: Limits) {
        self.world().limits = limits;
    }

    /// Back to the configuration it started with; wakes what hangs.
    pub fn reset(&self) {
        let mut world = self.world();
        world.reset();
        self.ledger_changed(&world);
        self.signal_wake();
    }
}
