//! What a document must be like before it is kept: every place that breaks a rule is named, with the rule.

use std::collections::BTreeSet;

use super::{
    BURST_MINUTES, Digest, Document, Mode, QuietHours, ROUTES_MAX, RULES_MAX, SCENE_CHARS_MAX, WINDOWS_MAX,
};
use crate::notification::Channel;

/// One place of a document, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The place: `rules[2]`, `quiet.windows[0].days`.
    pub path: String,
    /// The rule.
    pub fault: Fault,
}

/// The rules of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The list has more entries than this.
    TooMany(usize),
    /// The same was said before, so that one of the two would silently not count.
    SaidTwice,
    /// The inbox is a person's record: it is always on, and never part of a route.
    InboxAlwaysOn,
    /// Blank, or longer than a type's name can be.
    InvalidScene,
    /// A window without a day never begins.
    NoDays,
    /// Quiet hours that never end would hold every message for ever.
    NeverEnds,
    /// The number lies outside.
    OutOfRange {
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
}

impl Document {
    /// Everything that is wrong with it; nothing when it can be kept.
    pub fn violations(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        self.check_rules(&mut found);
        self.check_routes(&mut found);
        if let Some(quiet) = &self.quiet {
            check_quiet(quiet, &mut found);
        }
        if let Some(Digest::Burst { minutes }) = self.digest
            && !BURST_MINUTES.contains(&minutes)
        {
            let (min, max) = (*BURST_MINUTES.start(), *BURST_MINUTES.end());
            note(&mut found, "digest.minutes", Fault::OutOfRange { min, max });
        }
        found
    }

    fn check_rules(&self, found: &mut Vec<Violation>) {
        if self.rules.len() > RULES_MAX {
            return note(found, "rules", Fault::TooMany(RULES_MAX));
        }
        let mut said = BTreeSet::new();
        for (n, rule) in self.rules.iter().enumerate() {
            if rule.scene.as_deref().is_some_and(|scene| !is_scene(scene)) {
                note(found, format!("rules[{n}].scene"), Fault::InvalidScene);
            }
            if rule.channel == Some(Channel::InApp) && rule.mode != Mode::On {
                note(found, format!("rules[{n}].mode"), Fault::InboxAlwaysOn);
            }
            if !said.insert((rule.scene.as_deref(), rule.channel)) {
                note(found, format!("rules[{n}]"), Fault::SaidTwice);
            }
        }
    }

    fn check_routes(&self, found: &mut Vec<Violation>) {
        if self.routes.len() > ROUTES_MAX {
            return note(found, "routes", Fault::TooMany(ROUTES_MAX));
        }
        for (scene, channels) in &self.routes {
            if !is_scene(scene) {
                note(found, format!("routes.{scene}"), Fault::InvalidScene);
            }
            let mut said = BTreeSet::new();
            for (n, channel) in channels.iter().enumerate() {
                let path = || format!("routes.{scene}[{n}]");
                if *channel == Channel::InApp {
                    note(found, path(), Fault::InboxAlwaysOn);
                } else if !said.insert(*channel) {
                    note(found, path(), Fault::SaidTwice);
                }
            }
        }
    }
}

fn check_quiet(quiet: &QuietHours, found: &mut Vec<Violation>) {
    if quiet.windows.len() > WINDOWS_MAX {
        return note(found, "quiet.windows", Fault::TooMany(WINDOWS_MAX));
    }
    for (n, window) in quiet.windows.iter().enumerate() {
        if window.days.is_empty() {
            note(found, format!("quiet.windows[{n}].days"), Fault::NoDays);
        }
    }
    if quiet.never_ends() {
        note(found, "quiet.windows", Fault::NeverEnds);
    }
}

fn is_scene(scene: &str) -> bool {
    !scene.trim().is_empty() && scene.chars().count() <= SCENE_CHARS_MAX
}

fn note(found: &mut Vec<Violation>, path: impl Into<String>, fault: Fault) {
    found.push(Violation { path: path.into(), fault });
}
