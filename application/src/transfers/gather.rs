//! Gathers what a plan is made of: one way for a preview, for the run it becomes, and for runs nobody previewed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::staff::Staff;
use domain::transfer_rule::plan::{PlanInputs, Scene, Target, Unplaced};
use domain::transfer_rule::run::{RUN_LEADS_MAX, Seed};
use domain::transfer_rule::{RuleText, TargetModule, TransferRule};
use domain::{StaffId, StreamId, TransferRuleId};

use super::{Stores, TransferError, TransferRefusal};
use crate::access;
use crate::bus::{CommandBus, ExecuteError, LoadError};
use crate::customers::{Cap, held_under};

/// A rule that is there and hands customers on.
pub(super) struct Rule {
    pub(super) id: TransferRuleId,
    pub(super) revision: i64,
    pub(super) text: RuleText,
    pub(super) enabled: bool,
}

impl Rule {
    pub(super) async fn load<B: CommandBus>(bus: &B, id: TransferRuleId) -> Result<Self, TransferError> {
        let rule = bus.load::<TransferRule>(&StreamId::from(id)).await?.state;
        let exists = rule.exists();
        let TransferRule { revision, enabled, text, .. } = rule;
        let text = text.filter(|_| exists).ok_or(ExecuteError::Refused(TransferRefusal::RuleNotFound))?;
        if text.target_module != TargetModule::Customer {
            return Err(ExecuteError::Refused(TransferRefusal::OtherModule));
        }
        Ok(Self { id, revision, text, enabled })
    }

    /// What a plan of this rule is made of, as the read models know it.
    pub(super) async fn inputs<B: CommandBus>(
        &self,
        stores: Stores<'_, B>,
        seed: Seed,
        at: DateTime<Utc>,
    ) -> Result<PlanInputs, LoadError> {
        let candidates = stores.candidates.eligible(&self.text.criteria(), at, RUN_LEADS_MAX).await?;
        let targets = targets(stores, self.id, &self.text.targets).await?;
        let text = self.text.clone();
        Ok(PlanInputs { rule: self.id, revision: self.revision, text, candidates, targets, seed, at })
    }

    /// What there is to explain an empty plan with. Counting every lead of the sources is worth it only then.
    pub(super) async fn scene<B: CommandBus>(
        &self,
        stores: Stores<'_, B>,
        inputs: &PlanInputs,
        unplaced: &[Unplaced],
    ) -> Result<Scene, LoadError> {
        let refused = stores.candidates.refused(&self.text.criteria(), inputs.at).await?;
        let mut reasons = BTreeMap::new();
        for one in unplaced {
            *reasons.entry(one.reason).or_default() += 1;
        }
        Ok(Scene {
            enabled: self.enabled,
            window_closed: false,
            sources: self.text.sources.len(),
            targets: inputs.targets.len(),
            owned: refused.owned,
            ineligible: refused.because,
            unplaced: reasons.into_iter().collect(),
            skipped: 0,
        })
    }
}

/// The people who may get leads now: active ones only (fault A-26d), in the rule's order, each with the room that the
/// holding cap leaves.
async fn targets<B: CommandBus>(
    stores: Stores<'_, B>,
    rule: TransferRuleId,
    people: &[StaffId],
) -> Result<Vec<Target>, LoadError> {
    let streams: Vec<StreamId> = people.iter().map(|person| StreamId::from(*person)).collect();
    let found = stores.bus.load_many::<Staff>(&streams).await?;
    let balances = stores.candidates.balances(rule).await?;
    let mut targets = Vec::with_capacity(people.len());
    for (staff, found) in people.iter().copied().zip(found) {
        let Some(cap) = cap_of(stores, &found.state) else { continue };
        let room =
            u32::try_from((cap.max - held_under(stores.bus, staff, cap).await?).max(0)).unwrap_or(u32::MAX);
        let balance = balances.get(&staff).copied().unwrap_or_default();
        targets.push(Target { staff, room: Some(room), balance });
    }
    Ok(targets)
}

/// How many leads the person may own; `None` when the person may get none at all.
pub(super) fn cap_of<B>(stores: Stores<'_, B>, staff: &Staff) -> Option<Cap> {
    let account = staff.account.as_ref().filter(|_| staff.is_active())?;
    access::assignable(account.role).then(|| stores.limits.held_to(account.role))
}
