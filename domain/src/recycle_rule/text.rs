//! What a recycle rule says: what makes a lead fall, which leads it is about, and who is warned.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::customer::{ContractStatus, LeadLevel, LeadSource};

/// When an owner is warned unless the rule says otherwise: three days and one day before.
pub const WARN_BEFORE_HOURS_DEFAULT: [u32; 2] = [72, 24];
/// And for a rule that is too short for them.
pub const WARN_BEFORE_HOURS_SHORT: u32 = 12;

/// What makes a lead fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RecycleKind {
    /// Nobody followed up for so many days, counted from the last follow-up or from the owner's first day.
    NoFollowUp {
        /// Days of 24 hours.
        days: u32,
    },
    /// The owner has not signed it so many days after becoming its owner.
    NotSigned {
        /// Days of 24 hours.
        days: u32,
    },
}

impl RecycleKind {
    /// The days of a lead whose level has none of its own.
    pub fn days(self) -> u32 {
        match self {
            Self::NoFollowUp { days } | Self::NotSigned { days } => days,
        }
    }

    /// The reason that stands in the pool, for a lead that fell after `days`.
    pub fn reason(self, days: u32) -> String {
        match self {
            Self::NoFollowUp { .. } => format!("超过{days}天未跟进，自动回收"),
            Self::NotSigned { .. } => format!("{days}天内未签约，自动回收"),
        }
    }

    /// The same in English, read out of the reason that was kept: events carry it in Chinese. `None`: these are no words
    /// of a rule.
    pub fn reason_in_english(kept: &str) -> Option<String> {
        let days = kept.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()?;
        if kept == (Self::NoFollowUp { days }).reason(days) {
            Some(format!("not followed up for {days} days, taken back by a rule"))
        } else if kept == (Self::NotSigned { days }).reason(days) {
            Some(format!("not signed within {days} days, taken back by a rule"))
        } else {
            None
        }
    }
}

/// What a rule says, or what somebody wants it to say: [`RecycleWish`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleText<Since = DateTime<Utc>> {
    /// What people call it.
    pub name: String,
    /// Its place: of the rules that fit a lead, the one with the smallest number decides.
    pub priority: u32,
    /// What makes a lead fall.
    #[serde(flatten)]
    pub kind: RecycleKind,
    /// Days for leads of these levels, instead of the kind's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub days_by_level: BTreeMap<LeadLevel, u32>,
    /// Only leads from here; empty: from everywhere. 转介绍 is exempt whatever stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lead_sources: Vec<LeadSource>,
    /// Only leads with one of these statuses; empty: with any. 已签约 is exempt whatever stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<ContractStatus>,
    /// How many hours a lead is safe after somebody else gave it to its owner; 0: not at all.
    #[serde(default)]
    pub protected_hours: u32,
    /// Nothing falls before this moment by this rule.
    pub effective_from: Since,
    /// When the owner is warned, in hours before; empty: never.
    #[serde(default)]
    pub warn_before_hours: Vec<u32>,
}

/// What somebody wants a rule to say, who may leave open from when on. Then whoever would lose a lead is warned first.
pub type RecycleWish = RecycleText<Option<DateTime<Utc>>>;

impl From<RecycleText> for RecycleWish {
    fn from(text: RecycleText) -> Self {
        let from = text.effective_from;
        text.beginning(Some(from))
    }
}

impl<Since> RecycleText<Since> {
    /// The same with another beginning.
    pub fn beginning<Other>(self, effective_from: Other) -> RecycleText<Other> {
        RecycleText {
            name: self.name,
            priority: self.priority,
            kind: self.kind,
            days_by_level: self.days_by_level,
            lead_sources: self.lead_sources,
            statuses: self.statuses,
            protected_hours: self.protected_hours,
            effective_from,
            warn_before_hours: self.warn_before_hours,
        }
    }

    /// When it may begin, so that everybody who would lose a lead by it at once is warned before, as early as it ever
    /// warns.
    pub fn warned_since(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let hours = self.warn_before_hours.iter().copied().max().unwrap_or_default();
        at.checked_add_signed(TimeDelta::hours(hours.into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Days after which a lead of this level falls.
    pub fn days_of(&self, level: Option<LeadLevel>) -> u32 {
        level.and_then(|level| self.days_by_level.get(&level).copied()).unwrap_or(self.kind.days())
    }

    /// Whether the two let the same leads fall after the same time. Names and warnings make no difference.
    pub(super) fn same_terms<Other>(&self, other: &RecycleText<Other>) -> bool
    where
        Since: Clone,
        Other: Clone,
    {
        self.clone().terms() == other.clone().terms()
    }

    fn terms(self) -> RecycleText<()> {
        RecycleText { name: String::new(), warn_before_hours: Vec::new(), ..self.beginning(()) }
    }

    /// In the order in which it is kept, so that the same text written differently is the same.
    pub(super) fn tidied(mut self) -> Self {
        self.name = self.name.trim().to_owned();
        self.lead_sources.sort_unstable();
        self.lead_sources.dedup();
        self.statuses.sort_unstable();
        self.statuses.dedup();
        self.warn_before_hours.sort_unstable_by(|a, b| b.cmp(a));
        self.warn_before_hours.dedup();
        self
    }
}
