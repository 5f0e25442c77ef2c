//! An event of any aggregate that a read model may want, decoded.

use std::collections::HashMap;

use domain::batch::BatchEvent;
use domain::customer::{Customer, CustomerEvent};
use domain::inbox::InboxEvent;
use domain::member::{Member, MemberEvent};
use domain::notification::NotificationEvent;
use domain::recycle_rule::run::{RecycleRun, RecycleRunEvent};
use domain::recycle_rule::{RecycleRule, RecycleRuleEvent};
use domain::staff::StaffEvent;
use domain::subscription::SubscriptionEvent;
use domain::transfer_rule::run::{TransferRun, TransferRunEvent};
use domain::transfer_rule::{TransferRule, TransferRuleEvent};
use domain::{
    Aggregate, CustomerId, Position, Recorded, StreamId, batch, customer, inbox, notification, staff,
    subscription,
};
use infrastructure::event_log::{EventLog, RecordedRaw};
use infrastructure::upcasters::{ReadError, Upcasters};

use crate::consumer::HandleError;

/// A decoded event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    Customer(Box<Recorded<CustomerEvent>>),
    Staff(Box<Recorded<StaffEvent>>),
    Notification(Box<Recorded<NotificationEvent>>),
    Inbox(Box<Recorded<InboxEvent>>),
    Batch(Box<Recorded<BatchEvent>>),
    Subscription(Box<Recorded<SubscriptionEvent>>),
    RecycleRule(Box<Recorded<RecycleRuleEvent>>),
    RecycleRun(Box<Recorded<RecycleRunEvent>>),
    TransferRule(Box<Recorded<TransferRuleEvent>>),
    Member(Box<Recorded<MemberEvent>>),
    /// With every lead of a plan, as it was when it was planned.
    TransferRun(Box<Recorded<TransferRunEvent>>, HashMap<CustomerId, Customer>),
}

/// Decodes a page, and reads what its events mean but do not carry. An event that this program cannot read stops the
/// consumer: skipping it would lose a fact.
pub(crate) async fn decode_page(
    log: &EventLog,
    upcasters: &Upcasters,
    page: &[RecordedRaw],
) -> Result<Vec<Fact>, HandleError> {
    let mut facts = Vec::with_capacity(page.len());
    for event in page {
        let mut fact = decode(upcasters, event)?;
        if let Fact::TransferRun(event, leads) = &mut fact
            && let TransferRunEvent::Planned(planned) = &event.payload
        {
            let moves = planned.moves.iter().map(|one| one.customer);
            let customers = moves.chain(planned.unplaced.iter().map(|one| one.customer));
            *leads = leads_before(log, upcasters, customers, event.position).await?;
        }
        facts.push(fact);
    }
    Ok(facts)
}

/// The leads as they were at a position: always the same ones, whenever it is asked.
async fn leads_before(
    log: &EventLog,
    upcasters: &Upcasters,
    customers: impl Iterator<Item = CustomerId>,
    position: Position,
) -> Result<HashMap<CustomerId, Customer>, HandleError> {
    let wanted: Vec<_> = customers.map(|customer| (StreamId::from(customer), 0)).collect();
    let mut leads = HashMap::new();
    for (stream, events) in log.streams_many(&wanted).await? {
        let mut lead = Customer::default();
        for event in events.into_iter().take_while(|event| event.position < position) {
            let reason = |error: ReadError| HandleError::Poison { position, reason: error.to_string() };
            lead.evolve(&upcasters.decode::<CustomerEvent>(event).map_err(reason)?.payload);
        }
        if let Some(id) = stream.uuid() {
            leads.insert(CustomerId(id), lead);
        }
    }
    Ok(leads)
}

fn decode(upcasters: &Upcasters, event: &RecordedRaw) -> Result<Fact, HandleError> {
    let poison = |reason: String| HandleError::Poison { position: event.position, reason };
    macro_rules! read {
        ($variant:ident) => {
            upcasters
                .decode(event.clone())
                .map(|decoded| Fact::$variant(Box::new(decoded)))
                .map_err(|error| poison(error.to_string()))
        };
    }
    match event.stream.kind() {
        kind if kind == <customer::Customer as Aggregate>::TYPE => read!(Customer),
        kind if kind == <staff::Staff as Aggregate>::TYPE => read!(Staff),
        kind if kind == <notification::Notification as Aggregate>::TYPE => read!(Notification),
        kind if kind == <inbox::Inbox as Aggregate>::TYPE => read!(Inbox),
        kind if kind == <batch::Batch as Aggregate>::TYPE => read!(Batch),
        kind if kind == <subscription::SubscriptionLedger as Aggregate>::TYPE => read!(Subscription),
        kind if kind == RecycleRule::TYPE => read!(RecycleRule),
        kind if kind == RecycleRun::TYPE => read!(RecycleRun),
        kind if kind == TransferRule::TYPE => read!(TransferRule),
        kind if kind == Member::TYPE => read!(Member),
        kind if kind == TransferRun::TYPE => upcasters
            .decode(event.clone())
            .map(|decoded| Fact::TransferRun(Box::new(decoded), HashMap::new()))
            .map_err(|error| poison(error.to_string())),
        kind => Err(poison(format!("no read model knows streams of the type {kind}"))),
    }
}
