//! Why a rule is not kept, shown or changed.

use domain::Sequence;
use domain::pool_rules::PoolRulesError;
use domain::recycle_rule::RecycleRuleError;
use domain::recycle_rule::run::RecycleRunError;

/// Why a command on rules is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecycleRefusal {
    /// The role may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The recycle rule refuses.
    #[error(transparent)]
    Rule(#[from] RecycleRuleError),
    /// The run refuses.
    #[error(transparent)]
    Run(#[from] RecycleRunError),
    /// The rules of the pool refuse.
    #[error(transparent)]
    Pool(#[from] PoolRulesError),
    /// Somebody else has changed it since the caller saw it.
    #[error("规则已被其他人修改，请刷新后重试")]
    Stale {
        /// Where it is now.
        sequence: Sequence,
    },
}
