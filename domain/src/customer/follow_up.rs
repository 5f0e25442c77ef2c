//! Where the owner stands with a lead: one rule for list, filter and detail (existing-systems.md section 1.5).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Customer;
use super::codes::{ContractStatus, FollowUpKind, FollowUpStatus, LeadLevel};
use crate::envelope::Actor;

/// Most characters of a follow-up (existing-systems.md section 2.2).
pub const FOLLOW_UP_CHARS_MAX: usize = 1000;

/// Words with which a note of system A begins that no person wrote.
const SYSTEM_PREFIXES: [&str; 2] = ["系统：", "系统:"];

/// The last time somebody followed up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastFollowUp {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// Whether a follow-up is a note that system A wrote about its own doings. They count for nothing and no list
/// shows them; imported logs are full of them.
pub fn is_system_note(kind: FollowUpKind, content: &str) -> bool {
    let begins = SYSTEM_PREFIXES.iter().any(|prefix| content.starts_with(prefix));
    let handed_over = content.contains("负责人由") && content.contains("变更为");
    kind == FollowUpKind::Other && (begins || content.contains("系统自动流转") || handed_over)
}

impl Customer {
    /// Where the owner stands with it; `None` once it is signed.
    pub fn follow_up_status(&self) -> Option<FollowUpStatus> {
        let signed = self.contract_status == Some(ContractStatus::Signed);
        if signed || self.lead_level == Some(LeadLevel::O) {
            return None;
        }
        Some(match self.transfer_count {
            _ if self.owner_followed_up() => FollowUpStatus::FollowedUp,
            0 => FollowUpStatus::NewUntouched,
            _ => FollowUpStatus::TransferredUntouched,
        })
    }

    /// Whether its owner ever followed up, also in an earlier time of owning it.
    pub fn owner_followed_up(&self) -> bool {
        self.owner().is_some_and(|owner| self.followed_up_by.contains(&owner))
    }
}
