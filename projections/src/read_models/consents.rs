//! Consents to subscribe messages, and refusals: one row for each, for the authorisation rate of each template
//! (notifications.md section 6). A refusal does not name its template; the ledger's consents do.

use domain::Recorded;
use domain::subscription::{GrantSource, SubscriptionEvent};
use infrastructure::db::Tx;
use infrastructure::event_log::Filter;

use super::Fact;
use crate::consumer::HandleError;
use crate::schema::FIRST_REVISION;
use crate::table::{Cell, Kind, Table, Target, index, may, must, upsert};

pub(crate) const REVISION: i64 = FIRST_REVISION;

pub(crate) const FILTER: Filter<'static> = Filter::Types(&["CreditsGranted", "CreditsZeroed"]);

/// The person consented.
pub(crate) const GRANT: &str = "grant";
/// The person refused.
pub(crate) const REFUSAL: &str = "refusal";

pub(crate) const TABLE: Table = Table {
    name: "consents",
    columns: &[
        must("position", Kind::Int),
        must("ledger", Kind::Text),
        may("template", Kind::Text),
        must("kind", Kind::Text),
        must("at", Kind::Time),
    ],
    key: &["position"],
    indexes: &[index("by_time", "at"), index("by_ledger", "ledger, position")],
};

fn row(event: &Recorded<SubscriptionEvent>) -> Option<Vec<Cell>> {
    let (template, kind, at) = match &event.payload {
        // An operator's correction is no answer of the person's.
        SubscriptionEvent::Granted(e) if e.source == GrantSource::Operator => return None,
        SubscriptionEvent::Granted(e) => (Some(e.template.as_str()), GRANT, e.at),
        // Nor is what a message that could not be sent taught us.
        SubscriptionEvent::Zeroed(e) if e.delivery.is_none() => (None, REFUSAL, e.at),
        SubscriptionEvent::Zeroed(_)
        | SubscriptionEvent::Reserved(_)
        | SubscriptionEvent::Consumed(_)
        | SubscriptionEvent::Returned(_) => return None,
    };
    let ledger = Cell::text(event.stream.as_str());
    Some(vec![event.position.into(), ledger, Cell::text_or_null(template), Cell::text(kind), at.into()])
}

pub(crate) async fn apply(tx: &mut Tx<'_>, target: Target, page: &[Fact]) -> Result<(), HandleError> {
    let rows: Vec<_> = page
        .iter()
        .filter_map(|fact| match fact {
            Fact::Subscription(event) => row(event),
            _ => None,
        })
        .collect();
    upsert(tx, &TABLE, target, &rows).await?;
    Ok(())
}
