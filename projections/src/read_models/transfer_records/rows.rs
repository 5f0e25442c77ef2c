//! The rows of runs and of their moves.

use chrono::{DateTime, Utc};
use domain::customer::{ContractStatus, Customer};
use domain::transfer_rule::plan::{NoPlace, Unplaced};
use domain::transfer_rule::run::{PlannedMove, TransferRunCompleted, TransferRunStarted};
use domain::{CustomerId, Position, StaffId};
use sqlx::FromRow;
use uuid::Uuid;

use super::RecordStatus;
use crate::table::Cell;

/// A run.
#[derive(FromRow)]
pub(super) struct RunRow {
    pub(super) id: Uuid,
    rule: Uuid,
    rule_name: String,
    revision: i64,
    triggered: String,
    period: Option<DateTime<Utc>>,
    plan_hash: String,
    seed: String,
    started_by: Option<Uuid>,
    started_at: DateTime<Utc>,
    pub(super) planned: i64,
    moved: i64,
    skipped: i64,
    explanation: Option<String>,
    completed_at: Option<DateTime<Utc>>,
    pub(super) position: i64,
}

impl RunRow {
    pub(super) fn begun(id: Uuid, position: Position, e: &TransferRunStarted) -> Self {
        Self {
            id,
            rule: e.rule.0,
            rule_name: e.text.name.clone(),
            revision: e.revision,
            triggered: e.trigger.as_str().to_owned(),
            period: e.period,
            plan_hash: e.plan_hash.clone(),
            seed: e.seed.to_string(),
            started_by: e.by.staff().map(|staff| staff.0),
            started_at: e.at,
            planned: 0,
            moved: 0,
            skipped: 0,
            explanation: None,
            completed_at: None,
            position,
        }
    }

    pub(super) fn end(&mut self, position: Position, e: &TransferRunCompleted) {
        self.moved = count(e.moved.len());
        self.skipped = count(e.stayed());
        self.explanation.clone_from(&e.explanation);
        self.completed_at = Some(e.at);
        self.position = position;
    }

    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.into(),
            self.rule.into(),
            Cell::text(&self.rule_name),
            self.revision.into(),
            Cell::text(&self.triggered),
            self.period.into(),
            Cell::text(&self.plan_hash),
            Cell::text(&self.seed),
            self.started_by.into(),
            self.started_at.into(),
            self.planned.into(),
            self.moved.into(),
            self.skipped.into(),
            Cell::text_or_null(self.explanation.as_deref()),
            self.completed_at.into(),
            self.position.into(),
        ]
    }
}

/// A lead that fitted a rule, and what was planned for it.
pub(super) struct Fitting {
    pub(super) customer: CustomerId,
    from: StaffId,
    to: Result<StaffId, NoPlace>,
}

impl Fitting {
    pub(super) fn of_move(planned: &PlannedMove) -> Self {
        Self { customer: planned.customer, from: planned.from, to: Ok(planned.to) }
    }

    pub(super) fn of_unplaced(unplaced: &Unplaced) -> Self {
        Self { customer: unplaced.customer, from: unplaced.from, to: Err(unplaced.reason) }
    }
}

/// What came of a lead that fitted.
#[derive(FromRow)]
pub(super) struct RecordRow {
    pub(super) id: Uuid,
    pub(super) run: Uuid,
    rule: Uuid,
    rule_name: String,
    pub(super) customer: Uuid,
    from_user: Uuid,
    meant_for: Option<Uuid>,
    pub(super) status: String,
    pub(super) reason: Option<String>,
    pub(super) at: DateTime<Utc>,
    number: String,
    name: String,
    contract_status: Option<String>,
    inactive_hours: i64,
    last_activity_at: Option<DateTime<Utc>>,
    lead_created_at: DateTime<Utc>,
    pub(super) position: i64,
}

impl RecordRow {
    /// Of a plan, with the lead as it was then; `None` without one.
    pub(super) fn planned(
        id: Uuid,
        run: &RunRow,
        position: Position,
        fitting: &Fitting,
        lead: Option<&Customer>,
    ) -> Option<Self> {
        let lead = lead?;
        let created = lead.created.as_ref()?;
        let status = if fitting.to.is_ok() { RecordStatus::Planned } else { RecordStatus::Failed };
        let touched = lead.last_activity_at.unwrap_or(created.at);
        Some(Self {
            id,
            run: run.id,
            rule: run.rule,
            rule_name: run.rule_name.clone(),
            customer: fitting.customer.0,
            from_user: fitting.from.0,
            meant_for: fitting.to.ok().map(|staff| staff.0),
            status: status.as_str().to_owned(),
            reason: fitting.to.err().map(|reason| reason.as_str().to_owned()),
            at: run.started_at,
            number: created.number.as_str().to_owned(),
            name: lead.profile.name.clone(),
            contract_status: lead.contract_status.map(ContractStatus::as_str).map(str::to_owned),
            inactive_hours: run.started_at.signed_duration_since(touched).num_hours().max(0),
            last_activity_at: lead.last_activity_at,
            lead_created_at: created.at,
            position,
        })
    }

    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            self.id.into(),
            self.run.into(),
            self.rule.into(),
            Cell::text(&self.rule_name),
            self.customer.into(),
            self.from_user.into(),
            self.meant_for.into(),
            Cell::text(&self.status),
            Cell::text_or_null(self.reason.as_deref()),
            self.at.into(),
            Cell::text(&self.number),
            Cell::text(&self.name),
            Cell::text_or_null(self.contract_status.as_deref()),
            self.inactive_hours.into(),
            self.last_activity_at.into(),
            self.lead_created_at.into(),
            self.position.into(),
        ]
    }
}

fn count(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
