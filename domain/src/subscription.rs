//! Credits of one-time subscribe messages 订阅额度: one per consent, one per message (wechat-apis.md section 2.4).
//!
//! A credit is reserved together with the attempt, so two processes can never spend the same one.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::Aggregate;
use crate::contact::OpenId;
use crate::ids::DeliveryId;
use crate::stored_events;

/// Most credits granted at once: one popup carries one consent; an operator may correct by more.
pub const GRANT_MAX: i64 = 100;

/// Consents whose moments are remembered, for a rejection that is told late.
pub const CONSENTS_REMEMBERED: usize = 32;

stored_events! {
    /// A fact about the credits of one (app, openid, template).
    SubscriptionEvent {
        /// The person consented.
        Granted(CreditsGranted) = 1,
        /// An attempt holds one.
        Reserved(CreditReserved) = 1,
        /// The message was accepted.
        Consumed(CreditConsumed) = 1,
        /// The provider definitely refused; the credit is back.
        Returned(CreditReturned) = 1,
        /// The provider says that there is none.
        Zeroed(CreditsZeroed) = 1,
    }
}

/// Who said that the person consented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantSource {
    /// A callback with a verified signature.
    Callback,
    /// The client, while callbacks are off.
    ClientReport,
    /// An operator's correction.
    Operator,
}

/// Credits were granted 订阅.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreditsGranted {
    /// The app.
    pub app: String,
    /// Whose.
    pub openid: OpenId,
    /// For which template.
    pub template: String,
    /// How many.
    pub count: i64,
    /// Who said so.
    pub source: GrantSource,
    /// When.
    pub at: DateTime<Utc>,
}

/// An attempt holds a credit 预占.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreditReserved {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When.
    pub at: DateTime<Utc>,
}

/// A credit was spent 消耗.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreditConsumed {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When.
    pub at: DateTime<Utc>,
}

/// A credit came back 退回.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreditReturned {
    /// The delivery.
    pub delivery: DeliveryId,
    /// When.
    pub at: DateTime<Utc>,
}

/// There is none left 清零.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreditsZeroed {
    /// The delivery that learned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryId>,
    /// Why, e.g. the provider's code.
    pub reason: String,
    /// Credits of consents that are younger than the word of which we learn only now.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: i64,
    /// When.
    pub at: DateTime<Utc>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape serde wants")]
fn is_zero(count: &i64) -> bool {
    *count == 0
}

/// The credits as the events left them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SubscriptionLedger {
    /// Free credits; never negative.
    pub available: i64,
    /// Deliveries whose attempt holds one.
    pub reserved: BTreeSet<DeliveryId>,
    /// Consents so far.
    #[serde(default)]
    pub granted: i64,
    /// Messages that spent one.
    #[serde(default)]
    pub spent: i64,
    /// The last consent.
    #[serde(default)]
    pub last_granted_at: Option<DateTime<Utc>>,
    /// The last message that spent one.
    #[serde(default)]
    pub last_spent_at: Option<DateTime<Utc>>,
    /// When the person last switched the messages off.
    #[serde(default)]
    pub revoked_at: Option<DateTime<Utc>>,
    /// The latest consents that callbacks told of, at most [`CONSENTS_REMEMBERED`]: callbacks come in any order.
    #[serde(default)]
    pub consents: VecDeque<Consent>,
}

/// A consent that a callback told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// When the person gave it.
    pub at: DateTime<Utc>,
    /// How many credits it was.
    pub count: i64,
}

/// What may be asked of a ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum SubscriptionCommand {
    /// The person consented.
    Grant(CreditsGranted),
    /// Hold one for an attempt.
    Reserve {
        /// The delivery.
        delivery: DeliveryId,
        /// When.
        at: DateTime<Utc>,
    },
    /// It was spent.
    Consume {
        /// The delivery.
        delivery: DeliveryId,
        /// When.
        at: DateTime<Utc>,
    },
    /// It was not.
    Return {
        /// The delivery.
        delivery: DeliveryId,
        /// When.
        at: DateTime<Utc>,
    },
    /// The provider says that there is none.
    Zero {
        /// The delivery that learned it.
        delivery: DeliveryId,
        /// Why.
        reason: String,
        /// When.
        at: DateTime<Utc>,
    },
    /// The person switched the messages off.
    Revoke {
        /// How we know, e.g. `subscribe_msg_change_event`.
        reason: String,
        /// When the person did it.
        at: DateTime<Utc>,
    },
}

/// Why a ledger refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// No credit is free.
    #[error("订阅额度不足")]
    NoCredit,
    /// Not 1 to [`GRANT_MAX`].
    #[error("一次授予的订阅额度须为1到{GRANT_MAX}")]
    InvalidCount,
}

impl Aggregate for SubscriptionLedger {
    const TYPE: &'static str = "subscription";
    type Command = SubscriptionCommand;
    type Event = SubscriptionEvent;
    type Error = SubscriptionError;

    fn decide(&self, command: SubscriptionCommand) -> Result<Vec<SubscriptionEvent>, SubscriptionError> {
        match command {
            SubscriptionCommand::Grant(grant) if !(1..=GRANT_MAX).contains(&grant.count) => {
                Err(SubscriptionError::InvalidCount)
            }
            // The person switched the messages off after that; the two were told in the wrong order.
            SubscriptionCommand::Grant(grant) if self.was_revoked_after(&grant) => Ok(vec![]),
            SubscriptionCommand::Grant(grant) => Ok(vec![grant.into()]),
            SubscriptionCommand::Reserve { delivery, .. } if self.reserved.contains(&delivery) => Ok(vec![]),
            SubscriptionCommand::Reserve { .. } if self.available < 1 => Err(SubscriptionError::NoCredit),
            SubscriptionCommand::Reserve { delivery, at } => Ok(vec![CreditReserved { delivery, at }.into()]),
            SubscriptionCommand::Consume { delivery, .. } | SubscriptionCommand::Return { delivery, .. }
                if !self.reserved.contains(&delivery) =>
            {
                Ok(vec![])
            }
            SubscriptionCommand::Consume { delivery, at } => Ok(vec![CreditConsumed { delivery, at }.into()]),
            SubscriptionCommand::Return { delivery, at } => Ok(vec![CreditReturned { delivery, at }.into()]),
            SubscriptionCommand::Zero { delivery, .. }
                if self.available == 0 && !self.reserved.contains(&delivery) =>
            {
                Ok(vec![])
            }
            SubscriptionCommand::Zero { delivery, reason, at } => {
                Ok(vec![CreditsZeroed { delivery: Some(delivery), reason, kept: 0, at }.into()])
            }
            SubscriptionCommand::Revoke { at, .. } if self.revoked_at.is_some_and(|known| at <= known) => {
                Ok(vec![])
            }
            SubscriptionCommand::Revoke { reason, at } => {
                let kept = self.consented_after(at).min(self.available);
                Ok(vec![CreditsZeroed { delivery: None, reason, kept, at }.into()])
            }
        }
    }

    fn evolve(&mut self, event: &SubscriptionEvent) {
        match event {
            SubscriptionEvent::Granted(e) => self.consented(e),
            SubscriptionEvent::Reserved(e) => {
                self.available -= 1;
                self.reserved.insert(e.delivery);
            }
            SubscriptionEvent::Consumed(e) => {
                if self.reserved.remove(&e.delivery) {
                    self.spent += 1;
                    self.last_spent_at = Some(e.at);
                }
            }
            SubscriptionEvent::Returned(e) => {
                if self.reserved.remove(&e.delivery) {
                    self.available += 1;
                }
            }
            SubscriptionEvent::Zeroed(e) => {
                self.available = e.kept;
                match e.delivery {
                    Some(delivery) => {
                        self.reserved.remove(&delivery);
                    }
                    None => self.revoked_at = Some(e.at),
                }
            }
        }
    }
}

impl SubscriptionLedger {
    fn consented(&mut self, grant: &CreditsGranted) {
        self.available += grant.count;
        self.granted += grant.count;
        self.last_granted_at = self.last_granted_at.max(Some(grant.at));
        if grant.source == GrantSource::Callback {
            if self.consents.len() == CONSENTS_REMEMBERED {
                self.consents.pop_front();
            }
            self.consents.push_back(Consent { at: grant.at, count: grant.count });
        }
    }

    fn was_revoked_after(&self, grant: &CreditsGranted) -> bool {
        grant.source == GrantSource::Callback && self.revoked_at.is_some_and(|revoked| grant.at < revoked)
    }

    fn consented_after(&self, at: DateTime<Utc>) -> i64 {
        self.consents.iter().filter(|consent| consent.at > at).map(|consent| consent.count).sum()
    }
}

crate::adapt_to_cqrs_es!(SubscriptionLedger);
