//! When a lead goes back into the public pool: a pure function of its facts and of the rules that count.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{RecycleKind, RecycleRule, RecycleText};
use crate::customer::{ContractStatus, Customer, LeadLevel, LeadSource, Ownership};
use crate::envelope::Actor;
use crate::ids::RecycleRuleId;

/// The rules that count, in the order in which they are asked. Which of them decides about a lead follows from what
/// happened to the lead and to the rules, and not from the moment at which it is asked (docs/adr/0025).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecyclePolicy {
    terms: Vec<RecycleTerm>,
    /// When any rule last changed, those that do not count included: what it was like before, nobody asks any more.
    changed_at: Option<DateTime<Utc>>,
}

/// One rule that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecycleTerm {
    /// The rule.
    pub rule: RecycleRuleId,
    /// What it says.
    pub text: RecycleText,
    /// Since when it decides about the leads it fits; `None`: from its beginning ([`RecycleRule::decides_from`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decides_from: Option<DateTime<Utc>>,
}

/// What is asked of a lead. `From<&Customer>` in a command, read from a row in a scan: one function answers both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueFacts {
    /// Since when its owner has it; `None`: nobody owns it, it is in the pool, or deleted.
    pub owned_since: Option<DateTime<Utc>>,
    /// Whether another person gave it to its owner: what people claim or create for themselves is not protected.
    pub given_by_person: bool,
    /// When it was last followed up, notes of system A apart.
    pub last_follow_up_at: Option<DateTime<Utc>>,
    /// How far the contract is.
    pub status: Option<ContractStatus>,
    /// How promising it is.
    pub level: Option<LeadLevel>,
    /// Where it came from.
    pub source: Option<LeadSource>,
    /// Whether it must stay where it is.
    pub frozen: bool,
    /// Since when all of this is so, and perhaps for longer; `None`: for ever.
    pub changed_at: Option<DateTime<Utc>>,
}

/// When a lead falls, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolDue {
    /// The moment; it may lie in the past.
    pub at: DateTime<Utc>,
    /// The rule that decides.
    pub rule: RecycleRuleId,
    /// How many days that rule gives a lead of this level.
    pub days: u32,
}

impl From<&Customer> for DueFacts {
    fn from(customer: &Customer) -> Self {
        let given_by_person = match (&customer.assigned_by, &customer.ownership) {
            (Some(Actor::Staff(giver)), Ownership::Owned { owner, .. }) => giver != owner,
            _ => false,
        };
        Self {
            owned_since: customer.assigned_at().filter(|_| customer.exists()),
            given_by_person,
            last_follow_up_at: customer.last_follow_up.as_ref().map(|last| last.at),
            status: customer.contract_status,
            level: customer.lead_level,
            source: customer.profile.lead_source,
            frozen: customer.is_frozen(),
            changed_at: customer.updated_at,
        }
    }
}

impl DueFacts {
    /// Whether any rule could let it fall: what nobody owns, 已签约, frozen and 转介绍 never fall.
    pub fn is_recyclable(&self) -> bool {
        self.recyclable_since().is_some()
    }

    /// Since when it is owned, when rules may let it fall at all.
    fn recyclable_since(&self) -> Option<DateTime<Utc>> {
        let exempt = self.frozen
            || self.status == Some(ContractStatus::Signed)
            || self.source == Some(LeadSource::Referral);
        self.owned_since.filter(|_| !exempt)
    }
}

impl RecyclePolicy {
    /// Of all rules that were ever written, those that are enabled and not deleted. Of the same priority, the one written
    /// first is asked first.
    pub fn of<'a>(rules: impl IntoIterator<Item = (RecycleRuleId, &'a RecycleRule)>) -> Self {
        let mut changed_at = None;
        let counts = |(rule, state): (RecycleRuleId, &'a RecycleRule)| {
            let text = state.text.clone().filter(|_| state.enabled && state.exists())?;
            let term = RecycleTerm { rule, text, decides_from: state.decides_from };
            Some((state.created_at, term))
        };
        let rules = rules.into_iter().inspect(|(_, state)| changed_at = changed_at.max(state.updated_at));
        let mut found: Vec<_> = rules.filter_map(counts).collect();
        found.sort_by_key(|(created_at, term)| (term.text.priority, *created_at, term.rule));
        let terms = found.into_iter().map(|(_, term)| term).collect();
        Self { terms, changed_at }
    }

    /// The rules, in the order in which they are asked.
    pub fn terms(&self) -> &[RecycleTerm] {
        &self.terms
    }

    /// What a rule says, when it counts.
    pub fn text(&self, rule: RecycleRuleId) -> Option<&RecycleText> {
        self.terms.iter().find(|term| term.rule == rule).map(|term| &term.text)
    }

    /// When the lead falls. At every moment the first rule that fits it and has begun decides, however late it lets the
    /// lead fall. `None`: never.
    ///
    /// A lead that was due stays so, by that rule, when another one begins: it would have fallen but for the hour at which
    /// somebody looked. Once something happened to the lead or to a rule, the rule that decides at that moment does: a lead
    /// that lay frozen through the time of one rule falls by no rule of that time.
    pub fn pool_due(&self, facts: &DueFacts) -> Option<PoolDue> {
        let owned_since = facts.recyclable_since()?;
        let settled = facts.changed_at.max(self.changed_at).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let mut found: Option<PoolDue> = None;
        // From then on a rule that is asked before decides.
        let mut until: Option<DateTime<Utc>> = None;
        for RecycleTerm { rule, text, decides_from } in self.terms.iter().filter(|term| term.text.fits(facts))
        {
            let days = text.days_of(facts.level);
            let at = text.falls(facts, owned_since, days);
            if until.is_none_or(|until| at.max(settled) < until) && found.is_none_or(|found| at < found.at) {
                found = Some(PoolDue { at, rule: *rule, days });
            }
            let decides_from = decides_from.unwrap_or(text.effective_from);
            if decides_from <= settled {
                break;
            }
            until = Some(until.map_or(decides_from, |until| until.min(decides_from)));
        }
        found
    }

    /// The reason that stands in the pool when a lead falls.
    pub fn reason(&self, due: &PoolDue) -> Option<String> {
        self.text(due.rule).map(|text| text.kind.reason(due.days))
    }

    /// The warning that is to be told at `at`: the last one whose moment has come, as its hours before the fall. Earlier
    /// ones that nobody told in time are passed over: they would say less. `None`: none yet, or it falls already.
    pub fn warning(&self, due: &PoolDue, at: DateTime<Utc>) -> Option<u32> {
        if at >= due.at {
            return None;
        }
        let hours = &self.text(due.rule)?.warn_before_hours;
        hours.iter().copied().filter(|hours| at >= earlier(due.at, *hours)).min()
    }

    /// When the next warning of a lead is to be told, after `at`.
    pub fn next_warning(&self, due: &PoolDue, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let hours = &self.text(due.rule)?.warn_before_hours;
        hours.iter().map(|hours| earlier(due.at, *hours)).filter(|moment| *moment > at).min()
    }
}

impl RecycleText {
    /// When a lead falls by this rule alone.
    fn falls(&self, facts: &DueFacts, owned_since: DateTime<Utc>, days: u32) -> DateTime<Utc> {
        let clock = match self.kind {
            RecycleKind::NoFollowUp { .. } => {
                facts.last_follow_up_at.map_or(owned_since, |at| at.max(owned_since))
            }
            RecycleKind::NotSigned { .. } => owned_since,
        };
        let safe_until = if facts.given_by_person {
            later(owned_since, TimeDelta::hours(self.protected_hours.into()))
        } else {
            owned_since
        };
        later(clock, TimeDelta::days(days.into())).max(safe_until).max(self.effective_from)
    }

    fn fits(&self, facts: &DueFacts) -> bool {
        let from_here = self.lead_sources.is_empty()
            || facts.source.is_some_and(|source| self.lead_sources.contains(&source));
        let so_far =
            self.statuses.is_empty() || facts.status.is_some_and(|status| self.statuses.contains(&status));
        from_here && so_far
    }
}

/// Some time later; the end of time when there is no such moment.
fn later(at: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    at.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn earlier(at: DateTime<Utc>, hours: u32) -> DateTime<Utc> {
    at.checked_sub_signed(TimeDelta::hours(hours.into())).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
