//! What a rule would do now, or in one sentence why nothing.

use chrono::{DateTime, Utc};
use domain::TransferRuleId;
use domain::transfer_rule::Ineligible;
use domain::transfer_rule::plan::{Nothing, Scene};
use domain::transfer_rule::run::Seed;

use super::gather::Rule;
use super::{Refused, Stores, TransferError};
use crate::bus::CommandBus;

/// What a rule would do in a run at one moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// It would move leads.
    Moves {
        /// How many.
        leads: usize,
        /// How many fit and would get no place.
        unplaced: usize,
    },
    /// It would move nothing, and this is why.
    Nothing(Nothing),
}

impl Outlook {
    /// One sentence in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Self::Moves { leads, unplaced: 0 } => format!("将流转{leads}条线索"),
            Self::Moves { leads, unplaced } => format!("将流转{leads}条线索，另有{unplaced}条无人可接"),
            Self::Nothing(nothing) => nothing.zh(),
        }
    }

    /// The same in English.
    pub fn en(&self) -> String {
        match self {
            Self::Moves { leads, unplaced: 0 } => format!("{leads} leads would move"),
            Self::Moves { leads, unplaced } => {
                format!("{leads} leads would move, and {unplaced} that fit would get no place")
            }
            Self::Nothing(nothing) => nothing.en(),
        }
    }
}

/// Looks at what a scheduled run of the rule at this moment would do. Nothing is written.
pub async fn explain<B: CommandBus>(
    stores: Stores<'_, B>,
    rule: TransferRuleId,
    at: DateTime<Utc>,
) -> Result<Outlook, TransferError> {
    let rule = Rule::load(stores.bus, rule).await?;
    let inputs = rule.inputs(stores, Seed(0), at).await?;
    let plan = inputs.plan();
    let window_closed = !rule.text.window.contains(at);
    if rule.enabled && !window_closed && !plan.moves.is_empty() {
        return Ok(Outlook::Moves { leads: plan.moves.len(), unplaced: plan.unplaced.len() });
    }
    let scene = rule.scene(stores, &inputs, &plan.unplaced).await?;
    Ok(Outlook::Nothing(Scene { window_closed, ..scene }.explain()))
}

/// How many leads the rule's sources own, and how many of them it leaves alone for which reason, whether it is on or off
/// and whatever the hour.
pub async fn judged<B: CommandBus>(
    stores: Stores<'_, B>,
    rule: TransferRuleId,
    at: DateTime<Utc>,
) -> Result<Refused, TransferError> {
    let rule = Rule::load(stores.bus, rule).await?;
    Ok(stores.candidates.refused(&rule.text.criteria(), at).await?)
}

impl Refused {
    /// How many leads fit.
    pub fn fitting(&self) -> u64 {
        self.owned.saturating_sub(self.because.iter().map(|(_, count)| count).sum())
    }

    /// One sentence in Chinese, the most frequent reason first.
    pub fn zh(&self) -> String {
        let Self { owned, .. } = self;
        let reasons = self.most_first().map(|(reason, count)| format!("；{count}条{}", reason.zh()));
        format!("流出人员名下的{owned}条线索中{}条符合规则{}", self.fitting(), reasons.collect::<String>())
    }

    /// The same in English.
    pub fn en(&self) -> String {
        let reasons: Vec<String> =
            self.most_first().map(|(reason, count)| format!("{count}: {}", reason.en())).collect();
        let others = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) };
        format!("{} of the {} leads of the sources fit the rule{others}", self.fitting(), self.owned)
    }

    fn most_first(&self) -> impl Iterator<Item = (Ineligible, u64)> {
        let mut because = self.because.clone();
        because.sort_by(|(this, a), (that, b)| b.cmp(a).then_with(|| this.cmp(that)));
        because.into_iter()
    }
}
