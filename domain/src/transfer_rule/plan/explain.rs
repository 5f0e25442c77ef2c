//! Why a run moved no lead, in one sentence (transfer-and-recycle.md section 2: an empty run explains itself).

use serde::{Deserialize, Serialize};

use super::NoPlace;
use crate::transfer_rule::Ineligible;

/// What there was when a run moved nothing. Counts are leads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scene {
    /// Whether the rule is on.
    pub enabled: bool,
    /// Whether the run was held to the window and the window was closed.
    pub window_closed: bool,
    /// People whose leads the rule takes.
    pub sources: usize,
    /// People who may get some: active, on the rule's list.
    pub targets: usize,
    /// Leads of the sources.
    pub owned: u64,
    /// How many of them the rule leaves alone, and why.
    pub ineligible: Vec<(Ineligible, u64)>,
    /// How many fitted and got no place, and why.
    pub unplaced: Vec<(NoPlace, u64)>,
    /// How many were planned and were touched before they could be moved, and what was so then.
    pub skipped: u64,
}

/// Why a run moved no lead: the first obstacle on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Nothing {
    /// The rule is off.
    RuleOff,
    /// The rule was changed when its run had begun.
    RuleRevised,
    /// The run came outside the window.
    WindowClosed,
    /// Nobody is named whose leads it takes.
    NoSources,
    /// Nobody is named, and active, who may get them.
    NoTargets,
    /// The people named own no lead.
    NoLeads,
    /// None of their leads fits.
    NoneFits {
        /// How many they own.
        owned: u64,
        /// How many are left alone for which reason, the most frequent first.
        because: Vec<(Ineligible, u64)>,
    },
    /// Leads fit, and nobody may get them.
    NoPlace {
        /// How many for which reason, the most frequent first.
        because: Vec<(NoPlace, u64)>,
    },
    /// Every planned lead was touched in between.
    AllTouched {
        /// How many.
        leads: u64,
    },
    /// What is stored about the planned leads cannot be read.
    AllUnreadable {
        /// How many.
        leads: u64,
    },
    /// The planned leads stayed, some for this reason and some for that.
    AllStayed {
        /// How many.
        leads: u64,
    },
}

impl Scene {
    /// Why nothing moved.
    pub fn explain(self) -> Nothing {
        if !self.enabled {
            Nothing::RuleOff
        } else if self.window_closed {
            Nothing::WindowClosed
        } else if self.sources == 0 {
            Nothing::NoSources
        } else if self.owned == 0 {
            Nothing::NoLeads
        } else if self.skipped > 0 {
            Nothing::AllTouched { leads: self.skipped }
        } else if self.unplaced.is_empty() {
            Nothing::NoneFits { owned: self.owned, because: most_first(self.ineligible) }
        } else if self.targets == 0 {
            Nothing::NoTargets
        } else {
            Nothing::NoPlace { because: most_first(self.unplaced) }
        }
    }
}

fn most_first<T: Ord>(mut counts: Vec<(T, u64)>) -> Vec<(T, u64)> {
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by(|(this, a), (that, b)| b.cmp(a).then_with(|| this.cmp(that)));
    counts
}

impl Nothing {
    /// The code in the fact that ends the run.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RuleOff => "rule_off",
            Self::RuleRevised => "rule_revised",
            Self::WindowClosed => "window_closed",
            Self::NoSources => "no_sources",
            Self::NoTargets => "no_targets",
            Self::NoLeads => "no_leads",
            Self::NoneFits { .. } => "none_fits",
            Self::NoPlace { .. } => "no_place",
            Self::AllTouched { .. } => "all_touched",
            Self::AllUnreadable { .. } => "all_unreadable",
            Self::AllStayed { .. } => "all_stayed",
        }
    }

    /// What a stored code says, Chinese and English, without the counts of its moment; `None` for a code this program
    /// does not know.
    pub fn of_code(code: &str) -> Option<(&'static str, &'static str)> {
        Some(match code {
            "rule_off" => ("规则未启用", "the rule was off"),
            "rule_revised" => ("规则在执行中被修改", "the rule was changed meanwhile"),
            "window_closed" => ("不在规则的执行时段内", "the rule's hours were over or not yet begun"),
            "no_sources" => ("规则没有流出人员", "the rule named nobody whose leads it takes"),
            "no_targets" => ("规则没有在职的流入人员", "the rule named no active person who may get leads"),
            "no_leads" => ("流出人员名下没有线索", "the people named as sources owned no lead"),
            "none_fits" => ("流出人员名下没有符合规则的线索", "none of the leads of the sources fitted"),
            "no_place" => ("符合规则的线索无人可接", "nobody could get the leads that fitted"),
            "all_touched" => {
                ("计划流转的线索在执行前都已变动", "every planned lead changed before it could be moved")
            }
            "all_unreadable" => {
                ("计划流转的线索的记录都无法读取", "the records of the planned leads could not be read")
            }
            "all_stayed" => ("计划流转的线索都未能流转", "none of the planned leads could be moved"),
            _ => return None,
        })
    }

    /// One sentence in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::RuleOff => "规则未启用，因此没有流转任何线索".to_owned(),
            Self::RuleRevised => "规则在执行中被修改，因此没有流转任何线索".to_owned(),
            Self::WindowClosed => "当前不在规则的执行时段内，因此没有流转任何线索".to_owned(),
            Self::NoSources => "规则没有流出人员，因此没有可流转的线索".to_owned(),
            Self::NoTargets => "规则没有在职的流入人员，因此线索无人可接".to_owned(),
            Self::NoLeads => "流出人员名下没有线索".to_owned(),
            Self::NoneFits { owned, because } => {
                let reasons = listed(because, "；", |reason, count| format!("{count}条{}", reason.zh()));
                format!("流出人员名下的{owned}条线索都不符合规则：{reasons}")
            }
            Self::NoPlace { because } => {
                let reasons = listed(because, "；", |reason, count| format!("{count}条{}", reason.zh()));
                format!("符合规则的线索无人可接：{reasons}")
            }
            Self::AllTouched { leads } => format!("计划流转的{leads}条线索在执行前都已变动，因此保持不变"),
            Self::AllUnreadable { leads } => {
                format!("计划流转的{leads}条线索的记录都无法读取，因此保持不变，请联系管理员")
            }
            Self::AllStayed { leads } => format!("计划流转的{leads}条线索因不同原因都未能流转"),
        }
    }

    /// The same in English.
    pub fn en(&self) -> String {
        match self {
            Self::RuleOff => "Nothing moved: the rule is off".to_owned(),
            Self::RuleRevised => "Nothing moved: the rule was changed meanwhile".to_owned(),
            Self::WindowClosed => "Nothing moved: the rule's hours are over or not yet begun".to_owned(),
            Self::NoSources => "Nothing moved: the rule names nobody whose leads it takes".to_owned(),
            Self::NoTargets => "Nothing moved: the rule names no active person who may get leads".to_owned(),
            Self::NoLeads => "Nothing moved: the people named as sources own no lead".to_owned(),
            Self::NoneFits { owned, because } => {
                let reasons = listed(because, "; ", |reason, count| format!("{count}: {}", reason.en()));
                format!("Nothing moved: none of the {owned} leads of the sources fits ({reasons})")
            }
            Self::NoPlace { because } => {
                let reasons = listed(because, "; ", |reason, count| format!("{count}: {}", reason.en()));
                format!("Nothing moved: nobody may get the leads that fit ({reasons})")
            }
            Self::AllTouched { leads } => {
                format!("Nothing moved: all {leads} planned leads changed before they could be moved")
            }
            Self::AllUnreadable { leads } => {
                format!(
                    "Nothing moved: the records of all {leads} planned leads cannot be read; ask an administrator"
                )
            }
            Self::AllStayed { leads } => {
                format!("Nothing moved: all {leads} planned leads stayed, for different reasons")
            }
        }
    }
}

fn listed<T: Copy>(counts: &[(T, u64)], between: &str, shown: impl Fn(T, u64) -> String) -> String {
    counts.iter().map(|(reason, count)| shown(*reason, *count)).collect::<Vec<_>>().join(between)
}
