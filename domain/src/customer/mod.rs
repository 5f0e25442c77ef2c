//! The customer 客户 (lead 线索): who owns it, and its life.
//!
//! One state machine for ownership (domain.md section 2): every path into [`Ownership::Owned`] goes through
//! `Customer::handed_to` in `decide` and `Customer::owned_by` in `evolve`, so that owner, actor, time, reason
//! and idle clock are always set together (faults ).

pub mod codes;
mod events;
mod number;
mod profile;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use codes::{
    ContractStatus, Education, FollowUpStatus, LeadLevel, LeadSource, RestSchedule, ServiceCategory,
};
pub use events::{
    AssignmentSource, CustomerAssigned, CustomerCreated, CustomerEvent, CustomerLevelChanged,
    CustomerStatusChanged, CustomerTransferred, CustomerUpdated,
};
pub use number::{CustomerNumber, InvalidCustomerNumber};
pub use profile::{Profile, ProfilePatch};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::ids::StaffId;

/// Who has the lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Ownership {
    /// Nobody yet.
    #[default]
    Unassigned,
    /// One person.
    Owned {
        /// The owner.
        owner: StaffId,
        /// Since when.
        since: DateTime<Utc>,
    },
}

/// A customer as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Customer {
    /// The facts of its creation; `None` before there is any.
    pub created: Option<Creation>,
    /// What is known.
    pub profile: Profile,
    /// How far the contract is.
    pub contract_status: Option<ContractStatus>,
    /// How promising it is.
    pub lead_level: Option<LeadLevel>,
    /// Who has it.
    pub ownership: Ownership,
    /// Who gave it to the owner, and why.
    pub assigned_by: Option<Actor>,
    /// The reason given with the last assignment.
    pub assignment_reason: Option<String>,
    /// How often it went from one owner to another.
    pub transfer_count: i64,
    /// When it last did.
    pub last_transferred_at: Option<DateTime<Utc>>,
    /// The idle clock: when anything last happened to it.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// Who last changed a field.
    pub last_updated_by: Option<Actor>,
    /// When anything about it last changed.
    pub updated_at: Option<DateTime<Utc>>,
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

/// What may be asked of a customer.
#[derive(Debug, Clone, PartialEq)]
pub enum CustomerCommand {
    /// Bring it into being; with an owner it is assigned in the same breath.
    Create {
        /// Allocated by the store.
        number: CustomerNumber,
        /// What is known; phone or WeChat id must be there.
        profile: Box<Profile>,
        /// How far the contract is.
        contract_status: ContractStatus,
        /// How promising it is.
        lead_level: LeadLevel,
        /// The first owner, and the reason to record for it.
        owner: Option<(StaffId, String)>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Change fields; never who owns it.
    Update {
        /// The fields.
        changes: Box<ProfilePatch>,
        /// New contract status.
        contract_status: Option<ContractStatus>,
        /// New level.
        lead_level: Option<LeadLevel>,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
    /// Give it to somebody.
    Assign {
        /// The new owner. That the person exists, is active and may own leads is checked by the use case.
        to: StaffId,
        /// Why.
        reason: Option<String>,
        /// By which path.
        source: AssignmentSource,
        /// Who asks.
        by: Actor,
        /// When.
        at: DateTime<Utc>,
    },
}

/// Why a customer refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// There is no such customer.
    #[error("客户不存在")]
    NotFound,
    /// It exists already; a command id was reused with another stream.
    #[error("客户已存在")]
    AlreadyExists,
    /// Neither phone nor WeChat id.
    #[error("请填写手机号或微信号")]
    MissingContact,
    /// The name is blank.
    #[error("客户姓名不能为空")]
    MissingName,
}

impl Customer {
    /// The owner, if somebody owns it.
    pub fn owner(&self) -> Option<StaffId> {
        match self.ownership {
            Ownership::Owned { owner, .. } => Some(owner),
            Ownership::Unassigned => None,
        }
    }

    /// Since when the owner has it.
    pub fn assigned_at(&self) -> Option<DateTime<Utc>> {
        match self.ownership {
            Ownership::Owned { since, .. } => Some(since),
            Ownership::Unassigned => None,
        }
    }

    /// Whether `staff` created it.
    pub fn created_by(&self, staff: StaffId) -> bool {
        self.created.as_ref().and_then(|c| c.by.staff()) == Some(staff)
    }

    /// Where the owner stands with it; `None` once it is signed. No follow-up is recorded yet, so nobody has
    /// followed up.
    pub fn follow_up_status(&self) -> Option<FollowUpStatus> {
        let signed = self.contract_status == Some(ContractStatus::Signed);
        match self.transfer_count {
            _ if signed || self.lead_level == Some(LeadLevel::O) => None,
            0 => Some(FollowUpStatus::NewUntouched),
            _ => Some(FollowUpStatus::TransferredUntouched),
        }
    }

    /// The event that makes `to` the owner: assigned when nobody had it, transferred when somebody did.
    fn handed_to(
        &self,
        to: StaffId,
        reason: Option<String>,
        source: AssignmentSource,
        by: Actor,
        at: DateTime<Utc>,
    ) -> CustomerEvent {
        match self.owner() {
            None => CustomerAssigned { to, by, reason, source, at }.into(),
            Some(from) => CustomerTransferred { from, to, by, reason, source, at }.into(),
        }
    }

    /// The one way into `Owned`.
    fn owned_by(&mut self, owner: StaffId, by: &Actor, reason: Option<&String>, at: DateTime<Utc>) {
        self.ownership = Ownership::Owned { owner, since: at };
        self.assigned_by = Some(by.clone());
        self.assignment_reason = reason.cloned();
        self.touched(at);
    }

    fn touched(&mut self, at: DateTime<Utc>) {
        self.last_activity_at = Some(at);
        self.updated_at = Some(at);
    }
}

impl Aggregate for Customer {
    const TYPE: &'static str = "customer";
    type Command = CustomerCommand;
    type Event = CustomerEvent;
    type Error = CustomerError;

    fn decide(&self, command: CustomerCommand) -> Result<Vec<CustomerEvent>, CustomerError> {
        let exists = self.created.is_some();
        match command {
            CustomerCommand::Create { .. } if exists => Err(CustomerError::AlreadyExists),
            CustomerCommand::Create { number, profile, contract_status, lead_level, owner, by, at } => {
                require_identity(&profile)?;
                let assigned = owner.map(|(to, reason)| {
                    let source = AssignmentSource::Create;
                    self.handed_to(to, Some(reason), source, by.clone(), at)
                });
                let created =
                    CustomerCreated { number, profile: *profile, contract_status, lead_level, by, at };
                Ok(std::iter::once(created.into()).chain(assigned).collect())
            }
            _ if !exists => Err(CustomerError::NotFound),
            CustomerCommand::Update { changes, contract_status, lead_level, by, at } => {
                self.decide_update(*changes, contract_status, lead_level, &by, at)
            }
            // Already true: nothing happened, nobody is told (fault A-04).
            CustomerCommand::Assign { to, .. } if self.owner() == Some(to) => Ok(vec![]),
            CustomerCommand::Assign { to, reason, source, by, at } => {
                Ok(vec![self.handed_to(to, reason, source, by, at)])
            }
        }
    }

    fn evolve(&mut self, event: &CustomerEvent) {
        match event {
            CustomerEvent::Created(e) => {
                self.created = Some(Creation { number: e.number.clone(), by: e.by.clone(), at: e.at });
                self.profile = e.profile.clone();
                self.contract_status = Some(e.contract_status);
                self.lead_level = Some(e.lead_level);
                self.touched(e.at);
            }
            CustomerEvent::Updated(e) => {
                self.profile.apply(&e.changes);
                self.last_updated_by = Some(e.by.clone());
                self.touched(e.at);
            }
            CustomerEvent::StatusChanged(e) => {
                self.contract_status = Some(e.to);
                self.last_updated_by = Some(e.by.clone());
                self.touched(e.at);
            }
            CustomerEvent::LevelChanged(e) => {
                self.lead_level = Some(e.to);
                self.last_updated_by = Some(e.by.clone());
                self.touched(e.at);
            }
            CustomerEvent::Assigned(e) => self.owned_by(e.to, &e.by, e.reason.as_ref(), e.at),
            CustomerEvent::Transferred(e) => {
                self.owned_by(e.to, &e.by, e.reason.as_ref(), e.at);
                self.transfer_count += 1;
                self.last_transferred_at = Some(e.at);
            }
        }
    }
}

impl Customer {
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
