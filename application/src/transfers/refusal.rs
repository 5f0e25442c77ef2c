//! Why a run does not begin, and why a lead of it stays.

use domain::transfer_rule::Ineligible;
use domain::transfer_rule::plan::{Change, NoPlace};
use domain::transfer_rule::run::TransferRunError;

use super::RuleRefusal;
use super::what_if::{WHAT_IF_EVENTS_MAX, WHAT_IF_LEADS_MAX, WHAT_IF_RUNS_MAX};
use crate::bus::ExecuteError;
use crate::fates::UNREADABLE;

/// How a step of a transfer fails.
pub type TransferError = ExecuteError<TransferRefusal>;

/// Why a transfer is refused. Texts are system A's (existing-systems.md section 5.4) where A had them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TransferRefusal {
    /// The role may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such rule, or not any more.
    #[error("规则不存在")]
    RuleNotFound,
    /// The rule is off.
    #[error("规则未启用")]
    RuleDisabled,
    /// The rule is about leads of another program.
    #[error("该规则不适用于客户线索")]
    OtherModule,
    /// Nobody made that preview, or it is too old.
    #[error("预览不存在或已过期，请重新预览")]
    UnknownPlan,
    /// What the preview was made of has changed: this is what.
    #[error("预览之后有{}处变化，请重新预览", .0.len())]
    PlanChanged(Vec<Change>),
    /// What somebody is about to write is no rule.
    #[error(transparent)]
    Rule(#[from] RuleRefusal),
    /// The people of a rule had more leads than one question may look at.
    #[error("规则中的人员共有过{leads}条线索，一次最多分析{max}条，请减少人员", max = WHAT_IF_LEADS_MAX)]
    TooMuchPast {
        /// How many.
        leads: u64,
    },
    /// More had happened to those leads than one question may read.
    #[error("规则中的人员的线索共有{events}条变更记录，一次最多分析{max}条，请减少人员", max = WHAT_IF_EVENTS_MAX)]
    TooMuchHappened {
        /// How many events.
        events: u64,
    },
    /// So many leads would be looked at so often that one question would take too long.
    #[error("{leads}条线索执行{runs}次需要查看{}次，一次最多{max}次，请减少天数或人员", leads * runs)]
    TooManyLooks {
        /// How many leads.
        leads: u64,
        /// In how many runs.
        runs: u64,
        /// How often they may be looked at, for so many targets.
        max: u64,
    },
    /// The rule would have run more often in that time than one question may look at.
    #[error("这段时间内规则会执行{max}次以上，请减少天数", max = WHAT_IF_RUNS_MAX)]
    TooManyRuns,
    /// The run refuses.
    #[error(transparent)]
    Run(#[from] TransferRunError),
}

/// Why a planned lead stayed where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// The predicate does not hold any more.
    Ineligible(Ineligible),
    /// The rule was switched off or deleted while the run was under way.
    RuleOff,
    /// The rule says something else since the run was planned.
    RuleRevised,
    /// The one who was to get it is suspended, or may not own leads.
    TargetInactive,
    /// The one who was to get it owns as many as one may.
    TargetFull,
    /// It was written to so often at that moment that there was no getting through.
    Contended,
    /// What is stored about it, or about the one who was to get it, cannot be read by this program.
    Unreadable,
}

impl SkipReason {
    /// The reasons that say nothing of what somebody did with the lead.
    pub(super) const NOT_OF_THE_LEAD: [Self; 5] =
        [Self::RuleOff, Self::RuleRevised, Self::TargetInactive, Self::TargetFull, Self::Unreadable];

    /// The code in the fact that ends the run.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ineligible(reason) => reason.code(),
            Self::RuleOff => "rule_off",
            Self::RuleRevised => "rule_revised",
            Self::TargetInactive => "target_inactive",
            Self::TargetFull => "target_full",
            Self::Contended => "contended",
            Self::Unreadable => UNREADABLE,
        }
    }

    /// The code's words, Chinese and English; `None` for a code this program does not know.
    pub fn texts(code: &str) -> Option<(&'static str, &'static str)> {
        Some(match code {
            "rule_off" => ("规则在执行中被停用或删除", "the rule was switched off or deleted meanwhile"),
            "rule_revised" => ("规则在执行中被修改", "the rule was changed meanwhile"),
            "target_inactive" => ("接收人已停用", "the person who was to get it is suspended"),
            "target_full" => {
                ("接收人已达到客户持有上限", "the person who was to get it owns as many as one may")
            }
            "contended" => ("线索正被频繁修改", "the lead was written to too often at that moment"),
            UNREADABLE => (
                "线索或接收人的记录无法读取，请联系管理员",
                "the record of the lead, or of the person who was to get it, cannot be read; ask an administrator",
            ),
            other => {
                let no_place = other.parse::<NoPlace>().map(|reason| (reason.zh(), reason.en()));
                return no_place
                    .ok()
                    .or_else(|| other.parse::<Ineligible>().ok().map(|reason| (reason.zh(), reason.en())));
            }
        })
    }
}
