//! A preview 预览: the very plan that runs, if nothing changes (transfer-and-recycle.md section 2).

use domain::TransferRuleId;
use domain::transfer_rule::plan::{Nothing, Plan, PlanInputs};
use domain::transfer_rule::run::Seed;

use super::gather::Rule;
use super::{Previews, Stores, TransferError, TransferRefusal};
use crate::access::{self, Action, Caller};
use crate::bus::{CommandBus, ExecuteError};

/// Refusal of somebody whose role may not see rules.
const MAY_NOT_VIEW: &str = "只有管理员、经理或运营可以查看流转规则";

/// What a rule would do now.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Names this plan: [`super::start_planned`] carries out exactly it.
    pub hash: String,
    /// What it was made of.
    pub inputs: PlanInputs,
    /// Who gets what, and who nobody gets.
    pub plan: Plan,
    /// Whether the rule is on: a plan of a rule that is off can be looked at, not run.
    pub enabled: bool,
    /// Whether a scheduled run would find the window open at this moment. A run by hand does not ask.
    pub window_open: bool,
    /// Why the plan is empty, if it is.
    pub nothing: Option<Nothing>,
}

/// Plans, and keeps what the plan was made of.
pub async fn predict<B: CommandBus>(
    stores: Stores<'_, B>,
    previews: &dyn Previews,
    caller: &Caller,
    rule: TransferRuleId,
    seed: Seed,
) -> Result<Preview, TransferError> {
    may_view(caller)?;
    let rule = Rule::load(stores.bus, rule).await?;
    let inputs = rule.inputs(stores, seed, stores.clock.now()).await?;
    let plan = inputs.plan();
    let nothing = if plan.moves.is_empty() {
        Some(rule.scene(stores, &inputs, &plan.unplaced).await?.explain())
    } else {
        None
    };
    let hash = inputs.hash();
    previews.keep(&hash, &inputs).await?;
    let window_open = rule.text.window.contains(inputs.at);
    Ok(Preview { hash, inputs, plan, enabled: rule.enabled, window_open, nothing })
}

/// Refuses everybody whose role may not see rules.
pub(super) fn may_view(caller: &Caller) -> Result<(), TransferError> {
    if access::allows(caller.role, Action::ViewTransferRules) {
        Ok(())
    } else {
        Err(ExecuteError::Refused(TransferRefusal::Forbidden(MAY_NOT_VIEW)))
    }
}
