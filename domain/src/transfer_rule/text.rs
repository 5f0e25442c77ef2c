//! What a transfer rule says: a whole document, replaced as a whole (existing-systems.md section 5.1).

use serde::{Deserialize, Serialize};

use super::criteria::{Conditions, Criteria};
use super::window::Window;
use crate::code_table;
use crate::ids::StaffId;

code_table! {
    /// The leads a rule is for.
    #[derive(Default)]
    TargetModule {
        /// Customers 客户, the only ones this program hands on.
        #[default]
        Customer = "customer",
        /// Training leads 培训线索 of system A; such a rule is kept and moves nothing here.
        Training = "training",
    }
}

code_table! {
    /// How leads are dealt to the targets.
    Strategy {
        /// Shuffled, then dealt one by one.
        RoundRobin = "round-robin",
        /// Drawn, those who gave more than they got more often.
        BalancedRandom = "balanced-random",
    }
}

/// How leads are dealt to the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// The way.
    pub strategy: Strategy,
    /// Whether who gave more than they got is drawn more often.
    pub enable_compensation: bool,
    /// How much more often: a target's weight is 1 + balance × this, for a balance above zero.
    pub compensation_priority: u32,
}

impl Default for Distribution {
    /// System A's.
    fn default() -> Self {
        Self { strategy: Strategy::BalancedRandom, enable_compensation: true, compensation_priority: 5 }
    }
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    /// What people call it.
    pub name: String,
    /// What it is for, in people's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The leads it is for.
    #[serde(default)]
    pub target_module: TargetModule,
    /// Which leads are handed on.
    pub conditions: Conditions,
    /// When.
    pub window: Window,
    /// Whose leads are handed on.
    pub sources: Vec<StaffId>,
    /// Who gets them. Somebody may be in both lists, and gets no lead of their own.
    pub targets: Vec<StaffId>,
    /// How they are dealt.
    pub distribution: Distribution,
}

impl RuleText {
    /// The whole predicate: what the scan and the commit ask of a lead.
    pub fn criteria(&self) -> Criteria {
        Criteria {
            conditions: self.conditions.clone(),
            zone: self.window.zone,
            sources: self.sources.iter().copied().collect(),
        }
    }

    /// Whether it takes the same leads at the same hours to the same people: what a rule is called changes no move.
    pub fn acts_like(&self, other: &Self) -> bool {
        let nameless = |text: &Self| Self { name: String::new(), description: None, ..text.clone() };
        nameless(self) == nameless(other)
    }

    /// Whether the two rules may take the same lead: a source and a status in common, and nothing else that keeps them
    /// apart. Rules of different modules never do.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.target_module == other.target_module
            && self.sources.iter().any(|source| other.sources.contains(source))
            && self.conditions.overlap(&other.conditions)
    }

    /// In the order in which it is kept, so that the same text written differently is the same. The order of the
    /// targets stays: leads are dealt in it.
    pub(super) fn tidied(mut self) -> Self {
        self.name = self.name.trim().to_owned();
        self.description =
            self.description.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        self.conditions.tidy();
        once(&mut self.sources);
        once(&mut self.targets);
        self
    }
}

/// Keeps the first of each.
fn once(people: &mut Vec<StaffId>) {
    let mut seen = std::collections::BTreeSet::new();
    people.retain(|person| seen.insert(*person));
}
