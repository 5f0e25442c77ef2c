//! What is known in this process, and up to which change.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::SessionMark;

/// From when until when a session counts as ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    pub(super) effective_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Changes that were read from the database.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Everything up to here is in force.
    pub(super) version: i64,
    pub(super) ended: Vec<(Uuid, Ended)>,
    pub(super) generations: Vec<(Uuid, i64)>,
}

/// The ended sessions as far as they are known here.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    version: i64,
    ended: HashMap<Uuid, Ended>,
    generations: HashMap<Uuid, i64>,
    /// Whether something was left out for want of room.
    partial: bool,
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self { most, version: 0, ended: HashMap::new(), generations: HashMap::new(), partial: false }
    }

    /// Whether what is not found here may have been left out.
    pub(super) fn is_partial(&self) -> bool {
        self.partial
    }

    pub(super) fn is_ended(&self, mark: &SessionMark, now: DateTime<Utc>) -> bool {
        let of = |id: &Uuid| self.ended.get(id).is_some_and(|ended| ended.effective_at <= now);
        let generation = self.generations.get(&mark.staff.0).copied().unwrap_or(0);
        of(&mark.session) || of(&mark.token) || mark.generation.is_some_and(|of_token| of_token < generation)
    }

    /// Forgets what ended by itself, and says from which change on to read: from the first one when something was
    /// left out and there is room again.
    pub(super) fn next_read(&mut self, now: DateTime<Utc>) -> i64 {
        self.ended.retain(|_, ended| ended.expires_at > now);
        if self.partial && self.ended.len() <= self.most / 2 { 0 } else { self.version }
    }

    /// Takes in everything that changed after `from`.
    pub(super) fn take_in(&mut self, from: i64, changes: Changes) {
        if from == 0 {
            self.partial = false;
        }
        for (id, ended) in changes.ended {
            if self.ended.len() < self.most || self.ended.contains_key(&id) {
                self.ended.insert(id, ended);
            } else {
                self.partial = true;
            }
        }
        for (staff, generation) in changes.generations {
            let known = self.generations.entry(staff).or_default();
            *known = generation.max(*known);
        }
        self.version = self.version.max(changes.version);
    }
}
