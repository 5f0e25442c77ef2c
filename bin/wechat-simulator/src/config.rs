//! What a simulator starts with.

use crate::{
    clock::TimeSource,
    switches::{Limits, Switches},
    template::App,
};

/// The settings of a fresh simulator; a reset comes back to them.
#[derive(Clone, Debug)]
pub struct SimulatorConfig {
    /// The mini programs it serves.
    pub apps: Vec<App>,
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
            switches: Switches::default(),
            limits: Limits::default(),
            time: TimeSource::system(),
            seed: None,
        }
    }
}
