//! The customer 客户 (lead 线索): who owns it, and its life.
//!
//! Reading order: [`events`](CustomerEvent), [`Customer`] with `evolve` and `decide` below, [`Ownership`] (one state
//! machine for every path), the follow-up rule ([`Customer::follow_up_status`]).

pub mod codes;
mod command;
mod events;
mod follow_up;
mod number;
mod ownership;
mod profile;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use codes::{
    ContractStatus, Education, FollowUpKind, FollowUpStatus, LeadLevel, LeadSource, RestSchedule,
    ServiceCategory,
};
pub use command::{CustomerCommand, CustomerError, Placement};
pub use events::{
    AssignmentSource, AutoTransferDisabled, AutoTransferEnabled, CustomerAssigned, CustomerClaimed,
    CustomerCreated, CustomerDeleted, CustomerEvent, CustomerFrozen, CustomerLevelChanged, CustomerRecycled,
    CustomerReleased, CustomerStatusChanged, CustomerTransferred, CustomerUnfrozen, CustomerUpdated,
    FollowUpDue, FollowUpRecorded, RecycleWarned, RuleRun,
};
pub use follow_up::{FOLLOW_UP_CHARS_MAX, LastFollowUp, is_system_note};
pub use number::{CustomerNumber, InvalidCustomerNumber};
pub use ownership::Ownership;
pub use profile::{Profile, ProfilePatch};
pub use rules::{FOLLOW_UP_REMINDER, RECYCLE_RULE, TRANSFER_RULE};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::ids::StaffId;
use crate::transfer_rule::Ineligible;

/// A customer as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// The facts of its creation; `None` before there is any.
    pub created: Option<Creation>,
    /// What is known.
    pub profile: Profile,
    /// How far the contract is.
    pub contract_status: Option<ContractStatus>,
    /// When the contract was signed; `None` while it is not.
    pub signed_at: Option<DateTime<Utc>>,
    /// How promising it is.
    pub lead_level: Option<LeadLevel>,
    /// Who has it.
    pub ownership: Ownership,
    /// Who gave it to the last owner, and why.
    pub assigned_by: Option<Actor>,
    /// The reason given with the last assignment.
    pub assignment_reason: Option<String>,
    /// How often it went from one owner to another.
    pub transfer_count: i64,
    /// When it last did.
    pub last_transferred_at: Option<DateTime<Utc>>,
    /// How often it left the public pool.
    pub claim_count: i64,
    /// The freeze, while there is one.
    pub freeze: Option<Freeze>,
    /// Whether rules must leave it alone.
    pub auto_transfer_disabled: bool,
    /// Everybody who ever followed up, notes of system A apart.
    pub followed_up_by: BTreeSet<StaffId>,
    /// The last follow-up, notes of system A apart.
    pub last_follow_up: Option<LastFollowUp>,
    /// When to follow up next, as the last follow-up said.
    pub next_follow_up_at: Option<DateTime<Utc>>,
    /// The named moment of a next follow-up that the owner was last reminded of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up_reminded: Option<DateTime<Utc>>,
    /// The warnings its owner got, in hours before, and the moment each of them named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub recycle_warnings: BTreeMap<u32, DateTime<Utc>>,
    /// The idle clock: when anybody last did something for it.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// Who last changed a field.
    pub last_updated_by: Option<Actor>,
    /// When anything about it last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// How a customer came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// Its number.
    pub number: CustomerNumber,
    /// Who created it.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Why a customer must stay where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Freeze {
    /// Who decided.
    pub by: Actor,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

impl Customer {
    /// Whether it was created and not deleted since.
    pub fn exists(&self) -> bool {
        self.created.is_some() && self.deleted_at.is_none()
    }

    /// Whether `staff` created it.
    pub fn created_by(&self, staff: StaffId) -> bool {
        self.created.as_ref().and_then(|c| c.by.staff()) == Some(staff)
    }

    /// Whether it must stay where it is.
    pub fn is_frozen(&self) -> bool {
        self.freeze.is_some()
    }

    /// Somebody did something for it: the idle clock starts again.
    fn touched(&mut self, at: DateTime<Utc>) {
        self.last_activity_at = Some(at);
        self.updated_at = Some(at);
    }

    /// A field was changed by hand.
    fn edited(&mut self, by: &Actor, at: DateTime<Utc>) {
        self.last_updated_by = Some(by.clone());
        self.touched(at);
    }
}

impl Aggregate for Customer {
    const TYPE: &'static str = "customer";
    type Command = CustomerCommand;
    type Event = CustomerEvent;
    type Error = CustomerError;

    fn decide(&self, command: CustomerCommand) -> Result<Vec<CustomerEvent>, CustomerError> {
        use CustomerCommand as C;
        match command {
            C::Create { .. } if self.created.is_some() => Err(CustomerError::AlreadyExists),
            C::Create { number, profile, contract_status, lead_level, placement, import, by, at } => {
                require_identity(&profile)?;
                let (owner, pooled) = match placement {
                    Placement::Nobody => (None, None),
                    Placement::Owner(owner, reason) => (Some((owner, reason)), None),
                    Placement::Pool(reason) => (None, Some(reason)),
                };
                let source = import.map_or(AssignmentSource::Create, AssignmentSource::Import);
                let assigned =
                    owner.map(|(to, reason)| self.handed_to(to, Some(reason), source, by.clone(), at));
                let profile = *profile;
                let created =
                    CustomerCreated { number, profile, contract_status, lead_level, pooled, import, by, at };
                Ok(std::iter::once(created.into()).chain(assigned).collect())
            }
            C::AutoTransfer { .. } if self.deleted_at.is_some() => {
                Err(CustomerError::NotEligible(Ineligible::Deleted))
            }
            _ if !self.exists() => Err(CustomerError::NotFound),
            C::Update { changes, contract_status, lead_level, by, at } => {
                self.decide_update(*changes, contract_status, lead_level, &by, at)
            }
            C::Assign { source: AssignmentSource::Pool | AssignmentSource::PoolBatch(_), .. }
                if !self.in_pool() =>
            {
                Err(CustomerError::NotInPool)
            }
            // Already true: nothing happened, nobody is told (fault A-04).
            C::Assign { to, .. } if self.owner() == Some(to) => Ok(vec![]),
            C::Assign { to, reason, source, by, at } => Ok(vec![self.handed_to(to, reason, source, by, at)]),
            C::Claim { by, cool_off, at } => {
                self.require_claimable(by, cool_off, at)?;
                Ok(vec![CustomerClaimed { by, at }.into()])
            }
            C::Release { reason, batch, by, at } => {
                let from = self.releasable()?;
                Ok(vec![CustomerReleased { from, by, reason, batch, at }.into()])
            }
            // Already true: the run comes again after a crash.
            C::AutoTransfer { to, .. } if self.owner() == Some(to) => Ok(vec![]),
            C::AutoTransfer { to, rule_run, criteria, expected_owner, reason, at } => {
                Ok(vec![self.handed_on((expected_owner, to), rule_run, &criteria, reason, at)?])
            }
            C::Recycle { rule, terms, run, at } => Ok(vec![self.recycled((rule, run), &terms, at)?]),
            C::WarnOfRecycling { rule, terms, offset_hours, due_at, at } => {
                Ok(self.warned(rule, &terms, (offset_hours, due_at), at)?.into_iter().collect())
            }
            C::RemindOfFollowUp { due, at } => Ok(self.reminded(due, at)?.into_iter().collect()),
            C::Freeze { .. } if self.is_frozen() => Err(CustomerError::AlreadyFrozen),
            C::Freeze { reason, by, at } => Ok(vec![CustomerFrozen { reason, by, at }.into()]),
            C::Unfreeze { .. } if !self.is_frozen() => Err(CustomerError::NotFrozen),
            C::Unfreeze { reason, by, at } => Ok(vec![CustomerUnfrozen { reason, by, at }.into()]),
            C::SetAutoTransfer { enabled, .. } if enabled != self.auto_transfer_disabled => Ok(vec![]),
            C::SetAutoTransfer { enabled: true, by, at } => Ok(vec![AutoTransferEnabled { by, at }.into()]),
            C::SetAutoTransfer { enabled: false, by, at } => Ok(vec![AutoTransferDisabled { by, at }.into()]),
            C::RecordFollowUp { content, .. } if content.trim().is_empty() => {
                Err(CustomerError::EmptyFollowUp)
            }
            C::RecordFollowUp { id, kind, content, next_follow_up_at, by, at } => {
                let content = content.trim().to_owned();
                Ok(vec![FollowUpRecorded { id, kind, content, next_follow_up_at, by, at }.into()])
            }
            C::Delete { by, at } => Ok(vec![CustomerDeleted { from: self.owner(), by, at }.into()]),
        }
    }

    fn evolve(&mut self, event: &CustomerEvent) {
        match event {
            CustomerEvent::Created(e) => self.begun(e),
            CustomerEvent::Updated(e) => {
                self.profile.apply(&e.changes);
                self.edited(&e.by, e.at);
            }
            CustomerEvent::StatusChanged(e) => {
                self.contract_status = Some(e.to);
                self.signed_at = (e.to == ContractStatus::Signed).then_some(e.at);
                if e.to == ContractStatus::Signed {
                    self.falls_no_more();
                }
                self.edited(&e.by, e.at);
            }
            CustomerEvent::LevelChanged(e) => {
                self.lead_level = Some(e.to);
                self.edited(&e.by, e.at);
            }
            CustomerEvent::Assigned(e) => {
                self.owned_by(e.to, &e.by, e.reason.as_ref(), e.at);
                self.claim_count += i64::from(e.out_of_pool);
            }
            CustomerEvent::Transferred(e) => {
                self.owned_by(e.to, &e.by, e.reason.as_ref(), e.at);
                self.transfer_count += 1;
                self.last_transferred_at = Some(e.at);
            }
            CustomerEvent::Claimed(e) => {
                self.owned_by(e.by, &Actor::Staff(e.by), None, e.at);
                self.claim_count += 1;
            }
            CustomerEvent::Released(e) => self.pooled(&e.reason, Some(e.from), e.at),
            CustomerEvent::Recycled(e) => self.pooled(&e.reason, Some(e.from), e.at),
            CustomerEvent::RecycleWarned(e) => {
                self.recycle_warnings.insert(e.offset_hours, e.due_at);
            }
            CustomerEvent::FollowUpDue(e) => self.follow_up_reminded = Some(e.due),
            CustomerEvent::Frozen(e) => {
                self.freeze = Some(Freeze { by: e.by.clone(), reason: e.reason.clone(), at: e.at });
                self.falls_no_more();
                self.updated_at = Some(e.at);
            }
            CustomerEvent::Unfrozen(e) => {
                self.freeze = None;
                self.updated_at = Some(e.at);
            }
            CustomerEvent::AutoTransferEnabled(e) => {
                self.auto_transfer_disabled = false;
                self.updated_at = Some(e.at);
            }
            CustomerEvent::AutoTransferDisabled(e) => {
                self.auto_transfer_disabled = true;
                self.updated_at = Some(e.at);
            }
            CustomerEvent::FollowedUp(e) => self.followed_up(e),
            CustomerEvent::Deleted(e) => {
                self.ownership = Ownership::Unassigned;
                self.deleted_at = Some(e.at);
                self.updated_at = Some(e.at);
            }
        }
    }
}

impl Customer {
    fn begun(&mut self, e: &CustomerCreated) {
        self.created = Some(Creation { number: e.number.clone(), by: e.by.clone(), at: e.at });
        self.profile = e.profile.clone();
        self.contract_status = Some(e.contract_status);
        self.signed_at = (e.contract_status == ContractStatus::Signed).then_some(e.at);
        self.lead_level = Some(e.lead_level);
        self.touched(e.at);
        if let Some(reason) = &e.pooled {
            self.pooled(reason, None, e.at);
        }
    }

    fn followed_up(&mut self, e: &FollowUpRecorded) {
        if is_system_note(e.kind, &e.content) {
            return; // A's note about a move; the move itself is an event of its own
        }
        self.followed_up_by.extend(e.by.staff());
        self.last_follow_up = Some(LastFollowUp { by: e.by.clone(), at: e.at });
        self.next_follow_up_at = e.next_follow_up_at;
        self.touched(e.at);
    }

    fn releasable(&self) -> Result<StaffId, CustomerError> {
        match &self.ownership {
            Ownership::InPool { .. } => Err(CustomerError::AlreadyInPool),
            Ownership::Unassigned => Err(CustomerError::NotOwned),
            Ownership::Owned { .. } if self.is_frozen() => Err(CustomerError::Frozen),
            Ownership::Owned { owner, .. } => Ok(*owner),
        }
    }

    fn decide_update(
        &self,
        changes: ProfilePatch,
        contract_status: Option<ContractStatus>,
        lead_level: Option<LeadLevel>,
        by: &Actor,
        at: DateTime<Utc>,
    ) -> Result<Vec<CustomerEvent>, CustomerError> {
        let changes = changes.against(&self.profile);
        let mut after = self.profile.clone();
        after.apply(&changes);
        require_identity(&after)?;

        let mut events = Vec::new();
        if !changes.is_empty() {
            events.push(CustomerUpdated { changes, by: by.clone(), at }.into());
        }
        if let (Some(from), Some(to)) = (self.contract_status, contract_status)
            && from != to
        {
            events.push(CustomerStatusChanged { from, to, by: by.clone(), at }.into());
        }
        if let (Some(from), Some(to)) = (self.lead_level, lead_level)
            && from != to
        {
            events.push(CustomerLevelChanged { from, to, by: by.clone(), at }.into());
        }
        Ok(events)
    }
}

/// A customer has a name and a way to be reached.
fn require_identity(profile: &Profile) -> Result<(), CustomerError> {
    if profile.name.trim().is_empty() {
        return Err(CustomerError::MissingName);
    }
    if profile.phone.is_none() && profile.wechat_id.is_none() {
        return Err(CustomerError::MissingContact);
    }
    Ok(())
}

crate::adapt_to_cqrs_es!(Customer);
