//! An order for a notice 通知委托: another system asks that members of staff are told something.
//!
//! Its contracts, résumés and reports are not ours (product.md, out of scope); telling people is. So the order is a fact
//! of its own, and the policy answers it like every other fact: routes, preferences, quiet hours and proofs are the same
//! whoever had something to say.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Aggregate;
use crate::envelope::Actor;
use crate::ids::StaffId;
use crate::notification::Priority;
use crate::stored_events;

/// Most people that one order tells. An order is one event and each person one notice of the policy's append.
pub const ORDER_RECIPIENTS_MAX: usize = 200;

stored_events! {
    /// A fact about one order.
    NoticeOrderEvent {
        /// It was placed.
        Placed(NoticeOrdered) = 1,
    }
}

/// Another system asked for a notice 通知委托. Phones in its words are masked before they get here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoticeOrdered {
    /// The type of notice, e.g. `CONTRACT_SIGNED`.
    pub scene: String,
    /// Who is to learn it, each once.
    pub recipients: Vec<StaffId>,
    /// What they read.
    pub words: OrderedWords,
    /// What clients may compute with.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub data: Map<String, Value>,
    /// Which system asked.
    pub by: Actor,
    /// When.
    pub at: DateTime<Utc>,
}

/// What the people of an order read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "words")]
pub enum OrderedWords {
    /// The published text of the type, each in the person's language, filled with these.
    Text {
        /// Values by variable.
        variables: Map<String, Value>,
    },
    /// The words of the system that asked, as they are.
    Own {
        /// First line.
        title: String,
        /// The text.
        content: String,
        /// How urgent.
        priority: Priority,
        /// Path in the console that it leads to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action_url: Option<String>,
        /// Words on the button.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action_text: Option<String>,
    },
}

/// An order: it is placed once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoticeOrder {
    /// What was ordered; `None`: nothing yet.
    pub placed: Option<NoticeOrdered>,
}

/// What may be asked of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum NoticeOrderCommand {
    /// Place it.
    Place(NoticeOrdered),
}

/// Why an order refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoticeOrderError {
    /// Something else was ordered under this id.
    #[error("另一个通知委托已使用此标识")]
    Placed,
    /// It tells nobody.
    #[error("通知委托没有接收人")]
    NoRecipients,
    /// It tells more people than one order may.
    #[error("一次最多通知{ORDER_RECIPIENTS_MAX}人")]
    TooManyRecipients,
}

impl Aggregate for NoticeOrder {
    const TYPE: &'static str = "notice_order";
    type Command = NoticeOrderCommand;
    type Event = NoticeOrderEvent;
    type Error = NoticeOrderError;

    fn decide(&self, command: NoticeOrderCommand) -> Result<Vec<NoticeOrderEvent>, NoticeOrderError> {
        let NoticeOrderCommand::Place(order) = command;
        match &self.placed {
            Some(placed) if *placed == order => Ok(vec![]),
            Some(_) => Err(NoticeOrderError::Placed),
            None if order.recipients.is_empty() => Err(NoticeOrderError::NoRecipients),
            None if order.recipients.len() > ORDER_RECIPIENTS_MAX => Err(NoticeOrderError::TooManyRecipients),
            None => Ok(vec![order.into()]),
        }
    }

    fn evolve(&mut self, event: &NoticeOrderEvent) {
        let NoticeOrderEvent::Placed(order) = event;
        self.placed = Some(order.clone());
    }
}

crate::adapt_to_cqrs_es!(NoticeOrder);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn order(people: usize) -> NoticeOrdered {
        let people = u128::try_from(people).unwrap();
        NoticeOrdered {
            scene: "CONTRACT_SIGNED".to_owned(),
            recipients: (0..people).map(|n| StaffId(Uuid::from_u128(n))).collect(),
            words: OrderedWords::Text { variables: Map::new() },
            data: Map::new(),
            by: Actor::System("service:contracts".to_owned()),
            at: "2026-03-01T02:00:00Z".parse().unwrap(),
        }
    }

    fn place(before: &NoticeOrder, order: NoticeOrdered) -> Result<NoticeOrder, NoticeOrderError> {
        let mut state = before.clone();
        for event in before.decide(NoticeOrderCommand::Place(order))? {
            state.evolve(&event);
        }
        Ok(state)
    }

    #[test]
    fn an_order_is_placed_once() {
        let placed = place(&NoticeOrder::default(), order(2)).unwrap();
        assert_eq!(placed.placed, Some(order(2)));
        assert_eq!(placed.decide(NoticeOrderCommand::Place(order(2))), Ok(vec![]), "it is true already");
        assert_eq!(place(&placed, order(1)), Err(NoticeOrderError::Placed));
    }

    #[test]
    fn it_tells_somebody_and_not_everybody() {
        let nothing = NoticeOrder::default();
        assert_eq!(place(&nothing, order(0)), Err(NoticeOrderError::NoRecipients));
        assert!(place(&nothing, order(ORDER_RECIPIENTS_MAX)).is_ok());
        let crowd = order(ORDER_RECIPIENTS_MAX + 1);
        assert_eq!(place(&nothing, crowd), Err(NoticeOrderError::TooManyRecipients));
    }
}
