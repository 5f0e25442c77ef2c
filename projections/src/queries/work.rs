//! What a person has to do today and has achieved, for the first page of the mini program
//! (existing-systems.md section 2.3). There are no contracts here: a signed lead with its deal amount stands for one.

use chrono::{DateTime, Utc};
use domain::StaffId;
use domain::customer::ContractStatus;
use infrastructure::db::DbError;
use serde::Serialize;

use super::roster::{Entry, Roster};

/// Whose work is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Everybody's: for admins and managers.
    Everybody,
    /// One person's.
    Of(StaffId),
}

impl View {
    fn owns(self, lead: &Entry) -> bool {
        match self {
            Self::Everybody => true,
            Self::Of(staff) => lead.owner == Some(staff.0),
        }
    }

    /// Whether a lead came to the viewer at `since` or later: for everybody, it was created then; for one person, it
    /// was created by that person, or given to that person and never followed up.
    fn gained(self, lead: &Entry, since: DateTime<Utc>) -> bool {
        let created = lead.created_at >= since;
        match self {
            Self::Everybody => created,
            Self::Of(staff) => {
                let given = lead.owner == Some(staff.0) && lead.assigned_at.is_some_and(|at| at >= since);
                (created && lead.created_by == Some(staff.0)) || (given && untouched(lead))
            }
        }
    }
}

/// Nobody ever followed up.
fn untouched(lead: &Entry) -> bool {
    lead.last_follow_up_at.is_none()
}

fn signed(lead: &Entry) -> Option<DateTime<Utc>> {
    lead.signed_at.filter(|_| lead.contract_status == Some(ContractStatus::Signed))
}

/// What there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Today {
    /// Leads of the view.
    pub total_leads: i64,
    /// Leads that came this month.
    pub month_assigned: i64,
    /// Leads that came today.
    pub today_assigned: i64,
    /// Leads of the view that nobody ever followed up.
    pub pending_leads: i64,
    /// Leads of the view signed today.
    pub today_signed: i64,
}

/// Counts what there is to do; day and month begin where the caller says. Leads in the pool are nobody's work.
pub async fn today(
    roster: &Roster,
    view: View,
    day_start: DateTime<Utc>,
    month_start: DateTime<Utc>,
) -> Result<Today, DbError> {
    let leads = roster.read().await?;
    let mut counted = Today::default();
    for lead in leads.all().iter().filter(|lead| !lead.in_pool) {
        counted.month_assigned += i64::from(view.gained(lead, month_start));
        counted.today_assigned += i64::from(view.gained(lead, day_start));
        if view.owns(lead) {
            counted.total_leads += 1;
            counted.pending_leads += i64::from(untouched(lead));
            counted.today_signed += i64::from(signed(lead).is_some_and(|at| at >= day_start));
        }
    }
    Ok(counted)
}

/// What was achieved. Amounts in yuan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Signed {
    /// Leads signed this month.
    pub monthly_signed_count: i64,
    /// Deal amounts of those.
    pub monthly_performance: f64,
    /// Leads signed today.
    pub today_signed_count: i64,
    /// All that are signed now.
    pub total_contracts: i64,
    /// Deal amounts of those.
    pub total_amount: f64,
}

/// Counts what was achieved; day and month begin where the caller says.
pub async fn achieved(
    roster: &Roster,
    view: View,
    day_start: DateTime<Utc>,
    month_start: DateTime<Utc>,
) -> Result<Signed, DbError> {
    let leads = roster.read().await?;
    let mut counted = Signed::default();
    let (mut month_fen, mut total_fen) = (0_i64, 0_i64);
    for lead in leads.all().iter().filter(|lead| view.owns(lead)) {
        let Some(at) = signed(lead) else { continue };
        let fen = lead.deal_amount_fen.unwrap_or_default();
        counted.total_contracts += 1;
        total_fen = total_fen.saturating_add(fen);
        counted.today_signed_count += i64::from(at >= day_start);
        if at >= month_start {
            counted.monthly_signed_count += 1;
            month_fen = month_fen.saturating_add(fen);
        }
    }
    counted.monthly_performance = yuan(month_fen);
    counted.total_amount = yuan(total_fen);
    Ok(counted)
}

#[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^53 fen")]
fn yuan(fen: i64) -> f64 {
    fen as f64 / 100.0
}
