//! The member 会员 of system S: a registered person as captured from any source (domain.md section 4).
//!
//! Reading order: [`fields`](MemberFields) and their [codes], [events](MemberEvent), [`Member`] with `evolve` and
//! `decide` below, and `observe`: what a row, seen again, says has happened.

pub mod codes;
mod command;
mod events;
mod fields;
mod observe;
mod source;
#[cfg(test)]
mod tests;
mod value;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use codes::{
    ChildrenPlan, Code, Gender, HouseCar, MarriageCert, MarriageHistory, MemberCode, MemberEducation,
    MemberKind, MemberStatus, Orientation,
};
pub use command::{MemberCommand, MemberError, Observation, Upgrade};
pub use events::{
    MemberActivated, MemberDeleted, MemberEvent, MemberRegistered, MemberRevoked, MemberRowSeen,
    MemberUpdated, MemberUpgraded,
};
pub use fields::{FieldChange, MemberField, MemberFields, MemberPatch, REGISTERED_AT, REGISTERED_AT_LABEL};
pub use source::{MemberSource, OwnSource, RowFingerprint, SourceKey};
pub use value::{
    FieldFault, FieldValue, LONG_TEXT_CHARS_MAX, MEMBER_NUMBER_CHARS_MAX, MEMBER_PHONE_CHARS_MAX,
    MemberNumber, MemberPhone, Private, SHORT_TEXT_CHARS_MAX,
};

use crate::Aggregate;
use crate::envelope::Actor;

/// Matches that an annual member gets with the upgrade, on top of what is left (existing-systems.md section 7.1).
const MATCHES_OF_ANNUAL: i64 = 5;

/// Matches that a one-time member has after the upgrade.
const MATCHES_OF_ONE_TIME: i64 = 1;

/// A member as its events left it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The facts of its registration; `None` before there is any.
    pub registered: Option<Registration>,
    /// What is known.
    pub fields: MemberFields,
    /// Its row as it was last seen, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<SeenRow>,
    /// Until when what was paid for holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// Why the membership was taken back, when somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_because: Option<String>,
    /// Who last changed anything.
    pub updated_by: Option<Actor>,
    /// When anything last changed.
    pub updated_at: Option<DateTime<Utc>>,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<DateTime<Utc>>,
}

/// How a member came to be known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// By which way.
    pub source: MemberSource,
    /// When the person registered 登记时间: as the source says, else when Leadwire learnt of it.
    pub at: DateTime<Utc>,
    /// When Leadwire learnt of it.
    pub learnt_at: DateTime<Utc>,
    /// Who did it.
    pub by: Actor,
}

/// A row as it was last seen. It differs from what is known where the staff changed something since.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeenRow {
    /// Its hash.
    pub fingerprint: RowFingerprint,
    /// Its columns.
    pub fields: MemberFields,
    /// Whether it was marked as deleted.
    pub deleted: bool,
}

impl Member {
    /// Whether it was registered and not deleted since.
    pub fn exists(&self) -> bool {
        self.registered.is_some() && self.deleted_at.is_none()
    }

    /// Where it stands; `None` when nobody says, or with a code nobody knows.
    pub fn status(&self) -> Option<MemberStatus> {
        self.fields.status.as_ref().and_then(Code::known)
    }

    /// Whether it takes part: only such a member is announced.
    pub fn is_active(&self) -> bool {
        self.exists() && self.status() == Some(MemberStatus::Active)
    }

    /// The type, a blank as the type everybody begins with.
    fn rank(&self) -> u8 {
        self.fields.kind.as_ref().and_then(Code::known).map_or(0, MemberKind::rank)
    }
}

impl Aggregate for Member {
    const TYPE: &'static str = "member";
    type Command = MemberCommand;
    type Event = MemberEvent;
    type Error = MemberError;

    fn decide(&self, command: MemberCommand) -> Result<Vec<MemberEvent>, MemberError> {
        use MemberCommand as C;
        match command {
            C::Register { .. } if self.registered.is_some() => Err(MemberError::AlreadyExists),
            C::Register { source, fields, by, at } => {
                require_identity(&fields)?;
                Ok(vec![MemberRegistered { source, fields, row: None, registered_at: None, by, at }.into()])
            }
            C::Observe { row, by, at } => Ok(self.observed(*row, &by, at)),
            _ if !self.exists() => Err(MemberError::NotFound),
            C::Update { changes, .. } if changes.kind.is_some() || changes.status.is_some() => {
                Err(MemberError::NotAField)
            }
            C::Update { changes, by, at } => self.decide_update(&changes, by, at),
            C::Activate { .. } if self.status() == Some(MemberStatus::Active) => Ok(vec![]),
            C::Activate { by, at } => {
                Ok(vec![MemberActivated { from: self.fields.status.clone(), row: None, by, at }.into()])
            }
            C::Upgrade { .. } if self.status() == Some(MemberStatus::Revoked) => Err(MemberError::Revoked),
            C::Upgrade { upgrade, by, at } => self.decide_upgrade(upgrade, by, at),
            C::Revoke { .. } if self.status() == Some(MemberStatus::Revoked) => Ok(vec![]),
            C::Revoke { reason, by, at } => {
                Ok(vec![MemberRevoked { from: self.fields.status.clone(), reason, row: None, by, at }.into()])
            }
            C::Delete { by, at } => Ok(vec![MemberDeleted { row: None, by, at }.into()]),
        }
    }

    fn evolve(&mut self, event: &MemberEvent) {
        match event {
            MemberEvent::Registered(e) => self.begun(e),
            MemberEvent::Updated(e) => {
                self.change(e.row.as_ref(), |fields| fields.apply(&e.changed));
                if self.status() != Some(MemberStatus::Revoked) {
                    self.revoked_because = None;
                }
                self.touched(&e.by, e.at);
            }
            MemberEvent::Activated(e) => {
                let active = || Some(MemberStatus::Active.into());
                self.change(e.row.as_ref(), |fields| fields.status = active());
                self.revoked_because = None;
                self.touched(&e.by, e.at);
            }
            MemberEvent::Upgraded(e) => {
                self.change(e.row.as_ref(), |fields| {
                    fields.kind = Some(e.to.into());
                    fields.remaining_matches = e.remaining_matches.or(fields.remaining_matches);
                });
                self.expires_at = e.expires_at;
                self.touched(&e.by, e.at);
            }
            MemberEvent::Revoked(e) => {
                self.change(e.row.as_ref(), |fields| fields.status = Some(MemberStatus::Revoked.into()));
                self.revoked_because.clone_from(&e.reason);
                self.touched(&e.by, e.at);
            }
            MemberEvent::Deleted(e) => {
                self.change(e.row.as_ref(), |_| {});
                if let (Some(seen), Some(_)) = (&mut self.row, &e.row) {
                    seen.deleted = true;
                }
                self.deleted_at = Some(e.at);
                self.touched(&e.by, e.at);
            }
            MemberEvent::RowSeen(e) => {
                if let Some(seen) = &mut self.row {
                    seen.fields.apply(&e.agreed);
                    seen.fingerprint.clone_from(&e.row);
                }
            }
        }
    }
}

impl Member {
    fn begun(&mut self, e: &MemberRegistered) {
        let registration = Registration {
            source: e.source.clone(),
            at: e.registered_at.unwrap_or(e.at),
            learnt_at: e.at,
            by: e.by.clone(),
        };
        let seen = |fingerprint: &RowFingerprint| SeenRow {
            fingerprint: fingerprint.clone(),
            fields: (*e.fields).clone(),
            deleted: false,
        };
        *self = Self {
            registered: Some(registration),
            fields: (*e.fields).clone(),
            row: e.row.as_ref().map(seen),
            ..Self::default()
        };
        self.touched(&e.by, e.at);
    }

    /// Folds a change into what is known and, when a row said so, into the row as it was last seen.
    fn change(&mut self, row: Option<&RowFingerprint>, change: impl Fn(&mut MemberFields)) {
        change(&mut self.fields);
        if let (Some(seen), Some(fingerprint)) = (&mut self.row, row) {
            change(&mut seen.fields);
            seen.fingerprint.clone_from(fingerprint);
        }
    }

    fn touched(&mut self, by: &Actor, at: DateTime<Utc>) {
        self.updated_by = Some(by.clone());
        self.updated_at = Some(at);
    }

    fn decide_update(
        &self,
        patch: &MemberPatch,
        by: Actor,
        at: DateTime<Utc>,
    ) -> Result<Vec<MemberEvent>, MemberError> {
        let after = patch.over(&self.fields);
        let changed = self.fields.changes_to(&after);
        if changed.is_empty() {
            return Ok(vec![]);
        }
        self.require_no_loss(&after)?;
        Ok(vec![MemberUpdated { changed, row: None, by, at }.into()])
    }

    /// What a registration needs may be changed, not taken away. A captured member may lack it from the start.
    fn require_no_loss(&self, after: &MemberFields) -> Result<(), MemberError> {
        let loses = |field| self.fields.get(field).is_some() && after.get(field).is_none();
        if IDENTITY.into_iter().any(loses) { Err(MemberError::MissingIdentity) } else { Ok(()) }
    }

    fn decide_upgrade(
        &self,
        upgrade: Upgrade,
        by: Actor,
        at: DateTime<Utc>,
    ) -> Result<Vec<MemberEvent>, MemberError> {
        let Upgrade { to, remaining_matches, paid_at, expires_at, notes } = upgrade;
        let from = self.fields.kind.clone();
        if from.as_ref().and_then(Code::known) == Some(to) {
            match (expires_at, self.expires_at) {
                (Some(until), Some(paid)) if until < paid => return Err(MemberError::NotARenewal),
                (Some(until), paid) if paid != Some(until) => {} // paid for once more
                _ => return Ok(vec![]),
            }
        } else if to.rank() <= self.rank() {
            return Err(MemberError::NotAnUpgrade);
        }
        let remaining_matches =
            remaining_matches.or_else(|| matches_after(to, self.fields.remaining_matches));
        let row = None;
        Ok(vec![
            MemberUpgraded { from, to, remaining_matches, paid_at, expires_at, notes, row, by, at }.into(),
        ])
    }
}

/// Matches after an upgrade: one for a one-time member, five more for an annual one.
fn matches_after(to: MemberKind, left: Option<i64>) -> Option<i64> {
    match to {
        MemberKind::OneTime => Some(MATCHES_OF_ONE_TIME),
        MemberKind::Annual => Some(left.unwrap_or_default().saturating_add(MATCHES_OF_ANNUAL)),
        MemberKind::Normal | MemberKind::Vip => left,
    }
}

/// What a person must tell to be registered (existing-systems.md section 7.1).
const IDENTITY: [MemberField; 3] = [MemberField::MemberNo, MemberField::Wechat, MemberField::Phone];

fn require_identity(fields: &MemberFields) -> Result<(), MemberError> {
    let complete = IDENTITY.into_iter().all(|field| fields.get(field).is_some());
    if complete { Ok(()) } else { Err(MemberError::MissingIdentity) }
}

crate::adapt_to_cqrs_es!(Member);
