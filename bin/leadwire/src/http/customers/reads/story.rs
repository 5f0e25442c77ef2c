//! One customer's stream, event by event with what each changed. Read from the log itself: nothing has to catch up.

use std::collections::VecDeque;

use application::access::{Caller, detail_scope};
use domain::aggregate::Aggregate as _;
use domain::customer::{Customer, CustomerEvent};
use domain::{CustomerId, Recorded, Sequence, StreamId};
use infrastructure::event_log::Until;

use crate::app::App;
use crate::http::problem::{self, Problem};
use crate::http::refusals::db_problem;

/// An event, and the customer around it.
pub(super) struct Step {
    pub(super) event: Recorded<CustomerEvent>,
    pub(super) before: Customer,
    pub(super) after: Customer,
}

/// What happened to a customer.
pub(super) struct Story {
    /// The customer now.
    pub(super) customer: Customer,
    /// How many events it has: its version.
    pub(super) version: Sequence,
    /// The newest of the events that were asked for, oldest first.
    pub(super) steps: VecDeque<Step>,
}

/// The last `limit` events of a customer before the event `before`; 404 for one that is unknown, deleted, or not for
/// the caller's eyes.
pub(super) async fn read(
    app: &App,
    caller: &Caller,
    id: CustomerId,
    before: Option<Sequence>,
    limit: usize,
) -> Result<Story, Problem> {
    let recorded = app.bus.log().stream_until(&StreamId::from(id), 0, Until::Now).await;
    let recorded = recorded.map_err(|error| db_problem(&error))?;
    let mut story = Story { customer: Customer::default(), version: 0, steps: VecDeque::new() };
    for event in recorded {
        let sequence = event.sequence;
        let event = app.bus.upcasters().decode::<CustomerEvent>(event).map_err(|error| {
            tracing::error!(error = %error, "event {sequence} of customer {id} cannot be read");
            Problem::of(&problem::INTERNAL)
        })?;
        let wanted = before.is_none_or(|before| sequence < before);
        let earlier = wanted.then(|| story.customer.clone());
        story.customer.evolve(&event.payload);
        story.version = sequence;
        if let Some(before) = earlier {
            story.steps.push_back(Step { event, before, after: story.customer.clone() });
        }
        if story.steps.len() > limit {
            story.steps.pop_front();
        }
    }
    if story.customer.exists() && detail_scope(caller).contains(&story.customer) {
        Ok(story)
    } else {
        Err(Problem::of(&problem::CUSTOMER_NOT_FOUND))
    }
}
