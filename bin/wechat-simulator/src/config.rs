//! What a simulator starts with.

use crate::{
    clock::TimeSource,
    cloud::DEMO_CLOUD_ENV,
    switches::{Limits, Switches},
    template::App,
    wecom::{DEMO_ROBOT, WecomApp},
};

/// The settings of a fresh simulator; a reset comes back to them.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// The mini programs it serves.
    pub apps: Vec<App>,
    /// The official accounts it serves.
    pub official_accounts: Vec<App>,
    /// The cloud environments it serves.
    pub cloud_envs: Vec<String>,
    /// The WeCom apps it serves.
    pub wecom_apps: Vec<WecomApp>,
    /// The keys of the group robots it serves.
    pub robots: Vec<String>,
    /// The undocumented behaviours.
    pub switches: Switches,
    /// The quotas.
    pub limits: Limits,
    /// Where real time comes from.
    pub time: TimeSource,
    /// Makes tokens, rids and message numbers the same on every run; a test's choice.
    pub seed: Option<u64>,
}

impl Default for SimulatorConfig {
    /// The demo app, the documented limits, the likeliest switches.
    fn default() -> Self {
        Self {
            apps: vec![App::demo()],
            official_accounts: vec![App::demo_official()],
            cloud_envs: vec![DEMO_CLOUD_ENV.to_owned()],
            wecom_apps: vec![WecomApp::demo()],
            robots: vec![DEMO_ROBOT.to_owned()],
            switches: Switches::default(),
            limits: Limits::default(),
            time: TimeSource::system(),
            seed: None,
        }
    }
}
