//! Which stream an operator means: its name, a customer number, or a bare uuid.

use anyhow::{Result, anyhow, bail};
use domain::batch::Batch;
use domain::channel_control::ChannelControl;
use domain::customer::{Customer, CustomerNumber};
use domain::inbox::Inbox;
use domain::member::Member;
use domain::member_notices::MemberNotices;
use domain::notice_order::NoticeOrder;
use domain::notification::Notification;
use domain::pool_rules::PoolRules;
use domain::preferences::Preferences;
use domain::recycle_rule::RecycleRule;
use domain::recycle_rule::run::RecycleRun;
use domain::staff::Staff;
use domain::subscription::SubscriptionLedger;
use domain::template::NoticeTemplate;
use domain::transfer_rule::TransferRule;
use domain::transfer_rule::run::TransferRun;
use domain::{Aggregate, StreamId};
use infrastructure::event_log::EventLog;
use projections::queries;
use uuid::Uuid;

/// Every kind of stream.
pub(crate) const KINDS: [&str; 17] = [
    Customer::TYPE,
    Staff::TYPE,
    Notification::TYPE,
    SubscriptionLedger::TYPE,
    Inbox::TYPE,
    Batch::TYPE,
    Preferences::TYPE,
    NoticeTemplate::TYPE,
    ChannelControl::TYPE,
    NoticeOrder::TYPE,
    TransferRule::TYPE,
    TransferRun::TYPE,
    RecycleRule::TYPE,
    RecycleRun::TYPE,
    PoolRules::TYPE,
    Member::TYPE,
    MemberNotices::TYPE,
];

/// Finds the stream; it has at least one event.
pub(crate) async fn find(log: &EventLog, text: &str) -> Result<StreamId> {
    let text = text.trim();
    if let Some(stream) = StreamId::parse(text) {
        return existing(log, &[stream], text).await;
    }
    if let Ok(number) = CustomerNumber::parse(text) {
        // A deleted customer has a stream too.
        let id = queries::customers::stream_of_number(log.db(), number.as_str()).await?;
        let id = id.ok_or_else(|| {
            anyhow!(
                "no customer has the number {number}; a new one shows once the customer list has caught up \
                 (`leadwire projections list`)"
            )
        })?;
        return Ok(StreamId::from(id));
    }
    if let Ok(id) = Uuid::try_parse(text) {
        let candidates = KINDS.map(|kind| StreamId::new(kind, id));
        return existing(log, &candidates, text).await;
    }
    bail!(
        "{text} is not a stream: write <kind>-<uuid> with one of {}, a customer number CUS…, or a uuid",
        KINDS.join(", ")
    )
}

async fn existing(log: &EventLog, candidates: &[StreamId], text: &str) -> Result<StreamId> {
    let mut found = Vec::new();
    for stream in candidates {
        if !log.stream(stream, 0, 1).await?.is_empty() {
            found.push(stream.clone());
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => bail!("no event of {text} is in the log"),
        several => {
            let names: Vec<&str> = several.iter().map(StreamId::as_str).collect();
            bail!("{text} names several streams; write one of {}", names.join(", "))
        }
    }
}
