//! Gathers what a plan is made of: one way for a preview, for the run it becomes, and for runs nobody previewed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::planned_leads::RUN_LEADS_MAX;
use domain::staff::Staff;
use domain::transfer_rule::plan::{Candidate, PlanInputs, Scene, Target, Unplaced, sole_taker};
use domain::transfer_rule::run::Seed;
use domain::transfer_rule::{Criteria, RuleText, TargetModule, TransferRule};
use domain::{StaffId, StreamId, TransferRuleId};

use super::{Stores, TransferError, TransferRefusal};
use crate::access;
use crate::bus::{CommandBus, ExecuteError, LoadError};
use crate::customers::{Cap, all_held_under};
use crate::fates::load_each;

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
        let targets = targets(stores, self.id, &self.text.targets).await?;
        let candidates = candidates(stores, &self.text.criteria(), &targets, (at, RUN_LEADS_MAX)).await?;
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
/// holding cap leaves. Whose account cannot be read gets none.
async fn targets<B: CommandBus>(
    stores: Stores<'_, B>,
    rule: TransferRuleId,
    people: &[StaffId],
) -> Result<Vec<Target>, LoadError> {
    let streams: Vec<StreamId> = people.iter().map(|person| StreamId::from(*person)).collect();
    let found = load_each::<_, Staff>(stores.bus, &streams).await?;
    let balances = stores.candidates.balances(rule).await?;
    let able = people.iter().copied().zip(found);
    let able = able.filter_map(|(staff, found)| Some((staff, cap_of(stores, &found?.state)?)));
    let able: Vec<(StaffId, Cap)> = able.collect();
    let held = all_held_under(stores.bus, &able).await?;
    let target = |((staff, cap), held): ((StaffId, Cap), i64)| Target {
        staff,
        room: Some(u32::try_from((cap.max - held).max(0)).unwrap_or(u32::MAX)),
        balance: balances.get(&staff).copied().unwrap_or_default(),
    };
    Ok(able.into_iter().zip(held).map(target).collect())
}

/// The leads of a plan, the longest idle first, at most `most`. Those of the only one who may get any stand behind the
/// others: they can go nowhere, and as many as a run takes would keep everybody else's from being looked at for ever.
pub(super) async fn candidates<B>(
    stores: Stores<'_, B>,
    criteria: &Criteria,
    targets: &[Target],
    (at, most): (DateTime<Utc>, usize),
) -> Result<Vec<Candidate>, LoadError> {
    let mut others = criteria.clone();
    let sole = sole_taker(targets).filter(|sole| others.sources.remove(sole));
    let mut found = stores.candidates.eligible(&others, at, most).await?;
    if let Some(sole) = sole {
        let own = Criteria { sources: [sole].into(), ..others };
        found.extend(stores.candidates.eligible(&own, at, most.saturating_sub(found.len())).await?);
    }
    Ok(found)
}

/// How many leads the person may own; `None` when the person may get none at all.
pub(super) fn cap_of<B>(stores: Stores<'_, B>, staff: &Staff) -> Option<Cap> {
    let account = staff.account.as_ref().filter(|_| staff.is_active())?;
    access::assignable(account.role).then(|| stores.limits.held_to(account.role))
}
