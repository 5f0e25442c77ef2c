//! What a preview or a run by hand works with.

use std::collections::HashMap;

use application::bus::LoadError;
use application::customers::Limits;
use application::transfers::{Candidates, Previews, Refused, Stores};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::transfer_rule::Criteria;
use domain::transfer_rule::plan::Candidate;
use domain::{StaffId, TransferRuleId};
use infrastructure::bus::Bus;
use infrastructure::transfer_previews::StoredPreviews;
use projections::queries::transfers::LeadCandidates;

use crate::app::App;

/// The leads as the read models know them, the previews that are kept, and the limits in force.
#[derive(Debug)]
pub(super) struct Reads {
    candidates: AtMost,
    previews: StoredPreviews,
    limits: Limits,
}

impl Reads {
    /// Every lead.
    pub(super) async fn of(app: &App) -> Result<Self, LoadError> {
        Self::at_most(app, None).await
    }

    /// So many leads, the longest idle first; `None`: as many as a run takes.
    pub(super) async fn at_most(app: &App, leads: Option<usize>) -> Result<Self, LoadError> {
        let all = LeadCandidates::new(app.projections.roster().clone());
        let leads = leads.unwrap_or(usize::MAX);
        let previews = StoredPreviews::new(app.db.clone(), app.clock.clone());
        let limits = app.limits_in_force().await?;
        Ok(Self { candidates: AtMost { all, leads }, previews, limits })
    }

    /// What transfers work with.
    pub(super) fn stores<'s>(&'s self, app: &'s App) -> Stores<'s, Bus> {
        Stores {
            bus: &app.bus,
            candidates: &self.candidates,
            limits: &self.limits,
            clock: app.clock.as_ref(),
        }
    }

    /// The previews that are kept.
    pub(super) fn previews(&self) -> &dyn Previews {
        &self.previews
    }
}

/// No more leads than somebody asked for.
#[derive(Debug)]
struct AtMost {
    all: LeadCandidates,
    leads: usize,
}

#[async_trait]
impl Candidates for AtMost {
    async fn eligible(
        &self,
        criteria: &Criteria,
        at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<Candidate>, LoadError> {
        self.all.eligible(criteria, at, limit.min(self.leads)).await
    }

    async fn refused(&self, criteria: &Criteria, at: DateTime<Utc>) -> Result<Refused, LoadError> {
        self.all.refused(criteria, at).await
    }

    async fn balances(&self, rule: TransferRuleId) -> Result<HashMap<StaffId, i64>, LoadError> {
        self.all.balances(rule).await
    }
}
