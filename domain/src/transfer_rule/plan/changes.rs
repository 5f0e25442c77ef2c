//! What changed between a preview and the moment somebody wants it carried out, in words a manager can act on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Candidate, PlanInputs, Target, each_once};
use crate::ids::{CustomerId, StaffId};

/// One thing that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Change {
    /// The rule has another text.
    RuleRevised {
        /// Its revision in the preview.
        from: i64,
        /// Its revision now.
        to: i64,
    },
    /// The plans were drawn with other seeds, or for other moments.
    AnotherDraw,
    /// A lead no longer fits the rule: it was followed up, frozen, signed, released, deleted…
    LeadLeft {
        /// The lead.
        customer: CustomerId,
        /// Who had it.
        owner: StaffId,
    },
    /// A lead fits the rule now that did not.
    LeadCame {
        /// The lead.
        customer: CustomerId,
        /// Who has it.
        owner: StaffId,
    },
    /// A lead went to somebody else.
    LeadMoved {
        /// The lead.
        customer: CustomerId,
        /// Who had it.
        from: StaffId,
        /// Who has it.
        to: StaffId,
    },
    /// Something about a lead changed that leaves it fitting.
    LeadTouched {
        /// The lead.
        customer: CustomerId,
    },
    /// A person gets no leads any more: suspended, or off the rule's list.
    TargetLeft {
        /// The person.
        staff: StaffId,
    },
    /// A person gets leads now who did not.
    TargetCame {
        /// The person.
        staff: StaffId,
    },
    /// A person owns as many leads as one may.
    TargetFull {
        /// The person.
        staff: StaffId,
    },
    /// A person may own more leads, or fewer, than the preview counted on.
    RoomChanged {
        /// The person.
        staff: StaffId,
        /// Room in the preview; `None`: enough for all.
        from: Option<u32>,
        /// Room now.
        to: Option<u32>,
    },
    /// A person gained or lost leads by the rule.
    BalanceChanged {
        /// The person.
        staff: StaffId,
        /// Balance in the preview.
        from: i64,
        /// Balance now.
        to: i64,
    },
    /// The same people in another order.
    TargetsReordered,
}

impl Change {
    /// The code in answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RuleRevised { .. } => "RULE_REVISED",
            Self::AnotherDraw => "ANOTHER_DRAW",
            Self::LeadLeft { .. } => "LEAD_LEFT",
            Self::LeadCame { .. } => "LEAD_CAME",
            Self::LeadMoved { .. } => "LEAD_MOVED",
            Self::LeadTouched { .. } => "LEAD_TOUCHED",
            Self::TargetLeft { .. } => "TARGET_LEFT",
            Self::TargetCame { .. } => "TARGET_CAME",
            Self::TargetFull { .. } => "TARGET_FULL",
            Self::RoomChanged { .. } => "ROOM_CHANGED",
            Self::BalanceChanged { .. } => "BALANCE_CHANGED",
            Self::TargetsReordered => "TARGETS_REORDERED",
        }
    }

    /// What happened, in Chinese. Leads and people are named by whoever shows it.
    pub fn zh(&self) -> &'static str {
        match self {
            Self::RuleRevised { .. } => "规则已被修改",
            Self::AnotherDraw => "预览的随机种子或时间不同",
            Self::LeadLeft { .. } => "线索已不再符合规则",
            Self::LeadCame { .. } => "有新的线索符合规则",
            Self::LeadMoved { .. } => "线索已换负责人",
            Self::LeadTouched { .. } => "线索已有变动",
            Self::TargetLeft { .. } => "接收人已停用或不再接收",
            Self::TargetCame { .. } => "新增了接收人",
            Self::TargetFull { .. } => "接收人已达到客户持有上限",
            Self::RoomChanged { .. } => "接收人的剩余名额已变化",
            Self::BalanceChanged { .. } => "人员的流转差额已变化",
            Self::TargetsReordered => "接收人的顺序已变化",
        }
    }

    /// The same in English.
    pub fn en(&self) -> &'static str {
        match self {
            Self::RuleRevised { .. } => "the rule was revised",
            Self::AnotherDraw => "the preview was drawn with another seed or for another moment",
            Self::LeadLeft { .. } => "a lead no longer fits the rule",
            Self::LeadCame { .. } => "another lead fits the rule now",
            Self::LeadMoved { .. } => "a lead has another owner",
            Self::LeadTouched { .. } => "a lead was changed",
            Self::TargetLeft { .. } => "a person was suspended or no longer receives leads",
            Self::TargetCame { .. } => "another person receives leads now",
            Self::TargetFull { .. } => "a person owns as many leads as one may",
            Self::RoomChanged { .. } => "a person has room for another number of leads",
            Self::BalanceChanged { .. } => "a person's balance changed",
            Self::TargetsReordered => "the people who receive are in another order",
        }
    }
}

impl PlanInputs {
    /// What changed from these inputs to `now`, the rule first, then leads and people by id.
    pub fn difference(&self, now: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        if (self.rule, self.revision, &self.text) != (now.rule, now.revision, &now.text) {
            changes.push(Change::RuleRevised { from: self.revision, to: now.revision });
        }
        if (self.seed, self.at.timestamp_micros()) != (now.seed, now.at.timestamp_micros()) {
            changes.push(Change::AnotherDraw);
        }
        changes.extend(leads(&each_once(&self.candidates), &each_once(&now.candidates)));
        changes.extend(people(&self.effective_targets(), &now.effective_targets()));
        changes
    }
}

fn leads(before: &[Candidate], now: &[Candidate]) -> Vec<Change> {
    let pairs = paired(before, now, |lead| lead.customer);
    let change = |(customer, pair)| match pair {
        (Some(Candidate { owner, .. }), None) => Some(Change::LeadLeft { customer, owner }),
        (None, Some(Candidate { owner, .. })) => Some(Change::LeadCame { customer, owner }),
        (Some(before), Some(now)) if before.owner != now.owner => {
            Some(Change::LeadMoved { customer, from: before.owner, to: now.owner })
        }
        (Some(before), Some(now)) if before.sequence != now.sequence => {
            Some(Change::LeadTouched { customer })
        }
        _ => None,
    };
    pairs.into_iter().filter_map(change).collect()
}

fn people(before: &[Target], now: &[Target]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (staff, pair) in paired(before, now, |target| target.staff) {
        let (before, now) = match pair {
            (Some(_), None) => {
                changes.push(Change::TargetLeft { staff });
                continue;
            }
            (None, Some(_)) => {
                changes.push(Change::TargetCame { staff });
                continue;
            }
            (Some(before), Some(now)) => (before, now),
            (None, None) => continue,
        };
        if before.room != now.room {
            let (from, to) = (before.room, now.room);
            let full = to == Some(0);
            changes.push(if full {
                Change::TargetFull { staff }
            } else {
                Change::RoomChanged { staff, from, to }
            });
        }
        if before.balance != now.balance {
            changes.push(Change::BalanceChanged { staff, from: before.balance, to: now.balance });
        }
    }
    let order = |targets: &[Target]| targets.iter().map(|target| target.staff).collect::<Vec<_>>();
    if changes.is_empty() && order(before) != order(now) {
        changes.push(Change::TargetsReordered);
    }
    changes
}

/// What stands on both sides of each key.
fn paired<K: Ord, V: Copy>(before: &[V], now: &[V], key: fn(&V) -> K) -> BTreeMap<K, (Option<V>, Option<V>)> {
    let mut pairs: BTreeMap<K, (Option<V>, Option<V>)> = BTreeMap::new();
    for value in before {
        pairs.entry(key(value)).or_default().0 = Some(*value);
    }
    for value in now {
        pairs.entry(key(value)).or_default().1 = Some(*value);
    }
    pairs
}
