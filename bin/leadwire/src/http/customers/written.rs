//! The answer of a command: the customer as it was right after it, so that a repetition shows the same again. When it falls
//! into the public pool is asked of the rules of this moment, as everywhere.

use application::access::Caller;
use application::bus::{CommandBus as _, Executed};
use application::customers::{CustomerReceipt, CustomerResult};
use domain::customer::Customer;
use domain::recycle_rule::DueFacts;
use domain::{CustomerId, StreamId};
use projections::queries::recycling;

use super::document::CustomerDocument;
use crate::app::App;
use crate::http::answer::Answer;
use crate::http::people::People;
use crate::http::problem::Problem;
use crate::http::refusals::{customer_problem, load_problem};
use crate::http::text::Text;

/// A customer right after a command.
pub struct Shown {
    /// Which.
    pub id: CustomerId,
    /// As it was.
    pub customer: Customer,
}

impl Shown {
    /// Loads what the receipt remembers.
    pub async fn load(app: &App, receipt: &CustomerReceipt) -> Result<Self, Problem> {
        let stream = StreamId::from(receipt.customer);
        let found = app.bus.load_at::<Customer>(&stream, receipt.sequence).await;
        let customer = found.map_err(|error| load_problem(&error))?.state;
        Ok(Self { id: receipt.customer, customer })
    }

    /// As one reader sees it.
    pub async fn document(&self, app: &App, reader: &Caller) -> Result<CustomerDocument, Problem> {
        let people = People::find(app, self.customer.owner()).await?;
        let document = CustomerDocument::detail(reader, self.id, &self.customer, &people);
        Ok(with_due(app, document, &self.customer).await)
    }
}

/// With the moment at which the rules of now put the customer into the pool. What was committed is answered whatever
/// becomes of this reading: then the moment is left out. What never falls, or may not be seen, is not asked.
pub async fn with_due(app: &App, document: CustomerDocument, customer: &Customer) -> CustomerDocument {
    if document.circumstances.is_none() || !DueFacts::from(customer).is_recyclable() {
        return document;
    }
    match recycling::policy(&app.db).await {
        Ok(policy) => document.due_by(&policy, customer),
        Err(error) => {
            tracing::warn!(error = %error, "an answer does not say when its lead goes back into the pool");
            document
        }
    }
}

/// Adds version and position, and remembers the position for the caller's next read.
pub fn answer(
    app: &App,
    caller: &Caller,
    answer: Answer,
    executed: &Executed<CustomerReceipt>,
) -> Result<Answer, Problem> {
    app.writes.noted(caller.id, executed.position);
    Ok(answer.version(executed.result.sequence).written(executed.position, executed.replayed))
}

/// The customer after a command, or why it did not happen.
pub async fn show(
    app: &App,
    caller: &Caller,
    done: CustomerResult<CustomerReceipt>,
    text: Text,
) -> Result<Answer, Problem> {
    match done {
        Ok(executed) => {
            let shown = Shown::load(app, &executed.result).await?;
            let document = shown.document(app, caller).await?;
            answer(app, caller, Answer::ok(text, &document)?, &executed)
        }
        Err(error) => Err(customer_problem(app, caller, error).await),
    }
}
