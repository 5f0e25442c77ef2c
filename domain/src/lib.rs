//! What is true about leads, staff and notices, and nothing else.
//!
//! Every aggregate is a small book in one folder: its id, its events, its state with `evolve`, and
//! `decide`. Nothing here knows the time, a random number, a database or a socket: those are
//! arguments. Read [`customer`] first; the rest follows its form.

pub mod aggregate;
pub mod batch;
pub mod channel_control;
pub mod codes;
pub mod contact;
pub mod customer;
pub mod envelope;
pub mod ids;
pub mod inbox;
pub mod member;
pub mod member_notices;
pub mod notice_order;
pub mod notification;
pub mod planned_leads;
pub mod pool_rules;
pub mod preferences;
pub mod recycle_rule;
pub mod staff;
pub mod subscription;
pub mod template;
#[cfg(test)]
mod testing;
pub mod transfer_rule;

pub use aggregate::{Aggregate, DecodeError, StoredEvent};
pub use envelope::{Actor, Metadata, Recorded};
pub use ids::{
    BatchId, CommandId, CustomerId, DeliveryId, EventId, FollowUpId, MemberId, NoticeOrderId, NotificationId,
    Position, RecycleRuleId, RecycleRunId, Sequence, StaffId, StreamId, TransferRuleId, TransferRunId,
};
