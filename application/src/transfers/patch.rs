//! What somebody wants a rule to say: what is not said stays as it is, or as system A has it in a new rule.

use chrono::{DateTime, NaiveDate, Utc};
use domain::StaffId;
use domain::customer::{ContractStatus, LeadSource};
use domain::preferences::{TimeOfDay, Zone};
use domain::transfer_rule::{
    Conditions, CreatedRange, Distribution, RuleText, Strategy, TargetModule, Window,
};

/// A day, or an instant on it, as system A's date pickers send them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// The day itself.
    On(NaiveDate),
    /// The day of this instant on the wall clock of the rule.
    Of(DateTime<Utc>),
}

impl Day {
    fn date(self, zone: Zone) -> NaiveDate {
        match self {
            Self::On(day) => day,
            Self::Of(at) => at.with_timezone(&zone.0).date_naive(),
        }
    }
}

/// The days on which a lead was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// The first; `None`: since ever.
    pub from: Option<Day>,
    /// The last; `None`: for ever.
    pub to: Option<Day>,
}

/// What changes of [`Conditions`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConditionsPatch {
    /// Hours a lead must be idle for.
    pub inactive_hours: Option<u32>,
    /// Hours it rests after a move.
    pub cooldown_hours: Option<u32>,
    /// How often it may move; 0: any number.
    pub transfer_count_max: Option<u32>,
    /// How far its contract may be.
    pub contract_statuses: Option<Vec<ContractStatus>>,
    /// Where it may come from; empty: from anywhere.
    pub lead_sources: Option<Vec<LeadSource>>,
    /// When it was created; `Some(None)`: whenever that was.
    pub created: Option<Option<Days>>,
}

/// What changes of [`Window`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WindowPatch {
    /// Whether there are hours at all.
    pub enabled: Option<bool>,
    /// The first minute.
    pub start: Option<TimeOfDay>,
    /// The last minute.
    pub end: Option<TimeOfDay>,
    /// Whose wall clock.
    pub zone: Option<Zone>,
}

/// What changes of [`Distribution`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DistributionPatch {
    /// The way.
    pub strategy: Option<Strategy>,
    /// Whether balances count.
    pub enable_compensation: Option<bool>,
    /// How much.
    pub compensation_priority: Option<u32>,
}

/// What changes of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RulePatch {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for; `Some(None)`: nothing is said about that any more.
    pub description: Option<Option<String>>,
    /// The leads it is for.
    pub target_module: Option<TargetModule>,
    /// Which leads are handed on.
    pub conditions: ConditionsPatch,
    /// When.
    pub window: WindowPatch,
    /// Whose leads are handed on: the whole list.
    pub sources: Option<Vec<StaffId>>,
    /// Who gets them: the whole list, in the order of dealing.
    pub targets: Option<Vec<StaffId>>,
    /// How they are dealt.
    pub distribution: DistributionPatch,
    /// Whether the rule runs.
    pub enabled: Option<bool>,
}

impl RulePatch {
    /// The text of a new rule.
    pub fn written(self) -> RuleText {
        self.onto(RuleText {
            name: String::new(),
            description: None,
            target_module: TargetModule::default(),
            conditions: Conditions::default(),
            window: Window::default(),
            sources: vec![],
            targets: vec![],
            distribution: Distribution::default(),
        })
    }

    /// The text with these changes.
    pub fn onto(self, text: RuleText) -> RuleText {
        let window = self.window.onto(text.window);
        RuleText {
            name: self.name.unwrap_or(text.name),
            description: self.description.unwrap_or(text.description),
            target_module: self.target_module.unwrap_or(text.target_module),
            conditions: self.conditions.onto(text.conditions, window.zone),
            window,
            sources: self.sources.unwrap_or(text.sources),
            targets: self.targets.unwrap_or(text.targets),
            distribution: self.distribution.onto(text.distribution),
        }
    }
}

impl ConditionsPatch {
    fn onto(self, conditions: Conditions, zone: Zone) -> Conditions {
        let range = |days: Days| CreatedRange {
            from: days.from.map(|day| day.date(zone)),
            to: days.to.map(|day| day.date(zone)),
        };
        Conditions {
            inactive_hours: self.inactive_hours.unwrap_or(conditions.inactive_hours),
            cooldown_hours: self.cooldown_hours.unwrap_or(conditions.cooldown_hours),
            transfer_count_max: self.transfer_count_max.unwrap_or(conditions.transfer_count_max),
            contract_statuses: self.contract_statuses.unwrap_or(conditions.contract_statuses),
            lead_sources: self.lead_sources.unwrap_or(conditions.lead_sources),
            created: self.created.map_or(conditions.created, |days| days.map(range)),
        }
    }
}

impl WindowPatch {
    fn onto(self, window: Window) -> Window {
        Window {
            enabled: self.enabled.unwrap_or(window.enabled),
            start: self.start.unwrap_or(window.start),
            end: self.end.unwrap_or(window.end),
            zone: self.zone.unwrap_or(window.zone),
        }
    }
}

impl DistributionPatch {
    fn onto(self, distribution: Distribution) -> Distribution {
        Distribution {
            strategy: self.strategy.unwrap_or(distribution.strategy),
            enable_compensation: self.enable_compensation.unwrap_or(distribution.enable_compensation),
            compensation_priority: self.compensation_priority.unwrap_or(distribution.compensation_priority),
        }
    }
}
