//! Use case: another system orders a notice (http-api.md section 4).
//!
//! Nothing is decided here about channels and nobody is told yet: the order is one fact in the log, and the policy
//! answers it as it answers all others. So the routes, wishes and proofs of a notice do not depend on who had something
//! to say.

use domain::notice_order::{NoticeOrder, NoticeOrderCommand, NoticeOrderError, NoticeOrdered, OrderedWords};
use domain::staff::Staff;
use domain::{Aggregate, EventId, NoticeOrderId, NotificationId, StaffId, StreamId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::bus::{CommandBus, CommandContext, ExecuteError, Executed, Plan, StreamAppend, execute};

/// What is ordered.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Id of the order; the command's own.
    pub id: NoticeOrderId,
    /// The type of notice.
    pub scene: &'static str,
    /// Who is to be told, each once.
    pub recipients: Vec<StaffId>,
    /// What they read.
    pub words: OrderedWords,
    /// What clients may compute with.
    pub data: Map<String, Value>,
}

/// What is remembered of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReceipt {
    /// Who will be told.
    pub told: Vec<StaffId>,
    /// Who will not, and why.
    pub refused: Vec<(StaffId, RecipientRefusal)>,
}

/// Why a person of an order is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RecipientRefusal {
    /// There is no such account.
    #[error("员工不存在")]
    StaffNotFound,
    /// The account is cut off: nobody reads its inbox.
    #[error("员工账号已停用")]
    StaffInactive,
}

impl RecipientRefusal {
    /// The code in `refused[]`.
    pub fn code(self) -> &'static str {
        match self {
            Self::StaffNotFound => "STAFF_NOT_FOUND",
            Self::StaffInactive => "STAFF_INACTIVE",
        }
    }
}

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// The aggregate refuses.
    #[error(transparent)]
    Rule(#[from] NoticeOrderError),
    /// None of the people can be told: why, one by one.
    #[error("没有可通知的接收人")]
    NobodyToTell(Vec<(StaffId, RecipientRefusal)>),
}

/// The event that an order's command writes: its notices derive from it.
pub fn event_of(context: &CommandContext) -> EventId {
    EventId::of_command(context.metadata.command, 0)
}

/// The notice that one of its people will find.
pub fn notice_of(context: &CommandContext, recipient: StaffId, scene: &str) -> NotificationId {
    NotificationId::of(event_of(context), recipient, scene)
}

/// Places an order for everybody in it who has an account that works.
pub async fn order<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    order: Order,
) -> Result<Executed<OrderReceipt>, ExecuteError<OrderRefusal>> {
    execute(bus, context, async || plan(bus, context, &order).await).await
}

async fn plan<B: CommandBus>(
    bus: &B,
    context: &CommandContext,
    order: &Order,
) -> Result<Plan<OrderReceipt>, ExecuteError<OrderRefusal>> {
    let streams: Vec<StreamId> = order.recipients.iter().map(|person| StreamId::from(*person)).collect();
    let people = bus.load_many::<Staff>(&streams).await?;
    let mut receipt = OrderReceipt { told: vec![], refused: vec![] };
    for (person, found) in order.recipients.iter().zip(&people) {
        match found.state.account {
            None => receipt.refused.push((*person, RecipientRefusal::StaffNotFound)),
            Some(_) if !found.state.is_active() => {
                receipt.refused.push((*person, RecipientRefusal::StaffInactive));
            }
            Some(_) => receipt.told.push(*person),
        }
    }
    if receipt.told.is_empty() && !receipt.refused.is_empty() {
        return Err(ExecuteError::Refused(OrderRefusal::NobodyToTell(receipt.refused)));
    }
    let placed = NoticeOrdered {
        scene: order.scene.to_owned(),
        recipients: receipt.told.clone(),
        words: order.words.clone(),
        data: order.data.clone(),
        by: context.metadata.actor.clone(),
        at: context.at,
    };
    // Its stream is new with the command.
    let events = NoticeOrder::default().decide(NoticeOrderCommand::Place(placed));
    let events = events.map_err(|error| ExecuteError::Refused(error.into()))?;
    Ok(Plan { streams: vec![StreamAppend::of(order.id, 0, &events)?], guards: vec![], result: receipt })
}
