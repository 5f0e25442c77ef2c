//! Everything a plan depends on, as a value: it can be kept with a preview, named by a hash, and compared with what is
//! so when somebody wants exactly that plan carried out.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Candidate, Plan, Target, each_once, plan};
use crate::ids::TransferRuleId;
use crate::transfer_rule::RuleText;
use crate::transfer_rule::run::Seed;

/// Begins what is hashed: another encoding needs another word here, so that no two ever share a hash.
const ENCODING: &str = "leadwire transfer plan 1";

/// Everything a plan depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanInputs {
    /// The rule.
    pub rule: TransferRuleId,
    /// Which of its texts.
    pub revision: i64,
    /// The text.
    pub text: RuleText,
    /// The leads the rule would let go at `at`.
    pub candidates: Vec<Candidate>,
    /// Who may get them, in the rule's order: active people only.
    pub targets: Vec<Target>,
    /// What chance begins with.
    pub seed: Seed,
    /// The moment by which idle times and cooldowns were measured.
    pub at: DateTime<Utc>,
}

/// What is hashed, field by field in this order.
#[derive(Serialize)]
struct Canonical<'i> {
    encoding: &'static str,
    rule: TransferRuleId,
    revision: i64,
    text: &'i RuleText,
    candidates: Vec<Candidate>,
    targets: Vec<Target>,
    seed: Seed,
    at_microseconds: i64,
}

impl PlanInputs {
    /// The plan.
    pub fn plan(&self) -> Plan {
        plan(&self.candidates, &self.targets, &self.text.distribution, self.seed.0)
    }

    /// SHA-256 in 64 hexadecimal digits. Two inputs have the same hash exactly when [`difference`](Self::difference)
    /// finds nothing.
    pub fn hash(&self) -> String {
        let canonical = Canonical {
            encoding: ENCODING,
            rule: self.rule,
            revision: self.revision,
            text: &self.text,
            candidates: each_once(&self.candidates),
            targets: self.effective_targets(),
            seed: self.seed,
            at_microseconds: self.at.timestamp_micros(),
        };
        let mut digest = Sha256::new();
        // JSON of fixed fields is the same bytes for the same values; writing into a hash cannot fail.
        let _ = serde_json::to_writer(Hashed(&mut digest), &canonical);
        digest.finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // a String takes everything
            hex
        })
    }

    /// The targets with the room that can matter: whoever has room for every candidate has room enough, and a lead
    /// more or less in such hands changes no plan.
    pub(super) fn effective_targets(&self) -> Vec<Target> {
        let leads = u32::try_from(self.candidates.len()).unwrap_or(u32::MAX);
        let effective =
            |target: &Target| Target { room: target.room.filter(|room| *room < leads), ..*target };
        self.targets.iter().map(effective).collect()
    }
}

/// Writes into a hash.
struct Hashed<'d>(&'d mut Sha256);

impl std::io::Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
